//! The outcome of a request: polling, searching the target, claiming, and the verdict, in one place.
//!
//! ```text
//!   send ──▶ answered by item ───▶ read back ───────▶ claim ─▶ commit ─▶ show
//!     │                                                 ▲
//!     ├──▶ failed as a whole ──▶ looked for once ──┬────┘ what is there
//!     └──▶ not known ──▶ looked for until quiet ───┤
//!                                                  ├▶ something new is there that may be it, altered: in doubt
//!                                                  └▶ what is proven absent: in halves, alone, then failed
//! ```
//!
//! The effect of a request with an unknown outcome is looked for before anything of it is sent again. What is found is
//! claimed in the id map in the same step, so that only one of two searches gets it, and nothing is taken that a request in
//! flight may have created. A job whose task panicked is treated the same way from its open intents, and so is a restart
//! from those in the store, except that it sends nothing.
//!
//! | file | contents |
//! |---|---|
//! | `carry` | several entities in one request, or a page: sent in parts until each has its outcome |
//! | `files` | files that leave together |
//! | `gone` | deletes, and whether something is gone |
//! | `named` | single saves that have a name, and what is harmless to repeat |
//! | `restart`, `undone` | what an earlier run or undo has left open |
//! | `look` | whether something is on the target as it was sent |
//! | `believe` | whether an answered id is that of what was sent |
//! | `resemble` | what is almost what was sent |
//! | `live`, `search` | what is known of what is looked for, in a run and in a restart |
//! | `polling` | a batch, followed to its end |
//! | `inquiry` | the questions themselves |
//! | `outcome` | claim, commit, show; results in words |

mod believe;
mod carry;
mod files;
mod gone;
mod inquiry;
mod live;
mod look;
mod named;
mod outcome;
mod polling;
mod resemble;
mod restart;
mod search;
mod undone;

pub(super) use believe::checked_one;
pub(super) use carry::{Cargo, Sent, carry};
pub(super) use files::{checked_file, find_file};
pub(super) use gone::{DeleteEnd, delete};
pub(super) use inquiry::IDS_AT_ONCE;
pub(super) use named::{insist, repeat, settle_save};
pub(super) use outcome::{
    close, commit, failed, failure, held_back, in_words, never_left, not_known, not_prepared,
    not_sent, refusal_message, settle,
};
pub(super) use polling::{
    BatchEnd, HandedIn, emit_finished, follow_and_emit, follow_noted, follow_quietly, wait,
};
pub(super) use restart::{Known, Recovery};
pub(super) use undone::settle_undone;
