//! Reads the target as it is after the uploads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::compare::{Verifier, there_of};
use super::difference::Scope;
use crate::domain::{ContentHash, Id, Inventory, Kind, Locale, PageNode, TargetId, TargetKey};
use crate::engine::context::{Ends, PlanView, RunContext};
use crate::engine::pull::{PullError, Reader};
use crate::instance::{ReadRequest, Record, Target};
use crate::plan::{Action, Node, target_hash};

/// Ids in one question (limit of [`ReadRequest::ItemsById`]).
const IDS_AT_ONCE: usize = 100;

/// What has to be known of the target before items and pages are looked at.
pub(super) struct TargetTree {
    /// Everything that exists once per instance.
    pub(super) lists: Inventory<TargetId>,
    /// Where pages stand.
    pub(super) places: HashMap<(Locale, i64), PageNode>,
}

/// Reads the lists and the sitemaps.
pub(super) async fn target_tree<T: Target>(
    reader: &Arc<Reader<T>>,
    locales: &[Locale],
) -> Result<TargetTree, PullError> {
    let kinds = [
        Kind::Model,
        Kind::Container,
        Kind::Template,
        Kind::Gallery,
        Kind::Asset,
        Kind::Redirection,
    ];
    let sitemaps = locales.iter().cloned().map(ReadRequest::Sitemap).collect();
    let mut places = HashMap::new();
    let keep = |found| {
        if let Record::Node(node) = found {
            places.insert((node.locale.clone(), node.page), node);
        }
    };
    let (lists, ()) = tokio::try_join!(
        reader.pull_kinds(locales, &kinds),
        reader.ask_each::<TargetId>(sitemaps, None, keep),
    )?;
    Ok(TargetTree { lists, places })
}

/// Reads the counterparts of items and pages among `nodes`, and lets each be compared as it arrives: held all at once
/// they would weigh as much as the instance.
pub(super) async fn read_localised<E: Ends>(
    context: &Arc<RunContext<E>>,
    reader: &Arc<Reader<E::Target>>,
    nodes: &[Node],
    verifier: &mut Verifier<'_>,
) -> Result<(), PullError> {
    let mut awaited: HashMap<TargetKey, Node> = HashMap::new();
    for node in nodes {
        let key = &context.view.entity(*node).key;
        if key.kind.is_localised() {
            match there_of(&context.view, key) {
                Some(there) => drop(awaited.insert(there, *node)),
                None => verifier.missing(*node),
            }
        }
    }
    let total = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    let asks = items_and_pages(awaited.keys());
    let compare = |found| {
        if let Record::Entity(there) = found
            && let Some(node) = awaited.remove(&there.key)
        {
            verifier.compare(node, &there);
        }
    };
    reader.ask_each(asks, Some(total), compare).await?;
    for node in awaited.into_values() {
        verifier.missing(node);
    }
    Ok(())
}

/// An item that is the counterpart of nothing.
pub(super) struct Unclaimed {
    pub(super) key: TargetKey,
    /// The hash of what it says.
    pub(super) hash: ContentHash,
}

/// Reads the items that are in the containers of the run and the counterpart of nothing. After a run with nothing to do there
/// is nothing to look for: it created nothing twice, and what others create meanwhile got in the way of nothing.
pub(super) async fn read_unclaimed<E: Ends>(
    context: &Arc<RunContext<E>>,
    reader: &Arc<Reader<E::Target>>,
    (locales, scope): (&[Locale], Scope),
) -> Result<Vec<Unclaimed>, PullError> {
    let mut ids: BTreeMap<Locale, Vec<i64>> = BTreeMap::new();
    let note = |found: Record<TargetId>| {
        // The list puts the locale where other rows have their name.
        if let Record::Passed {
            kind: Kind::Content,
            id,
            name,
        } = found
            && !context
                .view
                .ids
                .is_claimed(Kind::Content, TargetId::new(id))
        {
            ids.entry(Locale::new(&name)).or_default().push(id);
        }
    };
    let is_done = |node| {
        let action = &context.view.planned(node).action;
        matches!(action, Action::Unchanged { .. } | Action::OutOfScope)
    };
    if scope == Scope::AfterRun && (0..context.view.plan.graph.len()).all(is_done) {
        return Ok(Vec::new());
    }
    let lists = container_asks(&context.view, locales);
    reader.ask_each(lists, None, note).await?;
    let mut unclaimed = Vec::new();
    let weigh = |found| {
        if let Record::Entity(there) = found {
            let hash = target_hash(&there, &context.view.schema);
            unclaimed.push(Unclaimed {
                key: there.key,
                hash,
            });
        }
    };
    reader.ask_each(by_id(ids), None, weigh).await?;
    Ok(unclaimed)
}

fn items_and_pages<'k>(keys: impl Iterator<Item = &'k TargetKey>) -> Vec<ReadRequest> {
    let mut keys: Vec<&TargetKey> = keys.collect();
    keys.sort_unstable();
    let mut items: BTreeMap<Locale, Vec<i64>> = BTreeMap::new();
    let mut asks = Vec::new();
    for key in keys {
        let id = key.id.raw();
        match (key.kind, &key.locale) {
            (Kind::Content, Some(locale)) => items.entry(locale.clone()).or_default().push(id),
            (kind, locale) => asks.push(ReadRequest::One {
                kind,
                id,
                locale: locale.clone(),
            }),
        }
    }
    asks.extend(by_id(items));
    asks
}

fn by_id(items: BTreeMap<Locale, Vec<i64>>) -> Vec<ReadRequest> {
    let mut asks = Vec::new();
    for (locale, ids) in items {
        for some in ids.chunks(IDS_AT_ONCE) {
            asks.push(ReadRequest::ItemsById {
                locale: locale.clone(),
                ids: some.to_vec(),
            });
        }
    }
    asks
}

/// Lists the items of every container that the run has content in.
fn container_asks(view: &PlanView, locales: &[Locale]) -> Vec<ReadRequest> {
    let mut asks = Vec::new();
    for container in view.source_inventory.of_kind(Kind::Container) {
        let Some(name) =
            crate::plan::Counterparts::name(&view.ids, Kind::Container, &container.name)
        else {
            continue;
        };
        for locale in locales {
            asks.push(ReadRequest::ContainerItems {
                locale: locale.clone(),
                container: name.clone(),
                offset: 0,
            });
        }
    }
    asks
}
