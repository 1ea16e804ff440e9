//! Content of the target that is the counterpart of nothing, in a pair without state.

use std::fmt;

use crate::plan::{ContainerTally, Plan};

/// Containers that are listed; a site with hundreds of them has a plan file for the rest.
const SHOWN: usize = 20;

/// What a user has to see before anything is written to a target that holds content of unknown origin: with no state,
/// some of it may be what an earlier migration created under other ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Unplaced {
    /// Every container with content, in the order of their names.
    pub containers: Vec<ContainerTally>,
}

impl Unplaced {
    /// What `plan` found.
    pub fn of(plan: &Plan) -> Self {
        let has_content = |one: &&ContainerTally| one.source + one.target > 0;
        Self {
            containers: plan
                .containers
                .iter()
                .filter(has_content)
                .cloned()
                .collect(),
        }
    }

    /// The ways on.
    pub fn hint(&self) -> String {
        "nothing was written; compare with `lockgate verify`; --create-unmatched creates what was not recognised beside it and leaves the \
         rest alone; --adopt key accepts unique titles, URL names and places as evidence, --adopt equal only equal \
         content; a mapping of the official CLI is read from agility-files/mappings"
            .to_owned()
    }
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unplaced: usize = self.containers.iter().map(|one| one.unplaced).sum();
        let items = if unplaced == 1 { "item" } else { "items" };
        writeln!(
            f,
            "the target holds {unplaced} content {items} that match nothing on the source, and there is no state for \
             this pair of instances"
        )?;
        let mut rows: Vec<&ContainerTally> = self.containers.iter().collect();
        rows.sort_by_key(|one| std::cmp::Reverse(one.unplaced));
        let width = rows.iter().map(|one| one.container.chars().count());
        let width = width.take(SHOWN).max().unwrap_or(0).max("container".len());
        write!(
            f,
            "  {:width$}  {:>7}  {:>7}  {:>10}  {:>8}",
            "container", "source", "target", "recognised", "unplaced"
        )?;
        for one in rows.iter().take(SHOWN) {
            write!(
                f,
                "\n  {:width$}  {:>7}  {:>7}  {:>10}  {:>8}",
                one.container, one.source, one.target, one.recognised, one.unplaced
            )?;
        }
        match rows.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more containers"),
        }
    }
}
