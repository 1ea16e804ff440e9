//! Deletes what a probe made: its own entities at its end, and those of a probe that was killed.
//!
//! They are found by recorded ids and by name. Each is deleted independently of the others, and what could not be deleted is
//! named with the way to do it by hand.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::names::Names;
use super::stage::{Made, Stage};
use crate::domain::{BatchId, Id as _, Kind, TargetId};
use crate::engine::pace::Class;
use crate::instance::{
    BatchStatus, DeleteRequest, Deleted, Effect, ReadRequest, Record, RequestError, Target, Verdict,
};
use crate::store::{Change, Intent, IntentState, Operation, StoreError};

/// How often a deletion with an unknown outcome is sent. It does no harm to repeat it.
const TRIES: usize = 3;

/// The wait between two looks at a batch.
const WAIT: Duration = Duration::from_millis(200);

/// Looks after which a batch that is unknown to the server counts as one that it never had, or no longer has.
const UNKNOWN: u32 = 5;

/// Something that could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What it is, with its id where that is known.
    pub what: String,
    /// Why it could not be deleted.
    pub why: String,
}

/// The things of one probe.
pub(super) struct Things<'a> {
    pub(super) names: &'a Names,
    /// What it announced and did not delete.
    pub(super) intents: &'a [Intent],
    /// What is known of it.
    pub(super) made: &'a Made,
    /// Whether it may have made more than it announced here.
    pub(super) search_all: bool,
}

impl Things<'_> {
    fn batches(&self) -> BTreeSet<BatchId> {
        let noted = self.intents.iter().filter_map(|intent| intent.batch);
        noted.chain(self.made.batches.iter().copied()).collect()
    }

    fn has_uploads(&self) -> bool {
        let is_upload = |intent: &Intent| intent.operation == Operation::Upload;
        self.search_all || self.intents.iter().any(is_upload)
    }

    /// A webhook is no entity, so its intent has no key.
    fn has_webhook(&self) -> bool {
        self.search_all || self.intents.iter().any(|intent| intent.keys.is_empty())
    }
}

/// Deletes them, and closes what announced them if nothing is left.
///
/// # Errors
/// [`StoreError`] when that cannot be stored. They are deleted then.
pub(super) async fn clean<T: Target>(
    stage: &Stage<'_, T>,
    things: &Things<'_>,
) -> Result<Vec<Left>, StoreError> {
    if things.intents.is_empty() && !things.search_all {
        return Ok(Vec::new());
    }
    let mut cleaner = Cleaner {
        stage,
        names: things.names,
        left: Vec::new(),
    };
    cleaner.await_ends(things.batches()).await;
    cleaner.delete_content(things.made).await;
    if things.has_uploads() {
        cleaner.delete_files(things.made).await;
    }
    if things.has_webhook() {
        cleaner.delete_webhooks().await;
    }
    let left = cleaner.left;
    if left.is_empty() {
        let close = |intent: &Intent| Change::IntentClosed {
            run: intent.run.clone(),
            id: intent.id,
            state: IntentState::Done,
            answers: Vec::new(),
        };
        let closed: Vec<Change> = things.intents.iter().map(close).collect();
        if !closed.is_empty() {
            stage.store.commit(closed).await?;
        }
    }
    Ok(left)
}

struct Cleaner<'s, 'a, T> {
    stage: &'s Stage<'a, T>,
    names: &'s Names,
    left: Vec<Left>,
}

impl<T: Target> Cleaner<'_, '_, T> {
    fn leave(&mut self, what: impl Into<String>, why: &dyn ToString) {
        self.left.push(Left {
            what: what.into(),
            why: why.to_string(),
        });
    }

    /// Waits until nothing is made any more. A batch that does not end makes nothing once the container is gone.
    async fn await_ends(&self, batches: BTreeSet<BatchId>) {
        join_all(batches.into_iter().map(|batch| self.end_of(batch))).await;
    }

    /// How a batch ended; `None` when that cannot be learned within the patience of the probe.
    async fn end_of(&self, batch: BatchId) -> Option<BatchStatus> {
        let (began, mut unknown) = (Instant::now(), 0);
        loop {
            let ask = || self.stage.target.instance.poll(batch);
            let status = self
                .stage
                .sender()
                .send_as(Class::Poll, Effect::Read, ask)
                .await;
            match status {
                Ok(BatchStatus::Unknown) => unknown += 1,
                Ok(BatchStatus::Working { .. }) => unknown = 0,
                Ok(ended) => return Some(ended),
                Err(_) => return None,
            }
            if unknown >= UNKNOWN || began.elapsed() >= self.stage.patience {
                return None;
            }
            tokio::time::sleep(WAIT).await;
        }
    }

    /// Items first, because a container may not be deleted that has some, and then container and model.
    async fn delete_content(&mut self, made: &Made) {
        let container = self.find(Kind::Container, made.container).await;
        let mut items: BTreeSet<TargetId> = made.items.iter().copied().collect();
        if container.is_some() {
            match self.items().await {
                Ok(found) => items.extend(found),
                Err(error) => {
                    self.leave(format!("items of container {}", self.names.name()), &error);
                }
            }
        }
        let deleted = join_all(items.into_iter().map(|id| self.delete_item(id))).await;
        self.left.extend(deleted.into_iter().flatten());
        let model = self.find(Kind::Model, made.model).await;
        for (kind, found) in [(Kind::Container, container), (Kind::Model, model)] {
            if let Some(id) = found {
                let deleted = self.delete(kind, id).await;
                if let Err(why) = deleted {
                    self.leave(format!("{kind} {id} ({})", self.names.name()), &why);
                }
            }
        }
    }

