//! Carries out the actions of an undo.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::actions::{About, Action, Actions};
use super::gather::UndoOutlook;
use super::look::Looks;
use crate::domain::{
    ContentHash, Entity, Id as _, Inventory, Kind, Locale, Outcome, TargetId, TargetKey,
};
use crate::engine::context::{Ends, RunContext};
use crate::engine::jobs::{Finished, Jobs};
use crate::engine::lease::Fence;
use crate::engine::open_intents::Opening;
use crate::engine::outage::Alarm;
use crate::engine::reconcile::{BatchEnd, close, held_back, wait};
use crate::engine::session::Session;
use crate::engine::state::{Job, Step, StepResult};
use crate::instance::{Source, Target, Workflow};
use crate::plan::Node;
use crate::plan::undo::{Decided, Decision, Own, Trace};
use crate::store::{Change, IntentDetail, IntentId, IntentState, Operation, RunEntity, StoreError};

/// What the jobs of an undo share.
pub(super) struct UndoExecutor<E: Ends> {
    /// Pace, store, sink and options; its plan is empty, because the source has no part in an undo.
    pub(super) context: RunContext<E>,
    pub(super) outlook: Arc<UndoOutlook>,
    pub(super) actions: Arc<Actions>,
    /// The target in its own terms, with its models as they were before the run.
    pub(super) before: Own,
    /// Content that was looked at and is not deleted yet.
    pub(super) looks: tokio::sync::Mutex<Looks>,
    /// Pages that were moved and had been published, by row.
    pub(super) moved: Mutex<BTreeMap<usize, Vec<TargetId>>>,
    /// Why something could not be published again.
    pub(super) unpublished: Mutex<Vec<String>>,
}

impl<S: Source, T: Target> UndoExecutor<(S, T)> {
    pub(super) fn of_undo(
        session: &Session<S, T>,
        plan: (Arc<UndoOutlook>, Arc<Actions>),
        fence: Fence,
    ) -> Self {
        let mut context = session.bare_context(
            Arc::new(Inventory::empty(session.source.guid.clone())),
            Arc::clone(&plan.0.target),
            Some(fence),
        );
        context.instances.alarm = Alarm::of_undo();
        Self::with(context, plan)
    }
}

impl<E: Ends> UndoExecutor<E> {
    /// What carries out a plan with a context without a source.
    pub(super) fn with(
        context: RunContext<E>,
        (outlook, actions): (Arc<UndoOutlook>, Arc<Actions>),
    ) -> Self {
        let before = Own::new(Arc::clone(&outlook.target), &outlook.former_models())
            .with_created(outlook.created.clone())
            .writing(context.options.probed.links);
        Self {
            context,
            before,
            outlook,
            actions,
            looks: tokio::sync::Mutex::default(),
            moved: Mutex::default(),
            unpublished: Mutex::default(),
        }
    }

    pub(super) fn trace(&self, at: usize) -> &Trace {
        &self.outlook.traces[at]
    }

    pub(super) fn decided(&self, at: usize) -> &Decided {
        &self.outlook.plan.entities[at]
    }

    /// Where the target has an entity now: what was created again has a new id.
    pub(super) fn there(&self, at: usize) -> TargetKey {
        let there = &self.trace(at).there;
        let is_new = self.decided(at).decision == Decision::CreateAgain;
        let now = is_new.then(|| self.before.now(there.kind, there.id.raw()));
        let id = now.flatten().map_or(there.id, |(id, _)| id);
        TargetKey {
            id,
            ..there.clone()
        }
    }

    /// What the target had in that place when the plan was made.
    pub(super) fn present(&self, at: usize) -> Option<&Entity<TargetId>> {
        self.outlook.target.get(&self.trace(at).there)
    }

    /// The locale of an entity; of kinds without one, one that a path may need.
    pub(super) fn locale(&self, at: usize) -> Option<Locale> {
        let own = self.trace(at).there.locale.clone();
        own.or_else(|| self.outlook.target.locales.first().cloned())
    }

    pub(super) fn has_failed(&self, at: usize) -> bool {
        self.context.live.unfinished.contains(&number(at))
    }

