//! How many items a content batch takes, and how many batches are at the target at one time.
//!
//! All begin small, because a large batch delays others where items are processed one after another, and many batches only
//! wait for one another where one is processed at a time. How the target works is not assumed, but observed:
//!
//! | observed | conclusion |
//! |---|---|
//! | items add little to what a batch takes anyway, or are done soon | larger batches, and a short queue leaves as one |
//! | they add much | the size stays, and a short queue is shared out |
//! | a batch is done about as soon as the fastest one of its size | more at one time: twice as many, later one more |
//! | a batch takes much longer than that one: it waits for others | fewer at one time |
//! | a batch waits for each one before it, and items add little | one at one time, which takes what is ready by then |
//! | pages wait for one another | as many as are processed in a second |

use std::time::Duration;

use super::regression::Parts;
use super::times::{SIZES, size};

/// Content batches at the target at one time, at first and at least.
pub(in crate::engine) const FIRST_AT_ONCE: usize = 3;
/// The sizes that are tried one after another. The last one is the most that the Management API takes.
const ITEMS: [u32; 3] = [50, 100, 250];
/// A batch shows what one of this many times its size takes.
const SHOWS: u32 = 3;
/// Items that are done within this time keep nothing waiting.
const SOON: Duration = Duration::from_millis(200);
/// How long the queue of pages at the target may take. What is handed in later can be chosen later.
const QUEUE: Duration = Duration::from_secs(1);
/// Pages at the target at one time, at least: one that is processed, and the next one.
const PAGES: usize = 2;
/// Up to how many times the fastest time a batch counts as not having waited, and from when on as having waited.
const WAITED: (f64, f64) = (1.25, 1.6);
/// What looks and the network add to any time.
const SLACK: Duration = Duration::from_millis(20);
/// How much the fastest time is forgotten with each batch, so that a target that has become slower is found out.
const FORGET: f64 = 1.005;

/// How batches are handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Sizes {
    /// Items of a content batch at most.
    pub(in crate::engine) items: usize,
    /// Items that a short queue is shared out by, at least.
    pub(in crate::engine) share: usize,
    /// Content batches at the target at one time, at most.
    pub(in crate::engine) at_once: usize,
    /// Pages at the target at one time, at most.
    pub(in crate::engine) pages: usize,
    /// How long an item of a batch lets those behind it wait.
    pub(in crate::engine) waits: Duration,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            items: ITEMS[0] as usize,
            share: 1,
            at_once: FIRST_AT_ONCE,
            pages: usize::MAX,
            waits: Duration::ZERO,
        }
    }
}

/// What was seen of content batches.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    /// The fastest one of each size.
    fastest: [Option<Duration>; SIZES],
    /// Items of the largest one.
    largest: u32,
    at_once: f64,
    /// Whether none has waited for others yet.
    doubles: bool,
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            fastest: [None; SIZES],
            largest: 0,
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            at_once: FIRST_AT_ONCE as f64,
            doubles: true,
        }
    }
}

impl Growth {
    /// Notes that a content batch of so many items was found done after `time`, and how many there were at the target when it
    /// was handed in, itself included.
    pub(super) fn done(&mut self, items: u32, time: Duration, at_target: usize) {
        self.largest = self.largest.max(items);
        let seen = &mut self.fastest[size(items)];
        let fastest = seen.map_or(time, |fastest| fastest.mul_f64(FORGET).min(time));
        *seen = Some(fastest);
        if time > fastest.mul_f64(WAITED.1) + SLACK {
            self.doubles = false;
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let least = FIRST_AT_ONCE as f64;
            self.at_once = (self.at_once - 1.0 / self.at_once).max(least);
        } else if time <= fastest.mul_f64(WAITED.0) + SLACK && at_target >= self.at_once() {
            // Fewer than there may be show nothing.
            self.at_once += if self.doubles {
                1.0
            } else {
                1.0 / self.at_once
            };
        }
    }

