//! Batches: what was asked for together, how far the worker got, and what came of each item.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::failure::Failure;
use super::ids::{IdKind, Ids};
use super::rules::FailedUpdates;
use super::text;
use crate::mock::file::Row;

/// `BatchOperationType` of the operations that the mock supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Workflow(WorkflowStep),
    SaveContent,
    DeleteContent,
    SavePage,
    DeletePage,
    Translate,
    Initialize,
}

/// `WorkflowOperationType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkflowStep {
    Publish,
    Unpublish,
    Approve,
    Decline,
    RequestApproval,
}

impl WorkflowStep {
    /// From its name in a query or a path, in any case and with or without dashes.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name.replace('-', "").to_lowercase().as_str() {
            "publish" => Self::Publish,
            "unpublish" => Self::Unpublish,
            "approve" => Self::Approve,
            "decline" => Self::Decline,
            "requestapproval" => Self::RequestApproval,
            _ => return None,
        })
    }

    /// The `ItemState` that it leads to.
    pub(crate) fn state(self) -> i64 {
        match self {
            Self::Publish => 2,
            Self::Unpublish => 7,
            Self::Approve => 4,
            Self::Decline => 6,
            Self::RequestApproval => 5,
        }
    }
}

impl Operation {
    fn number(self) -> i64 {
        match self {
            Self::Workflow(WorkflowStep::Publish) => 1,
            Self::Workflow(WorkflowStep::Unpublish) => 2,
            Self::Workflow(WorkflowStep::Approve) => 3,
            Self::Workflow(WorkflowStep::Decline) => 4,
            Self::Workflow(WorkflowStep::RequestApproval) => 5,
            Self::SaveContent => 14,
            Self::DeleteContent => 15,
            Self::SavePage => 16,
            Self::DeletePage => 17,
            Self::Translate => 19,
            Self::Initialize => 20,
        }
    }
}

/// What a batch item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Page,
    Content,
}

impl ItemKind {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Page => 1,
            Self::Content => 2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Page => "Page",
            Self::Content => "ContentItem",
        }
    }
}

/// Where a page save puts the page; −1 and absent are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) parent: Option<i64>,
    pub(crate) before: Option<i64>,
    /// The page that this one joins, and a locale in which it is.
    pub(crate) twin: Option<(i64, usize)>,
    pub(crate) keep_components: bool,
}

/// One thing to do; locales are indexes into the instance's list.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    SaveContent {
        locale: usize,
        row: Row,
    },
    DeleteContent {
        locale: usize,
        id: i64,
    },
    SavePage {
        locale: usize,
        row: Row,
        placement: Placement,
    },
    DeletePage {
        locale: usize,
        id: i64,
    },
    Move {
        kind: ItemKind,
        locale: usize,
        id: i64,
        step: WorkflowStep,
    },
    /// The version of locale `from` becomes the first one of `locale`.
    Copy {
        kind: ItemKind,
        from: usize,
        locale: usize,
        id: i64,
    },
}

impl Work {
    pub(crate) fn kind(&self) -> ItemKind {
        match self {
            Self::SaveContent { .. } | Self::DeleteContent { .. } => ItemKind::Content,
            Self::SavePage { .. } | Self::DeletePage { .. } => ItemKind::Page,
            Self::Move { kind, .. } | Self::Copy { kind, .. } => *kind,
        }
    }

    pub(crate) fn locale(&self) -> usize {
        match self {
            Self::SaveContent { locale, .. }
            | Self::DeleteContent { locale, .. }
            | Self::SavePage { locale, .. }
            | Self::DeletePage { locale, .. }
            | Self::Move { locale, .. }
            | Self::Copy { locale, .. } => *locale,
        }
    }

    /// The id that the work is on; `None` for a create.
    pub(crate) fn subject(&self) -> Option<i64> {
        match self {
            Self::SaveContent { row, .. } => super::row::id(row, "contentID"),
            Self::SavePage { row, .. } => super::row::id(row, "pageID"),
            Self::DeleteContent { id, .. }
            | Self::DeletePage { id, .. }
            | Self::Move { id, .. }
            | Self::Copy { id, .. } => Some(*id),
        }
    }
}

/// What came of one item: its id, its new version and its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) title: Option<String>,
}

/// How a scripted fault spoils a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Spoil {
    #[default]
    Nothing,
    FailAll,
    /// The item at this place, from 1, is refused.
    FailItem(u64),
    /// It never ends, and no item takes effect.
    StickBefore,
    /// It never ends, though every item took effect.
    StickAfter,
    DropResult,
    Reorder,
}

#[derive(Clone, Debug)]
struct Batch {
    operation: Operation,
    spoil: Spoil,
    created: String,
    started: Option<String>,
    finished: Option<String>,
    spent_ms: u128,
    items: Vec<BatchItem>,
    /// How many items are done; the next one has this index.
    worked: usize,
}

