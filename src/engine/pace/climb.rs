//! The rate while no limit is known: it begins below any likely limit and doubles every few response times.
//!
//! It grows only while requests wait for it, so it never exceeds what is used, and only the requests of one response time
//! are refused when a limit is met. As it doubles per number of response times, the overshoot is about the same for slow
//! and fast servers.

use std::time::Duration;

use tokio::time::Instant;

/// Requests that leave as fast as they come: hardly any account is smaller.
const FREE: u32 = 8;
/// The time in which the rate doubles, in times of the shortest answer so far.
const DOUBLING_ANSWERS: u32 = 6;
/// The same in requests that leave in it: each rate is tried before the next one.
const DOUBLING_REQUESTS: f64 = 8.0;
/// The same in time. A shorter one is within what timers may shift a request.
const DOUBLING_WITHIN: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_millis(500));
/// The longest time between two requests that counts as waiting.
const GAP_MAX: Duration = Duration::from_millis(200);
/// The rate grows in steps of this part, because each new rate opens a new account.
const STEP: f64 = 0.1;
/// A rate that nothing waits for.
const ENOUGH: f64 = 10_000.0;

/// The rate while no limit is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Climb {
    rate: f64,
    free: u32,
    /// Growth that is due and not yet a whole step.
    due: f64,
    /// When a request waited last.
    waited: Option<Instant>,
    /// The shortest time to an answer so far.
    shortest: Duration,
}

impl Climb {
    /// Begins with a rate in requests per second.
    pub(super) const fn from(rate: f64) -> Self {
        Self {
            rate,
            free: FREE,
            due: 1.0,
            waited: None,
            shortest: Duration::MAX,
        }
    }

    /// Takes over the rate that another run has reached.
    pub(super) const fn follow(&mut self, rate: f64) {
        self.rate = rate;
        self.free = 0;
        self.due = 1.0;
    }

    /// Notes how long an answer took.
    pub(super) fn answered(&mut self, latency: Duration) {
        self.shortest = self.shortest.min(latency);
    }

    /// The time in which the rate doubles.
    fn doubling(&self) -> Duration {
        let (least, most) = DOUBLING_WITHIN;
        let tried = Duration::from_secs_f64(DOUBLING_REQUESTS / self.rate);
        let answers = self.shortest.saturating_mul(DOUBLING_ANSWERS);
        answers.max(tried).clamp(least, most)
    }

    /// Notes that a request leaves.
    pub(super) const fn leave(&mut self) {
        self.free = self.free.saturating_sub(1);
    }

    /// Notes that a request has to wait for the rate.
    pub(super) fn was_short(&mut self, now: Instant) {
        let gap = self.waited.map(|before| now.duration_since(before));
        self.waited = Some(now);
        let Some(gap) = gap.filter(|gap| *gap <= GAP_MAX) else {
            return;
        };
        self.due *= (gap.as_secs_f64() / self.doubling().as_secs_f64()).exp2();
        if self.due >= 1.0 + STEP {
            self.rate *= self.due;
            self.due = 1.0;
        }
    }

    /// The rate; `None` as fast as they come.
    pub(super) fn rate(&self) -> Option<f64> {
        (self.free == 0 && self.rate < ENOUGH).then_some(self.rate)
    }

    /// The rate that was reached.
    pub(super) const fn reached(&self) -> f64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(climb: &mut Climb, from: Instant, time: Duration, gap: Duration) -> Option<f64> {
        let mut now = from;
        while now < from + time {
            now += gap;
            climb.was_short(now);
        }
        climb.rate()
    }

    #[tokio::test(start_paused = true)]
    async fn it_doubles_again_and_again_while_requests_wait() {
        let (mut climb, start) = (Climb::from(40.0), Instant::now());
        assert_eq!(climb.rate(), None, "the first leave at once");
        (0..FREE).for_each(|_| climb.leave());
        let gap = Duration::from_millis(5);
        let rate = after(&mut climb, start, Duration::from_secs(1), gap).unwrap();
        assert!((145.0..=165.0).contains(&rate), "{rate}");
        let rate = after(&mut climb, start, Duration::from_secs(10), gap);
        assert_eq!(rate, None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_while_requests_rarely_wait() {
        let (mut climb, start) = (Climb::from(40.0), Instant::now());
        (0..FREE).for_each(|_| climb.leave());
        let gap = Duration::from_millis(500);
        let rate = after(&mut climb, start, Duration::from_mins(1), gap);
        assert_eq!(rate, Some(40.0));
    }
}
