//! Saves again what a run wrote over.
//!
//! Saving over a known id, and uploading over a path, may be repeated with the same effect. So a request whose response was
//! lost is sent again without a search.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use super::executor::UndoExecutor;
use super::request::{Sent, Unsaved};
use crate::domain::{ContentHash, Entity, Id, Kind, Locale, TargetId, folder_and_name};
use crate::engine::context::Ends;
use crate::engine::pace::Class;
use crate::engine::reconcile::{BatchEnd, close, commit, failed, in_words};
use crate::engine::state::{How, StepResult};
use crate::instance::{
    ByteStream, Cause, RequestError, Save, Target as _, Upload, UploadFile, only_row,
};
use crate::plan::undo::{Decision, PriorState};
use crate::plan::{Node, gallery_of};
use crate::store::{
    self, Change, IntentId, IntentState, Operation, PreImage, PriorBytes, StoreError,
};

/// A node with what it saves, and its entity.
type Item = (Node, usize, Save);

impl<E: Ends> UndoExecutor<E> {
    /// Restores one entity that is not content.
    pub(super) async fn restore(&self, node: Node, at: usize) -> Result<StepResult, StoreError> {
        let (prior, save) = match self.prepare(at) {
            Ok(prepared) => prepared,
            Err(why) => return Ok(failed(why)),
        };
        let noted = self.replaced(&[at]);
        let intent = self.open(Operation::Restore, &[node], noted).await?;
        let sent = match self.trace(at).key.kind {
            Kind::Redirection => self.save_redirection(intent, &save).await,
            Kind::Asset => self.upload(at, intent, prior).await,
            Kind::Page => self.save_alone(intent, (at, &prior.entity), save).await?,
            Kind::Model | Kind::Container | Kind::Template | Kind::Gallery | Kind::Content => {
                let save = || self.context.instances.target.save(&save);
                let saved = self.insist(Class::Write, intent, save).await;
                saved.map_err(Unsaved::Failed)
            }
        };
        self.restored(at, intent, sent).await
    }

    /// Restores content items of one locale in one batch; where that fails as a whole, each by itself.
    pub(super) async fn restore_items(
        &self,
        nodes: &[Node],
    ) -> Result<Vec<StepResult>, StoreError> {
        let mut results = vec![StepResult::Held; nodes.len()];
        let mut items: Vec<(usize, Item)> = Vec::new();
        for (place, node) in nodes.iter().enumerate() {
            let Some(at) = self.actions.trace(*node) else {
                continue;
            };
            match self.prepare(at) {
                Ok((_, save)) => items.push((place, (*node, at, save))),
                Err(why) => results[place] = failed(why),
            }
        }
        let (places, items): (Vec<usize>, Vec<Item>) = items.into_iter().unzip();
        let whole = if items.is_empty() {
            Some(Vec::new())
        } else {
            self.restore_batch(&items, items.len() > 1).await?
        };
        let mut told = whole.clone().unwrap_or_default();
        for item in items.iter().filter(|_| whole.is_none()) {
            let alone = std::slice::from_ref(item);
            told.extend(self.restore_batch(alone, false).await?.unwrap_or_default());
        }
        for (place, result) in places.into_iter().zip(told) {
            results[place] = result;
        }
        Ok(results)
    }

