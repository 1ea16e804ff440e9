//! Whether the rate is the bottleneck, and what then reduces the number of requests.

use std::time::Duration;

/// The share of the rate from which on it counts as what requests wait for.
const SCARCE: f64 = 0.8;

/// The rate in requests per second, if most of it is used; `None` when something else holds requests back: what they need,
/// the worker of the target, latency.
pub(in crate::engine) fn scarce(per_second_max: Option<f64>, used: f64) -> Option<f64> {
    per_second_max.filter(|rate| used >= rate * SCARCE)
}

/// Items that keep the worker of the target busy for twice as long as the two requests take that a batch costs. 1 while
/// requests are not `scarce`: then one takes nothing from others.
pub(in crate::engine) fn least_items(item: Duration, scarce: Option<f64>) -> usize {
    let Some(per_second) = scarce else {
        return 1;
    };
    let requests = Duration::from_secs_f64(4.0 / per_second.max(0.1));
    let items = requests.as_micros().div_ceil(item.as_micros().max(1));
    usize::try_from(items).unwrap_or(usize::MAX)
}

/// How long a commit may wait for others: three requests' worth of the rate, because a request that is noted waits about that
/// long for its turn. No time while requests are not `scarce`.
pub(in crate::engine) fn gathering(scarce: Option<f64>) -> Duration {
    let wait = |per_second: f64| Duration::from_secs_f64(3.0 / per_second.max(20.0));
    scarce.map_or(Duration::ZERO, wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_spared_while_most_of_the_rate_is_used() {
        assert_eq!(scarce(Some(100.0), 80.0), Some(100.0));
        assert_eq!(scarce(Some(100.0), 79.0), None);
        assert_eq!(scarce(None, 5_000.0), None, "there is no limit");
        let item = Duration::from_millis(5);
        assert_eq!(
            [least_items(item, Some(100.0)), least_items(item, None)],
            [8, 1]
        );
        assert_eq!(gathering(Some(100.0)), Duration::from_millis(30));
        assert_eq!(gathering(Some(5.0)), Duration::from_millis(150), "at most");
        assert_eq!(gathering(None), Duration::ZERO);
    }
}
