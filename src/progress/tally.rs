//! Counts by outcome.

use crate::domain::Outcome;

/// How many entities ended in each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u32; Outcome::NAMES.len()]);

impl Tally {
    /// Counts one entity.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.0[position(outcome)] += 1;
    }

    /// Adds the counts of another tally.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (own, others) in self.0.iter_mut().zip(other.0) {
            *own += others;
        }
        self
    }

    /// Name and count of each outcome, in the order of [`Outcome::NAMES`], zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> + use<> {
        Outcome::NAMES.into_iter().zip(self.0)
    }

    /// All entities.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Entities that failed.
    pub fn failed(&self) -> u32 {
        self.0[6]
    }

    /// Entities that were not attempted because something that they need failed.
    pub fn blocked(&self) -> u32 {
        self.0[7]
    }

    /// Entities that changed on both sides and were left alone.
    pub fn conflicts(&self) -> u32 {
        self.0[4]
    }

    /// Entities that the selection leaves out.
    pub fn out_of_scope(&self) -> u32 {
        self.0[8]
    }

    /// Entities that an undo deleted.
    pub fn deleted(&self) -> u32 {
        self.0[9]
    }

    /// Entities that an undo brought back as they were.
    pub fn restored(&self) -> u32 {
        self.0[10]
    }

    /// Entities that an undo left alone.
    pub fn kept(&self) -> u32 {
        self.0[11]
    }

    /// Entities that changed on the target only and were left alone.
    pub fn left_alone(&self) -> u32 {
        self.0[5]
    }

    /// Entities that are new on the target.
    pub fn created(&self) -> u32 {
        self.0[0]
    }

    /// Entities that were brought into agreement.
    pub fn updated(&self) -> u32 {
        self.0[2]
    }

    /// Entities that the run wrote: created or updated; of an undo deleted or restored.
    pub fn written(&self) -> u32 {
        self.created() + self.updated() + self.deleted() + self.restored()
    }

    /// Entities that the plan compared and found equal: adopted or unchanged.
    pub fn found_equal(&self) -> u32 {
        self.0[1] + self.0[3]
    }
}

/// The place of an outcome in [`Outcome::NAMES`].
const fn position(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Created => 0,
        Outcome::Adopted => 1,
        Outcome::Updated => 2,
        Outcome::Unchanged => 3,
        Outcome::Conflict => 4,
        Outcome::LeftAlone => 5,
        Outcome::Failed { .. } => 6,
        Outcome::Blocked { .. } => 7,
        Outcome::OutOfScope => 8,
        Outcome::Deleted => 9,
        Outcome::Restored => 10,
        Outcome::Kept { .. } => 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EntityKey, Kind};

    #[test]
    fn every_outcome_is_counted_under_its_own_name() {
        let outcomes = [
            Outcome::Created,
            Outcome::Adopted,
            Outcome::Updated,
            Outcome::Unchanged,
            Outcome::Conflict,
            Outcome::LeftAlone,
            Outcome::Failed {
                reason: String::new(),
            },
            Outcome::Blocked {
                by: EntityKey::global(Kind::Model, 1),
            },
            Outcome::OutOfScope,
            Outcome::Deleted,
            Outcome::Restored,
            Outcome::Kept {
                reason: String::new(),
            },
        ];
        for outcome in outcomes {
            let mut tally = Tally::default();
            tally.add(&outcome);
            let counted: Vec<_> = tally.iter().filter(|(_, count)| *count == 1).collect();
            assert_eq!(counted, [(outcome.name(), 1)]);
        }
    }
}
