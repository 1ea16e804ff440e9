//! Creates the schema, brings old files up to date, and refuses what it must not touch.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};

use super::{StoreError, checksum};

/// One script per schema version, the first one for version 1. A released script never changes.
pub(super) const MIGRATIONS: [&str; VERSION as usize] = [
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_intent_details.sql"),
    include_str!("migrations/0003_intent_answers.sql"),
    include_str!("migrations/0004_sent_bytes.sql"),
    include_str!("migrations/0005_claims.sql"),
    include_str!("migrations/0006_page_places.sql"),
    include_str!("migrations/0007_publishings.sql"),
    include_str!("migrations/0008_proof.sql"),
    include_str!("migrations/0009_list_orders.sql"),
    include_str!("migrations/0010_run_end.sql"),
    include_str!("migrations/0011_checksum.sql"),
    include_str!("migrations/0012_evidence.sql"),
    include_str!("migrations/0013_field_hashes.sql"),
    include_str!("migrations/0014_paused_webhooks.sql"),
];

/// The schema version that this program writes, kept in `SQLite`'s `user_version`.
pub const VERSION: u32 = 14;

/// The first version with checksums.
const CHECKSUMS: i64 = 11;

/// "Lkgt": marks a file as ours in `SQLite`'s `application_id`.
pub(super) const APPLICATION_ID: i64 = 0x4c6b_6774;

/// Checks the file behind `writer` and migrates it to [`VERSION`].
///
/// The transaction takes the write lock first, so that two programs that open a fresh file at once do not
/// both create it, and so that a read-only file is noticed here and not in the middle of a run.
pub(super) async fn prepare(writer: &mut SqliteConnection, place: &str) -> Result<(), StoreError> {
    let failed = |error| StoreError::of(error, place);
    check_pages(writer, place).await?;
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let found = version(&mut transaction, place).await?;
    let missing = usize::try_from(found)
        .ok()
        .and_then(|found| MIGRATIONS.get(found..))
        .ok_or_else(|| StoreError::Newer {
            place: place.to_owned(),
            found,
            known: VERSION.into(),
        })?;
    for script in missing {
        transaction.execute(*script).await.map_err(failed)?;
    }
    if found < CHECKSUMS {
        checksum::fill(&mut transaction, place).await?;
    }
    if !missing.is_empty() {
        let marks =
            format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}");
        transaction.execute(&*marks).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// What a plan is made from.
const KNOWLEDGE: [&str; 4] = [
    "mappings",
    "page_places",
    "list_orders",
    "disputed_mappings",
];

/// Copies what the state in the file `from`, which has the same schema, knows of counterparts and agreements.
pub(super) async fn copy_knowledge(
    into: &mut SqliteConnection,
    from: &Path,
) -> Result<(), StoreError> {
    let place = from.display().to_string();
    let failed = |error| StoreError::of(error, &place);
    // Without a mode a connection that is in memory takes every database for one that is.
    let absolute = std::path::absolute(from).map_err(|error| failed(error.into()))?;
    let mut address = url::Url::from_file_path(absolute)
        .map_err(|()| failed(sqlx::Error::Configuration("no absolute path".into())))?;
    address.set_query(Some("mode=rw"));
    sqlx::query("ATTACH DATABASE ? AS other")
        .bind(address.as_str())
        .execute(&mut *into)
        .await
        .map_err(failed)?;
    for table in KNOWLEDGE {
        let copy = format!("INSERT INTO main.{table} SELECT * FROM other.{table}");
        into.execute(&*copy).await.map_err(failed)?;
    }
    into.execute("DETACH DATABASE other")
        .await
        .map_err(failed)?;
    Ok(())
}

/// The schema version of our own file; 0 of an empty one.
async fn version(connection: &mut SqliteConnection, place: &str) -> Result<i64, StoreError> {
    let failed = |error| StoreError::of(error, place);
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(StoreError::Foreign {
            place: place.to_owned(),
        });
    }
    sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await
        .map_err(failed)
}

/// Asks `SQLite` whether the pages of the file agree with each other.
async fn check_pages(connection: &mut SqliteConnection, place: &str) -> Result<(), StoreError> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await
        .map_err(|error| StoreError::of(error, place))?;
    if verdict == "ok" {
        return Ok(());
    }
    // The first line only names the database.
    let detail = verdict.lines().last().unwrap_or_default().to_owned();
    Err(StoreError::Damaged {
        place: place.to_owned(),
        detail,
    })
}
