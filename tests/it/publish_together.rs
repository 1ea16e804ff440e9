//! What is published in which order, what goes out together or stays a draft, and what the source has unpublished.

use lockgate::domain::{Guid, Outcome};
use lockgate::engine::Publish;
use lockgate::event::Event;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use lockgate::store::{Change, Pair, RunRecord, Store};

use crate::gone::source;
use crate::support::{Ran, SOURCE, Setup, TARGET, empty_target, put_state, run_id, serve_with};

const STAGING: i64 = 1;
const PUBLISHED: i64 = 2;
const UNPUBLISHED: i64 = 7;

/// Items 31 and 32, of which the second links to the first, and pages of which one stands below another.
async fn serve(faults: &[&str], edit: impl FnOnce(&mut InstanceFile)) -> Server {
    let mut source = source();
    let below = source.pages.clone().into_iter();
    let below = below.filter(|page| page["name"] == "p41").map(|mut page| {
        page.insert("pageID".to_owned(), 40.into());
        page.insert("name".to_owned(), "below".into());
        page.insert("parentPageID".to_owned(), 41.into());
        page
    });
    source.pages.extend(below.collect::<Vec<_>>());
    edit(&mut source);
    let target = empty_target(&source.locales);
    serve_with(mock::Options {
        state: StateFile {
            instances: vec![source, target],
            ..StateFile::default()
        },
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..mock::Options::default()
    })
    .await
}

async fn setup() -> Setup {
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.publish = Publish::Both;
    setup
}

/// Notes the beginning of a run, as the program does.
async fn begun(setup: &Setup, run: u16) {
    let record = RunRecord {
        run: run_id(run),
        pair: Pair {
            source: Guid::new(SOURCE),
            target: Guid::new(TARGET),
        },
        command: "sync".to_owned(),
        options: serde_json::json!({}),
        started_at: "2025-01-01T00:00:00Z".to_owned(),
        finished_at: None,
        exit: None,
        end: None,
        counts: None,
    };
    let begun = vec![Change::RunStarted(record)];
    setup.store.commit(begun).await.unwrap();
}

async fn edit(server: &Server, edit: impl FnOnce(&mut InstanceFile)) {
    let mut state = server.state();
    edit(&mut state.instances[0]);
    put_state(&server.base_url(), &state).await;
}

fn says(row: &Row, text: &str) -> bool {
    let fields = row["fields"].as_object().unwrap();
    fields.values().any(|value| value == text)
}

/// Item 31 links back.
fn cycle(source: &mut InstanceFile) {
    for row in &mut source.content {
        if says(row, "item 31") {
            row["fields"]["nextID"] = "32".into();
        }
    }
}

/// State and version of an item, by its title, or of a page, by its name, in `en-us`.
fn found(server: &Server, name: &str) -> (i64, i64) {
    let target = crate::crash::target(server);
    let is_here = |row: &&Row| row["locale"] == "en-us";
    let mut rows = target.content.iter().filter(is_here);
    let row = rows.find(|row| says(row, name)).or_else(|| {
        let mut pages = target.pages.iter().filter(is_here);
        pages.find(|row| row["name"] == name)
    });
    let properties = &row.unwrap()["properties"];
    let number = |member: &str| properties[member].as_i64().unwrap();
    (number("state"), number("versionID"))
}

fn finished(ran: &Ran) -> (u32, u32, u32, u32, u32) {
    let told = ran.events.iter().find_map(|event| match event {
        Event::PublishFinished {
            published,
            refused,
            held_back,
            unpublished,
            drafts,
        } => Some((*published, *refused, *held_back, *unpublished, *drafts)),
        _ => None,
    });
    told.unwrap_or_default()
}

#[tokio::test]
async fn what_is_linked_and_what_stands_above_is_published_first() {
    let server = serve(&[], |_| {}).await;
    let mut setup = setup().await;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(finished(&ran), (12, 0, 0, 0, 0));
    let version = |name| {
        let (state, version) = found(&server, name);
        assert_eq!(state, PUBLISHED, "{name}");
        version
    };
    assert!(version("item 31") < version("item 32"));
    assert!(version("item 32") < version("p41"));
    assert!(version("p41") < version("below"));
}

