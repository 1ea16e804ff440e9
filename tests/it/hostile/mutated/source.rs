//! Whole runs, in which one answer of the source is changed, however often it is asked for. A changed value of an entity is what is to be migrated. A list
//! that is changed has other rows, and a run that says that all is in sync has taken each of them for an entity, or has
//! named it as ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lockgate::domain::{Kind, SourceId};
use lockgate::engine::Sink;
use lockgate::event::{Event, Side};
use lockgate::store::Store;
use rand::RngExt;
use serde_json::Value;
use tokio::sync::mpsc;

use super::mutate::{draws, mutate, mutate_rows};
use super::seeds;
use crate::hostile::Proxy;
use crate::support::{Ran, SOURCE, Setup, fixture, instances, serve};

/// Answers besides lists.
const OTHERS: [&str; 6] = [
    "/locales",
    "/sitemap",
    "/asset/container",
    "/model/1",
    "/container/1",
    "GetPreviewKey",
];

/// Runs that are played at once: they mostly wait.
const AT_ONCE: usize = 4;

/// Lists of the source: a part of the path, the member with the rows, the member with the id, and the kind.
const LISTS: [(&str, &str, &str, Kind); 8] = [
    ("/model/list/", "", "id", Kind::Model),
    ("/container/list", "", "contentViewID", Kind::Container),
    ("/page/templates", "", "pageTemplateID", Kind::Template),
    (
        "/asset/galleries",
        "assetMediaGroupings",
        "mediaGroupingID",
        Kind::Gallery,
    ),
    ("/asset/list", "assetMedias", "mediaID", Kind::Asset),
    ("/sync/items", "items", "contentID", Kind::Content),
    ("/sync/pages", "items", "pageID", Kind::Page),
    (
        "/urlredirection",
        "items",
        "urlRedirectionID",
        Kind::Redirection,
    ),
];

/// Entities and ignored rows of the source, by kind.
type Rows = BTreeMap<Kind, i64>;

