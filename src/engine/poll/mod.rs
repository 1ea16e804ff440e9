//! When a batch is polled, and how large batches are.
//!
//! | file | contents |
//! |---|---|
//! | `growth` | how many items a content batch takes, and how many are at the target at one time |
//! | `regression` | what the time of a batch depends on: itself, its items, and those before it |
//! | `rule` | the wait before the first look and between later ones, learnt from what the looks find |
//! | `times` | one such rule for each class of batches |

mod growth;
mod regression;
mod rule;
mod times;

pub(super) use growth::{FIRST_AT_ONCE, Sizes};
pub use times::BatchTimes;
pub(super) use times::{BatchCosts, BatchKind, InFlightBatch};
