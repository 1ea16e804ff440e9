//! Requests of an undo, and deletes of a run, that ended in the middle.
//!
//! A delete has taken effect when the entity is gone, whatever deleted it; so it is looked for, and no source is needed.
//! What an undo saves again is harmless to repeat, and what is to be done about it shows on the target: the plan of a
//! sync or of the same undo decides anew. Both only have to wait until nothing of it can be on its way any more.

use std::collections::HashMap;

use tokio::time::Instant;

use super::restart::{Recovery, Told, age, closed};
use crate::domain::{EntityKey, Id, Locale, Outcome};
use crate::engine::pull::PullError;
use crate::engine::run_error::RunError;
use crate::event::Event;
use crate::instance::Target;
use crate::store::{Change, Intent, IntentState, Mapping, Operation, RunEntity};

/// Whether an undo noted it, or a run that deletes what the source no longer has.
pub(super) fn is_of_undo(intent: &Intent) -> bool {
    match intent.operation {
        Operation::Delete | Operation::Restore => true,
        Operation::Create
        | Operation::Update
        | Operation::Patch
        | Operation::Upload
        | Operation::Publish => false,
    }
}

/// Finds out the outcome of the open deletes and restores of an undo, and makes it durable. Returns entities with an
/// unknown outcome, and why.
///
/// # Errors
/// [`RunError`] when the target cannot be asked, or the findings cannot be stored.
pub(in crate::engine) async fn settle_undone<T: Target>(
    recovery: Recovery<'_, T>,
) -> Result<HashMap<EntityKey, String>, RunError> {
    let open = recovery.store.open_intents(&recovery.pair).await?;
    let open: Vec<Intent> = open.into_iter().filter(is_of_undo).collect();
    if open.is_empty() {
        return Ok(HashMap::new());
    }
    let message = format!(
        "an earlier run ended before it had noted what became of {} requests that delete or restore; the target is asked about them first",
        open.len()
    );
    recovery.sink.emit(Event::Warned { message }).await;
    recovery.settle_undone(open).await
}

impl<T: Target> Recovery<'_, T> {
    async fn settle_undone(
        &self,
        open: Vec<Intent>,
    ) -> Result<HashMap<EntityKey, String>, RunError> {
        let mappings = self.store.mappings(&self.pair).await?;
        let mappings: HashMap<_, _> = mappings.iter().map(|row| (&row.key, row)).collect();
        let mut doubts = HashMap::new();
        let mut changes = Vec::new();
        let mut followed = Vec::new();
        for intent in open {
            let told = self.ask_batch(&intent).await;
            followed.push((intent, told));
        }
        let started = Instant::now();
        for (intent, told) in followed {
            let may_come = matches!(told, Told::Nothing);
            let state = match (told, intent.operation) {
                (Told::Working(why), _) => {
                    doubts.extend(intent.keys.iter().map(|key| (key.clone(), why.clone())));
                    IntentState::InDoubt
                }
                (_, Operation::Delete) => {
                    if self.is_gone(&intent, may_come.then_some(started)).await? {
                        changes.extend(self.deleted(&intent, &mappings));
                        IntentState::Done
                    } else {
                        IntentState::Failed
                    }
                }
                (_, _) => {
                    self.wait_for(&intent, may_come).await;
                    IntentState::Done
                }
            };
            changes.push(closed(&intent, state));
        }
        self.fence.pass().await;
        self.store.commit(changes).await?;
        Ok(doubts)
    }

    /// Waits until a request without a batch number cannot arrive any more.
    async fn wait_for(&self, intent: &Intent, may_come: bool) {
        if may_come {
            let left = self
                .options
                .settle
                .saturating_sub(age(self.store, intent.opened_ms));
            tokio::time::sleep(left).await;
        }
    }

    /// Whether what was to be deleted is gone: now, or within the time that a request may still take to arrive, which
    /// counts from `may_come`.
    async fn is_gone(&self, intent: &Intent, may_come: Option<Instant>) -> Result<bool, PullError> {
        let inquiry = self.inquiry();
        loop {
            let mut is_there = false;
            for (key, detail) in intent.keys.iter().zip(&intent.details) {
                // The locale of a template, which its path needs, stands where that of other kinds has no use.
                let in_path = Some(&detail.container).filter(|text| !text.is_empty());
                let in_path = in_path.map(|text| Locale::new(text));
                let locale = key.locale.as_ref().or(in_path.as_ref());
                if let Some(id) = detail.target {
                    let there = inquiry.is_there(key.kind, id.raw(), locale).await;
                    is_there |= there.map_err(|cause| self.target.failed(cause))?;
                }
            }
            if !is_there {
                return Ok(true);
            }
            let is_over = may_come.is_none_or(|since| since.elapsed() >= self.options.settle);
            if is_over || age(self.store, intent.opened_ms) > self.options.batch_timeout {
                return Ok(false);
            }
            tokio::time::sleep(inquiry.between_looks()).await;
        }
    }

    fn deleted(&self, intent: &Intent, mappings: &HashMap<&EntityKey, &Mapping>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (key, detail) in intent.keys.iter().zip(&intent.details) {
            if let Some(prior) = detail.target
                && mappings
                    .get(key)
                    .is_some_and(|mapping| mapping.target == prior)
            {
                changes.push(Change::MappingRemoved {
                    pair: self.pair.clone(),
                    key: key.clone(),
                    prior,
                });
            }
            changes.push(Change::Entity(RunEntity {
                run: intent.run.clone(),
                key: key.clone(),
                name: detail.name.clone(),
                outcome: Outcome::Deleted,
                target: detail.target,
                because: "found gone after the run had been interrupted".to_owned(),
            }));
        }
        changes
    }
}
