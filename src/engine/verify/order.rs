//! Compares the order of pages among their siblings and of items in their lists.

use std::collections::BTreeMap;

use super::check::is_compared;
use super::compare::Verifier;
use super::difference::{DifferenceKind, Scope};
use crate::domain::{Entity, Id, Kind, Locale, SourceId, TargetId};
use crate::instance::{Source, Target};
use crate::plan::{Node, Slot};

/// Position on the source, entity, position on the target.
type Placed = (i64, Node, i64);

/// Items of one container in one locale, by the name of the container on the source.
pub(super) type Lists = BTreeMap<(Locale, String), Vec<Placed>>;

fn item_order(body: &serde_json::Value) -> Option<i64> {
    body["properties"]["itemOrder"].as_i64()
}

impl<S: Source + Clone, T: Target + Clone> Verifier<'_, S, T> {
    /// Keeps where an item stands in its list on both sides.
    pub(super) fn note_order(
        &mut self,
        node: Node,
        here: &Entity<SourceId>,
        there: &Entity<TargetId>,
    ) {
        let (Kind::Content, Some(locale)) = (here.key.kind, here.locale()) else {
            return;
        };
        let body = here.body.parse();
        let (Some(expected), Some(found)) = (item_order(&body), item_order(&there.body.parse()))
        else {
            return;
        };
        let list = body["properties"]["referenceName"]
            .as_str()
            .unwrap_or_default();
        let list = (locale.clone(), list.to_lowercase());
        self.lists
            .entry(list)
            .or_default()
            .push((expected, node, found));
    }

    /// Siblings and items have to stand in the source's order among themselves; others may stand between them.
    pub(super) fn order(&mut self, locales: &[Locale]) {
        let rows = match self.scope {
            Scope::AfterRun => self.rows_as_planned(),
            Scope::Everything => self.rows_of_source(),
        };
        let mut groups: Vec<Vec<Placed>> = rows
            .into_iter()
            .map(|row| self.siblings(row, locales))
            .collect();
        groups.extend(std::mem::take(&mut self.lists).into_values());
        for mut group in groups {
            group.sort_unstable();
            // Items of one number stand in no order.
            let is_wrong = |pair: &&[Placed]| pair[0].0 < pair[1].0 && pair[0].2 > pair[1].2;
            for pair in group.windows(2).filter(is_wrong) {
                self.out_of_order(pair[0].1, pair[1].1);
            }
        }
    }

    fn out_of_order(&mut self, node: Node, next: Node) {
        let (first, second) = (&self.crew.entity(node).key, &self.crew.entity(next).key);
        // Where only one of the two was written, that one is out of place.
        let (wrong, detail) = if self.crew.wrote(next) && !self.crew.wrote(node) {
            (next, format!("it stands before {first}"))
        } else {
            (node, format!("it stands behind {second}"))
        };
        self.report(wrong, DifferenceKind::WrongOrder, detail);
    }

    /// The pages of a row that are asked for.
    fn siblings(&self, row: Vec<Node>, locales: &[Locale]) -> Vec<Placed> {
        let is_asked = |node: &Node| {
            let locale = self.crew.entity(*node).locale();
            locale.is_some_and(|locale| locales.contains(locale))
                && is_compared(self.crew, *node, self.scope)
        };
        let asked = (0..).zip(row).filter(|(_, node)| is_asked(node));
        let placed = asked.filter_map(|(at, node)| Some((at, node, self.position(node)?.into())));
        placed.collect()
    }

    /// Where a page stands among its siblings on the target.
    fn position(&self, node: Node) -> Option<u32> {
        let key = &self.crew.entity(node).key;
        let page = (key.locale.clone()?, self.crew.ids.resolve(key)?.id.raw());
        Some(self.found.places.get(&page)?.placement.position)
    }

    /// What the run made of every row: what the target moved is where it was.
    fn rows_as_planned(&self) -> Vec<Vec<Node>> {
        let pages = |row: &Vec<Slot>| {
            let pages = row.iter().filter_map(|slot| match slot {
                Slot::Page(node) => Some(*node),
                Slot::Other(_) => None,
            });
            pages.collect()
        };
        self.crew.plan.rows.iter().map(pages).collect()
    }

    fn rows_of_source(&self) -> Vec<Vec<Node>> {
        /// Locale, channel and parent.
        type Row = (Locale, i64, Option<i64>);
        let mut rows: BTreeMap<Row, Vec<(u32, Node)>> = BTreeMap::new();
        for (node, entity) in (0..).zip(self.crew.source_inventory.entities()) {
            if let (Some(locale), Some(placement)) = (entity.locale(), &entity.placement) {
                let row = (locale.clone(), placement.channel_id, placement.parent);
                rows.entry(row)
                    .or_default()
                    .push((placement.position, node));
            }
        }
        let sorted = rows.into_values().map(|mut row| {
            row.sort_unstable();
            row.into_iter().map(|(_, node)| node).collect()
        });
        sorted.collect()
    }
}
