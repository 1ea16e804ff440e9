//! A rough estimate of the cost of a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::domain::{Inventory, Kind, Locale, SourceId};
use crate::plan::{Action, Plan, UploadLimits, Uploads};

/// Requests of a batch: one that submits it, and about two that ask for its end.
const OF_BATCH: usize = 3;
/// Entities in one request that publishes, or that saves redirections.
const AT_ONCE: usize = 250;
/// What a request of its own takes, where nothing is known of the host.
const REQUEST: Duration = Duration::from_millis(150);

/// What limits a run.
#[derive(Clone, Copy, Debug)]
pub struct EffortLimits {
    /// Items per batch.
    pub batch_items: usize,
    /// Requests in flight with which a run begins.
    pub in_flight: usize,
    /// Requests per second: the cap of the user, or the limit of the server where it is lower and known; `None`: neither is
    /// known.
    pub per_second_max: Option<f64>,
    /// What one upload takes.
    pub upload: UploadLimits,
}

/// What a plan costs. An estimate: what is read, before and afterwards, and what has to be sent again is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Requests that write, and those that ask whether a batch is done.
    pub requests: usize,
    /// How long the writing takes.
    pub seconds: u64,
    /// The quota that this counts with, in requests per second; not there where none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u64>,
    /// Files that are uploaded.
    pub files: usize,
    /// Requests in which they are.
    pub uploads: usize,
}

impl Effort {
    pub(super) fn of(
        plan: &Plan,
        source: &Inventory<SourceId>,
        published: usize,
        limits: EffortLimits,
    ) -> Self {
        let uploads = Uploads::of(plan, source, limits.upload);
        let mut requests = uploads.requests;
        let mut batches: BTreeMap<(&Locale, u32), usize> = BTreeMap::new();
        let (mut again, mut redirections) = (0_usize, 0_usize);
        let mut longest_ms = 0;
        for (planned, entity) in plan.entities.iter().zip(source.entities()) {
            if !planned.action.is_work() {
                continue;
            }
            longest_ms = longest_ms.max(planned.remaining_ms);
            again += usize::from(planned.is_patched());
            match (entity.key.kind, entity.locale()) {
                (Kind::Content, Some(locale)) => {
                    *batches.entry((locale, planned.level)).or_default() += 1;
                }
                (Kind::Page | Kind::Content, _) => requests += OF_BATCH,
                (Kind::Redirection, _) => redirections += 1,
                // Its name first and its fields afterwards, so that models may refer to each other.
                (Kind::Model, _) if matches!(planned.action, Action::Create { .. }) => {
                    requests += 2;
                }
                (Kind::Model | Kind::Container | Kind::Template | Kind::Gallery, _) => {
                    requests += 1;
                }
                (Kind::Asset, _) => {}
            }
        }
        let full = |items: &usize| items.div_ceil(limits.batch_items.max(1)) * OF_BATCH;
        requests += batches.values().map(full).sum::<usize>() + full(&again);
        requests += redirections.div_ceil(AT_ONCE) + published.div_ceil(AT_ONCE) * OF_BATCH;
        Self {
            requests,
            seconds: whole_seconds(took(requests, longest_ms, limits)),
            per_second: limits.per_second_max.map(rounded),
            files: uploads.files,
            uploads: uploads.requests,
        }
    }
}

/// The longest of: the chain that takes longest, all requests over those in flight, and all requests at the highest rate.
fn took(requests: usize, longest_ms: u32, limits: EffortLimits) -> Duration {
    let count = u32::try_from(requests).unwrap_or(u32::MAX);
    let in_flight = u32::try_from(limits.in_flight.max(1)).unwrap_or(u32::MAX);
    let by_rate = limits.per_second_max.map(|rate| f64::from(count) / rate);
    let chain = Duration::from_millis(longest_ms.into());
    let by_latency = REQUEST * count / in_flight;
    chain
        .max(by_latency)
        .max(by_rate.map_or(Duration::ZERO, Duration::from_secs_f64))
}

/// A rate as people write it; at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive, and a conversion keeps to the range"
)]
fn rounded(per_second: f64) -> u64 {
    per_second.round().max(1.0) as u64
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
