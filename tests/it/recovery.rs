//! What the run after an interrupted one finds, situation by situation.

use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use lockgate::domain::{Exact, Id, Kind, Locale, Outcome, TargetId};
use lockgate::engine::{Publish, RunError, Sink, UnknownOutcome};
use lockgate::event::{Event, Side};
use lockgate::instance::{BatchStatus, Save, Target};
use lockgate::mock::file::Row;
use lockgate::mock::{self, RequestRecord, Server};
use lockgate::store::{StateUrl, Store, StoreError};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::crash::{losses, report, target};
use crate::independent::mappings_of;
use crate::panics::Breaking;
use crate::same_state;
use crate::support::{Setup, TARGET, fixture, instances, run_id, serve_with};

/// A server that needs this long for an item of a batch.
async fn server(name: &str, item_time: Duration, faults: &[&str]) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture(name)),
        batches: lockgate::mock::BatchWork {
            item_time,
            ..lockgate::mock::BatchWork::default()
        },
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..mock::Options::default()
    })
    .await
}

/// A state that outlives runs, and whose leases of dead owners are told apart.
async fn state() -> (TempDir, StateUrl, Setup) {
    let folder = tempfile::tempdir().unwrap();
    let url = StateUrl::Sqlite(folder.path().join("state.db"));
    let setup = Setup::impatient(Store::open(&url).await.unwrap());
    (folder, url, setup)
}

/// Carries out a run and drops it as soon as something is seen.
async fn dropped_when(seen: impl Fn() -> bool, setup: &mut Setup, base_url: &str) {
    let mut run = Box::pin(setup.sync(base_url));
    poll_fn(|context| {
        if seen() {
            return Poll::Ready(());
        }
        assert!(run.as_mut().poll(context).is_pending(), "it was too fast");
        Poll::Pending
    })
    .await;
}

/// Whether the target was asked to write something that fits.
fn was_asked(server: &Server, fits: impl Fn(&RequestRecord) -> bool) -> bool {
    server.writes(TARGET).iter().any(fits)
}

fn is_batch(request: &RequestRecord) -> bool {
    request.path.ends_with("/item/multi")
}

fn batches(server: &Server) -> usize {
    server
        .writes(TARGET)
        .iter()
        .filter(|request| is_batch(request))
        .count()
}

