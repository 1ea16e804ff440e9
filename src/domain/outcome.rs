//! The outcome of an entity.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::EntityKey;

/// The outcome of one source entity. Every source entity of a run ends in exactly one; the last three are those of an
/// undo, and say the outcome of its counterpart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Did not exist on the target, and does now.
    Created,
    /// Found on the target by its natural key and taken as the counterpart, nothing written.
    Adopted,
    /// Existed on the target and was brought into agreement.
    Updated,
    /// In agreement already, nothing written.
    Unchanged,
    /// Changed on both sides since they last agreed; left alone.
    Conflict,
    /// Changed on the target only since the sides last agreed; left alone.
    LeftAlone,
    /// Could not be migrated.
    Failed {
        /// Why, in one sentence; what the server said is quoted.
        reason: String,
    },
    /// Not attempted, because something that it needs failed.
    Blocked {
        /// The root cause: the entity that failed.
        by: EntityKey,
    },
    /// Left out by the selection of the user.
    OutOfScope,
    /// An undo deleted what the undone run had created.
    Deleted,
    /// An undo brought back what the undone run had written over.
    Restored,
    /// An undo left alone what the undone run had written.
    Kept {
        /// Why: it was changed since, something still needs it, or it cannot be brought back.
        reason: String,
    },
}

impl Outcome {
    /// The names of all outcomes, in the order in which results are listed.
    pub const NAMES: [&'static str; 12] = [
        "created",
        "adopted",
        "updated",
        "unchanged",
        "conflict",
        "left-alone",
        "failed",
        "blocked",
        "out-of-scope",
        "deleted",
        "restored",
        "kept",
    ];

    /// The name, as in [`Outcome::NAMES`].
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Adopted => "adopted",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Conflict => "conflict",
            Self::LeftAlone => "left-alone",
            Self::Failed { .. } => "failed",
            Self::Blocked { .. } => "blocked",
            Self::OutOfScope => "out-of-scope",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Kept { .. } => "kept",
        }
    }

    /// Whether the target now has a counterpart that others may refer to.
    pub const fn has_counterpart(&self) -> bool {
        match self {
            Self::Created
            | Self::Adopted
            | Self::Updated
            | Self::Unchanged
            | Self::Conflict
            | Self::LeftAlone
            | Self::Restored
            | Self::Kept { .. } => true,
            Self::Failed { .. } | Self::Blocked { .. } | Self::OutOfScope | Self::Deleted => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether uploads may overlap; results are counted for the two classes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkClass {
    /// Must not overlap with its neighbours: siblings of one page, the two saves of one entity, the first
    /// of the locales that share an id.
    Sequential,
    /// May overlap with anything that it does not depend on.
    Parallel,
}
