//! How a run ends: one cause, from which the exit code, the last line, the events and the record of the run follow.

use lockgate::mock::file::Habits;
use lockgate::mock::{self, Server};
use serde_json::Value;

use crate::binary::{Ended, Workspace, end_of, events_in};
use crate::support::{TARGET, fixture, instances, serve_with};

/// The starter site before a target with these habits, on a server with these faults.
async fn site(habits: Habits, faults: &[&str]) -> Server {
    let mut state = instances(&fixture("starter-site"));
    let target = state.instances.iter_mut().find(|one| one.guid == TARGET);
    target.unwrap().habits = habits;
    serve_with(mock::Options {
        state,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..mock::Options::default()
    })
    .await
}

/// The last line of a run.
fn last_line(ended: &Ended) -> &str {
    let lines = ended.stderr.lines();
    lines.rev().find(|line| line.contains(" entities")).unwrap()
}

/// How the run ended, as each place shows it: last line, last event, summary, record.
async fn told(workspace: &Workspace, ended: &Ended, words: &str, name: &str) {
    let line = last_line(ended);
    assert!(line.contains(words), "{line}");
    let folder = workspace.run_folder();
    let events = events_in(&folder);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["end"]),
        (&"run-finished".into(), &name.into()),
        "{last}"
    );
    let summary = std::fs::read_to_string(folder.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["end"], name);
    let runs = end_of(workspace.command(["runs"])).await.stdout;
    assert!(runs.contains(words), "{runs}");
    let listed = end_of(workspace.command(["runs", "--output", "json"])).await;
    assert!(
        listed.stdout.contains(&format!("\"end\":\"{name}\"")),
        "{}",
        listed.stdout
    );
}

/// It said "interrupted" with exit code 130, which nobody had asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_to_fail_fast_ends_with_1_at_the_first_failure_of_any_kind() {
    for path in [
        "/model",
        "/container",
        "/page/template",
        "/asset/gallery",
        "/asset/upload",
        "/url-redirections",
        "/item/multi",
        "/page",
        "/item/batch-workflow",
    ] {
        // The three templates come before the pages.
        let from = if path == "/page" { 4 } else { 1 };
        let fault =
            format!("status=400,method=POST,path={path},from={from},body={{\"message\":\"no\"}}");
        let server = site(Habits::default(), &[&fault]).await;
        let workspace = Workspace::new();
        let args = ["--no-tui", "--fail-fast", "--publish"];
        let ended = end_of(workspace.sync(&server, &args)).await;
        assert_eq!(ended.code, Some(1), "{path}: {}", ended.stderr);
        told(&workspace, &ended, "first failure", "fail-fast").await;
        let verified = events_in(&workspace.run_folder());
        let verified = verified.iter().filter(|event| event["phase"] == "verify");
        assert_eq!(verified.count(), 0, "{path}: it went on to verify");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_the_plan_shows_is_the_first_one() {
    let server = serve_with(mock::Options {
        state: instances(&fixture("orphan-reference")),
        ..mock::Options::default()
    })
    .await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &["--no-tui", "--fail-fast"])).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    told(&workspace, &ended, "first failure", "fail-fast").await;
    assert!(server.writes(TARGET).is_empty(), "it wrote all the same");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_failure_a_run_that_is_to_fail_fast_is_complete() {
    let server = site(Habits::default(), &[]).await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &["--no-tui", "--fail-fast"])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    told(&workspace, &ended, "done", "complete").await;
    server.stop().await;
}

/// A link that the target does not keep, by the kind that has it.
fn losing(kind: &str) -> Habits {
    let lost = match kind {
        "content" => ["fields.heroImage", "fields.photos", "fields.portrait"],
        _ => ["zones", "zones", "zones"],
    };
    let mut habits = Habits::default();
    let lost = lost.iter().map(|path| (*path).to_owned()).collect();
    habits.drop.insert(kind.to_owned(), lost);
    habits
}

/// The read-back of the first item had shown that its link was lost, and the run published all that it had written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_proven_broken_ends_the_run_and_is_not_published() {
    for kind in ["content", "page"] {
        let server = site(losing(kind), &[]).await;
        let workspace = Workspace::new();
        let ended = end_of(workspace.sync(&server, &["--no-tui", "--publish"])).await;
        assert_eq!(ended.code, Some(1), "{kind}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("stored a reference of"),
            "{kind}: {}",
            ended.stderr
        );
        let publishing = server.writes(TARGET);
        let publishing = publishing
            .iter()
            .filter(|write| write.path.contains("batch-workflow"));
        assert_eq!(publishing.count(), 0, "{kind}: it published a broken link");
        told(&workspace, &ended, "stopped", "stopped").await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_refuses_the_token_stops_the_run() {
    let server = site(
        Habits::default(),
        &["status=401,method=POST,path=/item/multi"],
    )
    .await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.sync(&server, &["--no-tui"])).await;
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    told(&workspace, &ended, "instance", "stopped").await;
    server.stop().await;
}

/// A panic is a bug: exit code 70, the words of the panic, a report, and a state that the next run goes on from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_panics_in_mid_run_ends_with_70_and_a_report() {
    let workspace = Workspace::new();
    let server = site(Habits::default(), &[]).await;
    let mut broken = workspace.sync(&server, &["--no-tui"]);
    broken.env("PANIC_WHILE_UPLOADING", "1");
    let ended = end_of(broken).await;
    assert_eq!(ended.code, Some(70), "{}", ended.stderr);
    let says = |text: &str| ended.stderr.contains(text);
    assert!(
        says("the environment asks for this panic"),
        "{}",
        ended.stderr
    );
    assert!(says("LG-9"), "{}", ended.stderr);
    let folder = workspace.run_folder();
    for file in ["events.ndjson", "report.md", "report.html", "summary.json"] {
        assert!(folder.join(file).exists(), "{file}");
    }
    let next = end_of(workspace.sync(&server, &["--no-tui"])).await;
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    server.stop().await;
}
