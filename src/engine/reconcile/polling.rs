//! A batch, followed to its end. When it is looked at is learnt in [`crate::engine::poll`].

use tokio::time::Instant;

use crate::domain::BatchId;
use crate::engine::crew::Crew;
use crate::engine::pace::Class;
use crate::engine::poll::AtTarget;
use crate::event::Event;
use crate::instance::{BatchStatus, Cause, Effect, Refusal, RequestError, Saved, Source, Target};

/// How a batch ended.
#[derive(Debug)]
pub(in crate::engine) enum BatchEnd {
    /// Item by item.
    Finished(Vec<Result<Saved, Refusal>>),
    /// As a whole, without effect as far as the server tells.
    Failed(Refusal),
    /// It is not known: the server still works on it, or cannot be asked.
    Unknown(String),
    /// It is not known, and the run ends before it could be asked for.
    Halted,
}

/// Polls `batch` until it ends.
pub(in crate::engine) async fn wait<S, T>(
    crew: &Crew<S, T>,
    batch: BatchId,
    at_target: AtTarget<'_>,
) -> BatchEnd
where
    S: Source + Clone,
    T: Target + Clone,
{
    crew.batches.insert(batch);
    let end = follow(crew, batch, at_target).await;
    crew.batches.remove(&batch);
    end
}

async fn follow<S, T>(crew: &Crew<S, T>, batch: BatchId, mut at_target: AtTarget<'_>) -> BatchEnd
where
    S: Source + Clone,
    T: Target + Clone,
{
    let started = Instant::now();
    let mut seen = 0;
    let mut pause = at_target.due();
    // When the last look left: it may have waited for the rate.
    let mut sent = started;
    loop {
        let left = crew.options.batch_timeout.saturating_sub(started.elapsed());
        tokio::time::sleep(pause.min(left)).await;
        let status = crew
            .to_target()
            .send_as(Class::Poll, Effect::Read, || {
                sent = Instant::now();
                crew.target.poll(batch)
            })
            .await;
        match status {
            Ok(BatchStatus::Finished(results)) => {
                at_target.done(sent);
                return BatchEnd::Finished(results);
            }
            Ok(BatchStatus::Failed(refusal)) => return BatchEnd::Failed(refusal),
            Ok(BatchStatus::Unknown) => {
                pause = at_target.working(sent);
            }
            Ok(BatchStatus::Working { processed }) => {
                pause = at_target.working(sent);
                let processed = processed.unwrap_or(0);
                if processed > seen {
                    seen = processed;
                    crew.sink
                        .emit(Event::BatchProgressed { batch, processed })
                        .await;
                }
            }
            Err(error) if error.cause == Cause::Halted => return BatchEnd::Halted,
            Err(error) => return BatchEnd::Unknown(unknown(batch, &error)),
        }
        if started.elapsed() >= crew.options.batch_timeout {
            return BatchEnd::Unknown(format!(
                "batch {batch} did not end within {} s",
                crew.options.batch_timeout.as_secs()
            ));
        }
    }
}

fn unknown(batch: BatchId, error: &RequestError) -> String {
    format!("batch {batch} could not be followed to its end: {error}")
}