    /// How batches are handed in, by what content batches and pages depend on, as far as that is known.
    pub(super) fn sizes(&self, content: Option<Parts>, page: Option<Parts>) -> Sizes {
        let first = Sizes {
            at_once: self.at_once(),
            pages: page.map_or(usize::MAX, |page| count(QUEUE, page.wait(1)).max(PAGES)),
            ..Sizes::default()
        };
        let Some(parts) = content else {
            return first;
        };
        // An item of such a batch costs less by a third at least: what a batch takes is shared by more. If it is not as
        // expected, the first one shows that.
        let is_small = |size: &u32| parts.item * *size <= SOON.max(parts.batch * 2);
        let steps = ITEMS.into_iter().skip(1).take_while(is_small);
        let items = steps
            .take_while(|size| *size <= self.largest * SHOWS)
            .last();
        let items = items.unwrap_or(ITEMS[0]);
        let is_one = parts.batch > SOON && parts.wait(items) * 2 > parts.batch;
        Sizes {
            items: items as usize,
            share: count(parts.batch, parts.item).max(1),
            at_once: if is_one { 1 } else { first.at_once },
            waits: parts.wait(items) / items,
            ..first
        }
    }

    fn at_once(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 3 up, and it grows by one for each batch at most"
        )]
        let whole = self.at_once as usize;
        whole
    }
}

/// How many times a part is in a time; without a bound where it is nothing.
fn count(time: Duration, part: Duration) -> usize {
    let times = time.as_micros().checked_div(part.as_micros());
    times.map_or(usize::MAX, |times| {
        usize::try_from(times).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::super::regression::{Before, Regression};
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What comes of batches that are filled as they should be, at a target that needs a time for each item and for each
    /// batch, `workers` at one time, and of a page behind each.
    fn settled(item: Duration, batch: Duration, workers: u32) -> Sizes {
        let mut growth = Growth::default();
        let (mut content, mut page) = (Regression::default(), Regression::default());
        for round in 0..200_u32 {
            let sizes = growth.sizes(content.parts(), page.parts());
            let items = u32::try_from(sizes.items).unwrap();
            // The first ones are small, as in a run.
            let items = if round < 2 { 1 + round * 26 } else { items };
            let at_once = u32::try_from(sizes.at_once.min(64)).unwrap();
            for before in 0..at_once {
                let time = |items| (item * items + batch) * (1 + before / workers);
                let ahead = Before {
                    batches: before,
                    items: before * items,
                };
                let at_target = usize::try_from(before + 1).unwrap();
                growth.done(items, time(items) + ms(20), at_target);
                content.add(items, ahead, time(items));
                let ahead = Before {
                    batches: before,
                    items: before,
                };
                page.add(1, ahead, time(1));
            }
        }
        let sizes = growth.sizes(content.parts(), page.parts());
        Sizes {
            at_once: sizes.at_once.min(64),
            ..sizes
        }
    }

    #[test]
    fn where_items_wait_for_one_another_batches_stay_small_and_few() {
        let sizes = settled(ms(5), ms(0), 1);
        assert_eq!((sizes.items, sizes.at_once), (50, 3));
        assert!(sizes.share <= 4 && sizes.pages > 64, "{sizes:?}");
        assert!(sizes.waits.abs_diff(ms(5)) <= ms(1), "{sizes:?}");
    }

    /// Each batch of what was ready took as long as a full one.
    #[test]
    fn where_batches_wait_for_one_another_they_are_full_and_one_at_a_time() {
        let sizes = settled(ms(0), ms(500), 1);
        assert_eq!((sizes.items, sizes.at_once, sizes.pages), (250, 1, 2));
        assert!(sizes.share >= 250, "{sizes:?}");
    }

    #[test]
    fn where_batches_are_done_beside_one_another_there_are_many() {
        let sizes = settled(ms(0), ms(2_000), 1_000);
        assert_eq!((sizes.items, sizes.at_once), (250, 64));
        assert!(sizes.pages > 64, "{sizes:?}");
        let sizes = settled(ms(5), ms(0), 8);
        assert_eq!(sizes.items, 50);
        assert!((8..=16).contains(&sizes.at_once), "{sizes:?}");
    }

    #[test]
    fn where_batches_are_done_at_once_they_are_full_too() {
        let sizes = settled(ms(0), ms(0), 1_000);
        assert_eq!((sizes.items, sizes.at_once), (250, 64));
    }

    /// Many at one time show nothing where there never were so many, and two rounds are enough to find out about ten.
    #[test]
    fn there_are_more_at_one_time_when_as_many_as_there_may_be_were_done_in_time() {
        let mut growth = Growth::default();
        for _ in 0..100 {
            growth.done(50, ms(2_000), 2);
        }
        assert_eq!(growth.at_once(), 3);
        for nth in 0..9 {
            growth.done(if nth == 0 { 3 } else { 50 }, ms(2_000), 12);
        }
        assert_eq!(growth.at_once(), 12);
    }
}
