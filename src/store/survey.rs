//! A state as a whole: how much is in it, whether its rows are as they were written, and which runs use it.

use jiff::Timestamp;
use serde_json::Value;

use super::connection::query;
use super::copy::{Contents, tables};
use super::{Pair, Store, StoreError};
use crate::domain::RunId;

/// A lease that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    /// Between these instances.
    pub pair: Pair,
    /// The run that has it.
    pub run: RunId,
    /// The user of that run.
    pub owner: String,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub process: u32,
    /// Since when.
    pub since: Timestamp,
    /// When it ends unless it is renewed.
    pub expires: Timestamp,
    /// How many leases of the pair there were before it, and itself.
    pub epoch: i64,
}

impl HeldLease {
    /// What another run is refused with.
    pub(super) fn refusal(self) -> StoreError {
        StoreError::LeaseHeld {
            owner: self.owner,
            host: self.host,
            process: self.process,
            run: self.run,
            since: self.since,
            expires: self.expires,
        }
    }
}

/// What is in a state.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The tables by name.
    pub tables: Vec<(String, Contents)>,
    /// How many mappings were read and found as they were written.
    pub checked_mappings: u64,
    /// Writes of which no outcome is known, of all pairs.
    pub open_intents: u64,
    /// Leases that have not ended.
    pub leases: Vec<HeldLease>,
    /// How much room the tables take, in bytes.
    pub size_bytes: u64,
    /// How many contents of assets are kept.
    pub kept_contents: usize,
}

impl Store {
    /// Reads everything that is in the state.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Unreadable`] for a mapping that is not as it was written.
    pub async fn survey(&self) -> Result<Survey, StoreError> {
        let checked_mappings = self.readers().check_mappings().await?;
        let mut reading = self.opener().open_to_read(self.place()).await?;
        reading.snapshot().await?;
        let mut contents = Vec::new();
        for table in tables().await? {
            let found = table.contents(&mut reading).await?;
            contents.push((table.name, found));
        }
        let open =
            query("SELECT count(*) AS count FROM intents WHERE state IN ('open', 'in-doubt')");
        let open_intents = reading.number(&open, "count").await?;
        let size = if reading.is_server() {
            "SELECT CAST(coalesce(sum(pg_total_relation_size(oid)), 0) AS BIGINT) AS size FROM pg_catalog.pg_class
             WHERE relkind = 'r' AND relnamespace = to_regnamespace(current_schema())"
        } else {
            "SELECT page_count * page_size AS size FROM pragma_page_count, pragma_page_size"
        };
        let size_bytes = reading.number(&query(size), "size").await?;
        reading.close().await;
        Ok(Survey {
            tables: contents,
            checked_mappings,
            open_intents: open_intents.unsigned_abs(),
            leases: self.held_leases().await?,
            size_bytes: size_bytes.unsigned_abs(),
            kept_contents: self.kept_hashes().await?.len(),
        })
    }

    /// The leases of all pairs that have not ended.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn held_leases(&self) -> Result<Vec<HeldLease>, StoreError> {
        self.readers().held_leases(self.now()).await
    }

    /// # Errors
    /// [`StoreError::LeaseHeld`] while any pair has one.
    pub(super) async fn refuse_leases(&self) -> Result<(), StoreError> {
        let held = self.held_leases().await?.into_iter().next();
        held.map_or(Ok(()), |held| Err(held.refusal()))
    }

    /// Hands every row to `each` as JSON, with the names of its columns, by table and in the order of the primary key. Words in
    /// them are without credentials, as they were stored.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read, and what `each` fails with.
    pub async fn export<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(&str, Value) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reading = self.opener().open_to_read(self.place()).await?;
        reading.snapshot().await?;
        for table in tables().await? {
            let mut pages = table.pages();
            while let Some(rows) = pages.next(&mut reading).await? {
                for row in rows {
                    each(&table.name, table.json(&row))?;
                }
            }
        }
        reading.close().await;
        Ok(())
    }
}
