//! Requests about single entities that may be repeated: looking, deleting, saving again.

use super::hands::Hands;
use crate::domain::{BatchId, Entity, Id, Kind, Locale, TargetId};
use crate::engine::pace::Class;
use crate::engine::poll::{AtTarget, BatchKind};
use crate::engine::reconcile::{BatchEnd, in_words, told, wait};
use crate::event::Event;
use crate::instance::{
    Deleted, Doomed, Effect, RequestError, RowResult, Saved, Source, Target, Unconfirmed, Verdict,
};
use crate::store::{IntentId, StoreError};

/// How a delete ended.
#[derive(Debug)]
pub(super) enum DeleteEnd {
    /// It is gone.
    Gone,
    /// The server does not want to, in its words.
    Refused(String),
    /// Nobody can tell.
    Unknown(String),
}

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// The entity as the target has it now; `None` when it is not there.
    pub(super) async fn look(&self, at: usize) -> Result<Option<Entity<TargetId>>, RequestError> {
        let (kind, locale) = (self.trace(at).key.kind, self.locale(at));
        let inquiry = self.crew.inquiry();
        inquiry.one(kind, self.id(at).raw(), locale.as_ref()).await
    }

    /// Deletes, looks where the answer tells nothing, and deletes again what is still there: that is harmless.
    pub(super) async fn send_delete(
        &self,
        at: usize,
        intent: IntentId,
    ) -> Result<DeleteEnd, StoreError> {
        let trace = self.trace(at);
        let doomed = Doomed {
            kind: trace.key.kind,
            id: trace.there.id,
            locale: self.locale(at),
            name: trace.name.as_str().into(),
        };
        let class = match doomed.kind {
            Kind::Content | Kind::Page => Class::Submit,
            Kind::Model
            | Kind::Container
            | Kind::Template
            | Kind::Gallery
            | Kind::Asset
            | Kind::Redirection => Class::Write,
        };
        let mut last = String::new();
        for _ in 0..self.crew.options.attempts.max(1) {
            let sender = self.crew.to_target();
            let delete = || self.crew.target.delete(&doomed);
            let (is_known, words) = match sender.send_as(class, Effect::Write, delete).await {
                Ok(Deleted::Now | Deleted::Absent) => return Ok(DeleteEnd::Gone),
                Ok(Deleted::Later(batch)) => match self.follow_delete(at, intent, batch).await? {
                    BatchEnd::Finished(results) => match results.first() {
                        Some(Ok(_)) => return Ok(DeleteEnd::Gone),
                        Some(Err(Unconfirmed::Refused(refusal))) => (true, told(refusal)),
                        Some(Err(Unconfirmed::Unclear(why))) => (false, why.clone()),
                        None => (false, format!("batch {batch} has no result")),
                    },
                    BatchEnd::Failed(refusal) => (true, told(&refusal)),
                    BatchEnd::Unknown(why) => (false, why),
                    BatchEnd::Halted => (false, HALTED.to_owned()),
                },
                Err(error) => {
                    let is_known = error.verdict(Effect::Write) != Verdict::Reconcile;
                    let refused = if is_known {
                        "the server refused it: "
                    } else {
                        ""
                    };
                    (is_known, format!("{refused}{error}"))
                }
            };
            // Whatever the answer was, an entity that is not there is deleted.
            match self.look(at).await {
                Ok(None) => return Ok(DeleteEnd::Gone),
                Ok(Some(_)) if is_known => return Ok(DeleteEnd::Refused(words)),
                Ok(Some(_)) => last = words,
                Err(error) => return Ok(DeleteEnd::Unknown(format!("{words}; {error}"))),
            }
            tokio::time::sleep(self.crew.options.settle / 4).await;
        }
        Ok(DeleteEnd::Unknown(last))
    }

    /// Notes the number of a batch and follows it to its end.
    pub(super) async fn follow(
        &self,
        at: usize,
        intent: IntentId,
        batch: BatchId,
        items: u32,
    ) -> Result<BatchEnd, StoreError> {
        self.crew.number_intent(intent, batch).await?;
        let key = &self.trace(at).there;
        let locale = key.locale.clone().unwrap_or_else(|| Locale::new(""));
        Ok(self.wait_for(batch, key.kind, locale, items).await)
    }

    /// The same for a batch that deletes.
    async fn follow_delete(
        &self,
        at: usize,
        intent: IntentId,
        batch: BatchId,
    ) -> Result<BatchEnd, StoreError> {
        self.crew.number_intent(intent, batch).await?;
        let key = &self.trace(at).there;
        let locale = key.locale.clone().unwrap_or_else(|| Locale::new(""));
        let at_target = self.crew.batch_times.begin(BatchKind::Delete, 1);
        Ok(self.end_of(batch, (key.kind, locale), 1, at_target).await)
    }

    /// Tells of a batch that saves and follows it to its end.
    pub(super) async fn wait_for(
        &self,
        batch: BatchId,
        kind: Kind,
        locale: Locale,
        items: u32,
    ) -> BatchEnd {
        let saving = BatchKind::saving(kind);
        let at_target = self.crew.batch_times.begin(saving, items);
        self.end_of(batch, (kind, locale), items, at_target).await
    }

    async fn end_of(
        &self,
        batch: BatchId,
        (kind, locale): (Kind, Locale),
        items: u32,
        at_target: AtTarget<'_>,
    ) -> BatchEnd {
        let submitted = Event::BatchSubmitted {
            batch,
            locale,
            kind,
            items,
        };
        self.crew.sink.emit(submitted).await;
        let end = wait(&self.crew, batch, (at_target, items)).await;
        let succeeded = match &end {
            BatchEnd::Finished(results) => results.iter().filter(|result| result.is_ok()).count(),
            BatchEnd::Failed(_) | BatchEnd::Unknown(_) | BatchEnd::Halted => 0,
        };
        let succeeded = u32::try_from(succeeded).unwrap_or(u32::MAX).min(items);
        let finished = Event::BatchFinished {
            batch,
            succeeded,
            failed: items - succeeded,
        };
        self.crew.sink.emit(finished).await;
        end
    }

    /// The one result of a batch of one.
    pub(super) fn only_result(end: BatchEnd) -> Result<Saved, String> {
        match end {
            BatchEnd::Finished(results) => match <[RowResult; 1]>::try_from(results) {
                Ok([Ok(saved)]) => Ok(saved),
                Ok([Err(unconfirmed)]) => Err(in_words(&unconfirmed)),
                Err(_) => Err("the result of the batch does not contain it".to_owned()),
            },
            BatchEnd::Failed(refusal) => Err(told(&refusal)),
            BatchEnd::Unknown(why) => Err(why),
            BatchEnd::Halted => Err(HALTED.to_owned()),
        }
    }
}

/// Why something has no outcome when the undo ends before it could be asked for.
const HALTED: &str = "the undo ended before its outcome could be learned";
