//! The time that the worker of the target takes for an item of a batch.
//!
//! Nobody tells it. A batch is seen at work or done only when it is asked for, and it is asked for late: the question
//! waits for the rate, and after a throttling everybody does. So a mean of what batches took is too long, by as much
//! again as the truth where the rate is what a run waits for. Each batch does set two bounds that hold however late anybody
//! looks, and what most of them allow is the time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Batches of fewer items set no bound of their own: what they take is mostly the way there and back. Every page is
/// such a batch.
const TELLING: u32 = 10;

/// The time of an item before anything is known of it.
const UNKNOWN: Duration = Duration::from_millis(5);

/// Batches that are remembered.
const KEPT: usize = 32;

/// Learns from batches how fast the worker is. It is taken to be serial: first come, first served.
#[derive(Debug, Default)]
pub struct Worker(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Items that were handed in so far.
    handed_in: u64,
    /// Items at the target, as far as is known.
    there: u64,
    /// When it is likely to be done with them.
    free_at: Option<Instant>,
    /// The latest batches: when each came to the target, and how many items had come before it.
    came: VecDeque<(Instant, u64)>,
    bounds: VecDeque<Bounds>,
}

/// What a batch told of the time of an item.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    least: Duration,
    most: Duration,
    items: u32,
}

/// A batch that is at the target until this is dropped.
#[derive(Debug)]
pub struct AtTarget<'a> {
    worker: &'a Worker,
    items: u32,
    came: Instant,
    /// When it is likely to be done.
    done_at: Instant,
    /// Items that may have been there when it came.
    ahead: u64,
    /// Items that were handed in up to this batch, itself included.
    up_to: u64,
    least: Duration,
    most: Duration,
    ended: bool,
}

impl Worker {
    /// Notes that a batch was handed in: at once when the target has answered, or the bounds do not hold.
    pub fn begin(&self, items: u32) -> AtTarget<'_> {
        let item = self.expected();
        let mut seen = self.seen();
        let came = Instant::now();
        let done_at = seen.free_at.map_or(came, |free| free.max(came)) + item * items;
        seen.free_at = Some(done_at);
        let before = seen.handed_in;
        if seen.came.len() == KEPT {
            seen.came.pop_front();
        }
        seen.came.push_back((came, before));
        let ahead = seen.there;
        seen.handed_in += u64::from(items);
        seen.there += u64::from(items);
        AtTarget {
            worker: self,
            items,
            came,
            done_at,
            ahead,
            up_to: seen.handed_in,
            least: Duration::ZERO,
            most: Duration::MAX,
            ended: false,
        }
    }

    /// The time of one item as far as is known.
    pub fn expected(&self) -> Duration {
        self.item().unwrap_or(UNKNOWN)
    }

    /// The time of one item; `None` before a batch has told it.
    pub fn item(&self) -> Option<Duration> {
        let (low, high) = self.seen().middle()?;
        // Where no batch was seen at work shortly before its end the lower bound says little.
        Some((low.max(high * 3 / 4).min(high) + high) / 2)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().expect("no holder panics")
    }
}

impl Seen {
    /// As many lower bounds as upper ones: those in the middle are the highest lower and the lowest upper one as long as
    /// they agree, and what contradicts the fewest items where they do not.
    fn middle(&self) -> Option<(Duration, Duration)> {
        let both = |told: &Bounds| [(told.least, told.items), (told.most, told.items)];
        let mut bounds: Vec<(Duration, u32)> = self.bounds.iter().flat_map(both).collect();
        bounds.sort_unstable();
        let half = self.bounds.iter().map(|told| told.items).sum();
        let mut passed = 0;
        let mut low = None;
        for (bound, items) in bounds {
            if let Some(low) = low {
                return Some((low, bound));
            }
            passed += items;
            if passed > half {
                return Some((bound, bound));
            }
            low = (passed == half).then_some(bound);
        }
        None
    }
}

