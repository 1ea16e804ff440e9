//! Failures that stop all requests: a refused token, missing rights, an unreachable host, a wait beyond the limit.
//!
//! ```text
//!   Open ──raise──▶ Over                      (no user to ask: the run ends, what was not sent stays for the next one)
//!    │  └──raise──▶ Held ──resume──▶ Open     (a terminal: requests wait until a user has dealt with the cause)
//!    └──drain─────▶ Draining                  (writes that have not left are dropped)
//! ```
//!
//! A single response does not show whether one entity or everything fails. So a request with a refused token is repeated
//! once, and a failure that may concern one entity counts only when it occurs several times without a success between.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::signal;
use crate::event::Side;
use crate::instance::{Cause, Effect, RequestError};

/// So many in a row, of different requests and without a success between, are no matter of single entities.
const IN_A_ROW: u32 = 3;

/// How long a refusal for lack of rights waits for what becomes of other writes.
const OTHERS: Duration = Duration::from_secs(3);

/// A failure of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The side that cannot be worked with.
    pub side: Side,
    /// The first request that showed it.
    pub error: RequestError,
}

/// Whether requests may leave.
#[derive(Clone, Debug, Default)]
pub(super) enum Standing {
    /// They may.
    #[default]
    Open,
    /// They wait.
    Held(Arc<Outage>),
    /// An end was requested. Reads may leave until this moment, because what is in flight needs them.
    Draining(Instant),
    /// None leaves any more.
    Over(Arc<Outage>),
}

/// What all senders of a run share about the target.
#[derive(Debug)]
pub struct Alarm {
    standing: signal::Sender<Standing>,
    rows: Mutex<Rows>,
    /// Writes that went well.
    written: signal::Sender<u64>,
    /// Whether a user can deal with an outage while the run waits.
    is_patient: bool,
    /// Whether denied writes in a row are an outage. An undo deletes one kind after another, so that a right that is missing
    /// for one kind looks like that.
    counts_denials: bool,
}

/// Failures since the last success.
#[derive(Debug, Default)]
struct Rows {
    /// Writes without the right to.
    forbidden: u32,
    /// Requests that brought no answer.
    unanswered: u32,
}

impl Alarm {
    /// Nothing has happened. `is_patient`: an outage holds requests back until [`Alarm::resume`].
    pub(super) fn new(is_patient: bool) -> Self {
        Self {
            standing: signal::Sender::default(),
            rows: Mutex::default(),
            written: signal::Sender::default(),
            is_patient,
            counts_denials: true,
        }
    }

    /// For an undo.
    pub(super) fn of_undo() -> Self {
        Self {
            counts_denials: false,
            ..Self::new(false)
        }
    }

    /// What ended everything.
    pub(super) fn outage(&self) -> Option<Arc<Outage>> {
        self.standing.look(|standing| match standing {
            Standing::Over(outage) => Some(Arc::clone(outage)),
            Standing::Open | Standing::Held(_) | Standing::Draining(_) => None,
        })
    }

    /// What becomes of the requests, and every change of that.
    pub(super) fn standing(&self) -> signal::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Notes an outage. The first one stays.
    pub(super) fn raise(&self, error: &RequestError) {
        self.standing.send_if_modified(|standing| {
            let Standing::Open = standing else {
                return false;
            };
            let outage = Arc::new(Outage {
                side: Side::Target,
                error: error.clone(),
            });
            *standing = if self.is_patient {
                Standing::Held(outage)
            } else {
                Standing::Over(outage)
            };
            true
        });
    }

    /// Lets requests leave again that were held back.
    pub(super) fn resume(&self) {
        *self.rows() = Rows::default();
        self.standing.send_if_modified(|standing| {
            let is_held = matches!(standing, Standing::Held(_));
            if is_held {
                *standing = Standing::Open;
            }
            is_held
        });
    }

    /// Drops what has not left, but for reads until `until`.
    pub(super) fn drain(&self, until: Instant) {
        self.standing.send_if_modified(|standing| {
            let is_new = !matches!(standing, Standing::Over(_) | Standing::Draining(_));
            if is_new {
                *standing = Standing::Draining(until);
            }
            is_new
        });
    }

    /// Notes a success.
    pub(super) fn went_well(&self, effect: Effect) {
        let mut rows = self.rows();
        rows.unanswered = 0;
        if effect == Effect::Write {
            rows.forbidden = 0;
            self.written.send_if_modified(|written| {
                *written += 1;
                true
            });
        }
    }

    /// Finds out whether a write that was refused for lack of rights is a matter of its own: the next write that goes
    /// well shows that, others that are refused as well show the opposite. Raises the alarm then.
    pub(super) async fn is_of_everything(&self, error: &RequestError) -> bool {
        if !self.counts_denials {
            return false;
        }
        let mut written = self.written.subscribe();
        let mut standing = self.standing();
        let row = {
            let mut rows = self.rows();
            rows.forbidden += 1;
            rows.forbidden
        };
        if row < IN_A_ROW {
            let is_open = |standing: &Standing| matches!(standing, Standing::Open);
            // All are cancel-safe: two watches and a moment.
            tokio::select! {
                biased;
                _ = written.changed() => return false,
                _ = standing.wait_for(|now| !is_open(now)) => return true,
                () = tokio::time::sleep(OTHERS) => {}
            }
            if self.rows().forbidden < 2 {
                return false;
            }
        }
        self.raise(error);
        true
    }

