//! Pages that are not written, and stay where they are: in conflict, read-only, left out, blocked or failed.
//!
//! The order of a row depends on what is moved in it, and what is written depends on the decisions about all entities. So
//! when a page that would have moved is not written, the plan is made once more with that page in its place.

use std::collections::HashMap;

use super::place::Places;
use super::weigh::Place;
use crate::plan::action::{Planned, Slot};
use crate::plan::graph::Node;

/// Pages that are not written, each with the place that it was decided upon with: its own decision stays the same.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<Node, Place>);

impl Held {
    /// Whether a page stays where it is.
    pub(super) fn contains(&self, node: Node) -> bool {
        self.0.contains_key(&node)
    }

    /// The place that a page is decided upon with.
    pub(super) fn decided(&self, node: Node) -> Option<Place> {
        self.0.get(&node).copied()
    }

    /// Adds the pages that are not written and were counted on: to move, or to be created in a row in which others move.
    /// True if there are any.
    pub(super) fn extend(&mut self, entities: &[Planned], places: &Places) -> bool {
        let is_written = |node: Node| entities[node as usize].action.is_work();
        let before = self.0.len();
        for (node, placed) in &places.pages {
            if placed.place.moves && !is_written(*node) {
                self.0.entry(*node).or_insert_with(|| placed.decided());
            }
        }
        for row in &places.rows {
            let pages = row.iter().filter_map(|slot| match slot {
                Slot::Page(node) => Some((*node, places.pages.get(node)?)),
                Slot::Other(_) => None,
            });
            let has_moves = pages
                .clone()
                .any(|(node, placed)| placed.place.moves && is_written(node));
            let absent = pages.filter(|(node, placed)| {
                has_moves && placed.place.present.is_none() && !is_written(*node)
            });
            for (node, placed) in absent {
                self.0.entry(node).or_insert_with(|| placed.decided());
            }
        }
        self.0.len() > before
    }
}
