//! Lockgate moves a whole CMS instance into another one.

pub mod agility;
pub mod domain;
pub mod event;
pub mod instance;
pub mod mock;
pub mod plan;
pub mod snapshot;
pub mod store;
