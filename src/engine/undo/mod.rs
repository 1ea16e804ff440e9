//! Undoes a run: deletes what it created, and saves again what it wrote over.
//!
//! ```text
//!   store: entities, intents, pre-images ─┐
//!   target, read now ─────────────────────┴─▶ gather ─▶ plan ─▶ shown, agreed to
//!                                                                     │
//!     restores ─▶ deletes ─▶ order of siblings ─▶ publishing ─▶ read back and compared
//! ```
//!
//! Its actions are nodes of a plan that the dispatcher carries out like that of a run: `state::UndoState` says what may go
//! next, `hands::UndoExecutor` does it.
//!
//! It works under the lease of the pair, after whatever interrupted runs had left open, and keeps the order of every
//! job: the intent before the request, the outcome before the event. It can be killed anywhere and started again: a
//! delete finds what is gone, a restore finds what is as before. The order of siblings and what is published
//! show on the target, and doing either twice is harmless, so these two need no notes.
//!
//! A reader may wonder why an undo reads the source only when an interrupted run left something open: what was before
//! stands in the store, and what is now stands on the target.

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
