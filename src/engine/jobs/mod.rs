//! The uploads themselves, one file per kind of request.
//!
//! Every job keeps the same order, which is what makes a crash harmless: the intent is durable before the
//! request leaves, the outcome is durable before the id map knows it, and only then the dispatcher hears of it.

mod asset;
mod content;
mod disguise;
mod doubt;
mod given_back;
mod page;
mod polling;
mod read_back;
mod redirections;
mod save;

pub(super) use asset::bytes_hash;
pub(super) use doubt::repeat;
pub(super) use given_back::run_again;
pub(super) use polling::{BatchEnd, first_pause, next_pause, wait};

use std::collections::HashMap;

use super::crew::{Crew, Prepared};
use super::end::StopCause;
use super::ready::Queue;
use super::state::{Job, Step, StepResult};
use crate::domain::Failure;
use crate::instance::{Cause, RequestError, Save, Saved, Source, Target};
use crate::plan::Node;
use crate::store::{Change, IntentId, IntentState, StoreError};

/// What came of a job.
#[derive(Debug)]
pub(super) struct Finished {
    /// The job.
    pub(super) job: Job,
    /// One per step, in order.
    pub(super) results: Vec<StepResult>,
    /// Why nothing more may be written.
    pub(super) stop: Option<StopCause>,
}

/// Carries out a job to its end.
///
/// # Errors
/// [`StoreError`] when the state could not be made durable: the run cannot go on.
pub(super) async fn run<S, T>(crew: &Crew<S, T>, job: Job) -> Result<Finished, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut stop = None;
    let results = match &job.queue {
        Queue::Save => save::run(crew, job.steps[0]).await?,
        Queue::Redirections => redirections::run(crew, &job.steps).await?,
        Queue::Asset => asset::run(crew, job.steps[0]).await?,
        Queue::Content(locale) => {
            let (results, wrong) = content::run(crew, locale, &job.steps, job.probe).await?;
            stop = wrong.map(StopCause::Reference);
            results
        }
        Queue::Page => {
            let (results, wrong) = page::run(crew, job.steps[0], job.probe).await?;
            stop = wrong.map(StopCause::Reference);
            results
        }
    };
    Ok(Finished { job, results, stop })
}

/// Makes durable that `item` became `saved`, then lets the lanes see it.
async fn settle<S, T>(
    crew: &Crew<S, T>,
    intent: Option<IntentId>,
    item: &Prepared,
    saved: &Saved,
) -> Result<StepResult, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let (mut changes, result) = keep(crew, item, saved);
    changes.extend(intent.map(|id| crew.closed(id, IntentState::Done)));
    crew.store.commit(changes).await?;
    let Some(refused) = result else {
        return Ok(show(crew, item, saved));
    };
    disguise::put_back(crew, item, saved).await?;
    Ok(refused)
}

/// What the store has to keep of `item`, or the result of one whose counterpart belongs to another entity.
fn keep<S, T>(
    crew: &Crew<S, T>,
    item: &Prepared,
    saved: &Saved,
) -> (Vec<Change>, Option<StepResult>)
where
    S: Source + Clone,
    T: Target + Clone,
{
    match crew.changes_of(item, saved) {
        Ok(changes) => (changes, None),
        Err(conflict) => (Vec::new(), Some(failed(disguise::told(&conflict)))),
    }
}

/// As [`keep`], for several: claims all, and gives one result per refused claim.
fn keep_all<'i, S, T>(
    crew: &Crew<S, T>,
    items: impl Iterator<Item = (usize, &'i Prepared, &'i Saved)>,
) -> (Vec<Change>, HashMap<usize, StepResult>)
where
    S: Source + Clone,
    T: Target + Clone,
{
    let (mut changes, mut refused) = (Vec::new(), HashMap::new());
    for (at, item, saved) in items {
        let (kept, result) = keep(crew, item, saved);
        changes.extend(kept);
        refused.extend(result.map(|result| (at, result)));
    }
    (changes, refused)
}

/// Lets the lanes see what is durable.
fn show<S, T>(crew: &Crew<S, T>, item: &Prepared, saved: &Saved) -> StepResult
where
    S: Source + Clone,
    T: Target + Clone,
{
    let over = crew.written_over(item, saved).is_some();
    match crew.arrived(item.node, saved) {
        Ok(()) => {
            crew.placed.insert(item.node);
            if item.was_published {
                crew.republish.insert(item.node);
            }
            StepResult::Saved {
                target: saved.id,
                bytes: item.bytes,
                over,
            }
        }
        Err(conflict) => failed(conflict.to_string()),
    }
}

/// Makes durable that a request did nothing, or that nobody knows.
async fn close<S, T>(
    crew: &Crew<S, T>,
    intent: IntentId,
    state: IntentState,
) -> Result<(), StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let changes: Vec<Change> = vec![crew.closed(intent, state)];
    crew.store.commit(changes).await
}

/// What a request for several entities carries.
struct Lot {
    /// Those that can be sent, in order.
    items: Vec<Prepared>,
    /// For each step, why it cannot be sent, if so.
    refused: Vec<Option<String>>,
}

impl Lot {
    fn prepare<S, T>(crew: &Crew<S, T>, steps: &[(Node, Step)]) -> Self
    where
        S: Source + Clone,
        T: Target + Clone,
    {
        let mut items = Vec::with_capacity(steps.len());
        let refuse = |(node, step): &(Node, Step)| match crew.prepare(*node, *step) {
            Ok(item) => {
                items.push(item);
                None
            }
            Err(reason) => Some(reason),
        };
        let refused = steps.iter().map(refuse).collect();
        Self { items, refused }
    }

    /// What is sent.
    fn saves(items: &[Prepared]) -> Vec<Save> {
        items.iter().map(|item| item.save.clone()).collect()
    }

    /// One result per step, from those of the items.
    fn results(self, results: Vec<StepResult>) -> Vec<StepResult> {
        let mut results = results.into_iter();
        let all = self.refused.into_iter().map(|refused| match refused {
            None => results
                .next()
                .unwrap_or_else(|| failed("the answer has no row for it")),
            Some(reason) => not_prepared(reason),
        });
        all.collect()
    }
}

/// The target, or we, said no to an entity.
fn failed(reason: impl Into<String>) -> StepResult {
    lost(Failure::Refused, reason)
}

/// The request for an entity failed, or did not leave.
fn not_sent(error: &RequestError) -> StepResult {
    if error.cause == Cause::Halted {
        return StepResult::Held;
    }
    lost(error.cause.failure(), error.to_string())
}

/// Makes durable that the request of an intent never left.
async fn never_left<S, T>(
    crew: &Crew<S, T>,
    intent: IntentId,
    entities: usize,
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    close(crew, intent, IntentState::Failed).await?;
    Ok(held(entities))
}

/// Nothing is known of these, and the run ends. Their intent stays open for the next one.
fn held(entities: usize) -> Vec<StepResult> {
    vec![StepResult::Held; entities]
}

/// Whether the run ended before a request could leave.
fn is_halted<R>(sent: &Result<R, RequestError>) -> bool {
    sent.as_ref()
        .is_err_and(|error| error.cause == Cause::Halted)
}

/// An entity could not be made ready: what it refers to is missing.
fn not_prepared(reason: impl Into<String>) -> StepResult {
    lost(Failure::Reference, reason)
}

/// An entity did not make it, for a reason of this kind.
fn lost(cause: Failure, reason: impl Into<String>) -> StepResult {
    StepResult::Failed {
        reason: reason.into(),
        cause,
    }
}
