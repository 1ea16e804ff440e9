//! The time that the worker of the target takes for an item of a batch.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Batches of fewer items tell nothing by themselves: what they take is mostly the way there and back. Every page is
/// such a batch.
const TELLING: u32 = 10;

/// Items after which what was seen before counts half.
const MEMORY: u32 = 2_000;

/// Learns from batches how fast the worker is.
///
/// The worker is serial, so it is busy as long as a large batch is at the target, and works off whatever ends in the
/// meantime, small or large, in whatever order that is noticed. Only the end of a stretch is noticed a poll too late, so
/// the fewer stretches there are the truer is the result; a single batch tells how long an item takes at most.
#[derive(Debug, Default)]
pub struct Worker(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Large batches at the target.
    large: u32,
    /// Up to when the present stretch is counted.
    counted_to: Option<Instant>,
    time: Duration,
    items: u32,
}

/// A batch that is at the target until this is dropped.
#[derive(Debug)]
pub struct AtTarget<'a> {
    worker: &'a Worker,
    items: u32,
    ended: bool,
}

impl Worker {
    /// Notes that a batch was handed in.
    pub fn begin(&self, items: u32) -> AtTarget<'_> {
        let mut seen = self.seen();
        if items >= TELLING {
            if seen.large == 0 {
                seen.counted_to = Some(Instant::now());
            }
            seen.large += 1;
        }
        AtTarget {
            worker: self,
            items,
            ended: false,
        }
    }

    /// The time of one item; `None` before a batch has told it.
    pub fn item(&self) -> Option<Duration> {
        let seen = self.seen();
        seen.time.checked_div(seen.items)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().expect("no holder panics")
    }
}

impl AtTarget<'_> {
    /// Notes that it was worked off.
    pub fn ended(mut self) {
        self.ended = true;
    }
}

impl Drop for AtTarget<'_> {
    fn drop(&mut self) {
        let mut seen = self.worker.seen();
        if let (true, Some(from)) = (self.ended, seen.counted_to) {
            let now = Instant::now();
            seen.time += now - from;
            seen.items += self.items;
            seen.counted_to = Some(now);
        }
        if seen.items > MEMORY {
            seen.time /= 2;
            seen.items /= 2;
        }
        if self.items >= TELLING {
            seen.large -= 1;
            if seen.large == 0 {
                seen.counted_to = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(ms: u64) {
        tokio::time::advance(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_while_a_large_batch_is_there_tells_the_time_of_an_item() {
        let worker = Worker::default();
        let (one, two) = (worker.begin(50), worker.begin(1));
        assert_eq!(worker.item(), None);
        pass(250).await;
        let three = worker.begin(50);
        one.ended();
        pass(5).await;
        two.ended();
        pass(250).await;
        three.ended();
        assert_eq!(worker.item(), Some(Duration::from_millis(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn pages_by_themselves_and_batches_without_an_end_tell_nothing() {
        let worker = Worker::default();
        let page = worker.begin(1);
        pass(90).await;
        page.ended();
        let lost = worker.begin(50);
        pass(9_000).await;
        drop(lost);
        assert_eq!(worker.item(), None);
        let batch = worker.begin(50);
        pass(300).await;
        batch.ended();
        assert_eq!(worker.item(), Some(Duration::from_millis(6)));
    }
}
