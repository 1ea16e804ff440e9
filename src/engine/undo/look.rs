//! The last check before a delete.
//!
//! The plan may be old by then: users read it first, and a large undo takes long. A delete cannot be reverted, so an entity
//! that has changed since the plan stays, and so does everything that it refers to. The next undo makes a new plan.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::executor::UndoExecutor;
use crate::domain::{Entity, Id, Kind, Locale, TargetId};
use crate::engine::context::Ends;
use crate::engine::reconcile::IDS_AT_ONCE;
use crate::instance::RequestError;
use crate::plan::Node;

/// How long a look at content that waits for its delete holds.
const HOLDS: Duration = Duration::from_secs(30);

/// What was looked at for deletes that follow soon, by node, and when.
pub(super) type Looks = HashMap<Node, (Instant, Seen)>;

/// What a last look found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is as the plan has it.
    AsPlanned,
    /// It is not there any more.
    Gone,
    /// It is not what it was; the reason.
    Stays(String),
    /// It could not be looked at.
    Unseen(RequestError),
}

impl From<Result<Self, RequestError>> for Seen {
    fn from(seen: Result<Self, RequestError>) -> Self {
        seen.unwrap_or_else(Self::Unseen)
    }
}

impl<E: Ends> UndoExecutor<E> {
    /// Looks at what a node is to delete. Of redirections there is no list but the whole one, so the plan's look at them is
    /// the last.
    pub(super) async fn see(&self, node: Node, at: usize) -> Seen {
        match self.trace(at).key.kind {
            Kind::Redirection => Seen::AsPlanned,
            Kind::Content => self.see_item(node).await,
            Kind::Container => {
                let seen = self.see_one(at).await;
                if seen == Seen::AsPlanned {
                    self.see_inside(at).await.into()
                } else {
                    seen
                }
            }
            Kind::Model | Kind::Template | Kind::Gallery | Kind::Asset | Kind::Page => {
                self.see_one(at).await
            }
        }
    }

    async fn see_one(&self, at: usize) -> Seen {
        let there = &self.trace(at).there;
        let locale = self.locale(at);
        let inquiry = self.context.inquiry();
        let now = inquiry.one(there.kind, there.id.raw(), locale.as_ref());
        now.await.map(|now| self.compare_with_plan(at, now)).into()
    }

    /// Looks at an item, and with the same question at those that are deleted next.
    async fn see_item(&self, node: Node) -> Seen {
        let mut looks = self.looks.lock().await;
        if let Some((looked, seen)) = looks.remove(&node)
            && looked.elapsed() < HOLDS
        {
            return seen;
        }
        let (locale, nodes) = self.next_items(node);
        let ids: Vec<i64> = nodes.iter().map(|(_, at)| self.id(*at).raw()).collect();
        let found = match self.context.inquiry().items(&locale, &ids).await {
            Ok(found) => found,
            Err(error) => return Seen::Unseen(error),
        };
        let now = Instant::now();
        let mut found: HashMap<TargetId, Entity<TargetId>> = found
            .into_iter()
            .map(|entity| (entity.key.id, entity))
            .collect();
        for (node, at) in nodes {
            let seen = self.compare_with_plan(at, found.remove(&self.id(at)));
            looks.insert(node, (now, seen));
        }
        let seen = looks.remove(&node);
        seen.map_or(Seen::Gone, |(_, seen)| seen)
    }

    /// An item that is to be deleted and those of its locale that come after it, as many as one question may be about.
    fn next_items(&self, node: Node) -> (Locale, Vec<(Node, usize)>) {
        let queue = |node: Node| {
            let at = self.actions.trace(node)?;
            let planned = self.actions.all.get(node as usize)?;
            Some((planned.action, self.trace(at).there.locale.as_ref()))
        };
        let is_next = |next: &Node| queue(*next) == queue(node);
        let stage = self.actions.stages.iter();
        let mut stage = stage.filter(|stage| stage.contains(&node));
        let end = stage.next().map_or(node + 1, |stage| stage.end);
        let nodes = (node..end).take_while(is_next).take(IDS_AT_ONCE);
        let nodes = nodes.filter_map(|node| Some((node, self.actions.trace(node)?)));
        let locale = queue(node).and_then(|(_, locale)| locale.cloned());
        (locale.unwrap_or_else(|| Locale::new("")), nodes.collect())
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
    async fn see_inside(&self, at: usize) -> Result<Seen, RequestError> {
        let Some(container) = self.present(at) else {
            return Ok(Seen::Gone);
        };
        let inquiry = self.context.inquiry();
        for locale in &self.outlook.target.locales {
            let count = inquiry.listed(locale, &[&container.name]).await?.len();
            if count > 0 {
                return Ok(Seen::Stays(format!("{count} items of {locale} are in it")));
            }
        }
        Ok(Seen::AsPlanned)
    }

    /// What is there under the id of an entity of the plan.
    pub(super) fn id(&self, at: usize) -> TargetId {
        self.there(at).id
    }
}
