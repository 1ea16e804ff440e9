//! What is asked to see the target as it is now.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::{Entity, Id, Inventory, Kind, Locale, PageNode, TargetId, TargetKey};
use crate::engine::crew::Crew;
use crate::engine::pull::{PullError, Reader};
use crate::instance::{Ask, Found, Source, Target};
use crate::plan::Node;

/// Ids in one question (limit of [`Ask::ItemsById`]).
const IDS_AT_ONCE: usize = 100;

/// The target as the Management API has it now.
pub(super) struct ReadBack {
    pub(super) lists: Inventory<TargetId>,
    pub(super) localised: HashMap<TargetKey, Entity<TargetId>>,
    /// Ids of the items of each container that nobody claims.
    pub(super) unclaimed: Vec<Entity<TargetId>>,
    pub(super) nodes: HashMap<(Locale, i64), PageNode>,
}

pub(super) async fn read_back<S, T>(
    crew: &Arc<Crew<S, T>>,
    reader: &Arc<Reader<T>>,
    locales: &[Locale],
    nodes: &[Node],
) -> Result<ReadBack, PullError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let kinds = [
        Kind::Model,
        Kind::Container,
        Kind::Template,
        Kind::Gallery,
        Kind::Asset,
        Kind::Redirection,
    ];
    let lists = reader.pull_kinds(locales, &kinds).await?;
    let mut asks = items_and_pages(crew, nodes);
    asks.extend(locales.iter().cloned().map(Ask::Sitemap));
    let total = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    let mut found = reader.ask_everything(asks, Some(total)).await?;
    let listed = reader
        .ask_everything(container_asks(crew, locales), None)
        .await?;
    let unclaimed = unclaimed(crew, listed);
    let more = reader.ask_everything(by_id(unclaimed), None).await?;
    let mut back = ReadBack {
        lists,
        localised: HashMap::new(),
        unclaimed: Vec::new(),
        nodes: HashMap::new(),
    };
    for found in found.drain(..) {
        match found {
            Found::Entity(entity) => {
                back.localised.insert(entity.key.clone(), entity);
            }
            Found::Node(node) => {
                back.nodes.insert((node.locale.clone(), node.page), node);
            }
            _ => {}
        }
    }
    back.unclaimed = more
        .into_iter()
        .filter_map(|found| match found {
            Found::Entity(entity) => Some(entity),
            _ => None,
        })
        .collect();
    Ok(back)
}

fn items_and_pages<S, T>(crew: &Crew<S, T>, nodes: &[Node]) -> Vec<Ask>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut items: BTreeMap<Locale, Vec<i64>> = BTreeMap::new();
    let mut asks = Vec::new();
    for node in nodes {
        let key = &crew.entity(*node).key;
        let (Some(counterpart), Some(locale)) = (crew.ids.resolve(key), &key.locale) else {
            continue;
        };
        match key.kind {
            Kind::Content => items
                .entry(locale.clone())
                .or_default()
                .push(counterpart.id.raw()),
            _ => asks.push(Ask::One {
                kind: key.kind,
                id: counterpart.id.raw(),
                locale: Some(locale.clone()),
            }),
        }
    }
    asks.extend(by_id(items));
    asks
}

fn by_id(items: BTreeMap<Locale, Vec<i64>>) -> Vec<Ask> {
    let mut asks = Vec::new();
    for (locale, ids) in items {
        for some in ids.chunks(IDS_AT_ONCE) {
            asks.push(Ask::ItemsById {
                locale: locale.clone(),
                ids: some.to_vec(),
            });
        }
    }
    asks
}

/// Lists the items of every container that the run has content in.
fn container_asks<S, T>(crew: &Crew<S, T>, locales: &[Locale]) -> Vec<Ask>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut asks = Vec::new();
    for container in crew.source_inventory.of_kind(Kind::Container) {
        let Some(name) =
            crate::plan::Counterparts::name(&crew.ids, Kind::Container, &container.name)
        else {
            continue;
        };
        for locale in locales {
            asks.push(Ask::ContainerItems {
                locale: locale.clone(),
                container: name.clone(),
                offset: 0,
            });
        }
    }
    asks
}

/// Items that are nobody's counterpart and were not there before the run.
fn unclaimed<S, T>(crew: &Crew<S, T>, listed: Vec<Found<TargetId>>) -> BTreeMap<Locale, Vec<i64>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<i64>> = BTreeMap::new();
    for found in listed {
        // The list puts the locale where other rows have their name.
        let Found::Passed {
            kind: Kind::Content,
            id,
            name,
        } = found
        else {
            continue;
        };
        let locale = Locale::new(&name);
        if !crew.ids.is_claimed(Kind::Content, TargetId::new(id)) {
            ids.entry(locale).or_default().push(id);
        }
    }
    ids
}
