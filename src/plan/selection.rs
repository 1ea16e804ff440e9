//! The selection of the user, and everything that it depends on.

use std::collections::HashSet;

use jiff::civil::DateTime;

use super::changed_by::{self, Users};
use super::graph::{Graph, Node};
use super::scope::Scope;
use super::wanted::{Wanted, changed_at};
use super::{Context, Referent, references};
use crate::domain::{
    Channel, Entity, EntityKey, Id, Inventory, Kind, SourceId, name_key, same_name,
};

/// The part of an instance that a run is about. The default is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these kinds; empty: every kind.
    pub elements: Vec<Kind>,
    /// Of the pages only those of these channels, by display name in any case; empty: those of every channel.
    pub channels: Vec<String>,
    /// Only these models, by reference name in any case, or by patterns of it; so with all names below.
    pub models: Vec<String>,
    /// Only these models with their containers, content, templates and pages.
    pub models_with_deps: Vec<String>,
    /// Only these content items, by source id.
    pub content: Vec<i64>,
    /// Only the content of these containers, or with a slash between them these titles.
    pub items: Vec<String>,
    /// Only these pages, by source id.
    pub pages: Vec<i64>,
    /// Only these pages, by path.
    pub paths: Vec<String>,
    /// Only these containers with their content, by reference name in any case.
    pub containers: Vec<String>,
    /// Of all that only what was changed since, as the source says; `None`: whenever that was.
    pub changed_since: Option<DateTime>,
    /// Of all that only what these users changed last, by number, or by name in any case or a pattern of it; empty: any user.
    pub changed_by: Vec<String>,
    /// Only these entities, such as those that failed in an earlier run. Unlike a name that a user gives, one that the
    /// source no longer has is passed over (see [`Selection::gone`]).
    pub keys: HashSet<EntityKey>,
}

/// Something in the selection that the source does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source has no {what}")]
pub struct UnknownName {
    /// What was asked for, such as `model called "Post"` or `page 12`.
    pub what: String,
    /// What can be done about it.
    pub hint: String,
}

impl UnknownName {
    pub(super) fn named(kind: &str, name: &str, known: &[&str]) -> Self {
        let similarity =
            |other: &str| strsim::jaro_winkler(&other.to_lowercase(), &name.to_lowercase());
        let nearest = known
            .iter()
            .map(|known| (similarity(known), known))
            .filter(|(score, _)| *score > 0.75)
            .max_by(|left, right| left.0.total_cmp(&right.0));
        let hint = match (nearest, known) {
            (Some((_, nearest)), _) => format!("did you mean {nearest:?}?"),
            (None, []) => format!("leave the flag out: the source has no {kind} at all"),
            (None, [only]) => format!("there is only {only:?}"),
            (None, known) => format!("there are {}, such as {:?}", known.len(), known[0]),
        };
        Self {
            what: format!("{kind} called {name:?}"),
            hint,
        }
    }

    /// A channel that the source does not have.
    pub fn channel(name: &str, known: &[Channel]) -> Self {
        let known: Vec<&str> = known.iter().map(|one| &*one.name).collect();
        Self::named("channel", name, &known)
    }

    fn numbered(kind: Kind, id: i64) -> Self {
        Self {
            what: format!("{kind} {id} in the locales of this run"),
            hint: "give ids as the source has them, and --locale if only some locales are meant"
                .to_owned(),
        }
    }
}

impl Selection {
    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it takes entities of `kind`; `None` where that depends on which.
    pub fn decides_about(&self, kind: Kind) -> Option<bool> {
        let by_kind = Self {
            elements: self.elements.clone(),
            ..Self::default()
        };
        let takes = self.elements.is_empty() || self.elements.contains(&kind);
        (*self == by_kind).then_some(takes)
    }

    /// Checks every name and id against the source.
    ///
    /// # Errors
    /// [`UnknownName`] for the first one that does not exist there.
    pub fn check(&self, source: &Inventory<SourceId>) -> Result<(), UnknownName> {
        let names_of = |kind| -> Vec<&str> {
            let known = source.of_kind(kind).iter();
            known.map(|entity| &*entity.name).collect()
        };
        let models = names_of(Kind::Model);
        let channels: Vec<&str> = source.channels.iter().map(|one| &*one.name).collect();
        check_names("model", &self.models, &models)?;
        check_names("model", &self.models_with_deps, &models)?;
        check_names("container", &self.containers, &names_of(Kind::Container))?;
        check_names("channel", &self.channels, &channels)?;
        check_ids(Kind::Content, &self.content, source)?;
        check_ids(Kind::Page, &self.pages, source)?;
        check_names("page", &self.paths, &names_of(Kind::Page))?;
        self.check_users(source)?;
        self.check_items(source)
    }