    /// Notes that a request failed for good. Returns whether that concerns more than a single entity.
    pub(super) fn is_one_of_a_row(&self, cause: &Cause, effect: Effect) -> bool {
        let mut rows = self.rows();
        let is_unanswered = matches!(
            cause,
            Cause::TimedOut(_)
                | Cause::Broken(_)
                | Cause::ServerFailed {
                    status: 502..=504,
                    ..
                }
        );
        if effect == Effect::Write || !is_unanswered {
            return false;
        }
        rows.unanswered += 1;
        rows.unanswered >= IN_A_ROW
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, Rows> {
        self.rows.lock().expect("no holder panics")
    }
}

/// Whether a request with this effect may leave as things stand, which is `None` while it has to wait. `paused_until` is
/// when the pace would let it.
pub(super) fn may_leave(
    standing: &Standing,
    effect: Effect,
    paused_until: Instant,
) -> Option<bool> {
    match (standing, effect) {
        (Standing::Open, _) => Some(true),
        (Standing::Held(_), _) => None,
        (Standing::Draining(until), Effect::Read) => Some(paused_until <= *until),
        (Standing::Draining(_), Effect::Write) | (Standing::Over(_), _) => Some(false),
    }
}

/// The failure of a request that never left.
pub(super) fn halted(operation: &str) -> RequestError {
    RequestError::new(operation, Cause::Halted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(cause: Cause) -> RequestError {
        RequestError {
            cause,
            ..halted("saving model Post")
        }
    }

    fn stands(alarm: &Alarm, effect: Effect) -> Option<bool> {
        may_leave(&alarm.standing().see(), effect, Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_outage_stays_and_ends_everything() {
        let alarm = Alarm::new(false);
        assert_eq!(stands(&alarm, Effect::Write), Some(true));
        alarm.raise(&error(Cause::Unauthorised));
        alarm.raise(&error(Cause::Forbidden));
        alarm.resume();
        alarm.drain(Instant::now());
        let Standing::Over(outage) = alarm.standing().see() else {
            panic!("it is not over");
        };
        assert_eq!(outage.error.cause, Cause::Unauthorised);
        assert_eq!(stands(&alarm, Effect::Read), Some(false));
    }

    #[tokio::test(start_paused = true)]
    async fn with_patience_requests_wait_until_somebody_resumes() {
        let alarm = Alarm::new(true);
        alarm.raise(&error(Cause::Unauthorised));
        assert_eq!(stands(&alarm, Effect::Write), None);
        alarm.resume();
        assert_eq!(stands(&alarm, Effect::Write), Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_drops_writes_and_reads_that_would_come_too_late() {
        let alarm = Alarm::new(true);
        let now = Instant::now();
        alarm.drain(now + Duration::from_mins(1));
        let at = |paused| may_leave(&alarm.standing().see(), Effect::Read, now + paused);
        assert_eq!(stands(&alarm, Effect::Write), Some(false));
        assert_eq!(at(Duration::from_secs(5)), Some(true));
        assert_eq!(at(Duration::from_mins(50)), Some(false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_goes_well_shows_that_a_refusal_is_of_one_entity() {
        let alarm = Alarm::new(false);
        let forbidden = error(Cause::Forbidden);
        let well = async { alarm.went_well(Effect::Write) };
        let (of_everything, ()) = tokio::join!(alarm.is_of_everything(&forbidden), well);
        assert!(!of_everything);
        assert_eq!(stands(&alarm, Effect::Write), Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_without_a_write_that_goes_well_are_of_everything() {
        let alarm = Alarm::new(false);
        let forbidden = error(Cause::Forbidden);
        let ends = tokio::join!(
            alarm.is_of_everything(&forbidden),
            alarm.is_of_everything(&forbidden),
            alarm.is_of_everything(&forbidden)
        );
        assert_eq!(ends, (true, true, true));
        assert_eq!(stands(&alarm, Effect::Write), Some(false));
        let alone = Alarm::new(false);
        assert!(!alone.is_of_everything(&forbidden).await);
    }

    #[test]
    fn only_a_row_without_a_success_counts() {
        let alarm = Alarm::new(false);
        let broken = Cause::Broken("reset".to_owned());
        let failed = || alarm.is_one_of_a_row(&broken, Effect::Read);
        assert!(!failed() && !failed());
        alarm.went_well(Effect::Read);
        assert!(!failed() && !failed());
        assert!(failed());
        assert!(!alarm.is_one_of_a_row(&Cause::NotFound, Effect::Read));
    }
}
