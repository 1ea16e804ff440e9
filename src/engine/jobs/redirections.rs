//! URL redirections: up to 250 in one request, answered row by row.

use super::doubt;
use super::{Lot, close, failed, show};
use crate::engine::crew::Crew;
use crate::engine::state::{Step, StepResult};
use crate::instance::{Effect, Refusal, Saved, Source, Target, Verdict};
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
    let lot = Lot::prepare(crew, steps);
    let items = &lot.items;
    if items.is_empty() {
        return Ok(lot.results(Vec::new()));
    }
    let intent = crew.open_intent(Operation::Create, items, 1).await?;
    let rows = Lot::saves(items);
    let mut sent = crew
        .to_target()
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
            return Ok(steps.iter().map(|_| failed(error.to_string())).collect());
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
    let results = items.iter().zip(&answers);
    let results = results.map(|(item, answer)| match answer {
        Ok(saved) => show(crew, item, saved),
        Err(refusal) => failed(format!("the server refused it: {:?}", refusal.said)),
    });
    let results = results.collect();
    Ok(lot.results(results))
}
