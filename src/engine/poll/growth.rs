//! How many items a content batch takes, and how many batches are at the target at one time.
//!
//! Both begin small, because a large batch delays others where items are processed one after another, and many batches only
//! wait for one another where one is processed at a time. How the target works is not assumed, but observed:
//!
//! | observed | conclusion |
//! |---|---|
//! | batches of a size are done soon, waiting for others included | larger batches |
//! | they are not | the size stays |
//! | a batch is done about as soon as the fastest one of its size | more at one time |
//! | a batch takes much longer than that one: it waits for others | fewer at one time |

use std::time::Duration;

use super::times::{BatchCosts, BatchKind};

/// Items of a content batch at first.
pub(in crate::engine) const FIRST_ITEMS: usize = 50;
/// Content batches at the target at one time, at first and at least.
pub(in crate::engine) const FIRST_AT_ONCE: usize = 3;
/// The sizes that are tried one after another. The last one is the most that the Management API takes.
const ITEMS: [u32; 3] = [50, 100, 250];
/// Batches of a size before its time is meaningful: the wait for a new size begins with a guess.
const TRIES: u32 = 4;
/// A size that is done within this time keeps nothing waiting.
const SOON: Duration = Duration::from_millis(200);
/// Up to how many times the fastest time a batch counts as not having waited, and from when on as having waited.
const WAITED: (f64, f64) = (1.25, 1.6);
/// What looks and the network add to any time.
const SLACK: Duration = Duration::from_millis(20);
/// How much the fastest time is forgotten with each batch, so that a target that has become slower is found out.
const FORGET: f64 = 1.005;

/// What was seen of content batches.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    sizes: [Seen; ITEMS.len()],
    at_once: f64,
}

/// What was seen of one size.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: u32,
    fastest: Option<Duration>,
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            sizes: [Seen::default(); ITEMS.len()],
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            at_once: FIRST_AT_ONCE as f64,
        }
    }
}

impl Growth {
    /// Notes that a content batch of so many items was found done after `time`.
    pub(super) fn done(&mut self, items: u32, time: Duration) {
        // Batches that are not full show little: there was nothing to be gained.
        let Some(at) = ITEMS.iter().rposition(|size| items >= size * 3 / 4) else {
            return;
        };
        let seen = &mut self.sizes[at];
        seen.count = seen.count.saturating_add(1);
        let fastest = seen
            .fastest
            .map_or(time, |fastest| fastest.mul_f64(FORGET).min(time));
        seen.fastest = Some(fastest);
        if time <= fastest.mul_f64(WAITED.0) + SLACK {
            self.at_once += 1.0 / self.at_once;
        } else if time > fastest.mul_f64(WAITED.1) + SLACK {
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let least = FIRST_AT_ONCE as f64;
            self.at_once = (self.at_once - 1.0 / self.at_once).max(least);
        }
    }

    /// Items of a content batch, at most.
    pub(super) fn items(&self, costs: &BatchCosts) -> usize {
        let is_soon = |(size, seen): &(u32, &Seen)| {
            seen.count >= TRIES && costs.time(BatchKind::Content, *size) <= SOON
        };
        let sizes = ITEMS.into_iter().zip(&self.sizes);
        let steps = sizes.take(ITEMS.len() - 1).take_while(is_soon).count();
        ITEMS[steps] as usize
    }

    /// Content batches at the target at one time, at most.
    pub(super) fn at_once(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 3 up, and it grows by less than one for each batch"
        )]
        let whole = self.at_once as usize;
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What comes of batches that are filled as the growth has it, at a target that needs a time for each item and for each
    /// batch, `workers` at one time.
    fn settled(item: Duration, batch: Duration, workers: u32) -> (usize, usize) {
        let mut growth = Growth::default();
        let mut costs = BatchCosts::unknown();
        for _ in 0..200 {
            let items = u32::try_from(growth.items(&costs)).unwrap();
            let at_once = u32::try_from(growth.at_once()).unwrap();
            let alone = item * items + batch;
            let mut slowest = Duration::ZERO;
            for nth in 1..=at_once {
                let time = alone * nth.div_ceil(workers) + ms(20);
                growth.done(items, time);
                slowest = time;
            }
            costs = costs.with(BatchKind::Content, items, slowest);
        }
        (growth.items(&costs), growth.at_once().min(64))
    }

    #[test]
    fn where_batches_wait_for_one_another_they_stay_small_and_few() {
        assert_eq!(settled(ms(5), ms(0), 1), (50, 3));
        assert_eq!(settled(ms(0), ms(500), 1), (50, 3));
    }

    #[test]
    fn where_batches_are_done_beside_one_another_there_are_many() {
        assert_eq!(settled(ms(0), ms(2_000), 1_000), (50, 64));
        let (items, at_once) = settled(ms(5), ms(0), 8);
        assert_eq!(items, 50);
        assert!((8..=16).contains(&at_once), "{at_once}");
    }

    #[test]
    fn where_batches_are_done_at_once_they_are_full_too() {
        assert_eq!(settled(ms(0), ms(0), 1_000), (250, 64));
    }
}
