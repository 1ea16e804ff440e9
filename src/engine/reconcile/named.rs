//! Saves that may be repeated: of something that is found by its name, over a known id, or over a path.

use std::future::Future;

use super::believe::checked_one;
use super::live::is_new;
use super::look::saved;
use crate::domain::{Entity, Id as _, TargetId};
use crate::engine::context::{Ends, Prepared, RunContext};
use crate::engine::pace::Class;
use crate::engine::retry::Sender;
use crate::instance::{
    Cause, Effect, ReadRequest, RequestError, Save, Saved, Target as _, Verdict,
};
use crate::plan::target_hash;
use crate::store::IntentId;

/// Settles a save of something that has a name. Only a refusal proves that nothing came of it, and only if nothing of the
/// name is there then: a second create is refused as well because the first one has taken effect meanwhile. Anything else
/// leaves the outcome of the first request unknown.
///
/// # Errors
/// The refusal, [`Cause::Halted`], or the error after which the outcome is unknown.
pub(in crate::engine) async fn settle_save<E: Ends>(
    context: &RunContext<E>,
    intent: IntentId,
    item: &Prepared,
    mut error: RequestError,
) -> Result<Saved, RequestError> {
    let mut refusal = None;
    for left in (0..=context.options.attempts).rev() {
        let mut save = item.save.clone();
        match found_of(context, &save).await {
            Ok(Some(there)) if target_hash(&there, &context.view.schema) == item.target_hash => {
                return Ok(saved(&there));
            }
            Ok(there) => save.id = save.id.or(there.map(|there| there.key.id)),
            Err(look) if look.cause == Cause::Halted => return Err(look),
            Err(look) => {
                context.journal.open.note(intent, &look.to_string());
                return Err(error);
            }
        }
        if let Some(refusal) = refusal.take_if(|_| save.id == item.save.id) {
            return Err(refusal);
        }
        if left == 0 {
            break;
        }
        let again = || context.instances.target.save(&save);
        let sent = match context.under(intent).send(Effect::Write, again).await {
            Ok(saved) => checked_one(context, &save, saved).await,
            failed => failed,
        };
        match sent {
            Ok(saved) => return Ok(saved),
            Err(again) if again.cause == Cause::Halted => return Err(again),
            Err(again) => match again.verdict(Effect::Write) {
                Verdict::Reconcile => (error, refusal) = (again, None),
                Verdict::GiveUp => refusal = Some(again),
                Verdict::Retry { .. } => {}
            },
        }
        tokio::time::sleep(context.inquiry().between_looks()).await;
    }
    Err(refusal.unwrap_or(error))
}

/// What was saved over, or what has the name of something that was to be new. What was there before is no effect of a
/// create; the server says what it makes of its name.
async fn found_of<E: Ends>(
    context: &RunContext<E>,
    save: &Save,
) -> Result<Option<Entity<TargetId>>, RequestError> {
    if let Some(id) = save.id {
        let (kind, id) = (save.kind, id.raw());
        return context.inquiry().one(kind, id, save.locale.as_ref()).await;
    }
    let named = ReadRequest::Named {
        kind: save.kind,
        name: save.name.clone(),
        locale: save.locale.clone(),
    };
    let there = context.inquiry().entities(&named).await?;
    Ok(there
        .into_iter()
        .find(|there| is_new(&context.view, &there.key)))
}

/// Sends something that is harmless to repeat, also where an answer is lost.
///
/// # Errors
/// The last [`RequestError`]; [`crate::instance::Cause::Halted`] when the run ends before it was sent, or sent again.
pub(in crate::engine) async fn insist<E: Ends, R, F>(
    context: &RunContext<E>,
    (sender, class): (Sender<'_>, Class),
    mut request: impl FnMut() -> F,
) -> Result<R, RequestError>
where
    F: Future<Output = Result<R, RequestError>>,
{
    match sender.send_as(class, Effect::Write, &mut request).await {
        Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => {
            repeat(context, class, request, error).await
        }
        answer => answer,
    }
}

/// Sends something again that is harmless to repeat.
pub(in crate::engine) async fn repeat<E: Ends, R, F>(
    context: &RunContext<E>,
    class: Class,
    mut request: impl FnMut() -> F,
    mut error: RequestError,
) -> Result<R, RequestError>
where
    F: Future<Output = Result<R, RequestError>>,
{
    for _ in 1..context.options.attempts {
        tokio::time::sleep(context.inquiry().between_looks()).await;
        let sender = context.instances.to_target();
        match sender.send_as(class, Effect::Write, &mut request).await {
            Ok(answer) => return Ok(answer),
            Err(again) if again.verdict(Effect::Write) == Verdict::Reconcile => error = again,
            Err(again) => return Err(again),
        }
    }
    Err(error)
}