    fn check_users(&self, source: &Inventory<SourceId>) -> Result<(), UnknownName> {
        if self.changed_by.is_empty() {
            return Ok(());
        }
        let known = changed_by::known(source);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        check_names("user with changes", &self.changed_by, &known)
    }

    fn check_items(&self, source: &Inventory<SourceId>) -> Result<(), UnknownName> {
        if self.items.is_empty() {
            return Ok(());
        }
        let mut known: Vec<String> = Vec::new();
        for item in source.of_kind(Kind::Content) {
            let container = container_of(&item.body.parse()).to_owned();
            known.push(format!("{container}/{}", item.name));
            known.push(container);
        }
        known.sort_unstable();
        known.dedup();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        check_names("content", &self.items, &known)
    }

    /// Those of [`Selection::keys`] that the source no longer has, in order.
    pub fn gone(&self, source: &Inventory<SourceId>) -> Vec<&EntityKey> {
        let is_gone = |key: &&EntityKey| source.get(key).is_none();
        let mut gone: Vec<_> = self.keys.iter().filter(is_gone).collect();
        gone.sort_unstable();
        gone
    }

    /// Which entities are in scope, and why: what was named, and everything that belongs to it.
    pub(super) fn scope(
        &self,
        source: &Inventory<SourceId>,
        context: &Context<'_>,
        graph: &Graph,
    ) -> Scope {
        // What failed is tried again as it was: its neighbours in a list were no part of that.
        let seeds = (self.seeds(source, context), self.keys.is_empty());
        Scope::of(seeds, source, context, graph)
    }

    fn seeds(&self, source: &Inventory<SourceId>, context: &Context<'_>) -> Vec<Node> {
        let [models, with_deps, containers, items, paths] = [
            &self.models,
            &self.models_with_deps,
            &self.containers,
            &self.items,
            &self.paths,
        ]
        .map(|names| Wanted::of(names));
        let tree = Tree::of(&self.models_with_deps, source, context);
        let users = Users::of(&self.changed_by, source);
        let is_of_users = |entity| self.changed_by.is_empty() || users.changed(entity);
        let has_lists = !self.containers.is_empty() || !self.items.is_empty();
        let only_kinds = self.models.is_empty()
            && self.models_with_deps.is_empty()
            && self.content.is_empty()
            && self.items.is_empty()
            && self.pages.is_empty()
            && self.paths.is_empty()
            && self.containers.is_empty()
            && self.keys.is_empty();
        (0..)
            .zip(source.entities())
            .filter(|(_, entity)| {
                let key = &entity.key;
                let raw = key.id.raw();
                (only_kinds && (self.elements.is_empty() || self.elements.contains(&key.kind)))
                    || self.keys.contains(key)
                    || match key.kind {
                        Kind::Model => models.takes(&entity.name) || with_deps.takes(&entity.name),
                        Kind::Container => {
                            containers.takes(&entity.name) || tree.holds(key.kind, raw)
                        }
                        Kind::Content => {
                            self.content.contains(&raw)
                                || tree.holds(key.kind, raw)
                                || (has_lists && {
                                    let body = entity.body.parse();
                                    let container = container_of(&body);
                                    containers.takes(container)
                                        || items.takes(container)
                                        || items.takes(&format!("{container}/{}", entity.name))
                                })
                        }
                        Kind::Page => {
                            self.pages.contains(&raw)
                                || paths.takes(&entity.name)
                                || tree.holds(key.kind, raw)
                        }
                        Kind::Template => tree.holds(key.kind, raw),
                        Kind::Gallery | Kind::Asset | Kind::Redirection => false,
                    }
            })
            .filter(|(_, entity)| {
                self.is_of_channel(entity) && self.is_recent(entity) && is_of_users(entity)
            })
            .map(|(node, _)| node)
            .collect()
    }

    /// Whether it was changed since the date that was asked for. What has no date was not, as far as is known.
    fn is_recent(&self, entity: &Entity<SourceId>) -> bool {
        self.changed_since
            .is_none_or(|since| changed_at(entity).is_some_and(|changed| changed >= since))
    }

