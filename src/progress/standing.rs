//! How many entities are in sync: the one figure that the closing line, the table and the reports show.
//!
//! An entity is in sync when it was looked at and found equal: by the plan, or, if the run wrote it, by the verification.
//! What was written and not read back, what was left alone and what was found different is not.

use super::Progress;
use super::tally::Tally;
use crate::domain::Kind;

/// Counts of entities in scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// All of them, with those that have no outcome.
    pub in_scope: u32,
    /// Looked at and found equal.
    pub in_sync: u32,
    /// Changed on the target only, and left alone.
    pub left_alone: u32,
    /// Found different by the verification, and owed by the run.
    pub owed: u32,
    /// Written and not read back.
    pub not_verified: u32,
}

impl Standing {
    /// The share of entities in scope that are in sync, from 0 to 1; `None` when none is in scope.
    pub fn rate(&self) -> Option<f64> {
        (self.in_scope > 0).then(|| f64::from(self.in_sync) / f64::from(self.in_scope))
    }

    /// Whether all are in sync.
    pub const fn is_whole(&self) -> bool {
        self.in_sync == self.in_scope
    }
}

impl Progress {
    /// How all entities stand.
    pub fn standing(&self) -> Standing {
        let total = self.total();
        if total.total() == 0 && self.remaining() == 0 {
            return self.standing_of_verification();
        }
        self.standing_among(&total, |_| true)
    }

    /// How the entities of a kind stand.
    pub fn standing_of(&self, kind: Kind) -> Standing {
        let tally = self.totals.get(&kind).copied().unwrap_or_default();
        self.standing_among(&tally, |other| other == kind)
    }

    fn standing_among(&self, tally: &Tally, is_of: impl Fn(Kind) -> bool) -> Standing {
        let count = |wanted: bool| {
            let found = self.differing.iter();
            let found = found.filter(|(key, left)| **left == wanted && is_of(key.kind));
            u32::try_from(found.count()).unwrap_or(u32::MAX)
        };
        let is_verified = self.verification.is_some_and(|known| known.finished);
        let (owed, drifted) = (count(false), count(true));
        let not_verified = if is_verified { 0 } else { tally.written() };
        let kinds = Kind::ALL.into_iter().filter(|kind| is_of(*kind));
        let remaining: u32 = kinds.map(|kind| self.remaining_of(kind)).sum();
        // What a run does not delete is the counterpart of nothing that the source has.
        let left_over = match self.undone() {
            Some(_) => 0,
            None => tally.kept(),
        };
        let reached = tally.found_equal() + tally.written();
        Standing {
            in_scope: tally.total() - tally.out_of_scope() - left_over + remaining,
            in_sync: reached.saturating_sub(owed + drifted + not_verified),
            left_alone: tally.left_alone() + drifted,
            owed,
            not_verified,
        }
    }

    /// Of a run that only compares: every entity in scope was looked at.
    fn standing_of_verification(&self) -> Standing {
        let known = self.verification.unwrap_or_default();
        let differing = u32::try_from(self.differing.len()).unwrap_or(u32::MAX);
        Standing {
            in_scope: known.checked,
            in_sync: known.checked.saturating_sub(differing),
            owed: differing,
            ..Standing::default()
        }
    }
}
