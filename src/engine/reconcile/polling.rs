//! Waiting for a batch: until the worker should be done with it and what came before it, then by the server's own progress.

use std::time::Duration;

use tokio::time::Instant;

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
const POLL_MAX: Duration = Duration::from_secs(2);

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

/// Polls `batch` until it ends.
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
    let end = follow(crew, batch, at_target).await;
    crew.batches.remove(&batch);
    end
}

async fn follow<S, T>(crew: &Crew<S, T>, batch: BatchId, mut at_target: AtTarget<'_>) -> BatchEnd
where
    S: Source + Clone,
    T: Target + Clone,
{
    let started = Instant::now();
    let items = at_target.items();
    let mut seen = 0;
    let mut pause = first_pause(at_target.due());
    loop {
        tokio::time::sleep(pause).await;
        let status = crew
            .to_target()
            .send_as(Class::Poll, Effect::Read, || crew.target.poll(batch))
            .await;
        match status {
            Ok(BatchStatus::Finished(results)) => {
                at_target.ended();
                return BatchEnd::Finished(results);
            }
            Ok(BatchStatus::Failed(refusal)) => return BatchEnd::Failed(refusal),
            Ok(BatchStatus::Unknown) => {
                at_target.working(None);
                pause = next_pause(crew.worker.item(), started.elapsed(), 0, items);
            }
            Ok(BatchStatus::Working { processed }) => {
                at_target.working(processed);
                let processed = processed.unwrap_or(0);
                pause = next_pause(crew.worker.item(), started.elapsed(), processed, items);
                if processed > seen {
                    seen = processed;
                    crew.sink
                        .emit(Event::BatchProgressed { batch, processed })
                        .await;
                }
            }
            Err(error) if error.cause == Cause::Halted => return BatchEnd::Halted,
            Err(error) => return BatchEnd::Unknown(unknown(batch, &error)),
        }
        if started.elapsed() > crew.options.batch_timeout {
            return BatchEnd::Unknown(format!(
                "batch {batch} did not end within {} s",
                crew.options.batch_timeout.as_secs()
            ));
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
