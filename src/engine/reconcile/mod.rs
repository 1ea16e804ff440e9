//! What became of a request: one owner of polling, looking, claiming and the verdict.
//!
//! ```text
//!   send ──▶ told item by item ─────────────────────▶ claim ─▶ commit ─▶ show
//!     │                                                 ▲
//!     ├──▶ failed as a whole ──▶ looked for once ──┬────┘ what is there
//!     └──▶ not known ──▶ looked for until quiet ───┤
//!                                                  ├▶ something new is there that may be it, altered: in doubt
//!                                                  └▶ what is proven absent: in halves, alone, then failed
//! ```
//!
//! A request whose effect is not known is looked for before anything of it is sent again. What is found is claimed in the id
//! map in the same step, so that of two that look one has it; and nothing is taken that a request which can still tell may
//! have created. A job that broke takes the same way from its open intents, and so does a restart from those that the store
//! has, except that it sends nothing.
//!
//! | file | says |
//! |---|---|
//! | `carry` | several entities in one request, or a page: sent in parts until each has its outcome |
//! | `named` | single saves that have a name, and what is harmless to repeat |
//! | `restart`, `undone` | what an earlier run or undo has left open |
//! | `look` | whether something is on the target as it was sent |
//! | `live`, `search` | what a run knows of what it looks for, and what a restart knows |
//! | `polling` | a batch, followed to its end |
//! | `inquiry` | the questions themselves |
//! | `outcome` | claim, commit, show; results in words |

mod carry;
mod inquiry;
mod live;
mod look;
mod named;
mod outcome;
mod polling;
mod restart;
mod search;
mod undone;

pub(super) use carry::{Cargo, Sent, carry};
pub(super) use named::{repeat, settle_save};
pub(super) use outcome::{
    close, failed, held, lost, never_left, not_prepared, not_sent, settle, told,
};
pub(super) use polling::{BatchEnd, wait};
pub(super) use restart::{Known, Recovery};
pub(super) use undone::settle_undone;
