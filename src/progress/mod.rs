//! The one fold of a run's events into counts, rates and the time that is left.
//!
//! Dashboard, lines, summary and exit code all read the same [`Progress`], so they cannot disagree. It is a
//! plain value: time comes in with the events, and accessors that depend on the present moment take it in
//! milliseconds since the start of the run. Folding the recorded events of a run therefore gives the
//! very value that was on the screen.
//!
//! One equation holds after every event, for every row of the plan and in sum:
//! outcomes + waiting + in flight = planned. An upload that the plan did not announce raises the plan,
//! so that the equation cannot be bent to hide a disagreement between plan and engine: [`Row::unplanned`]
//! counts them.

mod active;
mod apply;
mod causes;
mod eta;
mod fold;
mod gates;
mod history;
mod named;
mod parts;
mod rows;
mod standing;
mod tally;
mod window;

#[cfg(test)]
pub(crate) mod script;
#[cfg(test)]
mod tests;

pub use causes::{Cause, Example};
pub use eta::Eta;
pub use fold::{LaneState, Planned, Progress, Publishing, Status};
pub use gates::{GateProgress, GateState};
pub use history::{History, Slot, Slow, Span, Trouble};
pub use named::List;
pub use parts::{
    BatchProgress, Difference, Pace, PhaseTime, ReadCount, Reading, Run, Verification,
};
pub use rows::{InFlight, Row, RowKey};
pub use standing::Standing;
pub use tally::Tally;
