//! Finds the rate that a server allows from its refusals, holds just below it, and asks now and then for more.
//!
//! The vendor documents no rate, so the rule is taken to be the common one: so many requests within any one second,
//! refused ones not counted. Then the requests admitted in the second before a refusal are the limit itself.
//!
//! ```text
//!   unknown ── two bursts of refusals agree ─▶ holding 0.97 of it ── patience over, somebody waits ─▶ probing 1.04
//!                                                ▲    ▲                                                │      │
//!                                                │    └──────── refused: as it was, more patience ─────┘      │
//!                                                └───────────── not refused: that is the limit now ───────────┘
//! ```
//! - One burst proves nothing: a server also refuses for a moment's trouble of its own, and in the first second
//!   after its limit has dropped the count is still that of the old one. A second burst with about the same count
//!   is believed. That costs a second, once. A burst during which more requests were admitted than refused is none.
//! - A belief that rests on few refusals is questioned after 2 s, by half as much again: if it is right, that is
//!   one more burst of few refusals; if not, the run would have crawled.
//! - Held is 0.97 of the limit: at that rate a request and the one that leaves a limit's worth of requests later are
//!   31 ms more than a second apart, which is what network and timers may shift them. Refusals while holding
//!   take it down to 0.95.
//! - A probe that fails costs the pause that the server asks for, usually a second. So patience starts at
//!   20 s and not less than 200 requests, and grows fourfold with each failure: 0.5 % of the requests refused at
//!   worst, and soon next to none.
//! - A probe that succeeds is followed by a bolder one at once, so a limit that rose is reached in seconds.
//!
//! A server that counts over a minute is not recognised: its `Retry-After` is obeyed, which is all it asks for.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Over what the server is taken to count.
const SECOND: Duration = Duration::from_secs(1);
/// The part of the limit that is used.
const SHARE: f64 = 0.97;
/// The least part of the limit that is used, after refusals while holding it.
const SHARE_MIN: f64 = 0.95;
/// How much the part falls with a refusal while holding it.
const SHARE_STEP: f64 = 0.01;
/// Requests admitted before two refusals that differ by no more than this part tell of the same limit.
const AGREEMENT: f64 = 0.3;
/// The wait before a limit that was just found is questioned, at least.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same in requests: one or two of them are refused by a failed probe.
const PATIENCE_REQUESTS: f64 = 200.0;
/// The longest wait before a limit is questioned.
const PATIENCE_MAX: Duration = Duration::from_mins(10);
/// The wait before a limit that an earlier run found is questioned.
const PATIENCE_RECALLED: Duration = Duration::from_secs(5);
/// The wait before a limit is questioned for which the evidence is weak.
const PATIENCE_WEAK: Duration = Duration::from_secs(2);
/// Refusals in a burst that are no accident.
const STRONG: u32 = 4;
/// The share of a limit that has to leave in a second before a probe counts that was not refused.
const USED: f64 = 0.9;
/// How far above the limit the first probe goes.
const PROBE: f64 = 1.04;
/// The same where the evidence for the limit is weak.
const PROBE_WEAK: f64 = 1.5;
/// How far any probe goes.
const PROBE_MAX: f64 = 2.0;
/// How long a probe lasts: long enough for a rolling second to fill and an answer to come back.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// What is known of the rate that a server allows.
#[derive(Clone, Debug)]
pub(super) struct RateLearner {
    /// The user's own cap.
    cap: Option<f64>,
    known: Option<Known>,
    /// What the last burst of refusals told, while nothing confirms it.
    suspected: Option<f64>,
    /// When the requests of the last seconds left that were not refused.
    admitted: VecDeque<Instant>,
    burst: Option<Burst>,
}

/// A limit that is believed.
#[derive(Clone, Debug)]
struct Known {
    per_second: f64,
    share: f64,
    /// Whether it rests on few refusals.
    is_weak: bool,
    patience: Duration,
    /// The factor of the next probe.
    step: f64,
    /// When it is questioned; while it is questioned, when that ends.
    due: Instant,
    is_probing: bool,
    /// Whether a request had to wait for the rate since the last look.
    was_short: bool,
}

