//! The state of a run, and how it moves: one input in, effects out, nothing waits.
//!
//! An entity goes from waiting to in flight to settled; one whose references were cut is saved first, which
//! frees what refers to it, and settled only after its patch. When an entity fails, everything that needs
//! it and is not settled yet is blocked by it, at any distance; everything else goes on.
//!
//! | file | says |
//! |---|---|
//! | `input` | what goes in and what comes out |
//! | `work` | what the dispatcher asks of every plan, and what is the same for all |
//! | `flow` | what may leave, what is in flight, how it ends |
//! | `run_state` | what is known, and how a run begins |
//! | `apply` | what an input changes |
//! | `free` | what may go on after a save |
//! | `block` | what cannot go on after a failure |
//! | `settle` | what an outcome means for gates and lanes |
//! | `launch` | what becomes ready |
//! | `ready` | what leaves next, and with what |
//! | `turn` | which siblings may be in flight together |

mod apply;
mod block;
mod flow;
mod free;
mod input;
mod launch;
mod ready;
mod run_state;
mod settle;
mod turn;
mod work;

#[cfg(test)]
mod tests;

pub(super) use flow::DUMPED;
pub use flow::Flow;
pub use input::{Effect, How, Input, Job, Saved, Step, StepResult};
pub(super) use ready::IDS_AT_ONCE;
pub use ready::{Limits, Queue, Ready, ReadyQueues};
pub use run_state::RunState;
pub use turn::Turn;
pub use work::Work;
