//! Questions to the target about requests: the same of a run, of a restart and of an undo.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::domain::{Entity, Kind, Locale, PageNode, TargetId};
use crate::engine::context::{Ends, RunContext};
use crate::engine::options::Options;
use crate::engine::pace::Class;
use crate::engine::poll::BatchTimes;
use crate::engine::retry::Sender;
use crate::instance::{Effect, ReadRequest, ReadResponse, Record, RequestError, Target};

/// Ids in one question (limit of [`ReadRequest::ItemsById`]).
pub(in crate::engine) const IDS_AT_ONCE: usize = 100;

/// What asks, and at which pace.
#[derive(Debug)]
pub(in crate::engine) struct Inquiry<'a, T> {
    pub(in crate::engine) target: &'a T,
    pub(in crate::engine) sender: Sender<'a>,
    /// How long the target takes for batches.
    pub(in crate::engine) times: &'a BatchTimes,
    pub(in crate::engine) options: &'a Options,
}

impl<E: Ends> RunContext<E> {
    /// Asks for this run.
    pub(in crate::engine) fn inquiry(&self) -> Inquiry<'_, E::Target> {
        Inquiry {
            target: &self.instances.target,
            sender: self.instances.to_target(),
            times: &self.instances.batch_times,
            options: &self.options,
        }
    }
}

impl<T: Target> Inquiry<'_, T> {
    pub(super) async fn ask(
        &self,
        ask: &ReadRequest,
    ) -> Result<ReadResponse<TargetId>, RequestError> {
        let read = || self.target.read(ask);
        let class = Class::of(ask);
        self.sender.send_as(class, Effect::Read, read).await
    }

    pub(super) async fn entities(
        &self,
        ask: &ReadRequest,
    ) -> Result<Vec<Entity<TargetId>>, RequestError> {
        let entity = |found| match found {
            Record::Entity(entity) => Some(entity),
            _ => None,
        };
        let found = self.ask(ask).await?.found;
        Ok(found.into_iter().filter_map(entity).collect())
    }

    /// One entity as the target has it now; `None` when it is not there.
    pub(in crate::engine) async fn one(
        &self,
        kind: Kind,
        id: i64,
        locale: Option<&Locale>,
    ) -> Result<Option<Entity<TargetId>>, RequestError> {
        let locale = locale.cloned();
        let there = self
            .entities(&ReadRequest::One { kind, id, locale })
            .await?;
        Ok(there.into_iter().next())
    }

    /// Whether an entity is on the target now.
    pub(super) async fn is_there(
        &self,
        kind: Kind,
        id: i64,
        locale: Option<&Locale>,
    ) -> Result<bool, RequestError> {
        Ok(self.one(kind, id, locale).await?.is_some())
    }

    /// The content items of some ids, in no particular order; those that are not there are left out.
    pub(in crate::engine) async fn items(
        &self,
        locale: &Locale,
        ids: &[i64],
    ) -> Result<Vec<Entity<TargetId>>, RequestError> {
        let mut there = Vec::new();
        for some in ids.chunks(IDS_AT_ONCE) {
            let by_id = ReadRequest::ItemsById {
                locale: locale.clone(),
                ids: some.to_vec(),
            };
            there.extend(self.entities(&by_id).await?);
        }
        Ok(there)
    }

    /// The ids of all items of some containers.
    pub(in crate::engine) async fn listed(
        &self,
        locale: &Locale,
        containers: &[&str],
    ) -> Result<Vec<i64>, RequestError> {
        let lists = containers.iter().map(|name| self.list(locale, name));
        let lists: Vec<_> = lists.collect();
        let at_once = self.options.reads.max(1);
        let ids: Vec<Vec<i64>> = stream::iter(lists).buffered(at_once).try_collect().await?;
        Ok(ids.concat())
    }

    async fn list(&self, locale: &Locale, container: &str) -> Result<Vec<i64>, RequestError> {
        let mut ids = Vec::new();
        let mut open = vec![ReadRequest::ContainerItems {
            locale: locale.clone(),
            container: container.into(),
            offset: 0,
        }];
        while let Some(next) = open.pop() {
            let answer = self.ask(&next).await?;
            open.extend(answer.follow_ups);
            ids.extend(answer.found.into_iter().filter_map(|found| match found {
                Record::Passed { id, .. } => Some(id),
                _ => None,
            }));
        }
        Ok(ids)
    }

    /// The pages of a locale with their places, in display order among siblings.
    pub(in crate::engine) async fn nodes(
        &self,
        locale: &Locale,
    ) -> Result<Vec<PageNode>, RequestError> {
        let node = |found| match found {
            Record::Node(node) => Some(node),
            _ => None,
        };
        let found = self.ask(&ReadRequest::Sitemap(locale.clone())).await?.found;
        let mut nodes: Vec<PageNode> = found.into_iter().filter_map(node).collect();
        nodes.sort_by_key(|node| node.placement.position);
        Ok(nodes)
    }
}
