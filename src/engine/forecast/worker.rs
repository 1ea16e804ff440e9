//! The time that the worker of the target takes for an item of a batch.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Batches of fewer items tell nothing about the time of an item: what they take is mostly the way there and back.
const TELLING: u32 = 10;

/// Items after which what was seen before counts half.
const MEMORY: u32 = 2_000;

/// Items that have to be seen behind one another before these alone count.
const ENOUGH: u32 = 100;

/// Learns from batches how fast the worker is.
///
/// The worker is serial, so a batch that was handed in while another was worked on began when that one ended: the time
/// between the two ends is its own. One that had the worker for itself is noticed a poll too late, and so tells only
/// how long an item takes at most.
#[derive(Debug, Default)]
pub struct Worker(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    last_end: Option<Instant>,
    behind: Sum,
    alone: Sum,
}

/// Items and the time that they took.
#[derive(Debug, Default)]
struct Sum {
    time: Duration,
    items: u32,
}

impl Sum {
    fn add(&mut self, time: Duration, items: u32) {
        self.time += time;
        self.items += items;
        if self.items > MEMORY {
            self.time /= 2;
            self.items /= 2;
        }
    }
}

impl Worker {
    /// Notes that a batch that was handed in at this moment has ended.
    pub fn ended(&self, handed_in: Instant, items: u32) {
        let now = Instant::now();
        let mut seen = self.seen();
        let before = seen.last_end.replace(now);
        if items < TELLING {
            return;
        }
        match before.filter(|end| *end > handed_in) {
            Some(end) => seen.behind.add(now - end, items),
            None => seen.alone.add(now - handed_in, items),
        }
    }

    /// The time of one item; `None` before a batch has told it.
    pub fn item(&self) -> Option<Duration> {
        let seen = self.seen();
        let sum = if seen.behind.items >= ENOUGH || seen.alone.items == 0 {
            &seen.behind
        } else {
            &seen.alone
        };
        sum.time.checked_div(sum.items)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ends_behind_one_another_tell_the_time_of_an_item() {
        let worker = Worker::default();
        let start = Instant::now();
        assert_eq!(worker.item(), None);
        tokio::time::advance(Duration::from_millis(300)).await;
        worker.ended(start, 50);
        assert_eq!(worker.item(), Some(Duration::from_millis(6)), "at most");
        for _ in 0..2 {
            tokio::time::advance(Duration::from_millis(250)).await;
            worker.ended(start, 50);
        }
        assert_eq!(worker.item(), Some(Duration::from_millis(5)));
        tokio::time::advance(Duration::from_secs(9)).await;
        worker.ended(start, 1);
        assert_eq!(worker.item(), Some(Duration::from_millis(5)), "a page");
    }
}
