//! What the dashboard costs: the same run with it, in a terminal of its own, and without it, in turn.

use std::path::Path;

use crate::Outcome;
use crate::round::{Round, Screen, Settings};
use crate::table::{Table, number};

/// The columns, explained in `benches/README.md`.
const HEAD: [&str; 9] = [
    "preset",
    "latency ms",
    "limit /s",
    "schedule",
    "pairs",
    "lines s",
    "dashboard s",
    "ratio",
    "noise ± %",
];

/// The table without rows.
pub(crate) fn table() -> Table {
    Table::new(&HEAD, 4)
}

/// Runs so many pairs, and gives their row.
///
/// # Errors
/// When a run cannot be started or does not end well.
pub(crate) async fn row(
    round: &Round,
    settings: &Settings,
    folder: &Path,
    (state, pairs): (&Path, u32),
) -> Outcome<Vec<String>> {
    let (mut lines, mut dashboard) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        for (screen, seconds) in [
            (Screen::Lines, &mut lines),
            (Screen::Dashboard, &mut dashboard),
        ] {
            let folder = folder.join(format!("{}-{pair}", screen.name()));
            std::fs::create_dir_all(&folder)?;
            seconds.push(round.timed(settings, &folder, state, screen).await?);
        }
    }
    let (least, most) = ends(&lines);
    let (lines, dashboard) = (median(lines), median(dashboard));
    Ok(vec![
        round.preset.name().to_owned(),
        round.latency_ms.to_string(),
        round.limit_name(),
        round.schedule.to_owned(),
        pairs.to_string(),
        number(Some(lines), 2),
        number(Some(dashboard), 2),
        number(Some(dashboard / lines), 3),
        number(Some(50.0 * (most - least) / lines), 1),
    ])
}

fn ends(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    (least, most)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
