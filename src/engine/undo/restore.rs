//! Saves again what a run wrote over.
//!
//! Saving over a known id, and uploading over a path, may be repeated: the same lands in the same place. So a request
//! whose answer was lost is sent again, and nothing has to be proven first.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use super::hands::{Hands, Settled};
use crate::domain::{ContentHash, Entity, Id, Kind, Locale, Outcome, TargetId};
use crate::engine::pace::Class;
use crate::engine::reconcile::{BatchEnd, repeat, told};
use crate::instance::{
    ByteStream, Cause, Effect, PageSave, RequestError, Save, Saved, Source, Target, Upload, Verdict,
};
use crate::plan::undo::Former;
use crate::store::{
    self, Change, FormerBytes, IntentId, IntentState, Operation, PreImage, StoreError,
};

/// What the server said of one save.
type Sent = Result<Saved, String>;

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// Restores one entity that is not content.
    pub(super) async fn restore(&self, at: usize) -> Result<(), StoreError> {
        if self.is_draining() {
            return Ok(());
        }
        let (former, save) = match self.prepare(at) {
            Ok(prepared) => prepared,
            Err(why) => return self.failed(at, None, why).await,
        };
        let noted = self.replaced(&[at]);
        let intent = self.open(Operation::Restore, &[at], noted).await?;
        let sent = match self.trace(at).key.kind {
            Kind::Model | Kind::Container | Kind::Template | Kind::Gallery => {
                self.save(&save).await
            }
            Kind::Redirection => self.save_redirection(&save).await,
            Kind::Asset => self.upload(at, former).await,
            Kind::Page => self.save_page(at, intent, former, save).await?,
            Kind::Content => Err("content is restored in batches".to_owned()),
        };
        self.restored(at, intent, sent).await
    }

    /// Restores content items of one locale in one batch; where that fails as a whole, each by itself.
    pub(super) async fn restore_items(
        &self,
        locale: &Locale,
        items: &[usize],
    ) -> Result<(), StoreError> {
        if self.is_draining() {
            return Ok(());
        }
        let mut saves = Vec::new();
        for at in items {
            match self.prepare(*at) {
                Ok((_, save)) => saves.push((*at, save)),
                Err(why) => self.failed(*at, None, why).await?,
            }
        }
        if saves.is_empty() {
            return Ok(());
        }
        let is_split = self.restore_batch(locale, &saves, saves.len() > 1).await?;
        for save in saves.iter().filter(|_| is_split) {
            self.restore_batch(locale, std::slice::from_ref(save), false)
                .await?;
        }
        Ok(())
    }

    /// Returns whether the batch failed as a whole and is to be handed in again item by item, which `may_split` allows.
    async fn restore_batch(
        &self,
        locale: &Locale,
        saves: &[(usize, Save)],
        may_split: bool,
    ) -> Result<bool, StoreError> {
        let items: Vec<usize> = saves.iter().map(|(at, _)| *at).collect();
        let bodies: Vec<Save> = saves.iter().map(|(_, save)| save.clone()).collect();
        let noted = self.replaced(&items);
        let intent = self.open(Operation::Restore, &items, noted).await?;
        let submit = || self.crew.target.submit_items(locale, &bodies);
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let end = match self.again(Class::Submit, submit).await {
            Ok(batch) => self.follow(items[0], intent, batch, count).await?,
            // Saving the same over known ids again is harmless, and one item can make the request of all fail.
            Err(error) if may_split && error.cause != Cause::Halted => {
                let closed = self.crew.closed(intent, IntentState::Failed);
                self.crew.store.commit(vec![closed]).await?;
                return Ok(true);
            }
            Err(error) => BatchEnd::Unknown(error.to_string()),
        };
        let results: Vec<Sent> = match end {
            BatchEnd::Finished(results) if results.len() == items.len() => {
                let results = results.into_iter();
                results
                    .map(|result| result.map_err(|refusal| told(&refusal)))
                    .collect()
            }
            BatchEnd::Finished(_) | BatchEnd::Failed(_) if may_split => {
                let closed = self.crew.closed(intent, IntentState::Failed);
                self.crew.store.commit(vec![closed]).await?;
                return Ok(true);
            }
            other => vec![Self::only_result(other); items.len()],
        };
        for (at, sent) in items.iter().zip(results) {
            self.restored(*at, intent, sent).await?;
        }
        Ok(false)
    }

    /// What is saved, and what it was made of.
    fn prepare(&self, at: usize) -> Result<(&Former, Save), String> {
        let trace = self.trace(at);
        let former = trace.former.as_ref();
        let former = former.ok_or_else(|| "the previous version was not recorded".to_owned())?;
        let present = self.present(at).map(|present| present.body.parse());
        let save = Save {
            kind: trace.key.kind,
            name: former.entity.name.clone(),
            id: Some(trace.there.id),
            locale: self.locale(at),
            body: self.before.body(&former.entity, present.as_ref())?.into(),
            numbers: former.entity.body.numbers(),
        };
        Ok((former, save))
    }

    /// What the target has in the places of `items` now, so that an undo that was interrupted finds it.
    fn replaced(&self, items: &[usize]) -> Vec<Change> {
        let noted = items.iter().filter_map(|at| {
            let present = self.present(*at)?;
            Some(Change::PreImage(Box::new(PreImage {
                run: self.crew.run.clone(),
                key: present.key.clone(),
                version: present.version,
                hash: self.before.hash(present),
                former: as_found(present),
            })))
        });
        noted.collect()
    }

    async fn restored(&self, at: usize, intent: IntentId, sent: Sent) -> Result<(), StoreError> {
        match sent {
            Ok(saved) => {
                let settled = Settled {
                    cause: None,
                    outcome: Outcome::Restored,
                    because: "the undone run had written over it".to_owned(),
                    changes: self.mapping_put_back(at, saved.version),
                    bytes: 0,
                };
                self.done(at, intent, settled).await
            }
            Err(why) => {
                self.failed(at, Some((intent, IntentState::Failed)), why)
                    .await
            }
        }
    }

    /// Sends something until there is an answer, also where an earlier one was lost.
    async fn again<R, F>(
        &self,
        class: Class,
        mut request: impl FnMut() -> F,
    ) -> Result<R, RequestError>
    where
        F: Future<Output = Result<R, RequestError>>,
    {
        let sender = self.crew.to_target();
        match sender.send_as(class, Effect::Write, &mut request).await {
            Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => {
                repeat(&self.crew, class, request, error).await
            }
            answer => answer,
        }
    }

    async fn save(&self, save: &Save) -> Sent {
        let saved = self
            .again(Class::Write, || self.crew.target.save(save))
            .await;
        saved.map_err(|error| error.to_string())
    }

    async fn save_redirection(&self, save: &Save) -> Sent {
        let rows = std::slice::from_ref(save);
        let saved = || self.crew.target.save_redirections(rows);
        let answers = self.again(Class::Write, saved).await;
        match answers.map(|mut answers| answers.pop()) {
            Ok(Some(Ok(saved))) => Ok(saved),
            Ok(Some(Err(refusal))) => Err(told(&refusal)),
            Ok(None) => Err("the server's answer has no row for it".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Its place among its siblings is brought in order afterwards, when all of them are there.
    async fn save_page(
        &self,
        at: usize,
        intent: IntentId,
        former: &Former,
        save: Save,
    ) -> Result<Sent, StoreError> {
        let place = former.entity.placement.as_deref();
        let page = PageSave {
            save,
            parent: place.and_then(|place| place.parent).map(TargetId::new),
            place_before: None,
            channel_id: place.map_or(1, |place| place.channel_id),
            other_locale: None,
        };
        let submit = || self.crew.target.submit_page(&page);
        Ok(match self.again(Class::Submit, submit).await {
            Ok(batch) => Self::only_result(self.follow(at, intent, batch, 1).await?),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn upload(&self, at: usize, former: &Former) -> Sent {
        let noted = self.outlook.noted[at].as_ref();
        let Some(FormerBytes::Kept {
            hash,
            length,
            focal,
        }) = noted.and_then(|noted| noted.bytes.as_ref())
        else {
            return Err("the previous file content was not saved".to_owned());
        };
        let body = former.entity.body.parse();
        let path = |name: &str| {
            name.rsplit_once('/')
                .map_or(String::new(), |(folder, _)| folder.to_owned())
        };
        let folder = path(&former.entity.name);
        if let Some(present) = self.present(at)
            && path(&present.name) != folder
        {
            let back = || self.crew.target.move_asset(present.key.id, &folder);
            let moved = self.again(Class::Write, back).await;
            moved.map_err(|error| error.to_string())?;
        }
        let upload = || async {
            let bytes = self.kept(*hash, &former.entity).await?;
            let upload = as_upload(&former.entity, &body, (*length, focal.clone()), bytes);
            self.crew.keeps_lease().await;
            self.crew.target.upload(upload).await
        };
        self.again(Class::Asset, upload)
            .await
            .map_err(|error| error.to_string())
    }

    async fn kept(
        &self,
        hash: ContentHash,
        asset: &Entity<TargetId>,
    ) -> Result<ByteStream, RequestError> {
        let operation = format!("restoring {}", asset.name);
        let failed = |why: String| RequestError {
            operation: operation.clone(),
            cause: Cause::Content(why),
            said: None,
            request_id: None,
        };
        let file = match self.crew.store.kept_bytes(hash).await {
            Ok(Some(file)) => file,
            Ok(None) => {
                return Err(failed(
                    "the previous file content is no longer beside the state".to_owned(),
                ));
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        let pieces = ReaderStream::new(file).map_err(move |error| RequestError {
            operation: operation.clone(),
            cause: Cause::Content(error.to_string()),
            said: None,
            request_id: None,
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
    let (folder, file_name) = asset.name.rsplit_once('/').unwrap_or(("", &asset.name));
    let gallery = media["mediaGroupingID"].as_i64().filter(|id| *id > 0);
    Upload {
        folder: folder.to_owned(),
        file_name: file_name.to_owned(),
        content_type: media["contentType"].as_str().map(str::to_owned),
        gallery: gallery.map(TargetId::new),
        focal,
        length_bytes: Some(length),
        bytes,
    }
}

/// An entity as an undo found it. Its bytes and its place are not kept: nobody undoes an undo.
fn as_found(present: &Entity<TargetId>) -> store::Former {
    store::Former {
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