    /// One result per item; `None` when the batch failed as a whole and is to be handed in again item by item, which
    /// `may_split` allows.
    async fn restore_batch(
        &self,
        items: &[Item],
        may_split: bool,
    ) -> Result<Option<Vec<StepResult>>, StoreError> {
        let nodes: Vec<Node> = items.iter().map(|(node, ..)| *node).collect();
        let traces: Vec<usize> = items.iter().map(|(_, at, _)| *at).collect();
        let bodies: Vec<Save> = items.iter().map(|(.., save)| save.clone()).collect();
        let locale = bodies[0].locale.clone().unwrap_or_else(|| Locale::new(""));
        let noted = self.replaced(&traces);
        let intent = self.open(Operation::Restore, &nodes, noted).await?;
        let submit = || self.context.instances.target.submit_items(&locale, &bodies);
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let end = match self.insist(Class::Submit, intent, submit).await {
            Ok(batch) => {
                self.follow(intent, batch, (Kind::Content, &locale, count))
                    .await?
            }
            // Saving the same over known ids again is harmless, and one item can make the request of all fail.
            Err(error) if may_split && error.cause != Cause::Halted => {
                close(&self.context.journal, intent, IntentState::Failed).await?;
                return Ok(None);
            }
            Err(error) => {
                let result = self.not_restored(intent, Unsaved::Failed(error)).await?;
                return Ok(Some(vec![result; items.len()]));
            }
        };
        let sent: Vec<Sent> = match end {
            BatchEnd::Finished(results) if results.len() == items.len() => {
                let results = results.into_iter();
                results
                    .map(|result| {
                        result.map_err(|unconfirmed| Unsaved::Told(in_words(&unconfirmed)))
                    })
                    .collect()
            }
            BatchEnd::Finished(_) | BatchEnd::Failed(_) if may_split => {
                close(&self.context.journal, intent, IntentState::Failed).await?;
                return Ok(None);
            }
            other => {
                let result = Self::only_result(other);
                vec![result; items.len()]
            }
        };
        let mut results = Vec::new();
        for (at, sent) in traces.into_iter().zip(sent) {
            results.push(self.restored(at, intent, sent).await?);
        }
        Ok(Some(results))
    }

    /// Makes durable that an entity was restored, or was not.
    async fn restored(
        &self,
        at: usize,
        intent: IntentId,
        sent: Sent,
    ) -> Result<StepResult, StoreError> {
        match sent {
            Ok(saved) => {
                if self.decided(at).decision == Decision::CreateAgain {
                    self.before.note_created(&self.trace(at).there, saved.id);
                }
                let changes = self.mapping_put_back(at, saved.version);
                let changes = self.outcome_of(at, How::AsPlanned, changes);
                commit(&self.context.journal, intent, IntentState::Done, changes).await?;
                Ok(self.is_done(at, How::AsPlanned))
            }
            Err(unsaved) => self.not_restored(intent, unsaved).await,
        }
    }

    /// What is saved, and what it was made of.
    fn prepare(&self, at: usize) -> Result<(&PriorState, Save), String> {
        let trace = self.trace(at);
        let prior = trace.prior.as_ref();
        let prior = prior.ok_or_else(|| "the previous version was not recorded".to_owned())?;
        if self.decided(at).decision == Decision::CreateAgain {
            return Ok((prior, self.new_save(at, prior)?));
        }
        let present = self.present(at).map(|present| present.body.parse());
        let save = Save {
            kind: trace.key.kind,
            name: prior.entity.name.clone(),
            id: Some(trace.there.id),
            locale: self.locale(at),
            body: self.before.body(&prior.entity, present.as_ref())?.into(),
            numbers: prior.entity.body.numbers(),
        };
        Ok((prior, save))
    }

    /// What creates an entity again. One that exists in another locale has the id of that; pages pass it to the API in
    /// another way.
    fn new_save(&self, at: usize, prior: &PriorState) -> Result<Save, String> {
        let kind = self.trace(at).key.kind;
        let shared = self.before.now(kind, self.trace(at).there.id.raw());
        Ok(Save {
            kind,
            name: prior.entity.name.clone(),
            id: shared.map(|(id, _)| id).filter(|_| kind == Kind::Content),
            locale: self.locale(at),
            body: self.before.new_body(&prior.entity)?.into(),
            numbers: prior.entity.body.numbers(),
        })
    }

    /// What the target has in the places of `items` now, so that an undo that was interrupted finds it.
    pub(super) fn replaced(&self, items: &[usize]) -> Vec<Change> {
        let noted = items.iter().filter_map(|at| {
            let present = self.present(*at)?;
            Some(Change::PreImage(Box::new(PreImage {
                run: self.context.journal.run.clone(),
                key: present.key.clone(),
                version: present.version,
                hash: self.before.hash(present),
                prior: as_found(present),
            })))
        });
        noted.collect()
    }