#[tokio::test]
async fn a_batch_that_is_still_worked_off_is_waited_for() {
    // Long after the number of the batch was noted, and long before it ends.
    let server = server("ordered-links", Duration::from_millis(40), &[]).await;
    let (_folder, url, mut setup) = state().await;
    let base_url = server.base_url();
    let is_poll = |request: &RequestRecord| request.path.contains("/batch/");
    let polls = || server.requests().iter().any(is_poll);
    dropped_when(polls, &mut setup, &base_url).await;
    let handed_in = batches(&server);
    assert_eq!(handed_in, 1);
    setup.store.clone().close().await;
    setup.store = Store::open(&url).await.unwrap();
    let ran = Box::pin(setup.sync(&base_url)).await;
    report(&losses(&ran));
    let all = Box::pin(setup.sync(&base_url)).await;
    let kinds = all
        .outcomes()
        .into_values()
        .all(|outcome| outcome == Outcome::Unchanged);
    assert!(kinds, "{:?}", all.outcomes());
    let sent: usize = server
        .writes(TARGET)
        .iter()
        .filter(|request| is_batch(request))
        .map(|request| {
            request
                .body
                .as_ref()
                .and_then(Value::as_array)
                .map_or(0, Vec::len)
        })
        .sum();
    assert_eq!(
        sent,
        target(&server).content.len(),
        "every item was sent once"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_batch_whose_number_was_never_heard_is_waited_for() {
    let server = server("ordered-links", Duration::from_millis(40), &[]).await;
    let (_folder, url, mut setup) = state().await;
    // A look every 200 ms sees progress as long as there is any.
    setup.options.settle = Duration::from_millis(800);
    let base_url = server.base_url();
    dropped_when(|| was_asked(&server, is_batch), &mut setup, &base_url).await;
    setup.store.clone().close().await;
    setup.store = Store::open(&url).await.unwrap();
    let ran = Box::pin(setup.sync(&base_url)).await;
    report(&losses(&ran));
    let expected = uninterrupted("ordered-links", Publish::Off).await;
    report(&same_state::differences(&expected, &target(&server)));
    server.stop().await;
}

async fn uninterrupted(name: &str, publish: Publish) -> mock::file::InstanceFile {
    let server = server(name, Duration::ZERO, &[]).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.publish = publish;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    report(&losses(&ran));
    let state = target(&server);
    server.stop().await;
    state
}

#[tokio::test]
async fn what_nobody_can_tell_is_left_alone_until_the_user_has_looked() {
    // The answer with the number of the first batch is lost, and the run dies while it looks for the items.
    let fault = "reset=after,path=/item/multi,nth=1";
    let server = server("ordered-links", Duration::from_millis(100), &[fault]).await;
    let (_folder, url, mut setup) = state().await;
    let base_url = server.base_url();
    setup.options.settle = Duration::from_mins(1);
    let looks = |server: &Server| {
        let is_list = |request: &RequestRecord| request.path.contains("/en-us/list/");
        server.requests().iter().any(is_list)
    };
    dropped_when(|| looks(&server), &mut setup, &base_url).await;
    setup.options.settle = Duration::from_millis(80);
    setup.store.clone().close().await;
    setup.store = Store::open(&url).await.unwrap();
    // Somebody edits an item that the dead run had created, before anybody has noted that it is there.
    let edited = edit_one_item(&setup, &server).await;
    let before = batches(&server);
    let ran = Box::pin(setup.sync(&base_url)).await;
    let in_doubt = ran.report.as_ref().unwrap().in_doubt.clone();
    assert_eq!(in_doubt.len(), 1, "{in_doubt:?}");
    let (key, why) = &in_doubt[0];
    assert!(
        why.contains(&edited.to_string()) && why.contains("--unknown-outcome resend"),
        "{why}"
    );
    assert!(matches!(&ran.outcomes()[key], Outcome::Failed { .. }));
    // It is remembered, and told again.
    let again = Box::pin(setup.sync(&base_url)).await;
    assert_eq!(again.report.unwrap().in_doubt, in_doubt);
    setup.options.unknown_outcome = UnknownOutcome::Resend;
    let sent = Box::pin(setup.sync(&base_url)).await;
    report(&losses(&sent));
    assert_eq!(sent.outcomes()[key], Outcome::Created);
    assert!(batches(&server) > before);
    server.stop().await;
}

/// Changes the title of an item of the target once it is there; returns its id.
async fn edit_one_item(setup: &Setup, server: &Server) -> i64 {
    let (events, _heard) = mpsc::channel(100);
    let reader = setup.reader(&server.base_url(), TARGET, Side::Target, &Sink::new(events));
    let row = loop {
        if let Some(row) = target(server).content.first() {
            break Value::Object(row.clone());
        }
        tokio::task::yield_now().await;
    };
    let id = row["contentID"].as_i64().unwrap();
    let locale = Locale::new(row["locale"].as_str().unwrap());
    let mut body = row;
    let fields = body["fields"].as_object_mut().unwrap();
    let name = fields
        .keys()
        .find(|name| name.eq_ignore_ascii_case("title"))
        .unwrap()
        .clone();
    fields.insert(name, "Edited by hand".into());
    let save = Save {
        kind: Kind::Content,
        name: "an item".into(),
        id: Some(TargetId::new(id)),
        locale: Some(locale.clone()),
        body: body.into(),
        numbers: Exact::default(),
    };
    let batch = reader
        .instance
        .submit_items(&locale, &[save])
        .await
        .unwrap();
    let results = loop {
        match reader.instance.poll(batch).await.unwrap() {
            BatchStatus::Unknown | BatchStatus::Working { .. } => tokio::task::yield_now().await,
            BatchStatus::Finished(results) => break results,
            BatchStatus::Failed(refusal) => unreachable!("{refusal:?}"),
        }
    };
    assert!(results[0].is_ok(), "{results:?}");
    id
}

#[tokio::test]
async fn what_a_dead_run_had_not_published_is_published() {
    let expected = uninterrupted("starter-site", Publish::Both).await;
    let staged = uninterrupted("starter-site", Publish::Off).await;
    assert!(
        !same_state::differences(&expected, &staged).is_empty(),
        "publishing shows"
    );
    let server = server("starter-site", Duration::ZERO, &[]).await;
    let (_folder, url, mut setup) = state().await;
    setup.options.publish = Publish::Both;
    let base_url = server.base_url();
    let publishes = |request: &RequestRecord| request.path.contains("batch-workflow");
    dropped_when(|| was_asked(&server, publishes), &mut setup, &base_url).await;
    setup.store.clone().close().await;
    setup.store = Store::open(&url).await.unwrap();
    let ran = Box::pin(setup.sync(&base_url)).await;
    report(&losses(&ran));
    report(&same_state::differences(&expected, &target(&server)));
    let before = server.writes(TARGET).len();
    let again = Box::pin(setup.sync(&base_url)).await;
    report(&losses(&again));
    assert_eq!(
        server.writes(TARGET).len(),
        before,
        "nothing is published twice"
    );
    server.stop().await;
}

#[tokio::test]
async fn of_two_runs_at_once_one_wins_and_none_is_harmed() {
    let server = server("starter-site", Duration::from_millis(1), &[]).await;
    let (_folder, url, mut first) = state().await;
    let mut second = Setup::impatient(Store::open(&url).await.unwrap());
    second.run = 100;
    let base_url = server.base_url();
    let (one, other) = tokio::join!(
        Box::pin(first.sync(&base_url)),
        Box::pin(second.sync(&base_url))
    );
    let (won, refused) = if one.report.is_ok() {
        (one, other)
    } else {
        (other, one)
    };
    report(&losses(&won));
    let Err(RunError::Store(error @ StoreError::LeaseHeld { .. })) = &refused.report else {
        panic!("{:?}", refused.report);
    };
    let said = format!("{error}; {}", error.hint().unwrap());
    for part in [
        "tester",
        "desk",
        "process",
        "run 20250101",
        "started",
        "run again after",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let expected = uninterrupted("starter-site", Publish::Off).await;
    report(&same_state::differences(&expected, &target(&server)));
    // The loser gets its turn, and finds everything done.
    let writes = server.writes(TARGET).len();
    report(&losses(&Box::pin(second.sync(&base_url)).await));
    assert_eq!(server.writes(TARGET).len(), writes);
    server.stop().await;
}

/// A comparison that is refused for the rate is made again: it counted as a difference, at no pace and with no second try.
#[tokio::test]
async fn the_bytes_of_an_upload_are_compared_at_the_pace_of_the_target() {
    // The first file is there, and its answer takes longer than the run.
    let slow = "method=POST,path=/asset/upload,count=1,slow-body=2000";
    let server = server("galleries-and-assets", Duration::ZERO, &[slow]).await;
    let (_folder, url, mut setup) = state().await;
    let base_url = server.base_url();
    let uploads = |request: &RequestRecord| request.path.ends_with("/asset/upload");
    dropped_when(|| was_asked(&server, uploads), &mut setup, &base_url).await;
    setup.store.clone().close().await;
    setup.store = Store::open(&url).await.unwrap();
    let left = Arc::new(AtomicI64::new(1));
    let refusing = |target| Breaking::refusing_downloads(target, &left);
    let ran = Box::pin(setup.sync_with(&base_url, refusing)).await;
    report(&losses(&ran));
    assert!(left.load(Ordering::Relaxed) < 1, "a download was refused");
    let is_told = |event: &Event| matches!(event, Event::Throttled { .. });
    assert!(ran.events.iter().any(is_told), "the pace heard of it");
    let rows = setup.store.run_entities(&run_id(1)).await.unwrap();
    let mut assets = rows.iter().filter(|row| row.key.kind == Kind::Asset);
    let is_recognised = assets.any(|row| row.because.contains("found on the target"));
    assert!(is_recognised, "{rows:?}");
    server.stop().await;
}

/// The counterpart was still that of an entity that the source had lost, so the state refused the finding, and no run could
/// begin any more.
#[tokio::test]
async fn what_took_the_counterpart_of_a_deleted_entity_is_recovered() {
    let before = server("starter-site", Duration::ZERO, &[]).await;
    let (_folder, url, mut setup) = state().await;
    setup.overwrite = true;
    report(&losses(&Box::pin(setup.sync(&before.base_url())).await));
    let mut all = before.state();
    before.stop().await;
    // It was deleted, and made again with another destination.
    let rule = &mut all.instances[0].redirections[0];
    let former = rule.insert("urlRedirectionID".to_owned(), json!(9_999));
    let former = format!("redirection:{}", former.unwrap());
    rule.insert("destinationUrl".to_owned(), json!("~/elsewhere"));
    let server = serve_with(mock::Options {
        state: all,
        ..mock::Options::default()
    })
    .await;
    let base_url = server.base_url();
    let rules = |request: &RequestRecord| request.path.ends_with("/url-redirections");
    dropped_when(|| was_asked(&server, rules), &mut setup, &base_url).await;
    setup.store.clone().close().await;
    setup.store = Store::open(&url).await.unwrap();
    let ran = Box::pin(setup.sync(&base_url)).await;
    report(&losses(&ran));
    let rules = target(&server).redirections;
    let moved = |rule: &&Row| rule["destinationUrl"] == "~/elsewhere";
    assert_eq!(rules.iter().filter(moved).count(), 1);
    let mappings = mappings_of(&setup.store).await;
    let keys: Vec<String> = mappings
        .iter()
        .map(|mapping| mapping.key.to_string())
        .collect();
    assert!(keys.iter().any(|key| key == "redirection:9999"), "{keys:?}");
    assert!(!keys.contains(&former), "{keys:?}");
    server.stop().await;
}
