//! What the headers of answers say of limits.
//!
//! No description of the vendor names such headers, so the usual families are understood: `X-RateLimit-Limit` with
//! `X-RateLimit-Reset` in seconds, and `RateLimit-Policy` (IETF draft "`RateLimit` header fields for HTTP"). A limit without the
//! time for which it counts is no rate: the same three headers mean an hour elsewhere.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderMap;

use crate::domain::redact;
use crate::instance::LimitHeaders;

/// What names of such headers begin with.
const FAMILIES: [&str; 5] = [
    "ratelimit",
    "x-ratelimit",
    "x-rate-limit",
    "x-ms-ratelimit",
    "retry-after",
];

/// Characters that are kept of a value.
const LENGTH: usize = 100;

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct SeenLimits(Mutex<Seen>);

#[derive(Clone, Debug, Default)]
struct Seen {
    headers: LimitHeaders,
    /// The longest time until a limit counts anew, in seconds.
    longest_reset: Option<f64>,
}

impl SeenLimits {
    /// Notes what an answer says.
    pub(crate) fn note(&self, headers: &HeaderMap) {
        let stated = headers.iter().filter_map(|(name, value)| {
            let name = name.as_str();
            let is_known = FAMILIES.iter().any(|family| name.starts_with(family));
            Some((name, value.to_str().ok().filter(|_| is_known)?))
        });
        let stated: Vec<_> = stated.collect();
        if stated.is_empty() {
            return;
        }
        let mut seen = self.seen();
        for (name, value) in stated {
            let value: String = redact(value).chars().take(LENGTH).collect();
            if is_reset(name)
                && let Ok(seconds) = value.trim().parse()
            {
                let longest = seen
                    .longest_reset
                    .map_or(seconds, |longest| longest.max(seconds));
                seen.longest_reset = Some(longest);
            }
            seen.headers.values.insert(name.to_owned(), value);
        }
        seen.headers.per_second = per_second(&seen);
    }

    /// All that was noted.
    pub(crate) fn so_far(&self) -> LimitHeaders {
        self.seen().headers.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_reset(name: &str) -> bool {
    name.ends_with("-reset")
}

/// The limit in requests per second: from a policy that states both, or from a limit that was never further than a second
/// from counting anew.
fn per_second(seen: &Seen) -> Option<f64> {
    let values = &seen.headers.values;
    let policy = values.get("ratelimit-policy");
    if let Some(rate) = policy.and_then(|text| of_policy(text)) {
        return Some(rate);
    }
    seen.longest_reset.filter(|longest| *longest <= 1.0)?;
    let is_limit = |name: &&String| name.ends_with("-limit");
    let name = values.keys().find(is_limit)?;
    positive(&values[name])
}

/// `60;w=1`, and the later `"default";q=60;w=1`: requests in a window of seconds. The first of several counts.
fn of_policy(text: &str) -> Option<f64> {
    let policy = text.split(',').next()?;
    let mut parts = policy.split(';').map(str::trim);
    let first = parts.next()?;
    let parts: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let find = |name: &str| {
        let part = parts.iter().find(|(known, _)| known.trim() == name);
        part.and_then(|(_, value)| positive(value))
    };
    let quota = find("q").or_else(|| positive(first))?;
    Some(quota / find("w")?)
}

fn positive(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn seen(answers: &[&[(&'static str, &'static str)]]) -> LimitHeaders {
        let seen = SeenLimits::default();
        for answer in answers {
            let headers = answer.iter().map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            seen.note(&headers.collect());
        }
        seen.so_far()
    }

    #[test]
    fn a_limit_is_a_rate_only_where_its_time_is_known() {
        let of = |limit, reset| {
            let headers = [("x-ratelimit-limit", limit), ("x-ratelimit-reset", reset)];
            seen(&[&headers]).per_second
        };
        assert_eq!(of("60", "1"), Some(60.0));
        assert_eq!(of("5000", "1800"), None);
        assert_eq!(of("many", "1"), None);
        let later: [&[_]; 2] = [
            &[("x-ratelimit-limit", "60"), ("x-ratelimit-reset", "1")],
            &[("x-ratelimit-limit", "60"), ("x-ratelimit-reset", "40")],
        ];
        assert_eq!(seen(&later).per_second, None, "the window is a minute");
        for (policy, rate) in [("120;w=60", 2.0), ("\"default\";q=30;w=1, 9;w=9", 30.0)] {
            assert_eq!(of_policy(policy), Some(rate), "{policy}");
        }
        assert_eq!(of_policy("120"), None);
    }

    #[test]
    fn only_headers_about_limits_are_kept_and_of_them_a_part() {
        let long: &'static str = Box::leak("x".repeat(900).into_boxed_str());
        let seen = seen(&[&[("date", "today"), ("retry-after", long)]]);
        assert_eq!(seen.values.len(), 1);
        assert_eq!(seen.values["retry-after"].len(), LENGTH);
    }
}
