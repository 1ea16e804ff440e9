//! Applies results to the state.

use super::run_state::{RunState, Stage};
use super::{Effect, How, Saved, Step};
use crate::domain::{EntityKey, Failure, FailureCause, Outcome};
use crate::engine::end::End;
use crate::event::Event;
use crate::plan::{Action, Node};

impl RunState {
    /// Notes that an entity was saved.
    pub(super) fn saved(
        &mut self,
        (node, step): (Node, Step),
        saved: Saved,
        effects: &mut Vec<Effect>,
    ) {
        self.node_mut(node).is_over |= saved.how == How::Over;
        if step == Step::Patch {
            let key = self.key(node);
            effects.push(Effect::Emit(Event::EntityPatched { key }));
        }
        self.node_mut(node).is_there = true;
        self.release(node, step);
        if step == Step::Save {
            self.pass(node);
        }
        if let Some(by) = self.node_mut(node).doomed.take() {
            let because = format!("it was saved without its reference to {by}, which failed");
            let outcome = Outcome::Blocked { by: by.clone() };
            self.settle(node, outcome, &because, None, effects);
            self.block_dependants(node, &by, effects);
        } else if step == Step::Save && self.plan.entities[node as usize].is_patched() {
            self.node_mut(node).stage = Stage::Saved;
            self.reach_level(node, None, effects);
            if self.node(node).patch_missing == 0 {
                self.ready(node, Step::Patch);
            }
        } else {
            let is_over = self.node(node).is_over;
            let outcome = match self.action(node) {
                Action::Update { .. } => Outcome::Updated,
                _ if is_over => Outcome::Updated,
                _ => Outcome::Created,
            };
            let because = if is_over {
                format!(
                    "the target took its name for that of {} {}, which was there, and wrote over it",
                    self.kind(node),
                    saved.target
                )
            } else {
                self.plan.entities[node as usize].because.to_string()
            };
            self.settle(node, outcome, &because, Some(saved), effects);
        }
    }

    /// Puts back what did not leave. Nothing is launched any more by then, so it needs no place in a line.
    pub(super) fn put_back_step(&mut self, (node, step): (Node, Step), effects: &mut Vec<Effect>) {
        let key = self.key(node);
        self.node_mut(node).stage = match step {
            Step::Save => Stage::Waiting,
            Step::Patch => Stage::Saved,
        };
        if let Some(by) = self.node_mut(node).doomed.take() {
            let because = format!("it needs {by}, which failed");
            let outcome = Outcome::Blocked { by };
            self.settle(node, outcome, &because, None, effects);
        } else if step == Step::Save && !self.flow.quiet {
            effects.push(Effect::Emit(Event::EntityHeld { key }));
        }
    }

    /// Notes that an entity could not be saved.
    pub(super) fn lost(
        &mut self,
        (node, step): (Node, Step),
        (mut reason, mut cause): (String, FailureCause),
        effects: &mut Vec<Effect>,
    ) {
        let key = self.key(node);
        if step == Step::Save {
            reason.push_str(&self.cycle_of(node));
            if cause.failure == Failure::Refused && self.plan.lacks_required(node) {
                cause.failure = Failure::Cycle;
            }
        }
        self.node_mut(node).failure = cause;
        let because = reason.clone();
        self.settle(node, Outcome::Failed { reason }, &because, None, effects);
        if step == Step::Save {
            self.go_without(node);
            self.pass(node);
        }
        self.block_dependants(node, &key, effects);
        self.stop_if_fast(&key, effects);
    }

    /// Ends a run that is to end with the first failure.
    pub(super) fn stop_if_fast(&mut self, failed: &EntityKey, effects: &mut Vec<Effect>) {
        if self.fail_fast {
            let reason = format!("{failed} failed, and the run is to stop at the first failure");
            self.flow.drain(End::FailFast, &reason, effects);
        }
    }

    /// What to add to the failure of an entity whose references were cut: the server may refuse it without them.
    fn cycle_of(&self, node: Node) -> String {
        let cut: Vec<String> = self.plan.entities[node as usize]
            .left_out
            .iter()
            .map(|(_, on)| self.key(*on).to_string())
            .collect();
        if cut.is_empty() {
            return String::new();
        }
        format!(
            "; it is part of a reference cycle and was first saved without its references to {}",
            cut.join(", ")
        )
    }
}
