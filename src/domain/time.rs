//! Wall-clock time: the one place that reads the clock.

use jiff::Timestamp;

use super::RunId;

/// The present moment. For stamps that people and files see; durations are measured with tokio's clock.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Names a run that starts at `start`; `salt` tells runs of one second apart.
pub fn run_id(start: Timestamp, salt: u16) -> RunId {
    RunId(format!("{}-{salt:04x}", start.strftime("%Y%m%d-%H%M%S")))
}
