//! A batch, followed to its end. When it is looked at is learnt in [`crate::engine::poll`].

use std::time::Duration;

use tokio::time::Instant;

use super::inquiry::Inquiry;
use crate::domain::BatchId;
use crate::engine::crew::Crew;
use crate::engine::pace::Class;
use crate::engine::poll::AtTarget;
use crate::event::Event;
use crate::instance::{
    BatchStatus, Cause, Effect, Refusal, RequestError, RowResult, Source, Target,
};

/// How a batch ended.
#[derive(Debug)]
pub(in crate::engine) enum BatchEnd {
    /// Item by item.
    Finished(Vec<RowResult>),
    /// As a whole, without effect as far as the server tells.
    Failed(Refusal),
    /// It is not known: the server still works on it, or cannot be asked.
    Unknown(String),
    /// It is not known, and the run ends before it could be asked for.
    Halted,
}

/// Polls `batch` of this run, which has so many items, until it ends.
pub(in crate::engine) async fn wait<S, T>(
    crew: &Crew<S, T>,
    batch: BatchId,
    (at_target, items): (AtTarget<'_>, u32),
) -> BatchEnd
where
    S: Source + Clone,
    T: Target + Clone,
{
    crew.batches.insert(batch);
    let poll = Poll {
        batch,
        age: Duration::ZERO,
        first: at_target.due(),
    };
    let mut seen = 0;
    let progress = |_, processed: u32| {
        let processed = processed.min(items);
        let is_more = processed > seen;
        seen = seen.max(processed);
        is_more.then_some(Event::BatchProgressed { batch, processed })
    };
    let end = follow(&crew.inquiry(), &poll, at_target, progress).await;
    crew.batches.remove(&batch);
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

/// Polls a batch until it ends. `None`: it is so old that the target must have known it, and does not. `told` makes of the
/// time that passed and the items that are done what is told of a batch that has not ended.
pub(super) async fn follow<T: Target>(
    inquiry: &Inquiry<'_, T>,
    poll: &Poll,
    mut at_target: AtTarget<'_>,
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
        tokio::time::sleep(pause.min(left)).await;
        let ask = || {
            sent = Instant::now();
            inquiry.target.poll(batch)
        };
        let status = inquiry.sender.send_as(Class::Poll, Effect::Read, ask).await;
        let processed = match status {
            Ok(BatchStatus::Finished(results)) => {
                at_target.done(sent);
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
        pause = at_target.working(sent);
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
