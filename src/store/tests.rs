use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _, Executor};
use tempfile::TempDir;

use super::connection::{Connection, Opener, Row, query};
use super::location::beside;
use super::*;
use crate::domain::{
    BatchId, ContentHash, EntityKey, FieldHashes, Filled, Guid, Id, Kind, Locale, Outcome, Proof,
    RunEnd, RunId, TargetId, Version,
};

#[cfg(feature = "mock")]
#[expect(dead_code, reason = "whole runs use the rest")]
#[path = "../../tests/common/bucket.rs"]
pub(crate) mod bucket;
mod commits;
mod damage;
#[path = "../../tests/common/postgres.rs"]
pub(crate) mod postgres;
#[path = "../../tests/common/script.rs"]
pub(crate) mod script;
mod server;
mod whole;

use commits::{
    commits_that_come_while_it_gathers_share_a_transaction,
    many_small_commits_share_few_transactions, of_many_changes_in_one_commit_the_last_word_counts,
    only_the_commit_that_cannot_be_stored_fails, what_was_accepted_is_written_even_if_nobody_waits,
};
use whole::{
    a_plan_gets_a_copy_of_what_is_known, a_run_stores_nothing_after_its_lease_was_taken_over,
    bytes_are_kept_once_and_read_back, everything_can_be_surveyed_and_exported,
};

const RUN: &str = "20260101-120000-0001";
const TTL: Duration = Duration::from_mins(1);

fn pair() -> Pair {
    Pair {
        source: Guid::new("1a2b3c4d-u"),
        target: Guid::new("5e6f7a8b-u"),
    }
}

fn key(id: i64) -> EntityKey {
    EntityKey::localised(Kind::Content, id, &Locale::new("en-us"))
}

fn mapping(key: EntityKey, target: i64) -> Mapping {
    Mapping {
        key,
        target: TargetId::new(target),
        target_name: Some("News".to_owned()),
        source_version: Some(Version(3)),
        target_version: None,
        source_hash: Some(ContentHash::of(&json!({"title": "a"}))),
        target_hash: None,
        proof: Proof::Owed,
        filled: Filled::from([("/rows".to_owned(), json!("0"))]),
        fields: Some(FieldHashes::of([("/title", &json!("a"))].into_iter())),
        bytes_hash: Some(ContentHash::of(&json!(1))),
        bytes_date: None,
        evidence: None,
        origin: MappingOrigin::Created,
        run: RunId(RUN.to_owned()),
    }
}

fn intent(id: i64) -> Intent {
    Intent {
        id: IntentId(id),
        run: RunId(RUN.to_owned()),
        operation: Operation::Create,
        keys: vec![key(1), key(2)],
        payload_hash: vec![ContentHash::of(&json!(1)), ContentHash::of(&json!(2))],
        details: vec![
            IntentDetail {
                merged: true,
                operation: Operation::Patch,
                name: "A title".to_owned(),
                source_hash: Some(ContentHash::of(&json!(3))),
                source_version: Some(Version(9)),
                target: Some(TargetId::new(71)),
                container: "News".to_owned(),
                parent: None,
                newest: 70,
                unmatched: Some(vec![TargetId::new(69)]),
                place: None,
            },
            IntentDetail::default(),
        ],
        opened_ms: 1_767_268_800_000,
        attempt: 1,
        batch: None,
        state: IntentState::Open,
        answers: Vec::new(),
    }
}

fn record() -> RunRecord {
    RunRecord {
        run: RunId(RUN.to_owned()),
        pair: pair(),
        command: "sync".to_owned(),
        options: json!({"overwrite": true}),
        started_at: "2026-01-01T12:00:00Z".to_owned(),
        finished_at: None,
        exit: None,
        end: None,
        counts: None,
    }
}

fn write_mapping(mapping: &Mapping) -> Change {
    Change::Mapping {
        pair: pair(),
        mapping: mapping.clone(),
    }
}

