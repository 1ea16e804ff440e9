//! What a run leaves behind, and commands that look at it.

use lockgate::mock;
use lockgate::progress::Progress;
use serde_json::Value;

use crate::binary::{Workspace, end_of, lines_of_json};
use crate::support::{fixture, instances, serve, serve_with};

#[tokio::test]
async fn a_replay_is_the_recording_and_folds_to_the_same_summary() {
    let workspace = Workspace::new();
    let ended = end_of(workspace.command(["demo", "--quiet"])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let folder = workspace.run_folder();
    let recorded = std::fs::read_to_string(folder.join("events.ndjson")).unwrap();

    let replay = [
        "runs", "replay", "last", "--speed", "100000", "--output", "json",
    ];
    let replayed = end_of(workspace.command(replay)).await;
    assert_eq!(replayed.code, Some(0), "{}", replayed.stderr);
    assert_eq!(replayed.stdout, recorded);

    let mut progress = Progress::new();
    for line in replayed.stdout.lines() {
        progress.apply(&serde_json::from_str(line).unwrap());
    }
    let summary = std::fs::read(folder.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["entities"]["total"], progress.total().total());
    assert_eq!(summary["exit"], 0);
}

#[tokio::test]
async fn the_folder_of_a_run_holds_plan_graph_and_page() {
    let workspace = Workspace::new();
    end_of(workspace.command(["demo", "--quiet"])).await;
    let folder = workspace.run_folder();
    let json = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let (plan, graph, summary) = (json("plan.json"), json("graph.json"), json("summary.json"));
    let count = |list: &Value| list.as_array().unwrap().len();
    assert_eq!(summary["entities"]["total"], count(&plan["entities"]));
    assert_eq!(count(&plan["entities"]), count(&graph["nodes"]));
    assert!(count(&graph["needs"]) > 0);
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("All in sync"));
    let index = std::fs::read_to_string(folder.with_file_name("index.html")).unwrap();
    assert!(index.contains(folder.file_name().unwrap().to_str().unwrap()));
}

/// Both have a folder and no place in the state, and were not listed.
#[tokio::test]
async fn demonstrations_and_starts_that_failed_are_listed() {
    let workspace = Workspace::new();
    end_of(workspace.command(["demo", "--quiet"])).await;
    let runs = end_of(workspace.command(["runs"])).await;
    assert!(runs.stdout.contains("  demo "), "{}", runs.stdout);
    // Times had nanoseconds, and the lines wrapped.
    let widest = runs.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest < Some(80), "{}", runs.stdout);
    assert!(!workspace.path().join(".lockgate/state.db").exists());
    let shown = end_of(workspace.command(["runs", "last"])).await;
    assert!(shown.stdout.contains("159 in sync"), "{}", shown.stdout);

    let server = serve_with(mock::Options {
        state: instances(&fixture("starter-site")),
        faults: vec!["status=401".parse().unwrap()],
        ..mock::Options::default()
    })
    .await;
    let refused = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    let runs = end_of(workspace.command(["runs", "--json"])).await;
    let runs: Vec<Value> = lines_of_json(&runs.stdout);
    let commands: Vec<_> = runs
        .iter()
        .map(|run| (&run["command"], &run["exit"]))
        .collect();
    assert_eq!(
        commands,
        [(&"sync".into(), &3.into()), (&"demo".into(), &0.into())]
    );
    server.stop().await;
}

/// What a shell asks, with the runs of the working folder.
#[tokio::test]
async fn shells_complete_runs_instances_and_entities() {
    let workspace = Workspace::new();
    end_of(workspace.command(["demo", "--quiet"])).await;
    let completed = async |line: &str| {
        let words = ["--", "lockgate"].into_iter().chain(line.split(' '));
        let mut command = workspace.command(words);
        command.env("LOCKGATE_COMPLETE", "fish");
        end_of(command).await.stdout
    };
    let run = workspace.run_folder();
    let run = run.file_name().unwrap().to_str().unwrap();
    let found = completed(&format!("runs replay {}", &run[..4])).await;
    assert!(
        found.starts_with(&format!("{run}\tdemo 1a2b3c4d-u")),
        "{found}"
    );
    assert_eq!(completed("sync --target 5e").await.trim(), "5e6f7a8b-u");
    let found = completed("why page:2").await;
    assert!(found.contains("page:23@en-us\t/about"), "{found}");
    assert_eq!(
        completed("sync --containers about_H").await.trim(),
        "about_Hero"
    );
    let script = end_of(workspace.command(["completions", "bash"])).await;
    assert!(
        script.stdout.contains("LOCKGATE_COMPLETE"),
        "{}",
        script.stdout
    );
}

