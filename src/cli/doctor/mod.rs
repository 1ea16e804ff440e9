//! `lockgate doctor`: whether a run could begin, and what is likely to be in its way.
//!
//! Checks run side by side, each with a time-out, and are printed in a fixed order. What one cause makes fail is one line:
//! without access to an instance nothing else is said of it.

mod checks;
mod command;
mod finding;
mod instances;
mod local;

pub(super) use command::{DoctorArgs, run};
