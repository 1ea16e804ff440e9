//! An undo from its first question to its last event.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::actions::Actions;
use super::executor::UndoExecutor;
use super::gather::UndoOutlook;
use super::state::{UndoState, work};
use crate::domain::{EntityKey, RunId};
use crate::engine::agreements::by_key;
use crate::engine::control::Control;
use crate::engine::dispatch::carry_out;
use crate::engine::end::End;
use crate::engine::forecast::{
    Costs, EtaEstimator, PostUploadWork, Publication, Reading, emit_while,
};
use crate::engine::lease::{Fence, Keeper};
use crate::engine::options::Options;
use crate::engine::pace::Sample;
use crate::engine::reconcile::{Known, settle_undone};
use crate::engine::run_error::RunError;
use crate::engine::session::{Session, is_lost, sorted};
use crate::engine::state::Limits;
use crate::engine::verify::Difference;
use crate::event::{Bottleneck, Command, Event, Phase};
use crate::instance::{Source, Target};
use crate::plan::undo::{Decision, Kept};

/// What is to be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoRequest {
    /// The run.
    pub run: RunId,
    /// Whether what was changed since is undone as well.
    pub changed_too: bool,
}

/// How an undo ended.
#[derive(Debug)]
pub struct UndoEnd {
    /// What was going to happen.
    pub outlook: Arc<UndoOutlook>,
    /// Whether the user agreed to the plan; otherwise nothing was done.
    pub agreed: bool,
    /// How it ended.
    pub end: End,
    /// Entities that could not be deleted or restored, or were blocked by those.
    pub failed: usize,
    /// Why something could not be published again.
    pub unpublished: Vec<String>,
    /// What the verification found; `None` when there was none.
    pub differences: Option<Vec<Difference>>,
    /// Entities with an outcome in an earlier run that cannot be found out, with the reason.
    pub in_doubt: Vec<(EntityKey, String)>,
    /// Webhooks of the target that are still switched off, or not as they were, each with what to do in a sentence.
    pub webhooks_off: Vec<String>,
}

impl<S: Source, T: Target> Session<S, T> {
    /// Undoes a run: first what interrupted runs have left open is settled, then the plan is made and shown to `agree`,
    /// and when that agrees it is carried out. Only one run at a time may do that between the same two instances.
    ///
    /// # Errors
    /// [`RunError`] when it could not begin, or its state could not be kept, and whatever `agree` fails with. Failures
    /// of entities are no error of the undo: they are in the events and in the store.
    pub async fn undo<A, F>(
        &self,
        request: &UndoRequest,
        commands: &mut mpsc::Receiver<Command>,
        agree: A,
    ) -> Result<UndoEnd, RunError>
    where
        A: FnOnce(&UndoOutlook) -> F,
        F: Future<Output = Result<bool, RunError>>,
    {
        let ttl = self.options.lease_ttl;
        let keeper = Keeper::acquire(&self.store, &self.pair(), self.owner.clone(), ttl).await?;
        let control = Control::under(commands, &keeper);
        let end = Box::pin(self.undo_alone(request, control, agree, &keeper)).await;
        let ended = end.as_ref().map(|end| &end.end);
        let webhooks_off = Box::pin(self.after_writes(is_lost(ended), &keeper)).await;
        keeper.release().await;
        end.map(|end| UndoEnd {
            webhooks_off,
            ..end
        })
    }

