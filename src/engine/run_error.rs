//! Why a run could not begin or not go on.

use super::pull::PullError;
use super::unplaced::Unplaced;
use crate::domain::Locale;
use crate::plan::UnknownName;
use crate::store::StoreError;

/// Why a run ended before it could settle everything.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An instance could not be read.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The durable state failed.
    #[error("{}", store_headline(.0))]
    Store(#[from] StoreError),
    /// Interrupted before anything was written.
    #[error("interrupted before anything was written")]
    Interrupted,
    /// The selection names something that does not exist.
    #[error(transparent)]
    Selection(#[from] UnknownName),
    /// The target holds content that is the counterpart of nothing, and there is no state that would tell why.
    #[error(transparent)]
    Unplaced(#[from] Unplaced),
    /// A locale was asked for that the source does not have.
    #[error("the source has no locale {wanted}; it has {known}")]
    UnknownLocale {
        /// What was asked for.
        wanted: Locale,
        /// What there is.
        known: String,
    },
    /// A locale of the run does not exist on the target.
    #[error("the target has no locale {missing}; it has {known}")]
    TargetLocale {
        /// What is missing.
        missing: Locale,
        /// What there is.
        known: String,
    },
    /// A channel that the user named does not exist on the target.
    #[error("the target has no channel called {missing:?}; it has {known}")]
    TargetChannel {
        /// What is missing.
        missing: String,
        /// What there is.
        known: String,
    },
}

/// A lock that another run holds is no damage of the state.
const fn store_headline(error: &StoreError) -> &'static str {
    match error {
        StoreError::LeaseHeld { .. } => "another run holds the lock for this pair of instances",
        _ => "the state of the run could not be written",
    }
}

impl RunError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Pull(PullError::Incomplete { cause, .. }) => cause.hint(),
            Self::Pull(PullError::Endless { cause, .. }) => Some(cause.hint().to_owned()),
            Self::Pull(PullError::Request { .. }) | Self::Interrupted => None,
            Self::Store(error) => error.hint(),
            Self::Selection(unknown) => Some(unknown.hint.clone()),
            Self::Unplaced(unplaced) => Some(unplaced.hint()),
            Self::UnknownLocale { .. } => {
                Some("name one of the source's locales with --locale".to_owned())
            }
            Self::TargetLocale { missing, .. } => Some(format!(
                "enable {missing} on the target, or name the locales to move with --locale"
            )),
            Self::TargetChannel { .. } => {
                Some("name one of the target's channels in --channel-map".to_owned())
            }
        }
    }
}
