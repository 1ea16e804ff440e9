//! The outcome of a batch.
//!
//! Result *i* belongs to element *i* of the request; rows whose numbers do not rise are out of order, so they cannot be
//! assigned, and none is trusted. The server reports failure in three places (the list `failedItems`, the item, the batch)
//! and in three forms (JSON text, an exception dump, plain text), and a batch that counts as processed may have failed as a
//! whole. The decision that a reader may question: when a batch failed as a whole but an item carries both an id and a new
//! version, that item is trusted, because sending it again would create it twice. And a row is a refusal only when it gives
//! a reason, or stands among the failed ones: one that has neither an id nor a reason may have been stored, and the engine
//! looks for it.

use serde_json::Value;

use crate::domain::{BatchId, Id, Kind, TargetId, Version};
use crate::instance::{
    About, BatchStatus, Cause, Refusal, RequestError, RowResult, Saved, Unconfirmed,
};

use super::classify;
use super::client::{Api, Call, Client};
use super::shape::{self, ShapeError};

/// `batchState` of a batch that has been processed, with or without failures.
const PROCESSED: i64 = 3;
/// `operationType` of publishing and its like.
const WORKFLOW: std::ops::RangeInclusive<i64> = 1..=5;
/// `batchState` of a batch that has been removed.
const DELETED: i64 = 4;

/// Asks for a batch with its items. A batch that the server does not know is one that it does not know yet:
/// for a moment after the submit it answers 404.
pub(crate) async fn poll(client: &Client, batch: BatchId) -> Result<BatchStatus, RequestError> {
    let call = Call::get(
        format!("asking {} about batch {batch}", client.guid),
        Api::Management,
        format!("batch/{batch}?expandItems=true"),
    );
    match client.send(call).await {
        Ok(reply) => reply.understand(|value| status(&value)),
        Err(error) if error.cause == Cause::NotFound => Ok(BatchStatus::Unknown),
        Err(error) => Err(error),
    }
}

fn status(batch: &Value) -> Result<BatchStatus, ShapeError> {
    let state = shape::id(batch, "batchState").map_err(|_| no_state())?;
    let aborted = state == DELETED || shape::flag(batch, "abortYN");
    if state != PROCESSED && !aborted {
        let processed = shape::int(batch, "numItemsProcessed");
        return Ok(BatchStatus::Working {
            processed: processed.and_then(|count| u32::try_from(count).ok()),
        });
    }
    let reader = Reader::new(batch);
    if !reader.is_in_order() {
        return Ok(BatchStatus::Finished(Vec::new()));
    }
    Ok(if aborted || reader.failed_as_a_whole() {
        reader.salvage(aborted)
    } else {
        BatchStatus::Finished(if reader.is_workflow() {
            reader.workflow_results()
        } else {
            reader.results()
        })
    })
}

fn no_state() -> ShapeError {
    ShapeError("the batch has no batchState".to_owned())
}

/// A finished batch under the reader's eyes.
struct Reader<'a> {
    batch: &'a Value,
    /// The summary that `errorData` may hold as JSON text.
    summary: Option<Value>,
}

impl<'a> Reader<'a> {
    fn new(batch: &'a Value) -> Self {
        let summary = shape::text(batch, "errorData")
            .and_then(|text| serde_json::from_str(text).ok())
            .filter(Value::is_object);
        Self { batch, summary }
    }

    fn items(&self) -> &'a [Value] {
        shape::member(self.batch, "items")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// Whether the rows have the order of the request: their numbers are given out in it. Workflow batches are not checked,
    /// since nothing relies on their order.
    fn is_in_order(&self) -> bool {
        let numbers = self.items().iter();
        self.is_workflow()
            || numbers
                .filter_map(|item| shape::int(item, "batchItemID"))
                .is_sorted()
    }

    /// `errorData` without a success means that nothing succeeded. The counts of the batch itself are trusted only for a
    /// step of the workflow, which may be repeated.
    fn failed_as_a_whole(&self) -> bool {
        if self.is_workflow() {
            let successes = self.count("successCount");
            return shape::text(self.batch, "errorData").is_some() && successes.unwrap_or(0) <= 0;
        }
        let successes = self
            .summary
            .as_ref()
            .and_then(|summary| shape::int(summary, "successCount"));
        shape::text(self.batch, "errorData").is_some() && successes.unwrap_or(0) <= 0
    }

    fn results(&self) -> Vec<RowResult> {
        self.items().iter().map(|item| self.result(item)).collect()
    }

    /// What can be said about a batch that failed as a whole or was stopped.
    fn salvage(&self, aborted: bool) -> BatchStatus {
        let items = self.items();
        let proven = items
            .iter()
            .any(|item| self.result(item).is_ok() && version(item).is_some());
        let explained =
            !items.is_empty() && items.iter().all(|item| self.own_words(item).is_some());
        if proven {
            return BatchStatus::Finished(
                items.iter().map(|item| self.proven_result(item)).collect(),
            );
        }
        if explained && !aborted {
            return BatchStatus::Finished(self.results());
        }
        let whole = self.words_of_batch().unwrap_or_else(|| Refusal {
            about: None,
            error_type: None,
            said: if aborted {
                "batch aborted"
            } else {
                "batch failed"
            }
            .to_owned(),
        });
        BatchStatus::Failed(whole)
    }

