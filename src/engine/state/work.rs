//! The interface between the dispatcher and the plan of a run or an undo.
//!
//! A plan provides its nodes, their order, and what a result means for them. What may leave, what is in flight, commands,
//! an outage, a stop and the end are the same for every plan, and are handled here.

use std::fmt::Debug;

use super::flow::Flow;
use super::{Effect, Input, Job, Saved, Step, StepResult};
use crate::domain::{Failure, FailureCause};
use crate::engine::end::{End, StopCause};
use crate::engine::state::Ready;
use crate::event::Event;
use crate::plan::Node;

/// A plan that is carried out: one input in, effects out, nothing waits.
pub trait Work: Clone + Debug + Send + 'static {
    /// What it has in common with every other.
    fn flow(&self) -> &Flow;

    /// The same, to be changed.
    fn flow_mut(&mut self) -> &mut Flow;

    /// Settles what needs no request, and lets what waits for nothing stand in line.
    fn begin(&mut self, effects: &mut Vec<Effect>);

    /// Whether what stands in line is still to leave. It is, where nothing comes in between that would make a step needless.
    fn is_wanted(&self, _ready: &Ready) -> bool {
        true
    }

    /// Notes that a step leaves.
    fn leaves(&mut self, _step: (Node, Step), _effects: &mut Vec<Effect>) {}

    /// Notes that a step is done.
    fn done(&mut self, step: (Node, Step), saved: Saved, effects: &mut Vec<Effect>);

    /// Puts back a step of which nothing came. Nothing is launched any more by then, so it needs no place in a line.
    fn held(&mut self, _step: (Node, Step), _effects: &mut Vec<Effect>) {}

    /// Notes that a step failed, for a reason of this kind.
    fn failed(
        &mut self,
        step: (Node, Step),
        why: (String, FailureCause),
        effects: &mut Vec<Effect>,
    );

    /// What each node without an outcome waits for.
    fn dump(&self) -> String;

    /// The encodings that the body of a node holds, as bits.
    fn encodings(&self, _node: Node) -> u64 {
        0
    }

    /// Puts back what is done in part, when the run ends before the rest. The next one does it.
    fn put_back(&self) -> Vec<Event> {
        Vec::new()
    }

    /// What has no outcome; `None` where all entities have one, and what is left is the next run's.
    fn left(&self) -> Option<Event> {
        None
    }

    /// Moves from where nothing has left.
    fn start(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.begin(&mut effects);
        launch(self, &mut effects);
        effects
    }

    /// Moves by one input.
    fn apply(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Done { job, results, stop } => {
                came_back(self, &job, results, stop, &mut effects);
            }
            Input::Accepted(turn) => self.flow_mut().queues.accepted(&turn),
            Input::Command(command) => self.flow_mut().command(command, &mut effects),
            Input::Outage(outage) => {
                let reason = outage.error.to_string();
                let end = End::Stopped(StopCause::Outage(outage));
                self.flow_mut().drain(end, &reason, &mut effects);
            }
        }
        launch(self, &mut effects);
        effects
    }

    /// The same without events of single entities: a play drops them, and they are most of its time.
    #[must_use]
    fn quietly(mut self) -> Self {
        self.flow_mut().quiet = true;
        self
    }

    /// Whether nothing is in flight and nothing more will leave.
    fn is_over(&self) -> bool {
        self.flow().is_over()
    }

    /// Whether something waits of which nothing can ever leave.
    fn is_stalled(&self) -> bool {
        self.flow().is_stalled()
    }

    /// Whether whatever is ready may leave.
    fn is_running(&self) -> bool {
        self.flow().is_running()
    }

    /// Whether nothing more may leave.
    fn is_draining(&self) -> bool {
        self.flow().is_draining()
    }

    /// What has no outcome yet.
    fn unsettled(&self) -> u32 {
        self.flow().unsettled
    }

    /// How it ended.
    fn end(&self) -> End {
        self.flow().end(|| self.dump())
    }
}

/// Lets everything leave that may.
fn launch<W: Work>(work: &mut W, effects: &mut Vec<Effect>) {
    while work.is_running() {
        // A step may have become unwanted while it stood in line.
        let mut queues = std::mem::take(&mut work.flow_mut().queues);
        let job = queues.next_job(&|ready| work.is_wanted(ready));
        work.flow_mut().queues = queues;
        let Some(job) = job else {
            return;
        };
        for step in job.steps.iter().copied() {
            work.flow_mut().in_flight += 1;
            work.leaves(step, effects);
        }
        effects.push(Effect::Launch(job));
    }
}

fn came_back<W: Work>(
    work: &mut W,
    job: &Job,
    results: Vec<StepResult>,
    stop: Option<StopCause>,
    effects: &mut Vec<Effect>,
) {
    let mut seen = 0;
    for (step, result) in job.steps.iter().copied().zip(results) {
        work.flow_mut().in_flight -= 1;
        match result {
            StepResult::Done(saved) => {
                seen |= work.encodings(step.0);
                work.done(step, saved, effects);
            }
            StepResult::Held => work.held(step, effects),
            // Its intent is open or in doubt, and the next run finds out.
            StepResult::Failed { cause, .. }
                if work.flow().is_outage() && is_of_outage(cause.failure) =>
            {
                work.held(step, effects);
            }
            StepResult::Failed { reason, cause } => work.failed(step, (reason, cause), effects),
        }
    }
    let proven = if stop.is_none() { seen } else { 0 };
    work.flow_mut().queues.finished(job, proven);
    if let Some(cause) = stop {
        let reason = match &cause {
            StopCause::Reference(why) | StopCause::Panic(why) => why.clone(),
            StopCause::Outage(outage) => outage.error.to_string(),
        };
        work.flow_mut().drain(End::Stopped(cause), &reason, effects);
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
        Failure::Reference
        | Failure::Cycle
        | Failure::Misplaced
        | Failure::File
        | Failure::ServerFailed
        | Failure::Refused => false,
    }
}
