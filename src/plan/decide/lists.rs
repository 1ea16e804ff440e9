//! The order of the items of a list, compared three ways.
//!
//! The numbers of a list shift whenever an item comes or goes, so only the order of the items that both sides had at the
//! last agreement shows which side sorted it. A list that only the source sorted gets the source's numbers; a list that only
//! the target sorted keeps those of the target, also in items that are written for another reason; where both sorted it
//! differently, the items at other positions are conflicts, and stay so when some of them go: nothing is agreed about the
//! order any more. Items with the same number have no order.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::order::{Verdict, rising};
use super::place::{Places, Sides};
use super::spread;
use super::weigh::Place;
use crate::domain::{AgreedNumber, Body, Entity, Kind, ListKey, SourceId};
use crate::plan::action::ListOrder;
use crate::plan::graph::Node;

/// What is decided about the place of an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) place: Place,
    /// The number that it keeps on the target.
    pub(super) keeps: Option<i64>,
}

/// An item that both sides have.
struct Item {
    node: Node,
    id: SourceId,
    here: i64,
    there: i64,
    agreed: Option<AgreedNumber>,
}

/// Marks those of `placed` that are not in the way of the others: a longest part in which the second number never falls
/// while the first rises.
pub fn in_order(placed: &[(i64, i64)]) -> Vec<bool> {
    let mut sorted: Vec<usize> = (0..placed.len()).collect();
    sorted.sort_by_key(|at| placed[*at]);
    let numbers: Vec<(i64, usize)> = sorted.iter().map(|at| placed[*at].1).zip(0..).collect();
    let mut stays = vec![false; placed.len()];
    for (at, is_rising) in sorted.into_iter().zip(rising(&numbers)) {
        stays[at] = is_rising;
    }
    stays
}

/// The list and the number of an item, without the rest of it.
#[derive(Deserialize)]
struct Face {
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Properties {
    reference_name: Value,
    item_order: Value,
}

/// The list of an item, in lower case, and its number (`itemOrder`) in it.
pub fn number_in_list(item: &Body) -> Option<(String, i64)> {
    let face: Face = serde_json::from_str(&item.text()).ok()?;
    let list = face.properties.reference_name.as_str()?.to_lowercase();
    Some((list, face.properties.item_order.as_i64()?))
}

impl Sides<'_> {
    /// Compares the order of all lists. Gives those that both sides agree about, or that only the target sorted, where
    /// that is not known yet, and without numbers those that both sorted differently.
    pub(super) fn lists(self, places: &mut Places) -> Vec<ListOrder> {
        let found = spread::each(self.source, |node, entity| self.item(node, entity));
        let mut lists: BTreeMap<ListKey, Vec<Item>> = BTreeMap::new();
        for (key, item) in found.into_iter().flatten() {
            lists.entry(key).or_default().push(item);
        }
        let sorted = lists.into_iter();
        sorted
            .filter_map(|(key, items)| self.sort(key, &items, places))
            .collect()
    }

    fn item(self, node: Node, entity: &Entity<SourceId>) -> Option<(ListKey, Item)> {
        if entity.key.kind != Kind::Content {
            return None;
        }
        let there = self.matches[node as usize].entity(&entity.key, self.target)?;
        let (list, here) = number_in_list(&entity.body)?;
        let item = Item {
            node,
            id: entity.key.id,
            here,
            there: number_in_list(&there.body)?.1,
            agreed: self
                .agreements
                .get(&entity.key)
                .and_then(|agreement| agreement.number),
        };
        let locale = entity.key.locale.clone()?;
        Some((ListKey { list, locale }, item))
    }

    fn sort(self, key: ListKey, items: &[Item], places: &mut Places) -> Option<ListOrder> {
        let now: Vec<_> = items.iter().map(|item| (item.here, item.there)).collect();
        let stays = in_order(&now);
        let verdict = if stays.contains(&false) {
            verdict(items)
        } else {
            Verdict::Agrees
        };
        let verdict = match verdict {
            Verdict::Both | Verdict::Unknown
                if items.iter().all(|item| self.overwrites(item.node)) =>
            {
                Verdict::Source
            }
            verdict => verdict,
        };
        if verdict == Verdict::Agrees {
            return agreed(key, items);
        }
        let is_sorted = verdict == Verdict::Source;
        for (item, stays) in items.iter().zip(stays) {
            let moves = is_sorted && item.here != item.there;
            let place = Place {
                verdict: if stays && !moves {
                    Verdict::Agrees
                } else {
                    verdict
                },
                moves,
            };
            let keeps = (!is_sorted).then_some(item.there);
            places.items.insert(item.node, Listed { place, keeps });
        }
        match verdict {
            // That the source did not sort it is known, whether anything is written or not.
            Verdict::Target => agreed(key, items),
            Verdict::Both => Some(ListOrder {
                key,
                numbers: BTreeMap::new(),
            }),
            Verdict::Agrees | Verdict::Source | Verdict::Unknown | Verdict::Held => None,
        }
    }
}

/// Which side sorted a list whose order differs.
fn verdict(items: &[Item]) -> Verdict {
    let moved = |number: fn(&Item) -> i64| {
        let known = items.iter().filter_map(|item| match item.agreed? {
            AgreedNumber::Was(agreed) => Some((agreed, number(item))),
            AgreedNumber::Owed => None,
        });
        in_order(&known.collect::<Vec<_>>()).contains(&false)
    };
    let is_owed = items
        .iter()
        .any(|item| item.agreed == Some(AgreedNumber::Owed));
    match (moved(|item| item.here), moved(|item| item.there)) {
        (true, false) => Verdict::Source,
        (false, true) => Verdict::Target,
        (true, true) => Verdict::Both,
        (false, false) if is_owed => Verdict::Source,
        (false, false) => Verdict::Unknown,
    }
}

/// The numbers to keep for a list, where they are not known yet.
fn agreed(key: ListKey, items: &[Item]) -> Option<ListOrder> {
    let is_new = |item: &Item| item.agreed != Some(AgreedNumber::Was(item.here));
    items.iter().any(is_new).then(|| ListOrder {
        key,
        numbers: items
            .iter()
            .map(|item| (item.id, AgreedNumber::Was(item.here)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_one_number_is_in_no_order() {
        assert_eq!(in_order(&[(0, 5), (0, 1), (0, 3)]), [true; 3]);
        assert_eq!(in_order(&[(1, 0), (2, 0), (3, 0)]), [true; 3]);
        assert_eq!(in_order(&[(3, 9), (1, 1), (2, 1)]), [true; 3]);
    }

    #[test]
    fn as_few_as_possible_are_out_of_order() {
        assert_eq!(
            in_order(&[(0, 1), (1, 2), (2, 3), (3, 0)]),
            [true, true, true, false]
        );
        assert_eq!(in_order(&[(0, 7), (1, 1), (2, 2)]), [false, true, true]);
    }
}
