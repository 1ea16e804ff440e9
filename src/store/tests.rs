use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use super::location::beside;
use super::*;
use crate::domain::{
    BatchId, ContentHash, EntityKey, FieldHashes, Filled, Guid, Id, Kind, Locale, Outcome, Proof,
    RunEnd, RunId, TargetId, Version,
};

mod damage;

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

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let (_directory, url, store) = fresh().await;
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

    let store = Store::open(&url).await.unwrap();
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

#[tokio::test]
async fn every_outcome_reads_back() {
    let store = Store::open_in_memory().await.unwrap();
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

#[tokio::test]
async fn an_intent_is_open_until_it_is_closed() {
    let store = Store::open_in_memory().await.unwrap();
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

#[tokio::test]
async fn a_finished_run_tells_how_it_ended() {
    let store = Store::open_in_memory().await.unwrap();
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

#[tokio::test]
async fn a_moved_mapping_leaves_its_old_counterpart_in_the_history() {
    let (_directory, url, store) = fresh().await;
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

    let mut raw = connect(&url).await;
    let history: Vec<(i64, Option<String>)> =
        sqlx::query_as("SELECT target_id, replaced_by FROM mapping_history ORDER BY id")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    assert_eq!(history, [(10, Some(RUN.to_owned())), (11, None)]);
}

/// Rows of one table share statements, so their order has to survive that: within a statement, across statements,
/// and around a removal.
#[tokio::test]
async fn of_many_changes_in_one_commit_the_last_word_counts() {
    let (_directory, url, store) = fresh().await;
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

    let mut raw = connect(&url).await;
    let history: Vec<(i64, i64)> =
        sqlx::query_as("SELECT source_id, target_id FROM mapping_history ORDER BY id")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    assert_eq!(history, [(7, 1007), (9, 1009), (9, 2009)]);
}

#[tokio::test]
async fn many_small_commits_share_few_transactions() {
    let (_directory, _url, store) = fresh().await;
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

#[tokio::test]
async fn commits_that_come_while_it_gathers_share_a_transaction() {
    let (_directory, _url, store) = fresh().await;
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

#[tokio::test]
async fn only_the_commit_that_cannot_be_stored_fails() {
    let store = Store::open_in_memory().await.unwrap();
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

#[tokio::test]
async fn what_was_accepted_is_written_even_if_nobody_waits() {
    let (_directory, url, store) = fresh().await;
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

    let store = Store::open(&url).await.unwrap();
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

#[tokio::test]
async fn a_lease_has_one_owner_until_it_expires() {
    let store = Store::open_in_memory().await.unwrap();
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

async fn connect(url: &StateUrl) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new()
        .filename(url.path())
        .create_if_missing(true)
        .connect()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (_directory, url, store) = fresh().await;
    store.close().await;
    let mut raw = connect(&url).await;
    raw.execute("PRAGMA user_version = 99").await.unwrap();
    raw.close().await.unwrap();
    let error = Store::open(&url).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 99, known, .. } if known == i64::from(SCHEMA_VERSION)),
        "{error}"
    );
}

#[tokio::test]
async fn a_foreign_database_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let url = StateUrl::Sqlite(directory.path().join("shop.db"));
    let mut raw = connect(&url).await;
    raw.execute("CREATE TABLE orders (id INTEGER)")
        .await
        .unwrap();
    raw.close().await.unwrap();
    let error = Store::open(&url).await.unwrap_err();
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
    let mut bytes = std::fs::read(url.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xA5);
    std::fs::write(url.path(), bytes).unwrap();
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
        .filename(url.path())
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
        .filename(url.path())
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
        assert_eq!(mode(&beside(url.path(), suffix)), 0o600, "{suffix}");
    }
    store.close().await;
}

/// Two entities of the source had one counterpart: nothing kept a second row from being written.
#[tokio::test]
async fn an_entity_of_the_target_has_one_claim() {
    let (_directory, _url, store) = fresh().await;
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
