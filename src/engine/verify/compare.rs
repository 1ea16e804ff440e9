//! Compares what was read back, entity by entity.

use std::collections::HashMap;

use super::bodies::{Compared, Open};
use super::difference::{Difference, DifferenceKind, Scope};
use super::notes::Notes;
use super::order::Lists;
use super::read_back::{TargetTree, Unclaimed};
use crate::domain::{Entity, EntityKey, Id, Kind, SourceId, TargetId, TargetKey, name_key};
use crate::engine::context::{Ends, Live, PlanView, RunContext};
use crate::plan::{
    Action, Concern, Defaults, ListOrder, Node, Schema, expected_hash, whole_payload,
};

pub(super) struct Verifier<'a> {
    pub(super) view: &'a PlanView,
    pub(super) live: &'a Live,
    /// Whether the run publishes.
    pub(super) publishes: bool,
    pub(super) found: TargetTree,
    /// The models of the target, whose items may have fields that the source's have not.
    pub(super) schema: Schema,
    pub(super) scope: Scope,
    pub(super) differences: Vec<(Node, Difference)>,
    /// What the server fills in, as far as it is known by now.
    pub(super) defaults: Defaults,
    pub(super) open: Vec<Open>,
    pub(super) compared: Vec<Compared>,
    pub(super) lists: Lists,
    /// The order of those that this run wrote to.
    pub(super) ordered: Vec<ListOrder>,
    /// Pages of rows that this run wrote to, and whether their places are still owed.
    pub(super) places: Vec<(Node, bool)>,
    pub(super) notes: Notes,
}

/// What a comparison found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) differences: Vec<Difference>,
    pub(super) compared: Vec<Compared>,
    pub(super) lists: Vec<ListOrder>,
    pub(super) places: Vec<(Node, bool)>,
    pub(super) notes: Notes,
}

/// Items of the source that say the same in one locale. Equals are interchangeable: an unclaimed copy is a duplicate only
/// where none of them lacks its counterpart.
#[derive(Default)]
struct Equals {
    placed: Option<Node>,
    absent: usize,
}

impl Equals {
    /// The item that an unclaimed copy is a duplicate of.
    fn duplicated(&mut self) -> Option<Node> {
        match self.absent.checked_sub(1) {
            Some(absent) => {
                self.absent = absent;
                None
            }
            None => self.placed,
        }
    }
}

/// The key of the counterpart of a source entity, if it has one.
pub(super) fn there_of(view: &PlanView, key: &EntityKey) -> Option<TargetKey> {
    Some(key.with_id(view.ids.resolve(key)?.id))
}

