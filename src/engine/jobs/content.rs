//! Content items: batches of one locale, each matched by position and counted.

use std::future::Future;
use std::pin::Pin;

use super::doubt::{self, Doubt};
use super::polling::{self, BatchEnd};
use super::read_back;
use super::{Lot, close, disguise, failed, held, keep_all, never_left, not_sent, show};
use crate::domain::{BatchId, Failure, Kind, Locale};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::pace::Class;
use crate::engine::state::{Step, StepResult};
use crate::event::Event;
use crate::instance::{Cause, Effect, Refusal, RequestError, Saved, Source, Target, Verdict};
use crate::plan::Node;
use crate::planted::{self, Bug};
use crate::store::{IntentId, IntentState, Operation, StoreError};

type Results = Result<Vec<StepResult>, StoreError>;

pub(super) async fn run<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    steps: &[(Node, Step)],
    probe: bool,
) -> Result<(Vec<StepResult>, Option<String>), StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let lot = Lot::prepare(crew, steps);
    let results = if lot.items.is_empty() {
        Vec::new()
    } else {
        batch(crew, locale, &lot.items, 1).await?
    };
    let stop = if probe {
        read_back::compare(crew, &lot.items, &results).await
    } else {
        None
    };
    Ok((lot.results(results), stop))
}

/// Hands in a batch and follows it to its end. Boxed, because a batch that fails as a whole is handed in again
/// in two halves.
fn batch<'a, S, T>(
    crew: &'a Crew<S, T>,
    locale: &'a Locale,
    items: &'a [Prepared],
    attempt: u32,
) -> Pin<Box<dyn Future<Output = Results> + Send + 'a>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    Box::pin(async move {
        let intent = crew.open_intent(operation(items), items, attempt).await?;
        let saves = Lot::saves(items);
        let submit = || crew.target.submit_items(locale, &saves);
        let sender = crew.under(intent);
        match sender.send_as(Class::Submit, Effect::Write, submit).await {
            Ok(batch) => follow(crew, locale, items, (intent, attempt), batch).await,
            Err(error) if error.cause == Cause::Halted => {
                never_left(crew, intent, items.len()).await
            }
            Err(error) => not_submitted(crew, locale, items, (intent, attempt), &error).await,
        }
    })
}

pub(super) async fn follow<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
    (intent, attempt): (IntentId, u32),
    batch: BatchId,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let at_target = crew.worker.begin(count);
    crew.number_intent(intent, batch).await?;
    let submitted = Event::BatchSubmitted {
        batch,
        locale: locale.clone(),
        kind: Kind::Content,
        items: count,
    };
    crew.sink.emit(submitted).await;
    match polling::wait(crew, batch, at_target).await {
        BatchEnd::Finished(results) if results.len() == items.len() => {
            let results = keep(crew, intent, items, results).await?;
            tell_end(crew, batch, &results).await;
            Ok(results)
        }
        BatchEnd::Finished(results) => {
            let why = format!(
                "batch {batch} has {} results for {count} items",
                results.len()
            );
            let doubt = Doubt::ended(intent, attempt, (Failure::Refused, &why));
            doubt::settle_items(crew, locale, items, doubt).await
        }
        BatchEnd::Failed(refusal) if items.len() > 1 => {
            crew.sink
                .emit(Event::BatchSplit {
                    batch,
                    items: count,
                })
                .await;
            crew.open.note(intent, &told(&refusal));
            close(crew, intent, IntentState::Failed).await?;
            doubt::split_after(crew, locale, items, attempt, &refusal).await
        }
        BatchEnd::Failed(refusal) => {
            crew.open.note(intent, &told(&refusal));
            close(crew, intent, IntentState::Failed).await?;
            Ok(vec![refused(&refusal)])
        }
        BatchEnd::Halted => Ok(held(items.len())),
        BatchEnd::Unknown(why) => {
            let doubt = Doubt::working(intent, attempt, &why);
            doubt::settle_items(crew, locale, items, doubt).await
        }
    }
}

/// Makes the results durable in one commit, then shows them.
pub(super) async fn keep<S, T>(
    crew: &Crew<S, T>,
    intent: IntentId,
    items: &[Prepared],
    mut results: Vec<Result<Saved, Refusal>>,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    if planted::has(Bug::SwapsResults) {
        results.reverse();
    }
    let saved = items.iter().zip(&results).enumerate();
    let saved = saved.filter_map(|(at, (item, result))| Some((at, item, result.as_ref().ok()?)));
    let (mut changes, mut taken) = keep_all(crew, saved);
    changes.push(crew.closed(intent, IntentState::Done));
    crew.store.commit(changes).await?;
    let mut shown = Vec::with_capacity(items.len());
    for (at, (item, result)) in items.iter().zip(results).enumerate() {
        shown.push(match (taken.remove(&at), result) {
            (Some(refused), Ok(saved)) => {
                disguise::put_back(crew, item, &saved).await?;
                refused
            }
            (None, Ok(saved)) => show(crew, item, &saved),
            (_, Err(refusal)) => refused(&refusal),
        });
    }
    Ok(shown)
}

async fn tell_end<S, T>(crew: &Crew<S, T>, batch: BatchId, results: &[StepResult])
where
    S: Source + Clone,
    T: Target + Clone,
{
    let succeeded = results
        .iter()
        .filter(|result| matches!(result, StepResult::Saved { .. }))
        .count();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let (succeeded, failed) = (count(succeeded), count(results.len() - succeeded));
    crew.sink
        .emit(Event::BatchFinished {
            batch,
            succeeded,
            failed,
        })
        .await;
}

async fn not_submitted<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
    (intent, attempt): (IntentId, u32),
    error: &RequestError,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    if error.verdict(Effect::Write) == Verdict::Reconcile {
        let why = error.to_string();
        let doubt = Doubt::ended(intent, attempt, (error.cause.failure(), &why));
        return doubt::settle_items(crew, locale, items, doubt).await;
    }
    close(crew, intent, IntentState::Failed).await?;
    // One item can make the server refuse the request that carries it, also for lack of rights on its container.
    if matches!(error.cause, Cause::Refused { .. } | Cause::Forbidden) && items.len() > 1 {
        return halves(crew, locale, items, attempt).await;
    }
    Ok(items.iter().map(|_| not_sent(error)).collect())
}

/// Hands the items in again in two batches.
pub(super) async fn halves<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
    attempt: u32,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    let (first, second) = items.split_at(items.len() / 2);
    let mut results = batch(crew, locale, first, attempt).await?;
    results.extend(batch(crew, locale, second, attempt).await?);
    Ok(results)
}

/// Hands the items in again.
pub(super) async fn again<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
    attempt: u32,
) -> Results
where
    S: Source + Clone,
    T: Target + Clone,
{
    batch(crew, locale, items, attempt).await
}

fn operation(items: &[Prepared]) -> Operation {
    if items.iter().all(|item| item.step == Step::Patch) {
        Operation::Patch
    } else if items.iter().all(|item| item.save.id.is_some()) {
        Operation::Update
    } else {
        Operation::Create
    }
}

pub(super) fn refused(refusal: &Refusal) -> StepResult {
    failed(told(refusal))
}

/// What the server said about an item or a batch.
pub(super) fn told(refusal: &Refusal) -> String {
    let kind = refusal
        .error_type
        .as_ref()
        .map(|kind| format!("{kind}: "))
        .unwrap_or_default();
    format!("the server refused it: {kind}{:?}", refusal.said)
}
