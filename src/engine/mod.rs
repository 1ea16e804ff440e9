//! Carries out a plan: dispatcher, lanes, gates, pace and verification.
//!
//! ```text
//!   plan ──▶ RunState ──effects──▶ jobs ──requests──▶ pacer ──▶ target
//!               ▲                    │ intent before, outcome after: store, then id map
//!               └──────inputs────────┘
//! ```
//!
//! An undo runs the same way, with a plan and jobs of its own; [`state::Work`] is the interface of both plans.
//!
//! Decisions are pure: [`state::RunState`] takes one input and returns effects, and is tested without a runtime. Only jobs
//! wait. Outcomes are made durable by jobs and not by the dispatcher, so that the outcomes of many jobs share one commit
//! while the dispatcher continues.
//!
//! The engine uses neither HTTP nor a screen: it works on the two ports of [`crate::instance`] and emits
//! [`crate::event`]s.

mod accepted;
mod agreements;
mod asset_bytes;
mod channels;
mod context;
mod control;
mod digests;
pub mod dispatch;
mod end;
pub mod endless;
mod file_hashes;
mod files;
pub mod forecast;
pub mod gates;
mod jobs;
mod keep;
pub mod lease;
mod once;
pub mod open_intents;
pub mod options;
mod outage;
pub mod pace;
mod places;
pub mod poll;
mod probe;
mod probed;
mod publish;
mod publishing;
mod pull;
mod reconcile;
pub mod retry;
mod review;
mod row_order;
pub mod run;
mod run_error;
pub mod session;
mod signal;
pub mod sink;
pub mod state;
pub mod undo;
pub mod unplaced;
mod upload_size;
pub mod verify;
mod webhooks;

pub use control::Control;
pub use end::{End, StopCause};
pub use file_hashes::HashLimits;
pub use keep::{FetchProgress, KeepError, KeepOptions, Kept};
pub use once::ReadOnce;
pub use options::{
    Adopt, Denied, FieldRule, Freeze, Gates, Maps, Matching, MaxChange, OnConflict, Options,
    Pattern, PatternError, Policies, Publish, ReadLimits, Schedule, UnknownOutcome, UploadLimits,
    changed_since, check_pattern,
};
pub use outage::Outage;
pub use probe::{
    Finding, KeptAnswer, Left, Probe, ProbeReport, SOURCE as PROBE_SOURCE, kept_answers,
    probed as probed_of,
};
pub use probed::Probed;
pub use pull::{PullError, Reader};
pub use review::{Decided, Review};
pub use run::RunReport;
pub use run_error::{NotAgreed, RunError};
pub use session::{PlanMade, Session};
pub use sink::{EVENTS_IN_FLIGHT, Sink};
pub use undo::{UndoEnd, UndoOutlook, UndoRequest};
pub use unplaced::Unplaced;
pub use verify::{Difference, DifferenceKind};
pub use webhooks::{Resumed, WebhooksError, restore_webhooks};
