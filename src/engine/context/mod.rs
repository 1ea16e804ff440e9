//! What the jobs of a run work with: both instances with their pacers, the journal, the plan, and what is known so far.

mod foreign;
mod pre_images;
mod run_context;
mod unmatched;

pub(super) use foreign::{Change, Foreign, ReadBack};
pub(super) use pre_images::PreImages;
pub(super) use run_context::json_bytes;
pub(super) use run_context::{Prepared, RunContext};