async fn fresh() -> (TempDir, StateUrl, Store) {
    let directory = TempDir::new().unwrap();
    let url = StateUrl::Sqlite(directory.path().join("inner/state.db"));
    let store = Store::open(&url).await.unwrap();
    (directory, url, store)
}

/// The place of a state that does not exist yet.
struct Place {
    url: StateUrl,
    _folder: Option<TempDir>,
}

impl Place {
    fn file() -> Self {
        let folder = TempDir::new().unwrap();
        Self {
            url: StateUrl::Sqlite(folder.path().join("inner/state.db")),
            _folder: Some(folder),
        }
    }

    /// `None` where there is no server.
    fn server() -> Option<Self> {
        Some(Self {
            url: StateUrl::parse(&postgres::fresh()?).unwrap(),
            _folder: None,
        })
    }

    async fn open(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    /// A connection beside the store.
    async fn connect(&self) -> Connection {
        let place = "raw".into();
        match &self.url {
            StateUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                Opener::file(options).open(&place).await.unwrap()
            }
            StateUrl::Postgres(server) => {
                Connection::postgres(server.clone(), place).await.unwrap()
            }
        }
    }
}

/// Makes two tests of each: on a file and on a server.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_a_file {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Place::file()).await;
            })+
        }
        mod on_a_server {
            $(#[tokio::test]
            async fn $name() {
                if let Some(place) = super::Place::server() {
                    super::$name(place).await;
                }
            })+
        }
    };
}

on_both!(
    what_was_committed_is_there_after_reopening,
    every_outcome_reads_back,
    an_intent_is_open_until_it_is_closed,
    intents_are_found_by_each_of_their_keys,
    a_finished_run_tells_how_it_ended,
    a_moved_mapping_leaves_its_old_counterpart_in_the_history,
    of_many_changes_in_one_commit_the_last_word_counts,
    many_small_commits_share_few_transactions,
    commits_that_come_while_it_gathers_share_a_transaction,
    only_the_commit_that_cannot_be_stored_fails,
    what_was_accepted_is_written_even_if_nobody_waits,
    a_lease_has_one_owner_until_it_expires,
    a_run_stores_nothing_after_its_lease_was_taken_over,
    a_newer_schema_is_refused,
    a_foreign_database_is_left_alone,
    an_entity_of_the_target_has_one_claim,
    bytes_are_kept_once_and_read_back,
    a_plan_gets_a_copy_of_what_is_known,
    everything_can_be_surveyed_and_exported,
);

async fn what_was_committed_is_there_after_reopening(place: Place) {
    let store = place.open().await;
    let settled = RunEntity {
        run: RunId(RUN.to_owned()),
        key: key(1),
        name: "Front page".to_owned(),
        outcome: Outcome::Blocked { by: key(2) },
        target: None,
        because: "needs content:2@en-us".to_owned(),
    };
    let global = mapping(EntityKey::global(Kind::Model, 7), 70);
    store
        .commit(vec![
            Change::RunStarted(record()),
            Change::IntentOpened {
                pair: pair(),
                intent: intent(1),
            },
            write_mapping(&mapping(key(1), 10)),
            write_mapping(&global),
            Change::Entity(settled.clone()),
            Change::HostLearned {
                host: "h".to_owned(),
                key: "per_second".to_owned(),
                value: 12.5,
            },
        ])
        .await
        .unwrap();
    store.close().await;

    let store = place.open().await;
    assert_eq!(
        store.mappings(&pair()).await.unwrap(),
        [mapping(key(1), 10), global]
    );
    assert_eq!(store.open_intents(&pair()).await.unwrap(), [intent(1)]);
    assert_eq!(store.runs(10).await.unwrap(), [record()]);
    assert_eq!(
        store.run_entities(&RunId(RUN.to_owned())).await.unwrap(),
        [settled]
    );
    assert_eq!(
        store.learned("h").await.unwrap(),
        [("per_second".to_owned(), 12.5)]
    );
    assert_eq!(
        store.hosts().await.unwrap()["h"],
        store.learned("h").await.unwrap()
    );
    let back = Pair {
        source: pair().target,
        target: pair().source,
    };
    assert_eq!(store.mappings(&back).await.unwrap(), []);
    store.close().await;
}

