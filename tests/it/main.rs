//! Whole runs: the real engine over real HTTP against the mock server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/accounts.rs"]
mod accounts;
mod agreement;
mod altered;
mod apply;
mod bad_input;
mod belongs;
mod binary;
mod bisect;
mod blobs;
#[expect(dead_code, reason = "tests of the store use the rest")]
#[path = "../common/bucket.rs"]
mod bucket;
mod channels;
mod cli_life;
mod companions;
mod consent;
mod crash;
mod doctor;
#[expect(dead_code, unused_imports, reason = "the simulation uses the rest")]
#[path = "../common/double/mod.rs"]
mod double;
mod dry_run;
mod edits;
mod endings;
mod faults;
mod fixtures;
mod folder;
mod gone;
mod hostile;
mod increments;
mod independent;
#[path = "../common/instances.rs"]
mod instances;
mod integrity;
mod interrupts;
mod keyring;
mod kill;
mod lease;
mod list_order;
mod login;
mod lost_state;
mod mappings;
mod maps;
mod media_hashes;
mod merge;
mod mock_process;
mod moves;
mod names;
mod outage;
mod panics;
mod parts;
mod phases;
mod place;
mod plan_forms;
#[path = "../common/postgres.rs"]
mod postgres;
mod probe;
mod prune;
mod publish;
mod publish_below;
mod publish_together;
mod readers;
mod recordings;
mod recovery;
mod retry;
mod same_state;
mod schedule;
mod schema;
#[path = "../common/script.rs"]
mod script;
mod secrets;
mod shared_rate;
mod shared_state;
mod strict;
mod support;
mod taken;
mod targets;
mod terminal;
mod text;
mod twins;
mod undo;
mod undo_ends;
mod undo_life;
mod undo_publishing;
mod undo_webhooks;
mod uploads;
mod verify;
mod webhooks;
