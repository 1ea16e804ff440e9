//! How many bytes of small files one upload carries.
//!
//! A server or a gateway may have a limit of its own for a request, or be too slow for the usual size. Both show as a refusal
//! (413) or a time-out. Then half as much is sent at one time, and the size grows back slowly.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::instance::{Cause, RequestError};

/// Less is not worth a request of its own.
const LEAST: u64 = 256 << 10;

/// So many uploads that arrive double the size from half of its most.
const STEPS: u64 = 16;

/// The size of uploads to one host.
#[derive(Debug)]
pub(super) struct UploadSize {
    most: u64,
    now: AtomicU64,
}

impl UploadSize {
    /// As much as the user allows.
    pub(super) const fn new(most: u64) -> Self {
        Self {
            most,
            now: AtomicU64::new(most),
        }
    }

    /// The bytes that several files in one upload may have together; `None` while that is as much as planned.
    pub(super) fn limit(&self) -> Option<u64> {
        let now = self.now.load(Ordering::Relaxed);
        (now < self.most).then_some(now)
    }

    /// Takes in what came of an upload of several files.
    pub(super) fn record_answer(&self, error: Option<&RequestError>) {
        let now = self.now.load(Ordering::Relaxed);
        let next = match error.map(|error| &error.cause) {
            None => (now + self.most.div_ceil(2 * STEPS)).min(self.most),
            Some(Cause::TimedOut(_) | Cause::Refused { status: 413 }) => {
                (now / 2).max(LEAST.min(self.most))
            }
            Some(_) => now,
        };
        // Of two that arrive at one moment one may get lost, which the next one makes up for.
        self.now.store(next, Ordering::Relaxed);
    }
}

/// Splits files of these lengths, in their order, into uploads of at most so many bytes. One that is larger stands alone.
pub(super) fn split(lengths: &[u64], limit: u64) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, length) in lengths.iter().enumerate() {
        if let Some(part) = parts.last_mut().filter(|_| bytes + length <= limit) {
            part.push(at);
        } else {
            parts.push(vec![at]);
            bytes = 0;
        }
        bytes += length;
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failed(cause: Cause) -> RequestError {
        RequestError::new("uploading", cause)
    }

    #[test]
    fn the_size_is_halved_by_what_is_too_much_and_grows_back_slowly() {
        let size = UploadSize::new(8 << 20);
        assert_eq!(size.limit(), None);
        size.record_answer(Some(&failed(Cause::TimedOut(Duration::from_mins(1)))));
        assert_eq!(size.limit(), Some(4 << 20));
        size.record_answer(Some(&failed(Cause::Refused { status: 413 })));
        assert_eq!(size.limit(), Some(2 << 20));
        size.record_answer(Some(&failed(Cause::Refused { status: 400 })));
        assert_eq!(size.limit(), Some(2 << 20), "that is not for its size");
        let mut arrivals = 0;
        while size.limit().is_some() {
            size.record_answer(None);
            arrivals += 1;
        }
        assert_eq!(arrivals, 24);
        for _ in 0..20 {
            size.record_answer(Some(&failed(Cause::Refused { status: 413 })));
        }
        assert_eq!(size.limit(), Some(LEAST));
        let small = UploadSize::new(1_000);
        small.record_answer(Some(&failed(Cause::Refused { status: 413 })));
        assert_eq!(small.limit(), None, "it is small enough already");
    }

    #[test]
    fn files_are_split_in_their_order() {
        let parts = split(&[5, 5, 1, 20, 3, 7], 10);
        assert_eq!(parts, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
        assert!(split(&[], 10).is_empty());
    }
}
