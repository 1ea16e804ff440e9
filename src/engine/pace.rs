//! Leave to send: the quota, the ceiling of requests in flight, and the pause that a server asks for.
//!
//! Every request of a run passes through the pacer of its instance, whichever lane it belongs to, so the sum
//! is what the server sees. The quota is governor's; its clock is put over tokio's, so tests can pause it.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

/// governor's clock over tokio's time.
#[derive(Clone, Copy, Debug)]
struct TokioClock {
    origin: Instant,
}

/// A moment of [`TokioClock`], in nanoseconds since its origin.
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

/// Paces the requests to one instance.
#[derive(Debug)]
pub struct Pacer {
    clock: TokioClock,
    limiter: Mutex<Option<(f64, std::sync::Arc<Limiter>)>>,
    places: Semaphore,
    ceiling: usize,
    /// Nothing leaves before this moment.
    paused_until: watch::Sender<Instant>,
    requests: AtomicU64,
    refused: AtomicU64,
    in_flight: AtomicU32,
    /// Times to answer since the last sample, in microseconds.
    latencies: Mutex<Vec<u32>>,
}

/// Leave for one request. Dropping it frees its place.
#[derive(Debug)]
pub struct Permit<'a> {
    _place: SemaphorePermit<'a>,
    pacer: &'a Pacer,
    started: Instant,
}

/// The pace since the last sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Requests so far.
    pub requests: u64,
    /// Requests refused with 429 so far.
    pub refused: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Median time to answer since the last sample.
    pub latency: Duration,
    /// The cap on requests per second.
    pub per_second_max: Option<f64>,
    /// The ceiling of requests in flight.
    pub concurrency: usize,
}

impl Pacer {
    /// A pacer that lets `concurrency` requests be in flight and `per_second_max` leave per second.
    pub fn new(concurrency: usize, per_second_max: Option<f64>) -> Self {
        let origin = Instant::now();
        let pacer = Self {
            clock: TokioClock { origin },
            limiter: Mutex::new(None),
            places: Semaphore::new(concurrency.max(1)),
            ceiling: concurrency.max(1),
            paused_until: watch::Sender::new(origin),
            requests: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            latencies: Mutex::new(Vec::new()),
        };
        pacer.set_rate(per_second_max);
        pacer
    }

    /// Changes the cap on requests per second; `None` lifts it.
    pub fn set_rate(&self, per_second_max: Option<f64>) {
        let limiter = per_second_max.filter(|rate| *rate > 0.0).and_then(|rate| {
            // A burst of a tenth of a second keeps any window of a second within the quota and its tenth.
            let quota = Quota::with_period(Duration::from_secs_f64(1.0 / rate))?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rates are small and positive"
            )]
            let burst = NonZeroU32::new((rate / 10.0).ceil() as u32)?;
            let limiter = RateLimiter::direct_with_clock(quota.allow_burst(burst), self.clock);
            Some((rate, std::sync::Arc::new(limiter)))
        });
        *self.limiter.lock().expect("no holder panics") = limiter;
    }

    /// Waits for leave to send one request. Cancel-safe, but a quota cell that was taken stays taken.
    pub async fn permit(&self) -> Permit<'_> {
        let place = self
            .places
            .acquire()
            .await
            .expect("the semaphore is never closed");
        loop {
            self.pause_over().await;
            let limiter = self
                .limiter
                .lock()
                .expect("no holder panics")
                .as_ref()
                .map(|(_, limiter)| limiter.clone());
            let Some(Err(early)) = limiter.map(|limiter| limiter.check()) else {
                break;
            };
            tokio::time::sleep(early.wait_time_from(self.clock.now())).await;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Permit {
            _place: place,
            pacer: self,
            started: Instant::now(),
        }
    }

    async fn pause_over(&self) {
        loop {
            let until = *self.paused_until.borrow();
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// Lets nothing leave for `pause`: the server asked for it, and it speaks to everybody on this host.
    pub fn pause(&self, pause: Duration) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let until = Instant::now() + pause;
        self.paused_until.send_if_modified(|present| {
            let later = until > *present;
            if later {
                *present = until;
            }
            later
        });
    }

    /// Takes the present pace, and forgets the latencies up to now.
    pub fn sample(&self) -> Sample {
        let mut latencies = std::mem::take(&mut *self.latencies.lock().expect("no holder panics"));
        latencies.sort_unstable();
        let median = latencies.get(latencies.len() / 2).copied().unwrap_or(0);
        Sample {
            requests: self.requests.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            latency: Duration::from_micros(u64::from(median)),
            per_second_max: self
                .limiter
                .lock()
                .expect("no holder panics")
                .as_ref()
                .map(|(rate, _)| *rate),
            concurrency: self.ceiling,
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.pacer.in_flight.fetch_sub(1, Ordering::Relaxed);
        let micros = u32::try_from(self.started.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.pacer
            .latencies
            .lock()
            .expect("no holder panics")
            .push(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_lets_more_leave_than_the_quota_and_its_burst() {
        let pacer = Pacer::new(100, Some(20.0));
        let start = Instant::now();
        let mut left = Vec::new();
        for _ in 0..100 {
            drop(pacer.permit().await);
            left.push(start.elapsed());
        }
        for (at, moment) in left.iter().enumerate() {
            let within = left[at..]
                .iter()
                .filter(|other| **other - *moment < Duration::from_secs(1))
                .count();
            assert!(
                within <= 22,
                "{within} requests left in the second from {moment:?}"
            );
        }
        assert!(
            left[99] <= Duration::from_secs(5),
            "the quota is not used: {:?}",
            left[99]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody() {
        let pacer = Pacer::new(4, None);
        pacer.pause(Duration::from_secs(3));
        let start = Instant::now();
        drop(pacer.permit().await);
        assert!(start.elapsed() >= Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_flight_than_the_ceiling() {
        let pacer = Pacer::new(2, None);
        let one = pacer.permit().await;
        let _two = pacer.permit().await;
        assert!(
            tokio::time::timeout(Duration::from_secs(9), pacer.permit())
                .await
                .is_err()
        );
        drop(one);
        assert!(
            tokio::time::timeout(Duration::from_secs(9), pacer.permit())
                .await
                .is_ok()
        );
    }
}
