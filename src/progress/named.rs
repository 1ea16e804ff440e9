//! The entities that a person looks into, by name: the first of each outcome.

use std::collections::BTreeMap;

use super::causes::Example;
use super::fold::Progress;
use crate::domain::Kind;
use crate::event::NAMED;

/// A list of entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Could not be migrated, with the reason.
    Failed,
    /// Changed on both sides.
    Conflict,
    /// Changed on the target only.
    LeftAlone,
    /// Left alone by an undo, with the reason.
    Kept,
    /// Saved and not published, with the server's words.
    Unpublished,
    /// Without an outcome, because the run ended before.
    Remaining,
    /// Brought into agreement.
    Updated,
    /// New on the target.
    Created,
}

impl List {
    /// All of them, what needs a person first.
    pub const ALL: [Self; 8] = [
        Self::Failed,
        Self::Conflict,
        Self::LeftAlone,
        Self::Kept,
        Self::Unpublished,
        Self::Remaining,
        Self::Updated,
        Self::Created,
    ];
}

/// The first of each list.
pub(super) type Names = BTreeMap<List, Vec<Example>>;

/// Adds to a list that is not full.
pub(super) fn note(names: &mut Names, list: List, entity: impl Fn() -> Example) {
    let known = names.entry(list).or_default();
    if known.len() < NAMED {
        known.push(entity());
    }
}

impl Progress {
    /// The first twenty entities of a list, in the order in which they came.
    pub fn named(&self, list: List) -> &[Example] {
        self.names.get(&list).map_or(&[], Vec::as_slice)
    }

    /// How many entities a list has.
    pub fn listed(&self, list: List) -> u32 {
        let total = self.total();
        match list {
            List::Failed => total.failed(),
            List::Conflict => total.conflicts(),
            List::LeftAlone => total.left_alone(),
            List::Kept => total.kept(),
            List::Unpublished => self
                .publishing()
                .map_or(0, |all| all.refused + all.held_back),
            List::Remaining => self.remaining(),
            List::Updated => total.updated(),
            List::Created => total.created(),
        }
    }

    /// The same of one kind.
    pub fn remaining_of(&self, kind: Kind) -> u32 {
        let rows = self.rows().iter().filter(|(row, _)| row.kind == kind);
        rows.map(|(_, row)| row.waiting + row.in_flight).sum()
    }

    /// Entities that were to be written and have no outcome.
    pub fn remaining(&self) -> u32 {
        let uploads = self.uploads();
        uploads.waiting + uploads.in_flight
    }
}
