//! URL redirections: up to 250 in one request, answered row by row.

use super::doubt;
use super::{Lot, close, content, held, is_halted, never_left, not_sent};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::state::{Step, StepResult};
use crate::instance::{Cause, Effect, Refusal, RequestError, Saved, Source, Target, Verdict};
use crate::plan::Node;
use crate::store::{IntentId, IntentState, Operation, StoreError};

pub(super) async fn run<S, T>(
    crew: &Crew<S, T>,
    steps: &[(Node, Step)],
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let lot = Lot::prepare(crew, steps);
    let items = &lot.items;
    if items.is_empty() {
        return Ok(lot.results(Vec::new()));
    }
    let intent = crew.open_intent(Operation::Create, items, 1).await?;
    let rows = Lot::saves(items);
    let mut sent = crew
        .under(intent)
        .send(Effect::Write, || crew.target.save_redirections(&rows))
        .await;
    if is_halted(&sent) {
        let results = never_left(crew, intent, items.len()).await?;
        return Ok(lot.results(results));
    }
    if let Err(error) = &sent
        && error.verdict(Effect::Write) == Verdict::Reconcile
    {
        sent = doubt::settle_redirections(crew, &rows, error.clone()).await;
    }
    let results = finish(crew, intent, items, sent).await?;
    Ok(lot.results(results))
}

/// Makes the outcome of every row durable.
pub(super) async fn finish<S, T>(
    crew: &Crew<S, T>,
    intent: IntentId,
    items: &[Prepared],
    sent: Result<Vec<Result<Saved, Refusal>>, RequestError>,
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    match sent {
        Ok(answers) => content::keep(crew, intent, items, answers).await,
        Err(error) if error.cause == Cause::Halted => Ok(held(items.len())),
        Err(error) => {
            close(crew, intent, IntentState::Failed).await?;
            Ok(items.iter().map(|_| not_sent(&error)).collect())
        }
    }
}
