//! Frees what a save was the dependency of.
//!
//! Most entities are free to refer to another one as soon as it has an id, patched or not. A model is the
//! exception: its first save may lack whole fields, so its items wait for the last one.
//!
//! Siblings of which some move are saved one after another. A sibling that is never sent passes on its turn, but only when
//! the turn comes: otherwise two of its neighbours would be in flight together, and end in the wrong order. The turns of new
//! siblings are those of [`super::turn`].

use std::sync::Arc;

use super::Step;
use super::run_state::{RunState, Stage};
use crate::plan::{Need, Node, Strength};

impl RunState {
    /// Frees what waits for this save of `node`.
    pub(super) fn release(&mut self, node: Node, step: Step) {
        let plan = Arc::clone(&self.plan);
        for who in plan.graph.needed_by(node).iter().copied() {
            if self.frees_patch(who, node) == Some(step) {
                self.patch_closer(who);
            }
            let needs = plan.waits_on(who, node);
            let freed = needs.filter(|need| self.frees(*need) == Some(step));
            for _ in 0..freed.count() {
                self.step_closer(who);
            }
        }
    }

    /// Frees what waits for a change of `node` that will not come: as it was, it exists. What waits for its name is freed
    /// with the others, and blocked right after.
    pub(super) fn go_without(&mut self, node: Node) {
        if self.action(node).counterpart().is_some() {
            self.release(node, Step::Save);
            if self.plan.entities[node as usize].is_patched() {
                self.release(node, Step::Patch);
            }
        }
    }

    /// Which save of `node` the patch of `who` waits for.
    fn frees_patch(&self, who: Node, node: Node) -> Option<Step> {
        if self.plan.entities[who as usize].again.contains(&node) {
            return Some(self.names(node));
        }
        self.plan.is_cut(who, node).then_some(Step::Save)
    }

    /// Which save gives `node` its final name.
    fn names(&self, node: Node) -> Step {
        match self.plan.entities[node as usize].temporary {
            Some(_) => Step::Patch,
            None => Step::Save,
        }
    }

    /// Which save of what is needed frees for `need`; `None` for an order, which asks for a turn and not for a save.
    fn frees(&self, need: Need) -> Option<Step> {
        let in_two_steps = self.plan.entities[need.on as usize].is_patched();
        match need.strength {
            Strength::Order => None,
            Strength::Whole if in_two_steps => Some(Step::Patch),
            Strength::Renamed => Some(self.names(need.on)),
            // Its first save gives up the name, be it for a temporary one.
            Strength::Name { .. }
            | Strength::Whole
            | Strength::Hard
            | Strength::Deferrable { .. } => Some(Step::Save),
        }
    }

    /// Passes on the turn among siblings: `node` is back, or will never leave.
    pub(super) fn pass(&mut self, node: Node) {
        let plan = Arc::clone(&self.plan);
        let mut passed = vec![node];
        while let Some(before) = passed.pop() {
            for who in plan.graph.needed_by(before).iter().copied() {
                if self.ahead_of(who) != Some(before) {
                    continue;
                }
                if self.node(who).stage == Stage::Lost {
                    passed.push(who);
                } else {
                    self.step_closer(who);
                }
            }
        }
    }

    /// Passes on the turn of an entity that was lost, if it has come.
    pub(super) fn pass_lost(&mut self, node: Node) {
        if self.turn_has_come(node) {
            self.pass(node);
        }
    }

    /// Whether every sibling that `node` lets go first is back, or was lost as well.
    fn turn_has_come(&self, node: Node) -> bool {
        let mut at = node;
        while let Some(ahead) = self.ahead_of(at) {
            match self.node(ahead).stage {
                Stage::Waiting | Stage::InFlight => return false,
                Stage::Saved | Stage::Settled => return true,
                Stage::Lost => at = ahead,
            }
        }
        true
    }

    /// The sibling that `node` lets go first.
    fn ahead_of(&self, node: Node) -> Option<Node> {
        let mut needs = self.plan.waits_for(node);
        let order = needs.find(|need| need.strength == Strength::Order);
        order.map(|need| need.on)
    }

    fn step_closer(&mut self, node: Node) {
        let state = self.node_mut(node);
        if state.stage == Stage::Waiting {
            state.missing = state.missing.saturating_sub(1);
            if state.missing == 0 {
                self.ready(node, Step::Save);
            }
        }
    }

    fn patch_closer(&mut self, node: Node) {
        let state = self.node_mut(node);
        state.patch_missing = state.patch_missing.saturating_sub(1);
        if state.stage == Stage::Saved && state.patch_missing == 0 {
            self.ready(node, Step::Patch);
        }
    }
}
