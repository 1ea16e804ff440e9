//! What the source no longer has is deleted on the target when that is asked for, and only what nothing else needs or
//! changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate::domain::{Locale, Outcome};
use lockgate::event::Event;
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::mock::{self, Server};
use lockgate::plan::Selection;
use lockgate::store::{StateUrl, Store};
use tempfile::TempDir;

use crate::gone::source;
use crate::same_state;
use crate::support::{Ran, Setup, TARGET, empty_target, put_state, serve_with};

/// A site that was synced once, with a state in a file so that bytes can be kept.
struct Site {
    server: Server,
    setup: Setup,
    url: StateUrl,
    _folder: TempDir,
}

impl Site {
    async fn synced() -> Self {
        let mut source = source();
        // A page below the one that goes.
        let below = source.pages.clone().into_iter();
        let below = below.filter(|page| page["name"] == "p41").map(|mut page| {
            page.insert("pageID".to_owned(), 43.into());
            page.insert("name".to_owned(), "below".into());
            page.insert("parentPageID".to_owned(), 41.into());
            page
        });
        source.pages.extend(below.collect::<Vec<_>>());
        let target = empty_target(&source.locales);
        let state = StateFile {
            instances: vec![source, target],
            ..StateFile::default()
        };
        let server = serve_with(mock::Options {
            state,
            ..mock::Options::default()
        })
        .await;
        let folder = TempDir::new().unwrap();
        let url = StateUrl::Sqlite(folder.path().join("state.db"));
        let setup = Setup::impatient(Store::open(&url).await.unwrap());
        let mut site = Self {
            server,
            setup,
            url,
            _folder: folder,
        };
        let ran = site.run().await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!(report.failed, 0, "{:?}", ran.outcomes());
        assert_eq!(report.differences.as_deref(), Some(&[][..]));
        site.setup.options.prune = true;
        site
    }

    async fn edit(&self, edit: impl FnOnce(&mut InstanceFile, &mut InstanceFile)) {
        let mut state = self.server.state();
        let (source, target) = state.instances.split_at_mut(1);
        edit(&mut source[0], &mut target[0]);
        put_state(&self.server.base_url(), &state).await;
    }

    async fn run(&mut self) -> Ran {
        Box::pin(self.setup.sync(&self.server.base_url())).await
    }

    fn target(&self) -> InstanceFile {
        crate::crash::target(&self.server)
    }

    fn writes(&self) -> usize {
        self.server.writes(TARGET).len()
    }

    /// A run that has nothing to do.
    async fn is_quiet(&mut self) {
        let before = self.writes();
        let ran = self.run().await;
        let report = ran.report.as_ref().unwrap();
        let found = (report.failed, report.conflicts);
        assert_eq!(found, (0, 0), "{:?}", ran.outcomes());
        assert_eq!(self.writes(), before, "it wrote: {:?}", ran.outcomes());
    }
}

/// Whether an item says `text` in one of its fields.
fn says(row: &Row, text: &str) -> bool {
    let fields = row["fields"].as_object().unwrap();
    fields.values().any(|value| value == text)
}

/// One entity of every kind leaves the source.
fn leave(source: &mut InstanceFile) {
    source.models.retain(|row| row["referenceName"] != "Unused");
    source
        .containers
        .retain(|row| row["referenceName"] != "unused");
    source.templates.clear();
    source.galleries.clear();
    source.assets.clear();
    source.redirections.clear();
    source.content.retain(|row| !says(row, "item 33"));
    source
        .pages
        .retain(|row| row["name"] != "p41" && row["name"] != "below");
}

const LEFT: [&str; 12] = [
    "asset:71",
    "container:22",
    "content:33@en-us",
    "content:33@fr-ca",
    "gallery:61",
    "model:12",
    "page:41@en-us",
    "page:41@fr-ca",
    "page:43@en-us",
    "page:43@fr-ca",
    "redirection:81",
    "template:5",
];

/// The keys of entities with an outcome other than unchanged.
fn told(ran: &Ran) -> BTreeMap<String, String> {
    let told = ran.outcomes().into_iter();
    let told = told.filter(|(_, outcome)| *outcome != Outcome::Unchanged);
    told.map(|(key, outcome)| (key.to_string(), outcome.name().to_owned()))
        .collect()
}

