//! Lockgate moves a whole CMS instance into another one.
//!
//! The life of one content item:
//! 1. [`agility`] reads it and its container, and [`snapshot`] completes or refuses the [`domain::Inventory`].
//! 2. [`plan`] finds its references, its counterpart and its dependencies, and decides on a [`plan::Action`].
//! 3. [`engine`] waits until its dependencies are saved, puts it into a batch with others, and waits for the pace.
//! 4. [`plan::payload()`] rewrites its references through the [`id_map`]; the intent is recorded in [`store`].
//! 5. [`agility`] sends the batch, and [`engine`] polls it; an unknown outcome is reconciled against the target.
//! 6. The id that the server gave it is claimed, recorded as a mapping, and its dependents become ready.
//! 7. A deferred reference is added by a second save when its dependency exists.
//! 8. Verification reads it back; only what is equal becomes the agreement that the next run compares with.
//! 9. Each step is an [`event`], which [`progress`] folds into numbers and [`report`] shows.
//!
//! The terms are explained in `docs/glossary.md`.

pub mod agility;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod error;
pub mod event;
pub mod id_map;
pub mod instance;
#[cfg(feature = "mock")]
pub mod mock;
pub mod plan;
pub mod planted;
pub mod progress;
pub mod report;
pub mod snapshot;
pub mod store;
