//! The commands.

pub mod mock;
