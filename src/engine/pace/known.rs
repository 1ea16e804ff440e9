//! An assumed limit: how near to it requests leave, and when a higher rate is tried.
//!
//! ```text
//!   refused ─▶ approaching, from below ─▶ holding 0.98 of it ── patience over, requests wait ─▶ probing 1.04
//!     ▲               │ refused: lower, slower    ▲      │ refused: lower        │ refused: as it was, more patience
//!     └───────────────┴───────────────────────────┼──────┘                       │ not refused: what was sent is the limit now
//!                                                 └──────────────────────────────┘
//! ```
//! The number of requests in the second before a refusal is the limit, if the server counts a sliding second. With a token
//! bucket or a fixed window it is up to twice the limit. So the first approach begins at half and takes three seconds: the
//! steeper it is, the further beyond the limit the next refusal comes. Each further approach begins nearer and is slower,
//! so its refusal is nearer to the limit, whichever way the server counts.

use std::time::Duration;

use tokio::time::Instant;

/// The part of the limit that is used: at that rate a request and the one that leaves a limit's worth of requests later
/// are 20 ms more than a second apart, which is what network and timers may shift them.
const SHARE: f64 = 0.98;
/// The least part of the limit that is used, after refusals while holding it.
const SHARE_MIN: f64 = 0.95;
/// How much the part falls with a refusal while holding it.
const SHARE_STEP: f64 = 0.01;
/// Where the first approach begins, as part of the limit, and what it gains per second.
const FIRST: (f64, f64) = (0.5, 0.157);
/// The same of the second one; each further one gains less per second by [`SLOWER`].
const NEXT: (f64, f64) = (0.93, 0.02);
/// What the next approach gains per second, as part of what the last one gained, and what it gains at least.
const SLOWER: (f64, f64) = (0.7, 0.003);
/// An approach is a stair: each new rate opens a new account.
const STAIR: f64 = 0.01;
/// The least part of a limit that is left after a refusal, and so after the pause that it costs: the decrease is bounded by
/// time, and not by how many are refused in the same moment.
const CUT_MAX: f64 = 0.5;
/// How long a limit was held when a refusal is due to network and timers.
const HELD: Duration = Duration::from_secs(10);
/// The wait before a limit is questioned that follows from one refusal, at least. Each further one doubles it.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same in requests: one or two of them are refused by a failed probe.
const PATIENCE_REQUESTS: f64 = 200.0;
/// The longest wait before a limit is questioned.
const PATIENCE_MAX: Duration = Duration::from_mins(10);
/// The wait before a limit that an earlier run found is questioned.
const PATIENCE_RECALLED: Duration = Duration::from_secs(5);
/// A limit that follows from fewer requests in a second is a guess.
const GUESS_MAX: f64 = 15.0;
/// The lowest guess.
const GUESS_MIN: f64 = 10.0;
/// The wait before a guess is questioned: its approach.
const PATIENCE_GUESSED: Duration = Duration::from_secs(3);
/// The share of a limit that has to leave in a second before a probe counts that was not refused.
const USED: f64 = 0.9;
/// How far above the limit the first probe goes.
const PROBE: f64 = 1.04;
/// How far any probe goes.
const PROBE_MAX: f64 = 2.0;
/// How long a probe lasts: long enough for a rolling second to fill and an answer to come back.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// A limit that is assumed.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) per_second: f64,
    pub(super) share: f64,
    /// When the approach began, from which part of the limit, and what it gains per second.
    pub(super) approach: (Instant, f64, f64),
    pub(super) patience: Duration,
    /// The factor of the next probe.
    pub(super) step: f64,
    /// When it is questioned; while it is questioned, when that ends.
    pub(super) due: Instant,
    pub(super) is_probing: bool,
    /// Whether hardly any request has tried it.
    pub(super) is_guess: bool,
    /// Whether a request had to wait for the rate since the last look.
    pub(super) was_short: bool,
}

