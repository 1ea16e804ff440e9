//! A job whose task broke is carried out once more, from where it stood.
//!
//! What it had sent is in the open intents. Each is brought to its end like a request whose answer was lost: a batch
//! with a number is followed, anything else is looked for and sent again only when it is not there. What the broken task
//! had settled is known by its counterpart; the rest is a job like any other. A patch and a save over something that
//! exists may be repeated.

use std::collections::HashMap;

use super::{Finished, asset, content, page, read_back, redirections, save};
use crate::domain::TargetId;
use crate::engine::context::{Ends, PlanView, RunContext};
use crate::engine::end::StopCause;
use crate::engine::open_intents::OpenIntent;
use crate::engine::reconcile::{Sent, held_back};
use crate::engine::state::Queue;
use crate::engine::state::{How, Job, Saved, Step, StepResult};
use crate::instance::{Cause, RequestError};
use crate::plan::{Action, Node};
use crate::store::{IntentId, StoreError};

/// Why its requests are in doubt.
const BROKE: &str = "the job that sent it broke before it heard the answer";

/// Carries out what is left of a job whose task broke.
///
/// # Errors
/// [`StoreError`] when the state could not be made durable: the run cannot go on.
pub(super) async fn run_again<E: Ends>(
    context: &RunContext<E>,
    job: Job,
) -> Result<Finished, StoreError> {
    let mut known: HashMap<(Node, Step), StepResult> = HashMap::new();
    let mut stop = None;
    for (id, intent) in context.journal.open.of(&job.steps) {
        let (results, wrong) = take_up(context, &job, id, &intent).await?;
        stop = stop.or(wrong.map(StopCause::Reference));
        known.extend(intent.steps.into_iter().zip(results));
    }
    let mut before = Vec::new();
    for step in &job.steps {
        if let (false, Some(target)) = (known.contains_key(step), created(&context.view, *step)) {
            before.push((*step, target));
            known.insert(
                *step,
                StepResult::Done(Saved {
                    target,
                    bytes: 0,
                    how: How::AsPlanned,
                }),
            );
        }
    }
    if stop.is_none() {
        let proves = |&((node, _), _): &_| context.view.planned(node).encodings & job.probe != 0;
        before.retain(proves);
        stop = settled_before(context, &before)
            .await
            .map(StopCause::Reference);
    }
    let mut rest = job.clone();
    rest.steps.retain(|step| !known.contains_key(step));
    if !rest.steps.is_empty() && stop.is_none() {
        let finished = super::run(context, rest).await?;
        stop = finished.stop;
        known.extend(finished.job.steps.into_iter().zip(finished.results));
    }
    let result = |step| known.remove(step);
    let results = job.steps.iter().map(result);
    let results = results.map(|known| known.unwrap_or(StepResult::Held));
    Ok(Finished {
        results: results.collect(),
        job,
        stop,
    })
}

/// Reads back what the broken task had settled, but may not have read back. Returns why nothing more may be written, if so.
async fn settled_before<E: Ends>(
    context: &RunContext<E>,
    before: &[((Node, Step), TargetId)],
) -> Option<String> {
    for ((node, step), target) in before {
        let item = context.view.prepare(*node, *step).ok()?;
        let found = read_back::compare_one(context, &item, *target).await;
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The counterpart of an entity that was created by the broken task and settled before it broke.
fn created(view: &PlanView, (node, step): (Node, Step)) -> Option<TargetId> {
    let is_create = matches!(view.planned(node).action, Action::Create { .. });
    let found = view.ids.resolve(&view.entity(node).key);
    found
        .filter(|_| step == Step::Save && is_create)
        .map(|counterpart| counterpart.id)
}

/// Brings one open intent to its end. One result per step of it, and why nothing more may be written, if so.
async fn take_up<E: Ends>(
    context: &RunContext<E>,
    job: &Job,
    id: IntentId,
    intent: &OpenIntent,
) -> Result<(Vec<StepResult>, Option<String>), StoreError> {
    let sent = Some(Sent {
        intent: id,
        attempt: intent.attempt,
        batch: intent.batch,
        why: BROKE,
    });
    let steps = &intent.steps;
    match &job.queue {
        Queue::Content(locale) => content::run(context, locale, steps, (job.probe, sent)).await,
        Queue::Page => page::run(context, steps[0], (job.probe, sent)).await,
        Queue::Redirections => Ok((redirections::run(context, steps, sent).await?, None)),
        Queue::Save => Ok((save::take_up(context, steps[0], id, broke()).await?, None)),
        Queue::Asset => Ok((asset::run(context, steps, sent).await?, None)),
        // A run has no such jobs.
        Queue::Delete(_) | Queue::Workflow(..) => Ok((held_back(steps.len()), None)),
    }
}

/// The failure of a request with an answer that was lost.
fn broke() -> RequestError {
    RequestError::new("saving", Cause::Broken(BROKE.to_owned()))
}
