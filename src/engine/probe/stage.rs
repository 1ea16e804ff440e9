//! Requests of a probe: they leave only while there is time, each write under an intent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::names::Names;
use crate::domain::{BatchId, ContentHash, EntityKey, Exact, Kind, Locale, RunId, TargetId};
use crate::engine::lease::Fence;
use crate::engine::pace::Class;
use crate::engine::pull::Reader;
use crate::engine::retry::Sender;
use crate::instance::{
    BatchStatus, Effect, ReadRequest, Record, RequestError, RowResult, Save, Saved, Target,
    Throwaway, Upload, UploadFile, only_row,
};
use crate::store::{
    Change, Intent, IntentDetail, IntentId, IntentState, Operation, Pair, Store, StoreError,
};

/// The shortest and the longest wait between two looks at a batch, and the part of its age that is waited otherwise: a time is
/// known to about an eighth.
const LOOKS: (Duration, Duration, u32) = (Duration::from_millis(25), Duration::from_secs(1), 8);

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The state cannot be used, so nothing more may leave.
    Store(StoreError),
    /// Anything else, in words. The next question is asked.
    Because(String),
}

impl From<StoreError> for Unanswered {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RequestError> for Unanswered {
    fn from(error: RequestError) -> Self {
        Self::Because(error.to_string())
    }
}

/// What was made, as far as its ids are known.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) batches: Vec<BatchId>,
    pub(super) items: Vec<TargetId>,
    pub(super) container: Option<TargetId>,
    pub(super) model: Option<TargetId>,
    pub(super) assets: Vec<TargetId>,
}

/// A batch that the target has taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submitted {
    batch: BatchId,
    came: Instant,
}

/// How a batch ended, and between which moments after its submission.
#[derive(Debug)]
pub(super) struct Followed {
    /// One result for each item, or why it failed as a whole.
    pub(super) rows: Result<Vec<RowResult>, String>,
    /// When the last look left that found it at work.
    pub(super) least: Duration,
    /// When the look left that found it done.
    pub(super) most: Duration,
}

/// What throw-away things are made with.
pub(super) struct Stage<'a, T> {
    pub(super) target: &'a Arc<Reader<T>>,
    pub(super) port: &'a dyn Throwaway,
    pub(super) store: &'a Store,
    pub(super) pair: Pair,
    pub(super) run: RunId,
    pub(super) fence: Fence,
    pub(super) stop: CancellationToken,
    /// When no more questions are asked.
    pub(super) until: Instant,
    /// How long a batch is waited for before its items are deleted.
    pub(super) patience: Duration,
    pub(super) locale: Locale,
    pub(super) names: Names,
    /// The intents so far; things have the numbers below 0 in the order in which they are announced.
    pub(super) intents: i64,
    pub(super) things: i64,
    pub(super) made: Made,
}

