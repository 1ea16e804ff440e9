//! What the user wants to move, and everything that this needs.

use std::collections::HashSet;

use super::graph::{Graph, Node};
use super::{Context, Referent, references};
use crate::domain::{Inventory, Kind, SourceId};

/// The part of an instance that a run is about. The default is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these kinds; empty: every kind.
    pub elements: Vec<Kind>,
    /// Only these models, by reference name in any case.
    pub models: Vec<String>,
    /// Only these models with their containers, content, templates and pages.
    pub models_with_deps: Vec<String>,
    /// Only these content items, by source id.
    pub content: Vec<i64>,
    /// Only these pages, by source id.
    pub pages: Vec<i64>,
    /// Only these containers with their content, by reference name in any case.
    pub containers: Vec<String>,
}

/// A name in the selection that the source does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source has no {kind} called {name:?}")]
pub struct UnknownName {
    /// Model or container.
    pub kind: Kind,
    /// As the user wrote it.
    pub name: String,
    /// The most similar name that exists.
    pub nearest: Option<String>,
}

impl Selection {
    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Checks every name against the source.
    ///
    /// # Errors
    /// [`UnknownName`] for the first name that does not exist there.
    pub fn check(&self, source: &Inventory<SourceId>) -> Result<(), UnknownName> {
        let models = self
            .models
            .iter()
            .chain(&self.models_with_deps)
            .map(|name| (Kind::Model, name));
        let containers = self.containers.iter().map(|name| (Kind::Container, name));
        for (kind, name) in models.chain(containers) {
            let known = source.of_kind(kind);
            if !known
                .iter()
                .any(|entity| entity.name.eq_ignore_ascii_case(name))
            {
                let nearest = known
                    .iter()
                    .map(|entity| {
                        (
                            strsim::jaro_winkler(&entity.name.to_lowercase(), &name.to_lowercase()),
                            entity,
                        )
                    })
                    .filter(|(score, _)| *score > 0.75)
                    .max_by(|left, right| left.0.total_cmp(&right.0))
                    .map(|(_, entity)| entity.name.to_string());
                return Err(UnknownName {
                    kind,
                    name: name.clone(),
                    nearest,
                });
            }
        }
        Ok(())
    }

    /// Which entities are in scope: what was named, and everything that those need in `graph`, at any distance. It
    /// must hold no order of siblings: who only has to come first is not needed.
    pub(super) fn scope(
        &self,
        source: &Inventory<SourceId>,
        context: &Context<'_>,
        graph: &Graph,
    ) -> Vec<bool> {
        let mut scope = vec![self.is_everything(); source.entities().len()];
        if self.is_everything() {
            return scope;
        }
        let mut open: Vec<Node> = self.seeds(source, context);
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut scope[node as usize], true) {
                open.extend(graph.needs(node).iter().map(|need| need.on));
            }
        }
        scope
    }

    fn seeds(&self, source: &Inventory<SourceId>, context: &Context<'_>) -> Vec<Node> {
        let named = |names: &[String], name: &str| {
            names.iter().any(|other| other.eq_ignore_ascii_case(name))
        };
        let tree = Tree::of(&self.models_with_deps, source, context);
        let only_kinds = self.models.is_empty()
            && self.models_with_deps.is_empty()
            && self.content.is_empty()
            && self.pages.is_empty()
            && self.containers.is_empty();
        (0..)
            .zip(source.entities())
            .filter(|(_, entity)| {
                let key = &entity.key;
                let raw = crate::domain::Id::raw(key.id);
                (only_kinds && self.elements.contains(&key.kind))
                    || match key.kind {
                        Kind::Model => {
                            named(&self.models, &entity.name)
                                || named(&self.models_with_deps, &entity.name)
                        }
                        Kind::Container => {
                            named(&self.containers, &entity.name) || tree.holds(key.kind, raw)
                        }
                        Kind::Content => {
                            self.content.contains(&raw)
                                || tree.holds(key.kind, raw)
                                || (!self.containers.is_empty()
                                    && named(&self.containers, &container_of(&entity.body.parse())))
                        }
                        Kind::Page => self.pages.contains(&raw) || tree.holds(key.kind, raw),
                        Kind::Template => tree.holds(key.kind, raw),
                        Kind::Gallery | Kind::Asset | Kind::Redirection => false,
                    }
            })
            .map(|(node, _)| node)
            .collect()
    }
}

/// The containers, content, templates and pages around some models.
#[derive(Default)]
struct Tree {
    members: HashSet<(Kind, i64)>,
}

impl Tree {
    fn of(models: &[String], source: &Inventory<SourceId>, context: &Context<'_>) -> Self {
        let mut tree = Self::default();
        if models.is_empty() {
            return tree;
        }
        let ids: HashSet<i64> = source
            .of_kind(Kind::Model)
            .iter()
            .filter(|model| {
                models
                    .iter()
                    .any(|name| model.name.eq_ignore_ascii_case(name))
            })
            .map(|model| crate::domain::Id::raw(model.key.id))
            .collect();
        let mut names = HashSet::new();
        for container in source.of_kind(Kind::Container) {
            if container.body.parse()["contentDefinitionID"]
                .as_i64()
                .is_some_and(|id| ids.contains(&id))
            {
                names.insert(container.name.to_lowercase());
                tree.insert(Kind::Container, container);
            }
        }
        for item in source.of_kind(Kind::Content) {
            if names.contains(&container_of(&item.body.parse()).to_lowercase()) {
                tree.insert(Kind::Content, item);
            }
        }
        for kind in [Kind::Template, Kind::Page] {
            for entity in source.of_kind(kind) {
                if references(entity, context)
                    .iter()
                    .any(|reference| tree.is_member(&reference.to, source))
                {
                    tree.insert(kind, entity);
                }
            }
        }
        tree
    }

    fn insert(&mut self, kind: Kind, entity: &crate::domain::Entity<SourceId>) {
        self.members
            .insert((kind, crate::domain::Id::raw(entity.key.id)));
    }

    fn holds(&self, kind: Kind, id: i64) -> bool {
        self.members.contains(&(kind, id))
    }

    fn is_member(&self, to: &Referent, source: &Inventory<SourceId>) -> bool {
        match to {
            Referent::Content(id) => self.holds(Kind::Content, *id),
            Referent::Container(id) => self.holds(Kind::Container, *id),
            Referent::TemplateNamed(name) => {
                source.of_kind(Kind::Template).iter().any(|template| {
                    template.name.eq_ignore_ascii_case(name)
                        && self.holds(Kind::Template, crate::domain::Id::raw(template.key.id))
                })
            }
            Referent::Page(_)
            | Referent::Gallery(_)
            | Referent::Asset(_)
            | Referent::Model(_)
            | Referent::ModelNamed(_)
            | Referent::ContainerNamed(_) => false,
        }
    }
}

fn container_of(item: &serde_json::Value) -> String {
    item["properties"]["referenceName"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
