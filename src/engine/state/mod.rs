//! The state of a run as a pure function: one input in, effects out, no waiting.
//!
//! An entity goes from waiting to in flight to processed. With deferred references it is saved first, which frees its
//! dependents, and processed only after its patch. When an entity fails, all its dependents that are not processed yet are
//! blocked, at any distance; everything else continues.
//!
//! | file | contents |
//! |---|---|
//! | `input` | inputs and effects |
//! | `work` | the interface between the dispatcher and every plan |
//! | `flow` | what may leave, what is in flight, how it ends |
//! | `run_state` | the state itself, and its beginning |
//! | `apply` | what an input changes |
//! | `free` | which dependents a save frees |
//! | `block` | which dependents a failure blocks |
//! | `settle` | what an outcome means for gates and lanes |
//! | `launch` | what becomes ready |
//! | `ready` | what leaves next, and in which batch |
//! | `proof` | which encodings of references others may use |
//! | `turn` | which siblings may be in flight together |

mod apply;
mod block;
mod flow;
mod free;
mod input;
mod launch;
mod proof;
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
