//! Siblings: pages of one parent, which are saved one at a time.
//!
//! A page is put in front of the nearest sibling behind it that is on the target. As long as those that are there stand in
//! the right order that is the right place, in whatever order the others come; only two at once could pass each other. So
//! new pages wait for their turn and not for one another.
//!
//! Pages that exist on the target and stand in the right order among themselves stay where they are; as few as possible of
//! the others move. The last one of them never moves, because the API can put a page in front of another
//! one but not behind the last. Where some move, siblings are saved one after another from the last to the first: what a
//! page is put in front of has to be at its place by then.

use std::collections::HashMap;

use super::matching::Match;
use crate::domain::{Entity, Id as _, Inventory, Key, Kind, Locale, SourceId, TargetId, TargetKey};
use crate::plan::graph::Node;

/// Siblings in display order.
pub(super) struct Siblings {
    pub(super) nodes: Vec<Node>,
}

/// Every group of siblings, in a fixed order.
pub(super) fn siblings(source: &Inventory<SourceId>) -> Vec<Siblings> {
    /// Locale, channel and parent.
    type Place = (Locale, i64, Option<i64>);
    let mut groups: HashMap<Place, Vec<(u32, Node)>> = HashMap::new();
    for (node, entity) in (0..)
        .zip(source.entities())
        .filter(|(_, entity)| entity.key.kind == Kind::Page)
    {
        if let (Some(locale), Some(placement)) = (entity.locale(), &entity.placement) {
            groups
                .entry((locale.clone(), placement.channel_id, placement.parent))
                .or_default()
                .push((placement.position, node));
        }
    }
    let mut groups: Vec<_> = groups
        .into_values()
        .map(|mut group| {
            group.sort_unstable();
            Siblings {
                nodes: group.into_iter().map(|(_, node)| node).collect(),
            }
        })
        .collect();
    groups.sort_unstable_by_key(|group| group.nodes.first().copied());
    groups
}

/// The page of the target that `found` leads to.
pub(super) fn present<'a>(
    page: &Entity<SourceId>,
    found: &Match,
    target: &'a Inventory<TargetId>,
) -> Option<&'a Entity<TargetId>> {
    let (Kind::Page, Match::Mapped(id) | Match::Natural(id)) = (page.key.kind, found) else {
        return None;
    };
    target.get(&TargetKey {
        kind: Kind::Page,
        id: *id,
        locale: page.key.locale.clone(),
    })
}

/// The pages of a group that exist on the target and have to change their place.
pub(super) fn moving(
    group: &Siblings,
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    matches: &[Match],
) -> Vec<Node> {
    let parent = parent(group, source, matches);
    let mut moving = Vec::new();
    let mut places: Vec<(Node, u32)> = Vec::new();
    for node in &group.nodes {
        let at = *node as usize;
        let there = present(&source.entities()[at], &matches[at], target);
        match there.and_then(|page| page.placement.as_ref()) {
            Some(placement) if parent.is(placement.parent.map(TargetId::new)) => {
                places.push((*node, placement.position));
            }
            Some(_) => moving.push(*node),
            None => {}
        }
    }
    let positions: Vec<u32> = places.iter().map(|(_, position)| *position).collect();
    let stays = rising_up_to_last(&positions);
    let misplaced = places.iter().zip(stays).filter(|(_, stays)| !stays);
    moving.extend(misplaced.map(|((node, _), _)| *node));
    moving
}

/// Where a group of siblings belongs on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    /// At the root of the channel.
    Root,
    /// Below this page.
    Page(TargetId),
    /// Below a page that is not on the target yet.
    Missing,
}

impl Parent {
    fn is(self, found: Option<TargetId>) -> bool {
        match self {
            Self::Root => found.is_none(),
            Self::Page(id) => found == Some(id),
            Self::Missing => false,
        }
    }
}

fn parent(group: &Siblings, source: &Inventory<SourceId>, matches: &[Match]) -> Parent {
    let first = group.nodes.first().map(|node| *node as usize);
    let page = first.map(|at| &source.entities()[at]);
    let Some((page, placement)) = page.and_then(|page| Some((page, page.placement.as_ref()?)))
    else {
        return Parent::Missing;
    };
    let Some(parent) = placement.parent else {
        return Parent::Root;
    };
    let key = Key {
        kind: Kind::Page,
        id: SourceId::new(parent),
        locale: page.key.locale.clone(),
    };
    match source.position(&key).map(|at| &matches[at as usize]) {
        Some(Match::Mapped(id) | Match::Natural(id)) => Parent::Page(*id),
        Some(Match::Gone(_) | Match::Joins(..) | Match::OtherType(_) | Match::None) | None => {
            Parent::Missing
        }
    }
}

/// Marks a longest rising subsequence that ends with the last element.
pub(in crate::plan) fn rising_up_to_last(positions: &[u32]) -> Vec<bool> {
    let Some(last) = positions.last().copied() else {
        return Vec::new();
    };
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; positions.len()];
    for (at, position) in positions
        .iter()
        .enumerate()
        .filter(|(_, position)| **position <= last)
    {
        let length = tails.partition_point(|tail| positions[*tail] < *position);
        before[at] = length.checked_sub(1).map(|shorter| tails[shorter]);
        if length == tails.len() {
            tails.push(at);
        } else {
            tails[length] = at;
        }
    }
    let mut stays = vec![false; positions.len()];
    let mut next = tails.last().copied();
    while let Some(at) = next {
        stays[at] = true;
        next = before[at];
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
