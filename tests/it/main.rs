//! Whole runs: the real engine over real HTTP against the mock server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod fixtures;
mod same_state;
mod support;
