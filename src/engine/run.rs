//! A whole run: read, plan, upload, publish, delete, verify.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::context::RunContext;
use super::control::Control;
use super::dispatch::carry_out;
use super::end::End;
use super::forecast::{Costs, EtaEstimator, PostUploadWork, Reading, emit_while};
use super::lease::Keeper;
use super::pace::Sample;
use super::publish;
use super::row_order::put_in_order;
use super::run_error::RunError;
use super::session::{Prepared, Session, is_lost, sorted};
use super::state::{Limits, RunState};
use super::unplaced::Unplaced;
use super::verify::{Difference, Scope, Verified, verify};
use crate::domain::{EntityKey, Guid, Inventory, Kind, Locale, SourceId};
use crate::event::{Bottleneck, Command, Event, Phase};
use crate::instance::{Source, Target};
use crate::plan::{Action, Node, Plan};
use crate::store::Publishing;

/// How a run ended.
#[derive(Debug)]
pub struct RunReport {
    /// What was going to happen.
    pub plan: Arc<Plan>,
    /// What the target is to have of the source, in the order of the plan.
    pub source: Arc<Inventory<SourceId>>,
    /// What the source holds.
    pub read: Arc<Inventory<SourceId>>,
    /// The instance written to.
    pub target: Guid,
    /// How it ended.
    pub end: End,
    /// Entities that failed or were blocked.
    pub failed: usize,
    /// Entities that changed on both sides and were left alone.
    pub conflicts: usize,
    /// What could not be published, with the reason.
    pub unpublished: Vec<(EntityKey, String)>,
    /// What the verification found; `None` when there was none.
    pub differences: Option<Vec<Difference>>,
    /// Entities that an interrupted run had sent with an unknown outcome, with the reason and the next step.
    /// They were left alone; the run does not count as a success.
    pub in_doubt: Vec<(EntityKey, String)>,
    /// Webhooks of the target that are still switched off, or not as they were, each with what to do in a sentence.
    pub webhooks_off: Vec<String>,
}

