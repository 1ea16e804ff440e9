//! Saves that may be repeated: of something that is found by its name, over a known id, or over a path.

use std::future::Future;

use super::live::is_new;
use super::look::saved;
use crate::engine::crew::{Crew, Prepared};
use crate::engine::pace::Class;
use crate::engine::retry::Sender;
use crate::instance::{Ask, Effect, RequestError, Saved, Source, Target, Verdict};
use crate::plan::target_hash;
use crate::store::IntentId;

/// Settles a save of something that has a name.
pub(in crate::engine) async fn settle_save<S, T>(
    crew: &Crew<S, T>,
    intent: IntentId,
    item: &Prepared,
    mut error: RequestError,
) -> Result<Saved, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    for _ in 0..crew.options.attempts {
        let mut save = item.save.clone();
        if save.id.is_none() {
            let named = Ask::Named {
                kind: save.kind,
                name: save.name.clone(),
                locale: save.locale.clone(),
            };
            // What was there before is no effect of the request; the server says what it makes of its name.
            let there = crew.inquiry().entities(&named).await?.into_iter();
            let mut there = there.filter(|there| is_new(crew, &there.key));
            if let Some(there) = there.next() {
                if target_hash(&there, &crew.schema) == item.target_hash {
                    return Ok(saved(&there));
                }
                save.id = Some(there.key.id);
            }
        }
        match crew
            .under(intent)
            .send(Effect::Write, || crew.target.save(&save))
            .await
        {
            Ok(saved) => return Ok(saved),
            Err(again) if again.verdict(Effect::Write) == Verdict::Reconcile => error = again,
            Err(again) => return Err(again),
        }
        tokio::time::sleep(crew.inquiry().between_looks()).await;
    }
    Err(error)
}

/// Sends something that is harmless to repeat, also where an answer is lost.
///
/// # Errors
/// The last [`RequestError`]; [`crate::instance::Cause::Halted`] when the run ends before it was sent, or sent again.
pub(in crate::engine) async fn insist<S, T, R, F>(
    crew: &Crew<S, T>,
    (sender, class): (Sender<'_>, Class),
    mut request: impl FnMut() -> F,
) -> Result<R, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
    F: Future<Output = Result<R, RequestError>>,
{
    match sender.send_as(class, Effect::Write, &mut request).await {
        Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => {
            repeat(crew, class, request, error).await
        }
        answer => answer,
    }
}

/// Sends something again that is harmless to repeat.
pub(in crate::engine) async fn repeat<S, T, R, F>(
    crew: &Crew<S, T>,
    class: Class,
    mut request: impl FnMut() -> F,
    mut error: RequestError,
) -> Result<R, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
    F: Future<Output = Result<R, RequestError>>,
{
    for _ in 1..crew.options.attempts {
        tokio::time::sleep(crew.inquiry().between_looks()).await;
        let sender = crew.to_target();
        match sender.send_as(class, Effect::Write, &mut request).await {
            Ok(answer) => return Ok(answer),
            Err(again) if again.verdict(Effect::Write) == Verdict::Reconcile => error = again,
            Err(again) => return Err(again),
        }
    }
    Err(error)
}
