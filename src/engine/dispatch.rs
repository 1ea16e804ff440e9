//! The loop: one input at a time into the state, its effects out.
//!
//! Channels form no cycle. Jobs and this loop send events to the reporters, which never wait for either; commands
//! come in over a channel whose senders do not wait. Jobs belong to a set that aborts them when it is dropped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

use super::accepted::{REPORTS_IN_FLIGHT, Reports, reporting};
use super::context::RunContext;
use super::control::{Control, Heard, emit_hold, emit_lease_lost};
use super::end::{End, StopCause};
use super::forecast::{EtaEstimator, emit_pace};
use super::jobs::{Finished, Jobs};
use super::outage::Standing;
use super::pace::{Sample, gathering, least_items, scarce, weighing};
use super::state::{Effect, Input, Job, Step, StepResult, Turn, Work};
use crate::domain::Failure;
use crate::event::{Command, Event};
use crate::plan::Node;
use crate::planted;
use crate::store::{Change, StoreError};

/// Carries out a plan: `jobs` does what `work` lets leave. Drops what is in flight when the lease is lost.
///
/// # Errors
/// [`StoreError`] when the state could not be made durable. What is in flight is dropped then; its intents are
/// open, and the next run settles them.
pub(super) async fn carry_out<W: Work, J: Jobs>(
    jobs: Arc<J>,
    (work, estimator): (W, EtaEstimator),
    control: &mut Control<'_>,
) -> Result<End, StoreError> {
    let (reports, accepted) = mpsc::channel(REPORTS_IN_FLIGHT);
    Dispatcher {
        jobs,
        work,
        estimator,
        reports,
        accepted,
        tasks: JoinSet::new(),
        running: HashMap::new(),
        resumed_after_panic: HashSet::new(),
        scarce: None,
    }
    .run(control)
    .await
}

/// How often the pace is reported.
const TICK: Duration = Duration::from_secs(1);

struct Dispatcher<W, J> {
    jobs: Arc<J>,
    work: W,
    estimator: EtaEstimator,
    /// Pages of which the target has accepted the request.
    accepted: mpsc::Receiver<Turn>,
    reports: Reports,
    tasks: JoinSet<Result<Finished, StoreError>>,
    /// What every task carries, so that a task that panics can be answered for.
    running: HashMap<Id, Job>,
    /// What was carried by tasks that panicked. It is given to another task once.
    resumed_after_panic: HashSet<(Node, Step)>,
    /// The rate, while it is what requests wait for.
    scarce: Option<f64>,
}

impl<W: Work, J: Jobs> Dispatcher<W, J> {
    fn context(&self) -> &RunContext<J::Ends> {
        self.jobs.context()
    }

    async fn run(mut self, control: &mut Control<'_>) -> Result<End, StoreError> {
        let effects = self.work.start();
        self.launched(effects).await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = self.context().instances.target_pacer.sample();
        let mut drain_ends: Option<Instant> = None;
        let mut standing = self.context().instances.alarm.standing();
        let mut cut = End::Complete;
        while !self.work.is_over() {
            // What a job could not send shows in the alarm first.
            if self.work.is_stalled() && !standing.has_changed() {
                break;
            }
            let grace = drain_ends.unwrap_or_else(Instant::now);
            // Every branch is cancel-safe: two sets of tasks, what comes in, an interval, a watch, a channel and a moment.
            // In their order: what ends the run comes first, and what there is most of comes last.
            let input = tokio::select! {
                biased;
                heard = control.hear() => match heard {
                    Heard::Command(command) => Some(Input::Command(command)),
                    Heard::LeaseLost(why) => {
                        emit_lease_lost(&self.context().sink).await;
                        cut = End::LeaseLost(why);
                        break;
                    }
                },
                () = tokio::time::sleep_until(grace), if drain_ends.is_some() => break,
                _ = tick.tick() => {
                    let now = emit_pace(self.context(), &before).await;
                    self.gather(&before, &now);
                    before = now;
                    let running = self.running.values().cloned();
                    if let Some(forecast) = self.estimator.ask(self.jobs.context(), &self.work, running) {
                        self.context().sink.emit(forecast).await;
                    }
                    None
                }
                Some(forecast) = self.estimator.answer(), if self.estimator.is_asked() => {
                    self.context().sink.emit(forecast).await;
                    None
                }
                Ok(()) = standing.changed() => {
                    let now = standing.see();
                    self.stands(&now).await
                }
                Some(turn) = self.accepted.recv() => Some(Input::Accepted(turn)),
                Some(joined) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => self.joined(joined).await?,
            };
            let Some(input) = input else { continue };
            planted::panic_if_asked();
            match input {
                Input::Command(Command::Abort) => {
                    cut = End::Interrupted;
                    break;
                }
                Input::Command(Command::SetRate(rate)) => {
                    self.context().instances.target_pacer.set_rate(rate);
                }
                input => {
                    if input == Input::Command(Command::Resume) {
                        self.context().instances.alarm.resume();
                    }
                    let sizes = self.context().instances.batch_times.sizes();
                    self.work.flow_mut().queues.size_batches(sizes);
                    let effects = self.work.apply(input);
                    self.launched(effects).await?;
                }
            }
            if self.work.is_draining() && drain_ends.is_none() {
                let ends = Instant::now() + self.context().options.drain_grace;
                self.context().instances.alarm.drain(ends);
                drain_ends = Some(ends);
            }
        }
        Ok(self.end(cut).await)
    }

