//! Deletes what a run created, and what the source no longer has.

use super::executor::UndoExecutor;
use super::look::Seen;
use super::purpose::Purpose;
use super::state::ALREADY_DELETED;
use crate::domain::{Failure, Kind, Outcome};
use crate::engine::context::Ends;
use crate::engine::reconcile::{DeleteEnd, close, commit, delete, failed, failure, never_left};
use crate::engine::state::{How, Saved, StepResult};
use crate::instance::{Cause, DeleteRequest};
use crate::plan::Node;
use crate::store::{Change, IntentState, Operation, StoreError};

impl<E: Ends> UndoExecutor<E> {
    /// Deletes one entity, unless it is no longer as planned.
    pub(super) async fn delete(&self, node: Node, at: usize) -> Result<StepResult, StoreError> {
        match self.see(node, at).await {
            Seen::AsPlanned => self.delete_seen(node, at).await,
            Seen::Gone => {
                let mut changes = self.mapping_removed(at);
                changes.push(self.row(at, Outcome::Deleted, ALREADY_DELETED));
                self.context.journal.store.commit(changes).await?;
                Ok(self.is_done(at, How::Already))
            }
            Seen::Stays(why) => Ok(failed(format!("{why}; {}", self.outlook.purpose.again()))),
            Seen::Unseen(error) if error.cause == Cause::Halted => Ok(StepResult::Held),
            Seen::Unseen(error) => Ok(failure(
                error.cause.of_entity(),
                format!("{error}; {}", self.outlook.purpose.again()),
            )),
        }
    }

    async fn delete_seen(&self, node: Node, at: usize) -> Result<StepResult, StoreError> {
        let noted = self.deleted_image(at).await;
        let intent = self.open(Operation::Delete, &[node], noted).await?;
        let trace = self.trace(at);
        let doomed = DeleteRequest {
            kind: trace.key.kind,
            id: trace.there.id,
            locale: self.locale(at),
            name: trace.name.as_str().into(),
        };
        match delete(&self.context, intent, &doomed).await? {
            DeleteEnd::Gone => {
                let changes = self.outcome_of(at, How::AsPlanned, self.mapping_removed(at));
                commit(&self.context.journal, intent, IntentState::Done, changes).await?;
                Ok(self.is_done(at, How::AsPlanned))
            }
            DeleteEnd::Refused(why, cause) => {
                close(&self.context.journal, intent, IntentState::Failed).await?;
                Ok(failure(cause, why))
            }
            DeleteEnd::Unknown(why) => {
                close(&self.context.journal, intent, IntentState::InDoubt).await?;
                let again = self.outlook.purpose.again();
                let why =
                    format!("whether it was deleted is not known: {why}; {again} to find out");
                Ok(failure(Failure::InDoubt, why))
            }
            DeleteEnd::Unsent => {
                never_left(&self.context.journal, intent, 1).await?;
                Ok(StepResult::Held)
            }
            DeleteEnd::Halted => Ok(StepResult::Held),
        }
    }

    /// What the target has of an entity that is deleted for good, so that an undo can create it again. What an undo deletes
    /// is what the undone run had created: an undo is not undone.
    async fn deleted_image(&self, at: usize) -> Vec<Change> {
        let Some(present) = self.present(at) else {
            return Vec::new();
        };
        if self.outlook.purpose == Purpose::Undo {
            return Vec::new();
        }
        let bytes = match present.key.kind {
            Kind::Asset => Some(self.context.keep_bytes(present).await),
            Kind::Model
            | Kind::Container
            | Kind::Template
            | Kind::Gallery
            | Kind::Content
            | Kind::Page
            | Kind::Redirection => None,
        };
        vec![self.context.pre_image(present, bytes, false)]
    }

    /// The result of a step that is done.
    pub(super) fn is_done(&self, at: usize, how: How) -> StepResult {
        StepResult::Done(Saved {
            target: self.there(at).id,
            bytes: 0,
            how,
        })
    }
}
