//! What the store records of an entity that an undo has processed.

use super::executor::UndoExecutor;
use crate::domain::{AgreedPlace, Id, Kind, Version};
use crate::engine::context::Ends;
use crate::engine::state::How;
use crate::plan::Counterparts;
use crate::plan::undo::Decision;
use crate::store::{Change, Mapping, PriorState};

impl<E: Ends> UndoExecutor<E> {
    /// The outcome of an entity after its deciding request, with `changes`.
    pub(super) fn outcome_of(&self, at: usize, how: How, mut changes: Vec<Change>) -> Vec<Change> {
        let decision = &self.decided(at).decision;
        let told = self.outlook.purpose.of_work(decision, how == How::Already);
        changes.extend(told.map(|(outcome, because)| self.row(at, outcome, because)));
        changes
    }

    /// What becomes of the counterpart of an entity about which nothing has to be sent.
    pub(super) fn without_request(&self, at: usize) -> Vec<Change> {
        match &self.decided(at).decision {
            // It may have been put back already: an undo may have been interrupted between the two. What another run has
            // written since stays.
            Decision::AsBefore => {
                let mapping = self.outlook.mappings.get(&self.trace(at).key);
                let is_ours = mapping.is_none_or(|mapping| mapping.run == self.outlook.undone);
                if is_ours {
                    self.mapping_put_back(at, None)
                } else {
                    Vec::new()
                }
            }
            Decision::Gone => self.mapping_removed(at),
            Decision::Delete | Decision::Restore | Decision::CreateAgain | Decision::Keep(_) => {
                Vec::new()
            }
        }
    }

    /// The note that the entity has no mapping any more; none when it had none.
    pub(super) fn mapping_removed(&self, at: usize) -> Vec<Change> {
        let trace = self.trace(at);
        let is_its = |mapping: &&Mapping| mapping.target == trace.there.id;
        let mapping = self.outlook.mappings.get(&trace.key).filter(is_its);
        mapping
            .map(|mapping| Change::MappingRemoved {
                pair: self.context.journal.pair.clone(),
                key: mapping.key.clone(),
                prior: mapping.target,
            })
            .into_iter()
            .collect()
    }

    /// The mapping as it was before the run; what had no mapping has none again.
    pub(super) fn mapping_put_back(&self, at: usize, version: Option<Version>) -> Vec<Change> {
        // The run did not write it, so it changed nothing about whose counterpart it is.
        if self.trace(at).along || self.trace(at).only_published {
            return Vec::new();
        }
        let before = self.outlook.noted[at].as_ref();
        match before.and_then(|prior| prior.mapping.clone()) {
            Some(mapping) => {
                // It may have been another entity's, which the source no longer had.
                let mut changes = self.mapping_removed(at);
                changes.retain(|_| mapping.key != self.trace(at).key);
                changes.extend(self.put_back(at, before, mapping, version));
                changes
            }
            None => self.mapping_removed(at),
        }
    }

    /// A place with a parent that may have been created again.
    fn placed(&self, mut place: AgreedPlace) -> AgreedPlace {
        let now = |id: i64| self.before.id(Kind::Page, id, None).map(Id::raw);
        place.target.parent = place.target.parent.and_then(now);
        place
    }

    fn put_back(
        &self,
        at: usize,
        before: Option<&PriorState>,
        mapping: Mapping,
        version: Option<Version>,
    ) -> Vec<Change> {
        let pair = || self.context.journal.pair.clone();
        let place = (mapping.key.kind == Kind::Page).then(|| Change::PagePlace {
            pair: pair(),
            key: mapping.key.clone(),
            place: before.and_then(|prior| Some(self.placed(prior.agreed_place.clone()?))),
        });
        let deleted = self.trace(at).deleted;
        let mapping = Mapping {
            target: if deleted {
                self.there(at).id
            } else {
                mapping.target
            },
            target_version: version.or(mapping.target_version),
            // A file that was uploaded again has a new date.
            bytes_date: mapping.bytes_date.clone().filter(|_| !deleted),
            ..mapping
        };
        let pair = pair();
        let mapping = Change::Mapping { pair, mapping };
        std::iter::once(mapping).chain(place).collect()
    }
}
