//! What a restart looks for: what an earlier run had sent, by name, path or origin, and what has none of these by its hash.
//!
//! Items with equal content are interchangeable, and each is taken once: nothing refers yet to an item whose
//! outcome was never noted. An item that was there before the run is never taken. That it was there is shown by
//! its id: ids rise (an identity column, as far as the ids of the vendor's own instances show; the reference states
//! nothing about it), and the greatest one was noted with the request.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::look::{Knowledge, Looked, Quiet, Sought, content, pages, saved};
use super::restart::{Item, Known, Recovery, Resolution};
use crate::domain::{Entity, EntityKey, Inventory, Kind, Locale, TargetId, TargetKey, same_name};
use crate::engine::asset_bytes::hash;
use crate::engine::open_intents::Signature;
use crate::engine::options::UnknownOutcome;
use crate::engine::pull::PullError;
use crate::id_map::IdMap;
use crate::instance::{Source, Target};
use crate::plan::{Schema, container_of, target_hash};
use crate::store::Operation;

/// Looks for what is open.
pub(super) struct Search<'a, S, T> {
    recovery: &'a Recovery<'a, T>,
    known: &'a Known<'a, S>,
    /// The models of the source, in whose terms the hashes were made.
    schema: Schema,
    /// Whatever is the counterpart of something.
    ids: IdMap,
}

impl<'a, S: Source, T: Target> Search<'a, S, T> {
    pub(super) fn new(recovery: &'a Recovery<'a, T>, known: &'a Known<'a, S>) -> Self {
        let ids = IdMap::default();
        for mapping in known.mappings.values() {
            if !known.is_gone(&mapping.key) {
                ids.reserve(mapping.key.kind, mapping.target, mapping.key.id);
            }
        }
        Self {
            recovery,
            known,
            schema: Schema::of(known.source_inventory),
            ids,
        }
    }

    /// Decides about every item that is open.
    ///
    /// # Errors
    /// [`PullError`] when the target cannot be asked.
    pub(super) async fn run(&self, items: &mut [Item]) -> Result<(), PullError> {
        for item in items.iter_mut() {
            if let Resolution::Arrived(saved) = &item.resolution
                && self.contradicts(item, saved.id)
            {
                item.resolution = Resolution::Open;
            }
            // The counterpart of another entity was written over: the plan finds out, and sends both again.
            if let Resolution::Arrived(saved) = &item.resolution
                && self.ids.claim(&item.key, saved.id).is_err()
            {
                item.resolution = Resolution::Absent;
            }
        }
        for item in items.iter_mut().filter(|item| item.is_open()) {
            if !matches!(item.key.kind, Kind::Content | Kind::Page) {
                item.resolution = self.by_name(item).await;
            }
        }
        self.until_quiet(items).await
    }

    /// Whether the target shows that an item or page did not get the id that a batch has: another was saved over, or the
    /// id is in no list, was there before, or is in another container.
    fn contradicts(&self, item: &Item, told: TargetId) -> bool {
        let inventory = self.known.target_inventory;
        let locale = item.key.locale.as_ref();
        if let Some(target) = item.detail.target {
            return target != told && item.key.kind == Kind::Content;
        }
        if !locale.is_some_and(|locale| inventory.locales.contains(locale)) {
            return false;
        }
        let Some(there) = inventory.get(&item.key.with_id(told)) else {
            return true;
        };
        if target_hash(there, &self.schema) == item.hash {
            return false;
        }
        let body = there.body.parse();
        let is_elsewhere = item.key.kind == Kind::Content
            && !same_name(container_of(&body), &item.detail.container);
        is_elsewhere || !item.is_new(told)
    }

    /// Something that has a name, in the inventory, which was read after the request had left.
    async fn by_name(&self, item: &Item) -> Resolution {
        let there = self.named(item);
        let arrived = match there {
            Some(there) if item.key.kind == Kind::Asset => self.has_same_bytes(item, there).await,
            Some(there) => target_hash(there, &self.schema) == item.hash,
            None => false,
        };
        let there = there.filter(|_| arrived);
        // Whatever stands there under that name is adopted or written over by the plan, never doubled.
        let there = there.filter(|there| self.ids.claim(&item.key, there.key.id).is_ok());
        there.map_or(Resolution::Absent, |there| {
            Resolution::Arrived(saved(there))
        })
    }

