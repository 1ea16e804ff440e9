//! Looks for entities on the target: by name, path or origin, and what has none of these by what was sent.
//!
//! Items with equal content are interchangeable, and each is taken once: nothing refers yet to an item whose
//! outcome was never noted. An item that was there before the run is never taken. That it was there is told by
//! its id: ids rise (an identity column, as far as the ids of the vendor's own instances show; the reference says
//! nothing about it), and the greatest one was noted with the request.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::resume::{Fate, Item, Known};
use crate::domain::{
    ContentHash, Entity, Id, Inventory, Kind, Locale, PageNode, TargetId, same_name,
};
use crate::engine::asset_bytes::hash;
use crate::engine::options::UnknownOutcome;
use crate::engine::pull::{PullError, Reader};
use crate::instance::{Ask, Found, Saved, Source, Target};
use crate::plan::{Schema, target_hash};
use crate::store::Operation;

/// Ids in one question (limit of [`Ask::ItemsById`]).
const IDS_AT_ONCE: usize = 100;

/// Compares what is on the target with what was sent.
pub(super) struct Looker<'a, T> {
    pub(super) target: &'a Arc<Reader<T>>,
    /// The models of the source, in whose terms the hashes were made.
    pub(super) schema: &'a Schema,
    /// Whatever is somebody's counterpart.
    pub(super) claimed: HashSet<(Kind, TargetId)>,
}

/// A content item or page as the target has it now.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    entity: Entity<TargetId>,
    hash: ContentHash,
}

/// What tells two looks apart.
pub(super) fn signature(seen: &[Seen]) -> BTreeSet<(String, ContentHash)> {
    seen.iter()
        .map(|seen| (seen.entity.key.to_string(), seen.hash))
        .collect()
}

