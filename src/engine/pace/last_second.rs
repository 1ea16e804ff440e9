//! Which requests a server may count as those of the last second.
//!
//! A request arrives somewhere between its departure and its answer. One that arrives late counts for longer than a second after
//! its departure, and one that leaves exactly a second after it may arrive sooner: a server that counts the last second then
//! finds one too many. So a place is taken until a second after the latest arrival that is possible: how late a request was is
//! what its answer took beyond the shortest answer of its class. No more than [`LATE_MAX`] of that is lateness: a long answer
//! is due to the work of the server.
//!
//! While no more places are taken than a limit allows, no server that counts by the second refuses, however late requests arrive.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::answers::SECOND;
use super::class::{Class, PerClass};

/// How late a request is taken to arrive at most.
pub(super) const LATE_MAX: Duration = Duration::from_millis(100);
/// What timers and clocks may shift an arrival.
const SLACK: Duration = Duration::from_millis(5);
/// Answers after which the shortest one is looked for anew.
const REMEMBERED: u32 = 512;
/// The weight of the last answer in the mean lateness: one part in this.
const MEMORY: u32 = 64;

/// Requests of this process that may count.
#[derive(Clone, Debug)]
pub(super) struct LastSecond {
    taken: VecDeque<Taken>,
    shortest: PerClass<Shortest>,
    late: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    left: Instant,
    /// A second after the latest arrival that is possible. In order.
    until: Instant,
}

/// The shortest answer of the last ones, and of those before.
#[derive(Clone, Copy, Debug)]
struct Shortest {
    now: Duration,
    before: Duration,
    count: u32,
}

impl LastSecond {
    pub(super) fn new() -> Self {
        let none = Shortest {
            now: Duration::MAX,
            before: Duration::MAX,
            count: 0,
        };
        Self {
            taken: VecDeque::new(),
            shortest: PerClass::of(|_| none),
            late: Duration::ZERO,
        }
    }

    /// How late requests arrive on average: what is lost of a limit by waiting for them.
    pub(super) const fn late(&self) -> Duration {
        self.late
    }

    /// Notes that a request leaves.
    pub(super) fn leave(&mut self, now: Instant) {
        while self.taken.front().is_some_and(|taken| taken.until <= now) {
            self.taken.pop_front();
        }
        self.taken.push_back(Taken {
            left: now,
            until: now + SECOND + LATE_MAX + SLACK,
        });
    }

    /// Notes the answer to a request that left at `left`, and gives how late it arrived.
    pub(super) fn answered(&mut self, class: Class, left: Instant, now: Instant) -> Duration {
        let late = self.lateness(class, now.saturating_duration_since(left));
        self.late = (self.late * (MEMORY - 1) + late) / MEMORY;
        let until = left + SECOND + late + SLACK;
        if self.remove(left) {
            let at = self.taken.partition_point(|taken| taken.until <= until);
            self.taken.insert(at, Taken { left, until });
        }
        late
    }

    /// Notes that a request that left at `left` was refused, so that it does not count, and gives how late it arrived.
    pub(super) fn refused(&mut self, class: Class, left: Instant, now: Instant) -> Duration {
        self.remove(left);
        let shortest = self.shortest.get(class).known();
        let took = now.saturating_duration_since(left);
        took.saturating_sub(shortest).min(LATE_MAX)
    }

    /// When one more of `places` is free; `None` if one is. `counts_late`: whether a request counts from its arrival on, and not
    /// from its departure.
    pub(super) fn full_until(
        &self,
        places: usize,
        counts_late: bool,
        now: Instant,
    ) -> Option<Instant> {
        let end = |taken: &Taken| {
            if counts_late {
                taken.until
            } else {
                taken.left + SECOND + SLACK
            }
        };
        let mut ends: Vec<Instant> = self
            .taken
            .iter()
            .map(end)
            .filter(|end| *end > now)
            .collect();
        ends.sort_unstable();
        let over = ends.len().checked_sub(places)?;
        ends.get(over).copied()
    }

    fn remove(&mut self, left: Instant) -> bool {
        let at = self.taken.iter().rposition(|taken| taken.left == left);
        at.and_then(|at| self.taken.remove(at)).is_some()
    }

    fn lateness(&mut self, class: Class, took: Duration) -> Duration {
        if !class.is_timed() {
            return Duration::ZERO;
        }
        let shortest = self.shortest.get_mut(class);
        shortest.note(took);
        took.saturating_sub(shortest.known()).min(LATE_MAX)
    }
}

impl Shortest {
    fn known(&self) -> Duration {
        self.now.min(self.before)
    }

    fn note(&mut self, took: Duration) {
        self.now = self.now.min(took);
        self.count += 1;
        if self.count == REMEMBERED {
            *self = Self {
                now: Duration::MAX,
                before: self.now,
                count: 0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_a_second_after_the_request_has_arrived() {
        let mut last = LastSecond::new();
        let start = Instant::now();
        for at in [0, 10] {
            last.leave(start + ms(at));
        }
        assert_eq!(last.full_until(3, true, start + ms(10)), None);
        let in_flight = last.full_until(2, true, start + ms(10));
        assert_eq!(in_flight, Some(start + SECOND + LATE_MAX + SLACK));
        assert_eq!(last.answered(Class::Read, start, start + ms(20)), ms(0));
        let late = last.answered(Class::Read, start + ms(10), start + ms(60));
        assert_eq!(late, ms(30));
        let now = start + ms(60);
        assert_eq!(last.full_until(2, true, now), Some(start + ms(1005)));
        assert_eq!(last.full_until(1, true, now), Some(start + ms(1045)));
        assert_eq!(last.full_until(1, false, now), Some(start + ms(1015)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_takes_no_place_and_a_file_is_not_late() {
        let mut last = LastSecond::new();
        let start = Instant::now();
        last.leave(start);
        last.refused(Class::Read, start, start + ms(20));
        assert_eq!(last.full_until(1, true, start + ms(20)), None);
        for (at, took) in [(30, 20), (40, 4_000)] {
            let left = start + ms(at);
            last.leave(left);
            assert_eq!(last.answered(Class::Asset, left, left + ms(took)), ms(0));
        }
    }

    /// A server that has become slower for good is not late for good.
    #[tokio::test(start_paused = true)]
    async fn the_shortest_answer_is_one_of_the_last_thousand() {
        let mut last = LastSecond::new();
        let now = Instant::now();
        last.answered(Class::Read, now, now + ms(5));
        let late = |last: &mut LastSecond| last.answered(Class::Read, now, now + ms(65));
        assert_eq!(late(&mut last), ms(60));
        let times = (0..2 * REMEMBERED).map(|_| late(&mut last));
        assert_eq!(times.last(), Some(ms(0)));
    }
}