#[derive(Clone, Debug)]
struct BatchItem {
    id: i64,
    kind: ItemKind,
    locale: String,
    locale_index: usize,
    subject: Option<i64>,
    work: Option<Work>,
    outcome: Option<Result<Done, Failure>>,
}

/// The next thing for the worker.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) index: usize,
    pub(crate) work: Work,
}

/// All batches of an instance, and the queue of those that no worker has taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batches {
    by_id: BTreeMap<i64, Batch>,
    queue: VecDeque<i64>,
    failed_updates: FailedUpdates,
}

impl Batches {
    /// None yet; `failed_updates` says what is answered for updates that failed.
    pub(super) fn new(failed_updates: FailedUpdates) -> Self {
        Self {
            failed_updates,
            ..Self::default()
        }
    }

    /// Queues work and returns the batch id. `locales` are the codes that the answers carry.
    pub(crate) fn submit(
        &mut self,
        ids: &mut Ids,
        operation: Operation,
        work: Vec<Work>,
        locales: &[String],
        spoil: Spoil,
    ) -> i64 {
        let id = ids.next(IdKind::Batch, |_| false);
        let items = work.into_iter().map(|work| BatchItem {
            id: ids.next(IdKind::BatchItem, |_| false),
            kind: work.kind(),
            locale_index: work.locale(),
            locale: locales.get(work.locale()).cloned().unwrap_or_default(),
            subject: work.subject(),
            outcome: None,
            work: Some(work),
        });
        let mut items: Vec<BatchItem> = items.collect();
        if let Spoil::FailItem(place) = spoil
            && let Some(item) = usize::try_from(place - 1)
                .ok()
                .and_then(|at| items.get_mut(at))
        {
            item.work = None;
            item.outcome = Some(Err(Failure::Plain("Item is checked out.".to_owned())));
        }
        let batch = Batch {
            operation,
            spoil,
            created: text::now(),
            started: None,
            finished: None,
            spent_ms: 0,
            items,
            worked: 0,
        };
        self.by_id.insert(id, batch);
        self.queue.push_back(id);
        id
    }

    /// Takes the oldest batch out of the queue, and marks it as in process.
    pub(crate) fn start_next(&mut self) -> Option<i64> {
        let id = self.queue.pop_front()?;
        let batch = self.by_id.get_mut(&id)?;
        batch.started.get_or_insert_with(text::now);
        Some(id)
    }

    /// Takes the next item out of a batch. One that is spoilt as a whole, or has no items, is finished here.
    pub(crate) fn take(&mut self, id: i64) -> Option<Job> {
        let batch = self.by_id.get_mut(&id)?;
        let is_settled = |item: &&BatchItem| item.outcome.is_some();
        batch.worked += batch.items[batch.worked..]
            .iter()
            .take_while(is_settled)
            .count();
        let index = batch.worked;
        let work = batch.items.get_mut(index).and_then(|item| item.work.take());
        match work {
            Some(_) if batch.spoil == Spoil::StickBefore => {}
            Some(work) if batch.spoil != Spoil::FailAll => return Some(Job { index, work }),
            Some(_) | None => self.finish(id),
        }
        None
    }

    /// Notes what came of a job, and that it took `spent_ms`. Returns whether the batch has more.
    pub(crate) fn settle(
        &mut self,
        batch: i64,
        index: usize,
        outcome: Result<Done, Failure>,
        spent_ms: u128,
    ) -> bool {
        let Some(entry) = self.by_id.get_mut(&batch) else {
            return false;
        };
        if let Some(item) = entry.items.get_mut(index) {
            item.outcome = Some(outcome);
        }
        entry.worked = index + 1;
        entry.spent_ms += spent_ms;
        let has_more = entry.worked < entry.items.len();
        if !has_more {
            self.finish(batch);
        }
        has_more
    }

    fn finish(&mut self, id: i64) {
        if let Some(batch) = self.by_id.get_mut(&id)
            && batch.spoil != Spoil::StickAfter
        {
            batch.finished = Some(text::now());
            batch.items.iter_mut().for_each(|item| item.work = None);
        }
    }

    /// Kind, id and locale of the items that succeeded, for a workflow call on the whole batch.
    pub(crate) fn subjects(&self, id: i64) -> Option<Vec<(ItemKind, i64, usize)>> {
        let items = &self.by_id.get(&id)?.items;
        let done = items.iter().filter_map(|item| match &item.outcome {
            Some(Ok(done)) => Some((item.kind, done.id, item.locale_index)),
            Some(Err(_)) | None => None,
        });
        Some(done.collect())
    }

