//! Publishing: what is published on the source, and was written by this run, what others need first. What a run published
//! and the source has unpublished since is unpublished before that. An item that the source shows in an older version than its
//! draft is published in that version (`below`).
//!
//! A run that is interrupted has written entities and published none. So what an earlier run wrote counts as well, as long
//! as it was neither changed nor published since. No note is needed for that: the state of the entity on the target shows
//! whether it is still to be done, and doing it twice is harmless. What is noted, before anything leaves, is what the public
//! saw: an undo brings that back.

mod below;
mod choice;
mod jobs;
mod phase;
mod state;
mod together;

pub(super) use choice::{Choice, Former, expected};
pub(super) use phase::publish;
