//! Whole runs: the real engine over real HTTP against the mock server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod binary;
mod cli_life;
mod crash;
mod double;
mod dry_run;
mod edits;
mod faults;
mod fixtures;
mod gone;
mod instances;
mod integrity;
mod kill;
mod lease;
mod lost_state;
mod mock_process;
mod moves;
mod panics;
mod parts;
mod place;
mod recordings;
mod recovery;
mod retry;
mod same_state;
mod schema;
mod secrets;
mod support;
mod terminal;
mod undo;
mod undo_life;
mod verify;
