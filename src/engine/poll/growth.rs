//! How many items a content batch takes, and how many batches are at the target at one time.
//!
//! Both begin small, because a large batch keeps others waiting where items are worked off one after another, and many
//! batches only wait for one another where one is worked off at a time. How the target works is not assumed, but seen:
//!
//! | seen | conclusion |
//! |---|---|
//! | batches of a size are done soon, waiting for others included | larger batches |
//! | they are not, and the next size was not tried | a few batches of the next size |
//! | with those more items are done in the same time: the target needs its time for the batch and not for the items | larger batches |
//! | not many more | back to the smaller size |
//! | a batch is done about as soon as the fastest one of its size | more at one time; while none has waited yet and each takes long, one more for each |
//! | a batch takes much longer than that one: it waits for others | fewer at one time |

use std::time::Duration;

use tokio::time::Instant;

use super::times::{BatchCosts, BatchKind};

/// Items of a content batch at first.
pub(in crate::engine) const FIRST_ITEMS: usize = 50;
/// Content batches at the target at one time, at first and at least.
pub(in crate::engine) const FIRST_AT_ONCE: usize = 3;
/// The sizes that are tried one after another. The last one is the most that the Management API takes.
const ITEMS: [u32; 3] = [50, 100, 250];
/// Batches of a size before its time says anything: the wait for a new size begins with a guess.
const TRIES: usize = 4;
/// Up to how much of the time of an item in the size below it takes in a size that pays.
const PAYS: f64 = 0.7;
/// A size that is done within this time keeps nothing waiting.
const SOON: Duration = Duration::from_millis(200);
/// Up to how many times the fastest time a batch counts as not having waited, and from when on as having waited.
const WAITED: (f64, f64) = (1.25, 1.6);
/// What looks and the network add to any time.
const SLACK: Duration = Duration::from_millis(20);
/// How much the fastest time is forgotten with each batch, so that a target that has become slower is found out.
const FORGET: f64 = 1.001;

/// What was seen of content batches.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    sizes: [Seen; ITEMS.len()],
    at_once: f64,
    has_waited: bool,
    /// When the last batch was found done.
    last_done: Option<Instant>,
}

/// What was seen of one size.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: usize,
    fastest: Option<Duration>,
    /// What the latest ones took from the end of the batch before them, one after another.
    last: [Duration; TRIES],
}

impl Seen {
    fn note(&mut self, time: Duration, alone: Duration) {
        self.last[self.count % TRIES] = alone;
        self.count = self.count.saturating_add(1);
        let fastest = self
            .fastest
            .map_or(time, |fastest| fastest.mul_f64(FORGET).min(time));
        self.fastest = Some(fastest);
    }

    /// What an item took lately, in seconds, in batches of so many; `None` before there were enough of them. What a batch waited for
    /// others is not part of it.
    fn per_item(&self, items: u32) -> Option<f64> {
        let all: Duration = self.last.iter().sum();
        (self.count >= TRIES).then(|| all.as_secs_f64() / f64::from(items))
    }
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            sizes: [Seen::default(); ITEMS.len()],
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            at_once: FIRST_AT_ONCE as f64,
            has_waited: false,
            last_done: None,
        }
    }
}

impl Growth {
    /// Notes that a content batch of so many items came to the target at one time, and was done at another.
    pub(super) fn done(&mut self, items: u32, came: Instant, done: Instant) {
        let before = self.last_done.replace(done);
        let begun = before.map_or(came, |before| before.max(came));
        let (time, alone) = (
            done.saturating_duration_since(came),
            done.saturating_duration_since(begun),
        );
        // Batches that are not full say little: there was nothing to be gained.
        let Some(at) = ITEMS.iter().rposition(|size| items >= size * 3 / 4) else {
            return;
        };
        let seen = &mut self.sizes[at];
        seen.note(time, alone);
        let fastest = seen.fastest.unwrap_or(time);
        if time <= fastest.mul_f64(WAITED.0) + SLACK {
            // A round of batches that take long is dear, one of short ones soon follows another.
            self.at_once += if self.has_waited || time <= SOON {
                1.0 / self.at_once
            } else {
                1.0
            };
        } else if time > fastest.mul_f64(WAITED.1) + SLACK {
            self.has_waited = true;
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let least = FIRST_AT_ONCE as f64;
            self.at_once = (self.at_once - 1.0 / self.at_once).max(least);
        }
    }

    /// Items of a content batch, at most.
    pub(super) fn items(&self, costs: &BatchCosts) -> usize {
        let steps = (0..ITEMS.len() - 1).take_while(|at| self.leads_on(*at, costs));
        ITEMS[steps.count()] as usize
    }

