//! Lockgate moves a whole CMS instance into another one.

pub mod mock;