async fn every_outcome_reads_back(place: Place) {
    let store = place.open().await;
    let outcomes = [
        Outcome::Created,
        Outcome::Adopted,
        Outcome::Updated,
        Outcome::Unchanged,
        Outcome::Conflict,
        Outcome::LeftAlone,
        Outcome::Failed {
            reason: "the server said \"no\"".to_owned(),
        },
        Outcome::Blocked { by: key(9) },
        Outcome::OutOfScope,
        Outcome::Deleted,
        Outcome::Restored,
        Outcome::Kept {
            reason: "it was changed since".to_owned(),
        },
    ];
    let entity = |(id, outcome): (i64, &Outcome)| RunEntity {
        run: RunId(RUN.to_owned()),
        key: key(id),
        name: String::new(),
        outcome: outcome.clone(),
        target: Some(TargetId::new(id)),
        because: String::new(),
    };
    let entities: Vec<_> = (1..).zip(&outcomes).map(entity).collect();
    store
        .commit(entities.iter().cloned().map(Change::Entity).collect())
        .await
        .unwrap();
    assert_eq!(
        store.run_entities(&RunId(RUN.to_owned())).await.unwrap(),
        entities
    );
    store.close().await;
}

async fn an_intent_is_open_until_it_is_closed(place: Place) {
    let store = place.open().await;
    let (run, id) = (RunId(RUN.to_owned()), IntentId(1));
    let opened = |intent| Change::IntentOpened {
        pair: pair(),
        intent,
    };
    store
        .commit(vec![opened(intent(1)), opened(intent(2))])
        .await
        .unwrap();
    let batch = BatchId(77);
    store
        .commit(vec![Change::IntentBatch {
            run: run.clone(),
            id,
            batch,
        }])
        .await
        .unwrap();
    let known = Intent {
        batch: Some(batch),
        ..intent(1)
    };
    assert_eq!(
        store.open_intents(&pair()).await.unwrap(),
        [known.clone(), intent(2)]
    );

    let close = |state| Change::IntentClosed {
        run: run.clone(),
        id,
        state,
        answers: vec!["no answer".to_owned()],
    };
    store
        .commit(vec![close(IntentState::InDoubt)])
        .await
        .unwrap();
    let doubted = Intent {
        state: IntentState::InDoubt,
        answers: vec!["no answer".to_owned()],
        ..known
    };
    assert_eq!(
        store.open_intents(&pair()).await.unwrap(),
        [doubted, intent(2)]
    );
    store.commit(vec![close(IntentState::Done)]).await.unwrap();
    assert_eq!(store.open_intents(&pair()).await.unwrap(), [intent(2)]);
    store.close().await;
}

async fn intents_are_found_by_each_of_their_keys(place: Place) {
    let store = place.open().await;
    let other = Intent {
        id: IntentId(2),
        keys: vec![key(12)],
        ..intent(2)
    };
    let opened = |intent| Change::IntentOpened {
        pair: pair(),
        intent,
    };
    let changes = vec![opened(intent(1)), opened(other.clone())];
    store.commit(changes).await.unwrap();
    for (asked, found) in [
        (1, vec![intent(1)]),
        (2, vec![intent(1)]),
        (12, vec![other]),
        (3, vec![]),
    ] {
        let intents = store.intents_of(&pair(), &key(asked)).await.unwrap();
        assert_eq!(intents, found, "{asked}");
    }
    store.close().await;
}

