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

mod damage;
#[path = "../../tests/common/postgres.rs"]
pub(crate) mod postgres;
mod server;

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

/// Where a state is to be that does not exist yet.
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

/// Rows of one table share statements, so their order has to survive that: within a statement, across statements,
/// and around a removal.
async fn of_many_changes_in_one_commit_the_last_word_counts(place: Place) {
    let store = place.open().await;
    let settled = |id, because: &str| RunEntity {
        run: RunId(RUN.to_owned()),
        key: key(id),
        name: format!("item {id}"),
        outcome: Outcome::Created,
        target: Some(TargetId::new(id + 1000)),
        because: because.to_owned(),
    };
    let mut changes = Vec::new();
    for id in 1..=200 {
        changes.push(write_mapping(&mapping(key(id), id + 1000)));
        changes.push(Change::Entity(settled(id, "first")));
    }
    let (pair, removed) = (pair(), key(7));
    changes.push(Change::MappingRemoved {
        pair,
        key: removed,
        prior: TargetId::new(1007),
    });
    changes.push(write_mapping(&mapping(key(7), 2007)));
    changes.push(write_mapping(&mapping(key(9), 2009)));
    changes.push(write_mapping(&mapping(key(9), 3009)));
    changes.push(Change::Entity(settled(9, "last")));
    store.commit(changes).await.unwrap();

    let targets = store.mappings(&self::pair()).await.unwrap();
    let targets: Vec<i64> = targets.iter().map(|row| row.target.raw()).collect();
    let expected = (1..=200).map(|id| match id {
        7 => 2007,
        9 => 3009,
        id => id + 1000,
    });
    assert_eq!(targets, expected.collect::<Vec<_>>());
    let settled = store.run_entities(&RunId(RUN.to_owned())).await.unwrap();
    assert_eq!(settled.len(), 200);
    assert_eq!(settled[8].because, "last");
    store.close().await;

    let mut raw = place.connect().await;
    let read = |row: Row<'_>| Ok((row.get("source_id").unwrap(), row.get("target_id").unwrap()));
    let asked = query("SELECT source_id, target_id FROM mapping_history ORDER BY id");
    let history: Vec<(i64, i64)> = raw.rows(&asked, read).await.unwrap();
    assert_eq!(history, [(7, 1007), (9, 1009), (9, 2009)]);
}

async fn many_small_commits_share_few_transactions(place: Place) {
    let store = place.open().await;
    let rows = 24_164;
    let store_ref = &store;
    let commits = (0..rows).map(|id| async move {
        store_ref
            .commit(vec![write_mapping(&mapping(key(id), id + 100_000))])
            .await
    });
    try_join_all(commits).await.unwrap();
    assert_eq!(store.mappings(&pair()).await.unwrap().len(), 24_164);
    // How many depends on how fast the disk is; a quick one leaves less time for rows to queue up.
    let most = rows.unsigned_abs() / 50;
    assert!(store.commits() <= most, "{} transactions", store.commits());
    store.close().await;
}

async fn commits_that_come_while_it_gathers_share_a_transaction(place: Place) {
    let store = place.open().await;
    store.gather(std::time::Duration::from_millis(200));
    let one = |id, after_ms| {
        let store = store.clone();
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(after_ms)).await;
            let changes = vec![write_mapping(&mapping(key(id), id + 100))];
            store.commit(changes).await
        }
    };
    try_join_all([one(1, 0), one(2, 5), one(3, 10)])
        .await
        .unwrap();
    assert_eq!(store.commits(), 1);
    store.close().await;
}

async fn only_the_commit_that_cannot_be_stored_fails(place: Place) {
    let store = place.open().await;
    let bad = vec![
        write_mapping(&mapping(key(2), 20)),
        Change::IntentClosed {
            run: RunId(RUN.to_owned()),
            id: IntentId(404),
            state: IntentState::Done,
            answers: Vec::new(),
        },
    ];
    let results = join_all([
        store.commit(vec![write_mapping(&mapping(key(1), 10))]),
        store.commit(bad),
        store.commit(vec![write_mapping(&mapping(key(3), 30))]),
    ])
    .await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert!(
        matches!(results[1], Err(StoreError::Unknown { .. })),
        "{:?}",
        results[1]
    );
    let stored = store.mappings(&pair()).await.unwrap();
    assert_eq!(stored, [mapping(key(1), 10), mapping(key(3), 30)]);
    store.close().await;
}

