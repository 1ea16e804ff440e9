//! Moves entities into the ready queue.

use super::run_state::{RunState, Stage};
use super::{Effect, Step};
use crate::engine::gates::waits_for;
use crate::engine::options::Schedule;
use crate::engine::state::{Queue, Ready, Turn};
use crate::event::Event;
use crate::plan::{Action, Node};

impl RunState {
    /// Notes that nothing has to come before this save of `node` any more.
    pub(super) fn ready(&mut self, node: Node, step: Step) {
        let entity = &self.source.entities()[node as usize];
        let planned = &self.plan.entities[node as usize];
        let together = self.uploads.together(node);
        let together = together.filter(|_| step == Step::Save);
        self.enqueue(Ready {
            weight: together.map_or(planned.remaining_ms, |together| together.weight),
            node,
            step,
            queue: Queue::of(&entity.key),
            encodings: planned.encodings,
            turn: planned.row.map(|row| self.turn(row, node, step)),
            upload: together.map(|together| together.upload),
        });
    }

    /// A new page may overlap with others of its row that stand in front of it. Not with a patch: another page that arrives
    /// between the two saves of one would stand on the wrong side of it.
    fn turn(&self, row: Node, node: Node, step: Step) -> Turn {
        let planned = &self.plan.entities[node as usize];
        let is_new = matches!(planned.action, Action::Create { .. }) && step == Step::Save;
        let place = planned
            .place
            .as_ref()
            .filter(|place| place.before.is_none());
        let at = place.and_then(|place| place.at).map(|(_, at)| at);
        Turn {
            row,
            at: at.filter(|_| is_new),
            overlaps: false,
        }
    }

    /// Lets it stand in line, or in the phased schedule at the first gate that has not settled.
    pub(super) fn enqueue(&mut self, ready: Ready) {
        let holding = match (self.schedule, ready.step) {
            (Schedule::Phased, Step::Save) => {
                let level = self.plan.entities[ready.node as usize].level;
                waits_for(self.kind(ready.node), level)
                    .into_iter()
                    .find(|gate| !self.gates.is_settled(*gate))
            }
            (Schedule::Phased, Step::Patch) | (Schedule::Pipelined, _) => None,
        };
        match holding {
            Some(gate) => self.held.entry(gate).or_default().push(ready),
            None => self.flow.queues.push(ready),
        }
    }

    /// Whether what stands in line is still to be saved: an entity may have been blocked meanwhile.
    pub(super) fn waits(&self, ready: &Ready) -> bool {
        let stage = self.node(ready.node).stage;
        match ready.step {
            Step::Save => stage == Stage::Waiting,
            Step::Patch => stage == Stage::Saved,
        }
    }

    /// Notes that a save leaves.
    pub(super) fn leave(&mut self, (node, step): (Node, Step), effects: &mut Vec<Effect>) {
        let lane = self.lane(node);
        self.flow.enter(lane, effects);
        if step == Step::Save {
            self.node_mut(node).stage = Stage::InFlight;
            if !self.flow.quiet {
                effects.push(Effect::Emit(Event::EntityStarted {
                    key: self.key(node),
                    lane,
                    class: self.plan.entities[node as usize].class,
                }));
            }
        }
    }
}
