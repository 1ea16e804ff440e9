//! Finds the rate that a server allows from its refusals, holds just below it, and tries a higher one now and then.
//!
//! The vendor documents no rate for the Management API, and servers count in different ways: a sliding second, a fixed
//! second, or a token bucket. None of them is assumed. Three small types answer one question each: [`Climb`], how fast
//! requests leave while nothing is known; [`Answers`], whether a refusal is due to a limit; [`Known`], how a limit is
//! approached, held and tested again.
//!
//! A server that counts over a minute is not recognised: its `Retry-After` is obeyed, which is enough.

use std::time::Duration;

use tokio::time::Instant;

use super::answers::Answers;
use super::climb::Climb;
use super::known::Known;

/// The rate with which the first requests leave.
pub(super) const START: f64 = 50.0;
/// The part of the rate that an earlier run reached without a refusal with which the next one begins.
const RESUMED: f64 = 0.5;

/// What is known of the rate that a server allows.
#[derive(Clone, Debug)]
pub(super) struct RateLearner {
    /// The user's own cap.
    cap: Option<f64>,
    /// The rate with which the first requests leave.
    start: f64,
    pub(super) climb: Climb,
    pub(super) known: Option<Known>,
    pub(super) answers: Answers,
    pub(super) burst: Option<Burst>,
    /// When refusals were judged last.
    pub(super) judged: Option<Instant>,
}

/// Refusals that belong together: those until the pause is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burst {
    /// When the first of the refused requests left.
    pub(super) from: Instant,
    until: Instant,
}

impl RateLearner {
    /// Has learned nothing.
    pub(super) fn new(start: f64, cap: Option<f64>) -> Self {
        Self {
            cap: usable(cap),
            start,
            climb: Climb::from(start),
            known: None,
            answers: Answers::new(),
            burst: None,
            judged: None,
        }
    }

    /// Changes the user's cap; `None` lifts it.
    pub(super) fn set_cap(&mut self, cap: Option<f64>) {
        self.cap = usable(cap);
    }

    /// Starts with the limit that an earlier run found, or with the rate that it reached without one.
    pub(super) fn recall(&mut self, limit: Option<f64>, reached: Option<f64>, now: Instant) {
        if let Some(reached) = usable(reached) {
            self.climb = Climb::from((reached * RESUMED).max(self.start));
        }
        if let Some(limit) = usable(limit) {
            self.known = Some(Known::recalled(limit, now));
        }
    }

    /// The limit that is assumed, in requests per second.
    pub(super) fn limit(&self) -> Option<f64> {
        self.known.as_ref().map(Known::per_second)
    }

    /// The rate in requests per second that was reached while no limit is known; `None` while it has not grown.
    pub(super) fn reached(&self) -> Option<f64> {
        let rate = self.climb.reached();
        (self.known.is_none() && rate > self.start).then_some(rate)
    }

    /// Notes that a request leaves.
    pub(super) fn leave(&mut self, now: Instant) {
        self.climb.leave();
        self.answers.leave(now);
    }

    /// Notes at `now` that a request that left at `left` was not refused.
    pub(super) fn admitted(&mut self, left: Instant, now: Instant) {
        self.climb.answered(now.saturating_duration_since(left));
        self.answers.admitted(left);
    }

    /// Notes that a request that left at `left` was refused. Returns whether that reflects the limit; then
    /// [`RateLearner::pause`] is to follow.
    pub(super) fn refused(&mut self, left: Instant) -> bool {
        let was_usual = self.answers.is_usual();
        let is_of_limit = self.answers.refused(left) || self.burst.is_some();
        if self.answers.is_usual() && !was_usual {
            // What led to the limit was no more than what is refused at any rate.
            self.forget();
        }
        is_of_limit
    }

    /// Notes that nothing leaves before `until`, because a request that left at `left` was refused for the limit.
    pub(super) fn pause(&mut self, left: Instant, until: Instant) {
        let burst = self.burst.get_or_insert(Burst { from: left, until });
        burst.from = burst.from.min(left);
        burst.until = burst.until.max(until);
    }

    /// Notes that a request had to wait for the rate.
    pub(super) fn was_short(&mut self, now: Instant) {
        match &mut self.known {
            Some(known) => known.was_short(),
            None => self.climb.was_short(now),
        }
    }

    /// The rate at which requests may leave from `now` on; `None` as fast as they come.
    pub(super) fn rate(&mut self, now: Instant) -> Option<f64> {
        let cap = self.cap;
        least(self.learned(cap, now), cap)
    }

    /// The same of all runs together, to each of which the user's cap applies alone.
    pub(super) fn joint_rate(&mut self, now: Instant) -> Option<f64> {
        self.learned(None, now)
    }

    /// The user's cap.
    pub(super) const fn cap(&self) -> Option<f64> {
        self.cap
    }

    fn learned(&mut self, cap: Option<f64>, now: Instant) -> Option<f64> {
        if let Some(burst) = self.burst.take_if(|burst| burst.until <= now) {
            self.conclude(burst, now);
        }
        let answers = &self.answers;
        match &mut self.known {
            Some(known) => Some(known.rate(cap, || whole(answers.busiest()), now)),
            None => self.climb.rate(),
        }
    }

    /// The rate that is held between questions by a run that has this part of it; `None` as fast as they come.
    pub(super) fn steady(&self, part: f64) -> Option<f64> {
        let learned = self.known.as_ref().map(|known| known.steady() * part);
        least(learned, self.cap)
    }

    /// When the limit is questioned next, and how long after that again when the answer is a refusal; `None` when it is
    /// not.
    pub(super) fn questions(&self, now: Instant) -> Option<(Duration, Duration)> {
        let known = self.known.as_ref()?;
        let is_capped = self.cap.is_some_and(|cap| cap <= known.steady());
        (!is_capped).then(|| known.questions(now))
    }

    fn forget(&mut self) {
        self.known = None;
        self.climb = Climb::from(self.start);
        self.answers.limited_to(None);
    }

    /// Judges refusals once everything that was in flight then has been answered.
    fn conclude(&mut self, burst: Burst, now: Instant) {
        let before = self.answers.before(burst.from).max(1);
        let count = whole(before);
        if let Some(known) = &mut self.known {
            known.refused(count, burst.from, now);
        } else {
            let is_early = self.answers.is_early(burst.from);
            self.known = Some(Known::found(count, is_early, now));
        }
        self.answers.limited_to(Some(before));
        self.judged = Some(now);
    }
}

pub(super) fn least(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn whole(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn usable(rate: Option<f64>) -> Option<f64> {
    rate.filter(|rate| rate.is_finite() && *rate > 0.0)
}