async fn what_was_accepted_is_written_even_if_nobody_waits(place: Place) {
    let store = place.open().await;
    let mut unheard = Box::pin(store.commit(vec![write_mapping(&mapping(key(1), 10))]));
    assert!(futures_util::poll!(&mut unheard).is_pending());
    drop(unheard);
    let other = store.clone();
    store.close().await;
    let refused = other
        .commit(vec![write_mapping(&mapping(key(2), 20))])
        .await;
    assert!(matches!(refused, Err(StoreError::Closed)));
    assert!(matches!(other.runs(1).await, Err(StoreError::Closed)));

    let store = place.open().await;
    assert_eq!(
        store.mappings(&pair()).await.unwrap(),
        [mapping(key(1), 10)]
    );
    store.close().await;
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

/// The commit comes after the takeover, as that of a process that was stopped in between, and the new owner is another process.
async fn a_run_stores_nothing_after_its_lease_was_taken_over(place: Place) {
    let (store, other) = (place.open().await, place.open().await);
    let start: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let mine = owner("first");
    let lease = store
        .acquire_lease_at(&pair(), mine, TTL, start)
        .await
        .unwrap();
    assert_eq!(lease.ended_ago(), None);
    let row = |id| vec![write_mapping(&mapping(key(id), id + 10))];
    store.commit(row(1)).await.unwrap();
    let elsewhere = LeaseOwner {
        host: "table".to_owned(),
        ..owner("second")
    };
    let later = start + 100.seconds();
    let next = other
        .acquire_lease_at(&pair(), elsewhere, TTL, later)
        .await
        .unwrap();
    assert_eq!(next.ended_ago(), Some(Duration::from_secs(40)));
    let results = join_all([
        store.commit(row(2)),
        store.for_another_lease().commit(row(3)),
    ])
    .await;
    let is_lost = matches!(&results[0], Err(StoreError::LeaseLost { run }) if run.0 == "first");
    assert!(is_lost, "{results:?}");
    assert!(results[1].is_ok(), "{results:?}");
    other.commit(row(4)).await.unwrap();
    store.release_lease(lease).await.unwrap();
    other.release_lease(next).await.unwrap();
    let stored = other.mappings(&pair()).await.unwrap();
    let stored: Vec<i64> = stored.iter().map(|row| row.key.id.raw()).collect();
    assert_eq!(stored, [1, 3, 4]);
    // What was given back is no takeover.
    let third = other
        .acquire_lease_at(&pair(), owner("third"), TTL, later)
        .await
        .unwrap();
    assert_eq!(third.ended_ago(), None);
    store.close().await;
    other.close().await;
}

async fn bytes_are_kept_once_and_read_back(place: Place) {
    use tokio::io::AsyncReadExt;
    let store = place.open().await;
    let long: Vec<u8> = (0..2_500_000_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    for bytes in [&b"some"[..], &[][..], &long[..], &b"some"[..]] {
        let mut keeping = store.keep_bytes().await.unwrap().unwrap();
        for part in bytes.chunks(70_000) {
            keeping.write(part).await.unwrap();
        }
        let (hash, length) = keeping.finish().await.unwrap();
        assert_eq!(
            (hash, length),
            (ContentHash::of_bytes(bytes), bytes.len() as u64)
        );
        let mut read = Vec::new();
        let mut file = store.kept_bytes(hash).await.unwrap().unwrap();
        file.read_to_end(&mut read).await.unwrap();
        assert!(read == bytes, "{} of {}", read.len(), bytes.len());
    }
    let none = store.kept_bytes(ContentHash::of_bytes(b"none")).await;
    assert!(none.unwrap().is_none());
    assert_eq!(store.kept_hashes().await.unwrap().len(), 3);
    store.close().await;
}

async fn a_plan_gets_a_copy_of_what_is_known(place: Place) {
    let none = Store::open_copy(&place.url).await.unwrap();
    assert_eq!(none.mappings(&pair()).await.unwrap(), []);
    none.close().await;
    assert!(
        !place.url.exists().await.unwrap(),
        "looking leaves no trace"
    );
    let store = place.open().await;
    let rows: Vec<Mapping> = (0..5000).map(|id| mapping(key(id), id + 10_000)).collect();
    store
        .commit(rows.iter().map(write_mapping).collect())
        .await
        .unwrap();
    store.close().await;
    let copy = Store::open_copy(&place.url).await.unwrap();
    assert_eq!(copy.mappings(&pair()).await.unwrap(), rows);
    copy.commit(vec![write_mapping(&mapping(key(5001), 9))])
        .await
        .unwrap();
    copy.close().await;
    let store = place.open().await;
    assert_eq!(store.mappings(&pair()).await.unwrap().len(), 5000);
    store.close().await;
}

async fn everything_can_be_surveyed_and_exported(place: Place) {
    let store = place.open().await;
    fill(&store).await;
    let lease = store
        .acquire_lease(&pair(), owner("first"), TTL)
        .await
        .unwrap();
    let survey = store.survey().await.unwrap();
    let rows = |name: &str| {
        let mut tables = survey.tables.iter();
        tables
            .find(|(table, _)| table == name)
            .map(|(_, held)| held.rows)
    };
    assert_eq!(
        (rows("mappings"), rows("runs"), rows("hosts")),
        (Some(2), Some(1), Some(1))
    );
    assert_eq!((survey.checked_mappings, survey.open_intents), (2, 1));
    let held: Vec<&str> = survey.leases.iter().map(|held| &*held.run.0).collect();
    assert_eq!(held, ["first"]);
    assert!(survey.size_bytes > 10_000, "{}", survey.size_bytes);
    let mut exported = Vec::new();
    let each = |table: &str, row: serde_json::Value| {
        exported.push((table.to_owned(), row));
        Ok::<_, StoreError>(())
    };
    store.export(each).await.unwrap();
    let run = exported.iter().find(|(table, _)| table == "runs").unwrap();
    assert_eq!(run.1["options"], json!({"overwrite": true}));
    assert_eq!(run.1["finished_at"], json!(null));
    store.release_lease(lease).await.unwrap();
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
    raw.execute(&*marks).await.unwrap();
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