    /// The `Batch` row; `items` only with `expand`.
    pub(crate) fn read(&self, id: i64, expand: bool) -> Option<Value> {
        let batch = self.by_id.get(&id)?;
        let mut row = batch.summary(id);
        if expand {
            row.insert(
                "items".to_owned(),
                batch.item_rows(id, self.failed_updates).into(),
            );
        }
        if batch.finished.is_some() {
            batch.add_result(&mut row, self.failed_updates);
        }
        Some(Value::Object(row))
    }
}

impl Batch {
    fn state(&self) -> i64 {
        match (&self.started, &self.finished) {
            (_, Some(_)) => 3,
            (Some(_), None) => 2,
            (None, None) => 1,
        }
    }

    fn summary(&self, id: i64) -> Row {
        let total = self.items.len();
        let percent = if self.finished.is_some() {
            100
        } else {
            self.worked * 100 / total.max(1)
        };
        let modified = self
            .finished
            .as_ref()
            .or(self.started.as_ref())
            .unwrap_or(&self.created);
        super::row::row(json!({
            "batchID": id, "batchName": null, "operationType": self.operation.number(), "batchState": self.state(),
            "percentComplete": percent, "numItemsProcessed": self.worked, "batchItemCount": total, "isPrivate": true,
            "abortYN": false, "errorData": null, "statusMessage": null, "additionalData": null,
            "createdDate": self.created, "modifiedDate": modified, "queueDate": self.created, "processDate": self.started,
            "ownerUserID": 12, "ownerName": "Mock User", "modifiedByUserID": 12, "modifiedByName": "Mock User",
            "queuedByUserID": 12, "queuedByName": "Mock User"
        }))
    }

    fn item_rows(&self, batch: i64, failed: FailedUpdates) -> Vec<Value> {
        let mut rows: Vec<Value> = self
            .items
            .iter()
            .map(|item| self.item_row(batch, item, failed))
            .collect();
        if self.finished.is_some() {
            match self.spoil {
                Spoil::DropResult => drop(rows.pop()),
                Spoil::Reorder => rows.reverse(),
                Spoil::Nothing
                | Spoil::FailAll
                | Spoil::FailItem(_)
                | Spoil::StickBefore
                | Spoil::StickAfter => {}
            }
        }
        rows
    }

    fn item_row(&self, batch: i64, item: &BatchItem, failed: FailedUpdates) -> Value {
        let (id, version, title, error) = match &item.outcome {
            Some(Ok(done)) => (done.id, Some(done.version), done.title.clone(), None),
            Some(Err(failure)) => (item.failed_id(failed), None, None, Some(failure.message())),
            None => (item.subject.unwrap_or(-1), None, None, None),
        };
        json!({
            "batchItemID": item.id, "batchID": batch, "itemType": item.kind.number(), "itemTypeName": item.kind.name(),
            "itemID": id, "languageCode": item.locale, "processedItemVersionID": version, "itemTitle": title,
            "itemNull": id <= 0, "errorMessage": error, "createdOn": self.created, "createdBy": 12, "createdByName": "Mock User"
        })
    }

    fn add_result(&self, row: &mut Row, failed_updates: FailedUpdates) {
        let succeeded = self
            .items
            .iter()
            .filter(|item| matches!(item.outcome, Some(Ok(_))))
            .count();
        let failed: Vec<Value> = {
            let row = |item: &BatchItem| failed_row(item, failed_updates);
            self.items.iter().filter_map(row).collect()
        };
        let (total, failures) = (self.items.len(), self.items.len() - succeeded);
        for (key, count) in [
            ("totalItems", total),
            ("successCount", succeeded),
            ("failureCount", failures),
        ] {
            row.insert(key.to_owned(), count.into());
        }
        row.insert(
            "durationMs".to_owned(),
            u64::try_from(self.spent_ms).unwrap_or(u64::MAX).into(),
        );
        let error = if self.spoil == Spoil::FailAll {
            Some("System.Exception: Batch aborted.\r\n   at Agility.Mock.Batches.ProcessBatch(Int32 batchID)".to_owned())
        } else if failures > 0 {
            let summary = json!({ "totalItems": total, "successCount": succeeded, "failureCount": failures, "failedItems": &failed });
            Some(summary.to_string())
        } else {
            None
        };
        row.insert("errorData".to_owned(), error.into());
        row.insert("failedItems".to_owned(), failed.into());
    }
}

impl BatchItem {
    /// The id that is answered where it failed.
    fn failed_id(&self, failed: FailedUpdates) -> i64 {
        match failed {
            FailedUpdates::Id => self.subject.unwrap_or(-1),
            FailedUpdates::Nothing => -1,
        }
    }
}

fn failed_row(item: &BatchItem, failed: FailedUpdates) -> Option<Value> {
    let Some(Err(failure)) = &item.outcome else {
        return None;
    };
    Some(json!({
        "batchItemId": item.id, "itemId": item.failed_id(failed), "itemType": item.kind.name(),
        "errorType": failure.exception(), "errorMessage": failure.message()
    }))
}
