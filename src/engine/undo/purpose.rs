//! Why entities are deleted: the words and outcomes in which an undo and the deletes of a run differ.

use crate::domain::Outcome;
use crate::plan::undo::{Decision, Kept};

/// Why entities are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A run is undone.
    Undo,
    /// The source no longer has them.
    Prune,
}

impl Purpose {
    /// What to do about something that could not be deleted.
    pub(super) const fn again(self) -> &'static str {
        match self {
            Self::Undo => "run undo again",
            Self::Prune => "run sync --prune again",
        }
    }

    /// Why something was deleted.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Undo => "the undone run had created it",
            Self::Prune => "the source no longer has it",
        }
    }

    /// What something refers to that could not be deleted or restored.
    pub(super) const fn holds(self) -> &'static str {
        match self {
            Self::Undo => "still refers to it and could not be undone",
            Self::Prune => "still refers to it and could not be deleted",
        }
    }

    /// The outcome of something that is left alone.
    pub(super) fn kept(self, why: &Kept) -> Outcome {
        match (self, why) {
            (Self::Prune, Kept::Changed { .. }) => Outcome::Conflict,
            (_, _) => Outcome::Kept {
                reason: why.to_string(),
            },
        }
    }

    /// What an entity is reported to be when its actions are done.
    pub(super) fn of_work(
        self,
        decision: &Decision,
        is_already: bool,
    ) -> Option<(Outcome, &'static str)> {
        match (decision, is_already) {
            (Decision::Delete, true) => Some((Outcome::Deleted, super::state::ALREADY_DELETED)),
            (Decision::Delete, false) => Some((Outcome::Deleted, self.reason())),
            (Decision::Restore, _) => {
                Some((Outcome::Restored, "the undone run had written over it"))
            }
            (Decision::CreateAgain, _) => Some((
                Outcome::Restored,
                "the undone run had deleted it; created again, with a new id",
            )),
            (Decision::AsBefore | Decision::Gone | Decision::Keep(_), _) => None,
        }
    }
}
