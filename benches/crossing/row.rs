//! What was measured, as a row of the table.

use crate::bound::bound;
use lockgate::mock::Profile;

use crate::requests::{Phases, Purpose, Request, batch_items, polls_per_batch};
use crate::round::{Measured, Round, Settings};
use crate::table::{Table, number};
use crate::work::Work;

/// The columns, explained in `benches/README.md`.
const HEAD: [&str; 19] = [
    "preset",
    "latency ms",
    "limit /s",
    "schedule",
    "makespan s",
    "bound s",
    "bound by",
    "ratio",
    "rate /s",
    "of limit %",
    "refused %",
    "worker busy %",
    "peak MB",
    "CPU s",
    "server CPU s",
    "requests per entity",
    "commits",
    "verified",
    "2nd run writes",
];

/// The table without rows.
pub(crate) fn table() -> Table {
    Table::new(&HEAD, 4)
}

/// What both tables show of a round.
struct Figures<'a> {
    /// Requests that count towards a limit.
    counted: Vec<&'a Request>,
    /// How many of them were refused.
    refused: usize,
    makespan: String,
    bound: String,
    bound_by: String,
    ratio: String,
    refused_percent: String,
    per_entity: String,
    cpu: String,
    peak: String,
}

impl<'a> Figures<'a> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and bytes of a run are far below 2^52"
    )]
    fn of(round: &Round, settings: &Settings, work: &Work, measured: &'a Measured) -> Self {
        let makespan = measured.makespan.as_secs_f64();
        let bound = bound(round, settings, work, &measured.requests);
        let least = bound.least.as_secs_f64();
        let counted = measured.requests.iter().filter(|one| one.counts());
        let counted: Vec<&Request> = counted.collect();
        let refused = counted.iter().filter(|one| one.is_refused()).count();
        let peak = measured.client.peak_bytes;
        let count = counted.len() as f64;
        Self {
            makespan: number(Some(makespan), 1),
            bound: number(Some(least), 1),
            bound_by: bound.by.name().to_owned(),
            ratio: number(Some(makespan / least), 2),
            refused_percent: number(Some(100.0 * refused as f64 / count.max(1.0)), 2),
            per_entity: number(Some(count / work.entities().max(1) as f64), 2),
            cpu: number(measured.client.cpu_seconds, 1),
            peak: number(peak.map(|bytes| bytes as f64 / 1e6), 0),
            counted,
            refused,
        }
    }
}

/// The row of a round.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
pub(crate) fn row(
    round: &Round,
    settings: &Settings,
    work: &Work,
    measured: &Measured,
) -> Vec<String> {
    let figures = Figures::of(round, settings, work, measured);
    let admitted = figures.counted.len() - figures.refused;
    let rate = admitted as f64 / span_seconds(&figures.counted);
    let limit = round.limit().map(|(limit, _)| f64::from(limit));
    let of_limit = limit.map(|limit| 100.0 * rate / limit);
    let summary = &measured.summary;
    let commits = summary["commits"]
        .as_u64()
        .or(summary["store"]["commits"].as_u64());
    let again = measured.again.iter().filter(|request| request.writes);
    let busy = worker_busy(settings, &measured.requests);
    vec![
        round.preset.name().to_owned(),
        round.latency_ms.to_string(),
        round.limit_name(),
        round.schedule.to_owned(),
        figures.makespan,
        figures.bound,
        figures.bound_by,
        figures.ratio,
        number(Some(rate), 1),
        number(of_limit, 0),
        figures.refused_percent,
        number(busy.map(|share| 100.0 * share), 0),
        figures.peak,
        figures.cpu,
        number(measured.server.cpu_seconds, 1),
        figures.per_entity,
        number(commits.map(|count| count as f64), 0),
        verified(measured),
        again.count().to_string(),
    ]
}

/// The columns of a table of profiles, explained in `benches/README.md`.
const PROFILE_HEAD: [&str; 15] = [
    "profile",
    "preset",
    "latency ms",
    "schedule",
    "client",
    "makespan s",
    "bound s",
    "bound by",
    "ratio",
    "polls per batch",
    "requests per entity",
    "refused %",
    "CPU s",
    "peak MB",
    "verified",
];

/// The table of profiles without rows.
pub(crate) fn profile_table() -> Table {
    Table::new(&PROFILE_HEAD, 5)
}

/// The row of a round with a profile.
pub(crate) fn profile_row(
    round: &Round,
    settings: &Settings,
    work: &Work,
    measured: &Measured,
) -> Vec<String> {
    let figures = Figures::of(round, settings, work, measured);
    vec![
        round.profile.map_or("–", Profile::name).to_owned(),
        round.preset.name().to_owned(),
        round.latency_ms.to_string(),
        round.schedule.to_owned(),
        settings.client.clone(),
        figures.makespan,
        figures.bound,
        figures.bound_by,
        figures.ratio,
        number(polls_per_batch(&measured.requests), 2),
        figures.per_entity,
        figures.refused_percent,
        figures.cpu,
        figures.peak,
        verified(measured),
    ]
}

/// From the first request to the last, in seconds; never zero.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a run are far below 2^52"
)]
fn span_seconds(requests: &[&Request]) -> f64 {
    let first = requests.first().map_or(0, |request| request.at_ms);
    let last = requests
        .iter()
        .map(|request| request.at_ms)
        .max()
        .unwrap_or(0);
    (last - first).max(1) as f64 / 1000.0
}

/// The share of the time from the first batch to the last poll in which the batch worker had something to do.
#[expect(
    clippy::cast_precision_loss,
    reason = "items and milliseconds of a run are far below 2^52"
)]
fn worker_busy(settings: &Settings, requests: &[Request]) -> Option<f64> {
    let upload = Phases::of(requests).upload;
    let is_batch = |one: &&Request| matches!(one.purpose, Purpose::Items(_) | Purpose::Page);
    let first = upload.iter().find(is_batch)?.at_ms;
    let last = upload
        .iter()
        .rfind(|request| request.purpose == Purpose::Poll)?
        .at_ms;
    let busy_ms = batch_items(upload) * u64::from(settings.item_ms);
    Some(busy_ms as f64 / last.saturating_sub(first).max(1) as f64)
}

/// What the run's verification said: `clean`, or what is wrong.
fn verified(measured: &Measured) -> String {
    let verification = &measured.summary["verification"];
    match (measured.exit, verification["differences"].as_u64()) {
        (Some(0), Some(0)) => "clean".to_owned(),
        (exit, differences) => {
            let exit = exit.map_or_else(|| "signal".to_owned(), |code| format!("exit {code}"));
            let count = differences.map_or_else(|| "none".to_owned(), |count| count.to_string());
            format!("{exit}, differences: {count}")
        }
    }
}
