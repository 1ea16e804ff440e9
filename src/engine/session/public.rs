//! What the source shows to the public of items that have a newer draft.
//!
//! The Management API gives the newest version of an item alone, and its history the numbers of versions without their fields.
//! What the public sees is read where the public reads it: by id from the Content Fetch API, as an undo does on the target.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Session;
use crate::domain::{ContentHash, Entity, EntityKey, Id as _, ItemState, Kind, RunId, SourceId};
use crate::event::Event;
use crate::instance::{ReadRequest, Record, Source, Target};
use crate::plan::{Mapped, Schema, source_hash};
use crate::store::{RunRecord, StoreError};

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
        let drafts = mapped.read.of_kind(Kind::Content).iter();
        let drafts = drafts.filter(|item| may_have_another(item.state));
        let asks = drafts.filter_map(|item| {
            Some(ReadRequest::Live {
                kind: Kind::Content,
                id: item.key.id.raw(),
                locale: item.key.locale.clone()?,
            })
        });
        let asks: Vec<_> = asks.collect();
        let count = asks.len();
        let found = match self.source.ask_everything::<SourceId>(asks).await {
            Ok(found) => found,
            Err(error) => {
                let message = format!(
                    "the published versions of {count} drafts of the source could not be read, so these stay drafts: {error}"
                );
                self.sink.emit(Event::Warned { message }).await;
                return PublicVersions::default();
            }
        };
        let found = found.into_iter().filter_map(|found| match found {
            Record::Entity(entity) => Some(entity),
            _ => None,
        });
        let all = self.options.maps.apply_to(&mapped.read, found.collect());
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

    /// Runs that were undone: what they published is not what the public sees.
    pub(super) async fn undone_runs(&self) -> Result<HashSet<RunId>, StoreError> {
        let runs = self.store.runs(RUNS).await?;
        Ok(runs.iter().filter_map(RunRecord::undoes).collect())
    }
}

/// How many runs are looked through for those that were undone.
const RUNS: u32 = 10_000;

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
