//! A dry run writes nothing and foretells what a run does, on every fixture, through the real binary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lockgate::mock::file::{Row, StateFile};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::binary::{Ended, Workspace, end_of, events_in};
use crate::fixtures::{all, case};
use crate::support::{TARGET, fixture, instances, put_state, serve};

/// Fixtures at a time: each is one process that reads and computes most of the time.
const AT_ONCE: usize = 4;

/// What became of each entity: the outcome, and the root cause of what was blocked.
type Outcomes = BTreeMap<String, String>;

fn outcomes(events: &[Value]) -> Outcomes {
    let settled = events
        .iter()
        .filter(|event| event["type"] == "entity-settled");
    settled
        .map(|event| {
            let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
            (text("key"), format!("{} {}", text("outcome"), text("by")))
        })
        .collect()
}

/// The lines of the dry run as (action, key).
fn listed(stdout: &str) -> BTreeSet<(String, String)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), 4, "{line:?}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line:?}");
        (cells[0].to_owned(), cells[1].to_owned())
    };
    stdout.lines().map(row).collect()
}

/// What the lines should have been, after what really happened.
fn due(outcomes: &Outcomes) -> BTreeSet<(String, String)> {
    let action = |outcome: &str| match outcome.split(' ').next().unwrap() {
        "created" => Some("create"),
        "updated" => Some("update"),
        "adopted" => Some("adopt"),
        "conflict" => Some("conflict"),
        "failed" => Some("failed"),
        "blocked" => Some("blocked"),
        _ => None,
    };
    let rows = outcomes.iter();
    rows.filter_map(|(key, outcome)| Some((action(outcome)?.to_owned(), key.clone())))
        .collect()
}

/// Where two sets of rows differ, one line each.
fn between<T: Ord + std::fmt::Debug>(first: &BTreeSet<T>, second: &BTreeSet<T>) -> Vec<String> {
    let differing = first.symmetric_difference(second);
    differing.map(|row| format!("{row:?}")).collect()
}

fn ended_as(ended: &Ended, case: &Value, what: &str) -> Option<String> {
    let fits = ended.code.map(i64::from) == case["exit"].as_i64();
    (!fits).then(|| format!("{what} ended with {:?}:\n{}", ended.code, ended.stderr))
}

fn arguments(case: &Value) -> Vec<&str> {
    let given = case["args"].as_array().into_iter().flatten();
    let given = given.filter_map(Value::as_str);
    std::iter::once("--no-tui").chain(given).collect()
}

/// Rehearses a fixture, then carries it out, and gives where the two disagree.
async fn rehearsed_and_done(folder: &Path) -> Vec<String> {
    let case = case(folder);
    let server = serve(instances(folder)).await;
    let (rehearsal, real) = (Workspace::new(), Workspace::new());
    let mut problems = Vec::new();

    let mut words = arguments(&case);
    words.push("--dry-run");
    let foretold = end_of(rehearsal.sync(&server, &words)).await;
    problems.extend(ended_as(&foretold, &case, "the dry run"));
    for write in server.writes(TARGET) {
        problems.push(format!(
            "the dry run wrote: {} {}",
            write.method, write.path
        ));
    }
    let left: Vec<_> = std::fs::read_dir(rehearsal.path().join(".lockgate"))
        .unwrap()
        .collect();
    if left.len() != 1 || rehearsal.path().join(".lockgate/state.db").exists() {
        problems.push(format!("the dry run left more than its report: {left:?}"));
    }

    let done = end_of(real.sync(&server, &arguments(&case))).await;
    problems.extend(ended_as(&done, &case, "the run"));
    let expected = outcomes(&events_in(&rehearsal.run_folder()));
    let found = outcomes(&events_in(&real.run_folder()));
    if found.is_empty() {
        problems.push("nothing settled".to_owned());
    }
    let rows = |outcomes: &Outcomes| outcomes.clone().into_iter().collect::<BTreeSet<_>>();
    let differing = between(&rows(&expected), &rows(&found));
    problems.extend(
        differing
            .into_iter()
            .map(|row| format!("foretold or done, not both: {row}")),
    );
    let differing = between(&listed(&foretold.stdout), &due(&found));
    problems.extend(
        differing
            .into_iter()
            .map(|row| format!("listed or done, not both: {row}")),
    );
    server.stop().await;
    problems
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_foretells_the_run_on_every_fixture() {
    let permits = std::sync::Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = JoinSet::new();
    for name in all() {
        let permits = std::sync::Arc::clone(&permits);
        runs.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let problems = rehearsed_and_done(&fixture(&name)).await;
            problems
                .into_iter()
                .map(|problem| format!("{name}: {problem}"))
                .collect::<Vec<_>>()
        });
    }
    let mut problems = runs.join_all().await.concat();
    problems.sort_unstable();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Whether a row is the English version of a topic.
fn is_topic(row: &Row) -> bool {
    row["locale"] == "en-us" && row["properties"]["definitionName"] == "Topic"
}

/// Rewrites the description of a topic on one instance.
fn describe(state: &mut StateFile, instance: usize, label: &str, description: &str) {
    let items = &mut state.instances[instance].content;
    let item = items
        .iter_mut()
        .find(|item| is_topic(item) && item["fields"]["Label"] == label);
    item.unwrap()["fields"]["Description"] = description.into();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_knows_what_earlier_runs_did() {
    let server = serve(instances(&fixture("starter-site"))).await;
    let workspace = Workspace::new();
    let state_file = workspace.path().join(".lockgate/state.db");
    assert_eq!(end_of(workspace.sync(&server, &[])).await.code, Some(0));
    let (writes, kept) = (
        server.writes(TARGET).len(),
        std::fs::read(&state_file).unwrap(),
    );

    let nothing = end_of(workspace.sync(&server, &["--dry-run"])).await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), ""));

    let mut state = server.state();
    let source = state.instances[0].content.clone();
    let topics = source.iter().filter(|item| is_topic(item));
    let labels: Vec<&str> = topics
        .map(|item| item["fields"]["Label"].as_str().unwrap())
        .collect();
    describe(&mut state, 0, labels[0], "Changed on the source.");
    describe(&mut state, 1, labels[1], "Changed on the target.");
    describe(&mut state, 0, labels[2], "Changed on the source.");
    describe(&mut state, 1, labels[2], "Changed on the target.");
    put_state(&server.base_url(), &state).await;
    let foretold = end_of(workspace.sync(&server, &["--dry-run", "--no-verify"])).await;
    let listed = listed(&foretold.stdout);
    let actions: Vec<&str> = listed.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(
        actions,
        ["conflict", "left-alone", "update"],
        "{}",
        foretold.stdout
    );
    assert_eq!(foretold.code, Some(5));
    assert_eq!(server.writes(TARGET).len(), writes);
    assert!(
        kept == std::fs::read(&state_file).unwrap(),
        "the dry run changed the state"
    );

    let done = end_of(workspace.sync(&server, &["--no-verify"])).await;
    assert_eq!(done.code, Some(5));
    let folders = workspace.run_folders();
    let of_run = |number: usize| outcomes(&events_in(&folders[number]));
    let events: Vec<Outcomes> = (0..4).map(of_run).collect();
    let updated =
        |outcomes: &Outcomes| outcomes.values().filter(|name| *name == "updated ").count();
    let twice: Vec<_> = events
        .iter()
        .filter(|outcomes| updated(outcomes) == 1)
        .collect();
    assert_eq!(twice.len(), 2);
    assert_eq!(twice[0], twice[1]);
    server.stop().await;
}
