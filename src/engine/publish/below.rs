//! Items whose published version on the source is older than their draft.
//!
//! The API publishes the newest version only. So the older one is saved over the draft, published, and then the draft is saved
//! on top of it again:
//!
//! ```text
//!   uploads: the draft ─▶ … ─▶ save what is public ─▶ read it back ─▶ publish ─▶ save the draft
//! ```
//! Both saves go over a known id, under an intent. A run that ends between them leaves a mapping that says what was sent last, so
//! the next run sends the draft again; whether it also has to publish again is in the notes of what was published.

use std::collections::HashMap;

use crate::domain::{Entity, Id as _, Locale, TargetId};
use crate::engine::context::{Ends, Prepared, RunContext};
use crate::engine::reconcile::{Cargo, carry, failed, not_prepared};
use crate::engine::state::{Step, StepResult};
use crate::event::Event;
use crate::instance::Cause;
use crate::plan::{Node, Schema, lost_companions};
use crate::store::StoreError;

/// Items in the target's terms, or why one cannot be sent.
type Items = [Result<Prepared, String>];

/// Saves items of a locale, and gives the outcome of each.
async fn save<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    all: &Items,
) -> Result<Vec<StepResult>, StoreError> {
    let mut results = Vec::with_capacity(all.len());
    for some in all.chunks(context.options.batch_items.clamp(1, 250)) {
        let items: Vec<Prepared> = some.iter().flatten().cloned().collect();
        let mut sent = if items.is_empty() {
            Vec::new().into_iter()
        } else {
            let carried = carry(context, Cargo::Items(locale), &items, None).await?;
            carried.results.into_iter()
        };
        results.extend(some.iter().map(|prepared| {
            match prepared {
                Ok(_) => sent
                    .next()
                    .unwrap_or_else(|| failed("the answer has no row for it")),
                Err(reason) => not_prepared(reason.clone()),
            }
        }));
    }
    Ok(results)
}

/// Saves what the public is to see of items, and reads it back: one that the target stored otherwise is saved once more, and
/// counts as failed where that does not help. Nothing later reads it: the draft goes on top.
pub(super) async fn save_public<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    nodes: &[Node],
) -> Result<Vec<StepResult>, StoreError> {
    let prepare = |node: &Node| context.view.prepare_public(*node);
    let public: Vec<Result<Prepared, String>> = nodes.iter().map(prepare).collect();
    let mut results = save(context, locale, &public).await?;
    let spoilt = stored_otherwise(context, locale, (&public, &results)).await;
    if spoilt.is_empty() {
        return Ok(results);
    }
    let again = spoilt.iter().map(|(at, _)| public[*at].clone());
    let again: Vec<Result<Prepared, String>> = again.collect();
    let mut saved = save(context, locale, &again).await?;
    for (at, failure) in stored_otherwise(context, locale, (&again, &saved)).await {
        saved[at] = failure;
    }
    for ((at, _), result) in spoilt.into_iter().zip(saved) {
        results[at] = result;
    }
    Ok(results)
}

/// Which of some items the target has in another form than they were saved in, by their place, with why they failed.
async fn stored_otherwise<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    (all, results): (&Items, &[StepResult]),
) -> Vec<(usize, StepResult)> {
    let saved = all.iter().zip(results).enumerate();
    let saved = saved.filter_map(|(at, (sent, result))| match (sent, result) {
        (Ok(sent), StepResult::Done(saved)) => Some((at, sent, saved.target)),
        _ => None,
    });
    let saved: Vec<(usize, &Prepared, TargetId)> = saved.collect();
    let ids: Vec<i64> = saved.iter().map(|(_, _, id)| id.raw()).collect();
    let there = match context.inquiry().items(locale, &ids).await {
        Ok(there) => there,
        Err(error) => {
            let unread = |(at, _, _)| match error.cause {
                Cause::Halted => (at, StepResult::Held),
                _ => (at, failed(format!("it could not be read back: {error}"))),
            };
            return saved.into_iter().map(unread).collect();
        }
    };
    let there: HashMap<TargetId, Entity<TargetId>> =
        there.into_iter().map(|one| (one.key.id, one)).collect();
    let spoilt = saved.into_iter().filter_map(|(at, sent, id)| {
        let difference = difference(sent, there.get(&id), &context.view.schema)?;
        Some((at, failed(difference)))
    });
    spoilt.collect()
}

/// The first difference between what was saved and what the target has. What the server adds is none.
fn difference(
    sent: &Prepared,
    there: Option<&Entity<TargetId>>,
    schema: &Schema,
) -> Option<String> {
    let Some(there) = there else {
        return Some("it is not there after its save".to_owned());
    };
    let stored = there.body.parse();
    let lost = lost_companions(&sent.save.body, &stored, schema);
    let mut all = sent.differences(&stored, schema).into_iter().chain(lost);
    let first = all.find(|one| one.added.is_none())?;
    Some(format!(
        "the target stored it otherwise than it was sent: at {}: expected {}, found {}",
        first.at, first.expected, first.found
    ))
}

/// Saves the drafts of items on top of what was published, reports those that could not be, and counts them.
pub(super) async fn save_drafts<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    nodes: &[Node],
) -> Result<usize, StoreError> {
    let prepare = |node: &Node| context.view.prepare(*node, Step::Patch);
    let drafts: Vec<Result<Prepared, String>> = nodes.iter().map(prepare).collect();
    let results = save(context, locale, &drafts).await?;
    let mut unsaved = 0;
    for (node, result) in nodes.iter().zip(results) {
        let StepResult::Failed { reason, .. } = result else {
            continue;
        };
        unsaved += 1;
        let entity = context.view.entity(*node);
        let message = format!(
            "{} {:?} has its published version on the target, and its newer draft could not be saved on top: {reason}; the next \
             run saves it",
            entity.key, entity.name
        );
        context.sink.emit(Event::Warned { message }).await;
    }
    Ok(unsaved)
}
