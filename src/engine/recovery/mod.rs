//! What a restart does first: it finds out what became of requests whose outcome an earlier run did not live to note.
//!
//! ```text
//!   open intents ─▶ batches with a number: polled to their end      (before the instances are read)
//!                ─▶ the rest: wait until it is old enough           (what has left may still be on its way)
//!                ─▶ looked for on the target, until nothing moves   (after the instances were read)
//!                ─▶ arrived: mapping │ proven absent: the plan sends it │ neither: told, and left alone
//! ```
//!
//! Recovery sends no write. Whatever it finds becomes a mapping with the hashes that were noted before
//! the request left, so the plan decides about it as about anything else: a save whose references were cut is
//! completed, one that is complete is left alone, and one that is absent is created.
//!
//! What an undo had left open is settled before all that: a delete shows in the target alone (`undone`).
//!
//! A reader may wonder why absence takes time to prove. A target works off batches one after another, and a batch
//! whose number was never noted may still stand in its queue. So the target has to stay the same for a while.

mod batches;
mod look;
mod resume;
mod undone;

pub(super) use resume::{Known, LOOKS, Recovery, SettleError};
pub(super) use undone::settle_undone;
