//! Whole runs: the real engine over real HTTP against the mock server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod belongs;
mod binary;
mod channels;
mod cli_life;
mod crash;
mod double;
mod dry_run;
mod edits;
mod faults;
mod fixtures;
mod instances;
mod integrity;
mod kill;
mod lease;
mod lost_state;
mod mock_process;
mod outage;
mod panics;
mod parts;
mod publish;
mod recordings;
mod recovery;
mod retry;
mod same_state;
mod schema;
mod secrets;
mod support;
mod taken;
mod terminal;
mod text;
mod undo;
mod undo_life;
mod undo_publishing;
mod verify;
