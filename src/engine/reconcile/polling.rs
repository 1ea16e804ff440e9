//! Waiting for a batch: until the worker should be done with it and what came before it, then by the server's own progress.

use std::time::Duration;

use tokio::time::Instant;

use super::inquiry::Inquiry;
use crate::domain::BatchId;
use crate::engine::crew::Crew;
use crate::engine::forecast::AtTarget;
use crate::engine::pace::Class;
use crate::event::Event;
use crate::instance::{BatchStatus, Cause, Effect, Refusal, RequestError, Saved, Source, Target};

/// The shortest wait between two polls. The worker of an instance is serial, so a finished batch that is
/// noticed a little late costs nothing while others are queued behind it.
const POLL_MIN: Duration = Duration::from_millis(25);
/// The longest wait between two polls (the vendor's own clients poll every 2 to 3 seconds).
pub(super) const POLL_MAX: Duration = Duration::from_secs(2);

/// How a batch ended.
#[derive(Debug)]
pub(in crate::engine) enum BatchEnd {
    /// Item by item.
    Finished(Vec<Result<Saved, Refusal>>),
    /// As a whole, without effect as far as the server tells.
    Failed(Refusal),
    /// It is not known: the server still works on it, or cannot be asked.
    Unknown(String),
    /// It is not known, and the run ends before it could be asked for.
    Halted,
}

/// Polls `batch` of this run until it ends.
pub(in crate::engine) async fn wait<S, T>(
    crew: &Crew<S, T>,
    batch: BatchId,
    at_target: AtTarget<'_>,
) -> BatchEnd
where
    S: Source + Clone,
    T: Target + Clone,
{
    crew.batches.insert(batch);
    let poll = Poll {
        batch,
        age: Duration::ZERO,
        first: first_pause(at_target.due()),
    };
    let mut seen = 0;
    let progress = |_, processed| {
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
    let items = at_target.items();
    let mut pause = first;
    loop {
        tokio::time::sleep(pause).await;
        let ask = || inquiry.target.poll(batch);
        let status = inquiry.sender.send_as(Class::Poll, Effect::Read, ask).await;
        let processed = match status {
            Ok(BatchStatus::Finished(results)) => {
                at_target.ended();
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
        at_target.working(processed);
        let processed = processed.unwrap_or(0);
        pause = next_pause(inquiry.worker.item(), started.elapsed(), processed, items);
        if let Some(event) = told(started.elapsed(), processed) {
            inquiry.sender.sink.emit(event).await;
        }
        if started.elapsed() > options.batch_timeout {
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

/// The wait for the first poll of a batch that is likely to be done after `due`.
pub(in crate::engine) fn first_pause(due: Duration) -> Duration {
    due.clamp(POLL_MIN, POLL_MAX)
}

/// The wait for the next poll of a batch that was handed in `elapsed` ago: what the worker needs for the items that are left,
/// if it has begun with them. Otherwise nobody knows what is before it, so what it waited already is the measure. `item` is what
/// one item takes, where that is known.
pub(in crate::engine) fn next_pause(
    item: Option<Duration>,
    elapsed: Duration,
    processed: u32,
    items: u32,
) -> Duration {
    let left = items.saturating_sub(processed);
    let pause = if processed == 0 {
        (elapsed / 3).max(item.unwrap_or_default() * items)
    } else {
        item.unwrap_or(elapsed / processed) * left
    };
    pause.clamp(POLL_MIN, POLL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: Option<Duration> = Some(Duration::from_millis(5));

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_batch_is_asked_for_when_it_should_be_done_and_then_by_its_progress() {
        assert_eq!(first_pause(ms(5)), POLL_MIN);
        assert_eq!(first_pause(ms(250)), ms(250));
        assert_eq!(next_pause(ITEM, ms(300), 25, 50), ms(125));
        assert_eq!(next_pause(None, ms(300), 25, 50), ms(300));
        assert_eq!(next_pause(ITEM, ms(300), 0, 50), ms(250), "none is begun");
    }

    #[test]
    fn who_waits_for_others_is_asked_for_less_and_less_often() {
        assert_eq!(next_pause(ITEM, ms(30), 0, 1), POLL_MIN);
        assert_eq!(next_pause(ITEM, ms(900), 0, 1), ms(300));
        assert_eq!(next_pause(ITEM, ms(90_000), 0, 1), POLL_MAX);
    }
}
