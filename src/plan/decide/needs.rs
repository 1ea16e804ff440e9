//! Turns references into dependencies between entities.

use std::collections::HashSet;

use hashbrown::HashMap;
use serde_json::Value;

use super::found::Found;
use crate::domain::{ByName, Entity, EntityKey, Id, Inventory, Kind, Locale, SourceId, name_key};
use crate::plan::action::Agreements;
use crate::plan::graph::{Need, Node, Strength, merge};
use crate::plan::schema::{RICH_TEXT_MODEL, is_built_in_model};
use crate::plan::{Context, Pointer, Referent};

/// The references of one entity, resolved.
#[derive(Debug)]
pub(super) struct Needs {
    /// What it needs, once for every other entity: a million entities have seven million references.
    pub(super) all: Box<[Need]>,
    /// The encodings of its references, as bits.
    pub(super) encodings: u64,
    /// The first thing it needs that does not exist on the source.
    pub(super) missing: Option<Box<str>>,
    /// What is left out of it because it leads nowhere, in a sentence.
    pub(super) left_out: Option<Box<str>>,
}

/// Finds the entity that a reference means.
pub(super) struct Resolver<'a> {
    source: &'a Inventory<SourceId>,
    pub(super) context: Context<'a>,
    names: ByName<Node>,
    /// The first locale, in the order of the run, of every content item and page.
    first_locale: HashMap<(Kind, SourceId), Node>,
    /// What needs no upload of its own: built-ins, and items that an earlier run migrated.
    settled: HashSet<(Kind, i64)>,
    settled_names: HashSet<(Kind, Box<str>)>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        source: &'a Inventory<SourceId>,
        agreements: &Agreements,
        locales: &[Locale],
        context: Context<'a>,
    ) -> Self {
        let rank = |locale: &Locale| {
            locales
                .iter()
                .position(|other| other == locale)
                .unwrap_or(usize::MAX)
        };
        let mut names = ByName::default();
        let mut first_locale: HashMap<(Kind, SourceId), Node> = HashMap::new();
        for (node, entity) in (0..).zip(source.entities()) {
            let key = &entity.key;
            match &key.locale {
                None if key.kind.is_named() => {
                    names.insert(key.kind, &entity.name, node);
                }
                None => {}
                Some(locale) => {
                    let first = first_locale.entry((key.kind, key.id)).or_insert(node);
                    let other = source.entities()[*first as usize].locale();
                    if other.is_some_and(|other| rank(locale) < rank(other)) {
                        *first = node;
                    }
                }
            }
        }
        let mut settled: HashSet<_> = agreements
            .keys()
            .map(|key| (key.kind, key.id.raw()))
            .collect();
        settled.insert((Kind::Model, RICH_TEXT_MODEL));
        settled.extend(source.passed.iter().map(|row| (row.kind, row.id)));
        let settled_names = source
            .passed
            .iter()
            .map(|row| (row.kind, name_key(&row.name)))
            .collect();
        Self {
            source,
            context,
            names,
            first_locale,
            settled,
            settled_names,
        }
    }

    /// Everything that `entity`, which stands at `node` and has `body`, needs.
    pub(super) fn needs(&self, node: Node, entity: &Entity<SourceId>, body: &mut Value) -> Needs {
        let found = self.find(node, entity, body);
        let left_out = found.left_out();
        let mut all: Vec<Need> = found.all.into_iter().map(|(need, _)| need).collect();
        merge(&mut all);
        Needs {
            all: all.into(),
            encodings: found.encodings,
            left_out,
            missing: found.missing,
        }
    }

    /// The references of the entity at `node` to those in `on`, by what they refer to.
    pub(super) fn references_to(&self, node: Node, on: &HashSet<Node>) -> Vec<(Referent, Node)> {
        let entity = &self.source.entities()[node as usize];
        let found = self.find(node, entity, &mut entity.body.parse());
        let to = found
            .all
            .into_iter()
            .filter(|(need, _)| on.contains(&need.on));
        let mut references: Vec<_> = to
            .filter_map(|(need, referent)| Some((referent?, need.on)))
            .collect();
        references.sort_by_key(|(_, node)| *node);
        references
    }

    fn find(&self, node: Node, entity: &Entity<SourceId>, body: &mut Value) -> Found {
        let mut found = Found::in_body(self, entity, body);
        self.first_locale_first(node, entity, &mut found);
        self.parent_first(entity, &mut found);
        found
    }

    pub(super) fn resolve(&self, to: &Referent, locale: Option<&Locale>) -> Resolved {
        let node = match to.pointer() {
            Pointer::Id(kind, id) if kind.is_localised() => self.localised(kind, id, locale),
            Pointer::Id(kind, id) => self.global(kind, id),
            Pointer::Name(kind, name) => self.named(kind, name),
        };
        match node {
            Some(node) => Resolved::Node(node),
            None if self.is_settled(to) => Resolved::Settled,
            None => Resolved::Missing,
        }
    }

    /// The item in the locale of the entity that refers to it; where it does not exist there, in its first one.
    fn localised(&self, kind: Kind, id: i64, locale: Option<&Locale>) -> Option<Node> {
        locale
            .and_then(|locale| {
                self.source
                    .position(&EntityKey::localised(kind, id, locale))
            })
            .or_else(|| self.first_locale.get(&(kind, SourceId::new(id))).copied())
    }

    fn global(&self, kind: Kind, id: i64) -> Option<Node> {
        self.source.position(&EntityKey::global(kind, id))
    }

    fn named(&self, kind: Kind, name: &str) -> Option<Node> {
        self.names.get(kind, name).copied()
    }

    fn is_settled(&self, to: &Referent) -> bool {
        match to.pointer() {
            Pointer::Id(kind, id) => self.settled.contains(&(kind, id)),
            Pointer::Name(Kind::Model, name) if is_built_in_model(name) => true,
            Pointer::Name(Kind::Template, _) => false,
            Pointer::Name(kind, name) => self.settled_names.contains(&(kind, name_key(name))),
        }
    }

    /// The locales of an item share its id, and the first locale that is saved makes it.
    fn first_locale_first(&self, node: Node, entity: &Entity<SourceId>, found: &mut Found) {
        if let Some(first) = self.first_locale.get(&(entity.key.kind, entity.key.id))
            && *first != node
        {
            found.all.push((
                Need {
                    on: *first,
                    strength: Strength::Hard,
                },
                None,
            ));
        }
    }

    fn parent_first(&self, entity: &Entity<SourceId>, found: &mut Found) {
        if entity.key.kind != Kind::Page {
            return;
        }
        let Some(placement) = &entity.placement else {
            found.missing.get_or_insert_with(|| {
                "no sitemap lists this page, so its place in the tree is not known".into()
            });
            return;
        };
        let Some(parent) = placement.parent else {
            return;
        };
        let key = entity
            .key
            .locale
            .as_ref()
            .map(|locale| EntityKey::localised(Kind::Page, parent, locale));
        match key.and_then(|key| self.source.position(&key)) {
            Some(on) => found.all.push((
                Need {
                    on,
                    strength: Strength::Hard,
                },
                None,
            )),
            None => {
                found.missing.get_or_insert_with(|| {
                    format!(
                        "its parent, page {parent}, does not exist on the source in this locale"
                    )
                    .into()
                });
            }
        }
    }
}

pub(super) enum Resolved {
    Node(Node),
    Settled,
    Missing,
}
