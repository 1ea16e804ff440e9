//! How long to wait before the first look at a batch: learnt from what the looks find, for one class of batches.
//!
//! A look shows a bound and not a time: a batch that is done when it is looked at took *at most* that long, one that is not
//! done takes *longer*. A mean of the moments at which batches were found done would follow the looks that follow it, and
//! only ever grow. So the wait is corrected in both directions:
//!
//! ```text
//!       ┌──────── eight done in a row, or three not done ─────────┐
//!       ▼                                                         │
//!   searching                                                  settled
//!   ½, ¼, … of the wait while batches are done                 2 % less after a batch that is done at its first look
//!   twice the wait while they are not                          10 % more after one that is not
//!   the middle of both bounds where there are two              3 % more after each further look
//!       │                                                         ▲
//!       └──────── both bounds within 25 % of each other ──────────┘
//! ```
//! - Settled, the wait keeps within a tenth of the time of a server that always takes the same, and where times vary it is one
//!   that most batches keep. One batch that takes a hundred times as long moves it by a third at most.
//! - Batches in flight together show one thing and not sixteen: of those only the first look counts that was scheduled by
//!   the present wait.
//! - A batch whose first look is due waits on where others have lengthened the wait meanwhile. While a queue grows, each batch
//!   takes longer than the one before it, and a look at each would only show that once more.
//! - Nothing is assumed of the server's queue. Where a batch waits for others, the time to done has that in it. A batch that is
//!   expected much earlier, because it is small or few others are before it, is looked at then, and shows nothing of the wait:
//!   after a queue each look would else be as late as the queue was long. The same holds of those that are left when nothing
//!   more is ready to be handed in, each time that one before them was found done: a run waits for these looks and for nothing
//!   else. Where what is expected proves to be too early, these looks keep a greater distance from it.
//! - Polls are few whatever the times are: where there are more than a third beyond one for each batch, later looks keep a
//!   greater distance, the second look about one wait at most.

use std::time::Duration;

/// The shortest wait: timers have a tick of one millisecond, and a look takes longer than this itself.
pub(super) const LEAST: Duration = Duration::from_millis(2);
/// The longest wait before a first look: what a search may double up to.
const MOST: Duration = Duration::from_mins(2);
/// What is left of a settled wait after a batch that was done at its first look.
const SHORTER: f64 = 0.98;
/// What a settled wait becomes after the first and the second of two batches in a row that were not done.
const LONGER: [f64; 2] = [1.1, 1.15];
/// The same for each further look at such a batch.
const LONGER_STILL: f64 = 1.03;
/// Batches in a row that were done at their first look, from which on a settled wait is searched for anew.
const DONE_IN_A_ROW: u32 = 8;
/// Two bounds are close enough together when one is not more than this times the other.
const CLOSE: f64 = 1.25;
/// A look that left so much later than it was due shows little of the wait.
const LATE: f64 = 1.25;
/// The step of a search for a longer wait, as a factor.
const UP: f64 = 2.0;
/// The longest step of a search for a shorter one, as a factor.
const STEP_MOST: f64 = 8.0;

/// Looks per batch from which on later looks keep a greater distance, and how fast that grows.
const LOOKS: f64 = 1.35;
const SPARING: f64 = 20.0;
/// How far that takes the second look from the first one at most: this part of the wait.
const SPARED: (u32, u32) = (9, 8);
/// The weight of the last batch in the mean of looks: one part in this.
const LOOKS_MEMORY: f64 = 50.0;
/// The part of the wait from which on down a batch that is expected earlier is looked at earlier.
const EARLIER: f64 = 0.85;
/// When such a batch is looked at: so many times the time that is expected, at least and at most, and what becomes of that when
/// it was done by then and when it was not.
const EXPECTED: (f64, f64) = (1.05, 4.0);
const CLOSER: f64 = 0.98;
const FARTHER: f64 = 1.1;
/// What is taken for the time of a batch that was done at its first look: this part of it.
const DONE_BEFORE: f64 = 0.9;
/// The longest wait between later looks where the first wait is not longer itself.
const LATER_MOST: Duration = Duration::from_secs(10);

/// The learnt wait of one class of batches.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    wait: Duration,
    /// Counts the changes of the wait.
    version: u64,
    state: State,
    /// Looks per batch of late.
    looks: f64,
    /// The first look at a batch that is expected earlier, as a multiple of the time that is expected.
    margin: f64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Searching(Search),
    Settled {
        /// Batches in a row that were done at their first look.
        done: u32,
        /// Batches in a row that were not.
        missed: usize,
    },
}

/// What is known while the time is looked for.
#[derive(Clone, Copy, Debug)]
struct Search {
    /// It takes longer than this …
    low: Option<Duration>,
    /// … and at most this.
    high: Option<Duration>,
    /// The factor of the next step.
    step: f64,
    /// Whether nothing was ever settled. Then any look is news, whatever wait it was scheduled by.
    is_first: bool,
}

