//! One request that publishes: recorded before it leaves, and again with its outcome.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};

use super::below;
use super::choice::Published;
use super::together::Together;
use crate::domain::{ContentHash, Entity, EntityKey, Failure, Locale, Outcome, SourceId, TargetId};
use crate::engine::context::{Ends, RunContext};
use crate::engine::jobs::{Finished, Jobs};
use crate::engine::publishing::{Moved, SameWords, move_more, move_some};
use crate::engine::state::{How, Job, Saved, StepResult};
use crate::event::Event;
use crate::instance::Workflow;
use crate::plan::{Node, Planned};
use crate::store::{Change, FormerLive, PublishState, Publishing, StoreError};

/// What came of it so far.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// What was published, and what the public saw of it before.
    pub(super) published: HashMap<Node, Publishing>,
    /// What the server refused, with its words.
    pub(super) refused: Vec<(EntityKey, String)>,
    /// What was not asked for, because something that has to be there is not.
    pub(super) held_back: Vec<(EntityKey, String)>,
    /// How many newer drafts could not be saved on top of what was published.
    pub(super) unsaved_drafts: usize,
    /// All of those that are not published.
    lost: HashSet<Node>,
}

/// Publishes what stands in line.
pub(super) struct Publisher<E: Ends> {
    context: Arc<RunContext<E>>,
    entities: Arc<Vec<Published>>,
    together: Together,
    step: Workflow,
    results: Mutex<Results>,
    /// Steps leave one after another, so nothing waits for it.
    row: tokio::sync::Mutex<SameWords>,
}

impl<E: Ends> Publisher<E> {
    pub(super) fn new(
        context: Arc<RunContext<E>>,
        entities: Arc<Vec<Published>>,
        (step, together): (Workflow, Together),
    ) -> Self {
        Self {
            context,
            entities,
            together,
            step,
            results: Mutex::default(),
            row: tokio::sync::Mutex::default(),
        }
    }

    /// What came of it.
    pub(super) fn results(&self) -> Results {
        std::mem::take(&mut *self.results.lock().expect("no holder panics"))
    }

    /// Why an entity is held back, if it is.
    fn held_back(&self, node: Node) -> Option<String> {
        if self.step == Workflow::Unpublish {
            return None;
        }
        let results = self.results.lock().expect("no holder panics");
        let is_lost =
            |node| results.lost.contains(&node) || self.context.live.unfinished.contains(&node);
        let by = self.together.held_by(node, is_lost)?;
        Some(because(self.context.view.entity(by)))
    }

    async fn publish(&self, all: &[&Published]) -> Result<Vec<StepResult>, StoreError> {
        let held: Vec<Option<String>> = all
            .iter()
            .map(|published| self.held_back(published.node))
            .collect();
        let some = all.iter().zip(&held);
        let some: Vec<&Published> = some
            .filter(|(_, held)| held.is_none())
            .map(|(published, _)| *published)
            .collect();
        let mut moved = self.move_some(&some).await?.into_iter();
        let mut results = Vec::with_capacity(all.len());
        for (published, held) in all.iter().zip(held) {
            results.push(match held {
                Some(reason) => {
                    self.hold_back(published.node, published.id, &reason).await;
                    StepResult::Failed {
                        reason,
                        cause: Failure::Refused.into(),
                    }
                }
                None => moved.next().unwrap_or(StepResult::Held),
            });
        }
        Ok(results)
    }

    async fn hold_back(&self, node: Node, id: TargetId, reason: &str) {
        let entity = self.context.view.entity(node);
        {
            let mut results = self.results.lock().expect("no holder panics");
            results
                .held_back
                .push((entity.key.clone(), reason.to_owned()));
            results.lost.insert(node);
        }
        let held = Event::PublishRefused {
            key: entity.key.clone(),
            name: entity.name.to_string(),
            target: id,
            reason: reason.to_owned(),
        };
        self.context.sink.emit(held).await;
    }

