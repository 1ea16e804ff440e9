//! The latest requests of a process, for people who watch it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Guid;

/// Requests that are kept.
const KEPT: usize = 2_000;

/// A request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When it left.
    pub at: Timestamp,
    /// The instance that it went to.
    pub guid: Guid,
    /// Method and path below the address of the API, without a query.
    pub endpoint: String,
    /// What it was for.
    pub operation: String,
    /// The HTTP status; `None` without a whole answer.
    pub status: Option<u16>,
    /// What went wrong, with the server's words; `None` when nothing did.
    pub error: Option<String>,
    /// From its start to the end of the answer.
    pub took: Duration,
}

/// The latest two thousand requests. Clones share them; a lock is held for the time of one push or copy only.
#[derive(Clone, Debug, Default)]
pub struct RequestLog {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// How many there were in all.
    count: u64,
    latest: VecDeque<Exchange>,
}

impl RequestLog {
    /// Adds a request; the oldest one goes when there are too many.
    pub fn push(&self, exchange: Exchange) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.latest.len() == KEPT {
            kept.latest.pop_front();
        }
        kept.latest.push_back(exchange);
        kept.count += 1;
    }

    /// How many requests there have been, and those of them that came after the first `seen`, as far as they are kept.
    pub fn after(&self, seen: u64) -> (u64, Vec<Exchange>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(kept.count.saturating_sub(seen)).unwrap_or(usize::MAX);
        let skipped = kept.latest.len().saturating_sub(new);
        (
            kept.count,
            kept.latest.iter().skip(skipped).cloned().collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(number: u16) -> Exchange {
        Exchange {
            at: Timestamp::UNIX_EPOCH,
            guid: Guid::new("1a2b3c4d-u"),
            endpoint: "GET model/list".to_owned(),
            operation: "reading the models".to_owned(),
            status: Some(number),
            error: None,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn each_request_is_given_out_once_and_the_latest_are_kept() {
        let log = RequestLog::default();
        for number in 0..3 {
            log.push(exchange(number));
        }
        let (seen, new) = log.after(1);
        let statuses: Vec<_> = new.iter().filter_map(|one| one.status).collect();
        assert_eq!((seen, statuses), (3, vec![1, 2]));
        assert_eq!(log.after(3), (3, Vec::new()));
        for number in 3..5_000 {
            log.push(exchange(number));
        }
        let (seen, new) = log.after(3);
        assert_eq!((seen, new.len()), (5_000, KEPT));
        assert_eq!(new.last().and_then(|one| one.status), Some(4_999));
    }
}
