//! Reads the target back and compares it with what the source becomes through the id map.
//!
//! Everything is read through the Management API, which shows what was saved at once; only redirections have no
//! other list than that of the Fetch API.

mod bytes;
mod check;
mod compare;
mod difference;
mod read_back;

pub use bytes::same_bytes;
pub use check::verify;
pub use difference::{Difference, DifferenceKind, Scope};
