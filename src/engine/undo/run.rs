//! An undo from its first question to its last event.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use super::gather::UndoOutlook;
use super::hands::{Hands, class, lane};
use super::look::IDS_AT_ONCE;
use crate::domain::{EntityKey, Kind, Locale, RunId};
use crate::engine::agreements::by_key;
use crate::engine::control::Control;
use crate::engine::end::End;
use crate::engine::forecast::{After, Costs, Publication, Reading, Undoing, tell_while};
use crate::engine::lease::{Fence, Keeper};
use crate::engine::pace::Sample;
use crate::engine::reconcile::{Known, settle_undone};
use crate::engine::run::{Session, sorted};
use crate::engine::run_error::RunError;
use crate::engine::verify::Difference;
use crate::event::{Bottleneck, Command, Event, Lane, LanePlan, Phase};
use crate::instance::{Source, Target};
use crate::plan::undo::{Decision, Kept};
use crate::store::StoreError;

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
    pub outlook: UndoOutlook,
    /// Whether whoever was shown the plan agreed to it; otherwise nothing was done.
    pub agreed: bool,
    /// How it ended.
    pub end: End,
    /// Entities that could not be deleted or restored, or were blocked by those.
    pub failed: usize,
    /// Why something could not be published again.
    pub unpublished: Vec<String>,
    /// What the verification found; `None` when there was none.
    pub differences: Option<Vec<Difference>>,
    /// Entities of which nobody can tell what became of them in an earlier run, with the reason.
    pub in_doubt: Vec<(EntityKey, String)>,
}

