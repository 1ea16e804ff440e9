//! Siblings: pages of one parent.
//!
//! Where each stands, and which side moved it, is compared in [`super::place`].

use super::matching::Match;
use super::order::rising;
use crate::domain::{Entity, Inventory, Kind, SourceId, TargetId};
use crate::plan::graph::Node;

/// Siblings in display order.
pub(super) struct Siblings {
    pub(super) nodes: Vec<Node>,
}

/// Every group of siblings, in a fixed order.
pub(super) fn siblings(source: &Inventory<SourceId>) -> Vec<Siblings> {
    let rows = source.page_rows().into_values();
    let mut groups: Vec<_> = rows.map(|nodes| Siblings { nodes }).collect();
    groups.sort_unstable_by_key(|group| group.nodes.first().copied());
    groups
}

/// The page of the target that `found` leads to.
pub(super) fn present<'a>(
    page: &Entity<SourceId>,
    found: &Match,
    target: &'a Inventory<TargetId>,
) -> Option<&'a Entity<TargetId>> {
    let is_page = page.key.kind == Kind::Page;
    is_page.then(|| found.entity(&page.key, target)).flatten()
}

/// Marks a longest rising subsequence that ends with the last element.
pub(in crate::plan) fn rising_up_to_last(positions: &[u32]) -> Vec<bool> {
    let Some(last) = positions.last().copied() else {
        return Vec::new();
    };
    let kept: Vec<usize> = (0..positions.len())
        .filter(|at| positions[*at] <= last)
        .collect();
    let numbers: Vec<u32> = kept.iter().map(|at| positions[*at]).collect();
    let mut stays = vec![false; positions.len()];
    for (at, rises) in kept.into_iter().zip(rising(&numbers)) {
        stays[at] = rises;
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_few_as_possible_move_and_never_the_last() {
        assert_eq!(rising_up_to_last(&[0, 1, 2]), [true, true, true]);
        assert_eq!(rising_up_to_last(&[2, 0, 1]), [false, true, true]);
        assert_eq!(rising_up_to_last(&[1, 2, 0]), [false, false, true]);
        assert_eq!(
            rising_up_to_last(&[0, 3, 1, 2, 4]),
            [true, false, true, true, true]
        );
        assert!(rising_up_to_last(&[]).is_empty());
    }
}
