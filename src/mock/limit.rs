//! The request rate that a server admits per token.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(1);

/// Admissions of the last second, by who asked. Refused requests do not count.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: Option<usize>,
    admitted: HashMap<String, VecDeque<Instant>>,
}

impl RateLimit {
    pub(crate) fn new(per_second: Option<u32>) -> Self {
        let per_second = per_second.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Self {
            per_second,
            admitted: HashMap::new(),
        }
    }

    /// Whether one more request at `now` is within the limit; counts it if so.
    pub(crate) fn admit(&mut self, who: &str, now: Instant) -> bool {
        let Some(limit) = self.per_second else {
            return true;
        };
        if !self.admitted.contains_key(who) {
            self.admitted.insert(who.to_owned(), VecDeque::new());
        }
        let Some(times) = self.admitted.get_mut(who) else {
            return true;
        };
        while times
            .front()
            .is_some_and(|first| now.duration_since(*first) >= WINDOW)
        {
            times.pop_front();
        }
        let fits = times.len() < limit;
        if fits {
            times.push_back(now);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_rolls_and_each_token_has_its_own() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut limit = RateLimit::new(Some(2));
        assert!(limit.admit("a", at(0)) && limit.admit("a", at(600)));
        assert!(!limit.admit("a", at(999)));
        assert!(limit.admit("b", at(999)));
        assert!(limit.admit("a", at(1000)));
        assert!(!limit.admit("a", at(1500)));
        assert!(limit.admit("a", at(1600)));
    }

    #[test]
    fn without_a_limit_everything_fits() {
        let mut limit = RateLimit::new(None);
        assert!((0..1000).all(|_| limit.admit("a", Instant::now())));
    }
}