    fn named(&self, item: &Item) -> Option<&'a Entity<TargetId>> {
        let inventory = self.known.target_inventory;
        if let Some(id) = item.detail.target {
            return inventory.get(&item.key.with_id(id));
        }
        // What was there before the request is no effect of it, whatever its name is: the plan adopts it or writes over it.
        let is_new = |there: &&Entity<TargetId>| {
            item.is_new(there.key.id) && !self.ids.is_claimed(there.key.kind, there.key.id)
        };
        let new = || inventory.of_kind(item.key.kind).iter().filter(is_new);
        let wanted = item.detail.name.trim();
        let exactly = new().find(|there| there.name.trim() == wanted);
        exactly.or_else(|| new().find(|there| same_name(&there.name, wanted)))
    }

    /// An upload has arrived when its bytes have. Bytes that cannot be compared count as different: then they are
    /// sent again to the same path.
    async fn has_same_bytes(&self, item: &Item, there: &Entity<TargetId>) -> bool {
        let Some(here) = self.known.source_inventory.get(&item.key) else {
            return false;
        };
        let url =
            |body: serde_json::Value| body["originUrl"].as_str().unwrap_or_default().to_owned();
        let (from, to) = (url(here.body.parse()), url(there.body.parse()));
        let (source, target) = (self.known.source, self.recovery.target);
        let (from, to) = tokio::join!(hash(source, &from), hash(target, &to));
        matches!((from, to), (Ok(from), Ok(to)) if from == to)
    }

    /// Looks for content and pages until everything is found or nothing more comes.
    async fn until_quiet(&self, items: &mut [Item]) -> Result<(), PullError> {
        let mut quiet = Quiet::default();
        loop {
            let mut contested = BTreeSet::new();
            let mut strangers = Vec::new();
            for ((kind, locale), places) in by_locale(items) {
                let looked = self.look(kind, &locale, items, &places).await;
                let looked = looked.map_err(|cause| self.recovery.target.failed(cause))?;
                for (at, saved) in looked.found {
                    items[places[at]].resolution = Resolution::Arrived(saved);
                }
                contested.extend(looked.contested.into_iter().map(|at| places[at]));
                strangers.extend(looked.strangers);
            }
            let open = items.iter().filter(|item| item.is_open());
            let is_over = quiet.is_over(open.count(), |_| false);
            // An update that comes late would take away what this run saves.
            let waits = |item: &Item| item.is_open() && !item.is_old;
            if is_over || !items.iter().any(waits) {
                self.give_up(items, &contested, &strangers);
                return Ok(());
            }
            tokio::time::sleep(self.recovery.inquiry().between_looks()).await;
        }
    }

    async fn look(
        &self,
        kind: Kind,
        locale: &Locale,
        items: &[Item],
        places: &[usize],
    ) -> Result<Looked, crate::instance::RequestError> {
        let inquiry = self.recovery.inquiry();
        let prior = PriorState {
            search: self,
            items: places.iter().map(|at| &items[*at]).collect(),
            rivals: rivals(items),
        };
        let sought = prior.items.iter().map(|item| Sought {
            key: &item.key,
            hash: item.hash,
            target: item.detail.target,
            container: self.container(&item.detail.container),
            order: None,
            parent: item.detail.parent,
            place_before: None,
        });
        let sought: Vec<Sought<'_>> = sought.collect();
        if kind == Kind::Page {
            return pages(&inquiry, locale, &sought, &prior).await;
        }
        content(&inquiry, locale, &sought, (&prior, true)).await
    }

    /// The container of that name, if the target has it.
    fn container<'n>(&self, name: &'n str) -> &'n str {
        let inventory: &Inventory<TargetId> = self.known.target_inventory;
        let is_it = |other: &str| same_name(other, name);
        let is_read = inventory.of_kind(Kind::Container);
        let mut passed = inventory.passed.iter();
        let is_there = is_read.iter().any(|container| is_it(&container.name))
            || passed.any(|row| row.kind == Kind::Container && is_it(&row.name));
        if is_there { name } else { "" }
    }

    /// Decides about what was not found. A new item in the container that is not a counterpart may be what was
    /// sent, changed since: then the outcome is unknown, unless the user resends.
    fn give_up(
        &self,
        items: &mut [Item],
        contested: &BTreeSet<usize>,
        strangers: &[Entity<TargetId>],
    ) {
        let doubts = self.recovery.options.unknown_outcome;
        for (at, item) in items.iter_mut().enumerate() {
            if !item.is_open() {
                continue;
            }
            let strangers: Vec<String> = strangers
                .iter()
                .filter(|there| self.is_stranger(item, there))
                .map(|there| there.key.id.to_string())
                .collect();
            item.resolution = if contested.contains(&at) {
                Resolution::InDoubt(
                    "what is equal to it on the target may be the effect of a batch that is still worked off; run \
                     again when that has ended"
                        .to_owned(),
                )
            } else if strangers.is_empty() || doubts == UnknownOutcome::Resend {
                Resolution::Absent
            } else {
                Resolution::InDoubt(format!(
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
        item.detail.operation == Operation::Create
            && item.creates()
            && [item.key.kind, there.key.kind] == [Kind::Content; 2]
            && there.key.locale == item.key.locale
            && item.is_new(there.key.id)
            && same_name(container_of(&there.body.parse()), &item.detail.container)
            && !self.ids.is_claimed(Kind::Content, there.key.id)
    }
}

/// What is known of what an earlier run sent.
struct PriorState<'a, S, T> {
    search: &'a Search<'a, S, T>,
    items: Vec<&'a Item>,
    rivals: HashSet<Signature>,
}

impl<S: Source, T: Target> Knowledge for PriorState<'_, S, T> {
    fn schema(&self) -> &Schema {
        &self.search.schema
    }

    fn is_new(&self, there: &TargetKey) -> bool {
        let mut creates = self.items.iter().filter(|item| item.creates());
        let is_taken = self.search.ids.is_claimed(there.kind, there.id);
        !is_taken && creates.any(|item| item.is_new(there.id))
    }

    fn has_rival(&self, at: usize) -> bool {
        self.rivals.contains(&self.items[at].signature())
    }

    fn was_equal(&self, _at: usize) -> bool {
        // The inventory was read after the save.
        false
    }

    fn claims(&self, at: usize, found: TargetId) -> bool {
        let item = self.items[at];
        item.is_new(found) && self.search.ids.claim(&item.key, found).is_ok()
    }
}

/// What batches create that the target may still be at.
fn rivals(items: &[Item]) -> HashSet<Signature> {
    let in_doubt =
        |item: &&Item| item.creates() && matches!(item.resolution, Resolution::InDoubt(_));
    items.iter().filter(in_doubt).map(Item::signature).collect()
}

/// The places of the open content items and pages.
fn by_locale(items: &[Item]) -> BTreeMap<(Kind, Locale), Vec<usize>> {
    let mut places: BTreeMap<(Kind, Locale), Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        if let (true, Some(locale)) = (item.is_open(), &item.key.locale) {
            let place = places.entry((item.key.kind, locale.clone()));
            place.or_default().push(at);
        }
    }
    places
}

impl Item {
    /// Whether something may be the effect of this request: it was not there before.
    fn is_new(&self, there: TargetId) -> bool {
        match &self.detail.unmatched {
            Some(before) => !before.contains(&there),
            None => crate::domain::Id::raw(there) > self.detail.newest,
        }
    }

    fn signature(&self) -> Signature {
        (self.key.kind, self.key.locale.clone(), self.hash)
    }
}

impl<S> Known<'_, S> {
    /// Whether the source no longer has an entity. Of locales that were not read nothing is known.
    fn is_gone(&self, key: &EntityKey) -> bool {
        let is_read = |locale: &Locale| self.source_inventory.locales.contains(locale);
        self.source_inventory.get(key).is_none() && key.locale.as_ref().is_none_or(is_read)
    }
}
