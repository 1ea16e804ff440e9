//! What the jobs of a run work with, by what it is:
//!
//! ```text
//!   RunContext ─┬─ Instances  both instances, their pace, and what every request has to pass
//!               ├─ Journal    the store under the name of this run: intents, and what they came to
//!               ├─ PlanView   the plan, what both instances held, and the id mapping; knows no instance
//!               └─ Live       what the run came to so far
//! ```
//!
//! A job takes all of it, because it prepares, notes, sends and notes again. What decides or compares takes a part.

mod foreign;
mod instances;
mod journal;
mod live;
mod plan_view;
mod pre_images;
mod prepare;
mod run_context;
mod unmatched;

pub(super) use foreign::{Change, ReadBack};
pub(super) use instances::{Ends, Instances};
pub(super) use journal::Journal;
pub(super) use live::Live;
pub(super) use plan_view::PlanView;
pub(super) use pre_images::PreImages;
pub(super) use prepare::{Prepared, json_bytes};
pub(super) use run_context::RunContext;
