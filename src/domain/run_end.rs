//! How a run ended, in kind.

use serde::{Deserialize, Serialize};

/// What brought a run to its end. Exit code, last line, report and record follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    /// Every phase came to its end, whatever became of single entities.
    Complete,
    /// The first failure, of a run that was to end with it.
    FailFast,
    /// Something that makes it impossible or harmful to go on: an outage, a reference that was stored wrong, a full disk.
    Stopped,
    /// The user or the system asked for it.
    Interrupted,
    /// Another run may work on the same pair.
    LeaseLost,
    /// Entities were left of which none could go on: a bug.
    Stalled,
}

impl RunEnd {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Complete,
        Self::FailFast,
        Self::Stopped,
        Self::Interrupted,
        Self::LeaseLost,
        Self::Stalled,
    ];

    /// The name in the state and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::FailFast => "fail-fast",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::LeaseLost => "lease-lost",
            Self::Stalled => "stalled",
        }
    }

    /// The end of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}
