//! Compares the order of pages among their siblings and of items in their lists.

use std::collections::BTreeMap;

use super::check::is_compared;
use super::compare::Verifier;
use super::difference::{DifferenceKind, Scope};
use crate::domain::{AgreedNumber, Entity, Id, Kind, ListKey, Locale, SourceId, TargetId};
use crate::plan::{ListOrder, Node, Slot, in_order, number_in_list};

/// Position on the source, entity, position on the target.
type Placed = (i64, Node, i64);

/// The items of every list.
pub(super) type Lists = BTreeMap<ListKey, Vec<Placed>>;

impl Verifier<'_> {
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
        let numbers = (number_in_list(&here.body), number_in_list(&there.body));
        let (Some((list, expected)), Some((_, found))) = numbers else {
            return;
        };
        let locale = locale.clone();
        let list = ListKey { list, locale };
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
        self.name_left_in_place(locales);
        for row in rows {
            let row = self.siblings(row, locales);
            let is_ours = row.iter().any(|(_, node, _)| self.was_placed(*node));
            let is_right = self.in_order(&row, is_ours);
            if is_ours {
                self.keep_row(&row, is_right);
            }
        }
        for (key, list) in std::mem::take(&mut self.lists) {
            let is_right = self.in_order(&list, false);
            if list.iter().any(|(_, node, _)| self.view.wrote(*node)) {
                self.keep_order(key, &list, is_right);
            }
        }
    }

    /// Names the pages that the run wrote and left where only the target moved them: their outcome does not show it.
    fn name_left_in_place(&mut self, locales: &[Locale]) {
        let is_asked = |node: &Node| {
            let locale = self.view.entity(*node).locale();
            locale.is_some_and(|locale| locales.contains(locale))
        };
        let nodes = (0..).zip(&self.view.plan.entities);
        let left = nodes.filter(|(node, planned)| {
            self.scope == Scope::AfterRun
                && planned.is_left_in_place()
                && is_compared(self.view, self.live, *node, self.scope)
        });
        let left: Vec<Node> = left.map(|(node, _)| node).filter(is_asked).collect();
        for node in left {
            let detail = "it stands where only the target moved it".to_owned();
            self.report_as(node, (DifferenceKind::WrongOrder, true), detail);
        }
    }

    /// Keeps which pages of a row that this run wrote to stand where they should.
    fn keep_row(&mut self, row: &[Placed], is_right: bool) {
        for (_, node, _) in row {
            let owed = !is_right || !self.is_at_home(*node);
            if owed || self.was_placed(*node) {
                self.places.push((*node, owed));
            }
        }
    }

    fn is_at_home(&self, node: Node) -> bool {
        let key = &self.view.entity(node).key;
        let id = self.view.ids.resolve(key).map(|there| there.id.raw());
        let found = key.locale.clone().zip(id);
        let found = found.and_then(|page| self.found.places.get(&page));
        let home = self.view.home(node).ok();
        home.is_some() && found.map(|found| found.placement.parent) == home.map(|home| home.parent)
    }

    /// Whether this run put a page at its place.
    fn was_placed(&self, node: Node) -> bool {
        self.scope == Scope::AfterRun
            && self.view.planned(node).is_placed()
            && self.live.placed.contains(&node)
    }

    /// Reports what stands elsewhere: as few as it takes for the others to be in order. With `is_ours` the run wrote to the
    /// group, so that nothing of it is left alone for not having been written.
    fn in_order(&mut self, group: &[Placed], is_ours: bool) -> bool {
        let placed: Vec<_> = group
            .iter()
            .map(|(here, _, there)| (*here, *there))
            .collect();
        let stays = in_order(&placed);
        for (at, _) in stays.iter().enumerate().filter(|(_, stays)| !**stays) {
            let (here, node, there) = group[at];
            let before = group.iter().filter(|(other, ..)| *other < here);
            let detail = match before.max_by_key(|(other, ..)| *other) {
                Some((.., found)) if *found < there => "it stands too far behind".to_owned(),
                Some((_, first, _)) => {
                    format!("it stands before {}", self.view.entity(*first).key)
                }
                None => "it is not the first".to_owned(),
            };
            self.report_order(node, detail, is_ours);
        }
        !stays.contains(&false)
    }

    /// Keeps the numbers of a list that this run wrote to: agreed upon, or owed. What is in conflict, or was sorted by the
    /// target, is neither.
    fn keep_order(&mut self, key: ListKey, list: &[Placed], is_right: bool) {
        let is_decided = |(_, node, _): &Placed| self.view.planned(*node).keeps_number.is_none();
        if !is_right && !list.iter().all(is_decided) {
            return;
        }
        let number = |(here, node, _): &Placed| {
            let number = if is_right {
                AgreedNumber::Was(*here)
            } else {
                AgreedNumber::Owed
            };
            (self.view.entity(*node).key.id, number)
        };
        let numbers = list.iter().map(number).collect();
        self.ordered.push(ListOrder { key, numbers });
    }

    /// The pages of a row that are asked for.
    fn siblings(&self, row: Vec<Node>, locales: &[Locale]) -> Vec<Placed> {
        let is_asked = |node: &Node| {
            let locale = self.view.entity(*node).locale();
            locale.is_some_and(|locale| locales.contains(locale))
                && is_compared(self.view, self.live, *node, self.scope)
        };
        let asked = (0..).zip(row).filter(|(_, node)| is_asked(node));
        let placed = asked.filter_map(|(at, node)| Some((at, node, self.position(node)?.into())));
        placed.collect()
    }

    /// Where a page stands among its siblings on the target.
    fn position(&self, node: Node) -> Option<u32> {
        let key = &self.view.entity(node).key;
        let page = (key.locale.clone()?, self.view.ids.resolve(key)?.id.raw());
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
        self.view.plan.rows.iter().map(pages).collect()
    }

    fn rows_of_source(&self) -> Vec<Vec<Node>> {
        let rows = self.view.source_inventory.page_rows();
        rows.into_values().collect()
    }
}