    /// Whether the size after this one may be sent: this one is done soon, or the next was not tried, or it pays. The two are
    /// compared as they were last, because what else is at the target makes either slow.
    fn leads_on(&self, at: usize, costs: &BatchCosts) -> bool {
        let per_item = |at: usize| self.sizes[at].per_item(ITEMS[at]);
        let Some(own) = per_item(at) else {
            return false;
        };
        costs.time(BatchKind::Content, ITEMS[at]) <= SOON
            || per_item(at + 1).is_none_or(|next| next <= own * PAYS)
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

    /// How a target works batches off.
    #[derive(Clone, Copy)]
    struct Target {
        item: Duration,
        batch: Duration,
        workers: usize,
        /// The time of its workers that goes to other batches, of each second.
        others: f64,
    }

    const fn target(item: u64, batch: u64, workers: usize) -> Target {
        Target {
            item: ms(item),
            batch: ms(batch),
            workers,
            others: 0.0,
        }
    }

    /// What comes of so many items in batches as the growth has it, or of a fixed size and number: the last size and number,
    /// and the time of all.
    fn settled(target: Target, fixed: Option<(usize, usize)>) -> ((usize, usize), Duration) {
        let (mut growth, mut costs) = (Growth::default(), BatchCosts::unknown());
        let start = Instant::now();
        let (mut now, mut left) = (start, 20_000);
        let mut free = vec![start; target.workers];
        let mut flights: Vec<(Instant, Instant, u32)> = Vec::new();
        while left > 0 || !flights.is_empty() {
            let (items, at_once) =
                fixed.unwrap_or((growth.items(&costs), growth.at_once().min(64)));
            while left > 0 && flights.len() < at_once {
                let taken = u32::try_from(items).unwrap().min(left);
                left -= taken;
                let worker = free.iter_mut().min().unwrap();
                let takes = (target.item * taken + target.batch).div_f64(1.0 - target.others);
                *worker = now.max(*worker) + takes;
                flights.push((*worker + ms(20), now, taken));
            }
            flights.sort_unstable_by_key(|(done, ..)| std::cmp::Reverse(*done));
            let Some((done, came, items)) = flights.pop() else {
                break;
            };
            now = done;
            growth.done(items, came, done);
            costs = costs.with(BatchKind::Content, items, done - came);
        }
        (
            (growth.items(&costs), growth.at_once().min(64)),
            now - start,
        )
    }

    fn growth(target: Target) -> (usize, usize) {
        settled(target, None).0
    }

    #[tokio::test(start_paused = true)]
    async fn where_items_are_worked_off_one_after_another_batches_stay_small_and_few() {
        assert_eq!(growth(target(5, 0, 1)), (50, 3));
        assert_eq!(growth(target(5, 20, 1)), (50, 3));
        let busy = Target {
            others: 0.6,
            ..target(5, 0, 1)
        };
        assert_eq!(growth(busy), (50, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn where_a_batch_costs_and_not_its_items_they_are_full_and_few() {
        for others in [0.0, 0.6] {
            let target = Target {
                others,
                ..target(0, 500, 1)
            };
            let (items, at_once) = growth(target);
            assert_eq!(items, 250);
            assert!((3..=5).contains(&at_once), "{at_once}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_batches_are_done_beside_one_another_there_are_many() {
        assert_eq!(growth(target(0, 2_000, 1_000)).0, 250);
        let (items, at_once) = growth(target(5, 0, 8));
        assert_eq!(items, 50);
        assert!((8..=16).contains(&at_once), "{at_once}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_batches_are_done_at_once_they_are_full_too() {
        assert_eq!(growth(target(0, 0, 1_000)).0, 250);
    }

    /// Ten rounds of two seconds carried few items before there were enough batches.
    #[tokio::test(start_paused = true)]
    async fn what_is_learnt_costs_little_of_the_time_that_the_best_choice_takes() {
        for (name, target, most) in [
            ("serial, 5 ms an item", target(5, 0, 1), 1.05),
            ("serial, 500 ms a batch", target(0, 500, 1), 1.2),
            ("beside one another, 2 s", target(0, 2_000, 1_000), 3.5),
            ("eight at a time, 5 ms an item", target(5, 0, 8), 1.1),
            ("four at a time, 100 ms a batch", target(0, 100, 4), 1.3),
        ] {
            let (_, time) = settled(target, None);
            let choices = [50, 100, 250].map(|items| [3, 16, 64].map(|at_once| (items, at_once)));
            let best = choices.as_flattened().iter();
            let best = best
                .map(|choice| settled(target, Some(*choice)).1)
                .min()
                .unwrap();
            assert!(
                time <= best.mul_f64(most),
                "{name}: {time:?}, at best {best:?}"
            );
        }
    }
}
