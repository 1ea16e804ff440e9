//! The source, mapped for one target.
//!
//! Names that differ on a target, fields that it does not get, and entities that are excluded for it are handled in one
//! place: what was read of the source is mapped for the target before anything is planned. So plan, run, verification, undo
//! and state refer to the same entities, and none of them depends on maps.
//!
//! ```text
//!   source as read ─▶ Maps::apply ─▶ source, mapped for this target ─▶ selection, plan, run, verification
//!                          │
//!                          └─▶ what is excluded (skipped by the plan), what was mapped (shown by the plan)
//! ```
//!
//! A locale has the name that it has on the target, in keys of the state too: with another map other rows are used, and
//! those of the former locale stay as they are. Names and patterns in maps are those of the source; policies, which protect
//! the target, use names of the target.
//!
//! | file | contents |
//! |---|---|
//! | `rules` | what a user can configure |
//! | `check` | whether the source has what is named, and no two of its names become one |
//! | `entity` | one entity, mapped for the target |
//! | `apply` | all of them, with counts |

mod apply;
mod check;
mod entity;
mod rules;
#[cfg(test)]
mod tests;

pub use apply::Mapped;
pub use check::MapError;
pub use rules::{FieldRule, Maps, RunLocales};