/// Refusals that belong together: those until the pause is over.
#[derive(Clone, Copy, Debug)]
struct Burst {
    /// When the first of the refused requests left.
    from: Instant,
    until: Instant,
    refused: u32,
}

impl RateLearner {
    /// Knows nothing.
    pub(super) fn new(cap: Option<f64>) -> Self {
        Self {
            cap: usable(cap),
            known: None,
            suspected: None,
            admitted: VecDeque::new(),
            burst: None,
        }
    }

    /// Changes the user's cap; `None` lifts it.
    pub(super) fn set_cap(&mut self, cap: Option<f64>) {
        self.cap = usable(cap);
    }

    /// Starts with the limit that an earlier run found.
    pub(super) fn recall(&mut self, per_second: f64, now: Instant) {
        if usable(Some(per_second)).is_some() {
            let known = Known::new(per_second, now);
            self.known = Some(known.questioned_after(PATIENCE_RECALLED, now));
        }
    }

    /// The limit that is believed, in requests per second.
    pub(super) fn limit(&self) -> Option<f64> {
        self.known.as_ref().map(|known| known.per_second)
    }

    /// Notes that a request that left at `left` was not refused.
    pub(super) fn admitted(&mut self, left: Instant, now: Instant) {
        while self
            .admitted
            .front()
            .is_some_and(|first| now.duration_since(*first) > SECOND * 4)
        {
            self.admitted.pop_front();
        }
        self.admitted.push_back(left);
    }

    /// Notes that a request that left at `left` was refused, and that nothing leaves before `until`.
    pub(super) fn refused(&mut self, left: Instant, until: Instant) {
        match &mut self.burst {
            Some(burst) => {
                burst.until = burst.until.max(until);
                burst.refused += 1;
            }
            None => {
                self.burst = Some(Burst {
                    from: left,
                    until,
                    refused: 1,
                });
            }
        }
    }

    /// Notes that a request had to wait for the rate.
    pub(super) fn was_short(&mut self) {
        if let Some(known) = &mut self.known {
            known.was_short = true;
        }
    }

    /// The rate at which requests may leave from `now` on; `None` as fast as they come.
    pub(super) fn rate(&mut self, now: Instant) -> Option<f64> {
        if let Some(burst) = self.burst.take_if(|burst| burst.until <= now) {
            self.conclude(burst, now);
        }
        let cap = self.cap;
        let ends = self
            .known
            .as_ref()
            .is_some_and(|known| known.is_probing && now >= known.due);
        let busiest = if ends { self.busiest() } else { 0.0 };
        let held = self.known.as_mut().map(|known| {
            known.advance(cap, busiest, now);
            known.rate()
        });
        match (held, cap) {
            (Some(held), Some(cap)) => Some(held.min(cap)),
            (held, cap) => held.or(cap),
        }
    }

