//! How many requests may be in flight to a host, all classes together: additive increase while answers take no longer.
//!
//! It begins with [`START`] and gains one per round trip. A round trip is as many responses as may be in flight: if their
//! median took no longer than when few were in flight, and only the level held requests back, one more may be in flight. A
//! request beyond what the server processes at one time waits at the server instead of here, so its response takes longer.
//! Where a rate limit holds requests back, the level does not, so it never grows beyond what the limit needs.
//!
//! Classes differ in response time, so it is compared as a multiple of the shortest times of the class.

/// Requests in flight at the start, and what a rise of the time to answer leaves at least.
const START: usize = 16;
/// The median has not risen up to this multiple of the shortest time.
const FLAT: f64 = 1.25;
/// It has risen from this multiple on.
const RISEN: f64 = 1.75;
/// What is left of the level then.
const AFTER_RISE: f64 = 0.9;

/// The level of one host.
#[derive(Clone, Debug)]
pub(super) struct Level {
    size: usize,
    ceiling: usize,
    /// The times of the answers of this round trip, as multiples of the shortest ones.
    ratios: Vec<f64>,
    /// Whether requests were held back by the level since the last decision.
    was_full: bool,
}

impl Level {
    /// A level that never exceeds `ceiling`.
    pub(super) fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        Self {
            size: START.min(ceiling),
            ceiling,
            ratios: Vec::new(),
            was_full: false,
        }
    }

    /// Requests in flight at most.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Starts with what an earlier run ended with.
    pub(super) fn resume(&mut self, size: usize) {
        self.size = size.clamp(START.min(self.ceiling), self.ceiling);
    }

    /// Notes that a request is held back by the level alone.
    pub(super) const fn was_full(&mut self) {
        self.was_full = true;
    }

    /// Notes an answer that took `ratio` times as long as the shortest ones.
    pub(super) fn answered(&mut self, ratio: f64) {
        self.ratios.push(ratio);
        if self.ratios.len() < self.size {
            return;
        }
        let mut ratios = std::mem::take(&mut self.ratios);
        ratios.sort_unstable_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        if median >= RISEN {
            self.troubled();
        } else if median <= FLAT && self.was_full {
            self.size = (self.size + 1).min(self.ceiling);
        }
        self.was_full = false;
    }

    /// Notes that the server could not cope.
    pub(super) fn troubled(&mut self) {
        let least = START.min(self.ceiling).min(self.size);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a level is small and positive"
        )]
        let less = (self.size as f64 * AFTER_RISE) as usize;
        self.size = less.max(least);
        self.ratios.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many round trips in which answers take `ratio` times as long as the shortest ones.
    fn round_trips(level: &mut Level, count: usize, ratio: f64) {
        for _ in 0..count {
            level.was_full();
            (0..level.size()).for_each(|_| level.answered(ratio));
        }
    }

    #[test]
    fn it_gains_one_per_round_trip_up_to_its_ceiling() {
        let mut level = Level::new(64);
        assert_eq!(level.size(), START);
        round_trips(&mut level, 10, 1.0);
        assert_eq!(level.size(), START + 10);
        round_trips(&mut level, 100, 1.1);
        assert_eq!(level.size(), 64);
        assert_eq!(Level::new(4).size(), 4);
    }

    #[test]
    fn it_stays_while_answers_take_longer_and_falls_when_they_take_much_longer() {
        let mut level = Level::new(64);
        level.resume(40);
        round_trips(&mut level, 50, 1.5);
        assert_eq!(level.size(), 40);
        round_trips(&mut level, 1, 2.0);
        assert_eq!(level.size(), 36);
        round_trips(&mut level, 100, 2.0);
        assert_eq!(level.size(), START);
    }

    #[test]
    fn a_level_that_holds_nothing_back_does_not_grow() {
        let mut level = Level::new(64);
        (0..1000).for_each(|_| level.answered(1.0));
        assert_eq!(level.size(), START);
    }

    #[test]
    fn what_an_earlier_run_found_stays_within_the_bounds() {
        let mut level = Level::new(32);
        level.resume(50);
        assert_eq!(level.size(), 32);
        level.resume(2);
        assert_eq!(level.size(), START);
    }
}
