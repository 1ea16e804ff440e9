//! The entities of a selection, each with the reason why it is included.
//!
//! In scope is what was named and all its dependencies, at any distance. The items of a private list belong to the item that
//! has the list, although no reference names them: they are included, in the locale of the item. A shared list is
//! different: an item that shows all news does not own all news. Its container is included, its items are not, and the plan
//! reports that.

use hashbrown::{HashMap, HashSet};

use super::action::Selected;
use super::graph::{Graph, Node};
use super::notice::{Concern, Notice};
use super::schema::name_key;
use super::{Context, Encoding, LinkSchema, Reference, Referent, references};
use crate::domain::{Entity, Inventory, Kind, Locale, SourceId};

/// Why an entity is in scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It was asked for.
    Named,
    /// Another one refers to it.
    Needed(Node),
    /// It stands in a private list of another one.
    Held(Node),
}

impl Why {
    /// What brought it along.
    pub(super) const fn by(self) -> Option<Node> {
        match self {
            Self::Named => None,
            Self::Needed(by) | Self::Held(by) => Some(by),
        }
    }
}

/// What a selection takes.
#[derive(Debug)]
pub(super) struct Scope {
    /// Of every entity why it is in scope; `None` leaves it out.
    pub(super) why: Vec<Option<Why>>,
    /// Shared lists whose items stay out.
    pub(super) notices: Vec<Notice>,
}

/// The lists of the source with their items.
struct Lists<'a> {
    source: &'a Inventory<SourceId>,
    context: &'a Context<'a>,
    items: HashMap<Box<str>, Vec<Node>>,
    /// Whether a container is shared, where it says so.
    shared: HashMap<Box<str>, bool>,
}

/// A whole list that an item holds.
struct Held {
    name: Box<str>,
    is_private: bool,
}

impl Scope {
    /// How many were asked for, and how many more are needed.
    pub(super) fn selected(&self) -> Selected {
        let all = (0..).zip(&self.why);
        let all = all.filter_map(|(node, why)| Some((node, (*why)?)));
        let asked = all.clone().filter(|(_, why)| *why == Why::Named).count();
        let mut needed = all.filter_map(|(node, why)| Some((node, why.by()?)));
        let example = needed.next();
        Selected {
            asked,
            needed: needed.count() + usize::from(example.is_some()),
            example,
        }
    }

    /// Everything that `seeds` bring along. `graph` must hold no order of siblings: what only has to come first is not
    /// needed. Without lists, nothing comes along that no reference names.
    pub(super) fn of(
        (seeds, with_lists): (Vec<Node>, bool),
        source: &Inventory<SourceId>,
        context: &Context<'_>,
        graph: &Graph,
    ) -> Self {
        let lists = with_lists.then(|| Lists::of(source, context));
        let mut why = vec![None; source.entities().len()];
        let mut shown = Vec::new();
        let mut open: Vec<(Node, Why)> = seeds.into_iter().map(|node| (node, Why::Named)).collect();
        while let Some((node, reason)) = open.pop() {
            let slot: &mut Option<Why> = &mut why[node as usize];
            if slot.is_some() {
                continue;
            }
            *slot = Some(reason);
            let needs = graph.needs(node).iter();
            open.extend(needs.map(|need| (need.on, Why::Needed(node))));
            let entity = &source.entities()[node as usize];
            let Some(lists) = &lists else { continue };
            for held in lists.held_by(entity) {
                if held.is_private {
                    let items = lists.items_of(&held.name, entity.locale());
                    open.extend(items.map(|item| (item, Why::Held(node))));
                } else {
                    shown.push((node, held.name));
                }
            }
        }
        let notices = lists.map_or_else(Vec::new, |lists| lists.left_out(shown, &why));
        Self { why, notices }
    }
}

impl<'a> Lists<'a> {
    fn of(source: &'a Inventory<SourceId>, context: &'a Context<'a>) -> Self {
        let mut items: HashMap<Box<str>, Vec<Node>> = HashMap::new();
        for (node, entity) in (0..).zip(source.entities()) {
            if entity.key.kind == Kind::Content {
                let body = entity.body.parse();
                let list = name_key(super::selection::container_of(&body));
                items.entry(list).or_default().push(node);
            }
        }
        let shared = source
            .of_kind(Kind::Container)
            .iter()
            .filter_map(|container| {
                let is_shared = container.body.parse()["isShared"].as_bool()?;
                Some((name_key(&container.name), is_shared))
            })
            .collect();
        Self {
            source,
            context,
            items,
            shared,
        }
    }

    fn items_of<'s>(
        &'s self,
        name: &str,
        locale: Option<&'s Locale>,
    ) -> impl Iterator<Item = Node> + 's {
        let items = self.items.get(name).into_iter().flatten().copied();
        items.filter(move |node| self.source.entities()[*node as usize].locale() == locale)
    }

    /// The whole lists that an item holds.
    fn held_by(&self, entity: &Entity<SourceId>) -> Vec<Held> {
        if entity.key.kind != Kind::Content {
            return Vec::new();
        }
        let is_whole = |reference: &Reference| {
            matches!(
                reference.encoding,
                Encoding::WholeList | Encoding::OrderedList | Encoding::ListName
            )
        };
        let body = entity.body.parse();
        let model = body["properties"]["definitionName"].as_str();
        let model = model.and_then(|name| self.context.schema.model(name));
        references(entity, self.context)
            .into_iter()
            .filter(is_whole)
            .filter_map(|reference| {
                let Referent::ContainerNamed(name) = &reference.to else {
                    return None;
                };
                let field = reference.at.split('/').nth(2).unwrap_or_default();
                let link = model.and_then(|model| model.field(field)?.link());
                Some(Held {
                    is_private: self.is_private(name, link),
                    name: name.clone(),
                })
            })
            .collect()
    }

    /// Whether a list belongs to the item that holds it in a field with this link. A list that the model names is shared.
    fn is_private(&self, list: &str, link: Option<&LinkSchema>) -> bool {
        let names_list = link.is_some_and(|link| link.container.is_some());
        let is_shared = self.shared.get(list).copied();
        !names_list && !is_shared.unwrap_or(link.is_none())
    }

    /// One notice for each shared list of which items stay out.
    fn left_out(&self, shown: Vec<(Node, Box<str>)>, why: &[Option<Why>]) -> Vec<Notice> {
        let mut told = HashSet::new();
        let mut notices = Vec::new();
        for (node, name) in shown {
            let locale = self.source.entities()[node as usize].locale();
            let out = self
                .items_of(&name, locale)
                .filter(|item| why[*item as usize].is_none())
                .count();
            if out > 0 && told.insert((name.clone(), locale)) {
                let items = if out == 1 { "item" } else { "items" };
                notices.push(Notice {
                    node,
                    about: Concern::ListLeftOut,
                    text: format!(
                        "list `{name}` is referred to and is not in the selection: {out} {items}; \
                         --containers {name} takes them"
                    ),
                });
            }
        }
        notices
    }
}