    /// What [`Session::undo`] does while it has the lease.
    async fn undo_alone<A, F>(
        &self,
        request: &UndoRequest,
        mut control: Control<'_>,
        agree: A,
        keeper: &Keeper,
    ) -> Result<UndoEnd, RunError>
    where
        A: FnOnce(&UndoOutlook) -> F,
        F: Future<Output = Result<bool, RunError>>,
    {
        let fence = &keeper.fence();
        control.read(self.after_takeover(keeper)).await?;
        let doubts = control.read(self.settle_open(fence)).await?;
        let outlook = control.read(self.plan_undo(request)).await?;
        let agreed = control.read(agree(&outlook)).await?;
        let mut end = UndoEnd {
            outlook: Arc::new(outlook),
            agreed,
            end: End::Complete,
            failed: 0,
            unpublished: Vec::new(),
            differences: None,
            in_doubt: sorted(doubts),
            webhooks_off: Vec::new(),
        };
        if !agreed {
            return Ok(end);
        }
        let webhooks = (&*end.outlook.webhooks, end.outlook.has_work());
        Box::pin(self.before_writes(webhooks, keeper)).await?;
        // Not before: nothing may stand between the plan and the question on a terminal.
        self.emit_undo(&end.outlook).await;
        self.phase(Phase::Upload).await;
        let actions = Arc::new(Actions::of(&end.outlook));
        let plan = (Arc::clone(&end.outlook), Arc::clone(&actions));
        let executor = Arc::new(UndoExecutor::of_undo(self, plan, fence.clone()));
        let state = UndoState::new(Arc::clone(&end.outlook), actions, limits(&self.options));
        let reading = if self.options.verify {
            executor.reading()
        } else {
            Reading::default()
        };
        // What is published is part of the plan.
        let after = PostUploadWork {
            publication: Publication::default(),
            reading,
        };
        let work = (state, EtaEstimator::new(after));
        end.end = carry_out(Arc::clone(&executor), work, &mut control).await?;
        if end.end.is_complete() {
            executor.emit_still_public().await;
        }
        if end.end.is_complete() && self.options.verify {
            self.phase(Phase::Verify).await;
            let forecast = |began: &Sample, now: &Sample| {
                let left = PostUploadWork::verifying(reading, began, now);
                Some(left.forecast(
                    &Costs::of(&executor.context),
                    Duration::ZERO,
                    Bottleneck::Verification,
                ))
            };
            let compared = emit_while(&executor.context, forecast, executor.verify(&self.target));
            match control.looking(compared).await {
                Ok(found) => end.differences = Some(found?),
                Err(cut) => end.end = cut.into(),
            }
        }
        end.failed = executor.failures();
        end.unpublished = executor.take_unpublished();
        Ok(end)
    }

    /// Finds out the outcome of the open requests of earlier runs. The source is read only when there are some that
    /// are compared with it.
    async fn settle_open(&self, fence: &Fence) -> Result<HashMap<EntityKey, String>, RunError> {
        let mut doubts = settle_undone(self.recovery(fence)).await?;
        let Some(recovery) = self.recovery(fence).begin().await? else {
            return Ok(doubts);
        };
        self.phase(Phase::Pull).await;
        let locales = self.resolve_locales().await?;
        let (mapped, target) = self.pull(&locales).await?;
        let known = Known {
            source: &self.source,
            source_inventory: &mapped.source,
            target_inventory: &target,
            mappings: by_key(self.store.mappings(&self.pair()).await?),
        };
        doubts.extend(recovery.settle(&known).await?.doubts);
        Ok(doubts)
    }

    async fn emit_undo(&self, outlook: &UndoOutlook) {
        let (entities, lanes) = work(outlook);
        let (mut delete, mut restore, mut kept) = (0, 0, 0);
        for decided in &outlook.plan.entities {
            match decided.decision {
                Decision::Delete => delete += 1,
                Decision::Restore | Decision::CreateAgain => restore += 1,
                Decision::Keep(_) => kept += 1,
                Decision::AsBefore | Decision::Gone => {}
            }
        }
        let planned = Event::UndoPlanned {
            undone: outlook.undone.clone(),
            entities: entities.into_iter().collect(),
            lanes,
            delete,
            restore,
            kept,
        };
        self.sink.emit(planned).await;
    }
}

/// Bounds on what is in flight.
pub(super) fn limits(options: &Options) -> Limits {
    Limits {
        saves: options.writes.max(1),
        assets: options.assets_in_flight.max(1),
        // Each is kept beside the state, and uploaded alone.
        files: options.assets_in_flight.max(1),
        upload: options.upload,
        batches: options.batches_in_flight.max(1),
        batch_items: options.batch_items.clamp(1, 250),
        // Each has its place among others.
        pages: 1,
    }
}

impl UndoEnd {
    /// Entities that were left alone, by whether that is as it should be: `true` for what was changed since or is still
    /// needed, `false` for what could not be brought back.
    pub fn kept(&self, as_it_should: bool) -> usize {
        let kept = |decision: &Decision| match decision {
            Decision::Keep(Kept::NotRestorable(_)) => !as_it_should,
            Decision::Keep(Kept::Changed { .. } | Kept::Needed { .. } | Kept::Protected(_)) => {
                as_it_should
            }
            Decision::Delete
            | Decision::Restore
            | Decision::CreateAgain
            | Decision::AsBefore
            | Decision::Gone => false,
        };
        let entities = &self.outlook.plan.entities;
        entities
            .iter()
            .filter(|decided| kept(&decided.decision))
            .count()
    }
}
