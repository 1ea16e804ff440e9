//! The state of a run, and how it moves: one input in, effects out, nothing waits.
//!
//! An entity goes from waiting to in flight to settled; one whose references were cut is saved first, which
//! frees whoever refers to it, and settled only after its patch. When an entity fails, everything that needs
//! it and is not settled yet is blocked by it, at any distance; everything else goes on.
//!
//! | file | says |
//! |---|---|
//! | `input` | what goes in and what comes out |
//! | `run_state` | what is known, and how a run begins |
//! | `apply` | what an input changes |
//! | `free` | who may go on after a save |
//! | `block` | who cannot go on after a failure |
//! | `settle` | what an outcome means for gates and lanes |
//! | `launch` | what leaves next |

mod apply;
mod block;
mod free;
mod input;
mod launch;
mod run_state;
mod settle;

#[cfg(test)]
mod tests;

pub use input::{Effect, Input, Job, Step, StepResult};
pub use run_state::RunState;
