//! The quota of one host with one token: what the rate allows, and the pause that the server requires.
//!
//! governor does the accounting. A request takes [`CELLS`] of its cells, because a burst is a whole number of cells: a burst
//! of whole requests would be a tenth of a second at 10 requests per second, and the rate is held closer to the limit than
//! that. The burst, [`CATCH_UP`], compensates for timers, which only ever wake too late.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota as Rate, RateLimiter};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::limit::{RateLearner, START, least};
use super::part::{Part, Way};

/// Cells in a request.
const CELLS: NonZeroU32 = NonZeroU32::new(16).expect("16 is not 0");
/// How much lost time a request may make good: a few ticks of the timer, which has one each millisecond. It is
/// taken from the 20 ms that holding 0.98 of a limit leaves.
const CATCH_UP: Duration = Duration::from_millis(5);

/// The wait after a refusal for the limit without `Retry-After`: what most services' windows need to clear.
pub(super) const WAIT: Duration = Duration::from_secs(1);
/// The first wait of a request after a refusal that does not reflect the limit, without `Retry-After`. It doubles each time.
const WAIT_ALONE: Duration = Duration::from_millis(50);
/// A wait that the server asks for and that holds everything back, whatever the refusal shows.
const LONG: Duration = Duration::from_secs(5);

/// What a refusal for the rate leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// How long nothing leaves, or this request does not.
    pub pause: Duration,
    /// How long this request alone has to wait, because the refusal does not reflect the limit.
    pub alone: Duration,
    /// Whether nothing was paused for that long yet, by a second at least.
    pub is_new: bool,
}

impl Refusal {
    pub(super) const fn alone(wait: Duration) -> Self {
        Self {
            pause: wait,
            alone: wait,
            is_new: false,
        }
    }
}

/// governor's clock over tokio's time.
#[derive(Clone, Copy, Debug)]
struct TokioClock {
    origin: Instant,
}

/// A moment of [`TokioClock`], counted from its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Duration);

impl Clock for TokioClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(self.origin.elapsed())
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.into()))
    }
}

impl std::ops::Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + Duration::from(other))
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Moment>>;

/// Leave to send by rate. Shared by the pacers of both sides when they are one host and one token.
#[derive(Debug)]
pub(super) struct Quota {
    clock: TokioClock,
    state: Mutex<State>,
    /// What keeps its part, where it is shared with other runs. It ends with the quota.
    pub(super) keeping: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) learner: RateLearner,
    /// The rate in force and its account.
    limiter: Option<(f64, Limiter)>,
    last_left: Option<Instant>,
    pub(super) paused_until: Instant,
    /// What the server asked for last.
    last_pause: Duration,
    /// What this process has of it, where it is shared with other runs.
    pub(super) part: Option<Part>,
}

/// What is to be expected of a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::engine) struct Outlook {
    /// Requests per second that may leave, as far as that is known.
    pub(in crate::engine) per_second: Option<f64>,
    /// When the limit is questioned next, and how long after that again; `None` when it is not.
    pub(in crate::engine) questions: Option<(Duration, Duration)>,
    /// What a question costs whose answer is a refusal: the pause that the server asked for last.
    pub(in crate::engine) pause: Duration,
}

impl Outlook {
    /// The pauses that are to be expected while `time` of requests is left.
    pub(in crate::engine) fn pauses_in(&self, time: Duration) -> Duration {
        let Some((first, then)) = self.questions.filter(|(first, _)| *first < time) else {
            return Duration::ZERO;
        };
        let more = time.saturating_sub(first).as_millis() / then.as_millis().max(1);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.pause.saturating_mul(more.saturating_add(1))
    }
}

impl Quota {
    /// A quota of which nothing is known but the user's cap.
    pub(super) fn new(cap: Option<f64>) -> Self {
        Self::beginning_with(START, cap)
    }

