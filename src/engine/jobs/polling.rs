//! Waiting for a batch: soon for a small one, by the server's own progress for a large one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::BatchId;
use crate::engine::crew::Crew;
use crate::engine::forecast::AtTarget;
use crate::engine::pace::Class;
use crate::event::Event;
use crate::instance::{BatchStatus, Effect, Refusal, RequestError, Saved, Source, Target};

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
    let mut polls = 0;
    let mut pause = first_pause(crew.item_micros.load(Ordering::Relaxed), items);
    loop {
        tokio::time::sleep(pause).await;
        polls += 1;
        let status = crew
            .to_target()
            .send_as(Class::Poll, Effect::Read, || crew.target.poll(batch))
            .await;
        match status {
            Ok(BatchStatus::Finished(results)) => {
                at_target.ended();
                let before = crew.item_micros.load(Ordering::Relaxed);
                let now = learned(before, started.elapsed(), items, polls);
                crew.item_micros.store(now, Ordering::Relaxed);
                return BatchEnd::Finished(results);
            }
            Ok(BatchStatus::Failed(refusal)) => return BatchEnd::Failed(refusal),
            Ok(BatchStatus::Unknown) => {
                at_target.working(None);
                pause = next_pause(pause, started.elapsed(), 0, items);
            }
            Ok(BatchStatus::Working { processed }) => {
                at_target.working(processed);
                let processed = processed.unwrap_or(0);
                pause = next_pause(pause, started.elapsed(), processed, items);
                if processed > seen {
                    seen = processed;
                    crew.sink
                        .emit(Event::BatchProgressed { batch, processed })
                        .await;
                }
            }
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

/// When a batch of this size is likely to be done.
pub(in crate::engine) fn first_pause(item_micros: u64, items: u32) -> Duration {
    Duration::from_micros(item_micros.saturating_mul(u64::from(items))).clamp(POLL_MIN, POLL_MAX)
}

/// The time that is likely to be left; without progress, half again the last pause.
pub(in crate::engine) fn next_pause(
    last: Duration,
    elapsed: Duration,
    processed: u32,
    items: u32,
) -> Duration {
    let pause = if processed == 0 {
        last + last / 2
    } else {
        elapsed / processed * items.saturating_sub(processed)
    };
    pause.clamp(POLL_MIN, POLL_MAX)
}

/// Batches of fewer items tell nothing about the time of an item: what they take is mostly the way there and back.
/// Every page is such a batch.
const TELLING: u32 = 10;

/// The time that the target needs for an item, in microseconds, after one more batch. A batch that was found
/// finished at the first poll tells only that it took no longer, so the next ones are asked for earlier; one
/// that took several polls tells how long it was at most. Between the two the first poll settles near the end.
pub(in crate::engine) fn learned(before: u64, elapsed: Duration, items: u32, polls: u32) -> u64 {
    if items < TELLING {
        return before;
    }
    if polls == 1 {
        return before - before / 4;
    }
    let most = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX) / u64::from(items.max(1));
    before.midpoint(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_batch_is_asked_for_soon_and_a_large_one_by_its_progress() {
        assert_eq!(first_pause(5_000, 1), POLL_MIN);
        assert_eq!(first_pause(5_000, 50), Duration::from_millis(250));
        let half_done = next_pause(
            Duration::from_millis(250),
            Duration::from_millis(300),
            25,
            50,
        );
        assert_eq!(half_done, Duration::from_millis(300));
        assert_eq!(
            next_pause(POLL_MAX, Duration::from_secs(9), 0, 50),
            POLL_MAX
        );
    }

    #[test]
    fn the_first_poll_settles_near_the_end_of_a_batch() {
        // The target needs 2 ms an item; each batch has 50.
        let needed = Duration::from_millis(100);
        let mut micros = 40_000;
        let mut late = Vec::new();
        for _ in 0..40 {
            let (mut at, mut polls) = (Duration::ZERO, 0);
            let mut pause = first_pause(micros, 50);
            while at < needed {
                at += pause;
                polls += 1;
                pause = next_pause(pause, at, 0, 50);
            }
            late.push(at.saturating_sub(needed));
            micros = learned(micros, at, 50, polls);
        }
        let settled = &late[20..];
        let mean = settled.iter().sum::<Duration>() / 20;
        assert!(
            mean < needed,
            "polls come {mean:?} late in the mean: {settled:?}"
        );
    }

    #[test]
    fn pages_do_not_make_the_target_look_slow() {
        assert_eq!(learned(5_000, Duration::from_millis(225), 1, 3), 5_000);
    }
}
