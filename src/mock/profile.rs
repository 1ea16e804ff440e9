//! Servers of a known character, by name.

use std::str::FromStr;
use std::time::Duration;

use super::limit::RateLimitKind;

/// How an instance processes batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchWork {
    /// Batches that it works on at one time; `None` takes each up at once.
    pub workers: Option<u32>,
    /// Time of each batch before its first item.
    pub batch_time: Duration,
    /// Time of each item before it takes effect.
    pub item_time: Duration,
    /// Batches that take longer, by chance.
    pub stall: Option<Stall>,
}

impl Default for BatchWork {
    /// One worker that takes no time.
    fn default() -> Self {
        Self {
            workers: Some(1),
            batch_time: Duration::ZERO,
            item_time: Duration::ZERO,
            stall: None,
        }
    }
}

/// Time that some batches take on top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stall {
    /// The share of batches, from 0 to 1.
    pub share: f64,
    /// The time.
    pub time: Duration,
}

impl FromStr for Stall {
    type Err = String;

    /// `0.02,5000`: one batch in fifty takes five seconds longer.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(',').and_then(|(share, ms)| {
            let share = share
                .parse()
                .ok()
                .filter(|share| (0.0..=1.0).contains(share))?;
            let time = Duration::from_millis(ms.parse().ok()?);
            Some(Self { share, time })
        });
        parts.ok_or_else(|| {
            "expected a share of 0 to 1 and milliseconds, such as 0.02,5000".to_owned()
        })
    }
}

/// The limit of a profile, in requests per second.
const LIMIT: u32 = 60;

/// A server of a known character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// One worker, 5 ms for each item.
    SerialItem,
    /// Every batch is done at once.
    ParallelInstant,
    /// One worker, 500 ms for each batch.
    SerialBatch500,
    /// Every batch takes 2 s, beside the others.
    ParallelBatch2000,
    /// Four workers, 100 ms for each batch, and 3 s more for one in fifty.
    Stalling,
    /// As `SerialItem`; 60 requests per second from a bucket of 60.
    LimitedBucket,
    /// As `SerialItem`; 60 requests in each full second.
    LimitedWindow,
}

impl Profile {
    /// Every profile.
    pub const EVERY: [Self; 7] = [
        Self::SerialItem,
        Self::ParallelInstant,
        Self::SerialBatch500,
        Self::ParallelBatch2000,
        Self::Stalling,
        Self::LimitedBucket,
        Self::LimitedWindow,
    ];

    /// The name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SerialItem => "serial-item",
            Self::ParallelInstant => "parallel-instant",
            Self::SerialBatch500 => "serial-batch-500",
            Self::ParallelBatch2000 => "parallel-batch-2000",
            Self::Stalling => "stalling",
            Self::LimitedBucket => "limited-bucket",
            Self::LimitedWindow => "limited-window",
        }
    }

    /// How it processes batches.
    pub fn work(self) -> BatchWork {
        let ms = Duration::from_millis;
        let usual = BatchWork::default();
        match self {
            Self::SerialItem | Self::LimitedBucket | Self::LimitedWindow => BatchWork {
                item_time: ms(5),
                ..usual
            },
            Self::ParallelInstant => BatchWork {
                workers: None,
                ..usual
            },
            Self::SerialBatch500 => BatchWork {
                batch_time: ms(500),
                ..usual
            },
            Self::ParallelBatch2000 => BatchWork {
                workers: None,
                batch_time: ms(2_000),
                ..usual
            },
            Self::Stalling => BatchWork {
                workers: Some(4),
                batch_time: ms(100),
                stall: Some(Stall {
                    share: 0.02,
                    time: ms(3_000),
                }),
                ..usual
            },
        }
    }

    /// Requests per second that it admits, and how it counts them; `None` admits all.
    pub const fn limit(self) -> Option<(u32, RateLimitKind)> {
        match self {
            Self::LimitedBucket => Some((LIMIT, RateLimitKind::Bucket { burst: LIMIT })),
            Self::LimitedWindow => Some((LIMIT, RateLimitKind::Fixed)),
            Self::SerialItem
            | Self::ParallelInstant
            | Self::SerialBatch500
            | Self::ParallelBatch2000
            | Self::Stalling => None,
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::EVERY.into_iter().find(|one| one.name() == text);
        known.ok_or_else(|| {
            let names = Self::EVERY.map(Self::name).join(", ");
            format!("expected one of {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_stalls_are_read_from_words() {
        for profile in Profile::EVERY {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        let unknown = "instant".parse::<Profile>().unwrap_err();
        assert!(
            unknown.contains("parallel-instant, serial-batch-500"),
            "{unknown}"
        );
        let stall: Stall = "0.5,20".parse().unwrap();
        assert_eq!((stall.share, stall.time.as_millis()), (0.5, 20));
        assert!("2,20".parse::<Stall>().is_err() && "0.5".parse::<Stall>().is_err());
    }
}
