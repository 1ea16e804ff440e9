//! Whole runs: the real engine over real HTTP against the mock server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod binary;
mod dry_run;
mod faults;
mod fixtures;
mod secrets;
mod support;
