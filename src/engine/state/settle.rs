//! What an outcome means for gates and lanes.

use super::run_state::{RunState, Stage, counts};
use super::{Effect, Saved};
use crate::domain::{EntityKey, FailureCause, Kind, Outcome};
use crate::engine::gates::{GateState, gates_of};
use crate::event::{Event, Gate};
use crate::plan::{Action, Node};

impl RunState {
    /// Gives an entity its outcome. `saved` is its counterpart and the bytes sent, where it was just uploaded.
    pub(super) fn settle(
        &mut self,
        node: Node,
        outcome: Outcome,
        because: &str,
        saved: Option<Saved>,
        effects: &mut Vec<Effect>,
    ) {
        let is_work = self.action(node).is_work();
        let before = self.node(node).stage;
        let never_sent = is_work && before == Stage::Waiting;
        self.node_mut(node).stage = if never_sent {
            Stage::Lost
        } else {
            Stage::Settled
        };
        if saved.is_none() && !matches!(outcome, Outcome::Unchanged | Outcome::OutOfScope) {
            effects.push(Effect::Persist {
                node,
                outcome: outcome.clone(),
                because: because.to_owned(),
            });
        }
        let lost = match &outcome {
            Outcome::Failed { .. } => Some(self.key(node)),
            Outcome::Blocked { by } => Some(by.clone()),
            _ => None,
        };
        if !self.flow.quiet {
            let event = self.settled(node, outcome, because, saved);
            effects.push(Effect::Emit(event));
        }
        if counts(self.action(node)) {
            if before != Stage::Saved {
                self.reach_level(node, lost.as_ref(), effects);
            }
            for gate in gates_of(self.kind(node), self.is_in_gallery(node)) {
                self.reach(*gate, node, lost.as_ref(), effects);
            }
        }
        if is_work {
            self.flow.unsettled -= 1;
            self.flow.leave(self.lane(node), effects);
        }
    }

    fn settled(&self, node: Node, outcome: Outcome, because: &str, saved: Option<Saved>) -> Event {
        let cause = matches!(outcome, Outcome::Failed { .. }).then(|| match self.action(node) {
            Action::Fail { cause } => FailureCause::from(*cause),
            _ => self.node(node).failure,
        });
        let level = self.plan.entities[node as usize].level;
        Event::EntitySettled {
            cause: cause.map(|cause| cause.failure),
            status: cause.and_then(|cause| cause.status),
            level: (self.kind(node) == Kind::Content).then_some(level),
            key: self.key(node),
            name: self.source.entities()[node as usize].name.to_string(),
            lane: self.action(node).is_work().then(|| self.lane(node)),
            class: self.plan.entities[node as usize].class,
            target: saved
                .map(|saved| saved.target)
                .or_else(|| self.action(node).counterpart()),
            because: because.to_owned(),
            bytes: saved.map_or(0, |saved| saved.bytes),
            outcome,
        }
    }

    /// A content item counts for its level as soon as it is on the target, patched or not: the patch may need
    /// items of later levels.
    pub(super) fn reach_level(
        &mut self,
        node: Node,
        lost: Option<&EntityKey>,
        effects: &mut Vec<Effect>,
    ) {
        if self.kind(node) == Kind::Content && counts(self.action(node)) {
            let level = self.plan.entities[node as usize].level;
            self.reach(Gate::ContentLevelComplete(level), node, lost, effects);
        }
    }

    fn reach(
        &mut self,
        gate: Gate,
        node: Node,
        lost: Option<&EntityKey>,
        effects: &mut Vec<Effect>,
    ) {
        let key = self.key(node);
        match self.gates.arrive(gate, &key, lost) {
            None | Some(GateState::Closed { .. }) => return,
            Some(GateState::Failed(by)) => {
                effects.push(Effect::Emit(Event::GateFailed { gate, by }));
            }
            Some(GateState::Open(by)) => effects.push(Effect::Emit(Event::GateOpened { gate, by })),
        }
        for ready in self.held.remove(&gate).unwrap_or_default() {
            self.enqueue(ready);
        }
    }
}
