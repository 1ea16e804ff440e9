//! Polls a batch to its end. [`crate::engine::poll`] decides when.

use std::time::Duration;

use tokio::time::Instant;

use super::inquiry::Inquiry;
use crate::domain::{BatchId, Kind, Locale};
use crate::engine::accepted;
use crate::engine::context::{Ends, RunContext};
use crate::engine::pace::Class;
use crate::engine::poll::{BatchKind, InFlightBatch};
use crate::engine::sink::Sink;
use crate::event::Event;
use crate::instance::{BatchStatus, Cause, Effect, Refusal, RequestError, RowResult, Target};
use crate::store::{IntentId, StoreError};

/// How a batch ended.
#[derive(Debug)]
pub(in crate::engine) enum BatchEnd {
    /// Item by item.
    Finished(Vec<RowResult>),
    /// As a whole, without effect as far as the server states.
    Failed(Refusal),
    /// It is not known: the server still works on it, or cannot be asked.
    Unknown(String),
    /// It is not known, and the run ends before it could be asked for.
    Halted,
}

/// A batch that this run has handed in.
#[derive(Debug)]
pub(in crate::engine) struct HandedIn<'a> {
    pub(in crate::engine) batch: BatchId,
    pub(in crate::engine) kind: Kind,
    /// `None` leaves it open.
    pub(in crate::engine) locale: Option<&'a Locale>,
    pub(in crate::engine) items: u32,
    pub(in crate::engine) does: BatchKind,
}

/// Notes the number of a batch, reports it and follows it to its end.
///
/// # Errors
/// [`StoreError`] when the number could not be noted.
pub(in crate::engine) async fn follow_noted<E: Ends>(
    context: &RunContext<E>,
    intent: IntentId,
    handed: &HandedIn<'_>,
) -> Result<BatchEnd, StoreError> {
    let batch_in_flight = context
        .instances
        .batch_times
        .begin(handed.does, handed.items);
    context.journal.number_intent(intent, handed.batch).await?;
    accepted::report();
    Ok(emit_and_wait(context, handed, batch_in_flight).await)
}

/// As [`follow_noted`], of a batch that has no intent.
pub(in crate::engine) async fn follow_quietly<E: Ends>(
    context: &RunContext<E>,
    handed: &HandedIn<'_>,
) -> BatchEnd {
    let batch_in_flight = context
        .instances
        .batch_times
        .begin(handed.does, handed.items);
    emit_and_wait(context, handed, batch_in_flight).await
}

/// The same, and also reports how it ended.
pub(in crate::engine) async fn follow_and_emit<E: Ends>(
    context: &RunContext<E>,
    handed: &HandedIn<'_>,
) -> BatchEnd {
    let end = follow_quietly(context, handed).await;
    emit_finished(&context.sink, handed, &end).await;
    end
}

async fn emit_and_wait<E: Ends>(
    context: &RunContext<E>,
    handed: &HandedIn<'_>,
    batch_in_flight: InFlightBatch<'_>,
) -> BatchEnd {
    let HandedIn {
        batch, kind, items, ..
    } = *handed;
    if let Some(locale) = handed.locale {
        let submitted = Event::BatchSubmitted {
            batch,
            locale: locale.clone(),
            kind,
            items,
        };
        context.sink.emit(submitted).await;
    }
    wait(context, batch, (batch_in_flight, items)).await
}

/// Reports how a batch ended that is not handed in again in parts.
pub(in crate::engine) async fn emit_finished(sink: &Sink, handed: &HandedIn<'_>, end: &BatchEnd) {
    let succeeded = match end {
        BatchEnd::Finished(results) => results.iter().filter(|result| result.is_ok()).count(),
        BatchEnd::Failed(_) | BatchEnd::Unknown(_) | BatchEnd::Halted => 0,
    };
    let succeeded = u32::try_from(succeeded).unwrap_or(u32::MAX);
    let succeeded = succeeded.min(handed.items);
    let finished = Event::BatchFinished {
        batch: handed.batch,
        succeeded,
        failed: handed.items - succeeded,
    };
    sink.emit(finished).await;
}

/// Polls `batch` of this run, which has so many items, until it ends.
pub(in crate::engine) async fn wait<E: Ends>(
    context: &RunContext<E>,
    batch: BatchId,
    (batch_in_flight, items): (InFlightBatch<'_>, u32),
) -> BatchEnd {
    context.journal.batches.insert(batch);
    let poll = Poll {
        batch,
        age: Duration::ZERO,
        first: batch_in_flight.due(),
    };
    let mut seen = 0;
    let progress = |_, processed: u32| {
        let processed = processed.min(items);
        let is_more = processed > seen;
        seen = seen.max(processed);
        is_more.then_some(Event::BatchProgressed { batch, processed })
    };
    let end = follow(&context.inquiry(), &poll, batch_in_flight, progress).await;
    context.journal.batches.remove(&batch);
    end.unwrap_or_else(|| BatchEnd::Unknown(format!("the target does not know batch {batch}")))
}

/// What is polled.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) batch: BatchId,
    /// How long ago it was handed in when the polling begins.
    pub(super) age: Duration,
    /// The wait before it is asked for the first time.
    pub(super) first: Duration,
}

/// Polls a batch until it ends. `None`: it is so old that the target must have had it, and does not have it. `told` turns
/// the time that passed and the items that are done into the event of a batch that has not ended.
pub(super) async fn follow<T: Target>(
    inquiry: &Inquiry<'_, T>,
    poll: &Poll,
    mut batch_in_flight: InFlightBatch<'_>,
    mut told: impl FnMut(Duration, u32) -> Option<Event>,
) -> Option<BatchEnd> {
    let Poll { batch, age, first } = *poll;
    let options = inquiry.options;
    let started = Instant::now();
    let mut pause = first;
    // When the last look left: it may have waited for the rate.
    let mut sent = started;
    loop {
        let left = options.batch_timeout.saturating_sub(started.elapsed());
        batch_in_flight.pause(pause.min(left)).await;
        if let Some(more) = batch_in_flight.put_off().filter(|_| pause < left) {
            pause = more;
            continue;
        }
        let ask = || {
            sent = Instant::now();
            inquiry.target.poll(batch)
        };
        let status = inquiry.sender.send_as(Class::Poll, Effect::Read, ask).await;
        let processed = match status {
            Ok(BatchStatus::Finished(results)) => {
                batch_in_flight.done(sent);
                return Some(BatchEnd::Finished(results));
            }
            Ok(BatchStatus::Failed(refusal)) => return Some(BatchEnd::Failed(refusal)),
            // A fresh one becomes known in a moment.
            Ok(BatchStatus::Unknown)
                if age > options.batch_timeout && started.elapsed() > options.settle =>
            {
                return None;
            }
            Ok(BatchStatus::Unknown) => None,
            Ok(BatchStatus::Working { processed }) => processed,
            Err(error) if error.cause == Cause::Halted => return Some(BatchEnd::Halted),
            Err(error) => return Some(BatchEnd::Unknown(unknown(batch, &error))),
        };
        pause = batch_in_flight.working(sent);
        if let Some(event) = told(started.elapsed(), processed.unwrap_or(0)) {
            inquiry.sender.sink.emit(event).await;
        }
        if started.elapsed() >= options.batch_timeout {
            return Some(BatchEnd::Unknown(format!(
                "batch {batch} did not end within {} s",
                options.batch_timeout.as_secs()
            )));
        }
    }
}

fn unknown(batch: BatchId, error: &RequestError) -> String {
    format!("batch {batch} could not be followed to its end: {error}")
}
