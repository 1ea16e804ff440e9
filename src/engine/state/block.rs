//! Blocks the dependents of a failure.

use std::sync::Arc;

use super::Effect;
use super::run_state::{RunState, Stage};
use crate::domain::{EntityKey, Outcome};
use crate::plan::{Node, Strength};

impl RunState {
    /// Blocks, at any distance, whatever needs `node`, which has just ended without success. `root` is
    /// the failure behind that.
    pub(super) fn block_dependants(
        &mut self,
        node: Node,
        root: &EntityKey,
        effects: &mut Vec<Effect>,
    ) {
        let plan = Arc::clone(&self.plan);
        let mut open = vec![node];
        while let Some(lost) = open.pop() {
            for who in plan.graph.needed_by(lost).iter().copied() {
                if self.cannot_do_without(who, lost) && self.block(who, root, effects) {
                    open.push(who);
                }
            }
        }
    }

    fn cannot_do_without(&self, who: Node, lost: Node) -> bool {
        let is_there = self.node(lost).is_there;
        let is_half = is_there && self.plan.entities[lost as usize].is_patched();
        let is_absent = !is_there && self.action(lost).counterpart().is_none();
        let matters = |strength| match strength {
            Strength::Order => false,
            Strength::Name { .. } => !is_there,
            Strength::Renamed => is_half,
            Strength::Whole => !is_there || is_half,
            Strength::Hard | Strength::Deferrable { .. } => is_absent,
        };
        let mut needs = self.plan.graph.needs(who).iter();
        who != lost
            && self.action(who).is_work()
            && needs.any(|need| need.on == lost && matters(need.strength))
    }

    /// Blocks `who`, now or as soon as it is back. Returns whether it was settled by this.
    fn block(&mut self, who: Node, root: &EntityKey, effects: &mut Vec<Effect>) -> bool {
        let outcome = Outcome::Blocked { by: root.clone() };
        match self.node(who).stage {
            Stage::Waiting => {
                let because = format!("it needs {root}, which failed");
                self.settle(who, outcome, &because, None, effects);
                self.go_without(who);
                self.pass_lost(who);
                true
            }
            Stage::Saved => {
                let because = match &self.plan.entities[who as usize].temporary {
                    Some(name) => format!(
                        "it stands under the temporary name {name:?}, because {root} failed, which has the name that it \
                         is to have; the next run goes on from there"
                    ),
                    None => format!("it was saved without its reference to {root}, which failed"),
                };
                self.settle(who, outcome, &because, None, effects);
                true
            }
            Stage::InFlight => {
                self.node_mut(who)
                    .doomed
                    .get_or_insert_with(|| root.clone());
                false
            }
            Stage::Settled | Stage::Lost => false,
        }
    }
}
