//! Turns among siblings.
//!
//! A page is saved in front of a sibling that is there already. So of a row one save is at the target at a time, with one
//! exception: a new page may follow another one that stands in front of it in the row as soon as the target has accepted the
//! request of that one. Both name the same sibling, or the second one names one further behind, so a target that processes
//! requests in the order in which it accepts them puts them in their order. A target that does not is detected at the end;
//! see [`crate::engine::row_order`].

use std::collections::BTreeMap;

use super::ready::Ready;
use crate::plan::Node;

/// The turn of a page among its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its row: the first page of it that is saved.
    pub row: Node,
    /// Where it stands in the row, for a page that is new; `None` where it has to be alone.
    pub at: Option<u32>,
    /// Whether others of the row were at the target when it left.
    pub overlaps: bool,
}

/// The rows of which pages are in flight.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(BTreeMap<Node, Row>);

#[derive(Clone, Debug)]
struct Row {
    in_flight: usize,
    /// Where the last page that left stands.
    last: Option<u32>,
    /// Whether the target has accepted its request.
    is_accepted: bool,
    /// Pages that wait for their turn.
    waiting: Vec<Ready>,
}

impl Turns {
    /// Takes in a page that cannot leave now, or gives it back.
    pub(super) fn admit(&mut self, ready: Ready) -> Option<Ready> {
        let row = ready.turn.and_then(|turn| self.0.get_mut(&turn.row));
        match row {
            Some(row) if !row.may_follow(&ready) => {
                row.waiting.push(ready);
                None
            }
            _ => Some(ready),
        }
    }

    /// Notes that a page leaves.
    pub(super) fn leave(&mut self, turn: &mut Turn) {
        let row = self.0.entry(turn.row).or_insert(Row {
            in_flight: 0,
            last: None,
            is_accepted: false,
            waiting: Vec::new(),
        });
        turn.overlaps = row.in_flight > 0;
        row.in_flight += 1;
        row.last = turn.at;
        row.is_accepted = false;
    }

    /// Notes that the target has accepted the request of a page. Returns the nearest one behind it that waits.
    pub(super) fn accepted(&mut self, turn: &Turn) -> Option<Ready> {
        let row = self.0.get_mut(&turn.row)?;
        if row.last != turn.at {
            return None;
        }
        row.is_accepted = true;
        let waiting = (0..).zip(&row.waiting);
        let behind = waiting.filter(|(_, ready)| row.may_follow(ready));
        let (nearest, _) = behind.min_by_key(|(_, ready)| position(ready))?;
        Some(row.waiting.swap_remove(nearest))
    }

    /// Notes that a page is back. Returns those that waited for the last one of a row.
    pub(super) fn back(&mut self, turn: &Turn) -> Vec<Ready> {
        let Some(row) = self.0.get_mut(&turn.row) else {
            return Vec::new();
        };
        row.in_flight -= 1;
        if row.in_flight > 0 {
            return Vec::new();
        }
        let row = self.0.remove(&turn.row);
        row.map(|row| row.waiting).unwrap_or_default()
    }
}

impl Row {
    fn may_follow(&self, ready: &Ready) -> bool {
        self.is_accepted && self.last.is_some() && position(ready) > self.last
    }
}

fn position(ready: &Ready) -> Option<u32> {
    ready.turn.and_then(|turn| turn.at)
}