fn all(keys: &[&str], outcome: &str) -> BTreeMap<String, String> {
    let keys = keys.iter();
    keys.map(|key| ((*key).to_owned(), outcome.to_owned()))
        .collect()
}

#[tokio::test]
async fn one_of_every_kind_is_deleted_and_the_next_run_has_nothing_to_do() {
    let mut site = Site::synced().await;
    site.edit(|source, _| leave(source)).await;
    site.setup.options.prune = false;
    site.is_quiet().await;
    site.setup.options.prune = true;
    let ran = site.run().await;
    assert_eq!(told(&ran), all(&LEFT, "deleted"));
    let report = ran.report.as_ref().unwrap();
    assert_eq!((report.failed, report.conflicts), (0, 0));
    assert_eq!(report.differences.as_deref(), Some(&[][..]));
    let target = site.target();
    assert_eq!(target.models.len(), 1);
    assert_eq!(target.containers.len(), 1);
    assert!(target.templates.is_empty() && target.galleries.is_empty());
    assert!(target.assets.is_empty() && target.redirections.is_empty());
    assert!(!target.content.iter().any(|row| says(row, "item 33")));
    assert_eq!(target.pages.len(), 2, "{:?}", target.pages);
    site.is_quiet().await;
}

#[tokio::test]
async fn what_was_changed_or_is_needed_stays_and_is_named() {
    let mut site = Site::synced().await;
    site.edit(|source, target| {
        // Item 32 links to 31, and both go; a page of the target alone keeps nothing, an item of the target alone keeps 31.
        source.content.retain(|row| says(row, "item 33"));
        let own = target.content.iter().find(|row| says(row, "item 32"));
        let mut own = own.unwrap().clone();
        own.insert("contentID".to_owned(), 999_999.into());
        let fields = own["fields"].as_object_mut().unwrap();
        for value in fields.values_mut() {
            if *value == "item 32" {
                *value = "of the target".into();
            }
        }
        let locale = own["locale"].clone();
        target.content.push(own);
        let changed = target
            .content
            .iter_mut()
            .find(|row| says(row, "item 32") && row["locale"] != locale);
        let fields = changed.unwrap()["fields"].as_object_mut().unwrap();
        for value in fields.values_mut() {
            if *value == "item 32" {
                *value = "edited".into();
            }
        }
    })
    .await;
    let ran = site.run().await;
    let mut expected = all(&["content:32@en-us"], "deleted");
    expected.extend(all(&["content:31@en-us", "content:31@fr-ca"], "kept"));
    expected.extend(all(&["content:32@fr-ca"], "conflict"));
    assert_eq!(told(&ran), expected);
    let report = ran.report.as_ref().unwrap();
    assert_eq!((report.failed, report.conflicts), (0, 1));
    assert_eq!(report.differences.as_deref(), Some(&[][..]));
    let outcomes = ran.outcomes();
    let reason = outcomes.iter().find_map(|(key, outcome)| match outcome {
        Outcome::Kept { reason } if key.to_string() == "content:31@en-us" => Some(reason),
        _ => None,
    });
    assert!(
        reason
            .unwrap()
            .contains("still referenced by content:999999@en-us"),
        "{reason:?}"
    );
}

/// The update that lets go of an item leaves with the same run.
#[tokio::test]
async fn what_an_update_lets_go_of_is_deleted_in_the_same_run() {
    let mut site = Site::synced().await;
    site.edit(|source, _| {
        source.content.retain(|row| !says(row, "item 31"));
        for row in &mut source.content {
            if says(row, "item 32") {
                row["fields"]["nextID"] = "".into();
            }
        }
    })
    .await;
    let ran = site.run().await;
    let mut expected = all(&["content:31@en-us", "content:31@fr-ca"], "deleted");
    expected.extend(all(&["content:32@en-us", "content:32@fr-ca"], "updated"));
    assert_eq!(told(&ran), expected);
    assert_eq!(ran.report.unwrap().differences.as_deref(), Some(&[][..]));
    site.is_quiet().await;
}

