//! What survives the process: the store, under the name of this run.

use std::sync::atomic::{AtomicI64, Ordering};

use dashmap::DashSet;

use crate::domain::{BatchId, RunId};
use crate::engine::open_intents::{OpenIntents, Opening};
use crate::planted::{self, Bug};
use crate::store::{Change, Intent, IntentId, IntentState, Pair, Store, StoreError};

/// The notes of a run: an intent before each request that writes, its outcome after it.
#[derive(Debug)]
pub(in crate::engine) struct Journal {
    /// What survives the process.
    pub(in crate::engine) store: Store,
    /// The two instances.
    pub(in crate::engine) pair: Pair,
    /// The run.
    pub(in crate::engine) run: RunId,
    /// Counts the intents of this run.
    pub(in crate::engine) intents: AtomicI64,
    /// Those of them that have no outcome yet.
    pub(in crate::engine) open: OpenIntents,
    /// Batches that the target works on for this run.
    pub(in crate::engine) batches: DashSet<BatchId>,
}

impl Journal {
    /// Nothing noted yet.
    pub(in crate::engine) fn new(store: Store, pair: Pair, run: RunId) -> Self {
        Self {
            store,
            pair,
            run,
            intents: AtomicI64::new(1),
            open: OpenIntents::default(),
            batches: DashSet::new(),
        }
    }

    /// Makes durable that a request is about to leave, together with `changes`.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may leave then.
    pub(in crate::engine) async fn open(
        &self,
        opening: Opening,
        mut changes: Vec<Change>,
    ) -> Result<IntentId, StoreError> {
        let id = IntentId(self.intents.fetch_add(1, Ordering::Relaxed));
        let intent = Intent {
            id,
            run: self.run.clone(),
            operation: opening.operation,
            keys: opening.keys,
            payload_hash: opening.hashes,
            details: opening.details,
            opened_ms: self.store.now().as_millisecond(),
            attempt: opening.attempt,
            batch: None,
            state: IntentState::Open,
            answers: Vec::new(),
        };
        if !planted::has(Bug::SendsWithoutIntent) {
            changes.push(Change::IntentOpened {
                pair: self.pair.clone(),
                intent,
            });
        }
        self.store.commit(changes).await?;
        let carried = (opening.steps, opening.creates);
        self.open.open(id, carried, opening.attempt);
        Ok(id)
    }

    /// Makes durable under which number the target processes an intent.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(in crate::engine) async fn number_intent(
        &self,
        id: IntentId,
        batch: BatchId,
    ) -> Result<(), StoreError> {
        let run = self.run.clone();
        self.store
            .commit(vec![Change::IntentBatch { run, id, batch }])
            .await?;
        self.open.number(id, batch);
        Ok(())
    }

    /// The note that an intent has come to its end.
    pub(in crate::engine) fn closed(&self, id: IntentId, state: IntentState) -> Change {
        Change::IntentClosed {
            run: self.run.clone(),
            id,
            state,
            answers: self.open.close(id),
        }
    }
}
