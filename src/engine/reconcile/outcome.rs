//! Claims the counterpart of an entity, makes it durable, then publishes it to the lanes; and results in words.

use std::collections::HashMap;

use crate::domain::{Failure, FailureCause, Kind, TargetId};
use crate::engine::context::{Ends, Journal, Live, PlanView, Prepared, RunContext};
use crate::engine::state::{How, Saved as Done, StepResult};
use crate::id_map::IdConflict;
use crate::instance::{Cause, Refusal, RequestError, Saved, Unconfirmed};
use crate::store::{Change, IntentId, IntentState, StoreError};

/// Makes durable that `item` became `saved`, then lets the lanes see it. Also returns whether it is the counterpart of
/// another entity.
pub(in crate::engine) async fn settle<E: Ends>(
    context: &RunContext<E>,
    intent: IntentId,
    item: &Prepared,
    saved: &Saved,
) -> Result<(StepResult, bool), StoreError> {
    let (changes, result) = keep(context, item, saved);
    commit(&context.journal, intent, IntentState::Done, changes).await?;
    Ok(match result {
        Some(refused) => (refused, true),
        None => (
            publish_to_id_map(&context.view, &context.live, item, saved),
            false,
        ),
    })
}

/// What the store has to keep of `item`, or the result of one whose counterpart belongs to another entity.
fn keep<E: Ends>(
    context: &RunContext<E>,
    item: &Prepared,
    saved: &Saved,
) -> (Vec<Change>, Option<StepResult>) {
    match context.changes_of(item, saved) {
        Ok(changes) => (changes, None),
        Err(conflict) => (Vec::new(), Some(failed(taken(&conflict)))),
    }
}

/// As [`keep`], for several: claims all, and gives one result per refused claim.
pub(super) fn keep_all<'i, E: Ends>(
    context: &RunContext<E>,
    items: impl Iterator<Item = (usize, &'i Prepared, &'i Saved)>,
) -> (Vec<Change>, HashMap<usize, StepResult>) {
    let (mut changes, mut refused) = (Vec::new(), HashMap::new());
    for (at, item, saved) in items {
        let (kept, result) = keep(context, item, saved);
        changes.extend(kept);
        refused.extend(result.map(|result| (at, result)));
    }
    (changes, refused)
}

/// Lets the lanes see what is durable.
pub(super) fn publish_to_id_map(
    view: &PlanView,
    live: &Live,
    item: &Prepared,
    saved: &Saved,
) -> StepResult {
    let over = view.written_over(item, saved).is_some();
    match view.arrived(item.node, saved) {
        Ok(()) => {
            live.placed.insert(item.node);
            if let Some(sent) = item.sent {
                live.sent_bytes.insert(view.entity(item.node).key.id, sent);
            }
            if item.was_published {
                live.republish.insert(item.node);
            }
            StepResult::Done(Done {
                target: saved.id,
                bytes: item.bytes,
                how: if over { How::Over } else { How::AsPlanned },
            })
        }
        Err(conflict) => failed(conflict.to_string()),
    }
}

/// Makes durable that a request did nothing, or has an unknown outcome.
pub(in crate::engine) async fn close(
    journal: &Journal,
    intent: IntentId,
    state: IntentState,
) -> Result<(), StoreError> {
    commit(journal, intent, state, Vec::new()).await
}

/// Makes durable how a request ended, with what the store needs of it.
pub(in crate::engine) async fn commit(
    journal: &Journal,
    intent: IntentId,
    state: IntentState,
    mut changes: Vec<Change>,
) -> Result<(), StoreError> {
    changes.push(journal.closed(intent, state));
    journal.store.commit(changes).await
}

/// The target, or this run, refused an entity.
pub(in crate::engine) fn failed(reason: impl Into<String>) -> StepResult {
    failure(Failure::Refused, reason)
}

/// The request for an entity failed, or did not leave.
pub(in crate::engine) fn not_sent(error: &RequestError) -> StepResult {
    if error.cause == Cause::Halted {
        return StepResult::Held;
    }
    failure(error.cause.of_entity(), error.to_string())
}

/// Makes durable that the request of an intent never left.
pub(in crate::engine) async fn never_left(
    journal: &Journal,
    intent: IntentId,
    entities: usize,
) -> Result<Vec<StepResult>, StoreError> {
    close(journal, intent, IntentState::Failed).await?;
    Ok(held_back(entities))
}

/// Nothing is known of these, and the run ends. Their intent stays open for the next one.
pub(in crate::engine) fn held_back(entities: usize) -> Vec<StepResult> {
    vec![StepResult::Held; entities]
}

/// An entity could not be made ready: what it refers to is missing.
pub(in crate::engine) fn not_prepared(reason: impl Into<String>) -> StepResult {
    failure(Failure::Reference, reason)
}

/// An entity did not make it, for a reason of this kind.
pub(in crate::engine) fn failure(
    cause: impl Into<FailureCause>,
    reason: impl Into<String>,
) -> StepResult {
    StepResult::Failed {
        reason: reason.into(),
        cause: cause.into(),
    }
}

/// The result of an unknown outcome.
pub(in crate::engine) fn not_known(why: &str) -> StepResult {
    let reason = format!("whether it arrived is not known: {why}; run again to find out");
    failure(Failure::InDoubt, reason)
}

/// Why it is not known whether an entity arrived that is not there as it was sent: the target has something new in its place.
pub(super) fn altered(why: &str, kind: Kind, suspects: &[TargetId]) -> String {
    let ids: Vec<String> = suspects.iter().map(ToString::to_string).collect();
    format!(
        "{why}; it is not there as it was sent, and {kind} {} appeared in its place meanwhile, which may be an altered copy \
         of it",
        ids.join(", ")
    )
}

pub(super) fn refused(refusal: &Refusal) -> StepResult {
    failed(refusal_message(refusal))
}

/// The server's words about an item or a batch.
pub(in crate::engine) fn refusal_message(refusal: &Refusal) -> String {
    let kind = refusal.error_type.as_ref();
    let kind = kind.map(|kind| format!("{kind}: ")).unwrap_or_default();
    format!("the server refused it: {kind}{:?}", refusal.said)
}

/// What stands against the success of an item.
pub(in crate::engine) fn in_words(unconfirmed: &Unconfirmed) -> String {
    match unconfirmed {
        Unconfirmed::Refused(refusal) => refusal_message(refusal),
        Unconfirmed::Unclear(why) => why.clone(),
    }
}

/// Whether a save of this kind can hit another entity by its name. Content has none, and a page is saved by its id or
/// refused.
const fn goes_by_name(kind: Kind) -> bool {
    match kind {
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => true,
        Kind::Content | Kind::Page => false,
    }
}

/// Why an entity is a failure whose save was answered with the counterpart of another one.
fn taken(conflict: &IdConflict) -> String {
    match conflict {
        IdConflict::Target {
            kind, target, kept, ..
        } if goes_by_name(*kind) => format!(
            "the target takes its name for that of {kind}:{kept} and wrote over its counterpart {target}, which is sent \
             again; rename one of the two on the source"
        ),
        IdConflict::Target { .. } | IdConflict::Source { .. } => conflict.to_string(),
    }
}
