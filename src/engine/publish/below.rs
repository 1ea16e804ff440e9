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

use crate::domain::{Entity, Id as _, Kind, Locale, TargetId};
use crate::engine::context::{Ends, Prepared, RunContext};
use crate::engine::reconcile::{Cargo, carry, failed, not_prepared};
use crate::engine::state::{Step, StepResult};
use crate::event::Event;
use crate::instance::Cause;
use crate::plan::{Node, differences, lost_companions, normal};
use crate::store::StoreError;

/// Which version is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// What the source shows to the public.
    Public,
    /// The draft.
    Draft,
}

/// Saves items of a locale in a version, and gives the outcome of each.
async fn save<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    (nodes, version): (&[Node], Version),
) -> Result<Vec<StepResult>, StoreError> {
    let mut results = Vec::with_capacity(nodes.len());
    for some in nodes.chunks(context.options.batch_items.clamp(1, 250)) {
        let prepared = some.iter().map(|node| match version {
            Version::Public => context.view.prepare_public(*node),
            Version::Draft => context.view.prepare(*node, Step::Patch),
        });
        let prepared: Vec<Result<Prepared, String>> = prepared.collect();
        let items: Vec<Prepared> = prepared.iter().flatten().cloned().collect();
        let mut sent = if items.is_empty() {
            Vec::new().into_iter()
        } else {
            let carried = carry(context, Cargo::Items(locale), &items, None).await?;
            carried.results.into_iter()
        };
        results.extend(prepared.into_iter().map(|prepared| {
            match prepared {
                Ok(_) => sent
                    .next()
                    .unwrap_or_else(|| failed("the answer has no row for it")),
                Err(reason) => not_prepared(reason),
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
    let mut results = save(context, locale, (nodes, Version::Public)).await?;
    for is_last in [false, true] {
        let spoilt = stored_otherwise(context, locale, (nodes, &results)).await;
        if spoilt.is_empty() {
            break;
        }
        let (places, failures): (Vec<usize>, Vec<StepResult>) = spoilt.into_iter().unzip();
        let results_now = if is_last {
            failures
        } else {
            let nodes: Vec<Node> = places.iter().map(|at| nodes[*at]).collect();
            save(context, locale, (&nodes, Version::Public)).await?
        };
        for (at, result) in places.into_iter().zip(results_now) {
            results[at] = result;
        }
    }
    Ok(results)
}

/// Which of some items the target has in another form than they were saved in, by their place, with why they failed.
async fn stored_otherwise<E: Ends>(
    context: &RunContext<E>,
    locale: &Locale,
    (nodes, results): (&[Node], &[StepResult]),
) -> Vec<(usize, StepResult)> {
    let saved = results.iter().enumerate();
    let saved = saved.filter_map(|(at, result)| match result {
        StepResult::Done(saved) => Some((at, saved.target)),
        StepResult::Failed { .. } | StepResult::Held => None,
    });
    let saved: Vec<(usize, TargetId)> = saved.collect();
    let ids: Vec<i64> = saved.iter().map(|(_, id)| id.raw()).collect();
    let there = match context.inquiry().items(locale, &ids).await {
        Ok(there) => there,
        Err(error) => {
            let unread = |(at, _)| match error.cause {
                Cause::Halted => (at, StepResult::Held),
                _ => (at, failed(format!("it could not be read back: {error}"))),
            };
            return saved.into_iter().map(unread).collect();
        }
    };
    let there: HashMap<TargetId, Entity<TargetId>> =
        there.into_iter().map(|one| (one.key.id, one)).collect();
    let spoilt = saved.into_iter().filter_map(|(at, id)| {
        let difference = difference(context, nodes[at], there.get(&id))?;
        Some((at, failed(difference)))
    });
    spoilt.collect()
}

/// How what the target has differs from what was saved. What the server adds is no difference.
fn difference<E: Ends>(
    context: &RunContext<E>,
    node: Node,
    there: Option<&Entity<TargetId>>,
) -> Option<String> {
    let sent = context.view.prepare_public(node).ok()?.save;
    let Some(there) = there else {
        return Some("it is not there after its save".to_owned());
    };
    let (schema, stored) = (&context.view.schema, there.body.parse());
    let lost = lost_companions(&sent.body, &stored, schema);
    let (expected, found) = (
        normal(Kind::Content, &sent.body, schema),
        normal(Kind::Content, &stored, schema),
    );
    let mut all = differences(&expected, &found).into_iter().chain(lost);
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
    let results = save(context, locale, (nodes, Version::Draft)).await?;
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