impl<S: Source, T: Target> Session<S, T> {
    /// Moves everything that is in scope. Only one run at a time may do that between the same two instances.
    ///
    /// # Errors
    /// [`RunError`] when the run could not begin, or its state could not be kept. Failures of entities are
    /// no error of the run: they are in the events and in the store.
    pub async fn sync(
        &self,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<RunReport, RunError> {
        let owner = self.owner.clone();
        let ttl = self.options.lease_ttl;
        let keeper = Keeper::acquire(&self.store, &self.pair(), owner, ttl).await?;
        let control = Control::under(commands, &keeper);
        let report = Box::pin(self.sync_under_lease(control, &keeper)).await;
        let ended = report.as_ref().map(|report| &report.end);
        let webhooks_off = Box::pin(self.after_writes(is_lost(ended), &keeper)).await;
        keeper.release().await;
        report.map(|report| RunReport {
            webhooks_off,
            ..report
        })
    }

    /// What [`Session::sync`] does while it has the lease.
    async fn sync_under_lease(
        &self,
        mut control: Control<'_>,
        keeper: &Keeper,
    ) -> Result<RunReport, RunError> {
        let fence = keeper.fence();
        control.read(self.after_takeover(keeper)).await?;
        let prepared = control.read(self.prepare_after_recovery(&fence)).await?;
        // What an interrupted run had sent is known to the state, whether it can be found or not.
        let is_unknown = prepared.plan.is_target_unknown() && prepared.doubts.is_empty();
        if is_unknown && !self.matching.create_unmatched {
            return Err(RunError::Unplaced(Unplaced::of(&prepared.plan)));
        }
        let decided = self.decided(&prepared);
        if let Some(review) = &self.review {
            control.read(review.review(&decided)).await?;
        }
        let webhooks = (&**prepared.webhooks, decided.has_work());
        Box::pin(self.before_writes(webhooks, keeper)).await?;
        let limits = self.limits();
        let state = RunState::new(
            Arc::clone(&prepared.plan),
            Arc::clone(&prepared.source),
            self.options.schedule,
            self.options.fail_fast,
            limits,
        );
        self.emit_plan(&prepared, &state).await;
        let context = Arc::new(self.context(&prepared, Some(fence.clone())));
        context.remember_agreements(&prepared.mappings).await?;
        context.remember_places().await?;
        context.remember_lists(prepared.plan.lists.clone()).await?;
        self.phase(Phase::Upload).await;
        let after = PostUploadWork::of(&context, publish::expected(&context), &prepared.locales);
        let work = (state, EtaEstimator::new(after));
        let end = carry_out(Arc::clone(&context), work, &mut control).await?;
        let mut report = RunReport {
            failed: 0,
            conflicts: conflicts(&prepared.plan),
            plan: Arc::clone(&prepared.plan),
            source: Arc::clone(&prepared.source),
            read: Arc::clone(&prepared.mapped.read),
            target: self.target.guid.clone(),
            end,
            unpublished: Vec::new(),
            differences: None,
            in_doubt: sorted(prepared.doubts),
            webhooks_off: Vec::new(),
        };
        if report.end.is_complete() {
            let ordered = put_in_order(&context, (limits, after), &mut control).await?;
            report.end = ordered.end;
            report.failed += ordered.failed;
        }
        let mut shown = HashMap::new();
        if report.end.is_complete() {
            let known = (&**prepared.mappings, &prepared.published);
            let choice = (known, self.approved.as_deref());
            let published = publish::publish(&context, choice, after.reading, &mut control).await?;
            report.end = published.end;
            report.unpublished = published.refused;
            report.failed += published.unsaved_drafts;
            shown = published.published;
        }
        let mut still_there = Vec::new();
        if report.end.is_complete() {
            let prune = &prepared.prune;
            let pruned = Box::pin(self.prune(&context, prune, &mut control, fence)).await?;
            report.end = pruned.end;
            report.failed += pruned.failed;
            report.conflicts += pruned.conflicts;
            still_there = pruned.differences;
        }
        if report.end.is_complete() && self.options.verify {
            let what = (&*prepared.locales, still_there, &shown);
            match self.verify_after(&context, what, &mut control).await? {
                Ok(found) => report.differences = Some(found),
                Err(end) => report.end = end,
            }
        }
        context.warn_of_foreign().await;
        report.failed += context.live.unfinished.len();
        Ok(report)
    }

    /// Compares what the run has left, and keeps what that shows. `Err` is how the run ended before that was through.
    async fn verify_after(
        &self,
        context: &Arc<RunContext<(S, T)>>,
        (locales, earlier, shown): (&[Locale], Vec<Difference>, &HashMap<Node, Publishing>),
        control: &mut Control<'_>,
    ) -> Result<Result<Vec<Difference>, End>, RunError> {
        if control.is_asked() {
            return Ok(Err(End::Interrupted));
        }
        let compared = Box::pin(self.compare(context, locales, (Scope::AfterRun, earlier)));
        let verified = match control.looking(compared).await {
            Ok(verified) => verified?,
            Err(cut) => return Ok(Err(cut.into())),
        };
        context.remember_shown(shown, &verified.compared).await?;
        context.remember_compared(verified.compared).await?;
        context.remember_lists(verified.lists).await?;
        context.remember_rows(verified.places).await?;
        Ok(Ok(verified.differences))
    }

    /// Compares the target with what the source becomes, and writes nothing.
    ///
    /// # Errors
    /// [`RunError`]
    pub async fn verify(
        &self,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<RunReport, RunError> {
        let mut control = Control::new(commands);
        let prepared = control.read(self.prepare()).await?;
        if prepared.plan.is_target_unknown() {
            let message = Unplaced::of(&prepared.plan).to_string();
            self.sink.emit(Event::Warned { message }).await;
        }
        let context = Arc::new(self.context(&prepared, None));
        let scope = (Scope::Everything, Vec::new());
        let compared = Box::pin(self.compare(&context, &prepared.locales, scope));
        let differences = control.read(compared).await?.differences;
        Ok(RunReport {
            plan: prepared.plan,
            source: prepared.source,
            read: prepared.mapped.read,
            target: self.target.guid.clone(),
            end: End::Complete,
            failed: 0,
            conflicts: 0,
            unpublished: Vec::new(),
            differences: Some(differences),
            in_doubt: Vec::new(),
            webhooks_off: Vec::new(),
        })
    }

    /// Reads the target back and compares it, and reports the time that is left.
    async fn compare(
        &self,
        context: &Arc<RunContext<(S, T)>>,
        locales: &[Locale],
        (scope, earlier): (Scope, Vec<Difference>),
    ) -> Result<Verified, RunError> {
        self.phase(Phase::Verify).await;
        let reading = Reading::of(context, locales, scope);
        let forecast = |began: &Sample, now: &Sample| {
            let left = PostUploadWork::verifying(reading, began, now);
            Some(left.forecast(
                &Costs::of(context),
                Duration::ZERO,
                Bottleneck::Verification,
            ))
        };
        let compared = verify(context, &self.target, locales, (scope, earlier));
        Ok(emit_while(context, forecast, compared).await?)
    }

    async fn emit_plan(&self, prepared: &Prepared, state: &RunState) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let entities = Kind::ALL.map(|kind| (kind, count(prepared.source.of_kind(kind).len())));
        self.sink
            .emit(Event::PlanMade {
                entities: entities
                    .into_iter()
                    .filter(|(_, count)| *count > 0)
                    .collect(),
                lanes: state.lane_plan(),
                gates: state.gates().plan(),
                levels: prepared.plan.levels,
                cycles: count(prepared.plan.cycles.len()),
                cuts: count(prepared.plan.cuts()),
            })
            .await;
    }

    fn limits(&self) -> Limits {
        let options = &self.options;
        Limits {
            saves: (options.concurrency / 2).max(1),
            // While some are uploaded, the files of others are fetched.
            assets: options.assets_in_flight.saturating_mul(2).max(1),
            files: options.files_in_flight(),
            upload: options.upload,
            batches: options.batches_in_flight.max(1),
            batch_items: options.batch_items.clamp(1, 250),
            // A page spends most of its time between a submit and its poll.
            pages: options.concurrency.max(1),
        }
    }
}

fn conflicts(plan: &Plan) -> usize {
    plan.entities
        .iter()
        .filter(|planned| matches!(planned.action, Action::Conflict { .. }))
        .count()
}