    async fn save_redirection(&self, intent: IntentId, save: &Save) -> Sent {
        let rows = std::slice::from_ref(save);
        let saved = || self.context.instances.target.save_redirections(rows);
        let answers = self.insist(Class::Write, intent, saved).await;
        match answers.map(|mut answers| answers.pop()) {
            Ok(Some(Ok(saved))) => Ok(saved),
            Ok(Some(Err(unconfirmed))) => Err(Unsaved::Told(in_words(&unconfirmed))),
            Ok(None) => Err(Unsaved::Told(
                "the server's answer has no row for it".to_owned(),
            )),
            Err(error) => Err(Unsaved::Failed(error)),
        }
    }

    async fn upload(&self, at: usize, intent: IntentId, prior: &PriorState) -> Sent {
        let noted = self.outlook.noted[at].as_ref();
        let Some(PriorBytes::Kept {
            hash,
            length,
            focal,
        }) = noted.and_then(|noted| noted.bytes.as_ref())
        else {
            let why = "the previous file content was not saved";
            return Err(Unsaved::Told(why.to_owned()));
        };
        let body = prior.entity.body.parse();
        let (folder, _) = folder_and_name(&prior.entity.name);
        if let Some(present) = self.present(at)
            && folder_and_name(&present.name).0 != folder
        {
            let back = || {
                self.context
                    .instances
                    .target
                    .move_asset(present.key.id, folder)
            };
            let moved = self.insist(Class::Write, intent, back).await;
            moved.map_err(Unsaved::Failed)?;
        }
        let upload = || async {
            let bytes = self.kept(*hash, &prior.entity).await?;
            let upload = as_upload(&prior.entity, &body, (*length, focal.clone()), bytes);
            self.context.instances.keeps_lease().await;
            only_row(self.context.instances.target.upload(upload).await?)
        };
        let uploaded = self.insist(Class::Asset, intent, upload).await;
        uploaded.map_err(Unsaved::Failed)
    }

    async fn kept(
        &self,
        hash: ContentHash,
        asset: &Entity<TargetId>,
    ) -> Result<ByteStream, RequestError> {
        let operation = format!("restoring {}", asset.name);
        let failed = |why: String| RequestError::new(operation.clone(), Cause::Content(why));
        let file = match self.context.journal.store.kept_bytes(hash).await {
            Ok(Some(file)) => file,
            Ok(None) => {
                return Err(failed(
                    "the previous file content is no longer kept beside the state, nor at the place that --blobs or paths.blobs names".to_owned(),
                ));
            }
            Err(error) => return Err(failed(error.with_next_step())),
        };
        let pieces = ReaderStream::new(file).map_err(move |error| {
            RequestError::new(operation.clone(), Cause::Content(error.to_string()))
        });
        Ok(pieces.map(|piece: Result<Bytes, _>| piece).boxed())
    }
}

fn as_upload(
    asset: &Entity<TargetId>,
    media: &Value,
    (length, focal): (u64, (Option<String>, Option<String>)),
    bytes: ByteStream,
) -> Upload {
    let (folder, file_name) = folder_and_name(&asset.name);
    let gallery = gallery_of(media);
    Upload {
        folder: folder.to_owned(),
        gallery: gallery.map(TargetId::new),
        focal,
        files: vec![UploadFile {
            name: file_name.to_owned(),
            content_type: media["contentType"].as_str().map(str::to_owned),
            length_bytes: Some(length),
            bytes,
        }],
    }
}

/// An entity as an undo found it. Its bytes and its place are not kept: an undo is not undone.
fn as_found(present: &Entity<TargetId>) -> store::PriorState {
    store::PriorState {
        name: present.name.to_string(),
        state: present.state,
        body: present.body.clone(),
        place: None,
        bytes: None,
        along: false,
        mapping: None,
        agreed_place: None,
    }
}
