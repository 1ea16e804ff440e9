//! How many requests of a class may be in flight: additive increase, multiplicative decrease.
//!
//! The window doubles per round trip until the first sign of trouble and grows by one per round trip after it (the rule
//! of TCP, RFC 5681). A sign of trouble counts once per round trip: requests that left before the last decrease show
//! the window as it was. The window grows only while it is the window that holds requests back.
//!
//! Latency is the weaker signal, because a list of 250 rows takes longer than a single row, and the server's work is not
//! measured. So latency has to rise far above the usual value, shrinks the window only a little, and never below a quarter
//! of its ceiling. The usual value drifts upwards, so that a server that has become slower for good gets its window back.

use std::time::Duration;

use tokio::time::Instant;

/// Requests in flight at the start, before anything is known: enough to hide most of the latency, too few to
/// hurt a server that limits connections.
const START: f64 = 4.0;
/// What is left of the window after a refusal for the rate. Mild, because the quota answers that.
const AFTER_REFUSAL: f64 = 0.7;
/// What is left after 502, 503, 504 or a time-out.
const AFTER_OVERLOAD: f64 = 0.5;
/// What is left after the latency has risen.
const AFTER_RISE: f64 = 0.9;
/// The latency has risen when it is this many times the usual one and [`RISE_MIN`] more.
const RISE: f64 = 3.0;
/// Differences below this are the noise of schedulers and networks.
const RISE_MIN: f64 = 0.050;
/// A shortest time below this is taken for this: what schedulers add is a large multiple of it.
const LEAST_MIN: f64 = 0.005;
/// The latency is flat up to this many times the usual one and half of [`RISE_MIN`].
const FLAT: f64 = 2.0;
/// The share of a new answer in the present latency.
const FOLLOW: f64 = 1.0 / 8.0;
/// The share of the present latency by which the usual one drifts upwards with every answer.
const DRIFT: f64 = 1.0 / 128.0;

/// The same for the shortest time.
const DRIFT_LEAST: f64 = 1.0 / 8192.0;

/// The window of one class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    size: f64,
    ceiling: f64,
    /// Whether it has never shrunk.
    is_young: bool,
    /// Seconds that answers take at present, smoothed, and usually.
    latency: Option<(f64, f64)>,
    /// The shortest time of an answer, smoothed, in seconds; it drifts upwards, far slower than the usual one.
    least: Option<f64>,
    /// When it last shrank.
    shrunk: Option<Instant>,
}

/// A sign of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// 429.
    Refused,
    /// The server could not cope.
    Overloaded,
}

impl Window {
    /// A window that never exceeds `ceiling`.
    pub(super) fn new(ceiling: usize) -> Self {
        let ceiling = whole(ceiling.max(1));
        Self {
            size: START.min(ceiling),
            ceiling,
            is_young: true,
            latency: None,
            least: None,
            shrunk: None,
        }
    }

