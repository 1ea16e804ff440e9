//! When a batch is looked at.
//!
//! | file | says |
//! |---|---|
//! | `rule` | the wait before the first look and between later ones, learnt from what the looks find |
//! | `times` | one such rule for each class of batches |

mod rule;
mod times;

pub use times::BatchTimes;
pub(super) use times::{BatchCosts, BatchKind, InFlightBatch};
