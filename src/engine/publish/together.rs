//! The order of publishing, and what is published together or stays a draft.
//!
//! What is linked goes before what links to it, content before pages, a page before its children. The members of a cycle of
//! references go together: without one of them, links of the others would lead nowhere. A page stays a draft with its
//! parent. What a run could not save is not published, and its dependents stay drafts as well.

use std::collections::{HashMap, HashSet};

use super::choice::Published;
use crate::domain::{EntityKey, Inventory, Kind, SourceId};
use crate::plan::{Node, Plan, stages_of};

/// The order, and what goes together, by the entities of the source.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// The cycle that an item is part of.
    cycle_of: HashMap<Node, usize>,
    cycles: Vec<Vec<Node>>,
    /// The page above a page, where the source has that published.
    above: HashMap<Node, Node>,
    /// Stages of items, and how many pages stand above a page.
    stage: HashMap<Node, u32>,
}

impl Together {
    /// Of what the source shows to the public of the kinds with a workflow.
    pub(super) fn of(plan: &Plan, source: &Inventory<SourceId>) -> Self {
        let entity = |node: Node| &source.entities()[node as usize];
        let is_public = |node: Node| {
            entity(node).is_published() || plan.entities[node as usize].public.is_some()
        };
        let is_item = |node: Node| entity(node).key.kind == Kind::Content && is_public(node);
        let mut all = Self::default();
        for (members, stage) in stages_of(&plan.graph, &is_item) {
            all.stage.extend(members.iter().map(|node| (*node, stage)));
            if members.len() > 1 {
                let cycle = all.cycles.len();
                all.cycle_of
                    .extend(members.iter().map(|node| (*node, cycle)));
                all.cycles.push(members);
            }
        }
        for (node, page) in (0..).zip(source.entities()) {
            let parent = page.placement.as_ref().and_then(|place| place.parent);
            if let (Kind::Page, Some(parent), Some(locale)) = (page.key.kind, parent, page.locale())
                && let Some(above) =
                    source.position(&EntityKey::localised(Kind::Page, parent, locale))
                && entity(above).is_published()
            {
                all.above.insert(node, above);
            }
        }
        let pages = (0..).zip(source.entities());
        let pages = pages.filter(|(_, page)| page.key.kind == Kind::Page);
        let depths: Vec<(Node, u32)> = pages.map(|(node, _)| (node, all.depth(node))).collect();
        all.stage.extend(depths);
        all
    }

    fn depth(&self, node: Node) -> u32 {
        let mut seen = HashSet::new();
        let mut at = node;
        while let Some(above) = self.above.get(&at).copied()
            && seen.insert(at)
        {
            at = above;
        }
        u32::try_from(seen.len()).unwrap_or(u32::MAX)
    }

    /// Content before pages, and of each kind what others need first.
    pub(super) fn rank(&self, published: &Published) -> (Kind, u32) {
        let stage = self.stage.get(&published.node).copied();
        (published.kind, stage.unwrap_or(0))
    }

    /// What holds an entity back, if something does: a member of its cycle, or the page above it. `is_lost` says of what the
    /// source has published whether it cannot be on the target.
    pub(super) fn held_by(&self, node: Node, is_lost: impl Fn(Node) -> bool) -> Option<Node> {
        let cycle = self.cycle_of.get(&node);
        let members = cycle.into_iter().flat_map(|cycle| &self.cycles[*cycle]);
        let above = self.above.get(&node);
        let mut others = members.chain(above).copied();
        others.find(|other| *other != node && is_lost(*other))
    }

    /// The members of the cycles of which one is lost.
    pub(super) fn broken(&self, is_lost: impl Fn(Node) -> bool) -> impl Iterator<Item = &[Node]> {
        let cycles = self.cycles.iter();
        cycles
            .filter(move |members| members.iter().any(|node| is_lost(*node)))
            .map(Vec::as_slice)
    }
}