    /// The model or the container of the probe; `None` where there is none.
    async fn find(&mut self, kind: Kind, known: Option<TargetId>) -> Option<TargetId> {
        if known.is_some() {
            return known;
        }
        let ask = ReadRequest::Named {
            kind,
            name: self.names.name().into(),
            locale: None,
        };
        match self.stage.target.ask::<TargetId>(&ask).await {
            Ok(answer) => answer.found.into_iter().find_map(|found| match found {
                Record::Entity(entity) => Some(entity.key.id),
                _ => None,
            }),
            Err(error) => {
                self.leave(
                    format!("{kind} {}, if there is one", self.names.name()),
                    &error,
                );
                None
            }
        }
    }

    async fn items(&self) -> Result<Vec<TargetId>, String> {
        let ask = ReadRequest::ContainerItems {
            locale: self.stage.locale.clone(),
            container: self.names.name().into(),
            offset: 0,
        };
        let found = self
            .stage
            .target
            .ask_everything::<TargetId>(vec![ask])
            .await;
        let found = found.map_err(|error| error.to_string())?;
        let id = |record| match record {
            Record::Passed { id, .. } => Some(TargetId::new(id)),
            _ => None,
        };
        Ok(found.into_iter().filter_map(id).collect())
    }

    async fn delete_item(&self, id: TargetId) -> Option<Left> {
        let why = match self.delete(Kind::Content, id).await {
            Ok(Deleted::Now | Deleted::Absent) => return None,
            Ok(Deleted::Later(batch)) => match self.end_of(batch).await {
                Some(BatchStatus::Finished(rows)) if rows.iter().all(Result::is_ok) => return None,
                Some(BatchStatus::Failed(refusal)) => refusal.said,
                Some(BatchStatus::Finished(_)) => "the server refused it".to_owned(),
                Some(BatchStatus::Unknown | BatchStatus::Working { .. }) | None => {
                    format!("batch {batch} did not end")
                }
            },
            Err(why) => why,
        };
        // One that was deleted by an earlier try is refused, too.
        if matches!(self.is_there(id).await, Ok(false)) {
            return None;
        }
        Some(Left {
            what: format!(
                "content {id} in {} (container {})",
                self.stage.locale,
                self.names.name()
            ),
            why,
        })
    }

    async fn is_there(&self, id: TargetId) -> Result<bool, RequestError> {
        let ask = ReadRequest::One {
            kind: Kind::Content,
            id: id.raw(),
            locale: Some(self.stage.locale.clone()),
        };
        let answer = self.stage.target.ask::<TargetId>(&ask).await?;
        let is_it = |found: &Record<TargetId>| matches!(found, Record::Entity(_));
        Ok(answer.found.iter().any(is_it))
    }

    async fn delete(&self, kind: Kind, id: TargetId) -> Result<Deleted, String> {
        let doomed = DeleteRequest {
            kind,
            id,
            locale: (kind == Kind::Content).then(|| self.stage.locale.clone()),
            name: self.names.name().into(),
        };
        self.insist(|| self.stage.target.instance.delete(&doomed))
            .await
    }

    /// Sends a deletion, again while its outcome is unknown.
    async fn insist<F>(&self, mut request: impl FnMut() -> F) -> Result<Deleted, String>
    where
        F: Future<Output = Result<Deleted, RequestError>>,
    {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match self.stage.sender().send(Effect::Write, &mut request).await {
                Err(error) if tries > 0 && error.verdict(Effect::Write) == Verdict::Reconcile => {}
                answer => return answer.map_err(|error| error.to_string()),
            }
        }
    }

    async fn delete_files(&mut self, made: &Made) {
        let mut assets: BTreeSet<TargetId> = made.assets.iter().copied().collect();
        if assets.is_empty() {
            match self.search_files().await {
                Ok(found) => assets = found,
                Err(why) => self.leave(format!("the file in folder {}", self.names.name()), &why),
            }
        }
        for id in assets {
            let deleted = self.delete(Kind::Asset, id).await;
            if let Err(why) = deleted {
                self.leave(
                    format!("asset {id} ({}/probe.txt)", self.names.name()),
                    &why,
                );
            }
        }
        let name = self.names.name();
        let deleted = self.insist(|| self.stage.port.delete_folder(name)).await;
        if let Err(why) = deleted {
            self.leave(format!("folder {name} of the assets"), &why);
        }
    }

    async fn search_files(&self) -> Result<BTreeSet<TargetId>, String> {
        let mut found = BTreeSet::new();
        let take = |record| {
            if let Record::Entity(entity) = record
                && self.names.is(&entity.name)
            {
                found.insert(entity.key.id);
            }
        };
        let asks = vec![ReadRequest::Assets { offset: 0 }];
        let read = self
            .stage
            .target
            .ask_each::<TargetId>(asks, None, take)
            .await;
        read.map(|()| found).map_err(|error| error.to_string())
    }

    async fn delete_webhooks(&mut self) {
        let read = || self.stage.port.webhooks();
        let all = match self.stage.sender().send(Effect::Read, read).await {
            Ok(all) => all,
            Err(error) => {
                return self.leave(
                    format!("webhook {}, if there is one", self.names.name()),
                    &error,
                );
            }
        };
        for webhook in all.iter().filter(|webhook| self.names.is(&webhook.name)) {
            let deleted = self
                .insist(|| self.stage.port.delete_webhook(&webhook.id))
                .await;
            if let Err(why) = deleted {
                self.leave(format!("webhook {} ({})", webhook.id, webhook.name), &why);
            }
        }
    }
}
