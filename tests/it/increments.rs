//! Readings that go on from an earlier one are equal to full ones, and say which way they went.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lockgate::domain::{Entity, Inventory, Kind, Locale, SourceId};
use lockgate::engine::{EVENTS_IN_FLIGHT, Sink};
use lockgate::event::{Event, Side, Stamped};
use lockgate::mock::file::StateFile;
use lockgate::mock::generate::{Shape, generate};
use lockgate::mock::{self, Server};
use lockgate::snapshot::FormerReads;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

use crate::binary::{TOKEN, Workspace, end_of, events_in};
use crate::support::{SOURCE, Setup, TARGET, empty_target, http, put_state, serve_with};

/// More items in a locale than a page of a feed has.
fn large() -> StateFile {
    generate(&Shape::new(2_400, 5))
}

async fn play(state: StateFile) -> Server {
    serve_with(mock::Options {
        state,
        ..mock::Options::default()
    })
    .await
}

fn reads(folder: &Path, server: &Server, full_every: u32) -> FormerReads {
    FormerReads {
        folder: folder.to_owned(),
        server: server.base_url(),
        full_every,
        keeps: true,
    }
}

/// What a reading found, and what it said of itself.
struct Read {
    inventory: Inventory<SourceId>,
    since: Option<String>,
    rows: u32,
    because: String,
}

async fn read(server: &Server, former: Option<FormerReads>) -> Read {
    let setup = Setup::new().await;
    let (events, mut received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
    let sink = Sink::new(events);
    let mut reader = setup.reader(&server.base_url(), SOURCE, Side::Source, &sink);
    drop(sink);
    reader.pacer.without_start();
    let goes_on = former.is_some();
    reader.former = former;
    let locales = [Locale::new("en-us"), Locale::new("fr-ca")];
    let reading = async move { Arc::new(reader).pull::<SourceId>(&locales).await.unwrap() };
    let said = async {
        let mut said = (None, 0, String::new());
        while let Some(stamped) = received.recv().await {
            if let Event::InstanceRead {
                since,
                rows,
                because,
                ..
            } = stamped.event
            {
                said = (since, rows, because);
            }
        }
        said
    };
    let (inventory, (since, rows, because)) = tokio::join!(reading, said);
    assert!(goes_on || since.is_none());
    Read {
        inventory,
        since,
        rows,
        because,
    }
}

fn by_key(inventory: &Inventory<SourceId>) -> BTreeMap<String, &Entity<SourceId>> {
    let entities = inventory.entities().iter();
    entities
        .map(|entity| (entity.key.to_string(), entity))
        .collect()
}

fn differences(full: &Inventory<SourceId>, other: &Inventory<SourceId>) -> Vec<String> {
    let (full_by, other_by) = (by_key(full), by_key(other));
    let keys: std::collections::BTreeSet<&String> = full_by.keys().chain(other_by.keys()).collect();
    let mut found: Vec<String> = keys
        .into_iter()
        .filter(|key| full_by.get(*key) != other_by.get(*key))
        .map(|key| format!("{key}: {:?} and {:?}", full_by.get(key), other_by.get(key)))
        .collect();
    if full.channels != other.channels || full.asset_container != other.asset_container {
        found.push("channels or asset container".to_owned());
    }
    found
}

/// An editor of an instance, who works with the Management API.
struct Editor<'a> {
    server: &'a Server,
    http: reqwest::Client,
    dice: ChaCha8Rng,
}

