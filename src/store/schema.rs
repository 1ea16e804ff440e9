//! Creates the schema, brings old files up to date, and refuses what it must not touch.

use std::path::Path;

use super::connection::{Connection, query};
use super::{StoreError, checksum, dialect};

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
    include_str!("migrations/0015_rates.sql"),
];

/// The schema version that this program writes, kept in `SQLite`'s `user_version`, on a server in the table `schema_version`.
pub const VERSION: u32 = 15;

/// The first version with checksums.
const CHECKSUMS: i64 = 11;

/// "Lkgt": marks a file as ours in `SQLite`'s `application_id`.
pub(super) const APPLICATION_ID: i64 = 0x4c6b_6774;

/// Checks what is behind `writer` and migrates it to [`VERSION`].
///
/// The transaction takes the write lock first, so that two programs that open a fresh state at once do not
/// both create it, and so that a read-only file is noticed here and not in the middle of a run. On a server, a schema of this
/// version is only looked at: then a user without the right to write can see what is there.
pub(super) async fn prepare(writer: &mut Connection) -> Result<(), StoreError> {
    if writer.is_server() {
        if version_on_server(writer).await? == Some(VERSION.into()) {
            return Ok(());
        }
    } else {
        check_pages(writer).await?;
    }
    writer.begin().await?;
    let done = migrate(writer).await;
    writer.end(done).await
}

async fn migrate(writer: &mut Connection) -> Result<(), StoreError> {
    let found = if writer.is_server() {
        found_on_server(writer).await?
    } else {
        version(writer).await?
    };
    let missing = usize::try_from(found)
        .ok()
        .and_then(|found| MIGRATIONS.get(found..))
        .ok_or_else(|| StoreError::Newer {
            place: writer.place.to_string(),
            found,
            known: VERSION.into(),
        })?;
    for script in missing {
        if writer.is_server() {
            writer.script(&dialect::of_server(script)).await?;
        } else {
            writer.script(script).await?;
        }
    }
    if found < CHECKSUMS {
        checksum::fill(writer).await?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let marks = if writer.is_server() {
        format!("UPDATE schema_version SET version = {VERSION}")
    } else {
        format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}")
    };
    writer.script(&marks).await
}

/// What only a server has: the version that a file has in its header, and the bytes that stand beside a file.
const ON_SERVER: &str = "
    CREATE TABLE schema_version (version BIGINT NOT NULL);
    INSERT INTO schema_version (version) VALUES (0);
    CREATE TABLE blobs (
        hash  TEXT   COLLATE \"C\" NOT NULL,
        part  BIGINT NOT NULL,
        bytes BYTEA  NOT NULL,
        PRIMARY KEY (hash, part)
    )";

/// Waits until no other process prepares the schema, and gives its version; creates it when absent.
async fn found_on_server(writer: &mut Connection) -> Result<i64, StoreError> {
    let Some(server) = writer.server() else {
        return Ok(0);
    };
    let schema = server.schema().to_owned();
    let lock = format!("SELECT pg_advisory_xact_lock({APPLICATION_ID}, hashtext('{schema}'))");
    writer.script(&lock).await?;
    if let Some(found) = version_on_server(writer).await? {
        return Ok(found);
    }
    let asked = query("SELECT count(*) AS count FROM pg_catalog.pg_namespace WHERE nspname = ?");
    if writer.number(&asked.bind(&schema), "count").await? == 0 {
        // Not `IF NOT EXISTS`: that asks for the right to create one even where there is one.
        writer
            .script(&format!("CREATE SCHEMA \"{schema}\""))
            .await?;
    }
    writer.script(ON_SERVER).await?;
    Ok(0)
}

/// The version of our own schema; `None` where there is none yet.
pub(super) async fn version_on_server(
    connection: &mut Connection,
) -> Result<Option<i64>, StoreError> {
    let Some(server) = connection.server() else {
        return Ok(None);
    };
    let schema = server.schema().to_owned();
    let tables = query(
        "SELECT tablename = 'schema_version' AS is_ours FROM pg_catalog.pg_tables WHERE schemaname = ?",
    );
    let tables = tables.bind(&schema);
    let tables = connection.column::<bool>(&tables, "is_ours").await?;
    if tables.is_empty() {
        return Ok(None);
    }
    if !tables.contains(&true) {
        return Err(StoreError::Foreign {
            place: connection.place.to_string(),
        });
    }
    let version = query("SELECT version FROM schema_version");
    let found = connection.number(&version, "version").await?;
    if found > VERSION.into() {
        return Err(StoreError::Newer {
            place: connection.place.to_string(),
            found,
            known: VERSION.into(),
        });
    }
    Ok(Some(found))
}

/// What a plan is made from.
pub(super) const KNOWLEDGE: [&str; 4] = [
    "mappings",
    "page_places",
    "list_orders",
    "disputed_mappings",
];

/// Copies what the state in the file `from`, which has the same schema, holds of counterparts and agreements.
pub(super) async fn copy_knowledge(into: &mut Connection, from: &Path) -> Result<(), StoreError> {
    let place = from.display().to_string();
    let failed = |error| StoreError::of(error, &place);
    // Without a mode a connection that is in memory takes every database for one that is.
    let absolute = std::path::absolute(from).map_err(|error| failed(error.into()))?;
    let mut address = url::Url::from_file_path(absolute)
        .map_err(|()| failed(sqlx::Error::Configuration("no absolute path".into())))?;
    address.set_query(Some("mode=rw"));
    let attach = query("ATTACH DATABASE ? AS other").bind(address.as_str());
    into.execute(attach).await?;
    for table in KNOWLEDGE {
        let copy = format!("INSERT INTO main.{table} SELECT * FROM other.{table}");
        into.script(&copy).await?;
    }
    into.script("DETACH DATABASE other").await
}

/// The schema version of our own file; 0 of an empty one.
async fn version(connection: &mut Connection) -> Result<i64, StoreError> {
    let application = query("PRAGMA application_id");
    let application = connection.number(&application, "application_id").await?;
    let tables = query("SELECT count(*) AS count FROM sqlite_schema");
    let tables = connection.number(&tables, "count").await?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(StoreError::Foreign {
            place: connection.place.to_string(),
        });
    }
    let version = query("PRAGMA user_version");
    connection.number(&version, "user_version").await
}

/// Asks `SQLite` whether the pages of the file agree with each other.
async fn check_pages(connection: &mut Connection) -> Result<(), StoreError> {
    let check = query("PRAGMA quick_check(1)");
    let verdict = connection.column::<String>(&check, "quick_check").await?;
    let verdict = verdict.concat();
    if verdict == "ok" {
        return Ok(());
    }
    // The first line only names the database.
    let detail = verdict.lines().last().unwrap_or_default().to_owned();
    Err(StoreError::Damaged {
        place: connection.place.to_string(),
        detail,
    })
}