    /// The same, with the rate with which the first requests leave.
    pub(super) fn beginning_with(start: f64, cap: Option<f64>) -> Self {
        let origin = Instant::now();
        Self {
            clock: TokioClock { origin },
            state: Mutex::new(State {
                learner: RateLearner::new(start, cap),
                limiter: None,
                last_left: None,
                paused_until: origin,
                last_pause: Duration::ZERO,
                part: None,
            }),
            keeping: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Changes the user's cap; `None` lifts it.
    pub(super) fn set_cap(&self, cap: Option<f64>) {
        self.state().learner.set_cap(cap);
    }

    /// Starts with the limit that an earlier run found, or with the rate that it reached without one.
    pub(super) fn recall(&self, limit: Option<f64>, reached: Option<f64>) {
        self.state().learner.recall(limit, reached, Instant::now());
    }

    /// The limit that was learned.
    pub(super) fn limit(&self) -> Option<f64> {
        self.state().learner.limit()
    }

    /// The rate that was reached while no limit is known.
    pub(super) fn reached(&self) -> Option<f64> {
        self.state().learner.reached()
    }

    /// The rate in force: the user's cap, or what is held of the limit. The rate with which requests leave while no limit is
    /// known is none.
    pub(super) fn rate(&self) -> Option<f64> {
        let mut state = self.state();
        let part = state.part_of_rate();
        match state.learner.limit() {
            Some(_) if part < 1.0 => {
                let joint = state.learner.joint_rate(Instant::now());
                least(joint.map(|rate| rate * part), state.learner.cap())
            }
            Some(_) => state.learner.rate(Instant::now()),
            None => state.learner.steady(part),
        }
    }

    /// What is to be expected of it.
    pub(super) fn outlook(&self) -> Outlook {
        let now = Instant::now();
        let state = self.state();
        let pause = state.paused_until.saturating_duration_since(now);
        let questions = state.learner.questions(now);
        let questions = questions.map(|(next, then)| {
            // The answer to the last one is there, and is not judged before the pause is over.
            let judged = if pause.is_zero() { next } else { pause + then };
            (judged, then)
        });
        Outlook {
            per_second: state.learner.steady(state.part_of_rate()),
            questions,
            pause: state.last_pause,
        }
    }

    /// Takes leave for one request.
    ///
    /// # Errors
    /// The moment at which to ask again.
    pub(super) fn take(&self) -> Result<(), Instant> {
        let now = Instant::now();
        let mut state = self.state();
        if state.paused_until > now {
            return Err(state.paused_until);
        }
        let (rate, number) = state.next(now)?;
        state.put_in_force(rate, self.clock, now);
        let early = state.limiter.as_ref().and_then(|(_, limiter)| {
            let checked = limiter.check_n(CELLS).expect("the burst holds a request");
            checked
                .err()
                .map(|early: NotUntil<Moment>| early.wait_time_from(self.clock.now()))
        });
        if let Some(wait) = early {
            state.was_short(now);
            return Err(now + wait);
        }
        if let Some(part) = &mut state.part {
            part.left(number, now);
        }
        state.last_left = Some(now);
        state.learner.leave(now);
        Ok(())
    }

    /// Notes that the request that left at `left` was not refused.
    pub(super) fn admitted(&self, left: Instant) {
        self.state().learner.admitted(left, Instant::now());
    }

    /// Notes that the server refused the request that left at `left` for its rate and asks for a wait of `asked`; `None`
    /// when it does not state how long. `again`: how often it refused this request before.
    pub(super) fn refused(&self, left: Instant, asked: Option<Duration>, again: u32) -> Refusal {
        let mut state = self.state();
        let is_of_limit = state.learner.refused(left);
        if asked.is_some_and(|asked| asked.is_zero()) {
            return Refusal::alone(Duration::ZERO);
        }
        let is_long = asked.is_some_and(|asked| asked >= LONG);
        if !is_of_limit && !is_long {
            let wait = (WAIT_ALONE * 2_u32.saturating_pow(again)).min(WAIT);
            return Refusal::alone(asked.unwrap_or(wait));
        }
        let pause = asked.unwrap_or(WAIT);
        let until = Instant::now() + pause;
        let is_new = state.paused_until + Duration::from_secs(1) <= until;
        state.last_pause = pause;
        state.paused_until = state.paused_until.max(until);
        if is_of_limit {
            let until = state.paused_until;
            state.learner.pause(left, until);
        }
        state.publish_pause(until);
        Refusal {
            pause,
            alone: Duration::ZERO,
            is_new,
        }
    }

    /// Lets nothing leave for `pause`, and learns nothing from that.
    pub(super) fn pause(&self, pause: Duration) {
        let mut state = self.state();
        let until = Instant::now() + pause;
        state.paused_until = state.paused_until.max(until);
        state.publish_pause(until);
    }

    /// The end of the pause.
    pub(super) fn paused_until(&self) -> Instant {
        self.state().paused_until
    }
}

impl State {
    /// How much of the rate this process has, from 0 to 1.
    fn part_of_rate(&self) -> f64 {
        self.part.as_ref().map_or(1.0, Part::size)
    }

    /// The rate that this process keeps for itself, and the number of the next request among those of all runs, where it has no
    /// more than a part of these.
    fn next(&mut self, now: Instant) -> Result<(Option<f64>, Option<f64>), Instant> {
        let way = self.part.as_mut().map(|part| part.way(now)).transpose()?;
        let (Some(part), Some(Way::ByNumber)) = (&mut self.part, way) else {
            return Ok((self.learner.rate(now), None));
        };
        let joint = self.learner.joint_rate(now);
        let number = joint.map(|rate| part.number(rate, now)).transpose();
        if number.is_err() {
            self.was_short(now);
        }
        Ok((self.learner.cap(), number?))
    }

    fn was_short(&mut self, now: Instant) {
        self.learner.was_short(now);
        if let Some(part) = &mut self.part {
            part.was_short(now);
        }
    }

    fn publish_pause(&mut self, until: Instant) {
        if let Some(part) = &mut self.part {
            part.paused(until);
        }
    }

    /// Opens a new account when the rate changes. It continues the old one: the next request leaves one interval after
    /// the last one, whatever the rate was then.
    fn put_in_force(&mut self, rate: Option<f64>, clock: TokioClock, now: Instant) {
        if rate == self.limiter.as_ref().map(|(rate, _)| *rate) {
            return;
        }
        self.limiter = rate.and_then(|rate| {
            let cell = Duration::from_secs_f64(1.0 / rate) / CELLS.get();
            let spare = cells(CATCH_UP, cell);
            let burst = CELLS.saturating_add(spare);
            let limiter =
                Limiter::direct_with_clock(Rate::with_period(cell)?.allow_burst(burst), clock);
            let passed = self.last_left.map(|left| now.duration_since(left));
            let wait = passed.map_or(Duration::ZERO, |passed| {
                (cell * CELLS.get()).saturating_sub(passed)
            });
            let used = NonZeroU32::new(spare.saturating_add(cells(wait, cell)).min(burst.get()));
            if let (Some(used), false) = (used, wait.is_zero()) {
                // It fits, because it is no more than the burst of a fresh account.
                drop(limiter.check_n(used));
            }
            Some((rate, limiter))
        });
    }
}

/// How many cells fill `time`, at least.
fn cells(time: Duration, cell: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(cell.as_nanos().max(1))).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments at which the next requests leave.
    async fn leave(quota: &Quota, count: usize) -> Vec<Instant> {
        let mut left = Vec::new();
        while left.len() < count {
            match quota.take() {
                Ok(()) => left.push(Instant::now()),
                Err(at) => tokio::time::sleep_until(at).await,
            }
        }
        left
    }

    #[tokio::test(start_paused = true)]
    async fn requests_leave_evenly_and_use_the_whole_rate() {
        for rate in [1.0, 4.85, 19.4, 97.0, 485.0] {
            let quota = Quota::new(Some(rate));
            quota.recall(Some(rate * 2.0), None);
            let left = leave(&quota, 200).await;
            let used = 199.0 / (left[199] - left[0]).as_secs_f64() / rate;
            assert!((0.995..1.02).contains(&used), "{used} of {rate}");
            let most = left.iter().map(|from| {
                let within = |at: &&Instant| **at >= *from && **at - *from < Duration::from_secs(1);
                left.iter().filter(within).count()
            });
            let most = u32::try_from(most.max().unwrap()).unwrap();
            assert!(f64::from(most) <= rate / 0.97 + 1.0, "{most} at {rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_rate_gives_nothing_away() {
        let quota = Quota::new(Some(10.0));
        leave(&quota, 5).await;
        let mut gaps = Vec::new();
        for round in 0..20_u32 {
            quota.set_cap(Some(if round % 2 == 0 { 10.0 } else { 10.1 }));
            let left = leave(&quota, 1).await;
            gaps.push(left[0]);
        }
        for pair in gaps.windows(2) {
            assert!(pair[1] - pair[0] >= Duration::from_millis(90), "{pair:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_pause_counts_and_one_of_no_length_counts_not() {
        let quota = Quota::new(None);
        let start = Instant::now();
        quota.refused(start, Some(Duration::from_secs(7)), 0);
        quota.refused(start, Some(Duration::from_secs(6)), 0);
        assert_eq!(quota.take(), Err(start + Duration::from_secs(7)));
        tokio::time::advance(Duration::from_secs(7)).await;
        quota.refused(Instant::now(), Some(Duration::ZERO), 0);
        assert_eq!(quota.take(), Ok(()));
    }
}