async fn a_finished_run_tells_how_it_ended(place: Place) {
    let store = place.open().await;
    let finish = RunFinish {
        run: RunId(RUN.to_owned()),
        exit: 5,
        end: RunEnd::Complete,
        counts: json!({"conflict": 1}),
        finished_at: "2026-01-01T12:01:00Z".to_owned(),
    };
    let unknown = store
        .commit(vec![Change::RunFinished(finish.clone())])
        .await
        .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        format!("run {RUN} is not in the state")
    );

    store
        .commit(vec![
            Change::RunStarted(record()),
            Change::RunFinished(finish),
        ])
        .await
        .unwrap();
    let found = store.run(&RunId(RUN.to_owned())).await.unwrap().unwrap();
    assert_eq!(
        (found.exit, found.end, found.counts),
        (
            Some(5),
            Some(RunEnd::Complete),
            Some(json!({"conflict": 1}))
        )
    );
    assert_eq!(store.run(&RunId("other".to_owned())).await.unwrap(), None);
    store.close().await;
}

async fn a_moved_mapping_leaves_its_old_counterpart_in_the_history(place: Place) {
    let store = place.open().await;
    store
        .commit(vec![write_mapping(&mapping(key(1), 10))])
        .await
        .unwrap();
    store
        .commit(vec![write_mapping(&mapping(key(1), 10))])
        .await
        .unwrap();
    store
        .commit(vec![write_mapping(&mapping(key(1), 11))])
        .await
        .unwrap();
    assert_eq!(
        store.mappings(&pair()).await.unwrap(),
        [mapping(key(1), 11)]
    );
    store
        .commit(vec![Change::MappingRemoved {
            pair: pair(),
            key: key(1),
            prior: TargetId::new(11),
        }])
        .await
        .unwrap();
    assert_eq!(store.mappings(&pair()).await.unwrap(), []);
    store.close().await;

    let mut raw = place.connect().await;
    let read = |row: Row<'_>| {
        Ok((
            row.get("target_id").unwrap(),
            row.get("replaced_by").unwrap(),
        ))
    };
    let asked = query("SELECT target_id, replaced_by FROM mapping_history ORDER BY id");
    let history: Vec<(i64, Option<String>)> = raw.rows(&asked, read).await.unwrap();
    assert_eq!(history, [(10, Some(RUN.to_owned())), (11, None)]);
}

fn owner(run: &str) -> LeaseOwner {
    LeaseOwner {
        owner: "ann".to_owned(),
        host: "desk".to_owned(),
        process: 4711,
        run: RunId(run.to_owned()),
    }
}

async fn a_lease_has_one_owner_until_it_expires(place: Place) {
    let store = place.open().await;
    let start: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let after = |seconds: i64| start + seconds.seconds();
    let first = store
        .acquire_lease_at(&pair(), owner("first"), TTL, start)
        .await
        .unwrap();

    let refused = store
        .acquire_lease_at(&pair(), owner("second"), TTL, after(59))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "ann on desk (process 4711) is already migrating between these instances (started 2026-01-01T12:00:00Z): \
         run first, lease until 2026-01-01T12:01:00Z"
    );
    let back = Pair {
        source: pair().target,
        target: pair().source,
    };
    store
        .acquire_lease_at(&back, owner("way back"), TTL, start)
        .await
        .unwrap();

    store.renew_lease_at(&first, TTL, after(50)).await.unwrap();
    let refused = store
        .acquire_lease_at(&pair(), owner("second"), TTL, after(61))
        .await;
    assert!(matches!(refused, Err(StoreError::LeaseHeld { .. })));

    let second = store
        .acquire_lease_at(&pair(), owner("second"), TTL, after(110))
        .await
        .unwrap();
    let lost = store
        .renew_lease_at(&first, TTL, after(111))
        .await
        .unwrap_err();
    assert_eq!(
        lost.to_string(),
        "the lease of run first was taken over by another run"
    );
    store.release_lease(first).await.unwrap();
    let still = store
        .acquire_lease_at(&pair(), owner("third"), TTL, after(112))
        .await;
    assert!(matches!(still, Err(StoreError::LeaseHeld { .. })));

    store.release_lease(second).await.unwrap();
    store
        .acquire_lease_at(&pair(), owner("third"), TTL, after(113))
        .await
        .unwrap();
    store.close().await;
}