#[tokio::test]
async fn there_is_nothing_to_attach_to_once_a_run_is_over() {
    let workspace = Workspace::new();
    end_of(workspace.command(["demo", "--quiet"])).await;
    let ended = end_of(workspace.command(["runs", "attach"])).await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("no run is in progress"),
        "{}",
        ended.stderr
    );
}

/// Neither a demonstration nor a rehearsal has a lease, and whoever attached to one that was killed waited for ever.
#[tokio::test]
async fn a_demonstration_that_was_killed_is_told_to_be_gone() {
    let workspace = Workspace::new();
    let mut demo = workspace.command(["demo", "--quiet", "--item-ms", "60000"]);
    let mut demo = demo.kill_on_drop(true).spawn().unwrap();
    let runs = workspace.path().join(".lockgate/runs");
    let is_uploading = || {
        let folders = std::fs::read_dir(&runs).into_iter().flatten().flatten();
        let mut events = folders.map(|folder| folder.path().join("events.ndjson"));
        events.any(|path| {
            std::fs::read_to_string(path).is_ok_and(|text| text.contains("batch-submitted"))
        })
    };
    while !is_uploading() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    demo.kill().await.unwrap();
    let watched = end_of(workspace.command(["runs", "attach", "--no-tui"])).await;
    assert_eq!(watched.code, Some(130), "{}", watched.stderr);
    let told = "has died without finishing";
    assert!(watched.stderr.contains(told), "{}", watched.stderr);
}

/// The result as a program gets it: events, and nothing on standard error.
#[tokio::test]
async fn with_json_there_are_no_lines_beside_it() {
    let workspace = Workspace::new();
    let demo =
        end_of(workspace.command(["--json", "demo", "--no-tui", "--junit", "out.xml"])).await;
    assert_eq!((demo.code, demo.stderr.as_str()), (Some(0), ""));
    assert!(demo.stdout.lines().all(|line| line.starts_with('{')));
    let xml = std::fs::read_to_string(workspace.path().join("out.xml")).unwrap();
    assert!(xml.contains("<testsuite name=\"models\""), "{xml}");
}

#[tokio::test]
async fn planning_writes_nothing_anywhere() {
    let server = serve(instances(&fixture("cycle-of-two"))).await;
    let workspace = Workspace::new();
    let url = server.base_url();
    let planned = end_of(workspace.between("plan", &url, &[])).await;
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    let creates = planned.stdout.lines();
    let creates = creates.filter(|line| line.starts_with("  + create "));
    assert!(creates.count() > 2, "{}", planned.stdout);

    let graph = end_of(workspace.between("graph", &url, &["--format", "json"])).await;
    assert_eq!(graph.code, Some(0), "{}", graph.stderr);
    let graph: Value = serde_json::from_str(&graph.stdout).unwrap();
    let cut: u64 = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["cut"].as_u64().unwrap())
        .sum();
    assert!(cut >= 1, "{graph}");

    let unknown = end_of(workspace.between("graph", &url, &["--around", "model:424242"])).await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("LG-1006"), "{}", unknown.stderr);
    assert!(server.writes(crate::support::TARGET).is_empty());
    assert!(!workspace.path().join(".lockgate").exists());
    server.stop().await;
}

#[tokio::test]
async fn every_printed_code_can_be_explained() {
    let workspace = Workspace::new();
    let listed = end_of(workspace.command(["explain"])).await;
    let titles: Vec<_> = listed.stdout.lines().collect();
    assert!(titles.len() > 40, "{titles:?}");
    let (code, title) = titles[0].split_once(": ").unwrap();
    let page = end_of(workspace.command(["explain", code])).await;
    assert!(page.stdout.starts_with(&format!("# {code}: {title}")));
    let unknown = end_of(workspace.command(["explain", "LG-0"])).await;
    assert_eq!(unknown.code, Some(2));
}