    fn proven_result(&self, item: &Value) -> RowResult {
        match self.result(item) {
            Ok(saved) if saved.version.is_none() => Err(self.unconfirmed(item)),
            result => result,
        }
    }

    /// An item succeeded when it has an id, exists and complains of nothing. One that stands among the failed
    /// ones is trusted only with a new version, because a failed update has an id as well.
    fn result(&self, item: &Value) -> RowResult {
        let id = shape::int(item, "itemID").filter(|id| *id > 0);
        let complains = shape::text(item, "errorMessage").is_some();
        let version = version(item);
        let listed = self.failed_row(item).is_some() && version.is_none();
        match id {
            Some(id) if !shape::flag(item, "itemNull") && !complains && !listed => Ok(Saved {
                id: TargetId::new(id),
                version,
                name: None,
                urls: None,
            }),
            _ => Err(self.unconfirmed(item)),
        }
    }

    /// What stands against the success of an item. The words of the batch are about no item in particular.
    fn unconfirmed(&self, item: &Value) -> Unconfirmed {
        let is_listed = || self.failed_row(item).map(|_| no_reason());
        if let Some(refusal) = self.own_words(item).or_else(is_listed) {
            let about = about(item, "itemID");
            return Unconfirmed::Refused(Refusal { about, ..refusal });
        }
        let words = self.words_of_batch().map(|refusal| refusal.said);
        Unconfirmed::Unclear(match words {
            Some(words) => {
                format!("its row has no usable id and no reason; the batch says {words:?}")
            }
            None => "its row has no usable id and no reason".to_owned(),
        })
    }

    /// The results of a step of the workflow. Its rows may be of items that were not requested, and may lack some that
    /// were; what failed stands in lists of its own, or is only counted.
    fn workflow_results(&self) -> Vec<RowResult> {
        let mut results = self.results();
        let items = self.items();
        let mut told: Vec<Option<About>> = results
            .iter()
            .filter_map(|result| match result {
                Err(Unconfirmed::Refused(refusal)) => Some(refusal.about),
                Ok(_) | Err(Unconfirmed::Unclear(_)) => None,
            })
            .collect();
        for row in self.failed_rows() {
            let (of_row, batch_item) = (about(row, "itemId"), shape::int(row, "batchItemId"));
            let is_listed = items.iter().any(|item| {
                let same_row = batch_item.is_some_and(|id| id > 0)
                    && batch_item == shape::int(item, "batchItemID");
                same_row || (of_row.is_some() && same(about(item, "itemID"), of_row))
            });
            if is_listed || told.iter().any(|known| same(*known, of_row)) {
                continue;
            }
            let words = shape::text(row, "errorMessage");
            let refusal = words.and_then(refusal);
            told.push(of_row);
            let refusal = refusal.unwrap_or_else(no_reason);
            let about = of_row;
            results.push(Err(Refusal { about, ..refusal }.into()));
        }
        let counted = self.count("failureCount").unwrap_or(0);
        let unexplained = usize::try_from(counted)
            .unwrap_or(0)
            .saturating_sub(told.len());
        let words = || self.words_of_batch().unwrap_or_else(no_reason);
        results.extend((0..unexplained).map(|_| Err(words().into())));
        results
    }

    /// A count of the batch or of its summary.
    fn count(&self, name: &str) -> Option<i64> {
        let summary = self.summary.as_ref();
        let told = summary.and_then(|summary| shape::int(summary, name));
        told.or_else(|| shape::int(self.batch, name))
    }

    fn is_workflow(&self) -> bool {
        let operation = shape::int(self.batch, "operationType");
        operation.is_some_and(|operation| WORKFLOW.contains(&operation))
    }

    /// The rows of `failedItems` of the batch and of its summary.
    fn failed_rows(&self) -> impl Iterator<Item = &Value> {
        let lists = [Some(self.batch), self.summary.as_ref()];
        let rows = lists
            .into_iter()
            .flatten()
            .filter_map(|owner| shape::member(owner, "failedItems").and_then(Value::as_array));
        rows.flatten()
    }

    /// The reason in `failedItems`, else the item's own.
    fn own_words(&self, item: &Value) -> Option<Refusal> {
        let listed = self.failed_row(item).and_then(|row| {
            let mut refusal = refusal(shape::text(row, "errorMessage")?)?;
            let told = shape::text(row, "errorType").and_then(classify::name);
            refusal.error_type = refusal.error_type.or(told);
            Some(refusal)
        });
        listed.or_else(|| refusal(shape::text(item, "errorMessage")?))
    }