impl<'a> Verifier<'a> {
    pub(super) fn new<E: Ends>(
        context: &'a RunContext<E>,
        found: TargetTree,
        scope: Scope,
    ) -> Self {
        Self {
            view: &context.view,
            live: &context.live,
            publishes: context.publishes(),
            schema: Schema::of(&found.lists),
            found,
            scope,
            differences: Vec::new(),
            defaults: context.view.defaults.clone(),
            open: Vec::new(),
            compared: Vec::new(),
            lists: Lists::new(),
            ordered: Vec::new(),
            places: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// Compares an entity that exists once per instance.
    pub(super) fn compare_listed(&mut self, node: Node) {
        let there = there_of(self.view, &self.view.entity(node).key);
        match there.and_then(|there| self.found.lists.get(&there).cloned()) {
            Some(found) => self.compare(node, &found),
            None => self.missing(node),
        }
    }

    /// Reports that the counterpart of an entity is not there.
    pub(super) fn missing(&mut self, node: Node) {
        self.note_gone(node);
        let detail = match self.view.ids.resolve(&self.view.entity(node).key) {
            Some(there) => format!("the target entity {} does not exist", there.id),
            None => "it has no counterpart on the target".to_owned(),
        };
        self.report(node, DifferenceKind::Missing, detail);
    }

    /// Reports the mappings of the state that the target contradicts. A run records the right ones, so after one they are
    /// no difference any more.
    pub(super) fn wrong_mappings(&mut self) {
        if self.scope == Scope::AfterRun {
            return;
        }
        for notice in &self.view.plan.notices {
            if notice.about == Concern::MappedAnew {
                let detail = format!("{}; lockgate sync corrects the state", notice.text);
                self.report_as(notice.node, (DifferenceKind::WrongMapping, false), detail);
            }
        }
    }

    /// Compares an entity with its counterpart.
    pub(super) fn compare(&mut self, node: Node, found: &Entity<TargetId>) {
        let entity = self.view.entity(node);
        self.compare_bodies(node, entity, found);
        self.note_order(node, entity, found);
        self.note_state(node, entity.state, found.state);
        if entity.key.kind == Kind::Page {
            self.compare_parent(node, entity, found.key.id);
        }
    }

    fn compare_parent(&mut self, node: Node, entity: &Entity<SourceId>, id: TargetId) {
        let Some(locale) = entity.locale() else {
            return;
        };
        // What the target moved is left where it is, and is a difference all the same where those are asked for.
        let expected = match self.scope {
            Scope::AfterRun => self.view.home(node).map(|home| home.parent),
            Scope::Everything => self.view.parent(entity).map(|parent| parent.map(Id::raw)),
        };
        let expected = match expected {
            Ok(parent) => parent,
            Err(reason) => return self.report(node, DifferenceKind::WrongParent, reason),
        };
        let Some(found) = self.found.places.get(&(locale.clone(), id.raw())) else {
            let detail = "no sitemap of the target lists it".to_owned();
            return self.report(node, DifferenceKind::WrongParent, detail);
        };
        let found = found.placement.parent;
        if expected != found {
            let show = |id: Option<i64>| {
                id.map_or_else(|| "the root".to_owned(), |id| format!("page {id}"))
            };
            let detail = format!(
                "expected below {}, found under {}",
                show(expected),
                show(found)
            );
            self.report(node, DifferenceKind::WrongParent, detail);
        }
    }

    pub(super) fn duplicates(&mut self, unclaimed: Vec<Unclaimed>) {
        self.twice_in_lists();
        self.note_left_overs();
        self.note_lists();
        self.note_new_items(&unclaimed);
        if unclaimed.is_empty() {
            return;
        }
        let mut expected: HashMap<_, Equals> = HashMap::new();
        for (node, entity) in (0..).zip(self.view.source_inventory.entities()) {
            if entity.key.kind != Kind::Content {
                continue;
            }
            let written = whole_payload(entity, &self.view.rewriting(), &self.view.ids, None);
            if let Ok(written) = written {
                let hash = expected_hash(Kind::Content, &written.body, None, &self.view.schema);
                let equals = (entity.key.locale.clone(), hash);
                let equals = expected.entry(equals).or_default();
                let action = &self.view.planned(node).action;
                let arrived = || self.view.ids.resolve(&entity.key).is_some();
                if action.counterpart().is_some() || arrived() {
                    equals.placed = Some(node);
                } else if *action != Action::OutOfScope {
                    equals.absent += 1;
                }
            }
        }
        for Unclaimed { key, hash } in unclaimed {
            let is_old =
                self.view.target_inventory.get(&key).is_some() && self.scope == Scope::AfterRun;
            let id = key.id;
            let equals = expected.get_mut(&(key.locale.clone(), hash));
            let twice = equals.filter(|_| !is_old).and_then(Equals::duplicated);
            if let Some(node) = twice {
                let detail = format!("duplicate on the target: {id}");
                self.report(node, DifferenceKind::Duplicate, detail);
            } else if self.is_left_over(&key) {
                self.note_left_over(&key);
            }
        }
    }

    /// Names are unique on an instance; a second entity of the same name came from somewhere.
    fn twice_in_lists(&mut self) {
        let mut seen: HashMap<(Kind, Box<str>), u32> = HashMap::new();
        for entity in self.found.lists.entities() {
            let name = (entity.key.kind, name_key(&entity.name));
            *seen.entry(name).or_default() += 1;
        }
        seen.retain(|_, count| *count > 1);
        // The source may have several names of one key itself.
        let mut due: HashMap<(Kind, Box<str>), u32> = HashMap::new();
        let source = self.view.source_inventory.entities();
        for entity in source.iter().filter(|_| !seen.is_empty()) {
            let name = (entity.key.kind, name_key(&entity.name));
            *due.entry(name).or_default() += 1;
        }
        seen.retain(|name, count| due.get(name).is_some_and(|due| *count > *due));
        for (node, entity) in (0..).zip(source).filter(|_| !seen.is_empty()) {
            let name = (entity.key.kind, name_key(&entity.name));
            if seen.contains_key(&name) {
                let detail = "two entities with this name on the target".to_owned();
                self.report(node, DifferenceKind::Duplicate, detail);
            }
        }
    }

    /// Puts what was found so far in the order of the source; it was found in the order of the answers.
    pub(super) fn sort(&mut self) {
        self.differences.sort_by_key(|(node, _)| *node);
    }

    /// What was found.
    pub(super) fn into_found(self) -> Found {
        let found = self.differences.into_iter();
        Found {
            differences: found.map(|(_, difference)| difference).collect(),
            compared: self.compared,
            lists: self.ordered,
            places: self.places,
            notes: self.notes,
        }
    }

    pub(super) fn report(&mut self, node: Node, difference: DifferenceKind, detail: String) {
        let is_left = self.view.leaves(node, difference);
        self.report_as(node, (difference, is_left), detail);
    }

    /// As [`Self::report`], of what stands elsewhere in a row that the run may have written to without it.
    pub(super) fn report_order(&mut self, node: Node, detail: String, is_ours: bool) {
        let what = DifferenceKind::WrongOrder;
        let is_left = if is_ours {
            self.view.planned(node).left_alone
        } else {
            self.view.leaves(node, what)
        };
        self.report_as(node, (what, is_left), detail);
    }

    pub(super) fn report_as(
        &mut self,
        node: Node,
        (difference, left_alone): (DifferenceKind, bool),
        detail: String,
    ) {
        let entity = self.view.entity(node);
        let difference = Difference {
            key: entity.key.clone(),
            name: entity.name.to_string(),
            left_alone,
            difference,
            detail,
        };
        self.differences.push((node, difference));
    }
}
