//! Answers to a create that name something which was there before.
//!
//! A server may treat more names as equal than documented, and may overwrite what has the name instead of refusing it. Its
//! answer shows it: the id was in the target's snapshot, or it is that of another counterpart. The first is a save over
//! something, with what the snapshot had as its former state; the second is a failure, and whatever was written over is sent
//! again.

use std::future::Future;
use std::pin::Pin;

use super::{asset, redirections, save};
use crate::domain::{Entity, Kind, TargetId};
use crate::engine::context::{Ends, PlanView, Prepared, RunContext};
use crate::engine::reconcile::settle;
use crate::engine::state::{Step, StepResult};
use crate::event::Event;
use crate::id_map::IdConflict;
use crate::instance::Saved;
use crate::plan::Node;
use crate::store::{Change, IntentId, PriorBytes, StoreError};

impl PlanView {
    /// What was on the target before the run and has been written over by the save of `item`, which was addressed to
    /// something else or to nothing.
    pub(in crate::engine) fn written_over(
        &self,
        item: &Prepared,
        saved: &Saved,
    ) -> Option<&Entity<TargetId>> {
        if item.save.id == Some(saved.id) {
            return None;
        }
        let key = &self.entity(item.node).key;
        self.target_inventory.get(&key.with_id(saved.id))
    }
}

impl<E: Ends> RunContext<E> {
    /// The note of what was in the place of `there`, overwritten by mistake.
    pub(in crate::engine) fn found_out(&self, there: &Entity<TargetId>) -> Change {
        let lost = || PriorBytes::Lost {
            why: "the target took another name for that of this asset".to_owned(),
        };
        let bytes = (there.key.kind == Kind::Asset).then(lost);
        self.pre_image(there, bytes, false)
    }
}

/// Makes durable that `item` became `saved`, and sends again what it has written over.
pub(super) async fn settled<E: Ends>(
    context: &RunContext<E>,
    intent: IntentId,
    item: &Prepared,
    saved: &Saved,
) -> Result<Vec<StepResult>, StoreError> {
    let (result, taken) = settle(context, intent, item, saved).await?;
    if taken {
        put_back(context, item, saved).await?;
    }
    Ok(vec![result])
}

/// Sends again what `item` has written over.
pub(super) fn put_back<'a, E: Ends>(
    context: &'a RunContext<E>,
    item: &'a Prepared,
    saved: &'a Saved,
) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>> {
    Box::pin(async move {
        let key = &context.view.entity(item.node).key;
        let Err(IdConflict::Target { kept, .. }) = context.view.ids.claim(key, saved.id) else {
            return Ok(());
        };
        let owner = key.with_id(kept);
        let Some(node) = context.view.source_inventory.position(&owner) else {
            return Ok(());
        };
        // What writes over one another is not put back for ever.
        if !context.live.sent_again.insert(node) {
            return Ok(());
        }
        for result in resubmit(context, node).await? {
            if let StepResult::Failed { reason, .. } = result {
                let message =
                    format!("{owner} was written over and could not be sent again: {reason}");
                context.sink.emit(Event::Warned { message }).await;
            }
        }
        Ok(())
    })
}

async fn resubmit<E: Ends>(
    context: &RunContext<E>,
    node: Node,
) -> Result<Vec<StepResult>, StoreError> {
    let step = if context.view.planned(node).is_patched() {
        Step::Patch
    } else {
        Step::Save
    };
    match context.view.entity(node).key.kind {
        Kind::Model | Kind::Container | Kind::Template | Kind::Gallery => {
            save::run(context, (node, step)).await
        }
        Kind::Asset => asset::run(context, &[(node, step)], None).await,
        Kind::Redirection => redirections::run(context, &[(node, step)], None).await,
        Kind::Content | Kind::Page => Ok(Vec::new()),
    }
}
