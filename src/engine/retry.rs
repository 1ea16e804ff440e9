//! The only place that sends a request again.

use std::future::Future;
use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use tokio::time::Instant;

use super::lease::Fence;
use super::open_intents::AttemptLog;
use super::options::Options;
use super::outage::{Alarm, Standing, halted, may_leave};
use super::pace::{Class, Pacer, Permit, Refusal};
use super::sink::Sink;
use crate::event::{Event, millis};
use crate::instance::{Cause, Effect, RequestError, Verdict};
use crate::planted::{self, Bug};

/// The wait before a busy feed is asked again (as long as the vendor's client waits).
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// The wait from which on its end is reported, and not only counted.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// By which part of it a wait may be longer or shorter.
const JITTER: f64 = 0.3;

/// Refusals for the rate that one request bears for every attempt that it has.
const REFUSALS: u32 = 20;

/// How often and how patiently a request is sent again.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    attempts: u32,
    first_delay: Duration,
    delay_max: Duration,
    retry_after_max: Duration,
    busy_max: Duration,
    jitter: f64,
}

impl Retries {
    /// As the user set it.
    pub const fn new(options: &Options) -> Self {
        Self {
            attempts: options.attempts,
            first_delay: options.first_delay,
            delay_max: options.delay_max,
            retry_after_max: options.retry_after_max,
            busy_max: options.busy_max,
            jitter: if options.reproducible { 0.0 } else { JITTER },
        }
    }

    /// The same with fewer attempts.
    pub(super) fn at_most(self, attempts: u32) -> Self {
        Self {
            attempts: self.attempts.min(attempts),
            ..self
        }
    }