/// The mock refuses the second of what a request names, which is one member of the cycle.
#[tokio::test]
async fn a_cycle_goes_out_together_or_stays_a_draft() {
    let fault = "fail-item=2,path=en-us/item/batch-workflow,nth=1";
    let server = serve(&[fault], cycle).await;
    let mut setup = setup().await;
    begun(&setup, 1).await;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    let (_, refused, held_back, _, _) = finished(&ran);
    assert_eq!((refused, held_back), (1, 1), "{:?}", finished(&ran));
    let states = [found(&server, "item 31").0, found(&server, "item 32").0];
    assert!(!states.contains(&PUBLISHED), "{states:?}");
    assert_eq!(found(&server, "item 33").0, PUBLISHED);
    let report = ran.report.as_ref().unwrap();
    assert_eq!(report.unpublished.len(), 2);
    let held = report.unpublished.iter();
    let held: Vec<_> = held
        .filter(|(_, why)| why.starts_with("held back because"))
        .collect();
    assert_eq!(held.len(), 1, "{:?}", report.unpublished);
    // The fault was one of a moment.
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    let states = [found(&server, "item 31").0, found(&server, "item 32").0];
    assert_eq!(states, [PUBLISHED; 2], "{:?}", finished(&ran));
}

#[tokio::test]
async fn pages_below_one_that_is_not_published_are_held_back() {
    // Both pages of the first level leave in one request; the first of them is refused.
    let fault = "fail-item=1,path=en-us/page/batch-workflow,nth=1";
    let server = serve(&[fault], |source| {
        source.pages.retain(|page| page["name"] != "p42");
    })
    .await;
    let mut setup = setup().await;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    let (_, refused, held_back, _, _) = finished(&ran);
    assert_eq!((refused, held_back), (1, 1));
    assert_eq!(found(&server, "p41").0, STAGING);
    assert_eq!(found(&server, "below").0, STAGING);
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(finished(&ran), (2, 0, 0, 0, 0));
    assert_eq!(found(&server, "below").0, PUBLISHED);
}

#[tokio::test]
async fn an_unpublish_on_the_source_follows_with_publishing_only() {
    let server = serve(&[], |_| {}).await;
    let mut setup = setup().await;
    begun(&setup, 1).await;
    Box::pin(setup.sync(&server.base_url())).await;
    edit(&server, |source| {
        for row in &mut source.content {
            if says(row, "item 33") {
                row["properties"]["state"] = UNPUBLISHED.into();
                row["properties"]["versionID"] = 9_000.into();
            }
        }
    })
    .await;
    setup.options.publish = Publish::Off;
    let before = server.writes(TARGET).len();
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    let warned = ran.events.iter().any(|event| match event {
        Event::Warned { message } => {
            message.starts_with("2 entities that the source has unpublished are still published")
        }
        _ => false,
    });
    assert!(warned, "{:?}", ran.events);
    assert_eq!(server.writes(TARGET).len(), before);

    setup.options.publish = Publish::Both;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    let run = setup.run;
    assert_eq!(finished(&ran), (0, 0, 0, 2, 0));
    assert_eq!(found(&server, "item 33").0, UNPUBLISHED);
    let quiet = |outcome: &Outcome| *outcome == Outcome::Unchanged;
    assert!(ran.outcomes().values().all(quiet));
    let before = server.writes(TARGET).len();
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(finished(&ran), (0, 0, 0, 0, 0));
    assert_eq!(server.writes(TARGET).len(), before);

    let undone = Box::pin(setup.undo(&server.base_url(), run, false)).await;
    assert_eq!(crate::undo::problems(&undone), Vec::<String>::new());
    assert_eq!(found(&server, "item 33").0, PUBLISHED);
}

/// Somebody published it on the target, so the source's unpublish does not concern it.
#[tokio::test]
async fn what_no_run_published_is_not_unpublished() {
    let server = serve(&[], |source| {
        for row in &mut source.content {
            row["properties"]["state"] = STAGING.into();
        }
    })
    .await;
    let mut setup = setup().await;
    begun(&setup, 1).await;
    Box::pin(setup.sync(&server.base_url())).await;
    let mut state = server.state();
    for (side, to) in [(0, UNPUBLISHED), (1, PUBLISHED)] {
        for row in &mut state.instances[side].content {
            row["properties"]["state"] = to.into();
        }
    }
    put_state(&server.base_url(), &state).await;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(finished(&ran), (0, 0, 0, 0, 0));
    assert_eq!(found(&server, "item 33").0, PUBLISHED);
}

#[tokio::test]
async fn a_run_that_does_not_publish_counts_its_drafts() {
    let server = serve(&[], |_| {}).await;
    let mut setup = setup().await;
    setup.options.publish = Publish::Off;
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(finished(&ran), (0, 0, 0, 0, 12));
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(finished(&ran), (0, 0, 0, 0, 12));
}
