//! Deletes what a run created.

use futures_util::{TryStreamExt, stream};

use super::hands::{Hands, Settled};
use super::look::Seen;
use super::request::DeleteEnd;
use crate::domain::{Locale, Outcome};
use crate::instance::{Source, Target};
use crate::store::{IntentState, Operation, StoreError};

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// Deletes one entity that is not content, unless it is no longer as planned.
    pub(super) async fn delete(&self, at: usize) -> Result<(), StoreError> {
        if self.is_draining() || self.is_held(at).await? {
            return Ok(());
        }
        match self.see(at).await {
            Seen::AsPlanned => self.delete_seen(at).await,
            seen => self.settle_seen(at, seen).await,
        }
    }

    /// Deletes content items of one locale, those that are as planned, so many at a time.
    pub(super) async fn delete_items(
        &self,
        locale: &Locale,
        items: &[usize],
        at_once: usize,
    ) -> Result<(), StoreError> {
        if self.is_draining() {
            return Ok(());
        }
        let mut doomed = Vec::new();
        for at in items {
            if !self.is_held(*at).await? {
                doomed.push(*at);
            }
        }
        let seen = self.see_items(locale, &doomed).await;
        let mut as_planned = Vec::new();
        for (at, seen) in doomed.into_iter().zip(seen) {
            match seen {
                Seen::AsPlanned => as_planned.push(Ok(self.delete_seen(at))),
                seen => self.settle_seen(at, seen).await?,
            }
        }
        stream::iter(as_planned)
            .try_buffer_unordered(at_once)
            .try_collect()
            .await
    }

    /// Settles an entity that something holds on to which should be gone by now.
    async fn is_held(&self, at: usize) -> Result<bool, StoreError> {
        if let Some(by) = self.held(at) {
            let settled = Settled {
                cause: None,
                because: format!("{by} still refers to it and could not be undone"),
                outcome: Outcome::Blocked { by },
                changes: Vec::new(),
                bytes: 0,
            };
            self.settle(at, settled).await?;
            return Ok(true);
        }
        Ok(false)
    }

    async fn delete_seen(&self, at: usize) -> Result<(), StoreError> {
        if self.is_draining() {
            return Ok(());
        }
        let intent = self.open(Operation::Delete, &[at], Vec::new()).await?;
        match self.send_delete(at, intent).await? {
            DeleteEnd::Gone => {
                let settled = Settled {
                    cause: None,
                    outcome: Outcome::Deleted,
                    because: "the undone run had created it".to_owned(),
                    changes: self.mapping_removed(at),
                    bytes: 0,
                };
                self.done(at, intent, settled).await
            }
            DeleteEnd::Refused(why) => {
                self.failed(at, Some((intent, IntentState::Failed)), why)
                    .await
            }
            DeleteEnd::Unknown(why) => {
                let why =
                    format!("whether it was deleted is not known: {why}; undo again to find out");
                self.failed(at, Some((intent, IntentState::InDoubt)), why)
                    .await
            }
        }
    }
}