/// A batch at the server.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// The wait of the rule when it was handed in.
    wait: Duration,
    /// The wait before its first look where that is shorter.
    early: Option<Duration>,
    version: u64,
    /// The latest look that found it at work.
    low: Option<Duration>,
    looks: u32,
    /// Whether its first look counted.
    counts: bool,
}

impl Batch {
    /// The wait before its first look.
    pub(super) fn wait(&self) -> Duration {
        self.early.unwrap_or(self.wait)
    }

    /// About how long it took, when a look that left at `sent` found it done.
    pub(super) fn took(&self, sent: Duration) -> Duration {
        self.low.map_or_else(
            || sent.mul_f64(DONE_BEFORE),
            |low| low + sent.saturating_sub(low) / 2,
        )
    }
}

impl Rule {
    /// A rule that starts with a guess.
    pub(super) fn starting_with(wait: Duration) -> Self {
        Self {
            wait: wait.clamp(LEAST, MOST),
            version: 0,
            state: State::Searching(Search::new(true)),
            looks: 1.0,
            margin: EXPECTED.0,
        }
    }

    /// The present wait before the first look, which is about the time to done.
    pub(super) const fn wait(&self) -> Duration {
        self.wait
    }

    /// Notes that a batch was handed in that is expected to take so long.
    pub(super) fn begin(&self, expected: Option<Duration>) -> Batch {
        Batch {
            wait: self.wait,
            early: self.earlier(expected),
            version: self.version,
            low: None,
            looks: 0,
            counts: false,
        }
    }

    /// When a batch is looked at that is expected to take so long from now on; `None` where that is no earlier than any other.
    fn earlier(&self, expected: Option<Duration>) -> Option<Duration> {
        let look = expected?.mul_f64(self.margin).max(LEAST);
        (look < self.wait.mul_f64(EARLIER)).then_some(look)
    }

    /// The wait of a batch that was handed in `age` ago and is expected to take so long from now on; `None` where its next look
    /// is due in less than that, which is `left`.
    pub(super) fn sooner(
        &self,
        batch: &mut Batch,
        expected: Option<Duration>,
        (age, left): (Duration, Duration),
    ) -> Option<Duration> {
        let mut early = self.earlier(expected)?;
        if batch.looks > 0 {
            // It takes longer than was expected of it already, and what is done beside it shows nothing of when it ends.
            early = early.max((age / 2).mul_f64(self.sparing()));
        }
        if early >= left {
            return None;
        }
        batch.early = Some(batch.wait().min(age + early));
        Some(early)
    }

    /// How much longer the first look at a batch waits that was handed in `age` ago, because others have shown meanwhile that
    /// batches take longer; `None` when it is to be looked at now. A batch that waits on counts like one of the present wait.
    pub(super) fn put_off(&self, batch: &mut Batch, age: Duration) -> Option<Duration> {
        let more = self.wait.saturating_sub(age);
        let is_early = batch.early.is_some();
        if is_early || batch.looks > 0 || self.wait <= batch.wait || more < LEAST {
            return None;
        }
        batch.wait = self.wait;
        batch.version = self.version;
        Some(more)
    }

    /// A look that left at `sent` and was answered at `now`, both counted from the hand-in, found the batch at work. Returns
    /// the wait before the next look: a quarter of the first wait or half the time of a look, twice as much each time, or what
    /// is left of the present wait.
    pub(super) fn working(&mut self, batch: &mut Batch, sent: Duration, now: Duration) -> Duration {
        batch.low = Some(sent);
        batch.looks += 1;
        let is_news = batch.version == self.version && batch.looks == 1 && batch.early.is_none();
        match &mut self.state {
            State::Searching(_) if batch.early.is_some() => {}
            State::Searching(search) if search.is_first || is_news => {
                let is_first = search.is_first;
                search.takes_longer_than(sent);
                if !is_first {
                    self.step();
                } else if sent > self.wait {
                    self.change(sent);
                }
            }
            State::Settled { done, missed } if is_news => {
                *done = 0;
                let longer = LONGER.get(*missed).copied();
                *missed += 1;
                if let Some(longer) = longer {
                    self.change(self.wait.mul_f64(longer));
                } else {
                    let mut search = Search::new(false);
                    search.takes_longer_than(sent);
                    self.search(search);
                }
            }
            State::Settled { .. } if batch.counts => self.change(self.wait.mul_f64(LONGER_STILL)),
            State::Searching(_) | State::Settled { .. } => {}
        }
        if batch.early.is_some() && batch.looks == 1 {
            self.margin = (self.margin * FARTHER).min(EXPECTED.1);
        }
        if is_news {
            // Its end belongs to what it began.
            batch.version = self.version;
            batch.counts = true;
        }
        let look = now.saturating_sub(sent);
        let least = (batch.wait() / 4).max(look / 2).max(LEAST / 2);
        let least = least
            .mul_f64(self.sparing())
            .min(least.max(batch.wait() * SPARED.0 / SPARED.1));
        let grown = least.saturating_mul(1 << (batch.looks - 1).min(16));
        let grown = grown.min(LATER_MOST.max(batch.wait));
        if batch.early.is_some() {
            return grown.min((now / 2).max(LEAST));
        }
        let wait = match &self.state {
            // Others of its class were done by then, and looks before that would only find out when.
            State::Searching(Search {
                high: Some(high),
                is_first: true,
                ..
            }) if batch.looks == 1 => *high,
            State::Searching(_) | State::Settled { .. } => self.wait,
        };
        grown.max(wait.saturating_sub(now))
    }