    /// What was to be deleted and is not known to be left.
    pub(super) fn deleted(&self) -> impl Iterator<Item = TargetKey> + '_ {
        let all = self.outlook.plan.entities.iter().enumerate();
        let deleted = all.filter(|(at, decided)| {
            matches!(decided.decision, Decision::Delete | Decision::Gone) && !self.has_failed(*at)
        });
        deleted.map(|(at, _)| self.trace(at).there.clone())
    }

    /// How many could not be deleted or restored.
    pub(super) fn failures(&self) -> usize {
        self.context.live.unfinished.len()
    }

    /// Why something could not be published again.
    pub(super) fn take_unpublished(&self) -> Vec<String> {
        std::mem::take(&mut *self.unpublished.lock().expect("no holder panics"))
    }

    /// Whether an entity that the run had written over is as it was before.
    pub(super) fn is_restored(&self, at: usize) -> bool {
        match &self.decided(at).decision {
            Decision::Restore | Decision::CreateAgain => !self.has_failed(at),
            Decision::AsBefore => true,
            Decision::Delete | Decision::Gone | Decision::Keep(_) => false,
        }
    }

    /// Makes durable that a request about some nodes is about to leave, together with `changes`.
    pub(super) async fn open(
        &self,
        operation: Operation,
        nodes: &[Node],
        changes: Vec<Change>,
    ) -> Result<IntentId, StoreError> {
        let traces = || nodes.iter().filter_map(|node| self.actions.trace(*node));
        let opening = Opening {
            operation,
            keys: traces().map(|at| self.trace(at).key.clone()).collect(),
            hashes: traces().map(|at| self.sent_hash(at)).collect(),
            details: traces().map(|at| self.detail(at, operation)).collect(),
            steps: nodes.iter().map(|node| (*node, Step::Save)).collect(),
            creates: Vec::new(),
            attempt: 1,
        };
        self.context.journal.open(opening, changes).await
    }

    /// The hash of what is saved again; of a delete, of what is there.
    fn sent_hash(&self, at: usize) -> ContentHash {
        let prior = self.trace(at).prior.as_ref();
        let entity = prior.map(|prior| &prior.entity).or(self.present(at));
        entity.map_or_else(
            || ContentHash::of_bytes(&[]),
            |entity| self.before.hash(entity),
        )
    }

    fn detail(&self, at: usize, operation: Operation) -> IntentDetail {
        let trace = self.trace(at);
        let path_locale = (trace.key.kind == Kind::Template)
            .then(|| self.locale(at))
            .flatten();
        IntentDetail {
            operation,
            name: trace.name.clone(),
            target: Some(trace.there.id),
            container: path_locale.map_or_else(String::new, |locale| locale.to_string()),
            ..IntentDetail::default()
        }
    }

    /// The row of an entity in the results of the undo.
    pub(super) fn row(&self, at: usize, outcome: Outcome, because: &str) -> Change {
        let trace = self.trace(at);
        Change::Entity(RunEntity {
            run: self.context.journal.run.clone(),
            key: trace.key.clone(),
            name: trace.name.clone(),
            outcome,
            target: Some(self.there(at).id),
            because: because.to_owned(),
        })
    }

    async fn act(&self, job: &Job) -> Result<Vec<StepResult>, StoreError> {
        let nodes: Vec<Node> = job.steps.iter().map(|(node, _)| *node).collect();
        let planned = self.actions.planned(nodes[0]);
        let one = |result| vec![result];
        match (planned.action, planned.about) {
            (Action::SaveVersion, About::Trace(at)) => {
                self.save_version(nodes[0], at).await.map(one)
            }
            (Action::Restore, About::Trace(at)) if self.trace(at).key.kind == Kind::Content => {
                self.restore_items(&nodes).await
            }
            (Action::Restore, About::Trace(at)) => self.restore(nodes[0], at).await.map(one),
            (Action::Delete, About::Trace(at)) => self.delete(nodes[0], at).await.map(one),
            (Action::PublishVersion, _) => Ok(self.step(Workflow::Publish, &nodes).await),
            (Action::Unpublish | Action::UnpublishAgain, _) => {
                Ok(self.step(Workflow::Unpublish, &nodes).await)
            }
            (Action::Publish, _) => Ok(self.publish(&nodes).await),
            (Action::Order, About::Row(row)) => Ok(one(self.order(row).await)),
            // A row is neither saved nor deleted, and an entity alone is in order.
            (Action::SaveVersion | Action::Restore | Action::Delete, About::Row(_))
            | (Action::Order, About::Trace(_)) => Ok(held_back(nodes.len())),
        }
    }

    /// Waits for what a broken task has handed in. All actions may be repeated, so nothing else has to be known of it.
    async fn close_broken(&self, job: &Job) -> Result<(), StoreError> {
        for (id, intent) in self.context.journal.open.of(&job.steps) {
            let end = match intent.batch {
                Some(batch) => {
                    let items = u32::try_from(job.steps.len()).unwrap_or(u32::MAX);
                    let batch_in_flight = self
                        .context
                        .instances
                        .batch_times
                        .begin(job.queue.batch(), items);
                    Some(wait(&self.context, batch, (batch_in_flight, items)).await)
                }
                None => None,
            };
            let state = match end {
                Some(BatchEnd::Unknown(_) | BatchEnd::Halted) => IntentState::InDoubt,
                Some(BatchEnd::Finished(_) | BatchEnd::Failed(_)) | None => IntentState::Failed,
            };
            close(&self.context.journal, id, state).await?;
        }
        Ok(())
    }
}

impl<E: Ends> Jobs for UndoExecutor<E> {
    type Ends = E;

    fn context(&self) -> &RunContext<E> {
        &self.context
    }

    async fn run(&self, job: Job, again: bool) -> Result<Finished, StoreError> {
        if again {
            self.close_broken(&job).await?;
        }
        let results = self.act(&job).await?;
        Ok(Finished {
            job,
            results,
            stop: None,
        })
    }

    /// `node` is the entity's place among all that the run wrote.
    fn outcome(&self, node: Node, outcome: &Outcome, because: &str) -> Vec<Change> {
        let at = node as usize;
        if matches!(outcome, Outcome::Failed { .. } | Outcome::Blocked { .. }) {
            self.context.live.unfinished.insert(node);
        }
        let mut changes = self.without_request(at);
        changes.push(self.row(at, outcome.clone(), because));
        changes
    }
}

/// The place of an entity as the store of what failed has it.
fn number(at: usize) -> Node {
    Node::try_from(at).expect("entities are counted in 32 bits")
}
