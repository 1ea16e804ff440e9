//! URL redirections: up to 250 in one request, answered row by row.

use super::doubt;
use super::{close, content, failed, not_prepared, not_sent};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::state::{Step, StepResult};
use crate::instance::{Effect, Refusal, RequestError, Save, Saved, Source, Target, Verdict};
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
    let prepared: Vec<Result<Prepared, String>> = steps
        .iter()
        .map(|(node, step)| crew.prepare(*node, *step))
        .collect();
    let items: Vec<Prepared> = prepared
        .iter()
        .filter_map(|item| item.as_ref().ok().cloned())
        .collect();
    let intent = crew.open_intent(Operation::Create, &items, 1).await?;
    let rows: Vec<Save> = items.iter().map(|item| item.save.clone()).collect();
    let mut sent = crew
        .under(intent)
        .send(Effect::Write, || crew.target.save_redirections(&rows))
        .await;
    if let Err(error) = &sent
        && error.verdict(Effect::Write) == Verdict::Reconcile
    {
        sent = doubt::settle_redirections(crew, &rows, error.clone()).await;
    }
    let mut results = finish(crew, intent, &items, sent).await?.into_iter();
    let all = prepared.into_iter().map(|item| match item {
        Ok(_) => results
            .next()
            .unwrap_or_else(|| failed("the server's answer has no row for it")),
        Err(reason) => not_prepared(reason),
    });
    Ok(all.collect())
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
        Err(error) => {
            close(crew, intent, IntentState::Failed).await?;
            Ok(items.iter().map(|_| not_sent(&error)).collect())
        }
    }
}
