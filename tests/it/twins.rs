//! Equal items in one container, in requests of their own, of which some go wrong: each gets a counterpart of its own.
//!
//! Equal items are interchangeable until one is taken. So a request whose answer was lost may find on the target what another
//! one has just created; it is that one's for as long as that request can still tell so.

use std::collections::BTreeSet;
use std::time::Duration;

use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use lockgate::store::Store;
use serde_json::{Value, json};

use crate::crash::{losses, target};
use crate::independent::mappings_of;
use crate::support::{Setup, TARGET, fixture, instances, serve_with};

/// The title of all of them.
const TITLE: &str = "A twin";

/// So many equal items.
fn twins(count: i64) -> StateFile {
    let mut state = instances(&fixture("ordered-links"));
    let source = &mut state.instances[0];
    let row = source.content[0].clone();
    for at in 0..count {
        let mut row = row.clone();
        row.insert("contentID".to_owned(), json!(6000 + at));
        row["properties"]["versionID"] = json!(80_000 + at);
        row["properties"]["itemOrder"] = json!(50 + at);
        row["fields"]["title"] = json!(TITLE);
        source.content.push(row);
    }
    state
}

/// The character of a server.
#[derive(Clone, Copy, Debug)]
struct Character {
    latency_ms: u64,
    item_ms: u64,
}

async fn served(state: StateFile, character: Character, fault: &str) -> Server {
    serve_with(mock::Options {
        state,
        latency: Duration::from_millis(character.latency_ms),
        batches: lockgate::mock::BatchWork {
            item_time: Duration::from_millis(character.item_ms),
            ..lockgate::mock::BatchWork::default()
        },
        faults: vec![fault.parse().unwrap()],
        ..mock::Options::default()
    })
    .await
}

fn there(target: &InstanceFile) -> usize {
    let is_title = |value: &Value| value == TITLE;
    let is_twin = |row: &&Row| row["fields"].as_object().unwrap().values().any(is_title);
    target.content.iter().filter(is_twin).count()
}

/// What is wrong after a run with this fault, and one more.
async fn problems(count: i64, size: usize, character: Character, fault: &str) -> Vec<String> {
    let server = served(twins(count), character, fault).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.batch_items = size;
    // Enough for the slowest of these servers to take what it was handed.
    setup.options.settle = Duration::from_millis(400);
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    let mut problems = losses(&ran);
    let found = there(&target(&server));
    if found != usize::try_from(count).unwrap() {
        problems.push(format!("{found} instead of {count} are there"));
    }
    let mappings = mappings_of(&setup.store).await;
    let twins = mappings.iter();
    let twins = twins.filter(|mapping| mapping.key.to_string().starts_with("content:60"));
    let targets: Vec<_> = twins.map(|mapping| mapping.target).collect();
    let own: BTreeSet<_> = targets.iter().collect();
    if (targets.len(), own.len()) != (found, found) {
        problems.push(format!("their counterparts are {targets:?}"));
    }
    let before = server.writes(TARGET).len();
    let again = Box::pin(setup.sync(&server.base_url())).await;
    problems.extend(
        losses(&again)
            .into_iter()
            .map(|line| format!("again: {line}")),
    );
    let more = server.writes(TARGET).len() - before;
    if more > 0 {
        problems.push(format!("one run more wrote {more} times"));
    }
    server.stop().await;
    let at = |line| format!("{fault} of {character:?}, {size} at a time: {line}");
    problems.into_iter().map(at).collect()
}

const QUICK: Character = Character {
    latency_ms: 0,
    item_ms: 0,
};
const FAR: Character = Character {
    latency_ms: 20,
    item_ms: 0,
};
const BUSY: Character = Character {
    latency_ms: 1,
    item_ms: 30,
};

/// One item was lost, and two further runs called that in sync.
#[tokio::test]
async fn a_connection_that_breaks_takes_no_item_of_another_request() {
    let mut found = Vec::new();
    for character in [QUICK, FAR, BUSY] {
        for fault in [
            "reset=before",
            "reset=after",
            "status=500",
            "status-after=500",
            "truncated-json",
        ] {
            for nth in 1..5 {
                let fault = format!("{fault},path=/item/multi,nth={nth}");
                found.extend(problems(2, 1, character, &fault).await);
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Several requests are in doubt at one time, and several are healthy.
#[tokio::test]
async fn of_many_equal_items_each_gets_its_own() {
    let mut found = Vec::new();
    for character in [FAR, BUSY] {
        for (size, fault) in [
            (1, "reset=before,path=/item/multi,every=2"),
            (1, "reset=after,path=/item/multi,every=2"),
            (1, "status-after=500,path=/item/multi,every=3"),
            (2, "reset=before,path=/item/multi,every=2"),
            (2, "drop-result,path=/item/multi,every=2"),
            (3, "reset=after,path=/item/multi,from=2"),
            (2, "fail-batch,path=/item/multi,nth=2"),
        ] {
            found.extend(problems(8, size, character, fault).await);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
