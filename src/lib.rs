//! Lockgate moves a whole CMS instance into another one.

pub mod agility;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod error;
pub mod event;
pub mod id_map;
pub mod instance;
pub mod mock;
pub mod plan;
pub mod planted;
pub mod progress;
pub mod report;
pub mod snapshot;
pub mod store;
