//! Sending again: the only place that does.

use std::future::Future;
use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

use super::lease::Fence;
use super::open_intents::Trail;
use super::options::Options;
use super::pace::{Class, Pacer, Permit};
use super::sink::Sink;
use crate::event::{Event, millis};
use crate::instance::{Cause, Effect, RequestError, Verdict};

/// The wait after a 429 without `Retry-After`: what most services' windows need to clear.
const THROTTLED_WAIT: Duration = Duration::from_secs(1);

/// How often and how patiently a request is sent again.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    attempts: u32,
    first_delay: Duration,
    delay_max: Duration,
}

impl Retries {
    /// As the user set it.
    pub const fn new(options: &Options) -> Self {
        Self {
            attempts: options.attempts,
            first_delay: options.first_delay,
            delay_max: options.delay_max,
        }
    }

    fn delays(self) -> ExponentialBackoff {
        ExponentialBackoffBuilder::new()
            .with_initial_interval(self.first_delay)
            .with_max_interval(self.delay_max)
            .with_randomization_factor(0.3)
            .with_multiplier(2.0)
            // Attempts are counted here; the default would give up by time.
            .with_max_elapsed_time(None)
            .build()
    }
}

/// Sends requests to one instance: under its pace, and again where that is safe.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The pace of the instance.
    pub pacer: &'a Pacer,
    /// How often.
    pub retries: Retries,
    /// Who is told.
    pub sink: &'a Sink,
    /// Where failed attempts are noted, of writes under an intent.
    pub trail: Option<Trail<'a>>,
    /// What writes of a run have to pass.
    pub fence: Option<&'a Fence>,
}

