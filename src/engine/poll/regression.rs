//! What the time of a batch depends on: a part that each batch takes, one for each of its items, and one for each item that
//! the target took before it and has not processed yet.
//!
//! A linear regression over the batches that were found done, by weighted least squares: errors count in proportion to the
//! time, old batches count for less and less, and no part is negative. Nothing is assumed of the server: where batches do not
//! wait for one another, the last part comes out as nothing.

use std::time::Duration;

/// The parts: of each batch, of each of its items, of each item before it.
const PARTS: usize = 3;
/// Batches before an estimate is meaningful.
const LEAST: u32 = 4;
/// What is left of the weight of a batch after each further one.
const MEMORY: f64 = 0.98;
/// An error in seconds that is small whatever the time is.
const SLACK: f64 = 0.01;
/// Rounds of the solution: each part in turn as the others leave it. It starts from the last one, and is close after a few.
const ROUNDS: u32 = 50;

/// What was learnt of one kind of batches.
#[derive(Clone, Debug, Default)]
pub(super) struct Regression {
    /// The normal equations: the sums of the products of two parts, and of a part and the time.
    products: [[f64; PARTS]; PARTS],
    times: [f64; PARTS],
    /// Seconds for each part.
    parts: [f64; PARTS],
    count: u32,
}

impl Regression {
    /// Notes that a batch of so many items took so long, with so many items at the target before it.
    pub(super) fn add(&mut self, items: u32, before: u32, time: Duration) {
        let (parts, time) = (parts(items, before), time.as_secs_f64());
        let weight = (time + SLACK).powi(-2);
        for (one, of_one) in parts.iter().enumerate() {
            for (other, of_other) in parts.iter().enumerate() {
                let sum = &mut self.products[one][other];
                *sum = MEMORY.mul_add(*sum, weight * of_one * of_other);
            }
            self.times[one] = MEMORY.mul_add(self.times[one], weight * of_one * time);
        }
        self.count = self.count.saturating_add(1);
        for _ in 0..ROUNDS {
            for part in 0..PARTS {
                self.solve(part);
            }
        }
    }

    fn solve(&mut self, part: usize) {
        let row = &self.products[part];
        let others: f64 = (0..PARTS)
            .filter(|other| *other != part)
            .map(|other| row[other] * self.parts[other])
            .sum();
        if row[part] > 0.0 {
            self.parts[part] = ((self.times[part] - others) / row[part]).max(0.0);
        }
    }

    /// The time of a batch of so many items with so many before it; `None` while too little was seen.
    pub(super) fn time(&self, items: u32, before: u32) -> Option<Duration> {
        if self.count < LEAST {
            return None;
        }
        let parts = parts(items, before).into_iter().zip(self.parts);
        let time: f64 = parts.map(|(number, seconds)| number * seconds).sum();
        Duration::try_from_secs_f64(time).ok()
    }
}

fn parts(items: u32, before: u32) -> [f64; PARTS] {
    [1.0, f64::from(items), f64::from(before)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a regression makes of batches of many sizes, behind many others, at a server with these times in milliseconds.
    fn learnt(batch: u32, item: u32, before: u32) -> Regression {
        let mut regression = Regression::default();
        for at in 0..60 {
            let (items, ahead) = (1 + at * 7 % 50, at * 13 % 120);
            let time = batch + item * items + before * ahead;
            regression.add(items, ahead, Duration::from_millis(time.into()));
        }
        regression
    }

    #[test]
    fn whatever_a_server_takes_its_time_for_is_found() {
        let servers = [
            (0, 5, 5),
            (20, 2, 2),
            (500, 0, 0),
            (500, 0, 10),
            (0, 5, 0),
            (3, 0, 0),
        ];
        for (batch, item, before) in servers {
            let regression = learnt(batch, item, before);
            for (items, ahead) in [(1, 0), (50, 0), (1, 100), (250, 40)] {
                let time = batch + item * items + before * ahead;
                let found = regression.time(items, ahead).unwrap().as_secs_f64() * 1e3;
                let error = (found - f64::from(time)).abs();
                assert!(
                    error <= f64::from(time) / 8.0 + 5.0,
                    "{batch} + {item} + {before}: {items} behind {ahead} take {time}, not {found}"
                );
            }
        }
    }

    #[test]
    fn too_little_says_nothing() {
        let mut regression = Regression::default();
        for _ in 0..LEAST {
            assert_eq!(regression.time(1, 0), None);
            regression.add(1, 0, Duration::from_millis(20));
        }
        let time = regression.time(1, 0).unwrap();
        assert!(
            time.abs_diff(Duration::from_millis(20)) <= Duration::from_millis(1),
            "{time:?}"
        );
    }

    #[test]
    fn a_server_that_has_become_slower_is_found_out() {
        let mut regression = learnt(0, 1, 1);
        for _ in 0..200 {
            regression.add(10, 0, Duration::from_millis(100));
        }
        let time = regression.time(10, 0).unwrap();
        assert!(time >= Duration::from_millis(80), "{time:?}");
    }
}
