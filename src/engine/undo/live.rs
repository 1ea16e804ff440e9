//! Restores the published version from before a run.
//!
//! The API publishes the newest version only. So the older version is saved and published, and then the former draft is
//! saved over it. Each step may be repeated: the target shows how far an interrupted undo had come.

use std::collections::BTreeSet;

use super::actions::About;
use super::executor::UndoExecutor;
use crate::domain::{Entity, Kind, Locale, TargetId};
use crate::engine::context::Ends;
use crate::engine::publishing::{Moved, move_some};
use crate::engine::reconcile::{close, failed};
use crate::engine::state::{How, StepResult};
use crate::engine::verify::{Difference, DifferenceKind};
use crate::instance::{Save, Workflow};
use crate::plan::Node;
use crate::plan::undo::Live;
use crate::store::{IntentState, Operation, StoreError};

impl<E: Ends> UndoExecutor<E> {
    /// Saves the version that the public saw over what is there.
    pub(super) async fn save_version(
        &self,
        node: Node,
        at: usize,
    ) -> Result<StepResult, StoreError> {
        let (version, save) = match self.version(at) {
            Ok(version) => version,
            Err(why) => return Ok(failed(why)),
        };
        let noted = self.replaced(&[at]);
        let intent = self.open(Operation::Restore, &[node], noted).await?;
        let sent = self.save_alone(intent, (at, version), save).await?;
        match sent {
            Ok(_) => {
                close(&self.context.journal, intent, IntentState::Done).await?;
                Ok(self.is_done(at, How::AsPlanned))
            }
            Err(unsaved) => {
                let result = self.not_restored(intent, unsaved).await?;
                Ok(of_version(result))
            }
        }
    }

    /// What the public saw, and its save.
    fn version(&self, at: usize) -> Result<(&Entity<TargetId>, Save), String> {
        let trace = self.trace(at);
        let Some(Live::Version(version)) = &trace.live else {
            return Err("the version that the public saw was not recorded".to_owned());
        };
        let present = self.present(at).map(|present| present.body.parse());
        let save = Save {
            kind: trace.key.kind,
            name: version.name.clone(),
            id: Some(trace.there.id),
            locale: Some(trace.there.locale.clone().ok_or("it has no locale")?),
            body: self.before.body(version, present.as_ref())?.into(),
            numbers: version.body.numbers(),
        };
        Ok((version, save))
    }

    /// Takes a step of the workflow with some entities of one kind and locale.
    pub(super) async fn step(&self, step: Workflow, nodes: &[Node]) -> Vec<StepResult> {
        let traces = nodes.iter().map(|node| self.actions.trace(*node));
        let traces: Vec<Option<usize>> = traces.collect();
        let ids = traces.iter().flatten().map(|at| self.id(*at));
        let moved = self.take_step(step, nodes, ids.collect()).await;
        let result = |at: Option<usize>| match at.map(|at| (at, moved.refused.get(&self.id(at)))) {
            Some((at, None)) if !moved.left.contains(&self.id(at)) => {
                self.is_done(at, How::AsPlanned)
            }
            Some((_, Some(why))) if self.context.instances.alarm.outage().is_none() => {
                failed(format!("{} it: {why}", step.doing()))
            }
            Some(_) | None => StepResult::Held,
        };
        traces.into_iter().map(result).collect()
    }

    async fn take_step(&self, step: Workflow, nodes: &[Node], ids: BTreeSet<TargetId>) -> Moved {
        let Some((kind, locale)) = nodes.first().and_then(|node| self.place(*node)) else {
            return Moved::default();
        };
        let ids: Vec<TargetId> = ids.into_iter().collect();
        move_some(&self.context, step, (kind, &locale), &ids).await
    }

    /// The kind and locale of what a node is about.
    pub(super) fn place(&self, node: Node) -> Option<(Kind, Locale)> {
        match self.actions.planned(node).about {
            About::Trace(at) => {
                let there = &self.trace(at).there;
                Some((there.kind, there.locale.clone()?))
            }
            About::Row(row) => Some((Kind::Page, self.actions.rows[row].0.0.clone())),
        }
    }

    /// Publishes what was published before the run, and pages that had to move. What cannot be is reported at the end.
    pub(super) async fn publish(&self, nodes: &[Node]) -> Vec<StepResult> {
        let of_node = |node: &Node| match self.actions.planned(*node).about {
            About::Trace(at) => vec![self.id(at)],
            About::Row(row) => {
                let moved = self.moved.lock().expect("no holder panics");
                moved.get(&row).cloned().unwrap_or_default()
            }
        };
        let ids: BTreeSet<TargetId> = nodes.iter().flat_map(of_node).collect();
        let moved = self.take_step(Workflow::Publish, nodes, ids).await;
        let place = nodes.first().and_then(|node| self.place(*node));
        let (kind, locale) = place.unwrap_or_else(|| (Kind::Page, Locale::new("")));
        let refused = moved.refused.iter();
        let refused = refused.map(|(id, why)| format!("{kind} {id} of {locale}: {why}"));
        let left = moved.left.iter();
        let left = left.map(|id| format!("{kind} {id} of {locale}: the undo ended"));
        let mut unpublished = self.unpublished.lock().expect("no holder panics");
        unpublished.extend(refused.chain(left));
        let is_left = |node: &Node| of_node(node).iter().any(|id| moved.left.contains(id));
        let result = |node: &Node| match self.actions.trace(*node) {
            _ if is_left(node) => StepResult::Held,
            Some(at) => self.is_done(at, How::AsPlanned),
            None => super::rows::is_done(),
        };
        nodes.iter().map(result).collect()
    }

    /// Compares what the public sees with what it saw.
    pub(super) async fn compare_live(&self, at: usize) -> Option<Difference> {
        let trace = self.trace(at);
        let expected = match trace.live.as_ref()? {
            Live::Nothing => None,
            Live::Version(version) => Some(self.before.hash(version)),
        };
        let detail = match self.context.live_version(&trace.there).await {
            Ok(found) if found.as_ref().map(|found| self.before.hash(found)) == expected => {
                return None;
            }
            Ok(_) => "the public does not see what it saw before the run".to_owned(),
            Err(error) => format!("what the public sees could not be read: {error}"),
        };
        Some(self.difference(at, DifferenceKind::DifferentField, detail))
    }
}

/// Says what it was that failed.
fn of_version(result: StepResult) -> StepResult {
    match result {
        StepResult::Failed { reason, cause } => StepResult::Failed {
            reason: format!("its former published version: {reason}"),
            cause,
        },
        StepResult::Done(_) | StepResult::Held => result,
    }
}