    fn words_of_batch(&self) -> Option<Refusal> {
        let told = match &self.summary {
            // A summary's words are those of its items; its numbers explain nothing.
            Some(summary) => shape::text(summary, "message")
                .or_else(|| shape::text(summary, "errorMessage"))
                .or_else(|| {
                    let rows = shape::member(summary, "failedItems")?.as_array()?;
                    rows.iter().find_map(|row| shape::text(row, "errorMessage"))
                }),
            None => shape::text(self.batch, "errorData"),
        };
        let told = told.or_else(|| shape::text(self.batch, "statusMessage"));
        refusal(told?)
    }

    /// The row about `item` in `failedItems` of the batch or of its summary. Rows without a batch item id
    /// are matched by item id.
    fn failed_row(&self, item: &Value) -> Option<&Value> {
        self.failed_rows().find(|row| {
            let wanted = shape::int(item, "batchItemID");
            if let Some(told) = shape::int(row, "batchItemId").filter(|id| *id > 0) {
                return Some(told) == wanted;
            }
            let id = shape::int(row, "itemId").filter(|id| *id > 0);
            id.is_some() && id == shape::int(item, "itemID")
        })
    }
}

fn no_reason() -> Refusal {
    Refusal {
        about: None,
        error_type: None,
        said: "no reason given".to_owned(),
    }
}

/// What a row is about, which has the id under `id`.
fn about(row: &Value, id: &str) -> Option<About> {
    let id = shape::int(row, id).filter(|id| *id > 0)?;
    let number = shape::int(row, "itemType");
    let name = shape::text(row, "itemType").or_else(|| shape::text(row, "itemTypeName"));
    let kind = match (number, name) {
        (Some(1), _) | (_, Some("Page")) => Some(Kind::Page),
        (Some(2), _) | (_, Some("ContentItem")) => Some(Kind::Content),
        (_, _) => None,
    };
    Some(About {
        kind,
        id: TargetId::new(id),
    })
}

/// Whether two rows may be about one item.
fn same(left: Option<About>, right: Option<About>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    let same_kind = left
        .kind
        .zip(right.kind)
        .is_none_or(|(left, right)| left == right);
    left.id == right.id && same_kind
}

fn version(item: &Value) -> Option<Version> {
    shape::int(item, "processedItemVersionID")
        .filter(|version| *version > 0)
        .map(Version)
}

/// Reads an error text in any of its three forms; `None` when it says nothing.
pub(crate) fn refusal(text: &str) -> Option<Refusal> {
    let parsed = serde_json::from_str::<Value>(text).ok();
    let (error_type, words) = match &parsed {
        Some(object @ Value::Object(_)) => {
            let told = ["exceptionType", "errorType"]
                .iter()
                .find_map(|name| shape::text(object, name));
            let words = ["message", "exceptionMessage", "errorMessage", "detail"]
                .iter()
                .find_map(|name| shape::text(object, name))?;
            let (dumped, words) = undump(words);
            (told.map(str::to_owned).or(dumped), words)
        }
        Some(Value::String(inner)) => undump(inner),
        Some(_) | None => undump(text),
    };
    Some(Refusal {
        about: None,
        error_type: error_type.and_then(|name| classify::name(&name)),
        said: classify::readable(&words)?,
    })
}

/// Takes a .NET exception dump apart: `Type: words⏎ at Name.Space.Class.Method(…)⏎ …` becomes the type and
/// `words (in Class.Method)`. Other text stays as it is.
fn undump(text: &str) -> (Option<String>, String) {
    let text = text.trim();
    let (error_type, rest) = match text.split_once(':') {
        Some((head, rest)) if is_type_name(without_code(head)) => {
            (Some(without_code(head).to_owned()), rest.trim_start())
        }
        _ => (None, text),
    };
    let first = rest.lines().next().unwrap_or_default();
    let first = match first.find("   at ") {
        Some(end) => &first[..end],
        None => first,
    };
    let method = rest[first.len()..]
        .trim_start()
        .strip_prefix("at ")
        .and_then(method_name);
    match (error_type, method) {
        (None, None) => (None, text.to_owned()),
        (error_type, None) => (error_type, first.trim().to_owned()),
        (error_type, Some(method)) => (error_type, format!("{} (in {method})", first.trim())),
    }
}

/// The type in `System.Data.SqlException (0x80131904)`.
fn without_code(head: &str) -> &str {
    head.split_once(" (0x").map_or(head, |(name, _)| name)
}

fn is_type_name(text: &str) -> bool {
    text.contains('.')
        && text.ends_with("Exception")
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '`'))
}

/// `Class.Method` of `Name.Space.Class.Method(String x)`.
fn method_name(frame: &str) -> Option<String> {
    let (path, _) = frame.split_once('(')?;
    let mut parts = path.rsplit('.');
    let method = parts.next()?;
    Some(match parts.next() {
        Some(class) => format!("{class}.{method}"),
        None => method.to_owned(),
    })
}

#[cfg(test)]
mod tests;