impl<T: Target> Stage<'_, T> {
    /// Whether a question may go on.
    ///
    /// # Errors
    /// [`Unanswered::Because`] after an interruption, and when the time is over.
    pub(super) fn goes_on(&self) -> Result<(), Unanswered> {
        let why = if self.stop.is_cancelled() {
            "the probe was interrupted"
        } else if Instant::now() >= self.until {
            "the time of the probe was over"
        } else {
            return Ok(());
        };
        Err(Unanswered::Because(why.to_owned()))
    }

    /// Sends requests under the lease.
    pub(super) fn sender(&self) -> Sender<'_> {
        Sender {
            fence: Some(&self.fence),
            ..self.target.sender()
        }
    }

    /// Notes that something is about to be made or changed. The note stays open until it is deleted.
    pub(super) async fn announce(
        &mut self,
        operation: Operation,
        kind: Option<Kind>,
        count: usize,
    ) -> Result<IntentId, Unanswered> {
        self.goes_on()?;
        self.intents += 1;
        let id = IntentId(self.intents);
        let mut keys = Vec::new();
        for _ in 0..count {
            self.things -= 1;
            keys.extend(kind.map(|kind| match kind {
                Kind::Content | Kind::Page => EntityKey::localised(kind, self.things, &self.locale),
                Kind::Model
                | Kind::Container
                | Kind::Template
                | Kind::Gallery
                | Kind::Asset
                | Kind::Redirection => EntityKey::global(kind, self.things),
            }));
        }
        let detail = IntentDetail {
            operation,
            name: self.names.name().to_owned(),
            ..IntentDetail::default()
        };
        let intent = Intent {
            id,
            run: self.run.clone(),
            operation,
            payload_hash: vec![ContentHash::of_bytes(b""); keys.len()],
            details: vec![detail; keys.len()],
            keys,
            opened_ms: self.store.now().as_millisecond(),
            attempt: 1,
            batch: None,
            state: IntentState::Open,
            answers: Vec::new(),
        };
        let pair = self.pair.clone();
        self.store
            .commit(vec![Change::IntentOpened { pair, intent }])
            .await?;
        Ok(id)
    }

    /// Saves the model or the container of the probe; without an id, it is new.
    pub(super) async fn save(
        &mut self,
        kind: Kind,
        id: Option<TargetId>,
        body: Value,
    ) -> Result<TargetId, Unanswered> {
        let operation = match id {
            None => Operation::Create,
            Some(_) => Operation::Update,
        };
        self.announce(operation, Some(kind), 1).await?;
        let save = self.save_of(kind, id, body);
        let request = || self.target.instance.save(&save);
        let saved = self.sender().send(Effect::Write, request).await?;
        Ok(saved.id)
    }

    /// Hands in items as one batch.
    pub(super) async fn submit(
        &mut self,
        items: Vec<(Option<TargetId>, Value)>,
    ) -> Result<Submitted, Unanswered> {
        let operation = match items.first() {
            Some((Some(_), _)) => Operation::Update,
            Some((None, _)) | None => Operation::Create,
        };
        let intent = self
            .announce(operation, Some(Kind::Content), items.len())
            .await?;
        let items = items.into_iter();
        let saves: Vec<Save> = items
            .map(|(id, body)| self.save_of(Kind::Content, id, body))
            .collect();
        let request = || self.target.instance.submit_items(&self.locale, &saves);
        let batch = self
            .sender()
            .send_as(Class::Submit, Effect::Write, request)
            .await?;
        let came = Instant::now();
        self.made.batches.push(batch);
        let run = self.run.clone();
        let numbered = Change::IntentBatch {
            run,
            id: intent,
            batch,
        };
        self.store.commit(vec![numbered]).await?;
        Ok(Submitted { batch, came })
    }

    fn save_of(&self, kind: Kind, id: Option<TargetId>, body: Value) -> Save {
        Save {
            kind,
            name: self.names.name().into(),
            id,
            locale: (kind == Kind::Content).then(|| self.locale.clone()),
            body: Arc::new(body),
            numbers: Exact::default(),
        }
    }

    /// Follows batches to their ends, in their order. They are looked at often, because their times are a question.
    pub(super) async fn follow(
        &self,
        submitted: &[Submitted],
    ) -> Result<Vec<Followed>, Unanswered> {
        let mut least = vec![Duration::ZERO; submitted.len()];
        let mut ended: Vec<Option<Followed>> = submitted.iter().map(|_| None).collect();
        loop {
            for (at, one) in submitted.iter().enumerate() {
                if ended[at].is_some() {
                    continue;
                }
                let (status, sent) = self.look(one).await?;
                match status {
                    BatchStatus::Unknown | BatchStatus::Working { .. } => least[at] = sent,
                    BatchStatus::Finished(rows) => {
                        ended[at] = Some(followed(Ok(rows), least[at], sent));
                    }
                    BatchStatus::Failed(refusal) => {
                        ended[at] = Some(followed(Err(refusal.said), least[at], sent));
                    }
                }
            }
            if ended.iter().all(Option::is_some) {
                return Ok(ended.into_iter().flatten().collect());
            }
            self.goes_on()?;
            let age = submitted.iter().map(|one| one.came.elapsed()).max();
            let wait = (age.unwrap_or_default() / LOOKS.2).clamp(LOOKS.0, LOOKS.1);
            // Both are cancel-safe: a timer, and a mark.
            tokio::select! { () = tokio::time::sleep(wait) => {}, () = self.stop.cancelled() => {} }
        }
    }

    /// One look at a batch, and how long after its submission it left.
    async fn look(&self, one: &Submitted) -> Result<(BatchStatus, Duration), RequestError> {
        let mut sent = Instant::now();
        let ask = || {
            sent = Instant::now();
            self.target.instance.poll(one.batch)
        };
        let status = self
            .sender()
            .send_as(Class::Poll, Effect::Read, ask)
            .await?;
        Ok((status, sent.saturating_duration_since(one.came)))
    }

    /// Follows one batch of new items, and gives their ids; of an item that was refused, why.
    pub(super) async fn new_items(
        &mut self,
        submitted: Submitted,
    ) -> Result<(Vec<Result<TargetId, String>>, Followed), Unanswered> {
        let mut followed = self.follow(&[submitted]).await?;
        let followed = followed
            .pop()
            .ok_or_else(|| Unanswered::Because("no batch was followed".to_owned()))?;
        let rows = followed.rows.as_ref().map_err(|why| {
            Unanswered::Because(format!("the batch of the first items failed: {why}"))
        })?;
        let id_of = |row: &RowResult| match row {
            Ok(saved) => Ok(saved.id),
            Err(crate::instance::Unconfirmed::Refused(refusal)) => Err(refusal.said.clone()),
            Err(crate::instance::Unconfirmed::Unclear(why)) => Err(why.clone()),
        };
        let ids: Vec<_> = rows.iter().map(id_of).collect();
        self.made.items.extend(ids.iter().flatten());
        Ok((ids, followed))
    }

    /// Items as the Management API has them now.
    pub(super) async fn items(
        &self,
        ids: &[TargetId],
    ) -> Result<HashMap<TargetId, Value>, Unanswered> {
        self.goes_on()?;
        let ask = ReadRequest::ItemsById {
            locale: self.locale.clone(),
            ids: ids.iter().map(|id| crate::domain::Id::raw(*id)).collect(),
        };
        let answer = self.target.ask::<TargetId>(&ask).await?;
        let item = |found| match found {
            Record::Entity(entity) => Some((entity.key.id, entity.body.parse())),
            _ => None,
        };
        Ok(answer.found.into_iter().filter_map(item).collect())
    }

    /// Uploads the file of the probe.
    pub(super) async fn upload(&mut self, text: &'static str) -> Result<Saved, Unanswered> {
        self.announce(Operation::Upload, Some(Kind::Asset), 1)
            .await?;
        let request = || self.target.instance.upload(self.file(text));
        let rows = self
            .sender()
            .send_as(Class::Asset, Effect::Write, request)
            .await?;
        let saved = only_row(rows)?;
        self.made.assets.push(saved.id);
        Ok(saved)
    }

    fn file(&self, text: &'static str) -> Upload {
        let bytes = stream::iter([Ok(Bytes::from_static(text.as_bytes()))]);
        Upload {
            folder: self.names.name().to_owned(),
            gallery: None,
            focal: (None, None),
            files: vec![UploadFile {
                name: "probe.txt".to_owned(),
                content_type: Some("text/plain".to_owned()),
                length_bytes: Some(text.len() as u64),
                bytes: Box::pin(bytes),
            }],
        }
    }
}

fn followed(rows: Result<Vec<RowResult>, String>, least: Duration, most: Duration) -> Followed {
    Followed { rows, least, most }
}