/// The source has another entity of the same name by now: that one takes the counterpart over.
#[tokio::test]
async fn a_counterpart_that_something_else_takes_over_is_not_deleted() {
    let mut site = Site::synced().await;
    site.edit(|source, _| {
        for row in &mut source.containers {
            if row["referenceName"] == "unused" {
                row.insert("contentViewID".to_owned(), 29.into());
            }
        }
    })
    .await;
    let ran = site.run().await;
    assert_eq!(told(&ran), all(&["container:29"], "adopted"));
    assert_eq!(site.target().containers.len(), 2);
}

#[tokio::test]
async fn what_a_run_leaves_out_is_not_gone() {
    let mut site = Site::synced().await;
    site.edit(|source, _| leave(source)).await;
    // Of one locale, the other is not known.
    site.setup.locales = vec![Locale::new("en-us")];
    site.setup.selection = Selection {
        elements: vec![lockgate::domain::Kind::Page],
        ..Selection::default()
    };
    let ran = site.run().await;
    let deleted: Vec<String> = told(&ran)
        .into_iter()
        .filter(|(_, outcome)| outcome == "deleted")
        .map(|(key, _)| key)
        .collect();
    assert_eq!(deleted, ["page:41@en-us", "page:43@en-us"]);
    site.setup.locales.clear();
    site.setup.selection = Selection {
        models: vec!["Post".to_owned()],
        ..Selection::default()
    };
    let before = site.writes();
    let ran = site.run().await;
    assert!(
        ran.outcomes()
            .values()
            .all(|outcome| *outcome != Outcome::Deleted)
    );
    assert_eq!(site.writes(), before);
}

/// A run that dies at any commit, and the one after it.
#[tokio::test]
async fn a_run_that_died_among_its_deletes_is_finished_by_the_next() {
    for after in 1..12 {
        let mut site = Site::synced().await;
        site.edit(|source, _| leave(source)).await;
        let deletes = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let seen = Arc::clone(&deletes);
        let url = site.server.base_url();
        let dropped = {
            let watch = async {
                loop {
                    tokio::task::yield_now().await;
                    let sent = site.server.writes(TARGET);
                    let count = sent.iter().filter(|one| one.method == "DELETE").count();
                    seen.store(count, std::sync::atomic::Ordering::Relaxed);
                    if count >= after {
                        break;
                    }
                }
            };
            let run = Box::pin(site.setup.sync(&url));
            tokio::select! {
                biased;
                () = watch => true,
                _ = run => false,
            }
        };
        assert!(
            dropped || after > 8,
            "it was through before {after} deletes"
        );
        site.setup.store.clone().close().await;
        site.setup.store = Store::open(&site.url).await.unwrap();
        let ran = site.run().await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!((report.failed, report.conflicts), (0, 0), "{after}");
        assert_eq!(report.differences.as_deref(), Some(&[][..]));
        let target = site.target();
        assert_eq!(target.models.len(), 1, "{after}");
        assert_eq!(target.pages.len(), 2, "{after}");
        site.is_quiet().await;
        site.server.stop().await;
    }
}

#[tokio::test]
async fn an_undo_creates_again_what_was_deleted() {
    let mut site = Site::synced().await;
    site.edit(|source, _| leave(source)).await;
    let before = site.target();
    site.run().await;
    let run = site.setup.run;
    let url = site.server.base_url();
    let undone = Box::pin(site.setup.undo(&url, run, false)).await;
    let problems = crate::undo::problems(&undone);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(
        same_state::differences(&before, &site.target()),
        Vec::<String>::new()
    );
    let restored = undone.events.iter().filter(|event| {
        matches!(
            event,
            Event::EntitySettled {
                outcome: Outcome::Restored,
                ..
            }
        )
    });
    assert_eq!(restored.count(), LEFT.len());
    // The next run with --prune deletes them again.
    let ran = site.run().await;
    let deleted = told(&ran);
    assert_eq!(deleted.len(), LEFT.len(), "{deleted:?}");
    site.is_quiet().await;
}
