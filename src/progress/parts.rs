//! The small values that progress is made of.

use std::time::Duration;

use serde::Serialize;

use crate::domain::{EntityKey, Guid, Kind, Locale, RunId};
use crate::event::{Phase, Side};

/// What a run is about, from its first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The run.
    pub id: RunId,
    /// The instance read from.
    pub source: Guid,
    /// The instance written to.
    pub target: Guid,
    /// The wall clock at the start, RFC 3339.
    pub started_at: String,
    /// Whether the target is a rehearsal.
    pub dry_run: bool,
    /// The command; `None` in recordings of older versions.
    pub command: Option<String>,
}

/// How much of a kind was read from a side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCount {
    /// Entities read.
    pub read: u32,
    /// Entities there are, once known.
    pub expected: Option<u32>,
}

/// A batch that the target processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchProgress {
    /// Its locale.
    pub locale: Locale,
    /// Content or page.
    pub kind: Kind,
    /// Items in it.
    pub items: u32,
    /// Items processed, as last reported.
    pub processed: u32,
    /// When it was accepted, in milliseconds since the start of the run.
    pub since_ms: u64,
}

/// A sample of the pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// When, in milliseconds since the start of the run.
    pub at_ms: u64,
    /// Requests in the second before.
    pub per_second: f64,
    /// The cap on requests per second, when there is one.
    pub limit_per_second: Option<f64>,
    /// Requests in flight.
    pub in_flight: u32,
    /// How many may be in flight.
    pub concurrency: u32,
    /// Median time to answer in the second before, in milliseconds.
    pub latency_ms: f64,
}

/// A part of the run and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseTime {
    /// The part.
    pub phase: Phase,
    /// When it began, since the start of the run.
    pub start: Duration,
    /// How long it took, or has taken so far.
    pub took: Duration,
}

/// How far the comparison of the target with the source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Entities compared.
    pub checked: u32,
    /// Entities to compare.
    pub total: u32,
    /// Differences found.
    pub differences: u32,
    /// Whether it came to its end.
    pub finished: bool,
    /// Files whose bytes were compared by the digests of their hosts, and by downloads.
    pub files: Option<(u32, u32)>,
}

/// A difference between source and target that the verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The entity.
    pub key: EntityKey,
    /// What kind of difference, such as `missing`.
    pub difference: String,
    /// Where, and what was expected and found.
    pub detail: String,
}

/// How an instance was read. `summary.json` has it in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Which side.
    pub side: Side,
    /// Entities that it holds.
    pub entities: u32,
    /// Rows that were read for that.
    pub rows: u32,
    /// When the former reading began that this one went on from, RFC 3339; `None` where everything was read.
    pub since: Option<String>,
    /// Why everything was read, or what was read from its beginning; may be empty.
    pub because: String,
}
