//! How a run ended: one value, from which exit code, last line, report and record follow.

use std::sync::Arc;

use super::outage::Outage;
use crate::domain::RunEnd;
use crate::store::StoreError;

/// Why a run drains when the user ends it.
pub(super) const ASKED: &str = "the user asked for it";

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub enum End {
    /// Every phase came to its end, whatever became of single entities.
    #[default]
    Complete,
    /// The first failure, of a run that was to end with it.
    FailFast,
    /// The user or the system asked for it.
    Interrupted,
    /// Nothing more may be written.
    Stopped(StopCause),
    /// Another run may work on the same pair.
    LeaseLost(StoreError),
    /// Entities were left of which none could go on; what each waited for. A bug of ours.
    Stalled(String),
}

/// Why nothing more may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// The target stored a reference wrong.
    Reference(String),
    /// No request gets through.
    Outage(Arc<Outage>),
    /// A job broke twice: a bug of ours.
    Panic(String),
}

impl End {
    /// The same in kind.
    pub const fn kind(&self) -> RunEnd {
        match self {
            Self::Complete => RunEnd::Complete,
            Self::FailFast => RunEnd::FailFast,
            Self::Interrupted => RunEnd::Interrupted,
            Self::Stopped(_) => RunEnd::Stopped,
            Self::LeaseLost(_) => RunEnd::LeaseLost,
            Self::Stalled(_) => RunEnd::Stalled,
        }
    }

    /// Whether the next phase follows.
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// The one to report when both happened; of two of equal weight, the first.
    #[must_use]
    pub fn or(self, later: Self) -> Self {
        if later.weight() > self.weight() {
            later
        } else {
            self
        }
    }

    /// What matters most to a user weighs most. What was proven wrong is reported even when an end was requested, too.
    const fn weight(&self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::FailFast => 1,
            Self::Interrupted => 2,
            Self::Stopped(StopCause::Reference(_)) => 3,
            Self::Stopped(StopCause::Outage(_)) => 4,
            Self::LeaseLost(_) => 5,
            Self::Stalled(_) => 6,
            Self::Stopped(StopCause::Panic(_)) => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_stays_unless_a_later_one_says_more() {
        let wrong = || End::Stopped(StopCause::Reference("a link".to_owned()));
        let broken = || End::Stopped(StopCause::Panic("a job".to_owned()));
        for (first, later, told) in [
            (End::Complete, End::Interrupted, RunEnd::Interrupted),
            (End::FailFast, End::Interrupted, RunEnd::Interrupted),
            (End::Interrupted, End::FailFast, RunEnd::Interrupted),
            (End::Interrupted, wrong(), RunEnd::Stopped),
            (broken(), End::Stalled(String::new()), RunEnd::Stopped),
        ] {
            assert_eq!(first.or(later).kind(), told);
        }
        let first = broken().or(End::Stopped(StopCause::Panic("another".to_owned())));
        let End::Stopped(StopCause::Panic(why)) = first else {
            panic!("{first:?}");
        };
        assert_eq!(why, "a job");
    }
}