impl<T: Target + Clone> Looker<'_, T> {
    /// Notes whose counterparts the results of batches are.
    pub(super) fn claim_arrived(&mut self, items: &[Item]) {
        for item in items {
            if let Fate::Arrived(saved) = &item.fate {
                self.claimed.insert((item.key.kind, saved.id));
            }
        }
    }

    /// Settles everything that has a name in the inventory, which was read after the request had left.
    pub(super) async fn look_at_inventory<S: Source + Clone>(
        &mut self,
        items: &mut [Item],
        known: &Known<'_, S>,
    ) {
        for item in items.iter_mut().filter(|item| item.is_open()) {
            if matches!(item.key.kind, Kind::Content | Kind::Page) {
                continue;
            }
            let there = self.named(item, known.target_inventory);
            let arrived = match there {
                Some(there) if item.key.kind == Kind::Asset => {
                    self.has_same_bytes(item, there, known).await
                }
                Some(there) => target_hash(there, self.schema) == item.hash,
                None => false,
            };
            item.fate = match there.filter(|_| arrived) {
                Some(there) => {
                    self.claimed.insert((item.key.kind, there.key.id));
                    Fate::Arrived(saved(there))
                }
                // Whatever stands there under that name is adopted or written over by the plan, never doubled.
                None => Fate::Absent,
            };
        }
    }

    fn named<'i>(
        &self,
        item: &Item,
        inventory: &'i Inventory<TargetId>,
    ) -> Option<&'i Entity<TargetId>> {
        if let Some(id) = item.detail.target {
            return inventory.get(&item.key.with_id(id));
        }
        // What was there before the request is no effect of it, whatever its name is: the plan adopts it or writes over it.
        let is_new = |there: &&Entity<TargetId>| {
            there.key.id.raw() > item.detail.newest
                && !self.claimed.contains(&(there.key.kind, there.key.id))
        };
        let new = || inventory.of_kind(item.key.kind).iter().filter(is_new);
        let wanted = item.detail.name.trim();
        let exactly = new().find(|there| there.name.trim() == wanted);
        exactly.or_else(|| new().find(|there| same_name(&there.name, wanted)))
    }

    /// An upload has arrived when its bytes have. Bytes that cannot be compared count as different: then they are
    /// sent again to the same path.
    async fn has_same_bytes<S: Source + Clone>(
        &self,
        item: &Item,
        there: &Entity<TargetId>,
        known: &Known<'_, S>,
    ) -> bool {
        let Some(here) = known.source_inventory.get(&item.key) else {
            return false;
        };
        let url =
            |body: serde_json::Value| body["originUrl"].as_str().unwrap_or_default().to_owned();
        let (from, to) = (url(here.body.parse()), url(there.body.parse()));
        let (from, to) = tokio::join!(hash(known.source, &from), hash(self.target, &to));
        matches!((from, to), (Ok(from), Ok(to)) if from == to)
    }

    /// Reads everything that could be one of the open content items and pages.
    pub(super) async fn look(
        &self,
        items: &[Item],
        inventory: &Inventory<TargetId>,
    ) -> Result<Vec<Seen>, PullError> {
        let mut seen = self.content(items, inventory).await?;
        seen.extend(self.pages(items).await?);
        Ok(seen)
    }

    async fn content(
        &self,
        items: &[Item],
        inventory: &Inventory<TargetId>,
    ) -> Result<Vec<Seen>, PullError> {
        let mut ids: BTreeMap<Locale, BTreeSet<i64>> = BTreeMap::new();
        let mut lists: BTreeSet<(Locale, &str)> = BTreeSet::new();
        for item in open(items, Kind::Content) {
            let Some(locale) = &item.key.locale else {
                continue;
            };
            match item.detail.target {
                Some(id) => {
                    ids.entry(locale.clone()).or_default().insert(id.raw());
                }
                None if has_container(inventory, &item.detail.container) => {
                    lists.insert((locale.clone(), &item.detail.container));
                }
                None => {}
            }
        }
        let oldest = open(items, Kind::Content)
            .map(|item| item.detail.newest)
            .min();
        for (locale, id) in self.listed(lists).await? {
            let is_claimed = self.claimed.contains(&(Kind::Content, TargetId::new(id)));
            if !is_claimed && oldest.is_some_and(|oldest| id > oldest) {
                ids.entry(locale).or_default().insert(id);
            }
        }
        let asks = ids.iter().flat_map(|(locale, ids)| {
            let ids: Vec<i64> = ids.iter().copied().collect();
            let by_id = |some: &[i64]| Ask::ItemsById {
                locale: locale.clone(),
                ids: some.to_vec(),
            };
            ids.chunks(IDS_AT_ONCE).map(by_id).collect::<Vec<_>>()
        });
        let found = self.target.ask_everything(asks.collect()).await?;
        Ok(entities(found).map(|entity| self.seen(entity)).collect())
    }

    /// The ids of the items in some containers.
    async fn listed(
        &self,
        lists: BTreeSet<(Locale, &str)>,
    ) -> Result<Vec<(Locale, i64)>, PullError> {
        let mut all = Vec::new();
        for (locale, container) in lists {
            let first = Ask::ContainerItems {
                locale: locale.clone(),
                container: container.into(),
                offset: 0,
            };
            let found = self.target.ask_everything::<TargetId>(vec![first]).await?;
            all.extend(found.into_iter().filter_map(|found| match found {
                Found::Passed { id, .. } => Some((locale.clone(), id)),
                _ => None,
            }));
        }
        Ok(all)
    }

    async fn pages(&self, items: &[Item]) -> Result<Vec<Seen>, PullError> {
        let locales: BTreeSet<Locale> = open(items, Kind::Page)
            .filter_map(|item| item.key.locale.clone())
            .collect();
        let mut nodes: BTreeMap<(Locale, i64), PageNode> = BTreeMap::new();
        let sitemaps = locales.into_iter().map(Ask::Sitemap).collect();
        for found in self.target.ask_everything::<TargetId>(sitemaps).await? {
            if let Found::Node(node) = found
                && open(items, Kind::Page).any(|item| self.may_be(item, &node))
            {
                nodes.insert((node.locale.clone(), node.page), node);
            }
        }
        let asks = nodes.keys().map(|(locale, id)| Ask::One {
            kind: Kind::Page,
            id: *id,
            locale: Some(locale.clone()),
        });
        let found = self.target.ask_everything(asks.collect()).await?;
        let placed = entities(found).filter_map(|mut page: Entity<TargetId>| {
            let key = (page.key.locale.clone()?, page.key.id.raw());
            page.placement = Some(Box::new(nodes.get(&key)?.placement.clone()));
            Some(self.seen(page))
        });
        Ok(placed.collect())
    }

    /// Whether a page of the tree could be the one that was sent.
    fn may_be(&self, item: &Item, node: &PageNode) -> bool {
        let id = TargetId::new(node.page);
        if item.key.locale.as_ref() != Some(&node.locale) {
            return false;
        }
        match item.detail.target {
            Some(target) => target == id,
            None => {
                node.placement.parent == item.detail.parent.map(Id::raw)
                    && node.page > item.detail.newest
                    && !self.claimed.contains(&(Kind::Page, id))
            }
        }
    }

    fn seen(&self, entity: Entity<TargetId>) -> Seen {
        let hash = target_hash(&entity, self.schema);
        Seen { entity, hash }
    }

    /// Gives every open item what was sent for it, if that is there. Each entity of the target is taken once.
    pub(super) fn match_up(&mut self, items: &mut [Item], seen: &[Seen]) {
        for item in items.iter_mut().filter(|item| item.is_open()) {
            let fits = |seen: &&Seen| {
                let key = &seen.entity.key;
                let is_its_id = match item.detail.target {
                    Some(id) => key.id == id,
                    None => {
                        key.id.raw() > item.detail.newest
                            && !self.claimed.contains(&(key.kind, key.id))
                    }
                };
                key.kind == item.key.kind
                    && key.locale == item.key.locale
                    && seen.hash == item.hash
                    && is_its_id
            };
            if let Some(found) = seen.iter().find(fits) {
                self.claimed.insert((item.key.kind, found.entity.key.id));
                item.fate = Fate::Arrived(saved(&found.entity));
            }
        }
    }

    /// Decides about what was not found. A new item in the container that is nobody's counterpart may be what was
    /// sent, changed by somebody since: then nobody can tell, unless the user has.
    pub(super) fn give_up(&self, items: &mut [Item], seen: &[Seen], doubts: UnknownOutcome) {
        for item in items.iter_mut().filter(|item| item.is_open()) {
            let strangers: Vec<String> = seen
                .iter()
                .filter(|seen| self.is_stranger(item, &seen.entity))
                .map(|seen| seen.entity.key.id.to_string())
                .collect();
            item.fate = if strangers.is_empty() || doubts == UnknownOutcome::Resend {
                Fate::Absent
            } else {
                Fate::InDoubt(format!(
                    "it was sent into {} by a run that was interrupted, and is not there as it was sent; but these \
                     new items there are nobody's counterpart and may be it, changed since: {}; delete those that \
                     are copies of it, then run again with --unknown-outcome resend",
                    item.detail.container,
                    strangers.join(", ")
                ))
            };
        }
    }

    fn is_stranger(&self, item: &Item, there: &Entity<TargetId>) -> bool {
        let container = there.body.parse()["properties"]["referenceName"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        item.detail.operation == Operation::Create
            && item.creates()
            && item.key.kind == Kind::Content
            && there.key.kind == Kind::Content
            && there.key.locale == item.key.locale
            && there.key.id.raw() > item.detail.newest
            && same_name(&container, &item.detail.container)
            && !self.claimed.contains(&(Kind::Content, there.key.id))
    }
}

fn open(items: &[Item], kind: Kind) -> impl Iterator<Item = &Item> {
    items
        .iter()
        .filter(move |item| item.is_open() && item.key.kind == kind)
}

fn has_container(inventory: &Inventory<TargetId>, name: &str) -> bool {
    let is_it = |other: &str| same_name(other, name);
    inventory
        .of_kind(Kind::Container)
        .iter()
        .any(|container| is_it(&container.name))
        || inventory
            .passed
            .iter()
            .any(|row| row.kind == Kind::Container && is_it(&row.name))
}

fn entities(found: Vec<Found<TargetId>>) -> impl Iterator<Item = Entity<TargetId>> {
    found.into_iter().filter_map(|found| match found {
        Found::Entity(entity) => Some(entity),
        _ => None,
    })
}

fn saved(there: &Entity<TargetId>) -> Saved {
    Saved {
        id: there.key.id,
        version: there.version,
        name: Some(there.name.clone()),
        urls: None,
    }
}
