//! Publishing: entities that this run wrote and that are published on the source, dependencies first. Before that, what a
//! run published and the source has unpublished since is unpublished. An item whose published version on the source is
//! older than its draft is published in that version (`below`).
//!
//! An interrupted run may have written entities and published none. So entities of earlier runs count as well, as long as
//! they were neither changed nor published since. That needs no record: the state of the entity on the target shows whether
//! it is still to be published, and publishing twice is harmless. Before anything leaves, the version that the public saw is
//! recorded, so that an undo can restore it.

mod below;
mod choice;
mod jobs;
mod phase;
mod state;
mod together;

pub(super) use choice::{Choice, Former, expected};
pub(super) use phase::publish;
