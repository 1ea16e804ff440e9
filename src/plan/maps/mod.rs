//! The source as one target is to have it.
//!
//! Names that differ on a target, fields that it does not get, and entities that it is not to have are settled in one place:
//! what was read of the source becomes what the target is to have of it, before anything is planned. So plan, run,
//! verification, undo and everything that the state remembers speak of the same entities, and none of them knows of maps.
//!
//! ```text
//!   source as read ─▶ Maps::apply ─▶ source as this target is to have it ─▶ selection, plan, run, verification
//!                          │
//!                          └─▶ what is excluded (left alone by the plan), what was mapped (told by the plan)
//! ```
//!
//! A locale goes by the name that it has on the target, in keys of the state too: a map that changes leads to other rows, and
//! those of the former one keep what they know of the former locale. Names in maps and their patterns are those of the
//! source; policies, which protect the target, name what the target has.
//!
//! | file | does |
//! |---|---|
//! | `rules` | what a user can say |
//! | `check` | whether the source has what is named, and no two of its names become one |
//! | `entity` | one entity as the target is to have it |
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