fn rows_of(ran: &Ran) -> Rows {
    let mut rows = Rows::new();
    for event in &ran.events {
        match event {
            Event::RowsIgnored {
                side: Side::Source,
                kind,
                rows: ignored,
                ..
            } => *rows.entry(*kind).or_default() += i64::from(*ignored),
            Event::PlanMade { entities, .. } => {
                for (kind, count) in entities {
                    *rows.entry(*kind).or_default() += i64::from(*count);
                }
            }
            _ => {}
        }
    }
    rows
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let mut members = value.as_object()?.iter();
    let found = members.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// The kind of a list and how many rows with different ids it has; `None` where it is no list.
fn count(path: &str, body: &[u8]) -> Option<(Kind, Option<i64>)> {
    let mut lists = LISTS.iter();
    let (_, list, id, kind) = lists.find(|(part, ..)| path.contains(part))?;
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let rows = if list.is_empty() {
        Some(&value)
    } else {
        member(&value, list)
    };
    let rows = rows.and_then(Value::as_array);
    let count = rows.map(|rows| {
        let ids = rows.iter().map(|row| match member(row, id) {
            Some(id) => id.to_string().trim_matches('"').to_owned(),
            None => row.to_string(),
        });
        i64::try_from(ids.collect::<BTreeSet<_>>().len()).unwrap()
    });
    Some((*kind, count))
}

/// What was changed.
#[derive(Clone, Debug)]
struct Changed {
    path: String,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Changed {
    fn told(&self) -> String {
        let body = String::from_utf8_lossy(&self.after);
        format!("{}: {body:.600}", self.path)
    }

    /// Whether what was read is what the changed source has. A page that is missing in the feed is found by the sitemap.
    fn allows(&self, usual: &Rows, found: &Rows) -> bool {
        let Some(mut expected) = self.expected(usual) else {
            return false;
        };
        if let (Some(expected), Some(found)) =
            (expected.get_mut(&Kind::Page), found.get(&Kind::Page))
        {
            *expected = *found.max(expected);
        }
        expected == *found || self.has_fewer_locales()
    }

    /// Whether a locale is gone, or says that it is not enabled.
    fn has_fewer_locales(&self) -> bool {
        let enabled = |body: &[u8]| {
            let rows: Value = serde_json::from_slice(body).unwrap_or_default();
            let rows = rows.as_array().cloned().unwrap_or_default().into_iter();
            let is_off = |value: &Value| {
                value
                    .to_string()
                    .trim_matches('"')
                    .eq_ignore_ascii_case("false")
            };
            rows.filter(|row| !member(row, "enabled").is_some_and(is_off))
                .count()
        };
        self.path.ends_with("/locales") && enabled(&self.after) < enabled(&self.before)
    }

    /// What the source has after the change: the rows of a list; `None` where it is none any more.
    fn expected(&self, usual: &Rows) -> Option<Rows> {
        let mut rows = usual.clone();
        let Some((kind, before)) = count(&self.path, &self.before) else {
            return Some(rows);
        };
        let (_, after) = count(&self.path, &self.after)?;
        *rows.entry(kind).or_default() += after? - before.unwrap_or_default();
        rows.retain(|_, count| *count != 0);
        Some(rows)
    }
}

/// A proxy that changes the first answer to a kind of question as a seed says, and gives that one again and again.
async fn change(upstream: &str, seed: u64) -> (Proxy, Arc<Mutex<Option<Changed>>>) {
    let mut draw = draws(seed);
    let parts = LISTS.iter().map(|(part, ..)| *part);
    let parts: Vec<&str> = parts.chain(OTHERS).collect();
    let part = parts[draw.random_range(0..parts.len())];
    let draw = Mutex::new(draw);
    let changed: Arc<Mutex<Option<Changed>>> = Arc::default();
    let what = Arc::clone(&changed);
    let proxy = Proxy::start(upstream, move |asked, answer| {
        let is_it = asked.is_for(SOURCE) && asked.is_for(part);
        if !is_it || serde_json::from_slice::<Value>(&answer.body).is_err() {
            return;
        }
        let path = asked.uri.to_string();
        let mut what = what.lock().unwrap();
        let first = what.get_or_insert_with(|| {
            let draw = &mut *draw.lock().unwrap();
            let before = answer.body.clone();
            let after = if draw.random_ratio(3, 4) {
                mutate_rows(&before, draw)
            } else {
                mutate(&before, draw)
            };
            let path = path.clone();
            Changed {
                path,
                before,
                after,
            }
        });
        if first.path == path {
            answer.body.clone_from(&first.after);
        }
    })
    .await;
    (proxy, changed)
}

/// Entities and ignored rows of the source as it is read; `None` where it cannot be read.
async fn read(base_url: &str) -> Option<Rows> {
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.attempts = 1;
    setup.request_timeout = Duration::from_secs(5);
    let (events, mut unheard) = mpsc::channel(64);
    let sink = Sink::new(events);
    let reader = Arc::new(setup.reader(base_url, SOURCE, Side::Source, &sink));
    reader.pacer.without_start();
    let listen = async { while unheard.recv().await.is_some() {} };
    let read = async {
        let locales = reader.locales().await.ok();
        let read = match &locales {
            Some(locales) => reader.pull::<SourceId>(locales).await.ok(),
            None => None,
        };
        drop((reader, sink));
        read
    };
    let (read, ()) = tokio::join!(read, listen);
    let inventory = read?;
    let mut rows = Rows::new();
    for entity in inventory.entities() {
        *rows.entry(entity.key.kind).or_default() += 1;
    }
    for row in &inventory.passed {
        *rows.entry(row.kind).or_default() += 1;
    }
    Some(rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_list_is_read_row_by_row_or_not_at_all() {
    let server = serve(instances(&fixture("starter-site"))).await;
    let url = server.base_url();
    let usual = read(&url).await.unwrap();
    let wrong: Vec<Option<String>> = stream::iter(seeds(150))
        .map(async |seed| {
            let (proxy, changed) = change(&url, seed).await;
            let found = read(proxy.url()).await?;
            let changed = changed.lock().unwrap().clone()?;
            let told = || format!("MUTATION={seed}: found {found:?}: {}", changed.told());
            (!changed.allows(&usual, &found)).then(told)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{usual:?}\n{}", wrong.join("\n"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_a_changed_source_loses_no_row() {
    let server = serve(instances(&fixture("starter-site"))).await;
    let usual = read(&server.base_url()).await.unwrap();
    server.stop().await;
    let whole: Vec<bool> = stream::iter(seeds(30))
        .map(|seed| play(seed, &usual))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let count = whole.iter().filter(|is_whole| **is_whole).count();
    println!("{count} of {} runs were whole", whole.len());
}

/// Plays one seed, and tells whether its run was whole.
async fn play(seed: u64, usual: &Rows) -> bool {
    let server = serve(instances(&fixture("starter-site"))).await;
    let (proxy, changed) = change(&server.base_url(), seed).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    // The two differ by what was changed.
    setup.looks = false;
    setup.request_timeout = Duration::from_secs(5);
    setup.options.attempts = 2;
    let run = tokio::time::timeout(Duration::from_mins(2), setup.sync(proxy.url()));
    let Ok(ran) = run.await else {
        unreachable!("MUTATION={seed} ends: {:?}", changed.lock().unwrap());
    };
    let changed = changed.lock().unwrap().clone().unwrap();
    let told = changed.told();
    let end = format!("{:?}", ran.report.as_ref().map(|report| &report.end));
    assert!(!end.contains("Panic"), "MUTATION={seed}: {told}: {end}");
    let is_whole = is_whole(&ran);
    if is_whole {
        let found = rows_of(&ran);
        let is_allowed = changed.allows(usual, &found);
        assert!(is_allowed, "MUTATION={seed}: found {found:?}: {told}");
    }
    let next = setup.sync(&server.base_url()).await;
    let is_complete = next
        .report
        .as_ref()
        .is_ok_and(|report| report.end.is_complete());
    assert!(
        is_complete,
        "MUTATION={seed}: {told}: the next run: {:?}",
        next.report
    );
    server.stop().await;
    is_whole
}

fn is_whole(ran: &Ran) -> bool {
    ran.report.as_ref().is_ok_and(|report| {
        let is_equal = report.differences.as_ref().is_some_and(Vec::is_empty);
        report.end.is_complete() && report.failed == 0 && report.conflicts == 0 && is_equal
    })
}
