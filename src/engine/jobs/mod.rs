//! The uploads themselves, one file per kind of request.
//!
//! Every job keeps the same order, which is what makes a crash harmless: the intent is durable before the
//! request leaves, the outcome is durable before the id map has it, and only then the dispatcher gets it.

mod asset;
mod content;
mod disguise;
mod page;
mod read_back;
mod redirections;
mod resubmit;
mod save;

use resubmit::run_again;

use super::context::{Ends, PlanView, Prepared, RunContext};
use super::end::StopCause;
use super::reconcile::{failed, held_back, not_prepared};
use super::state::Queue;
use super::state::{Job, Step, StepResult};
use crate::domain::Outcome;
use crate::plan::Node;
use crate::store::{Change, StoreError};

/// What came of a job.
#[derive(Debug)]
pub(super) struct Finished {
    /// The job.
    pub(super) job: Job,
    /// One per step, in order.
    pub(super) results: Vec<StepResult>,
    /// Why nothing more may be written.
    pub(super) stop: Option<StopCause>,
}

/// What carries out the jobs of a plan.
pub(super) trait Jobs: Send + Sync + 'static {
    /// The two instances.
    type Ends: Ends;

    /// What every job works with.
    fn context(&self) -> &RunContext<Self::Ends>;

    /// Carries out a job to its end. `again`: what is left of one after its task broke.
    ///
    /// # Errors
    /// [`StoreError`] when the state could not be made durable: nothing can go on.
    fn run(
        &self,
        job: Job,
        again: bool,
    ) -> impl Future<Output = Result<Finished, StoreError>> + Send;

    /// What to store of a node that has this outcome without a job that stored it.
    fn outcome(&self, node: Node, outcome: &Outcome, because: &str) -> Vec<Change>;
}

impl<E: Ends> Jobs for RunContext<E> {
    type Ends = E;

    fn context(&self) -> &Self {
        self
    }

    async fn run(&self, job: Job, again: bool) -> Result<Finished, StoreError> {
        if let Some(turn) = job.turn.filter(|turn| turn.overlaps) {
            self.live.overlapping.insert(turn.row);
        }
        if again {
            run_again(self, job).await
        } else {
            run(self, job).await
        }
    }

    fn outcome(&self, node: Node, outcome: &Outcome, because: &str) -> Vec<Change> {
        if !outcome.has_counterpart() {
            self.live.unfinished.insert(node);
        }
        let target = self.view.planned(node).action.counterpart();
        let row = self.run_entity(node, outcome.clone(), target, because);
        vec![Change::Entity(row)]
    }
}

async fn run<E: Ends>(context: &RunContext<E>, job: Job) -> Result<Finished, StoreError> {
    let mut stop = None;
    let results = match &job.queue {
        Queue::Save => save::run(context, job.steps[0]).await?,
        Queue::Redirections => redirections::run(context, &job.steps, None).await?,
        Queue::Asset => asset::run(context, &job.steps, None).await?,
        Queue::Content(locale) => {
            let (results, wrong) =
                content::run(context, locale, &job.steps, (job.probe, None)).await?;
            stop = wrong.map(StopCause::Reference);
            results
        }
        Queue::Page => {
            let (results, wrong) = page::run(context, job.steps[0], (job.probe, None)).await?;
            stop = wrong.map(StopCause::Reference);
            results
        }
        // A run has no such jobs.
        Queue::Delete(_) | Queue::Workflow(..) => held_back(job.steps.len()),
    };
    Ok(Finished { job, results, stop })
}

/// What a request for several entities carries.
struct RequestItems {
    /// Those that can be sent, in order.
    items: Vec<Prepared>,
    /// For each step, why it cannot be sent, if so.
    refused: Vec<Option<String>>,
}

impl RequestItems {
    fn prepare(view: &PlanView, steps: &[(Node, Step)]) -> Self {
        let mut items = Vec::with_capacity(steps.len());
        let refuse = |(node, step): &(Node, Step)| match view.prepare(*node, *step) {
            Ok(item) => {
                items.push(item);
                None
            }
            Err(reason) => Some(reason),
        };
        let refused = steps.iter().map(refuse).collect();
        Self { items, refused }
    }

    /// One result per step, from those of the items.
    fn results(self, results: Vec<StepResult>) -> Vec<StepResult> {
        let mut results = results.into_iter();
        let all = self.refused.into_iter().map(|refused| match refused {
            None => results
                .next()
                .unwrap_or_else(|| failed("the answer has no row for it")),
            Some(reason) => not_prepared(reason),
        });
        all.collect()
    }
}
