//! The clock of the server that runs share, estimated from this machine.

use std::time::Duration;

use tokio::time::Instant;

/// What the clock of the server showed at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerClock {
    pub(super) at: Instant,
    /// Microseconds since 1970.
    pub(super) at_us: i64,
}

impl ServerClock {
    /// What it shows at a moment, in microseconds since 1970.
    pub(super) fn us_of(&self, moment: Instant) -> i64 {
        let us = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        match moment.checked_duration_since(self.at) {
            Some(later) => self.at_us.saturating_add(us(later)),
            None => self
                .at_us
                .saturating_sub(us(self.at.duration_since(moment))),
        }
    }

    /// The moment at which it shows so many microseconds since 1970. One that this machine has no name for is the present.
    pub(super) fn moment_of(&self, us: i64) -> Instant {
        let apart = Duration::from_micros(us.abs_diff(self.at_us));
        let moment = if us < self.at_us {
            self.at.checked_sub(apart)
        } else {
            self.at.checked_add(apart)
        };
        moment.unwrap_or(self.at)
    }
}
