//! Undoes a run: deletes what it created, and saves again what it wrote over.
//!
//! ```text
//!   store: entities, intents, pre-images ─┐
//!   target, read now ─────────────────────┴─▶ gather ─▶ plan ─▶ shown, agreed to
//!                                                                     │
//!     restores ─▶ deletes ─▶ order of siblings ─▶ publishing ─▶ read back and compared
//! ```
//!
//! Its actions are nodes of a plan that the dispatcher carries out like that of a run: `state::UndoState` decides what may
//! leave next, `executor::UndoExecutor` carries it out.
//!
//! It works under the lease of the pair, after recovery of interrupted runs, and keeps the order of every job: the intent
//! before the request, the outcome before the event. It can be killed anywhere and started again: deletes and restores
//! that are already done are recognised on the target. The order of siblings and the state of publication show on the
//! target as well, and setting either twice is harmless, so these two need no record.
//!
//! An undo reads the source only when an interrupted run left something open: the former state is in the store, and the
//! present state on the target.

mod actions;
mod check;
mod delete;
mod executor;
mod gather;
mod live;
mod look;
mod prune;
mod purpose;
mod request;
mod restore;
mod rows;
mod run;
mod settle;
mod state;
#[cfg(test)]
mod tests;

pub use gather::UndoOutlook;
pub use purpose::Purpose;
pub use run::{UndoEnd, UndoRequest};
