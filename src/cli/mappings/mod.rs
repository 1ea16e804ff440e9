//! `lockgate mappings`: which entity of the target is the counterpart of which one of the source.
//!
//! What comes in from outside gets no base: no run has compared the two sides yet. The next plan does that, and says what
//! the evidence was.

mod args;
mod check;
mod decisions;
mod export;
mod import;
mod keep;
mod list;
mod rebuild;

pub(super) use args::{MappingsArgs, run};
