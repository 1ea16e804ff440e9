//! Deletes, and whether they have taken effect.

use super::outcome::refusal_message;
use super::polling::{BatchEnd, HandedIn, emit_finished, follow_noted};
use crate::domain::{Failure, FailureCause, Id, Kind, Locale};
use crate::engine::context::{Ends, RunContext};
use crate::engine::pace::Class;
use crate::engine::poll::BatchKind;
use crate::instance::{Cause, DeleteRequest, Deleted, Effect, Target as _, Unconfirmed, Verdict};
use crate::store::{IntentId, StoreError};

/// How a delete ended.
#[derive(Debug)]
pub(in crate::engine) enum DeleteEnd {
    /// It is gone.
    Gone,
    /// The server did not delete it, in its words, for a reason of this kind.
    Refused(String, FailureCause),
    /// It is unknown.
    Unknown(String),
    /// Its request never left.
    Unsent,
    /// It is unknown, and the run ends before it could be asked for.
    Halted,
}

/// Deletes, looks where the answer is unclear, and deletes again what is still there: that is harmless.
///
/// # Errors
/// [`StoreError`] when the number of a batch could not be noted.
pub(in crate::engine) async fn delete<E: Ends>(
    context: &RunContext<E>,
    intent: IntentId,
    doomed: &DeleteRequest,
) -> Result<DeleteEnd, StoreError> {
    let mut last = None;
    for _ in 0..context.options.attempts.max(1) {
        let (why, refused) = match send(context, intent, doomed).await? {
            DeleteEnd::Unsent if last.is_some() => return Ok(DeleteEnd::Halted),
            end @ (DeleteEnd::Gone | DeleteEnd::Unsent | DeleteEnd::Halted) => return Ok(end),
            DeleteEnd::Refused(why, cause) => (why, Some(cause)),
            DeleteEnd::Unknown(why) => (why, None),
        };
        let inquiry = context.inquiry();
        let locale = doomed.locale.as_ref();
        // Whatever the answer was, an entity that is not there is deleted.
        match inquiry.is_there(doomed.kind, doomed.id.raw(), locale).await {
            Ok(false) => return Ok(DeleteEnd::Gone),
            Ok(true) => {
                if let Some(cause) = refused {
                    return Ok(DeleteEnd::Refused(why, cause));
                }
                last = Some(why);
            }
            Err(error) if error.cause == Cause::Halted => return Ok(DeleteEnd::Halted),
            Err(error) => return Ok(DeleteEnd::Unknown(format!("{why}; {error}"))),
        }
        tokio::time::sleep(inquiry.between_looks()).await;
    }
    Ok(DeleteEnd::Unknown(last.unwrap_or_default()))
}

/// One attempt.
async fn send<E: Ends>(
    context: &RunContext<E>,
    intent: IntentId,
    doomed: &DeleteRequest,
) -> Result<DeleteEnd, StoreError> {
    let class = match doomed.kind {
        Kind::Content | Kind::Page => Class::Submit,
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => Class::Write,
    };
    let delete = || context.instances.target.delete(doomed);
    let sender = context.under(intent);
    let batch = match sender.send_as(class, Effect::Write, delete).await {
        Ok(Deleted::Now | Deleted::Absent) => return Ok(DeleteEnd::Gone),
        Ok(Deleted::Later(batch)) => batch,
        Err(error) if error.cause == Cause::Halted => return Ok(DeleteEnd::Unsent),
        Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => {
            return Ok(DeleteEnd::Unknown(error.to_string()));
        }
        Err(error) => {
            let why = format!("the server refused it: {error}");
            return Ok(DeleteEnd::Refused(why, error.cause.of_entity()));
        }
    };
    let nowhere = Locale::new("");
    let handed = HandedIn {
        batch,
        kind: doomed.kind,
        locale: Some(doomed.locale.as_ref().unwrap_or(&nowhere)),
        items: 1,
        does: BatchKind::Delete,
    };
    let end = follow_noted(context, intent, &handed).await?;
    emit_finished(&context.sink, &handed, &end).await;
    Ok(match end {
        BatchEnd::Finished(results) => match results.first() {
            Some(Ok(_)) => DeleteEnd::Gone,
            Some(Err(Unconfirmed::Refused(refusal))) => {
                DeleteEnd::Refused(refusal_message(refusal), Failure::Refused.into())
            }
            Some(Err(Unconfirmed::Unclear(why))) => DeleteEnd::Unknown(why.clone()),
            None => DeleteEnd::Unknown(format!("batch {batch} has no result")),
        },
        BatchEnd::Failed(refusal) => {
            DeleteEnd::Refused(refusal_message(&refusal), Failure::Refused.into())
        }
        BatchEnd::Unknown(why) => DeleteEnd::Unknown(why),
        BatchEnd::Halted => DeleteEnd::Halted,
    })
}
