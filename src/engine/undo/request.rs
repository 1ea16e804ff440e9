//! Saves that may be repeated, and how they end.

use super::executor::UndoExecutor;
use crate::domain::{BatchId, Entity, Id, Kind, Locale, TargetId};
use crate::engine::context::Ends;
use crate::engine::pace::Class;
use crate::engine::poll::BatchKind;
use crate::engine::reconcile::{
    BatchEnd, HandedIn, close, emit_finished, failed, follow_noted, in_words, insist, never_left,
    not_sent, refusal_message,
};
use crate::engine::state::StepResult;
use crate::instance::{Cause, PageSave, RequestError, RowResult, Save, Saved, Target as _};
use crate::plan::Counterparts;
use crate::store::{IntentId, IntentState, StoreError};

/// What the server returned for one save.
pub(super) type Sent = Result<Saved, Unsaved>;

/// Why a save did not come to its end.
#[derive(Clone, Debug)]
pub(super) enum Unsaved {
    /// Its request failed.
    Failed(RequestError),
    /// The server refused it, or answered nothing that is of use; in words.
    Told(String),
    /// The undo ends before its outcome can be learned.
    Halted,
}

impl std::fmt::Display for Unsaved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Told(why) => f.write_str(why),
            Self::Halted => f.write_str("the undo ended before its outcome could be learned"),
        }
    }
}

impl<E: Ends> UndoExecutor<E> {
    /// Makes durable that a save did not come to its end.
    pub(super) async fn not_restored(
        &self,
        intent: IntentId,
        unsaved: Unsaved,
    ) -> Result<StepResult, StoreError> {
        match unsaved {
            Unsaved::Failed(error) if error.cause == Cause::Halted => {
                // One that was lost may still arrive: the next run waits for that.
                if !self.context.journal.open.is_tried(intent) {
                    never_left(&self.context.journal, intent, 1).await?;
                }
                Ok(StepResult::Held)
            }
            Unsaved::Failed(error) => {
                close(&self.context.journal, intent, IntentState::Failed).await?;
                Ok(not_sent(&error))
            }
            Unsaved::Told(why) => {
                close(&self.context.journal, intent, IntentState::Failed).await?;
                Ok(failed(why))
            }
            Unsaved::Halted => Ok(StepResult::Held),
        }
    }

    /// Notes the number of a batch that saves, and follows it to its end.
    pub(super) async fn follow(
        &self,
        intent: IntentId,
        batch: BatchId,
        (kind, locale, items): (Kind, &Locale, u32),
    ) -> Result<BatchEnd, StoreError> {
        let handed = HandedIn {
            batch,
            kind,
            locale: Some(locale),
            items,
            does: BatchKind::saving(kind),
        };
        let end = follow_noted(&self.context, intent, &handed).await?;
        emit_finished(&self.context.sink, &handed, &end).await;
        Ok(end)
    }

    /// Sends a request of an intent until there is an answer.
    pub(super) async fn insist<R, F>(
        &self,
        class: Class,
        intent: IntentId,
        request: impl FnMut() -> F,
    ) -> Result<R, RequestError>
    where
        F: Future<Output = Result<R, RequestError>>,
    {
        let sender = self.context.under(intent);
        insist(&self.context, (sender, class), request).await
    }

    /// Saves an item or a page in a batch of its own; `former` says where a page was.
    pub(super) async fn save_alone(
        &self,
        intent: IntentId,
        (at, prior): (usize, &Entity<TargetId>),
        save: Save,
    ) -> Result<Sent, StoreError> {
        let (target, page) = (
            &self.context.instances.target,
            self.as_page(at, prior, save),
        );
        let kind = page.save.kind;
        let locale = page.save.locale.clone();
        let locale = locale.unwrap_or_else(|| Locale::new(""));
        let submit = || async {
            if kind == Kind::Page {
                target.submit_page(&page).await
            } else {
                let items = std::slice::from_ref(&page.save);
                target.submit_items(&locale, items).await
            }
        };
        match self.insist(Class::Submit, intent, submit).await {
            Ok(batch) => {
                let end = self.follow(intent, batch, (kind, &locale, 1)).await?;
                Ok(Self::only_result(end))
            }
            Err(error) => Ok(Err(Unsaved::Failed(error))),
        }
    }

    /// The save of a page as it was. Its place among its siblings is brought in order afterwards, when all of them are there.
    fn as_page(&self, at: usize, prior: &Entity<TargetId>, save: Save) -> PageSave {
        let place = prior.placement.as_deref();
        let parent = place.and_then(|place| place.parent);
        let there = &self.trace(at).there;
        let other = self.before.now(there.kind, there.id.raw());
        let other = other.filter(|_| save.id.is_none() && there.kind == Kind::Page);
        PageSave {
            save,
            parent: parent.and_then(|id| self.before.id(Kind::Page, id, None)),
            place_before: None,
            channel_id: place.map_or(1, |place| place.channel_id),
            other_locale: other.and_then(|(id, locale)| Some((id, locale?))),
        }
    }

    /// The one result of a batch of one.
    pub(super) fn only_result(end: BatchEnd) -> Sent {
        match end {
            BatchEnd::Finished(results) => match <[RowResult; 1]>::try_from(results) {
                Ok([Ok(saved)]) => Ok(saved),
                Ok([Err(unconfirmed)]) => Err(Unsaved::Told(in_words(&unconfirmed))),
                Err(_) => Err(Unsaved::Told(
                    "the result of the batch does not contain it".to_owned(),
                )),
            },
            BatchEnd::Failed(refusal) => Err(Unsaved::Told(refusal_message(&refusal))),
            BatchEnd::Unknown(why) => Err(Unsaved::Told(why)),
            BatchEnd::Halted => Err(Unsaved::Halted),
        }
    }
}
