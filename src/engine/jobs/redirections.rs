//! URL redirections: up to 250 in one request, answered row by row.

use super::doubt;
use super::{close, failed, not_prepared, not_sent, show};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::state::{Step, StepResult};
use crate::instance::{Effect, Refusal, Save, Saved, Source, Target, Verdict};
use crate::plan::Node;
use crate::store::{IntentState, Operation, StoreError};

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
    let answers: Vec<Result<Saved, Refusal>> = match sent {
        Ok(answers) => answers,
        Err(error) => {
            close(crew, intent, IntentState::Failed).await?;
            return Ok(steps.iter().map(|_| not_sent(&error)).collect());
        }
    };
    let mut changes = vec![crew.closed(intent, IntentState::Done)];
    for (item, saved) in items
        .iter()
        .zip(&answers)
        .filter_map(|(item, answer)| Some((item, answer.as_ref().ok()?)))
    {
        changes.extend(crew.changes_of(item, saved));
    }
    crew.store.commit(changes).await?;
    let mut results = items
        .iter()
        .zip(&answers)
        .map(|(item, answer)| match answer {
            Ok(saved) => show(crew, item, saved),
            Err(refusal) => failed(format!("the server refused it: {:?}", refusal.said)),
        });
    Ok(prepared
        .iter()
        .map(|item| match item {
            Ok(_) => results
                .next()
                .unwrap_or_else(|| failed("the server's answer has no row for it")),
            Err(reason) => not_prepared(reason.clone()),
        })
        .collect())
}
