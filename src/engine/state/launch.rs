//! What leaves next.

use super::run_state::{Mode, RunState, Stage};
use super::{Effect, Job, Step};
use crate::engine::gates::waits_for;
use crate::engine::options::Schedule;
use crate::engine::ready::{Queue, Ready};
use crate::event::Event;
use crate::plan::Node;

impl RunState {
    /// Notes that nothing has to come before this save of `node` any more.
    pub(super) fn ready(&mut self, node: Node, step: Step) {
        let entity = &self.source.entities()[node as usize];
        let planned = &self.plan.entities[node as usize];
        self.enqueue(Ready {
            weight: planned.remaining_ms,
            node,
            step,
            queue: Queue::of(&entity.key),
            encodings: planned.encodings,
            // The patch of a page names the sibling behind it, as its first save did: one that arrives between the two
            // meanwhile would stand on the wrong side of it.
            row: planned.row,
        });
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
            None => self.queues.push(ready),
        }
    }

    /// Lets everything leave that may.
    pub(super) fn launch(&mut self, effects: &mut Vec<Effect>) {
        while self.mode == Mode::Run {
            let stages = &self.nodes;
            // An entity may have been blocked while it stood in a queue.
            let waits = |ready: &Ready| match ready.step {
                Step::Save => stages[ready.node as usize].stage == Stage::Waiting,
                Step::Patch => stages[ready.node as usize].stage == Stage::Saved,
            };
            let Some(job) = self.queues.next_job(&waits) else {
                return;
            };
            self.leave(&job, effects);
            effects.push(Effect::Launch(job));
        }
    }

    fn leave(&mut self, job: &Job, effects: &mut Vec<Effect>) {
        for (node, step) in job.steps.iter().copied() {
            self.in_flight += 1;
            let lane = self.lane(node);
            let state = self.lanes.entry(lane).or_default();
            if !std::mem::replace(&mut state.started, true) {
                effects.push(Effect::Emit(Event::LaneStarted { lane }));
            }
            if step == Step::Save {
                self.node_mut(node).stage = Stage::InFlight;
                if self.quiet {
                    continue;
                }
                effects.push(Effect::Emit(Event::EntityStarted {
                    key: self.key(node),
                    lane,
                    class: self.plan.entities[node as usize].class,
                }));
            }
        }
    }
}
