//! Takes mappings from outside into the state, under the lock of the pair and as a run of its own.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::super::session::{owner, salt};
use crate::config::{Config, HostInfo};
use crate::domain::{EntityKey, RunEnd, RunId, TargetId, Version, time};
use crate::error::{Error, ExitStatus};
use crate::store::{Change, Mapping, MappingOrigin, Pair, RunFinish, RunRecord, StateUrl, Store};

/// How long the lock is held at most: it is one commit.
const LOCK: Duration = Duration::from_mins(1);

/// A mapping with its evidence.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) key: EntityKey,
    pub(super) target: TargetId,
    pub(super) target_name: Option<String>,
    /// Of content and pages, source first: as they were when the mapping was written.
    pub(super) versions: [Option<Version>; 2],
    pub(super) evidence: String,
}

/// Mappings to be kept, with those that give way to them: of two entities of the source only one has a counterpart.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) rows: Vec<Noted>,
    pub(super) gone: Vec<(EntityKey, TargetId)>,
}

/// Where mappings are kept, and as what.
#[derive(Debug)]
pub(super) struct Keeping {
    state: StateUrl,
    host_info: HostInfo,
    pair: Pair,
    /// `mappings import`, for the list of runs.
    command: &'static str,
}

impl Keeping {
    pub(super) fn new(config: &Config, pair: Pair, command: &'static str) -> Result<Self, Error> {
        Ok(Self {
            state: config.paths()?.state,
            host_info: config.host_info(),
            pair,
            command,
        })
    }

    /// What the state has of the pair now; nothing where there is no state.
    pub(super) async fn known(&self) -> Result<Vec<Mapping>, Error> {
        if !self.state.exists().await? {
            return Ok(Vec::new());
        }
        let store = Store::open_to_look(&self.state).await?;
        let known = store.mappings(&self.pair).await;
        store.close().await;
        Ok(known?)
    }

    /// Keeps all rows or none. `from` is the file or folder that they came from, if they came from one.
    ///
    /// # Errors
    /// [`Error::Store`] while a run holds the lock, and when the state cannot be written.
    pub(super) async fn keep(&self, kept: Kept, from: Option<&Path>) -> Result<(), Error> {
        if kept.rows.is_empty() {
            return Ok(());
        }
        let store = Store::open(&self.state).await?;
        let done = self.keep_in(&store, kept, from).await;
        store.close().await;
        done
    }

    async fn keep_in(&self, store: &Store, kept: Kept, from: Option<&Path>) -> Result<(), Error> {
        let run = time::run_id(time::now(), salt());
        let owner = owner(&self.host_info, &run);
        let lease = store.acquire_lease(&self.pair, owner, LOCK).await?;
        let committed = store.commit(self.changes(&run, kept, from)).await;
        store.release_lease(lease).await?;
        Ok(committed?)
    }

    fn changes(&self, run: &RunId, kept: Kept, from: Option<&Path>) -> Vec<Change> {
        let count = kept.rows.len();
        let started = Change::RunStarted(RunRecord {
            run: run.clone(),
            pair: self.pair.clone(),
            command: self.command.to_owned(),
            options: json!({ "from": from }),
            started_at: time::now().to_string(),
            finished_at: None,
            exit: None,
            end: None,
            counts: None,
        });
        let finished = Change::RunFinished(RunFinish {
            run: run.clone(),
            exit: ExitStatus::Agreed.code(),
            end: RunEnd::Complete,
            counts: json!({ "mapped": count }),
            finished_at: time::now().to_string(),
        });
        let mapping = |row: Noted| Change::Mapping {
            pair: self.pair.clone(),
            mapping: Mapping {
                target_name: row.target_name,
                source_version: row.versions[0],
                target_version: row.versions[1],
                evidence: Some(row.evidence),
                ..Mapping::without_base(row.key, row.target, MappingOrigin::Imported, run.clone())
            },
        };
        let gone = kept
            .gone
            .into_iter()
            .map(|(key, prior)| Change::MappingRemoved {
                pair: self.pair.clone(),
                key,
                prior,
            });
        std::iter::once(started)
            .chain(gone)
            .chain(kept.rows.into_iter().map(mapping))
            .chain([finished])
            .collect()
    }
}
