//! What left in the last seconds, and which refusals say something of the limit.
//!
//! A server also refuses for reasons that have nothing to do with the rate: others use the same token, or a gateway sheds
//! load. Such refusals come at any rate. So a refusal counts as one for the rate when both are true:
//! - at least half as much left in the second before it as in the best second so far ([`BEST_AT_FIRST`] to begin with);
//! - refusals are no more frequent than usual: the share that is refused at rates below that, the *background*, is small.
//!
//! It counts in any case when most of the last answers were refusals, because no rate is low enough then.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Over what a limit is taken to count.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// How far back departures are kept.
const KEPT: Duration = Duration::from_secs(4);
/// Requests of a second that are taken for possible before anything is known.
const BEST_AT_FIRST: usize = 20;
/// The weight of an answer in the background: at a low rate, and at others.
const FOLLOW: (f64, f64) = (1.0 / 32.0, 1.0 / 128.0);
/// The background from which on refusals are taken to be usual.
const USUAL: f64 = 0.05;
/// Answers of which most have to be refusals, and how many at least.
const RECENT: (u32, u32) = (20, 4);

/// The departures of the last seconds and their answers.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// When the requests of the last seconds left, without those that were refused.
    left: VecDeque<Instant>,
    /// The most that left within one second and was not refused.
    best: usize,
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
            best: BEST_AT_FIRST,
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
    }

    /// Notes that the request that left at `left` was not refused.
    pub(super) fn admitted(&mut self, left: Instant) {
        let count = self.before(left);
        self.note(false, self.is_low(count));
        self.best = self.best.max(count);
    }

    /// Notes that the request that left at `left` was refused. Returns whether that says something of the limit.
    pub(super) fn refused(&mut self, left: Instant) -> bool {
        if let Ok(at) = self.left.binary_search(&left) {
            self.left.remove(at);
        }
        let is_low = self.is_low(self.before(left));
        self.note(true, is_low);
        self.is_dense() || (!is_low && self.background < USUAL)
    }

    /// Takes a limit as the best that there is. It explains the refusals so far.
    pub(super) fn limited_to(&mut self, count: usize) {
        self.best = count.max(1);
        self.background = 0.0;
        self.recent = 0;
        self.recent_count = 0;
    }

    /// Requests that left within the second before and were not refused so far.
    pub(super) fn before(&self, left: Instant) -> usize {
        let end = self.left.partition_point(|other| *other <= left);
        let since = |other: &Instant| left.saturating_duration_since(*other) >= SECOND;
        end - self.left.partition_point(since).min(end)
    }

    /// The most requests that left within one second from the one on that ends with `from`.
    pub(super) fn most_since(&self, from: Instant) -> usize {
        let later = self.left.iter().filter(|left| **left >= from);
        later
            .map(|left| self.before(*left))
            .max()
            .unwrap_or(0)
            .max(self.before(from))
    }

    /// The most requests that left within one of the last seconds.
    pub(super) fn busiest(&self) -> usize {
        let counts = self.left.iter().map(|left| self.before(*left));
        counts.max().unwrap_or(0)
    }

    fn is_low(&self, count: usize) -> bool {
        count < self.best / 2
    }

    fn is_dense(&self) -> bool {
        let refused = self.recent.count_ones();
        refused >= RECENT.1 && refused * 2 > self.recent_count
    }

    fn note(&mut self, refused: bool, is_low: bool) {
        self.recent_count = (self.recent_count + 1).min(RECENT.0);
        self.recent = ((self.recent << 1) | u32::from(refused)) & ((1 << RECENT.0) - 1);
        if is_low || self.background >= USUAL {
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
        let mut now = Instant::now();
        for _ in 0..20 {
            // Far below the best second.
            now = send(&mut answers, now + SECOND, 5, 5).1;
        }
        let (counted, now) = send(&mut answers, now, 300, 5);
        assert_eq!(counted, 0);
        let (counted, _) = send(&mut answers, now, 20, 1);
        assert!(counted > 0, "nothing is admitted any more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_explains_refusals_ends_the_background() {
        let mut answers = Answers::new();
        let (counted, now) = send(&mut answers, Instant::now(), 10, 1);
        assert!(counted > 0);
        answers.limited_to(1);
        let (_, now) = send(&mut answers, now + SECOND, 2, u32::MAX);
        answers.leave(now);
        assert!(answers.refused(now), "the rate is near the limit again");
    }
}
