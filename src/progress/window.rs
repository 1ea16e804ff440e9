//! Counting what happened in the last ten seconds.

use std::collections::VecDeque;
use std::time::Duration;

/// Width of a slot in milliseconds: the precision of the window.
const SLOT_MS: u64 = 100;

/// Slots that are kept: ten seconds.
const SLOTS: u64 = 100;

/// A sliding window over the last ten seconds. It keeps a count per tenth of a second, so its size does not depend
/// on how much happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    slots: VecDeque<(u64, u32)>,
}

impl Window {
    /// Counts one at this moment; moments must not go back.
    pub(crate) fn add(&mut self, at_ms: u64) {
        let slot = at_ms / SLOT_MS;
        match self.slots.back_mut() {
            Some((last, count)) if *last >= slot => *count += 1,
            _ => self.slots.push_back((slot, 1)),
        }
        while self
            .slots
            .front()
            .is_some_and(|(oldest, _)| oldest + SLOTS < slot)
        {
            self.slots.pop_front();
        }
    }

    /// How many per second, seen from `now_ms`, when counting began at `since_ms`. Over less than ten seconds
    /// the rate is taken over what there is, but never over less than one.
    pub(crate) fn per_second(&self, now_ms: u64, since_ms: u64) -> f64 {
        let now = now_ms / SLOT_MS;
        let counted: u32 = self
            .slots
            .iter()
            .filter(|(slot, _)| slot + SLOTS > now)
            .map(|(_, count)| count)
            .sum();
        let over = now_ms.saturating_sub(since_ms).clamp(1000, SLOTS * SLOT_MS);
        f64::from(counted) / Duration::from_millis(over).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate() {
        let mut window = Window::default();
        for moment in (0..60_000).step_by(50) {
            window.add(moment);
        }
        let rate = window.per_second(60_000, 0);
        assert!((19.5..=20.5).contains(&rate), "{rate}");
    }

    #[test]
    fn what_is_older_than_ten_seconds_counts_no_more() {
        let mut window = Window::default();
        window.add(0);
        assert!(window.per_second(9_000, 0) > 0.0);
        assert!(window.per_second(10_100, 0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_first_moments_do_not_exaggerate() {
        let mut window = Window::default();
        window.add(5);
        assert!((window.per_second(10, 0) - 1.0).abs() < f64::EPSILON);
    }
}
