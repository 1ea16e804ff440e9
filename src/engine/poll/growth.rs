//! How many items a content batch takes, and how many batches are at the target at one time.
//!
//! Both begin small, because a large batch keeps others waiting where items are worked off one after another, and many
//! batches only wait for one another where one is worked off at a time. How the target works is not assumed, but seen:
//!
//! | seen | conclusion |
//! |---|---|
//! | batches of a size are done soon, waiting for others included | larger batches |
//! | the fastest one of a size took hardly longer than the fastest one of a single item | larger batches |
//! | neither | the size stays |
//! | a batch is done about as soon as the fastest one of about its size | more at one time: one more for each, and once some had to wait, one more for as many as there are |
//! | a batch takes much longer than that one: it waits for others | fewer at one time |

use std::time::Duration;

use super::times::{BatchCosts, BatchKind, SIZES, size};

/// Items of a content batch at first.
pub(in crate::engine) const FIRST_ITEMS: usize = 50;
/// Content batches at the target at one time, at first and at least.
pub(in crate::engine) const FIRST_AT_ONCE: usize = 3;
/// The sizes that are tried one after another. The last one is the most that the Management API takes.
const ITEMS: [u32; 3] = [50, 100, 250];
/// Batches of a size before its time says anything: the wait for a new size begins with a guess.
const TRIES: u32 = 4;
/// A size that is done within this time keeps nothing waiting.
const SOON: Duration = Duration::from_millis(200);
/// Up to how many times the fastest time a batch counts as not having waited, and from when on as having waited.
const WAITED: (f64, f64) = (1.25, 1.6);
/// What looks and the network add to any time.
const SLACK: Duration = Duration::from_millis(20);
/// How much the fastest time is forgotten with each batch, so that a target that has become slower is found out.
const FORGET: f64 = 1.005;

/// What was seen of batches that save.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    /// The fastest batch of each class of sizes.
    fastest: [Fastest; SIZES],
    /// Full batches of each size of [`ITEMS`].
    full: [u32; ITEMS.len()],
    /// The fastest of these.
    fastest_full: [Fastest; ITEMS.len()],
    at_once: f64,
    /// Whether a batch has ever waited for others.
    has_waited: bool,
}

/// The fastest time of late.
#[derive(Clone, Copy, Debug, Default)]
struct Fastest(Option<Duration>);

impl Fastest {
    /// Takes in a time. Returns the fastest one before it.
    fn note(&mut self, time: Duration) -> Option<Duration> {
        let before = self.0.map(|fastest| fastest.mul_f64(FORGET));
        self.0 = Some(before.map_or(time, |fastest| fastest.min(time)));
        before
    }
}

/// More at one time gain nothing that the limits of a run would not take back.
const MOST_AT_ONCE: f64 = 64.0;
#[expect(clippy::cast_precision_loss, reason = "a small number")]
const LEAST_AT_ONCE: f64 = FIRST_AT_ONCE as f64;

impl Default for Growth {
    fn default() -> Self {
        Self {
            fastest: [Fastest::default(); SIZES],
            full: [0; ITEMS.len()],
            fastest_full: [Fastest::default(); ITEMS.len()],
            at_once: LEAST_AT_ONCE,
            has_waited: false,
        }
    }
}

impl Growth {
    /// Notes that a batch of so many items or pages was found done after `time`.
    pub(super) fn done(&mut self, kind: BatchKind, items: u32, time: Duration) {
        let before = self.fastest[size(items)].note(time);
        if kind != BatchKind::Content {
            return;
        }
        if let Some(at) = ITEMS.iter().rposition(|size| items >= size * 3 / 4) {
            self.full[at] = self.full[at].saturating_add(1);
            self.fastest_full[at].note(time);
        }
        let Some(fastest) = before else {
            return;
        };
        if time <= fastest.mul_f64(WAITED.0) + SLACK {
            let more = if self.has_waited {
                1.0 / self.at_once
            } else {
                1.0
            };
            self.at_once = (self.at_once + more).min(MOST_AT_ONCE);
        } else if time > fastest.mul_f64(WAITED.1) + SLACK {
            self.has_waited = true;
            self.at_once = (self.at_once - 1.0 / self.at_once).max(LEAST_AT_ONCE);
        }
    }

    /// Items of a content batch, at most.
    pub(super) fn items(&self, costs: &BatchCosts) -> usize {
        let is_soon =
            |at: usize| self.full[at] >= TRIES && costs.time(BatchKind::Content, ITEMS[at]) <= SOON;
        // A size that was tried and takes longer is left again.
        let may_grow = |at: &usize| {
            is_soon(*at) || (self.is_flat(*at) == Some(true) && self.is_flat(at + 1) != Some(false))
        };
        let steps = (0..ITEMS.len() - 1).take_while(may_grow).count();
        ITEMS[steps] as usize
    }

    /// Whether a full batch of a size takes hardly longer than one of a single item, if both were seen.
    fn is_flat(&self, at: usize) -> Option<bool> {
        let (single, full) = (self.fastest[0].0?, self.fastest_full[at].0?);
        Some(full <= single.mul_f64(WAITED.0) + SLACK)
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
        growth.done(BatchKind::Content, 1, item + batch + ms(20));
        for _ in 0..200 {
            let items = u32::try_from(growth.items(&costs)).unwrap();
            let at_once = u32::try_from(growth.at_once()).unwrap();
            let alone = item * items + batch;
            let mut slowest = Duration::ZERO;
            for nth in 1..=at_once {
                let time = alone * nth.div_ceil(workers) + ms(20);
                growth.done(BatchKind::Content, items, time);
                slowest = time;
            }
            costs = costs.with(BatchKind::Content, items, slowest);
        }
        (growth.items(&costs), growth.at_once().min(64))
    }

    #[test]
    fn where_batches_wait_for_one_another_they_stay_few() {
        assert_eq!(settled(ms(5), ms(0), 1), (50, 3));
        assert_eq!(settled(ms(5), ms(300), 1), (50, 3));
    }

    #[test]
    fn where_items_take_no_time_of_their_own_batches_are_full() {
        assert_eq!(settled(ms(0), ms(500), 1), (250, 3));
        assert_eq!(settled(ms(0), ms(2_000), 1_000), (250, 64));
    }

    #[test]
    fn where_batches_are_done_beside_one_another_there_are_many() {
        let (items, at_once) = settled(ms(5), ms(0), 8);
        assert_eq!(items, 50);
        assert!((8..=16).contains(&at_once), "{at_once}");
    }

    #[test]
    fn a_size_that_turns_out_to_take_longer_is_left_again() {
        let mut growth = Growth::default();
        let costs = BatchCosts::unknown();
        growth.done(BatchKind::Page, 1, ms(400));
        growth.done(BatchKind::Content, 50, ms(420));
        assert_eq!(growth.items(&costs), 100, "a page takes as long");
        growth.done(BatchKind::Content, 100, ms(800));
        assert_eq!(growth.items(&costs), 50);
    }

    #[test]
    fn where_batches_are_done_at_once_they_are_full_too() {
        assert_eq!(settled(ms(0), ms(0), 1_000), (250, 64));
    }
}