    /// Takes back what was published of cycles of which a member was not: as long as the public had seen nothing of it
    /// before. What it had seen in an older version stays, because that version cannot be published again.
    pub(super) async fn take_back(&self) -> Result<(), StoreError> {
        let (lost, noted) = {
            let results = self.results.lock().expect("no holder panics");
            (results.lost.clone(), results.published.clone())
        };
        let is_lost = |node| lost.contains(&node) || self.context.live.unfinished.contains(&node);
        let broken: HashSet<Node> = self.together.broken(is_lost).flatten().copied().collect();
        let is_new =
            |noted: &Publishing| matches!(noted.live, FormerLive::New | FormerLive::Nothing);
        let mut back: Vec<&Published> = self
            .entities
            .iter()
            .filter(|one| broken.contains(&one.node) && noted.get(&one.node).is_some_and(is_new))
            .collect();
        back.sort_by_key(|one| (one.kind, one.locale.clone()));
        for some in
            back.chunk_by(|one, other| (one.kind, &one.locale) == (other.kind, &other.locale))
        {
            let place = (some[0].kind, &some[0].locale);
            let ids: Vec<TargetId> = some.iter().map(|one| one.id).collect();
            let moved = move_some(&self.context, Workflow::Unpublish, place, &ids).await;
            for published in some {
                let is_back = !moved.refused.contains_key(&published.id)
                    && !moved.left.contains(&published.id);
                let by = self.together.held_by(published.node, is_lost);
                if let (true, Some(by)) = (is_back, by) {
                    let reason = because(self.context.view.entity(by));
                    self.is_back(published, &noted[&published.node], reason)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Makes durable that something is not published any more.
    async fn is_back(
        &self,
        published: &Published,
        noted: &Publishing,
        reason: String,
    ) -> Result<(), StoreError> {
        let noted = Publishing {
            state: PublishState::Refused,
            reason: Some(reason.clone()),
            ..noted.clone()
        };
        let changes = vec![Change::Publishing(Box::new(noted))];
        self.context.journal.store.commit(changes).await?;
        self.results
            .lock()
            .expect("no holder panics")
            .published
            .remove(&published.node);
        self.hold_back(published.node, published.id, &reason).await;
        Ok(())
    }

    async fn move_some(&self, some: &[&Published]) -> Result<Vec<StepResult>, StoreError> {
        let Some(first) = some.first() else {
            return Ok(Vec::new());
        };
        let notes = self.note(some).await?;
        let place = (first.kind, &first.locale);
        let below: Vec<&Published> = some
            .iter()
            .copied()
            .filter(|one| self.is_below(one))
            .collect();
        let (saved, unsaved) = self.save_public(&below, &first.locale).await?;
        let ids = some.iter().map(|published| published.id);
        let ids: Vec<TargetId> = ids.filter(|id| !unsaved.has(*id)).collect();
        let mut row = self.row.lock().await;
        let mut moved = move_more(&self.context, self.step, place, &ids, &mut row).await;
        drop(row);
        moved.refused.extend(unsaved.refused);
        moved.left.extend(unsaved.left);
        let outcomes = notes.iter().cloned();
        let outcomes = outcomes.filter_map(|noted| with_outcome(noted, &moved, self.step));
        self.context
            .journal
            .store
            .commit(outcomes.collect())
            .await?;
        if !saved.is_empty() {
            let unsaved = below::save_drafts(&self.context, &first.locale, &saved).await?;
            self.results
                .lock()
                .expect("no holder panics")
                .unsaved_drafts += unsaved;
        }
        self.emit_refused(some, &moved).await;
        Ok(some
            .iter()
            .zip(notes)
            .map(|(published, noted)| self.result(published, noted, &moved))
            .collect())
    }

    /// Whether an item is published in another version than its newest one.
    fn is_below(&self, published: &Published) -> bool {
        let planned = self.context.view.planned(published.node);
        self.step == Workflow::Publish && planned.public.is_some()
    }

    /// Saves the versions that are going to be published over newer drafts: what they may be on top of, and why some are not
    /// published.
    async fn save_public(
        &self,
        some: &[&Published],
        locale: &Locale,
    ) -> Result<(Vec<Node>, Moved), StoreError> {
        let (mut saved, mut unsaved) = (Vec::new(), Moved::default());
        let nodes: Vec<Node> = some.iter().map(|published| published.node).collect();
        let results = below::save_public(&self.context, locale, &nodes).await?;
        for (published, result) in some.iter().zip(results) {
            match result {
                StepResult::Held => {
                    unsaved.left.push(published.id);
                    continue;
                }
                StepResult::Done(_) => {}
                // It may be there all the same.
                StepResult::Failed { reason, .. } => {
                    unsaved.refused.insert(published.id, reason);
                }
            }
            saved.push(published.node);
        }
        Ok((saved, unsaved))
    }

    /// Makes durable what is going to be published, and what the target has and shows of it before.
    async fn note(&self, some: &[&Published]) -> Result<Vec<Publishing>, StoreError> {
        let context = &self.context;
        let note = |published: &&Published| {
            let Published { id, node, .. } = **published;
            async move {
                let (entity, planned) = (context.view.entity(node), context.view.planned(node));
                Publishing {
                    run: context.journal.run.clone(),
                    key: entity.key.clone(),
                    target: id,
                    name: entity.name.to_string(),
                    state: PublishState::Open,
                    reason: None,
                    live: context.former_live(node, id).await,
                    version: read_back(planned),
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
        context.journal.store.commit(changes).await?;
        Ok(notes)
    }

    async fn emit_refused(&self, some: &[&Published], moved: &Moved) {
        for published in some {
            let Some(reason) = moved.refused.get(&published.id) else {
                continue;
            };
            let entity = self.context.view.entity(published.node);
            let refused = Event::PublishRefused {
                key: entity.key.clone(),
                name: entity.name.to_string(),
                target: published.id,
                reason: reason.clone(),
            };
            self.context.sink.emit(refused).await;
        }
    }

    fn result(&self, published: &Published, noted: Publishing, moved: &Moved) -> StepResult {
        if moved.left.contains(&published.id) {
            return StepResult::Held;
        }
        let mut results = self.results.lock().expect("no holder panics");
        if let Some(reason) = moved.refused.get(&published.id) {
            let key = self.context.view.entity(published.node).key.clone();
            results.refused.push((key, reason.clone()));
            results.lost.insert(published.node);
            return StepResult::Failed {
                reason: reason.clone(),
                cause: Failure::Refused.into(),
            };
        }
        results.published.insert(published.node, noted);
        StepResult::Done(Saved {
            target: published.id,
            bytes: 0,
            how: How::AsPlanned,
        })
    }
}

/// The hash of the version that is going to be published, where it is known that the target has it as it is on the source. What
/// this run wrote is known by the verification alone.
fn read_back(planned: &Planned) -> Option<ContentHash> {
    let as_written = planned.source_hash;
    planned
        .public
        .or_else(|| as_written.filter(|_| !planned.action.is_work()))
}

/// Why something is held back.
fn because(entity: &Entity<SourceId>) -> String {
    format!(
        "held back because {} {:?} is not published: they go out together or stay drafts",
        entity.key, entity.name
    )
}

/// The note of something with the outcome of it; `None` of what was not handed in.
fn with_outcome(mut noted: Publishing, moved: &Moved, step: Workflow) -> Option<Change> {
    if moved.left.contains(&noted.target) {
        return None;
    }
    noted.reason = moved.refused.get(&noted.target).cloned();
    noted.state = match (&noted.reason, step) {
        (Some(_), _) => PublishState::Refused,
        (None, Workflow::Publish) => PublishState::Published,
        (None, Workflow::Unpublish) => PublishState::Withdrawn,
    };
    Some(Change::Publishing(Box::new(noted)))
}

impl<E: Ends> Jobs for Publisher<E> {
    type Ends = E;

    fn context(&self) -> &RunContext<E> {
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
