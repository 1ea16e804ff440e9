//! Whole runs: the real engine over real HTTP against the mock server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod double;
mod fixtures;
mod instances;
mod integrity;
mod support;
