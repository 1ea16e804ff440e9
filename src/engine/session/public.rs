//! What the source shows to the public of items that have a newer draft.
//!
//! The Management API gives the newest version of an item alone, and its history the numbers of versions without their fields.
//! What the public sees is read where the public reads it, from the Content Fetch API: by id, as an undo does on the target, or
//! all of a locale where it has many drafts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Session;
use crate::domain::{
    ContentHash, Entity, EntityKey, Id as _, ItemState, Kind, Locale, RunId, SourceId, TargetId,
};
use crate::event::Event;
use crate::instance::{ReadRequest, Record, Source, Target};
use crate::plan::{Mapped, Schema, source_hash};
use crate::store::{PublishState, RunRecord, StoreError};

/// Published versions below newer drafts, by the entity.
#[derive(Debug, Default)]
pub(in crate::engine) struct PublicVersions {
    /// Each as the target is to have it.
    pub(in crate::engine) entities: Arc<HashMap<EntityKey, Entity<SourceId>>>,
    /// The hash of each, as of any entity of the source.
    pub(in crate::engine) hashes: HashMap<EntityKey, ContentHash>,
}

impl<S: Source, T: Target> Session<S, T> {
    /// Reads them, where a run publishes items. What cannot be read is a warning: the drafts arrive all the same.
    pub(super) async fn public_versions(&self, mapped: &Mapped) -> PublicVersions {
        if !self.options.publish.kinds().contains(&Kind::Content) {
            return PublicVersions::default();
        }
        let items = mapped.read.of_kind(Kind::Content);
        let drafts = items.iter().filter(|item| may_have_another(item.state));
        let drafts: HashSet<&EntityKey> = drafts.map(|item| &item.key).collect();
        let mut found = Vec::new();
        let take = |record| match record {
            Record::Entity(entity) if drafts.contains(&entity.key) && entity.is_published() => {
                found.push(entity);
            }
            _ => {}
        };
        let asks = asks(items, &drafts);
        if let Err(error) = self.source.ask_each(asks, None, take).await {
            let message = format!(
                "the published versions of {} drafts of the source could not be read, so these stay drafts: {error}",
                drafts.len()
            );
            self.sink.emit(Event::Warned { message }).await;
            return PublicVersions::default();
        }
        let all = self.options.maps.apply_to(&mapped.read, found);
        if all.is_empty() {
            return PublicVersions::default();
        }
        let schema = Schema::of(&*mapped.source);
        let hashes = all.iter();
        let hashes = hashes.map(|one| (one.key.clone(), source_hash(one, &schema)));
        let hashes = hashes.collect();
        let entities = all.into_iter().map(|one| (one.key.clone(), one));
        PublicVersions {
            hashes,
            entities: Arc::new(entities.collect()),
        }
    }

    /// The version of each entity that the public sees, where a run has published it: the last one that did, and was not undone.
    pub(super) async fn published_versions(
        &self,
    ) -> Result<HashMap<(EntityKey, TargetId), ContentHash>, StoreError> {
        let runs = self.store.runs(RUNS).await?;
        let undone: HashSet<RunId> = runs.iter().filter_map(RunRecord::undoes).collect();
        let pair = self.pair();
        let mut versions = HashMap::new();
        for record in runs.iter().rev().filter(|record| record.pair == pair) {
            for publishing in self.store.publishings(&record.run).await? {
                let one = (publishing.key, publishing.target);
                match (publishing.state, publishing.version) {
                    (PublishState::Published, Some(version)) if !undone.contains(&record.run) => {
                        versions.insert(one, version);
                    }
                    (PublishState::Published | PublishState::Withdrawn, _) => {
                        versions.remove(&one);
                    }
                    (PublishState::Open | PublishState::Refused, _) => {}
                }
            }
        }
        Ok(versions)
    }
}

/// Rows in a page of a feed.
const ROWS: usize = 250;

/// How many runs are looked through for those that were undone.
const RUNS: u32 = 10_000;

/// How the published versions of drafts are asked for: one by one, or, in a locale where that takes fewer requests, all that is
/// published.
fn asks(items: &[Entity<SourceId>], drafts: &HashSet<&EntityKey>) -> Vec<ReadRequest> {
    let mut of_locale: BTreeMap<&Locale, (usize, Vec<i64>)> = BTreeMap::new();
    for item in items {
        let Some(locale) = item.locale() else {
            continue;
        };
        let (all, ids) = of_locale.entry(locale).or_default();
        *all += 1;
        if drafts.contains(&item.key) {
            ids.push(item.key.id.raw());
        }
    }
    let each = of_locale.into_iter().flat_map(|(locale, (all, ids))| {
        // The last page says that it is the last one.
        if ids.len() > all.div_ceil(ROWS) + 1 {
            let (locale, token) = (locale.clone(), 0);
            return vec![ReadRequest::PublicItems { locale, token }];
        }
        let one = |id| ReadRequest::Live {
            kind: Kind::Content,
            id,
            locale: locale.clone(),
        };
        ids.into_iter().map(one).collect()
    });
    each.collect()
}

/// Whether an item in this state may be published in an older version.
const fn may_have_another(state: ItemState) -> bool {
    match state {
        ItemState::Staging
        | ItemState::Approved
        | ItemState::AwaitingApproval
        | ItemState::Declined => true,
        ItemState::None | ItemState::Published | ItemState::Deleted | ItemState::Unpublished => {
            false
        }
    }
}