impl AtTarget<'_> {
    /// Items in the batch.
    pub const fn items(&self) -> u32 {
        self.items
    }

    /// The time until it is likely to be done, with all that came before it.
    pub fn due(&self) -> Duration {
        self.done_at.saturating_duration_since(Instant::now())
    }

    /// Notes that it is not done yet, and how many of its items are, if the target told.
    pub fn working(&mut self, processed: Option<u32>) {
        let item = processed.map_or(self.items, |done| self.items.min(done + 1));
        let items = self.ahead + u64::from(item);
        let items = u32::try_from(items).unwrap_or(u32::MAX).max(1);
        let passed = self.came.elapsed();
        self.least = self.least.max(passed / items);
        if let Some(most) = processed.and_then(|done| passed.checked_div(done)) {
            self.most = self.most.min(most);
        }
    }

    /// Notes that it was worked off.
    pub fn ended(mut self) {
        self.ended = true;
    }

    /// The longest that an item can have taken, because of the batches that came since some moment all are done.
    fn most(&self, seen: &Seen) -> Duration {
        let now = Instant::now();
        let since = |(came, before): &(Instant, u64)| {
            let items = u32::try_from(self.up_to - before).unwrap_or(u32::MAX);
            (now - *came) / items.max(1)
        };
        let came = seen.came.iter().filter(|(_, before)| *before < self.up_to);
        let own = self.came.elapsed() / self.items.max(1);
        came.map(since).fold(self.most.min(own), Duration::min)
    }
}

impl Drop for AtTarget<'_> {
    fn drop(&mut self) {
        let item = self.worker.expected();
        let mut seen = self.worker.seen();
        seen.there -= u64::from(self.items);
        let there = u32::try_from(seen.there).unwrap_or(u32::MAX);
        // Whoever is left came later, as far as anybody knows: all that there is to do is theirs.
        let free_at = Instant::now() + item * there;
        seen.free_at = seen.free_at.map(|free| free.min(free_at));
        if !self.ended {
            // Whoever came before it: nobody knows whether its items were worked off.
            seen.came.clear();
        } else if self.items >= TELLING {
            let bounds = Bounds {
                least: self.least,
                most: self.most(&seen),
                items: self.items,
            };
            if seen.bounds.len() == KEPT {
                seen.bounds.pop_front();
            }
            seen.bounds.push_back(bounds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(ms: u64) {
        tokio::time::advance(Duration::from_millis(ms)).await;
    }

    fn ms(time: Option<Duration>) -> Option<u128> {
        time.map(|time| time.as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_seen_at_work_and_done_tells_the_time_of_an_item() {
        let worker = Worker::default();
        let mut batch = worker.begin(50);
        assert_eq!(worker.item(), None);
        pass(240).await;
        batch.working(None);
        pass(20).await;
        batch.ended();
        assert_eq!(ms(worker.item()), Some(5), "4.8 to 5.2");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_noticed_late_makes_nobody_slow() {
        let worker = Worker::default();
        // 5 ms an item; one question comes in time, the others wait for a rate that pages and assets need as well.
        for late in [300, 8, 500, 1_000, 200] {
            let mut batch = worker.begin(40);
            pass(190).await;
            batch.working(Some(37));
            pass(10 + late).await;
            batch.ended();
        }
        assert_eq!(ms(worker.item()), Some(5), "a mean says 15");
    }

    #[tokio::test(start_paused = true)]
    async fn batches_behind_one_another_share_the_worker() {
        let worker = Worker::default();
        let one = worker.begin(50);
        let mut two = worker.begin(50);
        let mut three = worker.begin(10);
        pass(260).await;
        one.ended();
        three.working(None);
        pass(230).await;
        two.working(None);
        pass(20).await;
        two.ended();
        pass(60).await;
        three.ended();
        assert_eq!(ms(worker.item()), Some(5), "the third waited for 100 items");
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_due_after_those_that_came_before_it() {
        let worker = Worker::default();
        let one = worker.begin(50);
        let two = worker.begin(1);
        assert_eq!((one.due().as_millis(), two.due().as_millis()), (250, 255));
        pass(100).await;
        one.ended();
        assert!(
            worker.begin(1).due() < Duration::from_millis(50),
            "it was quicker"
        );
        pass(9_000).await;
        two.ended();
        assert!(
            worker.begin(1).due() < Duration::from_millis(50),
            "it stood still"
        );
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
        let mut batch = worker.begin(50);
        pass(290).await;
        batch.working(None);
        pass(20).await;
        batch.ended();
        assert_eq!(ms(worker.item()), Some(6));
    }
}
