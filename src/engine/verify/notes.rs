//! What is neither migrated nor a difference: it is named, so that it is not taken for equal.

use std::collections::BTreeMap;

use super::compare::Verifier;
use crate::domain::{ItemState, Kind, TargetKey};
use crate::plan::{Action, Node};

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    /// Published on the source and not on the target.
    NotPublished,
    /// Published on the target and not on the source.
    OnlyPublishedThere,
    /// A value in a field that the model of the source does not have.
    UnknownField,
    /// Of this kind on the target, and not a counterpart.
    LeftOver(Kind),
}

/// How often each was met, with an example.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<Note, (u32, String)>);

impl Notes {
    pub(super) fn add(&mut self, note: Note, example: impl FnOnce() -> String) {
        let (count, _) = self.0.entry(note).or_insert_with(|| (0, example()));
        *count += 1;
    }

    /// One sentence for each.
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(note, (count, example))| {
            let (count, what) = (*count, plural(*count));
            match note {
                Note::NotPublished => format!(
                    "{count} item{what} or page{what} published on the source and not on the target, such as {example}; \
                     --publish publishes them"
                ),
                Note::OnlyPublishedThere => format!(
                    "{count} item{what} or page{what} published on the target and not on the source, such as {example}; \
                     left as they are: --publish unpublishes what a run published and the source unpublished"
                ),
                Note::UnknownField => format!(
                    "{count} item{what} with values in fields that their model does not have, such as {example}; \
                     the target does not keep them"
                ),
                Note::LeftOver(kind) => format!(
                    "{count} {kind}{what} on the target without a counterpart on the source, such as {example}; left as they are"
                ),
            }
        })
    }
}

const fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl Verifier<'_> {
    pub(super) fn note_state(&mut self, node: Node, here: ItemState, there: ItemState) {
        let example = || self.view.entity(node).key.to_string();
        let is_told = here != ItemState::None && there != ItemState::None;
        match (here == ItemState::Published, there == ItemState::Published) {
            (true, false) if is_told => self.notes.add(Note::NotPublished, example),
            (false, true) if is_told => self.notes.add(Note::OnlyPublishedThere, example),
            (_, _) => {}
        }
    }

    pub(super) fn note_unknown(&mut self, node: Node, keys: &[String]) {
        let example = || format!("{} ({})", self.view.entity(node).key, keys.join(", "));
        if !keys.is_empty() {
            self.notes.add(Note::UnknownField, example);
        }
    }

    /// Names what the target has without a mapping. After a run of a selection that is unknown.
    pub(super) fn note_left_overs(&mut self) {
        let is_whole = |node: Node| !matches!(self.view.planned(node).action, Action::OutOfScope);
        if !(0..self.view.plan.graph.len()).all(is_whole) {
            return;
        }
        let lists = self.found.lists.entities().iter();
        let mut over: Vec<(TargetKey, String)> = lists
            .map(|there| (there.key.clone(), there.name.to_string()))
            .collect();
        let pages = self.found.places.keys().map(|(locale, page)| {
            let key = TargetKey::localised(Kind::Page, *page, locale);
            (key.clone(), key.to_string())
        });
        over.extend(pages);
        over.sort_unstable();
        for (there, example) in over {
            if self.is_left_over(&there) {
                self.notes.add(Note::LeftOver(there.kind), || example);
            }
        }
    }

    /// Whether no entity of the source is its counterpart, be it one that this run did not get to.
    pub(super) fn is_left_over(&self, there: &TargetKey) -> bool {
        !self.view.ids.is_claimed(there.kind, there.id) && !self.view.pre_images.knows(there)
    }

    pub(super) fn note_left_over(&mut self, there: &TargetKey) {
        self.notes
            .add(Note::LeftOver(there.kind), || there.to_string());
    }
}
