//! The request rate that a server admits per token.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::time::Duration;

use tokio::time::Instant;

use super::options::RateChange;

const WINDOW: Duration = Duration::from_secs(1);

/// How requests are counted against a limit of so many per second. Refused requests never count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimitKind {
    /// Those of the last second, whenever it began.
    #[default]
    Sliding,
    /// Those since the last full second of the server's clock: twice the limit fits around one.
    Fixed,
    /// Each takes a token; tokens come back evenly, and no more are kept than this.
    Bucket {
        /// Requests that may come at once after a rest.
        burst: u32,
    },
}

impl FromStr for RateLimitKind {
    type Err = String;

    /// `sliding`, `fixed` or `bucket:BURST`.
    fn from_str(text: &str) -> Result<Self, String> {
        let burst = |text: &str| text.parse().ok().filter(|burst| *burst > 0);
        match (text, text.strip_prefix("bucket:").and_then(burst)) {
            ("sliding", _) => Ok(Self::Sliding),
            ("fixed", _) => Ok(Self::Fixed),
            (_, Some(burst)) => Ok(Self::Bucket { burst }),
            (_, None) => {
                Err("expected sliding, fixed, or bucket:BURST such as bucket:60".to_owned())
            }
        }
    }
}

/// What a server says of the limit with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether the request is within the limit.
    pub(crate) admitted: bool,
    /// Requests per second.
    pub(crate) limit: u32,
    /// Requests that are left at this moment.
    pub(crate) remaining: u32,
    /// When one more is.
    pub(crate) reset: Duration,
}

/// Requests so far, by token.
#[derive(Debug)]
pub(crate) struct RateLimit {
    kind: RateLimitKind,
    start: Instant,
    /// From when on which limit holds, the earliest first.
    limits: Vec<(Instant, u32)>,
    accounts: HashMap<String, Account>,
}

/// The requests of one token.
#[derive(Debug)]
struct Account {
    /// Of the last second, or of the present window.
    admitted: VecDeque<Instant>,
    tokens: f64,
    counted: Instant,
}

impl RateLimit {
    /// A limit that holds from `start` on, and what becomes of it.
    pub(crate) fn new(
        kind: RateLimitKind,
        per_second: Option<u32>,
        changes: &[RateChange],
        start: Instant,
    ) -> Self {
        let first = per_second.map(|per_second| (start, per_second));
        let changes = changes
            .iter()
            .map(|change| (start + change.after, change.per_second));
        let mut limits: Vec<_> = first.into_iter().chain(changes).collect();
        limits.sort_by_key(|(from, _)| *from);
        Self {
            kind,
            start,
            limits,
            accounts: HashMap::new(),
        }
    }

    /// Whether one more request at `now` is within the limit; counts it if so. `None` while there is no limit.
    pub(crate) fn admit(&mut self, who: &str, now: Instant) -> Option<Standing> {
        let holds = self.limits.iter().rfind(|(from, _)| *from <= now);
        let (_, limit) = holds.copied()?;
        if !self.accounts.contains_key(who) {
            let full = match self.kind {
                RateLimitKind::Bucket { burst } => f64::from(burst),
                RateLimitKind::Sliding | RateLimitKind::Fixed => 0.0,
            };
            let account = Account {
                admitted: VecDeque::new(),
                tokens: full,
                counted: now,
            };
            self.accounts.insert(who.to_owned(), account);
        }
        let account = self.accounts.get_mut(who)?;
        Some(match self.kind {
            RateLimitKind::Sliding => account.count(now, now.checked_sub(WINDOW), limit),
            RateLimitKind::Fixed => {
                let passed = now.duration_since(self.start).as_secs();
                let window = self.start + Duration::from_secs(passed);
                let before = window.checked_sub(Duration::from_nanos(1));
                let standing = account.count(now, before, limit);
                Standing {
                    reset: (window + WINDOW).duration_since(now),
                    ..standing
                }
            }
            RateLimitKind::Bucket { burst } => account.draw(now, limit, burst),
        })
    }
}