/// Some of everything.
async fn fill(store: &Store) {
    let changes = vec![
        Change::RunStarted(record()),
        Change::IntentOpened {
            pair: pair(),
            intent: intent(1),
        },
        write_mapping(&mapping(key(1), 10)),
        write_mapping(&mapping(key(1), 11)),
        write_mapping(&mapping(EntityKey::global(Kind::Model, 7), 70)),
        Change::HostLearned {
            host: "h".to_owned(),
            key: "per_second".to_owned(),
            value: 12.5,
        },
    ];
    store.commit(changes).await.unwrap();
    let mut keeping = store.keep_bytes().await.unwrap().unwrap();
    keeping.write(b"former").await.unwrap();
    keeping.finish().await.unwrap();
}

async fn connect(url: &StateUrl) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new()
        .filename(url.file().unwrap())
        .create_if_missing(true)
        .connect()
        .await
        .unwrap()
}

async fn a_newer_schema_is_refused(place: Place) {
    let store = place.open().await;
    store.close().await;
    let mut raw = place.connect().await;
    let newer = match place.url {
        StateUrl::Sqlite(_) => "PRAGMA user_version = 99",
        StateUrl::Postgres(_) => "UPDATE schema_version SET version = 99",
    };
    raw.script(newer).await.unwrap();
    raw.close().await;
    let error = Store::open(&place.url).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 99, known, .. } if known == i64::from(SCHEMA_VERSION)),
        "{error}"
    );
}

async fn a_foreign_database_is_left_alone(place: Place) {
    match &place.url {
        StateUrl::Sqlite(path) => std::fs::create_dir_all(path.parent().unwrap()).unwrap(),
        StateUrl::Postgres(server) => {
            let schema = format!("CREATE SCHEMA {}", server.schema());
            place.connect().await.script(&schema).await.unwrap();
        }
    }
    if let StateUrl::Sqlite(_) = place.url {
        connect(&place.url).await.close().await.unwrap();
    }
    let mut raw = place.connect().await;
    raw.script("CREATE TABLE orders (id INTEGER)")
        .await
        .unwrap();
    raw.close().await;
    let error = Store::open(&place.url).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_called_damaged() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("state.db");
    std::fs::write(
        &path,
        "not a database, but long enough to have a header".repeat(50),
    )
    .unwrap();
    let error = Store::open(&StateUrl::Sqlite(path)).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.hint().unwrap().contains("backup"));
}

#[tokio::test]
async fn damaged_pages_are_noticed_when_opening() {
    let (_directory, url, store) = fresh().await;
    let rows = (0..2000)
        .map(|id| write_mapping(&mapping(key(id), id)))
        .collect();
    store.commit(rows).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(url.file().unwrap()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xA5);
    std::fs::write(url.file().unwrap(), bytes).unwrap();
    let error = Store::open(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn trouble_with_the_disk_is_told_apart() {
    let (_directory, url, store) = fresh().await;
    store.close().await;
    let insert =
        "INSERT INTO hosts SELECT hex(randomblob(4000)), '', 0 FROM (VALUES (1), (2), (3), (4))";

    let mut reader = SqliteConnectOptions::new()
        .filename(url.file().unwrap())
        .read_only(true)
        .connect()
        .await
        .unwrap();
    let error = StoreError::of(reader.execute(insert).await.unwrap_err(), "f");
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");

    let mut first = connect(&url).await;
    first.execute("PRAGMA max_page_count = 1").await.unwrap();
    let error = StoreError::of(first.execute(insert).await.unwrap_err(), "f");
    assert!(matches!(error, StoreError::Full { .. }), "{error}");

    first.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut second = SqliteConnectOptions::new()
        .filename(url.file().unwrap())
        .busy_timeout(Duration::ZERO)
        .connect()
        .await
        .unwrap();
    let error = StoreError::of(second.execute(insert).await.unwrap_err(), "f");
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, url, store) = fresh().await;
    store
        .commit(vec![write_mapping(&mapping(key(1), 10))])
        .await
        .unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.path().join("inner")), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(
            mode(&beside(url.file().unwrap(), suffix)),
            0o600,
            "{suffix}"
        );
    }
    store.close().await;
}

