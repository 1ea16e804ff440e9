//! Ctrl-C with several targets, and in a chain: the first drains all that is under way, the second drops it, and the next run
//! goes on from there.

use std::time::Duration;

use lockgate::mock::{self, BatchWork, Server};
use serde_json::Value;

use crate::binary::{Workspace, events_in};
use crate::cli_life::Running;
use crate::same_state;
use crate::support::serve_with;
use crate::targets::{PROD, QA, alone, as_on, ends, held, lagging, with_empty, workspace};

/// A server on which runs take long enough to be met in the middle.
async fn slow() -> Server {
    serve_with(mock::Options {
        state: with_empty("starter-site", &[QA, PROD]),
        latency: Duration::from_millis(10),
        batches: BatchWork {
            item_time: Duration::from_millis(10),
            ..BatchWork::default()
        },
        ..mock::Options::default()
    })
    .await
}

async fn stage() -> (Server, Workspace) {
    let server = slow().await;
    let targets = [("dev", crate::support::SOURCE), ("qa", QA), ("prod", PROD)];
    let workspace = workspace(&server.base_url(), &targets);
    (server, workspace)
}

fn start(workspace: &Workspace, words: &str) -> Running {
    Running::of(workspace.command(words.split(' ')))
}

/// Runs again until the end: each target holds once what an uninterrupted run leaves, and then nothing is left to do.
async fn completes(workspace: &Workspace, server: &Server, words: &str) {
    ends(workspace, words, 0).await;
    let expected = alone("starter-site").await;
    for guid in [QA, PROD] {
        let found = same_state::differences(&as_on(&expected, guid), &held(server, guid));
        assert!(found.is_empty(), "{guid}: {}", found.join("\n"));
    }
    let before = [QA, PROD].map(|guid| server.writes(guid).len());
    ends(workspace, words, 0).await;
    let after = [QA, PROD].map(|guid| server.writes(guid).len());
    assert_eq!(before, after, "a run with nothing to do wrote");
}

/// Nothing new left after the drain began, and the run says that it was interrupted.
fn drained(events: &[Value]) {
    let at = events.iter().position(|one| one["type"] == "drain-started");
    let at = at.expect("a drain");
    let later = events[at..]
        .iter()
        .filter(|one| one["type"] == "entity-started");
    assert_eq!(later.count(), 0, "a drain starts nothing new");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["exit"]),
        (&"run-finished".into(), &130.into())
    );
}

const BOTH: &str = "sync --target qa --target prod";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_drains_the_runs_into_all_targets() {
    let (server, workspace) = stage().await;
    let mut running = start(&workspace, &format!("{BOTH} --json"));
    running.until_each("entity-settled", &["qa", "prod"]).await;
    running.signal("-INT");
    let (code, last, stderr) = running.end().await;
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(
        (&last["type"], &last["exit"]),
        (&"targets-finished".into(), &130.into())
    );
    let exits: Vec<&Value> = last["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["exit"])
        .collect();
    assert_eq!(exits, [130, 130]);
    let folders = workspace.run_folders();
    assert_eq!(folders.len(), 2);
    for folder in &folders {
        drained(&events_in(folder));
    }
    completes(&workspace, &server, BOTH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_while_the_source_is_read_writes_to_no_target() {
    let (server, workspace) = stage().await;
    let mut running = start(&workspace, &format!("{BOTH} --json"));
    running.until("read-progressed", 1).await;
    running.signal("-INT");
    let (code, _, stderr) = running.end().await;
    assert_eq!(code, Some(130), "{stderr}");
    for guid in [QA, PROD] {
        assert_eq!(server.writes(guid), []);
    }
    completes(&workspace, &server, BOTH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_interrupt_aborts_the_runs_into_all_targets_and_loses_nothing() {
    let (server, workspace) = stage().await;
    let mut running = start(&workspace, &format!("{BOTH} --json"));
    running.until("batch-submitted", 1).await;
    running.signal("-INT");
    running.until("drain-started", 1).await;
    running.signal("-INT");
    let (code, _, stderr) = running.end().await;
    assert_eq!(code, Some(130), "{stderr}");
    completes(&workspace, &server, BOTH).await;
}

const CHAIN: &str = "promote dev..qa..prod";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_ends_a_chain_with_its_hop() {
    for signals in [1, 2] {
        let (server, workspace) = stage().await;
        let mut running = start(&workspace, &format!("{CHAIN} --json"));
        running.until("batch-submitted", 1).await;
        running.signal("-INT");
        if signals == 2 {
            running.until("drain-started", 1).await;
            running.signal("-INT");
        }
        let (code, _, stderr) = running.end().await;
        assert_eq!(code, Some(130), "{stderr}");
        assert_eq!(
            workspace.run_folders().len(),
            1,
            "the next hop did not begin"
        );
        assert_eq!(server.writes(PROD), []);
        if signals == 1 {
            drained(&events_in(&workspace.run_folder()));
        }
        completes(&workspace, &server, CHAIN).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_of_the_second_hop_leaves_the_first_as_it_is() {
    let (server, workspace) = stage().await;
    let mut running = start(&workspace, &format!("{CHAIN} --json"));
    running.until("run-finished", 1).await;
    running.until("batch-submitted", 1).await;
    let before = server.writes(QA).len();
    running.signal("-INT");
    let (code, _, stderr) = running.end().await;
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(server.writes(QA).len(), before);
    let folders = workspace.run_folders();
    assert_eq!(folders.len(), 2);
    drained(&events_in(&folders[1]));
    completes(&workspace, &server, CHAIN).await;
}

/// The wait for what was written has nothing in flight: it ends at the first interrupt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_ends_the_wait_between_two_hops() {
    let (server, workspace) = lagging(Duration::from_mins(10), false).await;
    let mut running = start(&workspace, CHAIN);
    running.line_of_stderr("waiting for qa to show").await;
    running.signal("-INT");
    let (code, stderr) = running.end_of_stderr().await;
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(server.writes(PROD), []);
    assert_eq!(workspace.run_folders().len(), 1);
}