impl Account {
    /// Counts the request if it and those after `since` are within the limit.
    fn count(&mut self, now: Instant, since: Option<Instant>, limit: u32) -> Standing {
        while since.is_some_and(|since| self.admitted.front().is_some_and(|at| *at <= since)) {
            self.admitted.pop_front();
        }
        let used = u32::try_from(self.admitted.len()).unwrap_or(u32::MAX);
        let admitted = used < limit;
        if admitted {
            self.admitted.push_back(now);
        }
        let first = self.admitted.front().map_or(now, |first| *first + WINDOW);
        Standing {
            admitted,
            limit,
            remaining: limit.saturating_sub(used.saturating_add(1)),
            reset: first.saturating_duration_since(now),
        }
    }

    /// Takes a token if there is one.
    fn draw(&mut self, now: Instant, limit: u32, burst: u32) -> Standing {
        let passed = now.duration_since(self.counted).as_secs_f64();
        self.counted = now;
        self.tokens = (self.tokens + passed * f64::from(limit)).min(f64::from(burst));
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        let missing = (1.0 - self.tokens).max(0.0) / f64::from(limit.max(1));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the burst"
        )]
        let remaining = self.tokens as u32;
        Standing {
            admitted,
            limit,
            remaining,
            reset: Duration::from_secs_f64(missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `count` requests at each moment a limit of 4 per second admits.
    fn admitted(kind: RateLimitKind, moments_ms: &[u64], count: usize) -> Vec<usize> {
        let start = Instant::now();
        let mut limit = RateLimit::new(kind, Some(4), &[], start);
        let mut at = |ms: &u64| {
            let now = start + Duration::from_millis(*ms);
            let fits = |_: &usize| limit.admit("a", now).unwrap().admitted;
            (0..count).filter(fits).count()
        };
        moments_ms.iter().map(&mut at).collect()
    }

    fn fits(limit: &mut RateLimit, who: &str, now: Instant) -> bool {
        limit
            .admit(who, now)
            .is_none_or(|standing| standing.admitted)
    }

    #[test]
    fn the_window_rolls_and_each_token_has_its_own() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut limit = RateLimit::new(RateLimitKind::Sliding, Some(2), &[], start);
        let mut fits = |who, ms| fits(&mut limit, who, at(ms));
        assert!(fits("a", 0) && fits("a", 600));
        assert!(!fits("a", 999));
        assert!(fits("b", 999));
        assert!(fits("a", 1000));
        assert!(!fits("a", 1500));
        assert!(fits("a", 1600));
    }

    #[test]
    fn each_kind_admits_other_requests_at_the_same_rate() {
        let moments = [900, 1_100, 1_950, 4_000];
        let at = |kind| admitted(kind, &moments, 9);
        assert_eq!(at(RateLimitKind::Sliding), [4, 0, 4, 4]);
        assert_eq!(at(RateLimitKind::Fixed), [4, 4, 0, 4]);
        assert_eq!(at(RateLimitKind::Bucket { burst: 6 }), [6, 0, 4, 6]);
    }

    #[test]
    fn an_answer_tells_what_is_left_and_when_there_is_more() {
        let start = Instant::now();
        let now = start + Duration::from_millis(400);
        let standing = |kind| RateLimit::new(kind, Some(4), &[], start).admit("a", now);
        let told = |kind| standing(kind).map(|one| (one.limit, one.remaining, one.reset));
        let secs = Duration::from_millis;
        assert_eq!(told(RateLimitKind::Sliding), Some((4, 3, secs(1_000))));
        assert_eq!(told(RateLimitKind::Fixed), Some((4, 3, secs(600))));
        let bucket = RateLimitKind::Bucket { burst: 1 };
        assert_eq!(told(bucket), Some((4, 0, secs(250))));
    }

    #[test]
    fn a_limit_may_begin_and_change_later() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let change = |after, per_second| RateChange {
            after: Duration::from_secs(after),
            per_second,
        };
        let changes = [change(9, 3), change(4, 1)];
        let mut limit = RateLimit::new(RateLimitKind::Sliding, None, &changes, start);
        let mut count = |ms| (0..5).filter(|_| fits(&mut limit, "a", at(ms))).count();
        assert_eq!(
            [count(0), count(4000), count(5000), count(9000)],
            [5, 1, 1, 3]
        );
    }

    #[test]
    fn a_kind_is_read_from_its_name() {
        let bucket = RateLimitKind::Bucket { burst: 60 };
        assert_eq!("bucket:60".parse(), Ok(bucket));
        assert_eq!("fixed".parse(), Ok(RateLimitKind::Fixed));
        assert!("bucket:0".parse::<RateLimitKind>().is_err());
    }
}
