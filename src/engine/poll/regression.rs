//! What the time of a batch depends on: a part that each batch takes, one for each of its items, and one for each batch and
//! each item that the target took before it and has not processed yet.
//!
//! A linear regression over the batches that were found done, by weighted least squares: errors count in proportion to the
//! time, old batches count for less and less, and no part is negative. Nothing is assumed of the server: where batches do not
//! wait for one another, the last parts come out as nothing.

use std::time::Duration;

/// The parts: of each batch, of each of its items, of each batch and each item before it.
const PARTS: usize = 4;
/// Batches before an estimate is meaningful.
const LEAST: u32 = 4;
/// What is left of the weight of a batch after each further one.
const MEMORY: f64 = 0.98;
/// An error in seconds that is small whatever the time is.
const SLACK: f64 = 0.01;
/// Rounds of the solution: each part in turn as the others leave it. It starts from the last one, and is close after a few.
const ROUNDS: u32 = 50;

/// What the target has taken before a batch and has not processed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// Batches.
    pub(super) batches: u32,
    /// The items of these.
    pub(super) items: u32,
}

/// What the time of a batch is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// What each batch takes.
    pub(super) batch: Duration,
    /// What each of its items adds.
    pub(super) item: Duration,
    before: (Duration, Duration),
}

impl Parts {
    /// How long a batch waits for one before it that has so many items.
    pub(super) fn wait(&self, items: u32) -> Duration {
        let (batch, item) = self.before;
        batch + item * items
    }
}

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
    /// Notes that a batch of so many items took so long, and what the target had before it.
    pub(super) fn add(&mut self, items: u32, before: Before, time: Duration) {
        let (parts, time) = (numbers(items, before), time.as_secs_f64());
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

    /// The time of a batch of so many items with this before it; `None` while too little was seen.
    pub(super) fn time(&self, items: u32, before: Before) -> Option<Duration> {
        if self.count < LEAST {
            return None;
        }
        let parts = numbers(items, before).into_iter().zip(self.parts);
        let time: f64 = parts.map(|(number, seconds)| number * seconds).sum();
        Duration::try_from_secs_f64(time).ok()
    }

    /// What the time is made of; `None` while too little was seen.
    pub(super) fn parts(&self) -> Option<Parts> {
        if self.count < LEAST {
            return None;
        }
        let parts = self
            .parts
            .map(|part| Duration::try_from_secs_f64(part).ok());
        let [Some(batch), Some(item), Some(batches), Some(items)] = parts else {
            return None;
        };
        Some(Parts {
            batch,
            item,
            before: (batches, items),
        })
    }
}

fn numbers(items: u32, before: Before) -> [f64; PARTS] {
    let all = [1, items, before.batches, before.items];
    all.map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many batches of 50 items.
    fn full(batches: u32) -> Before {
        Before {
            batches,
            items: 50 * batches,
        }
    }

    /// What a server takes in milliseconds: for each batch, each item, each batch and each item before.
    type Server = (u32, u32, u32, u32);

    fn takes((batch, item, batches, each): Server, items: u32, before: Before) -> Duration {
        let waits = batches * before.batches + each * before.items;
        Duration::from_millis((batch + item * items + waits).into())
    }

    /// What a regression makes of batches of many sizes, behind many others.
    fn learnt(server: Server) -> Regression {
        let mut regression = Regression::default();
        for at in 0..120 {
            let items = 1 + at * 7 % 50;
            let before = Before {
                batches: at * 5 % 4,
                items: (at * 5 % 4) * (1 + at * 13 % 50),
            };
            regression.add(items, before, takes(server, items, before));
        }
        regression
    }

    #[test]
    fn whatever_a_server_takes_its_time_for_is_found() {
        let servers = [
            (0, 5, 0, 5),
            (20, 2, 0, 2),
            (500, 0, 0, 0),
            (500, 0, 500, 0),
            (500, 0, 0, 10),
            (0, 5, 0, 0),
            (3, 0, 0, 0),
        ];
        for server in servers {
            let regression = learnt(server);
            for (items, ahead) in [(1, full(0)), (50, full(0)), (1, full(2)), (250, full(1))] {
                let time = takes(server, items, ahead).as_secs_f64() * 1e3;
                let found = regression.time(items, ahead).unwrap().as_secs_f64() * 1e3;
                let error = (found - time).abs();
                assert!(
                    error <= time / 8.0 + 5.0,
                    "{server:?}: {items} behind {ahead:?} take {time}, not {found}"
                );
            }
        }
    }

    #[test]
    fn what_waits_for_batches_does_not_wait_for_items() {
        let parts = learnt((500, 0, 500, 0)).parts().unwrap();
        let near = |time: Duration, ms: u64| {
            time.abs_diff(Duration::from_millis(ms)) <= Duration::from_millis(60)
        };
        assert!(
            near(parts.batch, 500) && near(parts.wait(0), 500) && near(parts.wait(50), 500),
            "{parts:?}"
        );
        let parts = learnt((0, 5, 0, 5)).parts().unwrap();
        assert!(
            near(parts.wait(0), 0) && near(parts.wait(50), 250),
            "{parts:?}"
        );
    }

    #[test]
    fn too_little_says_nothing() {
        let mut regression = Regression::default();
        for _ in 0..LEAST {
            assert!(regression.time(1, full(0)).is_none() && regression.parts().is_none());
            regression.add(1, full(0), Duration::from_millis(20));
        }
        let time = regression.time(1, full(0)).unwrap();
        assert!(
            time.abs_diff(Duration::from_millis(20)) <= Duration::from_millis(1),
            "{time:?}"
        );
    }

    #[test]
    fn a_server_that_has_become_slower_is_found_out() {
        let mut regression = learnt((0, 1, 0, 1));
        for _ in 0..200 {
            regression.add(10, full(0), Duration::from_millis(100));
        }
        let time = regression.time(10, full(0)).unwrap();
        assert!(time >= Duration::from_millis(80), "{time:?}");
    }
}
