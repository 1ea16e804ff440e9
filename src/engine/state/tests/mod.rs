//! Scripted runs: inputs by hand, effects in order, no runtime.

mod ahead;
mod cycles;
mod failures;
mod flow;
mod script;