    /// Drops what is in flight, and returns how the uploads ended.
    async fn end(mut self, cut: End) -> End {
        if self.work.is_over() {
            for event in self.work.put_back() {
                self.context().sink.emit(event).await;
            }
        }
        self.context().journal.store.gather(Duration::ZERO);
        self.tasks.shutdown().await;
        if let Some(left) = self.work.left() {
            self.context().sink.emit(left).await;
        }
        self.work.end().or(cut)
    }

    /// What follows when requests are held back, or leave no more.
    async fn stands(&mut self, standing: &Standing) -> Option<Input> {
        match standing {
            Standing::Open | Standing::Draining(_) => None,
            Standing::Held(_) => {
                emit_hold(&self.context().sink, standing).await;
                Some(Input::Command(Command::Pause))
            }
            Standing::Over(outage) => Some(Input::Outage(Arc::clone(outage))),
        }
    }

    async fn joined(
        &mut self,
        joined: Result<(Id, Result<Finished, StoreError>), JoinError>,
    ) -> Result<Option<Input>, StoreError> {
        match joined {
            Ok((id, finished)) => {
                self.running.remove(&id);
                let Finished { job, results, stop } = finished?;
                Ok(Some(Input::Done { job, results, stop }))
            }
            Err(broken) => Ok(self.panicked(&broken).await),
        }
    }

    /// A job that panicked has an unknown effect. It is given to another task, which first finds out its outcome.
    /// When that one panics, too, its entities fail, its intents stay open for the next run, and nothing more leaves.
    async fn panicked(&mut self, broken: &JoinError) -> Option<Input> {
        let job = self.running.remove(&broken.id())?;
        let reason = format!("a job of {:?} broke: {broken}", job.queue);
        let is_first = |step: &(Node, Step)| !self.resumed_after_panic.contains(step);
        if job.steps.iter().all(is_first) && !self.work.is_draining() {
            self.resumed_after_panic.extend(job.steps.iter().copied());
            let message = format!("{reason}; what it carried is taken up once more");
            self.context().sink.emit(Event::Warned { message }).await;
            self.spawn(job, true);
            return None;
        }
        let results = job
            .steps
            .iter()
            .map(|_| StepResult::Failed {
                reason: reason.clone(),
                cause: Failure::InDoubt.into(),
            })
            .collect();
        Some(Input::Done {
            job,
            results,
            stop: Some(StopCause::Panic(reason)),
        })
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), StoreError> {
        let changes: Vec<Change> = effects
            .iter()
            .flat_map(|effect| self.durable(effect))
            .collect();
        if !changes.is_empty() {
            self.context().journal.store.commit(changes).await?;
        }
        for effect in effects {
            match effect {
                Effect::Persist { .. } => {}
                Effect::Emit(event) => self.context().sink.emit(event).await,
                Effect::Launch(job) => self.spawn(job, false),
            }
        }
        Ok(())
    }

    /// Hands a job to a task of its own. `again`: a task broke that carried it before.
    fn spawn(&mut self, job: Job, again: bool) {
        let jobs = Arc::clone(&self.jobs);
        let carried = job.clone();
        let work = weighing(job.weight, async move { jobs.run(carried, again).await });
        let work = reporting(&self.reports, job.turn, work);
        let task = self.tasks.spawn(work);
        self.running.insert(task.id(), job);
    }

    fn durable(&self, effect: &Effect) -> Vec<Change> {
        match effect {
            Effect::Persist {
                node,
                outcome,
                because,
            } => self.jobs.outcome(*node, outcome, because),
            Effect::Emit(_) | Effect::Launch(_) => Vec::new(),
        }
    }

    /// Carries out what follows from an input, and notes whether anything could leave but has to wait.
    async fn launched(&mut self, effects: Vec<Effect>) -> Result<(), StoreError> {
        let is_idle = !self.work.flow().queues.is_anything_ready();
        self.context().instances.batch_times.note_idle(is_idle);
        self.carry_out(effects).await
    }

    /// Lets batches wait for more items, and commits for others, as long as the rate is what requests wait for.
    fn gather(&mut self, before: &Sample, now: &Sample) {
        // A second in which nothing was due shows nothing.
        if now.refused == before.refused {
            self.scarce = scarce(now.per_second_max, now.per_second_since(before));
        }
        let times = &self.context().instances.batch_times;
        let items = least_items(times.costs().item(), self.scarce);
        self.work.flow_mut().queues.batch_from(items);
        self.context().journal.store.gather(gathering(self.scarce));
    }
}
