//! `lockgate why` and `lockgate retry` through the binary: what failed, why, and once more.

use std::collections::BTreeSet;

use lockgate::mock::file::StateFile;
use lockgate::mock::{self, Server};
use serde_json::Value;

use crate::binary::{Ended, Workspace, end_of, lines_of_json};
use crate::same_state;
use crate::support::{TARGET, fixture, instances, serve, serve_with};

/// Refuses the first save of a container for good.
const REFUSED: &str =
    "method=POST,path=/container,count=1,status=400,body={\"message\":\"no room\"}";

fn site() -> StateFile {
    instances(&fixture("starter-site"))
}

async fn faulty(fault: &str) -> Server {
    serve_with(mock::Options {
        state: site(),
        faults: vec![fault.parse().unwrap()],
        ..mock::Options::default()
    })
    .await
}

/// A run in which one container was refused, and what did not arrive.
async fn failed_run(workspace: &Workspace, server: &Server) -> (String, BTreeSet<String>) {
    let done = end_of(workspace.sync(server, &["--no-tui"])).await;
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let shown = lines_of_json(&told(workspace, &["runs", "last", "--output", "json"]).await);
    let is = |line: &Value, outcome: &str| line["outcome"] == outcome;
    let failed: Vec<&Value> = shown.iter().filter(|line| is(line, "failed")).collect();
    assert_eq!(failed.len(), 1, "{shown:?}");
    let lost = shown
        .iter()
        .filter(|line| is(line, "failed") || is(line, "blocked"));
    let lost = lost.map(|line| line["key"].as_str().unwrap().to_owned());
    (
        failed[0]["key"].as_str().unwrap().to_owned(),
        lost.collect(),
    )
}

async fn told(workspace: &Workspace, args: &[&str]) -> String {
    let done = end_of(workspace.command(args.iter())).await;
    assert_eq!(done.code, Some(0), "{args:?}: {}", done.stderr);
    done.stdout
}

fn keys_settled_as(ended: &Ended, outcome: &str) -> BTreeSet<String> {
    lines_of_json(&ended.stdout)
        .iter()
        .filter(|event| event["type"] == "entity-settled" && event["outcome"] == outcome)
        .map(|event| event["key"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_was_lost_is_explained_and_brought_across_by_a_retry() {
    let workspace = Workspace::new();
    let server = faulty(REFUSED).await;
    let (failed, lost) = failed_run(&workspace, &server).await;
    assert!(lost.len() > 1, "nothing was blocked: {lost:?}");

    let why = told(&workspace, &["why", &failed]).await;
    assert!(why.contains("failed") && why.contains("no room"), "{why}");
    assert!(
        why.contains("attempt 1") && why.contains("create: failed"),
        "{why}"
    );
    let held_up = format!("blocking    {}", lost.len() - 1);
    assert!(why.contains(&held_up), "{held_up}: {why}");
    assert!(why.contains("needed by"), "{why}");
    let blocked = lost.iter().find(|key| **key != failed).unwrap();
    let why = told(&workspace, &["why", blocked]).await;
    let cause = format!("by {failed}, which failed");
    assert!(why.contains(&cause) && why.contains("no room"), "{why}");

    // It needs no flag: instances and URLs are those of the run.
    let retry = end_of(workspace.command(["retry", "--output", "json"])).await;
    assert_eq!(retry.code, Some(0), "{}{}", retry.stdout, retry.stderr);
    assert_eq!(keys_settled_as(&retry, "created"), lost);
    let why = lines_of_json(&told(&workspace, &["why", &failed, "--output", "json"]).await);
    assert_eq!(why[0]["counterpart"]["origin"], "created");
    assert_eq!(why[0]["runs"][0]["command"], "retry");
    assert_eq!(why[0]["runs"][0]["outcome"], "created");
    assert_eq!(why[0]["runs"][1]["outcome"], "failed");

    let undisturbed = serve(site()).await;
    let other = Workspace::new();
    assert_eq!(end_of(other.sync(&undisturbed, &[])).await.code, Some(0));
    let of = |server: &Server| {
        let mut all = server.state().instances;
        all.retain(|instance| instance.guid == TARGET);
        all.remove(0)
    };
    assert_eq!(
        same_state::differences(&of(&undisturbed), &of(&server)),
        Vec::<String>::new()
    );
    let writes = server.writes(TARGET).len();
    let again = end_of(workspace.command(["retry"])).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stderr.contains("nothing failed"), "{}", again.stderr);
    assert_eq!(end_of(workspace.sync(&server, &[])).await.code, Some(0));
    assert_eq!(server.writes(TARGET).len(), writes);
    server.stop().await;
    undisturbed.stop().await;
}

#[tokio::test]
async fn a_retry_that_is_rehearsed_writes_nothing() {
    let workspace = Workspace::new();
    let server = faulty(REFUSED).await;
    let (failed, lost) = failed_run(&workspace, &server).await;
    let writes = server.writes(TARGET).len();
    let rehearsed = end_of(workspace.command(["retry", "--dry-run", "--no-tui"])).await;
    assert_eq!(rehearsed.code, Some(0), "{}", rehearsed.stderr);
    assert_eq!(
        rehearsed.stdout.lines().count(),
        lost.len(),
        "{}",
        rehearsed.stdout
    );
    assert!(rehearsed.stdout.contains(&failed));
    assert_eq!(server.writes(TARGET).len(), writes);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_retried_is_said() {
    let workspace = Workspace::new();
    let refused = |ended: Ended, message: &str| {
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert!(ended.stderr.contains("  help: "), "{}", ended.stderr);
    };
    refused(end_of(workspace.command(["retry"])).await, "no state at");
    refused(
        end_of(workspace.command(["why", "model:1"])).await,
        "no state at",
    );
    let server = faulty(REFUSED).await;
    failed_run(&workspace, &server).await;
    refused(
        end_of(workspace.command(["retry", "never"])).await,
        "not found in this workspace",
    );
    let other = ["retry", "--source", "aaaaaaaa-u"];
    refused(end_of(workspace.command(other)).await, "no matching run");
    refused(
        end_of(workspace.command(["why", "model:987654"])).await,
        "no history for",
    );
    refused(
        end_of(workspace.command(["why", "modell:1"])).await,
        "is not an entity key",
    );
    server.stop().await;
}
