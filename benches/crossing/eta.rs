//! How right the estimates of the time left were: a recorded run is folded again and asked at moments whose answer is
//! known by now.

use std::path::{Path, PathBuf};

use lockgate::event::{Event, Stamped};
use lockgate::mock::Profile;
use lockgate::progress::Progress;

use crate::Outcome;
use crate::round::Round;
use crate::table::{Table, number};

/// Moments at which a run is asked.
const MOMENTS: u64 = 100;

/// The share of the uploads from which on the estimates count, in per cent.
const FROM: u32 = 20;

/// The columns, explained in `benches/README.md`.
const HEAD: [&str; 11] = [
    "profile",
    "preset",
    "latency ms",
    "limit /s",
    "schedule",
    "run s",
    "moments",
    "median error %",
    "worst of ten %",
    "in range %",
    "range ± %",
];

/// The table without rows.
pub(crate) fn table() -> Table {
    Table::new(&HEAD, 5)
}

/// The estimate at a moment beside the truth, all in milliseconds.
struct Sample {
    left: f64,
    /// Shortest, likely and longest; `None` where there was no estimate.
    said: Option<[f64; 3]>,
}

impl Sample {
    /// By how much of the truth the estimate is off; one that is missing is all wrong.
    fn error(&self) -> f64 {
        self.said
            .map_or(1.0, |[_, likely, _]| (likely - self.left).abs() / self.left)
    }

    fn is_in_range(&self) -> bool {
        self.said
            .is_some_and(|[low, _, high]| (low..=high).contains(&self.left))
    }

    /// Half the width of the range, as a share of the truth.
    fn width(&self) -> f64 {
        self.said
            .map_or(0.0, |[low, _, high]| (high - low) / 2.0 / self.left)
    }
}

/// The row of a round whose runs reported into `reports`.
///
/// # Errors
/// When there is no recording, or it has no end or too few moments.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a run are far below 2^52"
)]
pub(crate) fn row(round: &Round, reports: &Path) -> Outcome<Vec<String>> {
    let events = recording(reports)?;
    let end_ms = events.last().map_or(0, |last| last.at_ms);
    let samples = samples(&events, end_ms);
    if samples.is_empty() {
        return Err("the run uploaded nothing whose time could be estimated".into());
    }
    let errors = sorted(samples.iter().map(Sample::error));
    let widths = sorted(samples.iter().map(Sample::width));
    let right = samples.iter().filter(|one| one.is_in_range()).count();
    let at = |values: &[f64], share: usize| 100.0 * values[(values.len() - 1) * share / 100];
    Ok(vec![
        round.profile.map_or("–", Profile::name).to_owned(),
        round.preset.name().to_owned(),
        round.latency_ms.to_string(),
        round.limit_name(),
        round.schedule.to_owned(),
        number(Some(end_ms as f64 / 1000.0), 1),
        samples.len().to_string(),
        number(Some(at(&errors, 50)), 1),
        number(Some(at(&errors, 90)), 1),
        number(Some(100.0 * right as f64 / samples.len() as f64), 0),
        number(Some(at(&widths, 50)), 0),
    ])
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Asks the fold at evenly spread moments, from the one on at which enough of the uploads have their outcome.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a run are far below 2^52"
)]
fn samples(events: &[Stamped], end_ms: u64) -> Vec<Sample> {
    let mut progress = Progress::new();
    let mut samples = Vec::new();
    let mut moments: Option<std::iter::Peekable<std::vec::IntoIter<u64>>> = None;
    for event in events {
        while let Some(at_ms) = moments
            .as_mut()
            .and_then(|left| left.next_if(|at| *at < event.at_ms))
        {
            let said = progress
                .eta(at_ms)
                .map(|eta| [eta.low, eta.likely, eta.high].map(|span| span.as_secs_f64() * 1000.0));
            let left = (end_ms - at_ms) as f64;
            samples.push(Sample { left, said });
        }
        progress.apply(event);
        let uploads = progress.uploads();
        if moments.is_none() && is_enough(uploads.settled.total(), uploads.planned) {
            let from = event.at_ms;
            let at = |moment| from + (end_ms - from) * moment / MOMENTS;
            let all: Vec<u64> = (0..MOMENTS).map(at).collect();
            moments = Some(all.into_iter().peekable());
        }
    }
    samples
}

const fn is_enough(settled: u32, planned: u32) -> bool {
    planned > 0 && settled as u64 * 100 >= planned as u64 * FROM as u64
}

/// The events of the one run in a folder of reports.
fn recording(reports: &Path) -> Outcome<Vec<Stamped>> {
    let file = find(reports)?;
    let text = std::fs::read_to_string(file)?;
    let events: Result<Vec<Stamped>, _> = text.lines().map(serde_json::from_str).collect();
    let events = events?;
    match events.last().map(|last| &last.event) {
        Some(Event::RunFinished { exit: 0, .. }) => Ok(events),
        other => Err(format!("the run did not end well: {other:?}").into()),
    }
}

fn find(reports: &Path) -> Outcome<PathBuf> {
    for entry in std::fs::read_dir(reports)? {
        let file = entry?.path().join("events.ndjson");
        if file.is_file() {
            return Ok(file);
        }
    }
    Err(format!("no run was recorded in {}", reports.display()).into())
}
