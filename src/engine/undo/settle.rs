//! What the store has to know of an entity when an undo is through with it.

use super::hands::{Hands, Settled};
use crate::domain::{Failure, Kind, Outcome, TargetId, Version};
use crate::instance::{Source, Target};
use crate::plan::undo::Decision;
use crate::store::{Change, Former, IntentId, IntentState, Mapping, StoreError};

/// Entities that are settled in one transaction when nothing has to be sent for them.
const AT_ONCE: usize = 500;

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// Settles everything about which nothing has to be sent.
    pub(super) async fn settle_the_rest(&self) -> Result<(), StoreError> {
        let mut open = Vec::new();
        for (at, decided) in self.outlook.plan.entities.iter().enumerate() {
            let settled = match &decided.decision {
                Decision::Delete | Decision::Restore => continue,
                Decision::AsBefore => self.as_before(at),
                Decision::Gone => self.gone(at),
                Decision::Keep(why) => {
                    let reason = why.to_string();
                    Settled {
                        cause: None,
                        because: reason.clone(),
                        outcome: Outcome::Kept { reason },
                        changes: Vec::new(),
                        bytes: 0,
                    }
                }
            };
            open.push((at, settled));
            if open.len() == AT_ONCE {
                self.settle_all(std::mem::take(&mut open)).await?;
            }
        }
        self.settle_all(open).await
    }

    /// The mapping is put back as well, unless somebody else has written it since: an undo may have been interrupted
    /// between the two.
    fn as_before(&self, at: usize) -> Settled {
        let mapping = self.outlook.mappings.get(&self.trace(at).key);
        let is_ours = mapping.is_none_or(|mapping| mapping.run == self.outlook.undone);
        Settled {
            cause: None,
            outcome: Outcome::Restored,
            because: "already in its previous state".to_owned(),
            changes: if is_ours {
                self.mapping_put_back(at, None)
            } else {
                Vec::new()
            },
            bytes: 0,
        }
    }

    fn gone(&self, at: usize) -> Settled {
        let (outcome, because) = if self.trace(at).existed {
            let reason =
                "it was deleted on the target since, which cannot be taken back".to_owned();
            (
                Outcome::Kept {
                    reason: reason.clone(),
                },
                reason,
            )
        } else {
            (Outcome::Deleted, "already deleted".to_owned())
        };
        Settled {
            cause: None,
            outcome,
            because,
            changes: self.mapping_removed(at),
            bytes: 0,
        }
    }

    /// The note that the entity is nobody's counterpart any more; none when it is not.
    pub(super) fn mapping_removed(&self, at: usize) -> Vec<Change> {
        let trace = self.trace(at);
        let is_its = |mapping: &&Mapping| mapping.target == trace.there.id;
        let mapping = self.outlook.mappings.get(&trace.key).filter(is_its);
        mapping
            .map(|mapping| Change::MappingRemoved {
                pair: self.crew.pair.clone(),
                key: mapping.key.clone(),
                former: mapping.target,
            })
            .into_iter()
            .collect()
    }

    /// The mapping as it was before the run; what was nobody's counterpart is so again.
    pub(super) fn mapping_put_back(&self, at: usize, version: Option<Version>) -> Vec<Change> {
        // The run did not write it, so it changed nothing about whose counterpart it is.
        if self.trace(at).along || self.trace(at).only_published {
            return Vec::new();
        }
        let before = self.outlook.noted[at].as_ref();
        match before.and_then(|former| former.mapping.clone()) {
            Some(mapping) => {
                // It may have been another entity's, which the source had no more.
                let mut changes = self.mapping_removed(at);
                changes.retain(|_| mapping.key != self.trace(at).key);
                changes.extend(self.put_back(before, mapping, version));
                changes
            }
            None => self.mapping_removed(at),
        }
    }

    fn put_back(
        &self,
        before: Option<&Former>,
        mapping: Mapping,
        version: Option<Version>,
    ) -> Vec<Change> {
        let pair = || self.crew.pair.clone();
        let place = (mapping.key.kind == Kind::Page).then(|| Change::PagePlace {
            pair: pair(),
            key: mapping.key.clone(),
            place: before.and_then(|former| former.agreed_place.clone()),
        });
        let mapping = Mapping {
            target_version: version.or(mapping.target_version),
            ..mapping
        };
        let pair = pair();
        let mapping = Change::Mapping { pair, mapping };
        std::iter::once(mapping).chain(place).collect()
    }

    /// Settles what was deleted or restored, with the intent that did it.
    pub(super) async fn done(
        &self,
        at: usize,
        intent: IntentId,
        mut settled: Settled,
    ) -> Result<(), StoreError> {
        settled
            .changes
            .push(self.crew.closed(intent, IntentState::Done));
        self.settle(at, settled).await
    }

    /// Settles what could not be. `state` tells whether the request may have had an effect.
    pub(super) async fn failed(
        &self,
        at: usize,
        intent: Option<(IntentId, IntentState)>,
        reason: String,
    ) -> Result<(), StoreError> {
        let cause = match intent {
            Some((_, IntentState::InDoubt)) => Failure::InDoubt,
            Some(_) | None => Failure::Refused,
        };
        let closed = intent.map(|(id, state)| self.crew.closed(id, state));
        let settled = Settled {
            cause: Some(cause),
            because: reason.clone(),
            outcome: Outcome::Failed { reason },
            changes: closed.into_iter().collect(),
            bytes: 0,
        };
        self.settle(at, settled).await
    }

    /// What is there under the id of an entity of the plan.
    pub(super) fn id(&self, at: usize) -> TargetId {
        self.trace(at).there.id
    }
}
