//! What an input changes.

use super::run_state::{Mode, RunState, Stage};
use super::{Effect, Input, Job, Step, StepResult};
use crate::domain::{EntityKey, Failure, Outcome, TargetId};
use crate::engine::control::ASKED;
use crate::engine::end::{End, StopCause};
use crate::event::{Command, Event};
use crate::plan::{Action, Node};

impl RunState {
    /// Moves by one input.
    pub fn apply(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Done { job, results, stop } => self.done(&job, results, stop, &mut effects),
            Input::Command(command) => self.command(command, &mut effects),
            Input::Outage(outage) => {
                let reason = outage.error.to_string();
                self.drain(
                    End::Stopped(StopCause::Outage(outage)),
                    &reason,
                    &mut effects,
                );
            }
        }
        self.launch(&mut effects);
        effects
    }

    fn done(
        &mut self,
        job: &Job,
        results: Vec<StepResult>,
        stop: Option<StopCause>,
        effects: &mut Vec<Effect>,
    ) {
        let mut saved = 0;
        for ((node, step), result) in job.steps.iter().copied().zip(results) {
            self.in_flight -= 1;
            match result {
                StepResult::Saved {
                    target,
                    bytes,
                    over,
                } => {
                    saved |= self.plan.entities[node as usize].encodings;
                    self.node_mut(node).is_over |= over;
                    self.saved(node, step, (target, bytes), effects);
                }
                StepResult::Held => self.held(node, step, effects),
                // Its intent is open or in doubt, and the next run finds out.
                StepResult::Failed { cause, .. } if self.is_outage() && is_of_outage(cause) => {
                    self.held(node, step, effects);
                }
                StepResult::Failed { reason, cause } => {
                    self.node_mut(node).failure = cause;
                    self.failed(node, step, reason, effects);
                }
            }
        }
        self.queues
            .finished(job, if stop.is_none() { saved } else { 0 });
        if let Some(cause) = stop {
            let reason = match &cause {
                StopCause::Reference(why) | StopCause::Panic(why) => why.clone(),
                StopCause::Outage(outage) => outage.error.to_string(),
            };
            self.drain(End::Stopped(cause), &reason, effects);
        }
    }

    fn command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Pause if self.mode == Mode::Run => {
                self.mode = Mode::Paused;
                effects.push(Effect::Emit(Event::Paused));
            }
            Command::Resume if self.mode == Mode::Paused => {
                self.mode = Mode::Run;
                effects.push(Effect::Emit(Event::Resumed));
            }
            Command::Drain => self.drain(End::Interrupted, ASKED, effects),
            // Aborting is dropping what is in flight, and the rate is the pacer's: both are the dispatcher's.
            Command::Pause | Command::Resume | Command::Abort | Command::SetRate(_) => {}
        }
    }

    /// Lets nothing new leave. `end` is how the run ends by that.
    pub(super) fn drain(&mut self, end: End, reason: &str, effects: &mut Vec<Effect>) {
        self.end = std::mem::take(&mut self.end).or(end);
        if self.mode != Mode::Drain {
            self.mode = Mode::Drain;
            let reason = reason.to_owned();
            effects.push(Effect::Emit(Event::DrainStarted {
                reason,
                in_flight: self.in_flight,
            }));
        }
    }

    fn saved(
        &mut self,
        node: Node,
        step: Step,
        counterpart: (TargetId, u64),
        effects: &mut Vec<Effect>,
    ) {
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
                    counterpart.0
                )
            } else {
                self.plan.entities[node as usize].because.to_string()
            };
            self.settle(node, outcome, &because, Some(counterpart), effects);
        }
    }

    /// Puts back what did not leave. Nothing is launched any more by then, so it needs no place in a line.
    fn held(&mut self, node: Node, step: Step, effects: &mut Vec<Effect>) {
        let key = self.key(node);
        self.node_mut(node).stage = match step {
            Step::Save => Stage::Waiting,
            Step::Patch => Stage::Saved,
        };
        if let Some(by) = self.node_mut(node).doomed.take() {
            let because = format!("it needs {by}, which failed");
            let outcome = Outcome::Blocked { by };
            self.settle(node, outcome, &because, None, effects);
        } else if step == Step::Save && !self.quiet {
            effects.push(Effect::Emit(Event::EntityHeld { key }));
        }
    }

    fn failed(&mut self, node: Node, step: Step, mut reason: String, effects: &mut Vec<Effect>) {
        let key = self.key(node);
        let cycle = self.cycle_of(node);
        if step == Step::Save && !cycle.is_empty() {
            reason.push_str(&cycle);
            if self.node(node).failure == Failure::Refused {
                self.node_mut(node).failure = Failure::Cycle;
            }
        }
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
            self.drain(End::FailFast, &reason, effects);
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

/// Whether a failure is what an outage looks like to a single entity.
const fn is_of_outage(cause: Failure) -> bool {
    match cause {
        Failure::Access
        | Failure::TimedOut
        | Failure::Throttled
        | Failure::Unreachable
        | Failure::InDoubt => true,
        Failure::Reference | Failure::Cycle | Failure::Misplaced | Failure::Refused => false,
    }
}
