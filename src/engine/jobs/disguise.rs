//! Answers to a create that name something which was there before.
//!
//! A server may take more names for one than anybody knows, and may write over what has the name instead of refusing it. Its
//! answer tells: the id was in the target's snapshot, or it is that of another counterpart. The first is a save over
//! something, with what the snapshot had as its former state; the second is a failure, and whatever was written over is sent
//! again.

use std::future::Future;
use std::pin::Pin;

use super::{asset, redirections, save};
use crate::domain::{Entity, Kind, TargetId};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::reconcile::settle;
use crate::engine::state::{Step, StepResult};
use crate::event::Event;
use crate::id_map::IdConflict;
use crate::instance::{Saved, Source, Target};
use crate::plan::Node;
use crate::store::{Change, FormerBytes, IntentId, StoreError};

impl<S: Source + Clone, T: Target + Clone> Crew<S, T> {
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

    /// The note of what was in the place of `there`, which nobody meant to write over.
    pub(in crate::engine) fn found_out(&self, there: &Entity<TargetId>) -> Change {
        let lost = || FormerBytes::Lost {
            why: "the target took another name for that of this asset".to_owned(),
        };
        let bytes = (there.key.kind == Kind::Asset).then(lost);
        self.pre_image(there, bytes, false)
    }
}

/// Makes durable that `item` became `saved`, and sends again what it has written over.
pub(super) async fn settled<S, T>(
    crew: &Crew<S, T>,
    intent: IntentId,
    item: &Prepared,
    saved: &Saved,
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let (result, taken) = settle(crew, intent, item, saved).await?;
    if taken {
        put_back(crew, item, saved).await?;
    }
    Ok(vec![result])
}

/// Sends again what `item` has written over.
pub(super) fn put_back<'a, S, T>(
    crew: &'a Crew<S, T>,
    item: &'a Prepared,
    saved: &'a Saved,
) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    Box::pin(async move {
        let key = &crew.entity(item.node).key;
        let Err(IdConflict::Target { kept, .. }) = crew.ids.claim(key, saved.id) else {
            return Ok(());
        };
        let owner = key.with_id(kept);
        let Some(node) = crew.source_inventory.position(&owner) else {
            return Ok(());
        };
        // What writes over one another is not put back for ever.
        if !crew.sent_again.insert(node) {
            return Ok(());
        }
        for result in again(crew, node).await? {
            if let StepResult::Failed { reason, .. } = result {
                let message =
                    format!("{owner} was written over and could not be sent again: {reason}");
                crew.sink.emit(Event::Warned { message }).await;
            }
        }
        Ok(())
    })
}

async fn again<S, T>(crew: &Crew<S, T>, node: Node) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let step = if crew.planned(node).is_patched() {
        Step::Patch
    } else {
        Step::Save
    };
    match crew.entity(node).key.kind {
        Kind::Model | Kind::Container | Kind::Template | Kind::Gallery => {
            save::run(crew, (node, step)).await
        }
        Kind::Asset => asset::run(crew, &[(node, step)], None).await,
        Kind::Redirection => redirections::run(crew, &[(node, step)], None).await,
        Kind::Content | Kind::Page => Ok(Vec::new()),
    }
}