impl Sender<'_> {
    /// Sends a read of lists and entities, or a save of single ones; see [`Sender::send_as`].
    ///
    /// # Errors
    /// The last [`RequestError`].
    pub async fn send<R, F>(
        &self,
        effect: Effect,
        request: impl FnMut() -> F,
    ) -> Result<R, RequestError>
    where
        F: Future<Output = Result<R, RequestError>>,
    {
        let class = match effect {
            Effect::Read => Class::Read,
            Effect::Write => Class::Write,
        };
        self.send_as(class, effect, request).await
    }

    /// Sends until there is an answer, the attempts are used up, or sending again would not be safe. A request
    /// that was refused for its rate does not count as an attempt: it was never looked at.
    ///
    /// # Errors
    /// The last [`RequestError`].
    pub async fn send_as<R, F>(
        &self,
        class: Class,
        effect: Effect,
        mut request: impl FnMut() -> F,
    ) -> Result<R, RequestError>
    where
        F: Future<Output = Result<R, RequestError>>,
    {
        let mut delays = self.retries.delays();
        let mut attempt = 1;
        let mut refusals = 0;
        loop {
            let permit = self.pacer.permit(class).await;
            if let (Effect::Write, Some(fence)) = (effect, self.fence) {
                fence.pass().await;
            }
            let error = match request().await {
                Ok(answer) => {
                    permit.answered();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if let Some(trail) = self.trail {
                trail.note(&error.to_string());
            }
            if let Cause::Throttled { retry_after } = error.cause {
                let pause = retry_after.unwrap_or(THROTTLED_WAIT);
                permit.refused(pause);
                refusals += 1;
                if pause > self.retries.delay_max || refusals > self.retries.attempts * 20 {
                    return Err(error);
                }
                self.throttled(class, pause).await;
                continue;
            }
            heard(permit, &error.cause);
            let Verdict::Retry { after } = error.verdict(effect) else {
                return Err(error);
            };
            if attempt >= self.retries.attempts
                || after.is_some_and(|floor| floor > self.retries.delay_max)
            {
                return Err(error);
            }
            attempt += 1;
            let delay = delays
                .next_backoff()
                .unwrap_or(self.retries.delay_max)
                .max(after.unwrap_or_default());
            self.sink
                .emit(Event::RetryScheduled {
                    operation: error.operation.clone(),
                    attempt,
                    delay_ms: millis(delay),
                    cause: error.cause.to_string(),
                })
                .await;
            tokio::time::sleep(delay).await;
        }
    }

    /// Tells of a refusal. The pacer keeps the pause, except for downloads, whose host is not the API's.
    async fn throttled(&self, class: Class, pause: Duration) {
        self.sink
            .emit(Event::Throttled {
                for_ms: millis(pause),
            })
            .await;
        if class == Class::Download {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Tells the pacer how busy the server seems. A failure of its own making (500) is an answer like any other; a
/// connection that was not made or broke says nothing about how busy it is.
fn heard(permit: Permit<'_>, cause: &Cause) {
    match cause {
        Cause::TimedOut(_)
        | Cause::ServerFailed {
            status: 408 | 502..=504,
            ..
        } => permit.overloaded(),
        Cause::ServerFailed { .. }
        | Cause::Unauthorised
        | Cause::Forbidden
        | Cause::NotFound
        | Cause::Refused { .. }
        | Cause::Malformed(_) => permit.answered(),
        Cause::Connect { .. } | Cause::Broken(_) | Cause::Content(_) | Cause::Throttled { .. } => {
            drop(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::sync::mpsc;

    fn error(cause: Cause) -> RequestError {
        RequestError {
            operation: "saving model Post".to_owned(),
            cause,
            said: None,
            request_id: None,
        }
    }

    async fn tries(effect: Effect, cause: Cause) -> (u32, Result<(), RequestError>) {
        let (events, mut received) = mpsc::channel(100);
        let (pacer, sink, count) = (Pacer::new(1, None), Sink::new(events), Cell::new(0));
        let sender = Sender {
            pacer: &pacer,
            retries: Retries::new(&Options::default()),
            sink: &sink,
            trail: None,
            fence: None,
        };
        let result = sender
            .send(effect, || {
                count.set(count.get() + 1);
                std::future::ready(Err(error(cause.clone())))
            })
            .await;
        received.close();
        (count.get(), result)
    }

    #[tokio::test(start_paused = true)]
    async fn reads_are_repeated_and_writes_in_doubt_are_not() {
        let timed_out = Cause::TimedOut(Duration::from_mins(1));
        assert_eq!(tries(Effect::Read, timed_out.clone()).await.0, 5);
        assert_eq!(tries(Effect::Write, timed_out).await.0, 1);
        let failed = Cause::ServerFailed {
            status: 503,
            retry_after: None,
        };
        assert_eq!(tries(Effect::Write, failed).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_left_is_sent_again() {
        let cause = Cause::Connect {
            host: "127.0.0.1:1".to_owned(),
            detail: "refused".to_owned(),
        };
        assert_eq!(tries(Effect::Write, cause).await.0, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_the_rate_uses_up_no_attempt_and_its_wait_is_a_floor_for_everybody() {
        let (events, _received) = mpsc::channel(100);
        let (pacer, sink, count) = (Pacer::new(1, None), Sink::new(events), Cell::new(0));
        let sender = Sender {
            pacer: &pacer,
            retries: Retries::new(&Options::default()),
            sink: &sink,
            trail: None,
            fence: None,
        };
        let start = tokio::time::Instant::now();
        let sent = sender.send(Effect::Write, || {
            count.set(count.get() + 1);
            let retry_after = Some(Duration::from_secs(2));
            std::future::ready(if count.get() < 10 {
                Err(error(Cause::Throttled { retry_after }))
            } else {
                Ok(count.get())
            })
        });
        assert_eq!(sent.await, Ok(10));
        assert!(start.elapsed() >= Duration::from_secs(18));
        assert_eq!(pacer.sample().refused, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_past_the_limit_fails_instead() {
        let cause = Cause::Throttled {
            retry_after: Some(Duration::from_hours(1)),
        };
        assert_eq!(tries(Effect::Read, cause).await.0, 1);
    }
}
