//! The uploads of a plan, counted by lane, kind and class.

use std::collections::BTreeMap;

use super::Tally;
use crate::domain::{EntityKey, Kind, Outcome, WorkClass};
use crate::event::{Lane, LanePlan};

/// What a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// The lane.
    pub lane: Lane,
    /// The kind.
    pub kind: Kind,
    /// The work class.
    pub class: WorkClass,
}

/// Uploads that have a lane, kind and class in common. Always: settled + waiting + in flight = planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Entities to write.
    pub planned: u32,
    /// Entities that have not left.
    pub waiting: u32,
    /// Entities that have left and have no outcome.
    pub in_flight: u32,
    /// Entities with an outcome.
    pub settled: Tally,
    /// Bytes sent for the settled entities.
    pub bytes: u64,
    /// Entities that left although the plan did not announce them; they are part of `planned`.
    pub unplanned: u32,
}

impl Row {
    /// The sum of two rows.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            planned: self.planned + other.planned,
            waiting: self.waiting + other.waiting,
            in_flight: self.in_flight + other.in_flight,
            settled: self.settled.plus(&other.settled),
            bytes: self.bytes + other.bytes,
            unplanned: self.unplanned + other.unplanned,
        }
    }

    /// Whether settled + waiting + in flight = planned.
    pub(crate) fn adds_up(&self) -> bool {
        self.settled.total() + self.waiting + self.in_flight == self.planned
    }

    /// Takes one entity out of those that wait, raising the plan when it announced too few.
    fn leave(&mut self) {
        if self.waiting == 0 {
            self.unplanned += 1;
            self.planned += 1;
        } else {
            self.waiting -= 1;
        }
    }
}

/// An entity that has left and has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// Where it is counted.
    pub row: RowKey,
    /// When it left, in milliseconds since the start of the run.
    pub since_ms: u64,
}

/// All rows of a plan and the entities that are on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) rows: BTreeMap<RowKey, Row>,
    pub(crate) in_flight: BTreeMap<EntityKey, InFlight>,
}

impl Rows {
    /// Takes over what is planned.
    pub(crate) fn plan(&mut self, lanes: &[LanePlan]) {
        for part in lanes {
            let key = RowKey {
                lane: part.lane,
                kind: part.kind,
                class: part.class,
            };
            let row = self.rows.entry(key).or_default();
            row.planned += part.entities;
            row.waiting += part.entities;
        }
    }

    /// An entity left. One that is on its way already, because its batch was split, changes nothing.
    pub(crate) fn start(&mut self, key: &EntityKey, row: RowKey, at_ms: u64) {
        if self.in_flight.contains_key(key) {
            return;
        }
        let counts = self.rows.entry(row).or_default();
        counts.leave();
        counts.in_flight += 1;
        let since_ms = at_ms;
        self.in_flight
            .insert(key.clone(), InFlight { row, since_ms });
    }

    /// An entity that was on its way waits again.
    pub(crate) fn hold(&mut self, key: &EntityKey) {
        if let Some(held) = self.in_flight.remove(key) {
            let counts = self.rows.entry(held.row).or_default();
            counts.in_flight -= 1;
            counts.waiting += 1;
        }
    }

    /// An entity of a lane has its outcome, whether it had left or not; returns where it is counted. It is
    /// counted where it started, or else in `row`; without either it is no upload.
    pub(crate) fn settle(
        &mut self,
        key: &EntityKey,
        row: Option<RowKey>,
        outcome: &Outcome,
        bytes: u64,
    ) -> Option<RowKey> {
        let left = self.in_flight.remove(key).map(|in_flight| in_flight.row);
        let row = left.or(row)?;
        let counts = self.rows.entry(row).or_default();
        if left.is_some() {
            counts.in_flight -= 1;
        } else {
            counts.leave();
        }
        counts.settled.add(outcome);
        counts.bytes += bytes;
        Some(row)
    }

    /// The sum of the rows that pass.
    pub(crate) fn sum(&self, passes: impl Fn(&RowKey) -> bool) -> Row {
        self.rows
            .iter()
            .filter(|(key, _)| passes(key))
            .fold(Row::default(), |sum, (_, row)| sum.plus(row))
    }
}
