//! A last look before something is deleted.
//!
//! The plan may be old by then: people read it, and a large undo takes its time. A delete cannot be taken back, so what
//! has changed since the plan stays, and whatever it refers to is held by it. The next undo plans anew.

use std::collections::HashMap;

use super::hands::{Hands, Settled};
use crate::domain::{Entity, Id, Kind, Locale, Outcome, TargetId};
use crate::engine::pace::Class;
use crate::instance::{Answer, Ask, Effect, Found, RequestError, Source, Target};
use crate::store::StoreError;

/// Ids in one question (limit of [`Ask::ItemsById`]).
pub(super) const IDS_AT_ONCE: usize = 100;

/// What a last look found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is as the plan has it.
    AsPlanned,
    /// It is not there any more.
    Gone,
    /// It is not what it was, or nobody can tell; the reason.
    Stays(String),
}

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// Looks at one entity that is not content. Of redirections there is no list but the whole one, so the plan's
    /// look at them is the last.
    pub(super) async fn see(&self, at: usize) -> Seen {
        let kind = self.trace(at).key.kind;
        if kind == Kind::Redirection {
            return Seen::AsPlanned;
        }
        let seen = match self.look(at).await {
            Ok(now) => self.compare_with_plan(at, now),
            Err(error) => Seen::Stays(error.to_string()),
        };
        if seen == Seen::AsPlanned && kind == Kind::Container {
            return self.see_inside(at).await;
        }
        seen
    }

    /// Looks at content items of one locale.
    pub(super) async fn see_items(&self, locale: &Locale, items: &[usize]) -> Vec<Seen> {
        let ask = Ask::ItemsById {
            locale: locale.clone(),
            ids: items.iter().map(|at| self.id(*at).raw()).collect(),
        };
        let found = match self.found(&ask).await {
            Ok(found) => found,
            Err(error) => {
                let stays = |_| Seen::Stays(error.to_string());
                return items.iter().map(stays).collect();
            }
        };
        let mut now: HashMap<TargetId, Entity<TargetId>> = found
            .into_iter()
            .filter_map(|found| match found {
                Found::Entity(entity) => Some((entity.key.id, entity)),
                _ => None,
            })
            .collect();
        let of_item = |at: &usize| self.compare_with_plan(*at, now.remove(&self.id(*at)));
        items.iter().map(of_item).collect()
    }

    fn compare_with_plan(&self, at: usize, now: Option<Entity<TargetId>>) -> Seen {
        let (Some(mut now), Some(planned)) = (now, self.present(at)) else {
            return Seen::Gone;
        };
        // Single pages come without their place.
        now.placement.clone_from(&planned.placement);
        if self.before.hash(&now) == self.before.hash(planned) {
            Seen::AsPlanned
        } else {
            Seen::Stays("it was changed on the target after the plan was made".to_owned())
        }
    }

    /// A container goes with whatever is in it, so there must be nothing.
    async fn see_inside(&self, at: usize) -> Seen {
        let Some(container) = self.present(at) else {
            return Seen::Gone;
        };
        for locale in &self.outlook.target.locales {
            let ask = Ask::ContainerItems {
                locale: locale.clone(),
                container: container.name.clone(),
                offset: 0,
            };
            match self.found(&ask).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => {
                    let count = found.len();
                    return Seen::Stays(format!("{count} items of {locale} are in it"));
                }
                Err(error) => return Seen::Stays(error.to_string()),
            }
        }
        Seen::AsPlanned
    }

    async fn found(&self, ask: &Ask) -> Result<Vec<Found<TargetId>>, RequestError> {
        let sender = self.crew.to_target();
        let read = || self.crew.target.read(ask);
        let sent = sender.send_as(Class::of(ask), Effect::Read, read);
        let answer: Answer<TargetId> = sent.await?;
        Ok(answer.found)
    }

    /// Settles what a last look found to be gone or changed. What stays counts as not undone.
    pub(super) async fn settle_seen(&self, at: usize, seen: Seen) -> Result<(), StoreError> {
        match seen {
            Seen::AsPlanned => Ok(()),
            Seen::Gone => {
                let settled = Settled {
                    cause: None,
                    outcome: Outcome::Deleted,
                    because: "already deleted".to_owned(),
                    changes: self.mapping_removed(at),
                    bytes: 0,
                };
                self.settle(at, settled).await
            }
            Seen::Stays(why) => {
                let reason = format!("{why}; run undo again");
                self.failed(at, None, reason).await
            }
        }
    }
}
