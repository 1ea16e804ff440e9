//! Lockgate moves a whole CMS instance into another one.

pub mod agility;
pub mod cli;
pub mod domain;
pub mod event;
pub mod instance;
pub mod mock;
pub mod snapshot;
