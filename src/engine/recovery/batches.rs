//! Batches that an earlier run handed in, followed to their end.

use std::time::Duration;

use tokio::time::Instant;

use super::resume::{Fate, Recovery, age};
use crate::domain::BatchId;
use crate::engine::pace::Class;
use crate::event::Event;
use crate::instance::{BatchStatus, Effect, Refusal, Saved, Target};
use crate::store::Intent;

/// The shortest and the longest wait between two polls.
const POLL_MIN: Duration = Duration::from_millis(25);
const POLL_MAX: Duration = Duration::from_secs(2);

/// What became of the batch of a request.
#[derive(Debug)]
pub(in crate::engine) enum BatchFate {
    /// It ended, with one result per entity.
    Ended(Vec<Result<Saved, Refusal>>),
    /// It has no number, it is forgotten, or its results cannot be matched: its entities are looked for.
    LookedFor,
    /// The target is still at it, or does not answer about it.
    Working(BatchId, String),
}

impl BatchFate {
    /// What that means for the entity at a position of the request.
    pub(super) fn of_item(&self, at: usize, intent: &Intent) -> Fate {
        match self {
            Self::Ended(results) => match results.get(at) {
                Some(Ok(saved)) => Fate::Arrived(saved.clone()),
                // Refused: the plan sends it again, and the refusal is told then.
                Some(Err(_)) => Fate::Absent,
                None => Fate::Open,
            },
            Self::LookedFor => Fate::Open,
            Self::Working(batch, why) => Fate::InDoubt(format!(
                "batch {batch} of run {} may still be processing ({why}); run again when it has ended",
                intent.run
            )),
        }
    }
}

impl<T: Target + Clone> Recovery<'_, T> {
    /// Waits for the end of the batch of `intent`, if it has one.
    pub(super) async fn follow(&self, intent: &Intent) -> BatchFate {
        let Some(batch) = intent.batch else {
            return BatchFate::LookedFor;
        };
        let started = Instant::now();
        let mut pause = POLL_MIN;
        let mut told = false;
        loop {
            let working = match self.poll(batch).await {
                Ok(BatchStatus::Finished(results)) if results.len() == intent.keys.len() => {
                    return BatchFate::Ended(results);
                }
                // It may have had an effect all the same, as it may during a run.
                Ok(BatchStatus::Finished(_) | BatchStatus::Failed(_)) => {
                    return BatchFate::LookedFor;
                }
                Ok(BatchStatus::Unknown) if self.is_forgotten(intent, started) => {
                    return BatchFate::LookedFor;
                }
                Ok(BatchStatus::Unknown) => "the target does not know it yet".to_owned(),
                Ok(BatchStatus::Working { .. }) => "it has not ended".to_owned(),
                Err(error) => return BatchFate::Working(batch, error.to_string()),
            };
            if started.elapsed() > self.options.batch_timeout {
                return BatchFate::Working(batch, working);
            }
            if !told && started.elapsed() > POLL_MAX {
                told = true;
                self.tell_wait(batch).await;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL_MAX);
        }
    }

    async fn poll(&self, batch: BatchId) -> Result<BatchStatus, crate::instance::RequestError> {
        let poll = || self.target.instance.poll(batch);
        let sender = self.target.sender();
        sender.send_as(Class::Poll, Effect::Read, poll).await
    }

    /// Whether a batch that the target does not know was known once: a fresh one becomes known in a moment.
    fn is_forgotten(&self, intent: &Intent, started: Instant) -> bool {
        age(self.store, intent.opened_ms) > self.options.batch_timeout
            && started.elapsed() > self.options.settle
    }

    async fn tell_wait(&self, batch: BatchId) {
        let message =
            format!("waiting for batch {batch} of an earlier run, which the target still works on");
        self.sink.emit(Event::Warned { message }).await;
    }
}