    /// By how much the distance of later looks is greater than it has to be, so that looks stay few.
    fn sparing(&self) -> f64 {
        1.0 + SPARING * (self.looks - LOOKS).max(0.0)
    }

    /// A look that left at `sent`, counted from the hand-in, found the batch done.
    pub(super) fn done(&mut self, batch: &Batch, sent: Duration) {
        let is_first = matches!(&self.state, State::Searching(search) if search.is_first);
        // A first search takes many looks, and says nothing of how many will be needed.
        let looks = if is_first {
            (batch.looks + 1).min(2)
        } else {
            batch.looks + 1
        };
        self.looks += (f64::from(looks) - self.looks) / LOOKS_MEMORY;
        if batch.early.is_some() {
            if batch.looks == 0 {
                self.margin = (self.margin * CLOSER).max(EXPECTED.0);
            }
            return;
        }
        let is_present = batch.version == self.version;
        match &mut self.state {
            State::Searching(search) if search.is_first || is_present => {
                search.takes_at_most(sent, batch.low);
                // A batch that was handed in with an older wait proves nothing of the present one.
                if is_present || !search.is_within(self.wait) {
                    self.step();
                }
            }
            State::Settled { done, missed } if is_present && batch.low.is_none() => {
                // A late look shows little of the wait, and a shorter one does no harm while looks are late anyway.
                if sent <= batch.wait.mul_f64(LATE).max(LEAST * 2) {
                    *done += 1;
                }
                *missed = 0;
                if *done < DONE_IN_A_ROW || self.wait <= LEAST {
                    self.change(self.wait.mul_f64(SHORTER));
                } else {
                    let mut search = Search::new(false);
                    search.takes_at_most(sent, None);
                    self.search(search);
                }
            }
            State::Searching(_) | State::Settled { .. } => {}
        }
    }

    fn search(&mut self, search: Search) {
        self.state = State::Searching(search);
        self.step();
    }

    /// Chooses the next wait of a search, or ends it.
    fn step(&mut self) {
        let State::Searching(search) = &mut self.state else {
            return;
        };
        let wait = match (search.low, search.high) {
            (Some(low), Some(high)) => {
                let is_close = high <= low.mul_f64(CLOSE).max(LEAST);
                let middle =
                    Duration::from_secs_f64((low.as_secs_f64() * high.as_secs_f64()).sqrt());
                if is_close {
                    self.settle();
                }
                middle
            }
            (None, Some(high)) if high <= LEAST * 2 => {
                self.settle();
                LEAST
            }
            (None, Some(high)) => high.div_f64(search.next_step()),
            (low, None) => self.wait.max(low.unwrap_or_default()).mul_f64(UP),
        };
        self.change(wait);
    }

    fn settle(&mut self) {
        self.state = State::Settled { done: 0, missed: 0 };
    }

    fn change(&mut self, wait: Duration) {
        self.wait = wait.clamp(LEAST, MOST);
        self.version += 1;
    }
}

impl Search {
    const fn new(is_first: bool) -> Self {
        Self {
            low: None,
            high: None,
            step: 2.0,
            is_first,
        }
    }

    const fn next_step(&mut self) -> f64 {
        let step = self.step;
        self.step = (step * 2.0).min(STEP_MOST);
        step
    }

    /// What contradicts an older bound replaces it: the server has changed.
    fn takes_longer_than(&mut self, bound: Duration) {
        self.low = self.low.max(Some(bound));
        self.high = self.high.filter(|high| *high > bound);
    }

    /// Whether a wait lies between the bounds, so that a look after it is news.
    fn is_within(&self, wait: Duration) -> bool {
        self.low.is_none_or(|low| low < wait) && self.high.is_none_or(|high| wait < high)
    }

    fn takes_at_most(&mut self, bound: Duration, low: Option<Duration>) {
        if let Some(low) = low {
            self.takes_longer_than(low);
        }
        self.high = Some(self.high.map_or(bound, |high| high.min(bound)));
        self.low = self.low.filter(|low| *low < bound).or(low);
    }
}

#[cfg(test)]
#[path = "play.rs"]
mod play;
