//! Why a run could not begin or not go on.

use super::pull::PullError;
use super::unplaced::Unplaced;
use super::webhooks::WebhooksError;
use crate::domain::Locale;
use crate::plan::{MapError, UnknownName};
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
    /// A map cannot be applied to the source.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The target holds content that is the counterpart of nothing, and there is no state that explains it.
    #[error(transparent)]
    Unplaced(#[from] Unplaced),
    /// The user has not agreed to what would be written, and cannot be asked.
    #[error(transparent)]
    NotAgreed(#[from] NotAgreed),
    /// The plan breaks bounds of the configuration, each in one sentence.
    #[error("the plan breaks {} of the configuration:\n  {}", bounds(.0.len()), .0.join("\n  "))]
    Gates(Vec<String>),
    /// The webhooks of the target are not paused as they were to be.
    #[error(transparent)]
    Webhooks(#[from] WebhooksError),
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

/// Why a run may not write without confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAgreed {
    /// The state has nothing of the pair, and the target is not empty.
    #[error(
        "refusing the first run into a target that is not empty without confirmation: no terminal is attached"
    )]
    FirstRun,
    /// The configuration asks for confirmation.
    #[error(
        "refusing to write without confirmation (sync.ask = \"always\"): no terminal is attached"
    )]
    Asked,
}

fn bounds(count: usize) -> String {
    match count {
        1 => "a bound".to_owned(),
        several => format!("{several} bounds"),
    }
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
            Self::Map(error) => Some(error.hint.clone()),
            Self::Unplaced(unplaced) => Some(unplaced.hint()),
            Self::NotAgreed(_) => Some(
                "look at `lockgate plan`; then agree with --yes, with `lockgate plan --out FILE` and `lockgate apply FILE`, \
                 or for good with sync.ask = \"never\""
                    .to_owned(),
            ),
            Self::Gates(_) => Some(
                "nothing was written; `lockgate plan` shows the entities; change the selection, or the bound where it is too \
                 narrow"
                    .to_owned(),
            ),
            Self::Webhooks(error) => error.hint(),
            Self::UnknownLocale { .. } => {
                Some("name one of the source's locales with --locale".to_owned())
            }
            Self::TargetLocale { missing, .. } => Some(format!(
                "enable {missing} on the target, map it to another locale with --locale-map {missing}=LOCALE, or name the \
                 locales to move with --locale"
            )),
            Self::TargetChannel { .. } => {
                Some("name one of the target's channels in --channel-map".to_owned())
            }
        }
    }
}
