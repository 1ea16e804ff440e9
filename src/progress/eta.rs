//! How long the uploads will still take.

use std::time::Duration;

/// Upload time in milliseconds before there is a basis.
const BASIS_MS: u64 = 2_000;

/// Entities that have to be settled before there is a basis, or one in a hundred if that is fewer.
const BASIS_ENTITIES: u32 = 20;

/// The time that the uploads will still take, as a range: one end from the average rate of the run, the
/// other from the rate of the last ten seconds. Pauses and throttling are left out of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eta {
    /// The shorter estimate.
    pub low: Duration,
    /// The longer estimate.
    pub high: Duration,
    /// What was counted for it.
    pub counting: &'static str,
}

/// What an estimate is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Basis {
    /// Entities to upload.
    pub(crate) planned: u32,
    /// Those that have their outcome.
    pub(crate) settled: u32,
    /// Upload time so far, idle time left out, in milliseconds.
    pub(crate) active_ms: u64,
    /// Entities settled per second of the last ten seconds of upload time.
    pub(crate) recent_per_second: f64,
    /// How long nothing will leave from now on, in milliseconds.
    pub(crate) idle_ahead_ms: u64,
}

/// The estimate; `None` while there is no basis for one, when nothing moved for ten seconds, and when
/// nothing is left.
pub(crate) fn estimate(basis: Basis) -> Option<Eta> {
    let left = basis.planned.saturating_sub(basis.settled);
    let enough =
        basis.settled >= BASIS_ENTITIES || basis.settled.saturating_mul(100) >= basis.planned;
    if left == 0 || basis.settled == 0 || !enough || basis.active_ms < BASIS_MS {
        return None;
    }
    let average = f64::from(basis.settled) / Duration::from_millis(basis.active_ms).as_secs_f64();
    let at = |per_second: f64| Duration::try_from_secs_f64(f64::from(left) / per_second).ok();
    let ahead = Duration::from_millis(basis.idle_ahead_ms);
    let recent = at(basis.recent_per_second)? + ahead;
    let average = at(average)? + ahead;
    Some(Eta {
        low: recent.min(average),
        high: recent.max(average),
        counting: "entities",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: Basis = Basis {
        planned: 1_000,
        settled: 400,
        active_ms: 20_000,
        recent_per_second: 40.0,
        idle_ahead_ms: 0,
    };

    fn seconds(basis: Basis) -> Option<(u64, u64)> {
        estimate(basis).map(|eta| (eta.low.as_secs(), eta.high.as_secs()))
    }

    #[test]
    fn the_range_lies_between_recent_and_average_rate() {
        assert_eq!(seconds(STEADY), Some((15, 30)));
        let slower = Basis {
            recent_per_second: 10.0,
            ..STEADY
        };
        assert_eq!(seconds(slower), Some((30, 60)));
        let throttled = Basis {
            idle_ahead_ms: 5_000,
            ..STEADY
        };
        assert_eq!(seconds(throttled), Some((20, 35)));
    }

    #[test]
    fn without_a_basis_there_is_no_estimate() {
        let too_early = Basis {
            active_ms: 1_999,
            ..STEADY
        };
        let too_few = Basis {
            planned: 10_000,
            settled: 19,
            ..STEADY
        };
        let stalled = Basis {
            recent_per_second: 0.0,
            ..STEADY
        };
        let done = Basis {
            settled: 1_000,
            ..STEADY
        };
        let over = Basis {
            settled: 1_001,
            ..STEADY
        };
        for basis in [too_early, too_few, stalled, done, over] {
            assert_eq!(seconds(basis), None, "{basis:?}");
        }
    }

    #[test]
    fn one_in_a_hundred_is_enough_for_a_small_plan() {
        let small = Basis {
            planned: 100,
            settled: 1,
            active_ms: 2_000,
            recent_per_second: 0.5,
            idle_ahead_ms: 0,
        };
        assert_eq!(seconds(small), Some((198, 198)));
    }
}