impl<S: Source + Clone, T: Target + Clone> Session<S, T> {
    /// Undoes a run: first what interrupted runs have left open is settled, then the plan is made and shown to `agree`,
    /// and when that says yes it is carried out. Only one run at a time may do that between the same two instances.
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
        let fence = keeper.fence();
        let end = Box::pin(self.undo_alone(request, control, agree, &fence)).await;
        keeper.release().await;
        end
    }

    /// What [`Session::undo`] does while it has the lease.
    async fn undo_alone<A, F>(
        &self,
        request: &UndoRequest,
        mut control: Control<'_>,
        agree: A,
        fence: &Fence,
    ) -> Result<UndoEnd, RunError>
    where
        A: FnOnce(&UndoOutlook) -> F,
        F: Future<Output = Result<bool, RunError>>,
    {
        let doubts = control.read(self.settle_open(fence)).await?;
        let outlook = control.read(self.plan_undo(request)).await?;
        let agreed = control.read(agree(&outlook)).await?;
        let mut end = UndoEnd {
            outlook,
            agreed,
            end: End::Complete,
            failed: 0,
            unpublished: Vec::new(),
            differences: None,
            in_doubt: sorted(doubts),
        };
        if !agreed {
            return Ok(end);
        }
        // Not before: nothing may stand between the plan and the question on a terminal.
        self.tell_undo(&end.outlook).await;
        self.phase(Phase::Upload).await;
        let hands = Hands::new(self, &end.outlook, fence.clone());
        let (mut ended, unpublished) = hands.work(&mut control).await?;
        if ended.is_complete() && self.options.verify {
            self.phase(Phase::Verify).await;
            let reading = hands.reading();
            let forecast = |began: &Sample, now: &Sample| {
                let left = After::verifying(reading, began, now);
                Some(left.forecast(
                    &Costs::of(&hands.crew),
                    Duration::ZERO,
                    Bottleneck::Verification,
                ))
            };
            let compared = tell_while(&hands.crew, forecast, hands.verify(&self.target));
            match control.looking(compared).await {
                Ok(found) => end.differences = Some(found?),
                Err(cut) => ended = cut.into(),
            }
        }
        end.failed = hands.failures();
        drop(hands);
        end.end = ended;
        end.unpublished = unpublished;
        Ok(end)
    }

    /// Finds out what became of the open requests of earlier runs. The source is read only when there are some that
    /// are compared with it.
    async fn settle_open(&self, fence: &Fence) -> Result<HashMap<EntityKey, String>, RunError> {
        let mut doubts = settle_undone(self.recovery(fence)).await?;
        let Some(recovery) = self.recovery(fence).begin().await? else {
            return Ok(doubts);
        };
        self.phase(Phase::Pull).await;
        let locales = self.resolve_locales().await?;
        let (source, target) = self.pull(&locales).await?;
        let known = Known {
            source: &self.source,
            source_inventory: &source,
            target_inventory: &target,
            mappings: by_key(self.store.mappings(&self.pair()).await?),
        };
        doubts.extend(recovery.settle(&known).await?.doubts);
        Ok(doubts)
    }

    async fn tell_undo(&self, outlook: &UndoOutlook) {
        let mut entities: BTreeMap<Kind, u32> = BTreeMap::new();
        let mut work: BTreeMap<Kind, u32> = BTreeMap::new();
        let (mut delete, mut restore, mut kept) = (0, 0, 0);
        for (trace, decided) in outlook.traces.iter().zip(&outlook.plan.entities) {
            *entities.entry(trace.key.kind).or_default() += 1;
            if decided.decision.is_work() {
                *work.entry(trace.key.kind).or_default() += 1;
            }
            match decided.decision {
                Decision::Delete => delete += 1,
                Decision::Restore => restore += 1,
                Decision::Keep(_) => kept += 1,
                Decision::AsBefore | Decision::Gone => {}
            }
        }
        let lanes = work.into_iter().map(|(kind, entities)| LanePlan {
            lane: lane(kind),
            kind,
            class: class(kind),
            entities,
        });
        let planned = Event::UndoPlanned {
            undone: outlook.undone.clone(),
            entities: entities.into_iter().collect(),
            lanes: lanes.collect(),
            delete,
            restore,
            kept,
        };
        self.sink.emit(planned).await;
    }
}

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// Carries out the plan until it is done or somebody asks for an end.
    async fn work(&self, control: &mut Control<'_>) -> Result<(End, Vec<String>), StoreError> {
        let mut undoing = Undoing::new(self.works().count(), self.after());
        let forecast = |began: &Sample, now: &Sample| {
            let done = self.done.load(Ordering::Relaxed);
            undoing.forecast(done, (began, now), &Costs::of(&self.crew))
        };
        let working = tell_while(&self.crew, forecast, self.carry_out());
        match control.writing(&self.crew, |_| self.drain(), working).await {
            Ok(unpublished) if self.is_draining() => Ok((End::Interrupted, unpublished?)),
            Ok(unpublished) => Ok((End::Complete, unpublished?)),
            Err(cut) => Ok((cut.into(), Vec::new())),
        }
    }

    /// What is deleted or restored.
    fn works(&self) -> impl Iterator<Item = usize> {
        let plan = &self.outlook.plan;
        plan.restores.iter().chain(&plan.deletes).flatten().copied()
    }

    /// What comes after all is deleted and restored.
    fn after(&self) -> After {
        let published = self.works().filter(|at| self.decided(*at).publish);
        let published = published.filter_map(|at| {
            let there = &self.trace(at).there;
            Some((there.kind, there.locale.as_ref()?))
        });
        let reading = if self.crew.options.verify {
            self.reading()
        } else {
            Reading::default()
        };
        After {
            publication: Publication::of(published),
            reading,
        }
    }

    /// Returns why something could not be published again.
    async fn carry_out(&self) -> Result<Vec<String>, StoreError> {
        self.settle_the_rest().await?;
        self.tell_lanes(|lane| Event::LaneStarted { lane }).await;
        for stage in &self.outlook.plan.restores {
            self.restore_stage(stage).await?;
        }
        let at_once = self.crew.options.writes.max(1);
        for stage in &self.outlook.plan.deletes {
            self.delete_stage(stage, at_once).await?;
        }
        if self.is_draining() {
            return Ok(Vec::new());
        }
        self.tell_lanes(|lane| Event::LaneFinished { lane }).await;
        let moved = self.order_rows().await;
        self.unpublish_again().await?;
        Ok(self.publish(moved).await)
    }

    /// Deletes what is of one kind.
    async fn delete_stage(&self, stage: &[usize], at_once: usize) -> Result<(), StoreError> {
        let kind = stage.first().map(|at| self.trace(*at).key.kind);
        if kind != Some(Kind::Content) {
            return stream::iter(stage.iter().map(|at| Ok(self.delete(*at))))
                .try_buffer_unordered(at_once)
                .try_collect()
                .await;
        }
        for (locale, items) in self.by_locale(stage) {
            for some in items.chunks(IDS_AT_ONCE) {
                self.delete_items(&locale, some, at_once).await?;
            }
        }
        Ok(())
    }

    fn by_locale(&self, stage: &[usize]) -> BTreeMap<Locale, Vec<usize>> {
        let mut by_locale: BTreeMap<Locale, Vec<usize>> = BTreeMap::new();
        for at in stage {
            if let Some(locale) = &self.trace(*at).there.locale {
                by_locale.entry(locale.clone()).or_default().push(*at);
            }
        }
        by_locale
    }

    /// Tells the same of every lane that has something to do.
    async fn tell_lanes(&self, event: fn(Lane) -> Event) {
        let lanes = self.works().map(|at| lane(self.trace(at).key.kind));
        let lanes: BTreeSet<Lane> = lanes.collect();
        for lane in lanes {
            self.crew.sink.emit(event(lane)).await;
        }
    }

    /// Restores what is of one kind.
    async fn restore_stage(&self, stage: &[usize]) -> Result<(), StoreError> {
        let options = &self.crew.options;
        let kind = stage.first().map(|at| self.trace(*at).key.kind);
        let is_localised = kind.is_some_and(Kind::is_localised);
        if is_localised {
            self.bring_back_live(stage).await?;
        }
        let stage = stage.iter().copied().filter(|at| !self.has_failed(*at));
        let stage = &stage.collect::<Vec<usize>>()[..];
        let at_once = match kind {
            Some(Kind::Content) => return self.restore_content(stage).await,
            Some(Kind::Page) => 1,
            Some(Kind::Asset) => options.assets_in_flight,
            Some(
                Kind::Model | Kind::Container | Kind::Template | Kind::Gallery | Kind::Redirection,
            )
            | None => options.writes,
        };
        stream::iter(stage.iter().map(|at| Ok(self.restore(*at))))
            .try_buffer_unordered(at_once.max(1))
            .try_collect()
            .await
    }

    async fn restore_content(&self, stage: &[usize]) -> Result<(), StoreError> {
        let by_locale = self.by_locale(stage);
        let size = self.crew.options.batch_items.clamp(1, 250);
        let batches = by_locale
            .iter()
            .flat_map(|(locale, items)| items.chunks(size).map(move |some| (locale, some)));
        let batches: Vec<_> = batches.collect();
        stream::iter(batches)
            .map(|(locale, some)| self.restore_items(locale, some))
            .buffer_unordered(self.crew.options.batches_in_flight.max(1))
            .try_collect()
            .await
    }
}

impl UndoEnd {
    /// Entities that were left alone, by whether that is as it should be: `true` for what was changed since or is still
    /// needed, `false` for what could not be brought back.
    pub fn kept(&self, as_it_should: bool) -> usize {
        let kept = |decision: &Decision| match decision {
            Decision::Keep(Kept::NotRestorable(_)) => !as_it_should,
            Decision::Keep(Kept::Changed { .. } | Kept::Needed { .. }) => as_it_should,
            Decision::Delete | Decision::Restore | Decision::AsBefore | Decision::Gone => false,
        };
        let entities = &self.outlook.plan.entities;
        entities
            .iter()
            .filter(|decided| kept(&decided.decision))
            .count()
    }
}
