//! Compares what was read back, entity by entity.

use std::collections::{BTreeMap, HashMap};

use super::check::is_compared;
use super::difference::{Difference, DifferenceKind, Scope};
use super::read_back::{Surroundings, Unclaimed};
use crate::domain::{Entity, EntityKey, Id, Kind, Locale, SourceId, TargetId, TargetKey, name_key};
use crate::engine::crew::Crew;
use crate::instance::{Source, Target};
use crate::plan::{LeaveOut, Node, Slot, differences, expected_hash, normal, payload};

pub(super) struct Verifier<'a, S, T> {
    crew: &'a Crew<S, T>,
    found: Surroundings,
    scope: Scope,
    differences: Vec<(Node, Difference)>,
}

/// The key of the counterpart of a source entity, if it has one.
pub(super) fn there_of<S, T>(crew: &Crew<S, T>, key: &EntityKey) -> Option<TargetKey> {
    Some(TargetKey {
        kind: key.kind,
        id: crew.ids.resolve(key)?.id,
        locale: key.locale.clone(),
    })
}

impl<'a, S: Source + Clone, T: Target + Clone> Verifier<'a, S, T> {
    pub(super) fn new(crew: &'a Crew<S, T>, found: Surroundings, scope: Scope) -> Self {
        Self {
            crew,
            found,
            scope,
            differences: Vec::new(),
        }
    }

    /// Compares an entity that exists once per instance.
    pub(super) fn compare_listed(&mut self, node: Node) {
        let there = there_of(self.crew, &self.crew.entity(node).key);
        match there.and_then(|there| self.found.lists.get(&there).cloned()) {
            Some(found) => self.compare(node, &found),
            None => self.missing(node),
        }
    }

    /// Reports that the counterpart of an entity is not there.
    pub(super) fn missing(&mut self, node: Node) {
        let detail = match self.crew.ids.resolve(&self.crew.entity(node).key) {
            Some(there) => format!("its counterpart {} is not there", there.id),
            None => "it has no counterpart on the target".to_owned(),
        };
        self.report(node, DifferenceKind::Missing, detail);
    }

    /// Compares an entity with its counterpart.
    pub(super) fn compare(&mut self, node: Node, found: &Entity<TargetId>) {
        let entity = self.crew.entity(node);
        let planned = self.crew.planned(node);
        let is_left = planned.is_place_only() && planned.left_alone;
        if !is_left || self.scope == Scope::Everything {
            self.compare_bodies(node, entity, found);
        }
        if entity.key.kind == Kind::Page {
            self.compare_parent(node, entity, found.key.id);
        }
    }

    fn compare_bodies(&mut self, node: Node, entity: &Entity<SourceId>, found: &Entity<TargetId>) {
        let existing = found.body.parse();
        let written = payload(
            entity,
            &self.crew.context(),
            &self.crew.ids,
            &LeaveOut::default(),
            Some(&existing),
        );
        let written = match written {
            Ok(written) => written,
            Err(unresolved) => {
                return self.report(node, DifferenceKind::Dangling, unresolved.to_string());
            }
        };
        let kind = entity.key.kind;
        let expected = normal(kind, &written.body, &self.crew.schema);
        let stored = normal(kind, &existing, &self.crew.schema);
        for difference in differences(&expected, &stored) {
            let detail = format!(
                "at {}: expected {}, found {}",
                difference.at, difference.expected, difference.found
            );
            let what = match (difference.is_reference, kind) {
                (true, _) => DifferenceKind::WrongReference,
                (false, Kind::Asset) if difference.at == "/size" => DifferenceKind::DifferentBytes,
                (false, _) => DifferenceKind::DifferentField,
            };
            self.report(node, what, detail);
        }
    }

