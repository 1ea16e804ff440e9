//! Why a request failed, and what may follow.

use std::time::Duration;

use super::{Misplaced, TooLarge};
use crate::domain::{Failure, FailureCause};

/// A request that did not bring what it was sent for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {cause}{}", .said.as_ref().map(|said| format!("; server message: {said:?}")).unwrap_or_default())]
pub struct RequestError {
    /// What was attempted, such as `reading the list of containers of 1a2b3c4d-u`.
    pub operation: String,
    /// What went wrong.
    pub cause: Cause,
    /// What the server said, without mark-up, cut to a readable length; never a credential.
    pub said: Option<String>,
    /// The server's request id, for its support.
    pub request_id: Option<String>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The connection could not be made; nothing was sent.
    #[error("cannot connect to {host}: {detail}")]
    Connect {
        /// Host and port.
        host: String,
        /// The system's words.
        detail: String,
    },
    /// No answer within the time-out.
    #[error("timed out after {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The connection was lost before the answer was complete.
    #[error("the connection was lost: {0}")]
    Broken(String),
    /// 429: more requests than the server allows. It did nothing.
    #[error("rate limited by the server{} (HTTP 429)", for_seconds(*.retry_after))]
    Throttled {
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// A status of 500 and above, or 408.
    #[error("the server failed (HTTP {status})")]
    ServerFailed {
        /// The status.
        status: u16,
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// 401: the credential is missing, wrong or expired.
    #[error("authentication failed (HTTP 401): the token is missing, wrong or expired")]
    Unauthorised,
    /// 401 for a token that has been replaced since, so that the request may leave once more.
    #[error("the token had expired (HTTP 401) and was renewed")]
    Renewed,
    /// 401 for a token that could not be replaced, for this reason.
    #[error("authentication failed (HTTP 401), and the token could not be renewed: {0}")]
    NotRenewed(String),
    /// 403: the credential has no rights on this instance.
    #[error("permission denied (HTTP 403)")]
    Forbidden,
    /// 404.
    #[error("not found (HTTP 404)")]
    NotFound,
    /// Any other status from 300 to 499.
    #[error("the server refused it (HTTP {status})")]
    Refused {
        /// The status.
        status: u16,
    },
    /// A successful status with a body that cannot be understood.
    #[error("unexpected response: {0}")]
    Malformed(String),
    /// The bytes that were to be sent could not be read or have the wrong length.
    #[error("invalid file content: {0}")]
    Content(String),
    /// The file is where files are not fetched from; nothing was sent there.
    #[error("{0}")]
    Misplaced(Box<Misplaced>),
    /// The answer is larger than what is allowed.
    #[error("{0}")]
    TooLarge(TooLarge),
    /// A feed that reports a rebuild, or answers nothing at all.
    #[error("the feed is busy: it is being rebuilt")]
    Busy,
    /// The run ended before the request could leave.
    #[error("the run ended before it was sent")]
    Halted,
}

fn for_seconds(wait: Option<Duration>) -> String {
    wait.map(|wait| format!(" for {} s", wait.as_secs()))
        .unwrap_or_default()
}

impl Cause {
    /// What it is to the entity that the request was for.
    pub const fn of_entity(&self) -> FailureCause {
        FailureCause {
            failure: self.failure(),
            status: self.status(),
        }
    }

    /// The status of the response, where that was what failed.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::ServerFailed { status, .. } | Self::Refused { status } => Some(*status),
            Self::Throttled { .. } => Some(429),
            Self::Unauthorised | Self::Renewed | Self::NotRenewed(_) => Some(401),
            Self::Forbidden => Some(403),
            Self::NotFound => Some(404),
            Self::Connect { .. }
            | Self::TimedOut(_)
            | Self::Broken(_)
            | Self::Malformed(_)
            | Self::Content(_)
            | Self::Misplaced(_)
            | Self::TooLarge(_)
            | Self::Busy
            | Self::Halted => None,
        }
    }

    /// Whether no request gets through before there is another token.
    pub const fn asks_for_token(&self) -> bool {
        matches!(self, Self::Unauthorised | Self::NotRenewed(_))
    }

    const fn failure(&self) -> Failure {
        match self {
            Self::Connect { .. } | Self::Broken(_) => Failure::Unreachable,
            Self::TimedOut(_) => Failure::TimedOut,
            Self::Throttled { .. } | Self::Busy => Failure::Throttled,
            Self::Unauthorised | Self::Renewed | Self::NotRenewed(_) | Self::Forbidden => {
                Failure::Access
            }
            Self::Misplaced(_) => Failure::Misplaced,
            Self::Content(_) => Failure::File,
            Self::ServerFailed { .. } => Failure::ServerFailed,
            Self::NotFound
            | Self::Refused { .. }
            | Self::Malformed(_)
            | Self::TooLarge(_)
            | Self::Halted => Failure::Refused,
        }
    }
}

/// Whether a request changes anything when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Read,
    /// It writes.
    Write,
}

/// What may follow a failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It had no effect and may be sent again, not before the server's `Retry-After`.
    Retry {
        /// The server's own floor for the wait.
        after: Option<Duration>,
    },
    /// It may have taken effect: look before sending again.
    Reconcile,
    /// Sending it again would fail again.
    GiveUp,
}

impl RequestError {
    /// A failure without a response of a server.
    pub fn new(operation: impl Into<String>, cause: Cause) -> Self {
        Self {
            operation: operation.into(),
            cause,
            said: None,
            request_id: None,
        }
    }

