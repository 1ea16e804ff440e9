//! Reads the target back and compares it with the source in the target's terms.
//!
//! What was written is compared but for what the server filled in (see [`crate::plan::Defaults`]), and what is found equal
//! becomes the base of later runs.
//!
//! Everything is read through the Management API, which shows what was saved at once; only redirections have no
//! other list than that of the Fetch API, which may lag (`late`).

mod bodies;
mod bytes;
mod check;
mod compare;
mod difference;
mod foreign;
mod late;
mod notes;
mod order;
mod read_back;

pub(super) use bodies::{Compared, date_of};
pub use check::{Verified, verify};
pub use difference::{Difference, DifferenceKind, Scope};
