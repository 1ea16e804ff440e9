//! Lockgate moves a whole CMS instance into another one.

pub mod domain;
pub mod event;
pub mod instance;
pub mod mock;
pub mod progress;
pub mod report;
