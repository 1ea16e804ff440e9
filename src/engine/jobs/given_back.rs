//! A job whose task broke is carried out once more, from where it stood.
//!
//! What it had sent is in the open intents. Each is brought to its end like a request whose answer was lost: a batch
//! with a number is followed, anything else is looked for and sent again only when it is not there. What the broken task
//! had settled is known by its counterpart; the rest is a job like any other. A patch and a save over something that
//! exists may be repeated.

use std::collections::HashMap;

use super::doubt::{self, Doubt};
use super::{Finished, close, content, failed, page, redirections, save};
use crate::domain::{Failure, Locale, TargetId};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::open_intents::OpenIntent;
use crate::engine::ready::Queue;
use crate::engine::state::{Job, Step, StepResult};
use crate::instance::{Cause, RequestError, Save, Source, Target};
use crate::plan::{Action, Node};
use crate::store::{IntentId, IntentState, StoreError};

/// Why its requests are in doubt.
const BROKE: &str = "the job that sent it broke before it heard the answer";

/// Carries out what is left of a job whose task broke.
///
/// # Errors
/// [`StoreError`] when the state could not be made durable: the run cannot go on.
pub(in crate::engine) async fn run_again<S, T>(
    crew: &Crew<S, T>,
    job: Job,
) -> Result<Finished, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut known: HashMap<(Node, Step), StepResult> = HashMap::new();
    for (id, intent) in crew.open.of(&job.steps) {
        let results = take_up(crew, &job.queue, id, &intent).await?;
        known.extend(intent.steps.into_iter().zip(results));
    }
    for step in &job.steps {
        if let (false, Some(target)) = (known.contains_key(step), created(crew, *step)) {
            known.insert(
                *step,
                StepResult::Saved {
                    target,
                    bytes: 0,
                    over: false,
                },
            );
        }
    }
    let mut rest = job.clone();
    rest.steps.retain(|step| !known.contains_key(step));
    let mut stop = None;
    if !rest.steps.is_empty() {
        let finished = super::run(crew, rest).await?;
        stop = finished.stop;
        known.extend(finished.job.steps.into_iter().zip(finished.results));
    }
    let result = |step| known.remove(step);
    let results = job.steps.iter().map(result);
    let results = results.map(|known| known.unwrap_or_else(|| failed(BROKE)));
    Ok(Finished {
        results: results.collect(),
        job,
        stop,
    })
}

/// The counterpart of an entity that was created by the broken task and settled before it broke.
fn created<S, T>(crew: &Crew<S, T>, (node, step): (Node, Step)) -> Option<TargetId>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let is_create = matches!(crew.planned(node).action, Action::Create { .. });
    let found = crew.ids.resolve(&crew.entity(node).key);
    found
        .filter(|_| step == Step::Save && is_create)
        .map(|counterpart| counterpart.id)
}

/// Brings one open intent to its end. One result per step of it.
async fn take_up<S, T>(
    crew: &Crew<S, T>,
    queue: &Queue,
    id: IntentId,
    intent: &OpenIntent,
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let prepare = |(node, step): &(Node, Step)| crew.prepare(*node, *step);
    let prepared: Result<Vec<Prepared>, String> = intent.steps.iter().map(prepare).collect();
    let items = match prepared {
        Ok(items) => items,
        // It was sent, so it could be prepared then: nothing that it needs goes away in a run.
        Err(reason) => {
            return Ok(intent
                .steps
                .iter()
                .map(|_| failed(reason.clone()))
                .collect());
        }
    };
    crew.open.note(id, BROKE);
    match queue {
        Queue::Content(locale) => take_up_items(crew, locale, id, intent, &items).await,
        Queue::Page => take_up_page(crew, id, intent, &items[0]).await,
        Queue::Save => {
            let sent = doubt::settle_save(crew, id, &items[0], broke()).await;
            save::finish(crew, id, &items[0], sent).await
        }
        Queue::Redirections => {
            let rows: Vec<Save> = items.iter().map(|item| item.save.clone()).collect();
            let sent = doubt::settle_redirections(crew, &rows, broke()).await;
            redirections::finish(crew, id, &items, sent).await
        }
        Queue::Asset => {
            // The same bytes land in the same place.
            close(crew, id, IntentState::Failed).await?;
            super::asset::run(crew, intent.steps[0]).await
        }
    }
}

/// The failure of a request of which nobody heard the answer.
fn broke() -> RequestError {
    RequestError {
        operation: "saving".to_owned(),
        cause: Cause::Broken(BROKE.to_owned()),
        said: None,
        request_id: None,
    }
}

async fn take_up_items<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    id: IntentId,
    intent: &OpenIntent,
    items: &[Prepared],
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let attempt = intent.attempt;
    if let Some(batch) = intent.batch {
        return content::follow(crew, locale, items, (id, attempt), batch).await;
    }
    doubt::settle_items(
        crew,
        locale,
        items,
        Doubt::ended(id, attempt, (Failure::Refused, BROKE)),
    )
    .await
}

async fn take_up_page<S, T>(
    crew: &Crew<S, T>,
    id: IntentId,
    intent: &OpenIntent,
    item: &Prepared,
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let placed = match page::place(crew, item) {
        Ok(placed) => placed,
        Err(reason) => return Ok(vec![super::not_prepared(reason)]),
    };
    let attempt = intent.attempt;
    if let Some(batch) = intent.batch {
        return page::follow(crew, item, &placed, (id, attempt), batch).await;
    }
    doubt::settle_page(
        crew,
        item,
        &placed,
        Doubt::ended(id, attempt, (Failure::Refused, BROKE)),
    )
    .await
}
