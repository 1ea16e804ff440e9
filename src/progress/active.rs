//! The clock that stands still while nothing may leave.

/// Turns moments of the run into time in which uploads could leave: pauses and throttling are left out,
/// and where the two overlap, the overlap is left out once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ActiveClock {
    paused_since: Option<u64>,
    /// Start and end of the last throttling; the end may lie ahead.
    throttled: Option<(u64, u64)>,
    /// Finished idle time that is behind every later moment.
    idle_ms: u64,
    paused_ms: u64,
}

impl ActiveClock {
    /// Nothing leaves from now on, until resumed.
    pub(crate) fn pause(&mut self, at_ms: u64) {
        if self.paused_since.is_some() {
            return;
        }
        if let Some((start, end)) = self.throttled.take() {
            self.idle_ms += end.min(at_ms) - start;
            if end > at_ms {
                self.throttled = Some((at_ms, end));
            }
        }
        self.paused_since = Some(at_ms);
    }

    /// The pause is over.
    pub(crate) fn resume(&mut self, at_ms: u64) {
        let Some(since) = self.paused_since.take() else {
            return;
        };
        self.paused_ms += at_ms.saturating_sub(since);
        self.idle_ms += at_ms.saturating_sub(since);
        self.throttled = self
            .throttled
            .filter(|(_, end)| *end > at_ms)
            .map(|(_, end)| (at_ms, end));
    }

    /// Nothing leaves for this long.
    pub(crate) fn throttle(&mut self, at_ms: u64, for_ms: u64) {
        let until = at_ms.saturating_add(for_ms);
        self.throttled = match self.throttled {
            Some((start, end)) if end >= at_ms => Some((start, end.max(until))),
            Some((start, end)) if self.paused_since.is_none() => {
                self.idle_ms += end - start;
                Some((at_ms, until))
            }
            Some(_) | None => Some((at_ms, until)),
        };
    }

    /// Milliseconds up to `now_ms` in which uploads could leave.
    pub(crate) fn active_ms(&self, now_ms: u64) -> u64 {
        let open = match (self.paused_since, self.throttled) {
            (Some(since), _) => now_ms.saturating_sub(since),
            (None, Some((start, end))) => end.min(now_ms).saturating_sub(start),
            (None, None) => 0,
        };
        now_ms.saturating_sub(self.idle_ms + open)
    }

    /// Milliseconds of pauses up to `now_ms`, the present one included.
    pub(crate) fn paused_ms(&self, now_ms: u64) -> u64 {
        self.paused_ms
            + self
                .paused_since
                .map_or(0, |since| now_ms.saturating_sub(since))
    }

    /// Whether a pause is on.
    pub(crate) const fn is_paused(&self) -> bool {
        self.paused_since.is_some()
    }

    /// Milliseconds that throttling still lasts, seen from `now_ms`.
    pub(crate) fn throttled_for_ms(&self, now_ms: u64) -> u64 {
        self.throttled
            .map_or(0, |(_, end)| end.saturating_sub(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_left_out_while_it_lasts_and_afterwards() {
        let mut clock = ActiveClock::default();
        clock.pause(1_000);
        assert_eq!(clock.active_ms(5_000), 1_000);
        clock.resume(5_000);
        assert_eq!(clock.active_ms(6_000), 2_000);
        assert_eq!(clock.paused_ms(6_000), 4_000);
    }

    #[test]
    fn throttling_stops_the_clock_until_its_end() {
        let mut clock = ActiveClock::default();
        clock.throttle(1_000, 2_000);
        assert_eq!(clock.active_ms(2_000), 1_000);
        assert_eq!(clock.throttled_for_ms(2_000), 1_000);
        clock.throttle(2_500, 1_500);
        assert_eq!(clock.active_ms(4_500), 1_500);
        clock.throttle(10_000, 1_000);
        assert_eq!(clock.active_ms(12_000), 8_000);
    }

    #[test]
    fn where_pause_and_throttling_overlap_time_is_left_out_once() {
        let mut clock = ActiveClock::default();
        clock.throttle(1_000, 4_000);
        clock.pause(2_000);
        clock.resume(3_000);
        assert_eq!(clock.active_ms(6_000), 2_000);

        let mut clock = ActiveClock::default();
        clock.pause(1_000);
        clock.throttle(2_000, 500);
        clock.resume(4_000);
        assert_eq!(clock.active_ms(5_000), 2_000);
    }
}
