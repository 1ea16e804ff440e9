//! Deletes what a run created.

use super::hands::{Hands, Settled};
use super::request::DeleteEnd;
use crate::domain::Outcome;
use crate::instance::{Source, Target};
use crate::store::{IntentState, Operation, StoreError};

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// Deletes one entity, unless something holds on to it that should be gone by now.
    pub(super) async fn delete(&self, at: usize) -> Result<(), StoreError> {
        if self.is_draining() {
            return Ok(());
        }
        if let Some(by) = self.held(at) {
            let settled = Settled {
                because: format!("{by} still refers to it and could not be undone"),
                outcome: Outcome::Blocked { by },
                changes: Vec::new(),
                bytes: 0,
            };
            return self.settle(at, settled).await;
        }
        let intent = self.open(Operation::Delete, &[at], Vec::new()).await?;
        match self.send_delete(at, intent).await? {
            DeleteEnd::Gone => {
                let settled = Settled {
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
