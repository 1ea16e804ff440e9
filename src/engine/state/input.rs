//! Inputs and effects of the state of a run.

use std::sync::Arc;

use crate::domain::{FailureCause, Outcome, TargetId};
use crate::engine::end::StopCause;
use crate::engine::outage::Outage;
use crate::engine::state::{Queue, Turn};
use crate::event::{Command, Event};
use crate::plan::Node;

/// Which save of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The first one, without the references that are cut.
    Save,
    /// The second one, with them.
    Patch,
}

/// Uploads that belong together: one entity, or a batch of one locale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What kind of request it is.
    pub queue: Queue,
    /// The entities, in the order in which they are sent.
    pub steps: Vec<(Node, Step)>,
    /// The encodings that it is the first to use, as bits: what holds one of them is read back before others follow.
    pub probe: u64,
    /// For a page that takes its place among siblings: its turn.
    pub turn: Option<Turn>,
    /// Milliseconds of the longest chain of work that starts with one of them.
    pub weight: u32,
}

/// What came of a step that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The entity of the target.
    pub target: TargetId,
    /// What was sent, in bytes.
    pub bytes: u64,
    /// What the target made of it.
    pub how: How,
}

/// What the target made of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// What was planned.
    AsPlanned,
    /// It was to be new, and the target wrote over something that was there.
    Over,
    /// Nothing: it was so already.
    Already,
}

/// What came of one step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It is done, and that is durable.
    Done(Saved),
    /// Nothing came of it: the run ends before its request could leave, or before its outcome could be learned. The next
    /// run takes it up.
    Held,
    /// It is not, or it is not known to be.
    Failed {
        /// Why, in one sentence.
        reason: String,
        /// The same in kind.
        cause: FailureCause,
    },
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A job came to its end.
    Done {
        /// The job.
        job: Job,
        /// What came of its entities, in their order.
        results: Vec<StepResult>,
        /// Why nothing more may be written, if so.
        stop: Option<StopCause>,
    },
    /// The target has accepted the request of a page.
    Accepted(Turn),
    /// A command of the user, or of the program for the user.
    Command(Command),
    /// Something stops everything.
    Outage(Arc<Outage>),
}

/// Something to be carried out, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Upload this.
    Launch(Job),
    /// Make the outcome of an entity that was never sent durable.
    Persist {
        /// The entity.
        node: Node,
        /// Its outcome.
        outcome: Outcome,
        /// Why.
        because: String,
    },
    /// Emit this.
    Emit(Event),
}
