//! Lockgate moves a whole CMS instance into another one.

pub mod cli;
pub mod mock;
