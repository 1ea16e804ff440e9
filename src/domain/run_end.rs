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
