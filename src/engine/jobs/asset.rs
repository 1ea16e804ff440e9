//! Assets: new files share an upload with others of their folder and gallery; a file that replaces another has its own.
//!
//! What a file replaces is copied for an undo first. It may then have to be moved, so that the upload reaches it
//! at its new path.

use super::{RequestItems, disguise};
use crate::domain::folder_and_name;
use crate::engine::context::{Ends, PlanView, Prepared, RunContext};
use crate::engine::files::{Outgoing, counterpart};
use crate::engine::pace::Class;
use crate::engine::reconcile::{
    Cargo, Sent, carry, checked_file, close, find_file, insist, not_known, not_sent, repeat,
};
use crate::engine::state::{Step, StepResult};
use crate::instance::{Cause, Effect, RequestError, Saved, Target as _, Verdict, only_row};
use crate::plan::Node;
use crate::store::{IntentId, IntentState, Operation, StoreError};

/// Uploads files, or takes up the request in which they were sent.
pub(super) async fn run<E: Ends>(
    context: &RunContext<E>,
    steps: &[(Node, Step)],
    sent: Option<Sent>,
) -> Result<Vec<StepResult>, StoreError> {
    let lot = RequestItems::prepare(&context.view, steps);
    if lot.items.is_empty() {
        return Ok(lot.results(Vec::new()));
    }
    if lot.items.iter().all(|item| item.save.id.is_none()) {
        let carried = carry(context, Cargo::Files, &lot.items, sent).await?;
        for (at, saved) in &carried.taken {
            disguise::put_back(context, &lot.items[*at], saved).await?;
        }
        return Ok(lot.results(carried.results));
    }
    if let Some(sent) = sent {
        // The same bytes land in the same place.
        close(&context.journal, sent.intent, IntentState::Failed).await?;
    }
    let mut results = Vec::with_capacity(lot.items.len());
    for item in &lot.items {
        results.extend(replace(context, item.clone()).await?);
    }
    Ok(lot.results(results))
}

/// Uploads a file over its counterpart.
async fn replace<E: Ends>(
    context: &RunContext<E>,
    mut item: Prepared,
) -> Result<Vec<StepResult>, StoreError> {
    item.replaced = context.keep_replaced(&item).await;
    let intent = context
        .open_intent(Operation::Upload, std::slice::from_ref(&item), 1)
        .await?;
    match move_to_folder(context, &item, intent).await {
        // Its bytes follow once its place is free.
        Ok(Some(moved)) if is_set_aside(&context.view, &item) => {
            return disguise::settled(context, intent, &item, &moved).await;
        }
        Ok(_) => {}
        Err(error) => {
            close(&context.journal, intent, IntentState::Failed).await?;
            return Ok(vec![not_sent(&error)]);
        }
    }
    match upload(context, &mut item, intent).await {
        Ok(saved) => disguise::settled(context, intent, &item, &saved).await,
        Err(error) if matches!(error.cause, Cause::Malformed(_)) => {
            close(&context.journal, intent, IntentState::Failed).await?;
            Ok(vec![not_known(&error.to_string())])
        }
        // The same bytes land in the same place, so it does not matter whether it left.
        Err(error) => {
            close(&context.journal, intent, IntentState::Failed).await?;
            Ok(vec![not_sent(&error)])
        }
    }
}

/// Sends the bytes of a file, and notes what was sent.
async fn upload<E: Ends>(
    context: &RunContext<E>,
    item: &mut Prepared,
    intent: IntentId,
) -> Result<Saved, RequestError> {
    let files = [Outgoing::of(&context.view, item)];
    let opened = context.instances.open_file(&files[0]).await;
    let opened =
        opened.inspect_err(|error| context.journal.open.note(intent, &error.to_string()))?;
    let mut opened = Some(vec![opened]);
    let mut send = || {
        let upload = context.upload_files(&files, opened.take());
        async { only_row(upload.await?) }
    };
    let sender = context.under(intent);
    let answer = sender.send_as(Class::Asset, Effect::Write, &mut send).await;
    let saved = match answer {
        // Uploading over a path is harmless to repeat: the same bytes land in the same place.
        Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => match error.cause {
            Cause::Malformed(_) => find_file(context, item).await?.ok_or(error)?,
            _ => repeat(context, Class::Asset, send, error).await?,
        },
        answer => answer?,
    };
    let saved = checked_file(context, item, saved).await?;
    if let Some(sent) = files[0].meter.whole() {
        (item.bytes, item.sent) = (sent.digest.bytes, Some(sent));
    }
    Ok(saved)
}

/// Whether another asset still has the path of this one, so that it waits in a folder of its own.
fn is_set_aside(view: &PlanView, item: &Prepared) -> bool {
    item.step == Step::Save && view.planned(item.node).temporary.is_some()
}

/// Moves the counterpart of an asset to the folder that it has on the source, or to the one in which it waits for its
/// place. The bytes are sent to that path afterwards, where they land in the same asset; a move that took effect unseen is
/// harmless to repeat, because one that is there already stays. `None`: it is there.
async fn move_to_folder<E: Ends>(
    context: &RunContext<E>,
    item: &Prepared,
    intent: IntentId,
) -> Result<Option<Saved>, RequestError> {
    let name = &context.view.entity(item.node).name;
    let Some(there) = counterpart(&context.view, item).filter(|there| there.name != *name) else {
        return Ok(None);
    };
    let folder = match &context.view.planned(item.node).temporary {
        Some(folder) if is_set_aside(&context.view, item) => folder,
        Some(_) | None => folder_and_name(name).0,
    };
    let request = || context.instances.target.move_asset(there.key.id, folder);
    let moved = insist(context, (context.under(intent), Class::Write), request).await;
    moved.map(Some)
}
