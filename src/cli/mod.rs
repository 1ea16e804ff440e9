//! The command line: arguments, one file per command, and the wiring behind them.

pub mod generate;
pub mod mock;
