//! What became of a request: one owner of polling, looking, claiming and the verdict.
//!
//! ```text
//!   send ──▶ told item by item ─────────────────────▶ claim ─▶ commit ─▶ show
//!     │                                                 ▲
//!     ├──▶ failed as a whole ──▶ looked for once ──┬────┘ what is there
//!     └──▶ not known ──▶ looked for until quiet ───┤
//!                                                  └▶ what is proven absent: in halves, alone, then failed
//! ```
//!
//! A request whose effect is not known is looked for before anything of it is sent again. What is found is claimed in the id
//! map in the same step, so that of two that look one has it; and nothing is taken that a request which can still tell may
//! have created. A job that broke takes the same way from its open intents.
//!
//! | file | says |
//! |---|---|
//! | `carry` | several entities in one request, or a page: sent in parts until each has its outcome |
//! | `named` | single saves that have a name, and what is harmless to repeat |
//! | `look` | whether something is on the target as it was sent |
//! | `polling` | a batch, followed to its end |
//! | `outcome` | claim, commit, show; results in words |

mod carry;
mod look;
mod named;
mod outcome;
mod polling;

pub(super) use carry::{Cargo, Sent, carry};
pub(super) use named::{repeat, settle_save};
pub(super) use outcome::{close, failed, held, lost, never_left, not_prepared, not_sent, settle};
pub(super) use polling::{BatchEnd, wait};