    fn compare_parent(&mut self, node: Node, entity: &Entity<SourceId>, id: TargetId) {
        let Some(locale) = entity.locale() else {
            return;
        };
        // What the target moved is left where it is, and a difference all the same to whoever asks for those.
        let expected = match self.scope {
            Scope::AfterRun => self.crew.home(node).map(|home| home.parent),
            Scope::Everything => self.crew.parent(entity).map(|parent| parent.map(Id::raw)),
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
                "expected below {}, found below {}",
                show(expected),
                show(found)
            );
            self.report(node, DifferenceKind::WrongParent, detail);
        }
    }

    /// Siblings have to stand in the source's order among themselves; others may stand between them.
    pub(super) fn order(&mut self, locales: &[Locale]) {
        let rows = match self.scope {
            Scope::AfterRun => self.rows_as_planned(),
            Scope::Everything => self.rows_of_source(),
        };
        for row in rows {
            let mut placed: Vec<(Node, u32)> = Vec::new();
            for node in row {
                let entity = self.crew.entity(node);
                let is_asked = entity
                    .locale()
                    .is_some_and(|locale| locales.contains(locale));
                if is_asked && is_compared(self.crew, node, self.scope) {
                    placed.extend(self.position(node).map(|position| (node, position)));
                }
            }
            for pair in placed.windows(2).filter(|pair| pair[0].1 > pair[1].1) {
                let after = self.crew.entity(pair[1].0).key.clone();
                self.report(
                    pair[0].0,
                    DifferenceKind::WrongOrder,
                    format!("it stands behind {after}"),
                );
            }
        }
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

    pub(super) fn duplicates(&mut self, unclaimed: Vec<Unclaimed>) {
        self.twice_in_lists();
        if unclaimed.is_empty() {
            return;
        }
        let mut expected: HashMap<_, Node> = HashMap::new();
        for (node, entity) in (0..).zip(self.crew.source_inventory.entities()) {
            if entity.key.kind != Kind::Content {
                continue;
            }
            let written = payload(
                entity,
                &self.crew.context(),
                &self.crew.ids,
                &LeaveOut::default(),
                None,
            );
            if let Ok(written) = written {
                let hash = expected_hash(Kind::Content, &written.body, None, &self.crew.schema);
                expected.insert((entity.key.locale.clone(), hash), node);
            }
        }
        for Unclaimed { key, hash } in unclaimed {
            let is_old =
                self.crew.target_inventory.get(&key).is_some() && self.scope == Scope::AfterRun;
            let id = key.id;
            if let Some(node) = expected.get(&(key.locale, hash))
                && !is_old
            {
                let detail = format!("the target has it a second time as {id}");
                self.report(*node, DifferenceKind::Duplicate, detail);
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
        let source = self.crew.source_inventory.entities();
        for entity in source.iter().filter(|_| !seen.is_empty()) {
            let name = (entity.key.kind, name_key(&entity.name));
            *due.entry(name).or_default() += 1;
        }
        seen.retain(|name, count| due.get(name).is_some_and(|due| *count > *due));
        for (node, entity) in (0..).zip(source).filter(|_| !seen.is_empty()) {
            let name = (entity.key.kind, name_key(&entity.name));
            if seen.contains_key(&name) {
                let detail = "the target has two of this name".to_owned();
                self.report(node, DifferenceKind::Duplicate, detail);
            }
        }
    }

    /// Puts what was found so far in the order of the source; it was found in the order of the answers.
    pub(super) fn sort(&mut self) {
        self.differences.sort_by_key(|(node, _)| *node);
    }

    /// What was found.
    pub(super) fn into_differences(self) -> Vec<Difference> {
        let found = self.differences.into_iter();
        found.map(|(_, difference)| difference).collect()
    }

    fn report(&mut self, node: Node, difference: DifferenceKind, detail: String) {
        let entity = self.crew.entity(node);
        let difference = Difference {
            key: entity.key.clone(),
            name: entity.name.to_string(),
            difference,
            detail,
        };
        self.differences.push((node, difference));
    }
}
