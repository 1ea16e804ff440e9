//! Lists the runs of a directory for `index.html`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::files::write_whole;
use super::{archive, find};
use crate::domain::{Guid, RunId};
use crate::report::html::{IndexRow, index};

/// Runs that are listed.
const RUNS: usize = 500;

/// A run as its folder has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The run.
    pub run: RunId,
    /// Source and target; `None` when the run ended before it was known, or has no end.
    pub pair: Option<(Guid, Guid)>,
    /// The command; `None` where it was not recorded.
    pub command: Option<String>,
    /// RFC 3339; empty when the run ended before it was known, or has no end.
    pub started_at: String,
    /// Whether it was a rehearsal.
    pub dry_run: bool,
    /// The exit code; `None` when it has no end.
    pub exit: Option<u8>,
    /// How long it took.
    pub elapsed: Duration,
}

/// The runs that have a folder, the newest first, as far as `is_wanted`.
///
/// # Errors
/// When the directory cannot be read. Of a run whose files cannot be understood only the name is known.
pub fn recorded(base: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<Vec<Recorded>> {
    let names = find::folders(base)?.into_iter();
    let rows = names
        .filter(|name| is_wanted(name))
        .map(|name| row(base, name, false));
    let recorded = |row: IndexRow| Recorded {
        run: RunId(row.run),
        pair: row
            .pair
            .map(|(source, target)| (Guid::new(&source), Guid::new(&target))),
        command: row.command,
        started_at: row.started_at,
        dry_run: row.dry_run,
        exit: row.exit,
        elapsed: row.elapsed,
    };
    Ok(rows.map(recorded).collect())
}

/// Writes the page over every run that has a folder or an archive.
///
/// # Errors
/// When the directory cannot be read or written. A run whose files make no sense is listed without details.
pub(crate) fn write_index(base: &Path) -> io::Result<()> {
    let folders = find::folders(base)?;
    let archives = find::archives(base)?;
    let archives = archives.into_iter().filter(|name| !folders.contains(name));
    let mut runs: Vec<(String, bool)> = archives.map(|name| (name, true)).collect();
    runs.extend(folders.iter().map(|name| (name.clone(), false)));
    runs.sort_unstable_by(|left, right| right.cmp(left));
    let rows: Vec<_> = runs
        .into_iter()
        .take(RUNS)
        .map(|(name, archived)| row(base, name, archived))
        .collect();
    write_whole(base, "index.html", index(&rows).as_bytes())
}

fn row(base: &Path, run: String, archived: bool) -> IndexRow {
    let folder = base.join(&run);
    let (text, link) = if archived {
        (
            archived_summary(&archive::path(base, &run)).ok(),
            format!("{run}.tar.gz"),
        )
    } else {
        let page = if folder.join("report.html").exists() {
            format!("{run}/report.html")
        } else {
            format!("{run}/")
        };
        (std::fs::read(folder.join("summary.json")).ok(), page)
    };
    let summary = text
        .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        .unwrap_or_default();
    described(run, &summary, link, archived)
}

/// What the summary says about a run; what it does not say stays empty.
fn described(run: String, summary: &Value, link: String, archived: bool) -> IndexRow {
    let about = &summary["run"];
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let outcomes = &summary["entities"]["outcomes"];
    let count = |name: &str| outcomes[name].as_u64().unwrap_or(0);
    IndexRow {
        run,
        pair: word(&about["source"]).zip(word(&about["target"])),
        started_at: word(&about["started_at"]).unwrap_or_default(),
        dry_run: about["dry_run"] == true,
        command: word(&about["command"]),
        exit: summary["exit"]
            .as_u64()
            .and_then(|exit| exit.try_into().ok()),
        elapsed: Duration::from_millis(summary["elapsed_ms"].as_u64().unwrap_or(0)),
        entities: summary["entities"]["total"].as_u64().unwrap_or(0),
        troubles: count("failed") + count("blocked"),
        success: summary["entities"]["success_rate"].as_f64(),
        link,
        archived,
    }
}

/// The summary, which is the first file of an archive.
fn archived_summary(path: &Path) -> io::Result<Vec<u8>> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path)?));
    let first = archive.entries()?.next();
    let mut first = first.ok_or(io::ErrorKind::UnexpectedEof)??;
    if !first.path()?.ends_with("summary.json") {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut text = Vec::new();
    first.read_to_end(&mut text)?;
    Ok(text)
}
