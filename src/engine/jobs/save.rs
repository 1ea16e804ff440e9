//! Models, containers, templates and galleries: one synchronous save each.

use super::disguise;
use crate::domain::{Failure, FailureCause};
use crate::engine::context::{Ends, Prepared, RunContext};
use crate::engine::reconcile::{
    checked_one, close, failure, held_back, never_left, not_prepared, settle_save,
};
use crate::engine::state::{Step, StepResult};
use crate::instance::{Cause, Effect, RequestError, Saved, Target as _, Verdict};
use crate::plan::Node;
use crate::store::{IntentId, IntentState, Operation, StoreError};

pub(super) async fn run<E: Ends>(
    context: &RunContext<E>,
    (node, step): (Node, Step),
) -> Result<Vec<StepResult>, StoreError> {
    let item = match context.view.prepare(node, step) {
        Ok(item) => item,
        Err(reason) => return Ok(vec![not_prepared(reason)]),
    };
    let operation = match (step, item.save.id) {
        (Step::Patch, _) => Operation::Patch,
        (Step::Save, Some(_)) => Operation::Update,
        (Step::Save, None) => Operation::Create,
    };
    let intent = context
        .open_intent(operation, std::slice::from_ref(&item), 1)
        .await?;
    let mut sent = context
        .under(intent)
        .send(Effect::Write, || context.instances.target.save(&item.save))
        .await;
    let is_unsent = |error: &RequestError| error.cause == Cause::Halted;
    if sent.as_ref().is_err_and(is_unsent) {
        return never_left(&context.journal, intent, 1).await;
    }
    if let Ok(saved) = sent {
        sent = checked_one(context, &item.save, saved).await;
    }
    if let Err(error) = &sent
        && error.verdict(Effect::Write) == Verdict::Reconcile
    {
        sent = settle_save(context, intent, &item, error.clone()).await;
    }
    finish(context, intent, &item, sent).await
}

/// Takes up a save whose answer was lost.
pub(super) async fn take_up<E: Ends>(
    context: &RunContext<E>,
    (node, step): (Node, Step),
    intent: IntentId,
    error: RequestError,
) -> Result<Vec<StepResult>, StoreError> {
    match context.view.prepare(node, step) {
        Ok(item) => {
            context.journal.open.note(intent, &error.to_string());
            let sent = settle_save(context, intent, &item, error).await;
            finish(context, intent, &item, sent).await
        }
        // It was sent, so it could be prepared then: nothing that it needs goes away in a run.
        Err(reason) => Ok(vec![not_prepared(reason)]),
    }
}

/// Makes the outcome of a save durable.
async fn finish<E: Ends>(
    context: &RunContext<E>,
    intent: IntentId,
    item: &Prepared,
    sent: Result<Saved, RequestError>,
) -> Result<Vec<StepResult>, StoreError> {
    match sent {
        Ok(saved) => disguise::settled(context, intent, item, &saved).await,
        Err(error) if error.cause == Cause::Halted => Ok(held_back(1)),
        Err(error) => {
            let (state, cause) = match error.verdict(Effect::Write) {
                Verdict::Reconcile => (
                    IntentState::InDoubt,
                    FailureCause {
                        failure: Failure::InDoubt,
                        status: error.cause.status(),
                    },
                ),
                Verdict::Retry { .. } | Verdict::GiveUp => {
                    (IntentState::Failed, error.cause.of_entity())
                }
            };
            close(&context.journal, intent, state).await?;
            Ok(vec![failure(cause, error.to_string())])
        }
    }
}