/// Two entities of the source had one counterpart: nothing kept a second row from being written.
async fn an_entity_of_the_target_has_one_claim(place: Place) {
    let store = place.open().await;
    let row = |id, target| Change::Mapping {
        pair: pair(),
        mapping: mapping(key(id), target),
    };
    store.commit(vec![row(1, 700)]).await.unwrap();
    assert!(store.commit(vec![row(2, 700)]).await.is_err());
    let of_first = store.mappings(&pair()).await.unwrap();
    assert_eq!(of_first, [mapping(key(1), 700)]);
    let removed = Change::MappingRemoved {
        pair: pair(),
        key: key(1),
        prior: TargetId::new(700),
    };
    store.commit(vec![removed, row(2, 700)]).await.unwrap();
    let of_second = store.mappings(&pair()).await.unwrap();
    assert_eq!(of_second, [mapping(key(2), 700)]);
    store.close().await;
}

#[tokio::test]
async fn rows_of_an_older_state_that_break_the_claims_are_set_aside() {
    let directory = TempDir::new().unwrap();
    let url = StateUrl::Sqlite(directory.path().join("state.db"));
    let row = |id, target| Change::Mapping {
        pair: pair(),
        mapping: mapping(key(id), target),
    };
    let mut raw = connect(&url).await;
    for script in &schema::MIGRATIONS[..4] {
        raw.execute(*script).await.unwrap();
    }
    let marks = format!(
        "PRAGMA application_id = {}; PRAGMA user_version = 4",
        schema::APPLICATION_ID
    );
    raw.execute(sqlx::AssertSqlSafe(&*marks)).await.unwrap();
    for (id, target) in [(1, 700), (2, 700), (3, 702)] {
        let written = mapping(key(id), target);
        sqlx::query(
            "INSERT INTO mappings (source, target, kind, source_id, locale, target_id, target_name,
                                   source_version, source_hash, origin, run)
             VALUES (?, ?, ?, ?, ?, ?, 'News', 3, ?, 'created', ?)",
        )
        .bind(pair().source.as_str().to_owned())
        .bind(pair().target.as_str().to_owned())
        .bind(written.key.kind.name())
        .bind(id)
        .bind(
            written
                .key
                .locale
                .as_ref()
                .map_or("", Locale::as_str)
                .to_owned(),
        )
        .bind(target)
        .bind(written.source_hash.unwrap().to_string())
        .bind(RUN)
        .execute(&mut raw)
        .await
        .unwrap();
    }
    raw.close().await.unwrap();

    let store = Store::open(&url).await.unwrap();
    let left = store.mappings(&pair()).await.unwrap();
    // What an older program wrote counts as read back.
    let kept = Mapping {
        proof: Proof::Equal,
        filled: Filled::new(),
        fields: None,
        bytes_hash: None,
        ..mapping(key(3), 702)
    };
    assert_eq!(left, [kept]);
    let target = TargetId::new(700);
    assert_eq!(
        store.disputed(&pair()).await.unwrap(),
        [(key(1), target), (key(2), target)]
    );
    // Whatever gets a counterpart again is no longer in dispute.
    store.commit(vec![row(2, 700)]).await.unwrap();
    assert_eq!(store.disputed(&pair()).await.unwrap(), [(key(1), target)]);
    store.close().await;
}
