//! Tests on a real instance, with temporary entities, what the vendor's documents leave open.
//!
//! ```text
//!   lease ─▶ left over by earlier probes? ─▶ questions, one after another ─▶ everything is deleted ─▶ answers
//!                                            │ intent, then request
//! ```
//! | file | contents |
//! |---|---|
//! | `answers` | the questions, what each answer changes, and the number that is kept of it for a host |
//! | `known` | how runs use the answers |
//! | `names` | the names of temporary entities |
//! | `stage` | sends requests, each under an intent, while there is time |
//! | `content`, `batches`, `media`, `limit`, `secret` | one test each, and its conclusion |
//! | `clean` | deletes what a probe made, also one that was killed |
//! | `run` | the order of all tests |
//!
//! A test without a result has a reason, and the next one follows. An intent stays open as long as the entity that it
//! announces may exist, so that a probe that was killed leaves the names of everything that it may have made.
//!
//! The lease is that of a pair whose source is no instance ([`SOURCE`]): probes of one target exclude one another. A run into
//! the same target is not excluded, as runs from two sources do not exclude one another: neither touches what the other made.

mod answers;
mod batches;
mod clean;
mod content;
mod known;
mod limit;
mod media;
mod names;
mod run;
mod secret;
mod stage;

pub use answers::{Finding, KeptAnswer, kept_answers};
pub use clean::Left;
pub use known::probed;
pub use run::{Probe, ProbeReport, SOURCE};