    /// The most requests of the last seconds that left within one and were not refused.
    fn busiest(&self) -> f64 {
        let mut first = 0;
        let mut most = 0;
        for (last, left) in self.admitted.iter().enumerate() {
            while left.saturating_duration_since(self.admitted[first]) >= SECOND {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        f64::from(u32::try_from(most).unwrap_or(u32::MAX))
    }

    /// The rate that is held between questions; `None` as fast as they come.
    pub(super) fn steady(&self) -> Option<f64> {
        let held = self
            .known
            .as_ref()
            .map(|known| known.per_second * known.share);
        match (held, self.cap) {
            (Some(held), Some(cap)) => Some(held.min(cap)),
            (held, cap) => held.or(cap),
        }
    }

    /// When the limit is questioned next, and how long after that again when the answer is a refusal; `None` when nobody
    /// will.
    pub(super) fn questions(&self, now: Instant) -> Option<(Duration, Duration)> {
        let known = self.known.as_ref()?;
        if self
            .cap
            .is_some_and(|cap| cap <= known.per_second * known.share)
        {
            return None;
        }
        let next = if known.is_probing {
            Duration::ZERO
        } else {
            known.due.saturating_duration_since(now)
        };
        Some((next, known.next_patience()))
    }

    /// Judges refusals once everything that was in flight then has been answered.
    fn conclude(&mut self, burst: Burst, now: Instant) {
        let within =
            |left: &&Instant| **left <= burst.from && burst.from.duration_since(**left) < SECOND;
        let count = self.admitted.iter().filter(within).count().max(1);
        let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        if let Some(known) = &mut self.known
            && known.agrees(count)
        {
            known.confirmed(count, now);
            self.suspected = None;
            return;
        }
        let later = |left: &&Instant| **left > burst.from;
        if self.admitted.iter().filter(later).count() > burst.refused as usize {
            return;
        }
        match self.suspected.take() {
            Some(before) if agree(before, count) => {
                let known = Known::new(before.max(count), now);
                let is_weak = burst.refused < STRONG;
                self.known = Some(if is_weak { known.weak(now) } else { known });
            }
            Some(_) | None => self.suspected = Some(count),
        }
    }
}

impl Known {
    fn new(per_second: f64, now: Instant) -> Self {
        let patience = Self::first_patience(per_second);
        Self {
            per_second,
            share: SHARE,
            is_weak: false,
            patience,
            step: PROBE,
            due: now + patience,
            is_probing: false,
            was_short: false,
        }
    }

    fn questioned_after(self, patience: Duration, now: Instant) -> Self {
        Self {
            due: now + patience,
            ..self
        }
    }

    fn weak(self, now: Instant) -> Self {
        Self {
            is_weak: true,
            step: PROBE_WEAK,
            ..self.questioned_after(PATIENCE_WEAK, now)
        }
    }

    fn first_patience(per_second: f64) -> Duration {
        let requests = Duration::from_secs_f64(PATIENCE_REQUESTS / per_second.max(0.1));
        requests.clamp(PATIENCE, PATIENCE_MAX)
    }

    fn rate(&self) -> f64 {
        let factor = if self.is_probing {
            self.step
        } else {
            self.share
        };
        self.per_second * factor
    }

    /// Whether a refusal after `count` requests fits this limit, and not one far below or above.
    fn agrees(&self, count: f64) -> bool {
        count >= self.per_second * 0.75 && count <= self.per_second * self.step * 1.1 + 1.0
    }

    /// How long nobody asks after a refusal.
    fn next_patience(&self) -> Duration {
        let longer = self.patience.max(Self::first_patience(self.per_second));
        let factor = if self.is_weak { 1 } else { 4 };
        (longer * factor).min(PATIENCE_MAX)
    }

    /// It was refused, and at this limit.
    fn confirmed(&mut self, count: f64, now: Instant) {
        if self.is_probing {
            self.per_second = count.clamp(self.per_second, self.rate());
            self.patience = self.next_patience();
            self.is_weak = false;
        } else if self.share - SHARE_STEP >= SHARE_MIN - f64::EPSILON {
            self.share -= SHARE_STEP;
        } else {
            self.share = SHARE;
            self.per_second = self.per_second.min(count);
        }
        self.step = PROBE;
        self.is_probing = false;
        self.due = now + self.patience;
        self.was_short = false;
    }

    /// Begins a probe that is due, and believes one that was not refused although about as many requests as the limit left
    /// in one second, `busiest`.
    fn advance(&mut self, cap: Option<f64>, busiest: f64, now: Instant) {
        if now < self.due {
            return;
        }
        if !self.was_short || cap.is_some_and(|cap| cap <= self.rate()) {
            // Nobody would use a higher rate, so nothing could be learned from it.
            self.due = now + SECOND;
        } else if self.is_probing && busiest < self.per_second * USED {
            // Some request waited for its turn, and hardly any more came: nobody tried the limit.
            self.is_probing = false;
            self.due = now + self.patience;
        } else if self.is_probing {
            self.per_second *= self.step;
            self.step = (self.step * self.step).min(PROBE_MAX);
            self.is_probing = false;
            self.share = SHARE;
            self.due = now;
        } else {
            self.is_probing = true;
            self.due = now + PROBE_TIME;
        }
        self.was_short = false;
    }
}

fn agree(one: f64, other: f64) -> bool {
    (one - other).abs() <= (one.max(other) * AGREEMENT).max(1.0)
}

fn usable(rate: Option<f64>) -> Option<f64> {
    rate.filter(|rate| rate.is_finite() && *rate > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `count` requests `gap` apart from `start` on, all admitted.
    fn send(learner: &mut RateLearner, start: Instant, count: u32, gap: Duration) -> Instant {
        for index in 0..count {
            learner.admitted(start + gap * index, start + gap * index);
        }
        start + gap * count
    }

    /// Uses all of a rate until the end of a probe that begins now.
    fn try_for(learner: &mut RateLearner, start: Instant, rate: f64) -> Instant {
        let gap = Duration::from_secs_f64(1.0 / rate);
        let mut left = start;
        while left < start + PROBE_TIME {
            learner.admitted(left, left);
            left += gap;
        }
        start + PROBE_TIME
    }

    /// A burst of refusals, and what the rate is after its pause.
    fn refuse(learner: &mut RateLearner, at: Instant) -> (Instant, Option<f64>) {
        let until = at + SECOND;
        (0..STRONG).for_each(|_| learner.refused(at, until));
        (until, learner.rate(until))
    }

    /// A learner that believes in 20 requests per second.
    fn learnt() -> (RateLearner, Instant) {
        let mut learner = RateLearner::new(None);
        let mut at = Instant::now();
        for _ in 0..2 {
            at = send(&mut learner, at, 20, Duration::from_millis(5));
            at = refuse(&mut learner, at).0;
        }
        (learner, at)
    }

    #[tokio::test(start_paused = true)]
    async fn one_burst_of_refusals_proves_nothing_and_two_that_agree_tell_the_limit() {
        let mut learner = RateLearner::new(None);
        let at = send(&mut learner, Instant::now(), 20, Duration::from_millis(5));
        let (at, rate) = refuse(&mut learner, at);
        assert_eq!((rate, learner.limit()), (None, None));
        let at = send(&mut learner, at, 20, Duration::from_millis(5));
        let (_, rate) = refuse(&mut learner, at);
        assert_eq!((rate, learner.limit()), (Some(20.0 * SHARE), Some(20.0)));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_that_contradict_one_another_are_no_limit() {
        let mut learner = RateLearner::new(None);
        let at = send(&mut learner, Instant::now(), 40, Duration::from_millis(5));
        let (at, _) = refuse(&mut learner, at);
        let at = send(&mut learner, at, 8, Duration::from_millis(5));
        assert_eq!(refuse(&mut learner, at).1, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_in_which_most_were_admitted_is_none() {
        let mut learner = RateLearner::new(None);
        for _ in 0..9 {
            let start = Instant::now();
            let at = send(&mut learner, start, 10, Duration::from_millis(5));
            learner.refused(start + Duration::from_millis(20), at + SECOND);
            tokio::time::advance(at + SECOND - start).await;
            assert_eq!(learner.rate(Instant::now()), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_refusals_make_a_belief_that_is_soon_questioned() {
        let mut learner = RateLearner::new(None);
        let mut at = Instant::now();
        for _ in 0..2 {
            at = send(&mut learner, at, 3, Duration::from_millis(5));
            learner.refused(at, at + SECOND);
            at += SECOND;
            learner.rate(at);
        }
        assert_eq!(learner.limit(), Some(3.0));
        for _ in 0..20 {
            let rate = learner.rate(at).unwrap();
            at = try_for(&mut learner, at, rate);
            learner.was_short();
            learner.rate(at);
        }
        assert!(learner.limit().unwrap() > 200.0, "{:?}", learner.limit());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_one_pause_count_once() {
        let mut learner = RateLearner::new(None);
        let at = send(&mut learner, Instant::now(), 20, Duration::from_millis(5));
        for late in 0..16 {
            learner.refused(at + Duration::from_millis(late), at + SECOND);
        }
        assert_eq!(learner.rate(at + SECOND), None);
        assert_eq!(learner.suspected, Some(20.0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_users_cap_holds_whatever_is_learned() {
        let (mut learner, at) = learnt();
        learner.set_cap(Some(8.0));
        assert_eq!(learner.rate(at), Some(8.0));
        learner.set_cap(Some(50.0));
        assert_eq!(learner.rate(at), Some(20.0 * SHARE));
        learner.set_cap(Some(f64::NAN));
        assert_eq!(learner.rate(at), Some(20.0 * SHARE));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_while_holding_take_the_share_down_to_its_least_and_then_the_limit() {
        let (mut learner, mut at) = learnt();
        let mut rates = Vec::new();
        for _ in 0..3 {
            at = send(&mut learner, at, 19, Duration::from_millis(50));
            let refused = refuse(&mut learner, at);
            at = refused.0;
            rates.push((refused.1.unwrap() * 100.0).round());
        }
        assert_eq!(rates, [1920.0, 1900.0, 1843.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_leaves_the_limit_and_makes_the_next_one_rarer() {
        let (mut learner, at) = learnt();
        learner.was_short();
        let probing = at + PATIENCE;
        assert_eq!(learner.rate(probing), Some(20.0 * PROBE));
        let later = send(&mut learner, probing, 20, Duration::from_millis(48));
        let (at, rate) = refuse(&mut learner, later);
        assert_eq!((rate, learner.limit()), (Some(20.0 * SHARE), Some(20.0)));
        learner.was_short();
        assert_eq!(learner.rate(at + PATIENCE * 3), Some(20.0 * SHARE));
        assert_eq!(learner.rate(at + PATIENCE * 4), Some(20.0 * PROBE));
    }

    #[tokio::test(start_paused = true)]
    async fn probes_that_succeed_grow_bolder() {
        let (mut learner, at) = learnt();
        let mut now = at + PATIENCE;
        let mut limits = Vec::new();
        for _ in 0..4 {
            learner.was_short();
            let rate = learner.rate(now).unwrap();
            now = try_for(&mut learner, now, rate);
            learner.was_short();
            learner.rate(now);
            limits.push(learner.limit().unwrap().round());
        }
        assert_eq!(limits, [21.0, 22.0, 26.0, 36.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hardly_anybody_used_proves_nothing() {
        let (mut learner, at) = learnt();
        let mut now = at + PATIENCE;
        for _ in 0..9 {
            learner.was_short();
            learner.rate(now);
            send(&mut learner, now, 6, Duration::from_millis(300));
            now += PROBE_TIME;
            learner.was_short();
            assert_eq!(learner.rate(now), Some(20.0 * SHARE));
            now += PATIENCE;
        }
        assert_eq!(learner.limit(), Some(20.0));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_probes_for_what_nobody_needs() {
        let (mut learner, at) = learnt();
        assert_eq!(learner.rate(at + PATIENCE * 50), Some(20.0 * SHARE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_dropped_is_believed_after_two_refusals_at_the_new_one() {
        let (mut learner, at) = learnt();
        let at = send(&mut learner, at, 4, Duration::from_millis(50));
        let (at, rate) = refuse(&mut learner, at);
        assert_eq!(rate, Some(20.0 * SHARE));
        let at = send(&mut learner, at, 4, Duration::from_millis(50));
        assert_eq!(refuse(&mut learner, at).1, Some(4.0 * SHARE));
    }
}
