//! Detects changes on the target that this run did not make; the rule is in [`crate::engine::context`].

use std::collections::HashSet;

use super::compare::{Verifier, there_of};
use super::difference::{DifferenceKind, Scope};
use super::read_back::Unclaimed;
use crate::domain::{Entity, Id, ItemState, Kind, TargetId, TargetKey, Version};
use crate::engine::context::{Change, ReadBack};
use crate::plan::{Node, target_hash};

impl Verifier<'_> {
    /// Notes an item or page with a version above the one that this run has. `is_equal`: whether it has what was sent
    /// where the run wrote it, and what the snapshot had where not.
    pub(super) fn note_version(
        &self,
        node: Node,
        (found, state): (Version, ItemState),
        is_equal: impl FnOnce(bool) -> bool,
    ) {
        let key = &self.view.entity(node).key;
        let Some(there) = there_of(self.view, key).filter(|_| self.scope == Scope::AfterRun) else {
            return;
        };
        let Some(known) = self.known_version(node, &there) else {
            return;
        };
        // A page that is only moved is sent as the snapshot had it.
        let is_written = self.view.wrote(node) && !self.view.planned(node).is_place_only();
        let read = ReadBack {
            kind: key.kind,
            known,
            found,
            state,
            is_written,
            publishes: self.publishes,
        };
        if read.is_foreign(|| is_equal(is_written)) {
            let versions = Some((known, found));
            self.live.foreign.note(there, Change::Saved(versions));
        }
    }

    /// The highest version that this run has of a counterpart. The snapshot comes from a feed that may lag behind the state.
    fn known_version(&self, node: Node, there: &TargetKey) -> Option<Version> {
        let known = self
            .view
            .ids
            .resolve(&self.view.entity(node).key)?
            .version?;
        let agreed = self.view.pre_images.mapping(there);
        Some(
            known.max(
                agreed
                    .and_then(|agreed| agreed.target_version)
                    .unwrap_or(known),
            ),
        )
    }

    /// Whether a page stands below the same page as before the run.
    pub(super) fn stays_below(&self, before: &Entity<TargetId>) -> bool {
        let (Some(was), Some(locale)) = (&before.placement, before.locale()) else {
            return true;
        };
        let now = self
            .found
            .places
            .get(&(locale.clone(), before.key.id.raw()));
        now.is_none_or(|now| now.placement.parent == was.parent)
    }

    /// Notes what is new, gone or changed in the lists of the target, and which pages are new or gone. Redirections are left
    /// out: the Fetch API lists them, and may lag behind.
    pub(super) fn note_lists(&self) {
        if self.scope != Scope::AfterRun {
            return;
        }
        let view = self.view;
        let work = (0..view.plan.graph.len()).filter(|node| view.wrote(*node));
        let written: HashSet<TargetKey> = work
            .filter_map(|node| there_of(view, &view.entity(node).key))
            .collect();
        let is_listed = |there: &&Entity<TargetId>| {
            let kind = there.key.kind;
            !kind.is_localised() && kind != Kind::Redirection
        };
        for there in self.found.lists.entities().iter().filter(is_listed) {
            match view.target_inventory.get(&there.key) {
                None => self.note_new(&there.key),
                Some(before)
                    if written.contains(&there.key) || self.says_the_same(before, there) => {}
                Some(_) => self
                    .live
                    .foreign
                    .note(there.key.clone(), Change::Saved(None)),
            }
        }
        for before in view.target_inventory.entities() {
            let is_gone = match before.key.kind {
                Kind::Page => before.placement.is_some() && !self.is_placed(&before.key),
                Kind::Content | Kind::Redirection => false,
                _ => self.found.lists.get(&before.key).is_none(),
            };
            if is_gone {
                self.live.foreign.note(before.key.clone(), Change::Deleted);
            }
        }
        for (locale, page) in self.found.places.keys() {
            let there = TargetKey::localised(Kind::Page, *page, locale);
            if view.target_inventory.get(&there).is_none() {
                self.note_new(&there);
            }
        }
    }

    fn says_the_same(&self, before: &Entity<TargetId>, now: &Entity<TargetId>) -> bool {
        before.body == now.body
            || target_hash(before, &self.schema) == target_hash(now, &self.schema)
    }

    fn is_placed(&self, page: &TargetKey) -> bool {
        let locale = page.locale.clone();
        locale.is_none_or(|locale| self.found.places.contains_key(&(locale, page.id.raw())))
    }

    /// Notes the items that are new in the containers of this run.
    pub(super) fn note_new_items(&self, unclaimed: &[Unclaimed]) {
        for item in unclaimed {
            if self.scope == Scope::AfterRun && self.view.target_inventory.get(&item.key).is_none()
            {
                self.note_new(&item.key);
            }
        }
    }

    /// Notes something that was not there before and is the counterpart of nothing. Where something of its kind failed, or is
    /// not there under the id that was answered, it may be what came of that.
    fn note_new(&self, there: &TargetKey) {
        let failed = self.live.unfinished.iter();
        let failed = failed.map(|node| self.view.entity(*node).key.kind);
        let lost = self.differences.iter();
        let lost = lost.filter(|(_, found)| found.difference == DifferenceKind::Missing);
        let mut own = failed.chain(lost.map(|(_, found)| found.key.kind));
        if self.is_left_over(there) && !own.any(|kind| kind == there.kind) {
            self.live.foreign.note(there.clone(), Change::Created);
        }
    }

    /// Notes an item of the snapshot that this run did not write and that is gone.
    pub(super) fn note_gone(&self, node: Node) {
        let there = there_of(self.view, &self.view.entity(node).key);
        let was_there = |there: &TargetKey| self.view.target_inventory.get(there).is_some();
        if let Some(there) = there.filter(was_there)
            && there.kind == Kind::Content
            && self.scope == Scope::AfterRun
            && !self.view.wrote(node)
        {
            self.live.foreign.note(there, Change::Deleted);
        }
    }
}
