//! The request rate that a server admits per token.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::options::RateChange;

const WINDOW: Duration = Duration::from_secs(1);

/// Admissions of the last second, by who asked. Refused requests do not count.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// From when on which limit holds, the earliest first.
    limits: Vec<(Instant, usize)>,
    admitted: HashMap<String, VecDeque<Instant>>,
}

impl RateLimit {
    /// A limit that holds from `start` on, and what becomes of it.
    pub(crate) fn new(per_second: Option<u32>, changes: &[RateChange], start: Instant) -> Self {
        let first = per_second.map(|per_second| (start, per_second));
        let changes = changes
            .iter()
            .map(|change| (start + change.after, change.per_second));
        let mut limits: Vec<_> = first
            .into_iter()
            .chain(changes)
            .map(|(from, limit)| (from, usize::try_from(limit).unwrap_or(usize::MAX)))
            .collect();
        limits.sort_by_key(|(from, _)| *from);
        Self {
            limits,
            admitted: HashMap::new(),
        }
    }

    /// Whether one more request at `now` is within the limit; counts it if so.
    pub(crate) fn admit(&mut self, who: &str, now: Instant) -> bool {
        let holds = self.limits.iter().rfind(|(from, _)| *from <= now);
        let Some((_, limit)) = holds.copied() else {
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
        let mut limit = RateLimit::new(Some(2), &[], start);
        assert!(limit.admit("a", at(0)) && limit.admit("a", at(600)));
        assert!(!limit.admit("a", at(999)));
        assert!(limit.admit("b", at(999)));
        assert!(limit.admit("a", at(1000)));
        assert!(!limit.admit("a", at(1500)));
        assert!(limit.admit("a", at(1600)));
    }

    #[test]
    fn a_limit_may_begin_and_change_later() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let change = |after, per_second| RateChange {
            after: Duration::from_secs(after),
            per_second,
        };
        let mut limit = RateLimit::new(None, &[change(9, 3), change(4, 1)], start);
        let mut fits = |ms| (0..5).filter(|_| limit.admit("a", at(ms))).count();
        assert_eq!([fits(0), fits(4000), fits(5000), fits(9000)], [5, 1, 1, 3]);
    }

    #[test]
    fn without_a_limit_everything_fits() {
        let mut limit = RateLimit::new(None, &[], Instant::now());
        assert!((0..1000).all(|_| limit.admit("a", Instant::now())));
    }
}
