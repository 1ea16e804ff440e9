//! One entity that the server cannot process costs its neighbours nothing: a request that fails as a whole is sent again
//! in parts as soon as nothing of it has taken effect.

use std::collections::BTreeSet;

use lockgate::domain::{Id as _, Outcome};
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use lockgate::store::Store;
use serde_json::{Value, json};

use crate::binary::{Workspace, end_of, events_in};
use crate::independent::mappings_in;
use crate::same_state;
use crate::support::{Ran, Setup, TARGET, fixture, instances, serve_with};

async fn served(state: StateFile, fault: &str) -> Server {
    serve_with(mock::Options {
        state,
        faults: vec![fault.parse().unwrap()],
        ..mock::Options::default()
    })
    .await
}

/// Ten items, of which the last is the one that the faults know; redirections likewise.
fn ten(name: &str) -> StateFile {
    let mut state = instances(&fixture(name));
    let source = &mut state.instances[0];
    if name == "many-redirections" {
        source.redirections.truncate(9);
        let mut last = source.redirections[0].clone();
        last.insert("urlRedirectionID".to_owned(), json!(999));
        last.insert("originUrl".to_owned(), json!("~/old/unlucky"));
        source.redirections.push(last);
        return state;
    }
    let row = source.content[0].clone();
    for at in 0..10 {
        let title = if at == 9 {
            "unlucky".to_owned()
        } else {
            format!("Place number {at}")
        };
        let mut row = row.clone();
        row.insert("contentID".to_owned(), json!(5000 + at));
        row["properties"]["versionID"] = json!(90_000 + at);
        row["properties"]["itemOrder"] = json!(50 + at);
        row["fields"]["title"] = json!(title);
        source.content.push(row);
    }
    state
}

fn failed(ran: &Ran) -> Vec<String> {
    let outcomes = ran.outcomes().into_iter();
    let failed = outcomes.filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. }));
    failed.map(|(key, _)| key.to_string()).collect()
}

fn target(server: &Server) -> InstanceFile {
    let mut state = server.state();
    state.instances.retain(|one| one.guid == TARGET);
    state.instances.remove(0)
}

async fn run(state: &StateFile, fault: &str) -> (Ran, Server) {
    let server = served(state.clone(), fault).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    (ran, server)
}

/// Nine good items failed with the one that made the submit answer 500.
#[tokio::test]
async fn an_item_that_makes_its_request_fail_fails_alone() {
    for (name, path, unlucky) in [
        ("ordered-links", "/item/multi", "content:5009@en-us"),
        ("many-redirections", "/url-redirections", "redirection:999"),
    ] {
        let state = ten(name);
        for fault in [
            "status=500",
            "status=502",
            "status=400",
            "status=403",
            "reset=before",
            "html",
            "truncated-json",
        ] {
            let fault = format!("{fault},method=POST,path={path},text=unlucky");
            let (ran, server) = run(&state, &fault).await;
            // Half an answer is one after the effect: what is found is there.
            let expected: &[&str] = if fault.starts_with("truncated") {
                &[]
            } else {
                &[unlucky]
            };
            assert_eq!(failed(&ran), expected, "{fault}");
            let settled = ran.outcomes();
            let created = settled
                .values()
                .filter(|outcome| **outcome == Outcome::Created);
            assert_eq!(created.count(), settled.len() - expected.len(), "{fault}");
            let titles: Vec<String> = titles(&target(&server));
            let once: BTreeSet<_> = titles.iter().collect();
            assert_eq!(
                once.len(),
                titles.len(),
                "{fault}: something is there twice"
            );
            server.stop().await;
        }
    }
}

fn titles(target: &InstanceFile) -> Vec<String> {
    let title = |row: &Row| Some(Value::from(row["fields"].as_object()?.clone()).to_string());
    let origin = |row: &Row| row["originUrl"].as_str().map(str::to_owned);
    let titles = target.content.iter().filter_map(title);
    let origins = target.redirections.iter().filter_map(origin);
    titles.chain(origins).collect()
}

/// A connection that broke once is no reason to lose anything, whatever the parts are.
#[tokio::test]
async fn what_goes_wrong_once_is_sent_again_and_arrives_once() {
    for (name, path) in [
        ("ordered-links", "/item/multi"),
        ("many-redirections", "/url-redirections"),
    ] {
        let state = ten(name);
        let (_, clean) = run(&state, "html,path=nowhere").await;
        for fault in [
            "status=500",
            "status-after=500",
            "reset=before",
            "reset=after",
            "html",
        ] {
            for nth in 1..4 {
                let fault = format!("{fault},method=POST,path={path},nth={nth}");
                let (ran, server) = run(&state, &fault).await;
                assert_eq!(failed(&ran), Vec::<String>::new(), "{fault}");
                let found = same_state::differences(&target(&clean), &target(&server));
                assert_eq!(found, Vec::<String>::new(), "{fault}");
                server.stop().await;
            }
        }
        clean.stop().await;
    }
}

/// A server that fails whatever it is sent is asked a bounded number of times.
#[tokio::test]
async fn a_server_that_fails_for_all_is_asked_a_bounded_number_of_times() {
    let state = ten("ordered-links");
    let (ran, server) = run(&state, "status=500,method=POST,path=/item/multi").await;
    assert!(failed(&ran).len() >= 10, "{:?}", failed(&ran));
    let asked = server.writes(TARGET);
    let asked = asked
        .iter()
        .filter(|write| write.path.ends_with("/item/multi"));
    let (asked, items) = (asked.count(), state.instances[0].content.len());
    // Less than with all attempts for each item alone.
    assert!(
        asked < 5 * items,
        "it was asked {asked} times for {items} items"
    );
    server.stop().await;
}

/// The id of an entity on the target, by its source key, in the state of a workspace.
async fn id_of(workspace: &Workspace, key: &str) -> i64 {
    let mappings = mappings_in(workspace.path()).await.unwrap();
    let mut found = mappings
        .iter()
        .filter(|mapping| mapping.key.to_string() == key);
    found.next().expect("it has a counterpart").target.raw()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entity_that_makes_publishing_fail_is_left_alone_and_the_others_are_published() {
    for (kind, key) in [("item", "content:1010@en-us"), ("page", "page:21@en-us")] {
        let server = served(instances(&fixture("starter-site")), "html,path=nowhere").await;
        let workspace = Workspace::new();
        let saved = end_of(workspace.sync(&server, &["--quiet", "--no-verify"])).await;
        assert_eq!(saved.code, Some(0), "{}", saved.stderr);
        let id = id_of(&workspace, key).await;
        let state = server.state();
        server.stop().await;
        for fault in ["status=500", "reset=before", "html"] {
            let fault = format!("{fault},method=POST,path=en-us/{kind}/batch-workflow,text={id}");
            let server = served(state.clone(), &fault).await;
            let again = end_of(workspace.sync(&server, &["--quiet", "--publish"])).await;
            assert_eq!(again.code, Some(1), "{fault}: {}", again.stderr);
            let folder = workspace.run_folders().pop().unwrap();
            let events = events_in(&folder);
            // The others of its cycle are held back with it.
            let is_its_own = |event: &&Value| {
                let reason = event["reason"].as_str().unwrap_or_default();
                event["type"] == "publish-refused" && !reason.starts_with("held back because")
            };
            let refused: Vec<_> = events
                .iter()
                .filter(is_its_own)
                .map(|event| event["key"].as_str().unwrap())
                .collect();
            assert_eq!(refused, [key], "{fault}");
            server.stop().await;
        }
    }
}
