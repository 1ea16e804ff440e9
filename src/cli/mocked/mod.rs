//! What the mock server is used for: a demonstration, a rehearsal, and as a command of its own.
//!
//! This folder is the only place outside [`crate::mock`] that names it, apart from errors. A build without the feature
//! `mock` has neither.

mod command;
mod demo;
pub mod generate;
mod rehearsal;
pub mod serve;

pub use command::MockArgs;
pub(super) use command::play;
pub(super) use demo::{DemoArgs, run as demo};
pub(super) use rehearsal::run as rehearse;