impl Editor<'_> {
    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/api/v1/instance/{SOURCE}/{path}", self.server.base_url());
        let mut request = self
            .http
            .request(method.parse().unwrap(), url)
            .bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{method} {path}: {}",
            answer.status()
        );
        answer.json().await.unwrap_or(Value::Null)
    }

    /// The same for what is processed later.
    async fn batch(&self, method: &str, path: &str, body: Option<&Value>) {
        let batch = self.send(method, path, body).await;
        loop {
            let state = self.send("GET", &format!("batch/{batch}"), None).await;
            if state["batchState"] == 3 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Edits something; gives whether the schema changed.
    async fn edit(&mut self, known: &Inventory<SourceId>) -> bool {
        let of = |kind: Kind| known.of_kind(kind).iter().collect::<Vec<_>>();
        let what = self.dice.random_range(0..12);
        let text = format!("edit {}", self.dice.random_range(0..1_000_000));
        let kind = if what < 8 { Kind::Content } else { Kind::Page };
        let all = of(kind);
        let one = all.choose(&mut self.dice).unwrap();
        let (id, locale) = (one.key.id, one.locale().unwrap().as_str());
        let word = if kind == Kind::Content {
            "item"
        } else {
            "page"
        };
        match what {
            0..=3 => {
                let mut row = self.send("GET", &format!("{locale}/item/{id}"), None).await;
                let fields = row["fields"].as_object_mut().unwrap();
                let field = fields.iter_mut().find(|(_, value)| value.is_string());
                if let Some((_, value)) = field {
                    *value = text.into();
                }
                self.batch("POST", &format!("{locale}/item"), Some(&row))
                    .await;
            }
            4 | 8 => {
                self.batch("DELETE", &format!("{locale}/{word}/{id}"), None)
                    .await;
            }
            5 | 9 => {
                self.batch("GET", &format!("{locale}/{word}/{id}/unpublish"), None)
                    .await;
            }
            6 | 10 => {
                self.batch("GET", &format!("{locale}/{word}/{id}/publish"), None)
                    .await;
            }
            7 => {
                let mut row = self.send("GET", &format!("{locale}/item/{id}"), None).await;
                row["contentID"] = json!(-1);
                self.batch("POST", &format!("{locale}/item"), Some(&row))
                    .await;
            }
            _ => {
                let is_model = self.dice.random();
                let kind = if is_model {
                    Kind::Model
                } else {
                    Kind::Container
                };
                let id = of(kind).choose(&mut self.dice).unwrap().key.id;
                let (path, member, save) = if is_model {
                    ("model", "description", "model")
                } else {
                    ("container", "title", "container?forceReferenceName=true")
                };
                let mut row = self.send("GET", &format!("{path}/{id}"), None).await;
                row[member] = text.into();
                self.send("POST", save, Some(&row)).await;
                return true;
            }
        }
        false
    }
}

#[tokio::test]
async fn readings_that_go_on_are_equal_to_full_ones_whatever_was_edited() {
    let (server, folder) = (play(large()).await, tempfile::tempdir().unwrap());
    let mut editor = Editor {
        server: &server,
        http: http(),
        dice: ChaCha8Rng::seed_from_u64(11),
    };
    let former = || Some(reads(folder.path(), &server, 1_000));
    let first = read(&server, former()).await;
    assert_eq!(
        (first.since, &*first.because),
        (None, "it is the first reading")
    );
    let mut known = first.inventory;
    let (mut kept, mut went_on) = (0, 0);
    for round in 0..14 {
        let mut is_schema = false;
        for _ in 0..editor.dice.random_range(0..5) {
            is_schema |= editor.edit(&known).await;
            known = read(&server, None).await.inventory;
        }
        let full = read(&server, None).await;
        let read = read(&server, former()).await;
        let found = differences(&full.inventory, &read.inventory);
        assert!(found.is_empty(), "round {round}: {}", found.join("\n"));
        assert!(read.since.is_some(), "round {round}: {}", read.because);
        if is_schema {
            assert!(read.because.contains("have changed"), "{}", read.because);
        } else if kept == 0 && read.because.is_empty() {
            went_on += 1;
            assert!(read.rows < 1_500, "round {round}: {} rows", read.rows);
        }
        kept += usize::from(is_schema);
        known = full.inventory;
    }
    assert!(went_on > 2, "{went_on}");
}

#[tokio::test]
async fn a_feed_that_was_lost_or_renumbered_is_read_from_its_beginning() {
    let (server, folder) = (play(large()).await, tempfile::tempdir().unwrap());
    let former = || Some(reads(folder.path(), &server, 1_000));
    read(&server, former()).await;
    let on = read(&server, former()).await;
    assert!(
        on.since.is_some() && on.because.is_empty(),
        "{}",
        on.because
    );
    // The head with tokens that this server never gave.
    let path = folder.path().join(format!("{SOURCE}.ndjson"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let mut head: Value = serde_json::from_str(lines[0]).unwrap();
    for feed in head["feeds"].as_array_mut().unwrap() {
        feed["resume"] = json!(9_000_000);
    }
    let head = head.to_string();
    lines[0] = &head;
    lines.pop();
    let body = lines.join("\n") + "\n";
    let hash = lockgate::domain::ContentHash::of_bytes(body.as_bytes());
    std::fs::write(&path, format!("{body}{}\n", json!({ "hash": hash }))).unwrap();
    let lost = read(&server, former()).await;
    assert!(
        lost.because.contains("does not go on where it ended"),
        "{}",
        lost.because
    );
    let full = read(&server, None).await;
    assert_eq!(
        differences(&full.inventory, &lost.inventory),
        Vec::<String>::new()
    );
    // An instance that is replaced behind the API has other tokens.
    let mut state = server.state();
    state.instances[0].content.remove(3);
    put_state(&server.base_url(), &state).await;
    let full = read(&server, None).await;
    let replaced = read(&server, former()).await;
    assert_eq!(
        differences(&full.inventory, &replaced.inventory),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn one_of_so_many_readings_is_full_and_damage_is_no_former_reading() {
    let (server, folder) = (play(large()).await, tempfile::tempdir().unwrap());
    let mut ways = Vec::new();
    for _ in 0..7 {
        let one = read(&server, Some(reads(folder.path(), &server, 3))).await;
        ways.push(one.since.is_some());
    }
    assert_eq!(ways, [false, true, true, false, true, true, false]);
    let former = || Some(reads(folder.path(), &server, 1_000));
    let path = folder.path().join(format!("{SOURCE}.ndjson"));
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 100]).unwrap();
    let damaged = read(&server, former()).await;
    assert_eq!(damaged.because, "the former reading is damaged");
    let elsewhere = FormerReads {
        server: "elsewhere:443".to_owned(),
        ..reads(folder.path(), &server, 1_000)
    };
    assert!(
        read(&server, Some(elsewhere))
            .await
            .because
            .contains("another server")
    );
}

/// Questions for content and pages, and for single models and containers.
fn questions(server: &Server, guid: &str) -> (usize, usize) {
    let requests = server.requests();
    let of = |part: &str| {
        let part = part.to_owned();
        move |one: &&lockgate::mock::RequestRecord| {
            one.path.contains(guid) && one.path.contains(&part)
        }
    };
    let feeds = requests.iter().filter(of("/sync/")).count();
    let single = |one: &&lockgate::mock::RequestRecord| {
        let last = one.path.rsplit('/').next().unwrap_or_default();
        last.parse::<i64>().is_ok()
    };
    let models = requests.iter().filter(of("/model/")).filter(single).count();
    let containers = requests
        .iter()
        .filter(of("/container/"))
        .filter(single)
        .count();
    (feeds, models + containers)
}

#[tokio::test]
async fn a_second_run_reads_little_writes_nothing_and_says_so() {
    let mut state = large();
    let locales = state.instances[0].locales.clone();
    state.instances.push(empty_target(&locales));
    let (server, workspace) = (play(state).await, Workspace::new());
    let first = end_of(workspace.sync(&server, &["--no-verify"])).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(
        first.stderr.contains("was read in full"),
        "{}",
        first.stderr
    );
    let before = questions(&server, SOURCE);
    let again = end_of(workspace.sync(&server, &["--no-verify"])).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let after = questions(&server, SOURCE);
    let asked = (after.0 - before.0, after.1 - before.1);
    assert!(
        asked.0 < before.0 && asked.1 == 0,
        "{before:?}, then {asked:?}"
    );
    assert!(
        again.stderr.contains("the source was read on from"),
        "{}",
        again.stderr
    );
    let writes = server.writes(TARGET).len();
    let third = end_of(workspace.sync(&server, &["--no-verify"])).await;
    assert_eq!(third.code, Some(0), "{}", third.stderr);
    assert_eq!(
        server.writes(TARGET).len(),
        writes,
        "a run with nothing to do wrote"
    );
    let folders = workspace.run_folders();
    let events = events_in(folders.last().unwrap());
    let ways: Vec<bool> = events
        .iter()
        .filter(|event| event["type"] == "instance-read")
        .map(|event| event["since"].is_string())
        .collect();
    assert_eq!(ways, [true, true]);
    let full = end_of(workspace.sync(&server, &["--no-verify", "--full-read"])).await;
    assert!(
        full.stderr.contains("full readings are asked for"),
        "{}",
        full.stderr
    );
    let verified = end_of(workspace.between("verify", &server.base_url(), &[])).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert!(
        !verified.stderr.contains("read on from"),
        "{}",
        verified.stderr
    );
}
