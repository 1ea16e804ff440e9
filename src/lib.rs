//! Lockgate moves a whole CMS instance into another one.

pub mod cli;
pub mod config;
pub mod domain;
pub mod error;
pub mod event;
pub mod instance;
pub mod mock;
pub mod store;