    /// How many may be in flight; at least 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a window is small and positive"
    )]
    pub(super) fn size(&self) -> usize {
        (self.size as usize).max(1)
    }

    /// Starts with what an earlier run ended with.
    pub(super) fn resume(&mut self, size: f64) {
        self.size = size.clamp(1.0, self.ceiling);
    }

    /// Notes an answer to a request that left at `left`. `was_full`: the window held others back; `latency`:
    /// the time that it took, where that has a meaning. Returns how many times as long as the shortest ones it took.
    pub(super) fn answered(
        &mut self,
        left: Instant,
        latency: Option<Duration>,
        was_full: bool,
        now: Instant,
    ) -> Option<f64> {
        let (short, usual) = self.follow(latency);
        if short > usual * RISE + RISE_MIN {
            let least = (self.ceiling / 4.0).max(2.0).min(self.size);
            self.shrink(left, AFTER_RISE, least, now);
        } else if was_full && short <= usual * FLAT + RISE_MIN / 2.0 {
            let step = if self.is_young { 1.0 } else { 1.0 / self.size };
            self.size = (self.size + step).min(self.ceiling);
        }
        let took = latency?.as_secs_f64();
        let least = self.least.unwrap_or(short);
        let least = if short < least {
            short
        } else {
            least + (short - least) * DRIFT_LEAST
        };
        self.least = Some(least);
        Some(took / least.max(LEAST_MIN))
    }

    /// Notes a sign of trouble with a request that left at `left`.
    pub(super) fn troubled(&mut self, left: Instant, trouble: Trouble, now: Instant) {
        let factor = match trouble {
            Trouble::Refused => AFTER_REFUSAL,
            Trouble::Overloaded => AFTER_OVERLOAD,
        };
        self.shrink(left, factor, 1.0, now);
    }

    fn shrink(&mut self, left: Instant, factor: f64, least: f64, now: Instant) {
        if self.shrunk.is_none_or(|shrunk| left >= shrunk) {
            self.size = (self.size * factor).max(least);
            self.is_young = false;
            self.shrunk = Some(now);
        }
    }

    /// The present latency and the usual one, in seconds.
    fn follow(&mut self, latency: Option<Duration>) -> (f64, f64) {
        let Some(new) = latency.map(|latency| latency.as_secs_f64()) else {
            return (0.0, 0.0);
        };
        let (short, usual) = self.latency.unwrap_or((new, new));
        let short = short + (new - short) * FOLLOW;
        let usual = if short < usual {
            short
        } else {
            usual + (short - usual) * DRIFT
        };
        self.latency = Some((short, usual));
        (short, usual)
    }
}

#[expect(clippy::cast_precision_loss, reason = "windows are small")]
fn whole(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    fn answer(window: &mut Window, at: Instant, latency: Duration) {
        window.answered(at, Some(latency), true, at + latency);
    }

    #[tokio::test(start_paused = true)]
    async fn it_doubles_until_trouble_and_then_grows_by_one_per_round_trip() {
        let start = Instant::now();
        let mut window = Window::new(100);
        assert_eq!(window.size(), 4);
        (0..4).for_each(|_| answer(&mut window, start, TICK));
        assert_eq!(window.size(), 8);
        window.troubled(start, Trouble::Overloaded, start + TICK);
        assert_eq!(window.size(), 4);
        (0..5).for_each(|_| answer(&mut window, start + TICK, TICK));
        assert_eq!(window.size(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_counts_once_per_round_trip_and_never_closes_the_window() {
        let start = Instant::now();
        let mut window = Window::new(100);
        window.resume(40.0);
        for _ in 0..40 {
            window.troubled(start, Trouble::Refused, start + TICK);
        }
        assert_eq!(window.size(), 28);
        for round in 1..40 {
            window.troubled(
                start + TICK * round,
                Trouble::Overloaded,
                start + TICK * round,
            );
        }
        assert_eq!(window.size(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_that_holds_nobody_back_does_not_grow_and_none_exceeds_its_ceiling() {
        let start = Instant::now();
        let mut window = Window::new(6);
        window.answered(start, Some(TICK), false, start);
        assert_eq!(window.size(), 4);
        (0..100).for_each(|_| answer(&mut window, start, TICK));
        assert_eq!(window.size(), 6);
        assert_eq!(Window::new(0).size(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn latency_far_above_the_usual_shrinks_it_to_a_quarter_of_the_ceiling_at_most() {
        let start = Instant::now();
        let mut window = Window::new(40);
        window.resume(40.0);
        (0..50).for_each(|round| answer(&mut window, start + TICK * round, TICK));
        assert_eq!(window.size(), 40);
        let mut sizes = Vec::new();
        for round in 50..90 {
            answer(&mut window, start + TICK * 20 * round, TICK * 20);
            sizes.push(window.size());
        }
        let smallest = sizes.iter().min().unwrap();
        assert!((10..=30).contains(smallest), "{sizes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_slow_from_now_on_is_not_avoided_for_ever() {
        let start = Instant::now();
        let mut window = Window::new(40);
        window.resume(40.0);
        (0..50).for_each(|round| answer(&mut window, start + TICK * round, TICK));
        for round in 50..1050 {
            answer(&mut window, start + TICK * 20 * round, TICK * 20);
        }
        assert_eq!(window.size(), 40);
    }
}