    /// Decides what may follow. The one place where a failure turns into a decision.
    pub const fn verdict(&self, effect: Effect) -> Verdict {
        let in_doubt = match effect {
            Effect::Read => Verdict::Retry { after: None },
            Effect::Write => Verdict::Reconcile,
        };
        match &self.cause {
            Cause::Connect { .. } | Cause::Busy | Cause::Renewed => Verdict::Retry { after: None },
            Cause::Throttled { retry_after } => Verdict::Retry {
                after: *retry_after,
            },
            Cause::ServerFailed { retry_after, .. } => match effect {
                Effect::Read => Verdict::Retry {
                    after: *retry_after,
                },
                Effect::Write => Verdict::Reconcile,
            },
            Cause::TimedOut(_) | Cause::Broken(_) | Cause::Malformed(_) => in_doubt,
            // It would be as large again.
            Cause::TooLarge(_) => match effect {
                Effect::Read => Verdict::GiveUp,
                Effect::Write => Verdict::Reconcile,
            },
            Cause::Unauthorised
            | Cause::NotRenewed(_)
            | Cause::Forbidden
            | Cause::NotFound
            | Cause::Refused { .. }
            | Cause::Content(_)
            | Cause::Misplaced(_)
            | Cause::Halted => Verdict::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_fails_of_what_the_request_failed_of() {
        let refused = Cause::Refused { status: 422 }.of_entity();
        assert_eq!(
            (refused.failure, refused.status),
            (Failure::Refused, Some(422))
        );
        let expired = Cause::Unauthorised.of_entity();
        assert_eq!(
            (expired.failure, expired.status),
            (Failure::Access, Some(401))
        );
        // The advice was to correct the entity, although the file was cut short on its way.
        let short = Cause::Content("10 of 20 bytes".to_owned()).of_entity();
        assert_eq!((short.failure, short.status), (Failure::File, None));
    }

    const WAIT: Option<Duration> = Some(Duration::from_secs(7));

    /// Every cause with what may follow it for a read and for a write.
    fn table() -> Vec<(Cause, Verdict, Verdict)> {
        let text = || "detail".to_owned();
        let again = Verdict::Retry { after: None };
        let later = Verdict::Retry { after: WAIT };
        let failed = |status, retry_after| Cause::ServerFailed {
            status,
            retry_after,
        };
        let host = "mgmt.example.test:443".to_owned();
        let detail = text();
        vec![
            (Cause::Connect { host, detail }, again, again),
            (
                Cause::TimedOut(Duration::from_mins(1)),
                again,
                Verdict::Reconcile,
            ),
            (Cause::Broken(text()), again, Verdict::Reconcile),
            (Cause::Throttled { retry_after: None }, again, again),
            (Cause::Throttled { retry_after: WAIT }, later, later),
            (failed(408, None), again, Verdict::Reconcile),
            (failed(500, None), again, Verdict::Reconcile),
            (failed(502, None), again, Verdict::Reconcile),
            (failed(503, WAIT), later, Verdict::Reconcile),
            (failed(504, None), again, Verdict::Reconcile),
            (Cause::Unauthorised, Verdict::GiveUp, Verdict::GiveUp),
            (Cause::Renewed, again, again),
            (Cause::NotRenewed(text()), Verdict::GiveUp, Verdict::GiveUp),
            (Cause::Forbidden, Verdict::GiveUp, Verdict::GiveUp),
            (Cause::NotFound, Verdict::GiveUp, Verdict::GiveUp),
            (
                Cause::Refused { status: 400 },
                Verdict::GiveUp,
                Verdict::GiveUp,
            ),
            (Cause::Malformed(text()), again, Verdict::Reconcile),
            (Cause::Content(text()), Verdict::GiveUp, Verdict::GiveUp),
            (
                Cause::Misplaced(Box::new(Misplaced::Scheme { scheme: text() })),
                Verdict::GiveUp,
                Verdict::GiveUp,
            ),
            (
                Cause::TooLarge(TooLarge::Answer(1)),
                Verdict::GiveUp,
                Verdict::Reconcile,
            ),
            (Cause::Busy, again, again),
            (Cause::Halted, Verdict::GiveUp, Verdict::GiveUp),
        ]
    }

    /// A number per variant; a new variant does not compile until it has one, and then the test below misses it.
    const fn number(cause: &Cause) -> usize {
        match cause {
            Cause::Connect { .. } => 0,
            Cause::TimedOut(_) => 1,
            Cause::Broken(_) => 2,
            Cause::Throttled { .. } => 3,
            Cause::ServerFailed { .. } => 4,
            Cause::Unauthorised => 5,
            Cause::Forbidden => 6,
            Cause::NotFound => 7,
            Cause::Refused { .. } => 8,
            Cause::Malformed(_) => 9,
            Cause::Content(_) => 10,
            Cause::Busy => 11,
            Cause::Halted => 12,
            Cause::Misplaced(_) => 13,
            Cause::TooLarge(_) => 14,
            Cause::Renewed => 15,
            Cause::NotRenewed(_) => 16,
        }
    }
    const CAUSES: usize = 17;

    #[test]
    fn every_cause_has_its_verdict_for_reads_and_for_writes() {
        let mut seen = [false; CAUSES];
        for (cause, read, write) in table() {
            seen[number(&cause)] = true;
            let error = RequestError::new("saving model Post", cause);
            assert_eq!(error.verdict(Effect::Read), read, "{error}");
            assert_eq!(error.verdict(Effect::Write), write, "{error}");
        }
        assert!(seen.iter().all(|seen| *seen), "a cause is not in the table");
    }

    #[test]
    fn a_write_is_sent_again_only_when_nothing_can_have_happened() {
        for (cause, _, write) in table() {
            let harmless = matches!(
                cause,
                Cause::Connect { .. } | Cause::Throttled { .. } | Cause::Busy | Cause::Renewed
            );
            assert_eq!(matches!(write, Verdict::Retry { .. }), harmless, "{cause}");
        }
    }
}