impl Known {
    /// A limit that follows from the first refusal. When requests had left for less than a second by then (`is_early`), or
    /// hardly any, it is a guess: it is no lower than [`GUESS_MIN`], and is questioned as soon as it is approached.
    pub(super) fn found(per_second: f64, is_early: bool, now: Instant) -> Self {
        let known = Self::new(per_second.max(GUESS_MIN), FIRST, now);
        if per_second >= GUESS_MAX && !is_early {
            return known;
        }
        Self {
            due: now + PATIENCE_GUESSED,
            is_guess: true,
            ..known
        }
    }

    /// A limit that an earlier run found.
    pub(super) fn recalled(per_second: f64, now: Instant) -> Self {
        Self {
            due: now + PATIENCE_RECALLED,
            ..Self::new(per_second, (SHARE, NEXT.1 * 2.0), now)
        }
    }

    fn new(per_second: f64, (from, gain): (f64, f64), now: Instant) -> Self {
        let patience = Self::first_patience(per_second);
        Self {
            per_second,
            share: SHARE,
            approach: (now, from, gain),
            patience,
            step: PROBE,
            due: now + patience,
            is_probing: false,
            is_guess: false,
            was_short: false,
        }
    }

    /// Requests per second.
    pub(super) const fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Whole requests per second.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a limit is positive, and far below what fits"
    )]
    pub(super) const fn whole(&self) -> usize {
        self.per_second as usize
    }

    /// The rate between questions.
    pub(super) fn steady(&self) -> f64 {
        self.per_second * self.share
    }

    /// Notes that a request had to wait for the rate.
    pub(super) const fn was_short(&mut self) {
        self.was_short = true;
    }

    /// When it is questioned next, and how long after that again when the answer is a refusal.
    pub(super) fn questions(&self, now: Instant) -> (Duration, Duration) {
        let next = if self.is_probing {
            Duration::ZERO
        } else {
            self.due.saturating_duration_since(now)
        };
        (next, self.next_patience())
    }

    /// The rate from `now` on. `cap`: the user's; `busiest`: how many requests left in one of the last seconds.
    pub(super) fn rate(
        &mut self,
        cap: Option<f64>,
        busiest: impl FnOnce() -> f64,
        now: Instant,
    ) -> f64 {
        if now >= self.due {
            self.advance(cap, busiest, now);
        }
        self.per_second * self.part(now)
    }

    /// The part of the limit that is used at `now`.
    fn part(&self, now: Instant) -> f64 {
        if self.is_probing {
            self.step
        } else {
            self.approached(now).min(self.share)
        }
    }

    /// How far the approach has come, as part of the limit.
    fn approached(&self, now: Instant) -> f64 {
        let (since, from, gain) = self.approach;
        let gained = gain * now.saturating_duration_since(since).as_secs_f64();
        from + (gained / STAIR).floor() * STAIR
    }

    /// Since when the limit has been held.
    fn held(&self, now: Instant) -> Duration {
        let (since, from, gain) = self.approach;
        let took = Duration::from_secs_f64((self.share - from).max(0.0) / gain);
        now.saturating_duration_since(since + took)
    }

    /// A request that left at `left` was refused, after `count` requests in one second. Nothing left until `now`.
    pub(super) fn refused(&mut self, count: f64, left: Instant, now: Instant) {
        let was_guess = std::mem::take(&mut self.is_guess);
        if self.is_probing {
            // The first answer about a guess makes it a limit like any other.
            if was_guess {
                // No more than what was sent is admitted, give or take one, and a guess was not held for long before.
                let least = self.per_second * NEXT.0;
                self.per_second = (count + 0.5).clamp(least, self.per_second);
            } else {
                self.patience = self.next_patience();
            }
            if self.step > PROBE {
                // It was far beyond: the limit is somewhere between.
                let probed = self.per_second * self.step;
                self.per_second = count.clamp(self.per_second, probed);
                self.approach = (now, NEXT.0, NEXT.1);
            }
        } else if self.held(left) >= HELD && count >= self.per_second * 0.75 {
            self.hold_less(count);
        } else {
            self.cut(count.min(self.part(left) * self.per_second), now);
        }
        self.step = PROBE;
        self.is_probing = false;
        self.due = now + self.patience;
        self.was_short = false;
    }

    fn hold_less(&mut self, count: f64) {
        if self.share - SHARE_STEP >= SHARE_MIN - f64::EPSILON {
            self.share -= SHARE_STEP;
        } else {
            self.share = SHARE;
            self.per_second = self.per_second.min(count);
        }
    }

    fn cut(&mut self, count: f64, now: Instant) {
        let gain = if self.approach.1 < NEXT.0 {
            NEXT.1
        } else {
            (self.approach.2 * SLOWER.0).max(SLOWER.1)
        };
        self.per_second = count.clamp(self.per_second * CUT_MAX, self.per_second);
        self.share = SHARE;
        self.approach = (now, NEXT.0, gain);
        let patience = self.patience.max(Self::first_patience(self.per_second));
        self.patience = (patience * 2).min(PATIENCE_MAX);
    }

    fn first_patience(per_second: f64) -> Duration {
        let requests = Duration::from_secs_f64(PATIENCE_REQUESTS / per_second.max(0.1));
        requests.clamp(PATIENCE, PATIENCE_MAX)
    }

    /// How long it is not questioned after a refusal.
    fn next_patience(&self) -> Duration {
        let longer = self.patience.max(Self::first_patience(self.per_second));
        (longer * 4).min(PATIENCE_MAX)
    }

    /// Begins a probe that is due, and takes for the limit what was sent in a second of one that was not refused, if that was about
    /// as much as the limit.
    fn advance(&mut self, cap: Option<f64>, busiest: impl FnOnce() -> f64, now: Instant) {
        if !self.was_short || cap.is_some_and(|cap| cap <= self.steady()) {
            // No request would use a higher rate, so nothing could be learned from it.
            self.due = now + Duration::from_secs(1);
        } else if self.is_probing {
            let busiest = busiest();
            self.is_probing = false;
            if busiest < self.per_second * USED {
                // Some request waited for its turn, and hardly any more came: the limit was not tried.
                self.due = now + self.patience;
            } else {
                // So many were admitted. That more would have been is not shown by a rate that was not used.
                self.per_second = busiest.clamp(self.per_second, self.per_second * self.step);
                self.step = (self.step * self.step).min(PROBE_MAX);
                self.share = SHARE;
                self.due = now;
            }
        } else {
            self.is_probing = true;
            self.due = now + PROBE_TIME;
        }
        self.was_short = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(30);

    fn rate(known: &mut Known, now: Instant) -> f64 {
        known.rate(None, || 1000.0, now)
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_approached_from_half_in_three_seconds() {
        let start = Instant::now();
        let mut known = Known::found(100.0, false, start);
        assert!((rate(&mut known, start) - 50.0).abs() < 0.1);
        let soon = rate(&mut known, start + Duration::from_secs(2));
        assert!((80.0..83.0).contains(&soon), "{soon}");
        let then = rate(&mut known, start + Duration::from_secs(4));
        assert!((then - 98.0).abs() < 0.1, "{then}");
    }

    /// Six refusals in a row at the start, for no reason of the rate, left a run at five requests a second.
    #[tokio::test(start_paused = true)]
    async fn a_limit_of_hardly_any_request_is_questioned_soon() {
        let start = Instant::now();
        let mut known = Known::found(5.0, false, start);
        let mut now = start;
        while rate(&mut known, now) < 100.0 {
            known.was_short();
            now += Duration::from_millis(500);
        }
        let took = now - start;
        assert!(took < Duration::from_secs(25), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn each_refusal_on_the_way_takes_it_down_by_half_at_most_and_makes_the_way_slower() {
        let start = Instant::now();
        let mut known = Known::found(100.0, false, start);
        let mut now = start + Duration::from_secs(4);
        known.refused(3.0, now, now + Duration::from_secs(1));
        assert!((known.per_second() - 50.0).abs() < 0.1);
        let mut took = Vec::new();
        for _ in 0..3 {
            let begin = now;
            while rate(&mut known, now) < known.steady() - 0.01 {
                now += Duration::from_millis(100);
            }
            took.push(now - begin);
            known.refused(50.0, now, now);
        }
        assert!(took[0] < took[1] && took[1] < took[2], "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_after_long_holding_are_due_to_timers() {
        let start = Instant::now();
        let mut known = Known::found(100.0, false, start);
        let mut now = start;
        let mut rates = Vec::new();
        for _ in 0..4 {
            now += Duration::from_secs(15);
            known.refused(97.0, now, now);
            rates.push(rate(&mut known, now).round());
        }
        assert_eq!(rates, [97.0, 96.0, 95.0, 95.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_leaves_the_limit_and_one_that_succeeds_is_followed_by_a_bolder_one()
    {
        let start = Instant::now();
        let mut known = Known::found(100.0, false, start);
        known.was_short();
        let now = start + PATIENCE;
        assert!((rate(&mut known, now) - 104.0).abs() < 0.1);
        known.refused(101.0, now, now);
        assert!((rate(&mut known, now) - 98.0).abs() < 0.1);
        let (next, _) = known.questions(now);
        assert!(next >= PATIENCE * 3, "{next:?}");
        let mut now = now + next;
        let mut limits = Vec::new();
        for _ in 0..3 {
            known.was_short();
            rate(&mut known, now);
            now += PROBE_TIME;
            known.was_short();
            rate(&mut known, now);
            limits.push(known.per_second().round());
        }
        assert_eq!(limits, [104.0, 112.0, 132.0]);
    }

    /// A limit of 40 was taken for one of 43 after probes that 38 requests a second used, and the next refusal followed from that.
    #[tokio::test(start_paused = true)]
    async fn a_probe_shows_no_more_than_was_sent_while_it_lasted() {
        let mut now = Instant::now();
        let mut known = Known::found(38.0, true, now);
        now += PATIENCE_GUESSED;
        for (busiest, limit) in [(39.0, 39.0), (40.0, 40.0), (39.0, 40.0)] {
            known.was_short();
            known.rate(None, || busiest, now);
            now += PROBE_TIME;
            known.was_short();
            known.rate(None, || busiest, now);
            assert!((known.per_second() - limit).abs() < 0.01, "{known:?}");
        }
    }

    /// A guess of 42 where 40 are admitted was held again after its probe was refused, and refused once more a second later.
    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_of_a_guess_shows_that_no_more_is_admitted_than_was_sent() {
        let start = Instant::now();
        for (is_early, limit) in [(true, 40.5), (false, 42.0)] {
            let mut known = Known::found(42.0, is_early, start);
            known.was_short();
            let now = start + PATIENCE;
            assert!((rate(&mut known, now) - 42.0 * PROBE).abs() < 0.1);
            known.refused(40.0, now, now);
            assert!((known.per_second() - limit).abs() < 0.01, "{known:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_request_uses_is_not_questioned() {
        let start = Instant::now();
        let mut known = Known::found(100.0, false, start);
        assert!((rate(&mut known, start + LONG) - 98.0).abs() < 0.1);
        known.was_short();
        let few = known.rate(None, || 20.0, start + LONG + LONG);
        assert!(few > 100.0, "a probe");
        known.was_short();
        let after = known.rate(None, || 20.0, start + LONG * 3);
        assert!(
            (after - 98.0).abs() < 0.1,
            "hardly any request used it: {after}"
        );
    }
}