    fn delays(self) -> ExponentialBackoff {
        ExponentialBackoffBuilder::new()
            .with_initial_interval(self.first_delay)
            .with_max_interval(self.delay_max)
            .with_randomization_factor(self.jitter)
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
    /// Where events go.
    pub sink: &'a Sink,
    /// Where failed attempts are noted, of writes under an intent.
    pub attempts: Option<AttemptLog<'a>>,
    /// What writes of a run have to pass.
    pub fence: Option<&'a Fence>,
    /// What keeps requests of a run from leaving, and learns what does.
    pub alarm: Option<&'a Alarm>,
}

/// What one request has been through.
#[derive(Debug)]
struct Tries {
    attempt: u32,
    refusals: u32,
    /// Answers that the token is refused, or that there is no right.
    denials: u32,
    busy_since: Option<Instant>,
    delays: ExponentialBackoff,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GiveUp,
    /// No request gets past this.
    Outage,
    /// There is no right to write this, or to write at all.
    Denied,
    /// The server refused it for the rate, with the wait that it asks for and how often it did that before.
    WaitForServer(Option<Duration>, u32),
    WaitForFeed,
    Again(Duration),
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
    /// The last [`RequestError`]; [`Cause::Halted`] when the run ends before the request has left, or before it could
    /// be sent again. It had no effect then.
    pub async fn send_as<R, F>(
        &self,
        class: Class,
        effect: Effect,
        mut request: impl FnMut() -> F,
    ) -> Result<R, RequestError>
    where
        F: Future<Output = Result<R, RequestError>>,
    {
        let mut tries = Tries {
            attempt: 1,
            refusals: 0,
            denials: 0,
            busy_since: None,
            delays: self.retries.delays(),
        };
        let mut operation = String::new();
        loop {
            let permit = self.leave(class, effect, &operation).await?;
            if let (Effect::Write, Some(fence)) = (effect, self.fence) {
                fence.pass().await;
            }
            let error = match request().await {
                Ok(answer) => {
                    permit.answered();
                    self.went_well(class, effect);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if let Some(attempts) = self.attempts {
                attempts.note(&error.to_string());
            }
            let next = self.next(&error, (class, effect), &mut tries);
            let refusal = record_outcome(permit, &error.cause, next, self.retries.retry_after_max);
            operation.clone_from(&error.operation);
            self.follow(next, error, &mut tries).await?;
            if let Some(refusal) = refusal {
                self.throttled(refusal).await;
            }
        }
    }

    /// Waits until the request may leave.
    async fn leave(
        &self,
        class: Class,
        effect: Effect,
        operation: &str,
    ) -> Result<Permit<'_>, RequestError> {
        let Some(alarm) = self.alarm else {
            return Ok(self.pacer.permit(class).await);
        };
        let mut standing = alarm.standing();
        loop {
            let now = standing.see();
            match may_leave(&now, effect, self.pacer.paused_until()) {
                Some(false) => return Err(halted(operation)),
                Some(true) => {
                    // Both are cancel-safe: a place in a line, and a watch.
                    tokio::select! {
                        biased;
                        permit = self.pacer.permit(class) => return Ok(permit),
                        changed = standing.changed() => changed.unwrap_or(()),
                    }
                }
                None => standing.changed().await.unwrap_or(()),
            }
        }
    }

    fn went_well(&self, class: Class, effect: Effect) {
        if let (Some(alarm), true) = (self.alarm, class != Class::Download) {
            alarm.went_well(effect);
        }
    }

    /// Decides what follows a failure.
    fn next(
        &self,
        error: &RequestError,
        (class, effect): (Class, Effect),
        tries: &mut Tries,
    ) -> Next {
        let limit = self.retries.retry_after_max;
        let of_everything = if class == Class::Download {
            Next::GiveUp
        } else {
            Next::Outage
        };
        let is_row = || {
            let row = self.alarm.filter(|_| class != Class::Download);
            row.is_some_and(|alarm| alarm.is_one_of_a_row(&error.cause, effect))
        };
        match (&error.cause, error.verdict(effect)) {
            (Cause::Throttled { retry_after }, _) => {
                let again = tries.refusals;
                tries.refusals += 1;
                let is_too_long = retry_after.is_some_and(|pause| pause > limit);
                if is_too_long || tries.refusals > self.retries.attempts * REFUSALS {
                    return of_everything;
                }
                Next::WaitForServer(*retry_after, again)
            }
            (Cause::Busy, _) => {
                let since = *tries.busy_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.retries.busy_max {
                    return Next::GiveUp;
                }
                Next::WaitForFeed
            }
            // It may have had an effect. The next run finds out.
            (
                Cause::ServerFailed {
                    retry_after: Some(pause),
                    ..
                },
                Verdict::Reconcile,
            ) if *pause > limit && class != Class::Download => {
                if let Some(alarm) = self.alarm {
                    alarm.raise(error);
                }
                Next::GiveUp
            }
            // Neither has an effect, and one of them may be an error of the server.
            (Cause::Unauthorised | Cause::Forbidden, _) if self.asks_again(class, tries) => {
                Next::Again(self.retries.first_delay)
            }
            (Cause::Unauthorised | Cause::NotRenewed(_), _) => of_everything,
            (Cause::Forbidden, _) if effect == Effect::Write && self.alarm.is_some() => {
                Next::Denied
            }
            (_, Verdict::Retry { after }) => {
                if after.is_some_and(|floor| floor > limit) {
                    return of_everything;
                }
                if tries.attempt >= self.retries.attempts {
                    let is_gone = matches!(error.cause, Cause::Connect { .. });
                    return if is_gone || is_row() {
                        of_everything
                    } else {
                        Next::GiveUp
                    };
                }
                let delay = tries.delays.next_backoff();
                let delay = delay.unwrap_or(self.retries.delay_max);
                Next::Again(delay.max(after.unwrap_or_default()))
            }
            (_, Verdict::Reconcile)
                if planted::has(Bug::SendsUnknownAgain) && tries.attempt < 3 =>
            {
                Next::Again(self.retries.first_delay)
            }
            (_, Verdict::GiveUp) if is_row() => of_everything,
            (_, Verdict::GiveUp | Verdict::Reconcile) => Next::GiveUp,
        }
    }

    /// Whether a request that was denied is sent a second time: within a run only, where others went through before.
    fn asks_again(&self, class: Class, tries: &mut Tries) -> bool {
        tries.denials += 1;
        tries.denials == 1 && self.alarm.is_some() && class != Class::Download
    }

    /// Carries out what follows a failure. Returns when the request is to be sent again.
    async fn follow(
        &self,
        next: Next,
        error: RequestError,
        tries: &mut Tries,
    ) -> Result<(), RequestError> {
        match next {
            Next::GiveUp => return Err(error),
            Next::Outage => return self.outage(error).await,
            Next::Denied => {
                let alarm = self.alarm.ok_or_else(|| error.clone())?;
                if !alarm.is_of_everything(&error).await {
                    return Err(error);
                }
                return self.outage(error).await;
            }
            // The pace decides for how long.
            Next::WaitForServer(_, _) => {}
            Next::WaitForFeed => self.busy(&error).await,
            Next::Again(delay) => {
                tries.attempt += 1;
                let scheduled = Event::RetryScheduled {
                    operation: error.operation.clone(),
                    attempt: tries.attempt,
                    delay_ms: millis(delay),
                    cause: error.cause.to_string(),
                };
                self.sink.emit(scheduled).await;
                tokio::time::sleep(delay).await;
            }
        }
        Ok(())
    }

    /// Notifies the run. Returns when it is dealt with.
    async fn outage(&self, error: RequestError) -> Result<(), RequestError> {
        let Some(alarm) = self.alarm else {
            return Err(error);
        };
        alarm.raise(&error);
        let mut standing = alarm.standing();
        loop {
            let now = standing.see();
            match now {
                Standing::Open => return Ok(()),
                Standing::Held(_) => standing.changed().await.unwrap_or(()),
                Standing::Draining(_) | Standing::Over(_) => return Err(halted(&error.operation)),
            }
        }
    }

    /// Reports a refusal for the rate, and waits where it holds back this request alone; what holds everything back is
    /// kept by the pacer. A long pause is reported once, by the first that meets it.
    async fn throttled(&self, refusal: Refusal) {
        if refusal.is_new || refusal.pause < LONG_WAIT {
            let for_ms = millis(refusal.pause);
            self.sink.emit(Event::Throttled { for_ms }).await;
        }
        tokio::time::sleep(refusal.alone).await;
    }

    /// Waits before a busy feed is asked again.
    async fn busy(&self, error: &RequestError) {
        self.sink
            .emit(Event::FeedBusy {
                operation: error.operation.clone(),
                for_ms: millis(BUSY_WAIT),
                at_most_ms: millis(self.retries.busy_max),
            })
            .await;
        tokio::time::sleep(BUSY_WAIT).await;
    }
}

/// Shows the pacer how busy the server seems, and returns what a refusal for the rate leads to. A failure of its own making
/// (500) is an answer like any other; a connection that was not made or broke shows nothing of how busy it is.
fn record_outcome(
    permit: Permit<'_>,
    cause: &Cause,
    next: Next,
    limit: Duration,
) -> Option<Refusal> {
    match (cause, next) {
        (Cause::Throttled { .. }, Next::WaitForServer(asked, again)) => {
            return Some(permit.refused(asked, again));
        }
        (
            Cause::ServerFailed {
                retry_after: Some(pause),
                ..
            },
            Next::Again(_) | Next::GiveUp,
        ) if *pause <= limit => permit.asked_to_wait(*pause),
        (
            Cause::TimedOut(_)
            | Cause::ServerFailed {
                status: 408 | 502..=504,
                ..
            },
            _,
        ) => permit.overloaded(),
        (
            Cause::ServerFailed { .. }
            | Cause::Unauthorised
            | Cause::Renewed
            | Cause::NotRenewed(_)
            | Cause::Forbidden
            | Cause::NotFound
            | Cause::Refused { .. }
            | Cause::Busy
            | Cause::TooLarge(_)
            | Cause::Malformed(_),
            _,
        ) => permit.answered(),
        (
            Cause::Connect { .. }
            | Cause::Broken(_)
            | Cause::Content(_)
            | Cause::Misplaced(_)
            | Cause::Halted
            | Cause::Throttled { .. },
            _,
        ) => drop(permit),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::sync::mpsc;

    fn error(cause: Cause) -> RequestError {
        RequestError::new("saving model Post", cause)
    }

    async fn tries(effect: Effect, cause: Cause) -> (u32, Result<(), RequestError>) {
        let (events, mut received) = mpsc::channel(1_000);
        let (pacer, sink, count) = (Pacer::new(1, None), Sink::new(events), Cell::new(0));
        let sender = Sender {
            pacer: &pacer,
            retries: Retries::new(&Options::default()),
            sink: &sink,
            attempts: None,
            fence: None,
            alarm: None,
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
    async fn a_refusal_for_the_rate_uses_up_no_attempt_and_its_wait_is_a_floor() {
        let (events, _received) = mpsc::channel(100);
        let (pacer, sink, count) = (Pacer::new(1, None), Sink::new(events), Cell::new(0));
        let sender = Sender {
            pacer: &pacer,
            retries: Retries::new(&Options::default()),
            sink: &sink,
            attempts: None,
            fence: None,
            alarm: None,
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
        let cause = Cause::ServerFailed {
            status: 503,
            retry_after: Some(Duration::from_hours(1)),
        };
        assert_eq!(tries(Effect::Read, cause).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_within_the_limit_is_waited_for_and_told_with_its_end() {
        let start = Instant::now();
        let cause = Cause::ServerFailed {
            status: 503,
            retry_after: Some(Duration::from_mins(5)),
        };
        assert_eq!(tries(Effect::Read, cause).await.0, 5);
        assert!(start.elapsed() >= Duration::from_mins(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_feed_is_asked_for_ten_minutes() {
        let start = Instant::now();
        let (asked, ended) = tries(Effect::Read, Cause::Busy).await;
        assert_eq!(ended.unwrap_err().cause, Cause::Busy);
        assert_eq!(start.elapsed(), Duration::from_mins(10));
        assert_eq!(asked, 601);
    }

    /// Sends writes that all fail of `cause` under one alarm; returns how each ended.
    async fn under_alarm(alarm: &Alarm, cause: Cause, writes: usize) -> Vec<Cause> {
        let (events, mut received) = mpsc::channel(1000);
        let (pacer, sink) = (Pacer::new(1, None), Sink::new(events));
        let sender = Sender {
            pacer: &pacer,
            retries: Retries::new(&Options::default()),
            sink: &sink,
            attempts: None,
            fence: None,
            alarm: Some(alarm),
        };
        let mut ends = Vec::new();
        for _ in 0..writes {
            let refused = || std::future::ready(Err::<(), _>(error(cause.clone())));
            let sent = sender.send(Effect::Write, refused).await;
            ends.push(sent.unwrap_err().cause);
        }
        received.close();
        ends
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_is_refused_twice_ends_everything() {
        let alarm = Alarm::new(false);
        let ends = under_alarm(&alarm, Cause::Unauthorised, 3).await;
        assert_eq!(ends, [Cause::Halted, Cause::Halted, Cause::Halted]);
        let standing = alarm.standing().see();
        assert!(matches!(standing, Standing::Over(_)), "{standing:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn rights_that_are_missing_twice_and_nothing_else_end_everything() {
        let ends = under_alarm(&Alarm::new(false), Cause::Forbidden, 3).await;
        assert_eq!(ends, [Cause::Forbidden, Cause::Halted, Cause::Halted]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_of_one_entity_ends_nothing() {
        let alarm = Alarm::new(false);
        let ends = under_alarm(&alarm, Cause::Refused { status: 400 }, 9).await;
        assert!(
            ends.iter()
                .all(|end| *end == Cause::Refused { status: 400 })
        );
        assert!(matches!(alarm.standing().see(), Standing::Open));
    }
}
