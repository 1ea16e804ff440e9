//! One request that publishes: noted before it leaves, and with what came of it.

use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};

use super::choice::Published;
use crate::domain::{EntityKey, Failure, Outcome, TargetId};
use crate::engine::context::RunContext;
use crate::engine::jobs::{Finished, Jobs};
use crate::engine::publishing::{Moved, move_some};
use crate::engine::state::{How, Job, Saved, StepResult};
use crate::event::Event;
use crate::instance::{Source, Target, Workflow};
use crate::plan::Node;
use crate::store::{Change, PublishState, Publishing, StoreError};

/// What came of it so far.
#[derive(Debug, Default)]
struct Results {
    published: usize,
    refused: Vec<(EntityKey, String)>,
}

/// Publishes what stands in line.
#[derive(Debug)]
pub(super) struct Publisher<S, T> {
    context: Arc<RunContext<S, T>>,
    entities: Arc<Vec<Published>>,
    results: Mutex<Results>,
}

impl<S: Source, T: Target> Publisher<S, T> {
    pub(super) fn new(context: Arc<RunContext<S, T>>, entities: Arc<Vec<Published>>) -> Self {
        Self {
            context,
            entities,
            results: Mutex::default(),
        }
    }

    /// How many were published, and what was refused.
    pub(super) fn results(&self) -> (usize, Vec<(EntityKey, String)>) {
        let mut results = self.results.lock().expect("no holder panics");
        (results.published, std::mem::take(&mut results.refused))
    }

    async fn publish(&self, some: &[&Published]) -> Result<Vec<StepResult>, StoreError> {
        let Some(first) = some.first() else {
            return Ok(Vec::new());
        };
        let notes = self.note(some).await?;
        let ids: Vec<TargetId> = some.iter().map(|published| published.id).collect();
        let place = (first.kind, &first.locale);
        let moved = move_some(&self.context, Workflow::Publish, place, &ids).await;
        let outcomes = notes.into_iter();
        let outcomes = outcomes.filter_map(|noted| with_outcome(noted, &moved));
        self.context.store.commit(outcomes.collect()).await?;
        self.emit_refused(some, &moved).await;
        Ok(some
            .iter()
            .map(|published| self.result(published, &moved))
            .collect())
    }

    /// Makes durable what is going to be published, and what the target has and shows of it before.
    async fn note(&self, some: &[&Published]) -> Result<Vec<Publishing>, StoreError> {
        let context = &self.context;
        let note = |published: &&Published| {
            let Published { id, node, .. } = **published;
            async move {
                let entity = context.entity(node);
                Publishing {
                    run: context.run.clone(),
                    key: entity.key.clone(),
                    target: id,
                    name: entity.name.to_string(),
                    state: PublishState::Open,
                    reason: None,
                    live: context.former_live(node, id).await,
                }
            }
        };
        let notes: Vec<Publishing> = stream::iter(some.iter().map(note))
            .buffered(context.options.reads.max(1))
            .collect()
            .await;
        let mut changes = Vec::new();
        for (noted, published) in notes.iter().zip(some) {
            changes.extend(context.published_image(published.node, published.id));
            changes.push(Change::Publishing(Box::new(noted.clone())));
        }
        context.store.commit(changes).await?;
        Ok(notes)
    }

    async fn emit_refused(&self, some: &[&Published], moved: &Moved) {
        for published in some {
            let Some(reason) = moved.refused.get(&published.id) else {
                continue;
            };
            let entity = self.context.entity(published.node);
            let refused = Event::PublishRefused {
                key: entity.key.clone(),
                name: entity.name.to_string(),
                target: published.id,
                reason: reason.clone(),
            };
            self.context.sink.emit(refused).await;
        }
    }

    fn result(&self, published: &Published, moved: &Moved) -> StepResult {
        if moved.left.contains(&published.id) {
            return StepResult::Held;
        }
        let mut results = self.results.lock().expect("no holder panics");
        if let Some(reason) = moved.refused.get(&published.id) {
            let key = self.context.entity(published.node).key.clone();
            results.refused.push((key, reason.clone()));
            return StepResult::Failed {
                reason: reason.clone(),
                cause: Failure::Refused.into(),
            };
        }
        results.published += 1;
        StepResult::Done(Saved {
            target: published.id,
            bytes: 0,
            how: How::AsPlanned,
        })
    }
}

/// The note of something with what became of it; `None` of what was not handed in.
fn with_outcome(mut noted: Publishing, moved: &Moved) -> Option<Change> {
    if moved.left.contains(&noted.target) {
        return None;
    }
    noted.reason = moved.refused.get(&noted.target).cloned();
    noted.state = match noted.reason {
        Some(_) => PublishState::Refused,
        None => PublishState::Published,
    };
    Some(Change::Publishing(Box::new(noted)))
}

impl<S: Source, T: Target> Jobs for Publisher<S, T> {
    type Source = S;
    type Target = T;

    fn context(&self) -> &RunContext<S, T> {
        &self.context
    }

    // Publishing twice is harmless, so what is left of a job that broke is done as a whole.
    async fn run(&self, job: Job, _again: bool) -> Result<Finished, StoreError> {
        let some = job.steps.iter();
        let some: Vec<&Published> = some
            .map(|(node, _)| &self.entities[*node as usize])
            .collect();
        let results = self.publish(&some).await?;
        Ok(Finished {
            job,
            results,
            stop: None,
        })
    }

    // Nothing gets an outcome but by a job, which stores it.
    fn outcome(&self, _node: Node, _outcome: &Outcome, _because: &str) -> Vec<Change> {
        Vec::new()
    }
}
