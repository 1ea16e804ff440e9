//! What left in the last seconds, and which refusals reflect the limit.
//!
//! A server also refuses for reasons that have nothing to do with the rate: others use the same token, or a gateway sheds
//! load. Such refusals come at any rate. So a refusal counts as one for the rate when both are true:
//! - at least a quarter as much left in the second before it as in the best second so far, and [`LOW_AT_FIRST`] before a
//!   limit is known;
//! - refusals are no more frequent than usual: the share that is refused at rates below that, the *background*, is small.
//!
//! It counts in any case when most of the last answers were refusals, because no rate is low enough then. Only such
//! refusals lower the best second. If each one did, it would fall with the rate, and each refusal would be near it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Over what a limit is taken to count.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// How far back departures are kept.
const KEPT: Duration = Duration::from_secs(4);
/// Requests of a second that every limit allows, until one is known.
const LOW_AT_FIRST: usize = 10;
/// The weight of an answer in the background: at a low rate, and at others.
const FOLLOW: (f64, f64) = (1.0 / 32.0, 1.0 / 128.0);
/// The background from which on refusals are taken to be usual.
const USUAL: f64 = 0.05;
/// Answers of which most have to be refusals, and how many at least. Of fewer answers most are refusals by chance now and
/// then where a fifth of all is refused.
const RECENT: (u32, u32) = (31, 4);

