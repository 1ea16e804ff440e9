//! What could not be published is told entity by entity with the server's words, costs its neighbours nothing, and is
//! tried again by the next run.

use std::path::Path;

use lockgate::mock::{self, Server};
use serde_json::Value;

use crate::binary::{Ended, Workspace, end_of, events_in};
use crate::support::{fixture, instances, serve_with};

async fn faulty(faults: &[&str]) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture("starter-site")),
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..mock::Options::default()
    })
    .await
}

async fn sync(workspace: &Workspace, server: &Server) -> Ended {
    end_of(workspace.sync(server, &["--no-tui", "--publish"])).await
}

/// The ids on the target that the source has published and the target has not, of one kind.
fn unpublished(server: &Server, kind: &str) -> Vec<i64> {
    let target = server.state().instances.remove(1);
    let (rows, id, state) = match kind {
        "content" => (target.content, "contentID", "/properties/state"),
        _ => (target.pages, "pageID", "/properties/state"),
    };
    let is_staging = |row: &Value| row.pointer(state).and_then(Value::as_i64) == Some(1);
    let rows = rows.into_iter().map(Value::Object);
    let mut ids: Vec<i64> = rows
        .filter(is_staging)
        .filter_map(|row| row[id].as_i64())
        .collect();
    ids.sort_unstable();
    ids
}

fn of_type(events: &[Value], name: &str) -> Vec<Value> {
    let wanted = events.iter().filter(|event| event["type"] == name);
    wanted.cloned().collect()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refused_entity_is_told_and_the_others_are_published() {
    let clean = faulty(&[]).await;
    assert_eq!(sync(&Workspace::new(), &clean).await.code, Some(0));
    for (kind, path) in [
        ("content", "item/batch-workflow"),
        ("page", "page/batch-workflow"),
    ] {
        let left = unpublished(&clean, kind).len();
        let fault = format!("fail-item=2,path=en-us/{path},nth=1");
        let server = faulty(&[&fault]).await;
        let workspace = Workspace::new();
        let ended = sync(&workspace, &server).await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let folder = workspace.run_folder();
        let events = events_in(&folder);
        let refused = of_type(&events, "publish-refused");
        let [refused] = &refused[..] else {
            panic!("{refused:?}");
        };
        let now = unpublished(&server, kind);
        assert_eq!(now.len(), left + 1, "{kind}");
        assert!(now.contains(&refused["target"].as_i64().unwrap()), "{kind}");
        let key = refused["key"].as_str().unwrap();
        assert!(key.starts_with(kind), "{key}");

        let finished = of_type(&events, "publish-finished");
        assert_eq!(finished[0]["refused"], 1);
        let batches = of_type(&events, "batch-finished");
        let counts = |event: &Value| (event["succeeded"].as_u64(), event["failed"].as_u64());
        let partly: Vec<_> = batches
            .iter()
            .map(counts)
            .filter(|both| both.1 != Some(0))
            .collect();
        assert!(
            matches!(partly[..], [(Some(done), Some(1))] if done > 0),
            "{partly:?}"
        );
        let summary: Value = serde_json::from_str(&read(&folder, "summary.json")).unwrap();
        assert_eq!(summary["publishing"]["refused"], 1);
        let why = end_of(workspace.command(["why", key])).await.stdout;
        for (place, text) in [
            ("lines", &ended.stderr),
            ("report.md", &read(&folder, "report.md")),
            ("report.html", &read(&folder, "report.html")),
            ("summary.json", &read(&folder, "summary.json")),
            ("why", &why),
        ] {
            assert!(text.contains("Item is checked out."), "{place}: {text}");
        }
        assert!(ended.stderr.contains("1 not published"), "{}", ended.stderr);

        let again = sync(&workspace, &server).await;
        assert_eq!(again.code, Some(0), "{}", again.stderr);
        assert_eq!(unpublished(&server, kind).len(), left, "{kind}");
        server.stop().await;
    }
    clean.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_refused_as_a_whole_is_handed_in_again_in_parts() {
    for fault in [
        "fail-batch,path=batch-workflow,count=3",
        "status=400,path=batch-workflow,count=3,body={\"message\":\"no\"}",
    ] {
        let server = faulty(&[fault]).await;
        let workspace = Workspace::new();
        let ended = sync(&workspace, &server).await;
        assert_eq!(ended.code, Some(0), "{fault}: {}", ended.stderr);
        let events = events_in(&workspace.run_folder());
        assert_eq!(of_type(&events, "publish-refused").len(), 0);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_all_is_told_by_cause_and_tried_again_by_the_next_run() {
    let server = faulty(&[
        "status=400,path=item/batch-workflow,count=100,body={\"message\":\"Publishing is not allowed.\"}",
    ])
    .await;
    let workspace = Workspace::new();
    let ended = sync(&workspace, &server).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let requests = server.writes(crate::support::TARGET);
    let publishing = requests
        .iter()
        .filter(|request| request.path.contains("item/batch-workflow"));
    assert!(
        publishing.count() < 60,
        "it asked for every item of its own"
    );
    let events = events_in(&workspace.run_folder());
    let refused = of_type(&events, "publish-refused");
    assert!(refused.len() > 10, "{refused:?}");
    let told = |event: &Value| {
        event["reason"]
            .as_str()
            .unwrap()
            .contains("Publishing is not allowed.")
    };
    assert!(refused.iter().all(told));
    let state = server.state();
    server.stop().await;
    let server = serve_with(mock::Options {
        state,
        ..mock::Options::default()
    })
    .await;
    let again = sync(&workspace, &server).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let folder = workspace.run_folders().pop().unwrap();
    let finished = of_type(&events_in(&folder), "publish-finished");
    assert!(finished[0]["published"].as_u64() >= Some(refused.len() as u64));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expires_while_publishing_ends_the_run_and_the_next_one_publishes() {
    let server = faulty(&["status=401,path=page/batch-workflow"]).await;
    let workspace = Workspace::new();
    let ended = sync(&workspace, &server).await;
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("LG-2006"), "{}", ended.stderr);
    assert!(!unpublished(&server, "page").is_empty());
    let state = server.state();
    server.stop().await;
    let server = serve_with(mock::Options {
        state,
        ..mock::Options::default()
    })
    .await;
    let again = sync(&workspace, &server).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let clean = faulty(&[]).await;
    assert_eq!(sync(&Workspace::new(), &clean).await.code, Some(0));
    assert_eq!(
        unpublished(&server, "page").len(),
        unpublished(&clean, "page").len()
    );
    server.stop().await;
}
