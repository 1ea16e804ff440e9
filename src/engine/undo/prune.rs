//! Deletes what the source no longer has, after the uploads of a run and what it publishes.
//!
//! These deletes work like those of an undo: with a last check, under an intent, in stages, and read back. The pre-image is
//! recorded with the intent, so that an undo of the run can create the entity again.
//!
//! The plan was made before the uploads, which may have failed or have removed fewer references than expected. So the target
//! is read once more, in all of its locales, and only what still holds of the plan is carried out.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::actions::Actions;
use super::executor::UndoExecutor;
use super::gather::UndoOutlook;
use super::purpose::Purpose;
use super::run::limits;
use super::state::{UndoState, work};
use crate::domain::{Inventory, TargetId};
use crate::engine::agreements::by_key;
use crate::engine::context::{PreImages, RunContext};
use crate::engine::control::Control;
use crate::engine::dispatch::carry_out;
use crate::engine::end::End;
use crate::engine::forecast::{EtaEstimator, PostUploadWork, Publication};
use crate::engine::lease::Fence;
use crate::engine::run_error::RunError;
use crate::engine::session::{PrunePlan, Session};
use crate::engine::verify::Difference;
use crate::event::Event;
use crate::instance::{Source, Target};
use crate::plan::Prune;
use crate::plan::undo::Created;

/// The outcome of the deletes of a run.
#[derive(Debug, Default)]
pub(in crate::engine) struct PruneEnd {
    /// How the run ended by them.
    pub(in crate::engine) end: End,
    /// Entities that could not be deleted, or were blocked by those.
    pub(in crate::engine) failed: usize,
    /// Entities that were left alone because the target changed them.
    pub(in crate::engine) conflicts: usize,
    /// What is still there, although it was deleted.
    pub(in crate::engine) differences: Vec<Difference>,
}

impl<S: Source, T: Target> Session<S, T> {
    /// Deletes what was planned and still holds. `context` is that of the uploads, which are done.
    pub(in crate::engine) async fn prune(
        &self,
        context: &RunContext<(S, T)>,
        (planned, before): &PrunePlan,
        control: &mut Control<'_>,
        fence: Fence,
    ) -> Result<PruneEnd, RunError> {
        if planned.traces.is_empty() {
            return Ok(PruneEnd::default());
        }
        if control.is_asked() {
            return Ok(PruneEnd {
                end: End::Interrupted,
                ..PruneEnd::default()
            });
        }
        let outlook = match control.looking(self.look_again(planned, before)).await {
            Ok(outlook) => Arc::new(outlook?),
            Err(cut) => {
                return Ok(PruneEnd {
                    end: cut.into(),
                    ..PruneEnd::default()
                });
            }
        };
        self.emit_prune(&outlook).await;
        let actions = Arc::new(Actions::of(&outlook));
        let mut own = self.bare_context(
            Arc::new(Inventory::empty(self.source.guid.clone())),
            Arc::clone(&outlook.target),
            Some(fence),
        );
        // One run has one count of its intents.
        own.journal.intents = AtomicI64::new(context.journal.intents.load(Ordering::Relaxed));
        own.view.pre_images = PreImages::new(
            Arc::new(outlook.mappings.values().cloned().collect()),
            Arc::new(context.view.pre_images.places().clone()),
        );
        let plan = (Arc::clone(&outlook), Arc::clone(&actions));
        let executor = Arc::new(UndoExecutor::with(own, plan));
        let state = UndoState::new(Arc::clone(&outlook), actions, limits(&self.options));
        let after = PostUploadWork {
            publication: Publication::default(),
            reading: executor.reading(),
        };
        let end = carry_out(
            Arc::clone(&executor),
            (state, EtaEstimator::new(after)),
            control,
        )
        .await?;
        for there in executor.deleted() {
            context.live.foreign.expect_deleted(there);
        }
        let mut pruned = PruneEnd {
            end,
            failed: executor.failures(),
            conflicts: outlook.plan.changed(),
            differences: Vec::new(),
        };
        if pruned.end.is_complete() && self.options.verify {
            match control.looking(executor.differences(&self.target)).await {
                Ok(found) => pruned.differences = found?,
                Err(cut) => pruned.end = cut.into(),
            }
        }
        Ok(pruned)
    }

    /// The plan on the target as it is after the uploads.
    async fn look_again(
        &self,
        planned: &Prune,
        before: &Arc<Inventory<TargetId>>,
    ) -> Result<UndoOutlook, RunError> {
        let target = if planned.deletes().next().is_some() {
            let locales = self.target.locales().await?;
            Arc::new(self.target.pull::<TargetId>(&locales).await?)
        } else {
            Arc::clone(before)
        };
        let Prune { traces, plan } = planned.again(before, &target);
        Ok(UndoOutlook {
            purpose: Purpose::Prune,
            undone: self.run.clone(),
            noted: vec![None; traces.len()],
            created: Created::new(),
            traces,
            plan,
            target,
            webhooks: Vec::new(),
            mappings: by_key(self.store.mappings(&self.pair()).await?),
        })
    }

    async fn emit_prune(&self, outlook: &UndoOutlook) {
        let (entities, lanes) = work(outlook);
        let delete: u32 = lanes.iter().map(|lane| lane.entities).sum();
        let all: u32 = entities.values().sum();
        let planned = Event::PrunePlanned {
            entities: entities.into_iter().collect(),
            lanes,
            delete,
            kept: all - delete,
        };
        self.sink.emit(planned).await;
    }
}
