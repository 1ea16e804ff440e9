//! Answers to a create that name something which was there before.
//!
//! A server may take more names for one than anybody knows, and may write over what has the name instead of refusing it. Its
//! answer tells: the id was in the target's snapshot, or it is that of another counterpart. The first is a save over
//! something, with what the snapshot had as its former state; the second is a failure, and whatever was written over is sent
//! again.

use std::future::Future;
use std::pin::Pin;

use super::{asset, redirections, save};
use crate::domain::{Entity, EntityKey, Kind, TargetId, TargetKey};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::state::{Step, StepResult};
use crate::instance::{Saved, Source, Target};
use crate::plan::Node;
use crate::store::{Change, FormerBytes, StoreError};

/// Which entity a save has written.
#[derive(Debug)]
pub(in crate::engine) enum Written<'a> {
    /// The one that it was addressed to, or a new one.
    AsAsked,
    /// One that was on the target before the run.
    Over(&'a Entity<TargetId>),
    /// The counterpart of another entity.
    Of(EntityKey),
}

impl<S: Source + Clone, T: Target + Clone> Crew<S, T> {
    /// Which entity the save of `item`, answered with `saved`, has written. That one is claimed with the answer, before
    /// anything of it is made durable.
    pub(in crate::engine) fn written(&self, item: &Prepared, saved: &Saved) -> Written<'_> {
        let key = &self.entity(item.node).key;
        let is_own = |id: TargetId| id == saved.id;
        if item.save.id.is_some_and(is_own) || self.ids.shared(key.kind, key.id).is_some_and(is_own)
        {
            return Written::AsAsked;
        }
        let owner = self.ids.claim(key, saved.id);
        if owner != key.id {
            return Written::Of(EntityKey {
                kind: key.kind,
                id: owner,
                locale: key.locale.clone(),
            });
        }
        let there = TargetKey {
            kind: key.kind,
            id: saved.id,
            locale: key.locale.clone(),
        };
        let there = self.target_inventory.get(&there);
        there.map_or(Written::AsAsked, Written::Over)
    }

    /// What was in the place of `there`, which nobody meant to write over.
    pub(in crate::engine) fn found_out(&self, there: &Entity<TargetId>) -> Change {
        let lost = || FormerBytes::Lost {
            why: "the target took another name for that of this asset".to_owned(),
        };
        let bytes = (there.key.kind == Kind::Asset).then(lost);
        self.pre_image(there, bytes, false)
    }
}

/// Why an entity is a failure whose save has written over the counterpart of `owner`.
pub(super) fn told(owner: &EntityKey, there: TargetId) -> String {
    format!(
        "the target takes its name for that of {owner} and wrote over its counterpart {there}, which is sent again; \
         rename one of the two on the source"
    )
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
        let Written::Of(owner) = crew.written(item, saved) else {
            return Ok(());
        };
        let Some(node) = crew.source_inventory.position(&owner) else {
            return Ok(());
        };
        let results = again(crew, node).await?;
        for result in results {
            if let StepResult::Failed { reason, .. } = result {
                let message =
                    format!("{owner} was written over and could not be sent again: {reason}");
                crew.sink
                    .emit(crate::event::Event::Warned { message })
                    .await;
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
        Kind::Asset => asset::run(crew, (node, step)).await,
        Kind::Redirection => redirections::run(crew, &[(node, step)]).await,
        // No name of theirs makes a server write over another one: their saves go by ids.
        Kind::Content | Kind::Page => Ok(Vec::new()),
    }
}