/// The departures of the last seconds and their answers.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// When the requests of the last seconds left, without those that were refused.
    left: VecDeque<Instant>,
    /// The same of other runs, as far as they have said so.
    others: VecDeque<Instant>,
    /// When the first request left.
    first: Option<Instant>,
    /// The most that left within one second and was not refused.
    best: usize,
    /// Whether a limit is known.
    is_limited: bool,
    /// Requests of a second that a limit is taken to allow.
    allowed: usize,
    /// How many of the requests of the last second are known, from 0 to 1, where other runs send some.
    known_part: f64,
    /// The share of requests that is refused whatever the rate.
    background: f64,
    /// The last answers, the latest in the lowest bit: whether each was a refusal.
    recent: u32,
    recent_count: u32,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            left: VecDeque::new(),
            others: VecDeque::new(),
            first: None,
            best: 0,
            is_limited: false,
            allowed: LOW_AT_FIRST,
            known_part: 1.0,
            background: 0.0,
            recent: 0,
            recent_count: 0,
        }
    }

    /// Notes that a request leaves.
    pub(super) fn leave(&mut self, now: Instant) {
        let is_old = |left: &Instant| now.duration_since(*left) > KEPT;
        while self.left.front().is_some_and(is_old) {
            self.left.pop_front();
        }
        self.left.push_back(now);
        self.first.get_or_insert(now);
    }

    /// Notes that requests of other runs are known late, so that only a part of those of the last second is.
    pub(super) const fn know_part(&mut self, part: f64) {
        self.known_part = part;
    }

    /// When the requests of the last seconds left, without those that were refused and those of other runs.
    pub(super) fn own(&self) -> impl Iterator<Item = Instant> {
        self.left.iter().copied()
    }

    /// Notes when the requests of all other runs left in the last seconds, which replaces what was noted before.
    pub(super) fn others_left(&mut self, mut others: Vec<Instant>) {
        others.sort_unstable();
        self.others = others.into();
    }

    /// Notes that the request that left at `left` was not refused.
    pub(super) fn admitted(&mut self, left: Instant) {
        let count = self.before(left);
        self.note(false, self.is_low(count));
        self.best = self.best.max(count);
    }

    /// Notes that the request that left at `left` was refused. Returns whether that reflects the limit.
    pub(super) fn refused(&mut self, left: Instant) -> bool {
        if let Ok(at) = self.left.binary_search(&left) {
            self.left.remove(at);
        }
        let count = self.before(left);
        self.note(true, self.is_low(count));
        let is_low = self.is_low(count) || self.is_allowed(count);
        self.is_dense() || (!is_low && !self.is_usual())
    }

    /// Takes a limit as known, or as not known any more. When most of the last answers were refusals, so much is the best
    /// that there is.
    pub(super) fn limited_to(&mut self, count: Option<usize>) {
        self.is_limited = count.is_some();
        match count {
            Some(count) if self.is_dense() => (self.best, self.allowed) = (count, 0),
            Some(_) => {}
            None => self.allowed = LOW_AT_FIRST,
        }
        self.recent = 0;
        self.recent_count = 0;
    }

    /// Whether requests are refused now and then whatever the rate.
    pub(super) fn is_usual(&self) -> bool {
        self.background >= USUAL
    }

    /// Whether requests had left for less than a second.
    pub(super) fn is_early(&self, left: Instant) -> bool {
        let since = |first| left.saturating_duration_since(first) < SECOND;
        self.first.is_none_or(since)
    }

    /// Requests that left within the second before and were not refused so far.
    pub(super) fn before(&self, left: Instant) -> usize {
        let has_left = |other: &Instant| *other <= left;
        let is_old = |other: &Instant| left.saturating_duration_since(*other) >= SECOND;
        let within =
            |all: &VecDeque<Instant>| all.partition_point(has_left) - all.partition_point(is_old);
        within(&self.left) + within(&self.others)
    }

    fn all(&self) -> impl Iterator<Item = Instant> {
        self.left.iter().chain(&self.others).copied()
    }

    /// The most requests that left within one of the last seconds.
    pub(super) fn busiest(&self) -> usize {
        let counts = self.all().map(|left| self.before(left));
        counts.max().unwrap_or(0)
    }

    fn is_low(&self, count: usize) -> bool {
        count < self.best / 4 || (self.is_limited && self.is_allowed(count))
    }

    /// Whether every limit allows as many.
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    fn is_allowed(&self, count: usize) -> bool {
        (count as f64) < self.allowed as f64 * self.known_part
    }

    fn is_dense(&self) -> bool {
        let refused = self.recent.count_ones();
        refused >= RECENT.1 && refused * 2 > self.recent_count
    }

    fn note(&mut self, refused: bool, is_low: bool) {
        self.recent_count = (self.recent_count + 1).min(RECENT.0);
        self.recent = ((self.recent << 1) | u32::from(refused)) & ((1 << RECENT.0) - 1);
        if is_low || self.is_usual() {
            let weight = if is_low { FOLLOW.0 } else { FOLLOW.1 };
            let now = f64::from(u8::from(refused));
            self.background += (now - self.background) * weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends so many requests 10 ms apart, of which each `refused`-th is refused. Returns how many of the refusals count.
    fn send(answers: &mut Answers, from: Instant, count: u32, refused: u32) -> (u32, Instant) {
        let mut counted = 0;
        let at = |index: u32| from + Duration::from_millis(10) * index;
        for index in 0..count {
            answers.leave(at(index));
            if index % refused == refused - 1 {
                counted += u32::from(answers.refused(at(index)));
            } else {
                answers.admitted(at(index));
            }
        }
        (counted, at(count))
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_near_the_best_second_counts() {
        let mut answers = Answers::new();
        let (_, now) = send(&mut answers, Instant::now(), 60, u32::MAX);
        answers.leave(now);
        assert!(answers.refused(now));
        assert_eq!(answers.before(now), 60, "refused ones are left out");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_far_below_the_best_second_says_nothing() {
        let mut answers = Answers::new();
        let (_, now) = send(&mut answers, Instant::now(), 100, u32::MAX);
        let later = now + SECOND * 30;
        let (_, later) = send(&mut answers, later, 10, u32::MAX);
        answers.leave(later);
        assert!(!answers.refused(later));
    }

    #[tokio::test(start_paused = true)]
    async fn where_a_share_is_refused_at_any_rate_refusals_say_nothing_until_most_are() {
        let mut answers = Answers::new();
        let (_, mut now) = send(&mut answers, Instant::now(), 100, u32::MAX);
        for _ in 0..20 {
            // Far below the best second.
            now = send(&mut answers, now + SECOND, 5, 5).1;
        }
        let (counted, now) = send(&mut answers, now, 300, 5);
        assert_eq!(counted, 0);
        let (counted, _) = send(&mut answers, now, 30, 1);
        assert!(counted > 0, "nothing is admitted any more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_explains_refusals_ends_the_background() {
        let mut answers = Answers::new();
        let (counted, now) = send(&mut answers, Instant::now(), 10, 1);
        assert!(counted > 0);
        answers.limited_to(Some(1));
        let (_, now) = send(&mut answers, now + SECOND, 2, u32::MAX);
        answers.leave(now);
        assert!(answers.refused(now), "the rate is near the limit again");
    }
}