    /// Whether it is no page of a channel that was not named. The channel of a page that no sitemap lists is unknown,
    /// so it leaves nothing out.
    fn is_of_channel(&self, entity: &Entity<SourceId>) -> bool {
        let is_named = |channel: &str| self.channels.iter().any(|name| same_name(name, channel));
        self.channels.is_empty()
            || entity
                .placement
                .as_ref()
                .is_none_or(|placement| is_named(&placement.channel))
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
        let wanted = Wanted::of(models);
        let ids: HashSet<i64> = source
            .of_kind(Kind::Model)
            .iter()
            .filter(|model| wanted.takes(&model.name))
            .map(|model| model.key.id.raw())
            .collect();
        let mut names = HashSet::new();
        for container in source.of_kind(Kind::Container) {
            if container.body.parse()["contentDefinitionID"]
                .as_i64()
                .is_some_and(|id| ids.contains(&id))
            {
                names.insert(name_key(&container.name));
                tree.insert(Kind::Container, container);
            }
        }
        for item in source.of_kind(Kind::Content) {
            if names.contains(&name_key(container_of(&item.body.parse()))) {
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

    fn insert(&mut self, kind: Kind, entity: &Entity<SourceId>) {
        self.members.insert((kind, entity.key.id.raw()));
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
                    same_name(&template.name, name)
                        && self.holds(Kind::Template, template.key.id.raw())
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

fn check_names(kind: &str, asked: &[String], known: &[&str]) -> Result<(), UnknownName> {
    match Wanted::of(asked).without(known) {
        Some(name) => Err(UnknownName::named(kind, name, known)),
        None => Ok(()),
    }
}

fn check_ids(kind: Kind, asked: &[i64], source: &Inventory<SourceId>) -> Result<(), UnknownName> {
    let known: HashSet<i64> = match asked {
        [] => return Ok(()),
        _ => source
            .of_kind(kind)
            .iter()
            .map(|one| one.key.id.raw())
            .collect(),
    };
    match asked.iter().find(|id| !known.contains(id)) {
        Some(id) => Err(UnknownName::numbered(kind, *id)),
        None => Ok(()),
    }
}

/// The reference name of the container that an item is in, empty where its body names none.
pub fn container_of(item: &serde_json::Value) -> &str {
    let name = item["properties"]["referenceName"].as_str();
    name.unwrap_or_default()
}

/// The gallery that an asset is in; `None` where its row names none.
pub fn gallery_of(asset: &serde_json::Value) -> Option<i64> {
    asset["mediaGroupingID"].as_i64().filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Body, Channel, Guid, ItemState, Key, Locale, Placement, SourceId as Source,
    };

    fn page(id: i64, channel: Option<&str>) -> Entity<Source> {
        let placement = channel.map(|channel| {
            Box::new(Placement {
                channel: channel.into(),
                channel_id: 1,
                parent: None,
                position: 0,
            })
        });
        Entity {
            key: Key::localised(Kind::Page, id, &Locale::new("en-us")),
            name: format!("/{id}").into(),
            version: None,
            state: ItemState::None,
            placement,
            body: Body::new(&serde_json::json!({ "pageID": id })),
        }
    }

    fn two_channels() -> Inventory<Source> {
        let mut source = Inventory::empty(Guid::new("1a2b3c4d-u"));
        source.channels = ["Website", "App"]
            .map(|name| Channel {
                id: 1,
                name: name.into(),
            })
            .into();
        source.with_entities(vec![
            page(1, Some("Website")),
            page(2, Some("App")),
            page(3, None),
        ])
    }

    fn of_channel(name: &str) -> Selection {
        Selection {
            channels: vec![name.to_owned()],
            ..Selection::default()
        }
    }

    #[test]
    fn a_channel_leaves_out_the_pages_of_others() {
        let source = two_channels();
        let schema = super::super::Schema::of(&source);
        let assets = super::super::AssetIndex::of(&source);
        let context = Context::of(&schema, &assets);
        let selection = of_channel("website");
        assert_eq!(selection.check(&source), Ok(()));
        let seeds = selection.seeds(&source, &context);
        let ids = seeds
            .iter()
            .map(|node| source.entities()[*node as usize].key.id.raw());
        assert_eq!(ids.collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let said = |selection: Selection| {
            let unknown = selection.check(&two_channels()).unwrap_err();
            format!("{unknown}: {}", unknown.hint)
        };
        assert_eq!(
            said(of_channel("Webseit")),
            "the source has no channel called \"Webseit\": did you mean \"Website\"?"
        );
        assert_eq!(
            said(of_channel("x")),
            "the source has no channel called \"x\": there are 2, such as \"Website\""
        );
        let pages = Selection {
            pages: vec![1, 9],
            ..Selection::default()
        };
        assert!(said(pages).starts_with("the source has no page 9 in the locales of this run"));
    }
}
