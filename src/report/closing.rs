//! What is said when a run is over.

use std::io::{self, Write};

use super::advice::{Advice, UNPUBLISHED, advice};
use super::note::counted_entities;
use super::text::{self, count, counted};
use super::{Detail, Style, table};
use crate::domain::{RunEnd, shown_lines};
use crate::progress::{Cause, Progress, Verification};

/// Causes of failure that are told; the report has all.
const CAUSES: usize = 10;

/// Examples of a cause that are told.
const EXAMPLES: usize = 3;

/// Writes how a run ended. A run that ended before its plan has nothing to tell but its error, and who started it
/// tells that.
pub(crate) fn write(out: &mut dyn Write, progress: &Progress, style: &Style) -> io::Result<()> {
    let is_told_elsewhere = matches!(progress.exit(), Some(2 | 3 | 4 | 70 | 130));
    if is_told_elsewhere && progress.planned().is_none() {
        return Ok(());
    }
    if style.detail != Detail::Quiet {
        writeln!(out, "{}", shown_lines(&result(progress, style)))?;
    }
    writeln!(out, "{}", line(progress))
}

/// The result of a run: the table, failures by cause with the next step, and where the report is. Without the
/// closing line; every line ends in a line end.
pub(crate) fn result(progress: &Progress, style: &Style) -> String {
    let mut text = String::new();
    if progress.total().total() > 0 {
        append!(text, "\n{}\n", table::outcomes(progress, style.ascii));
    }
    text += &failures(progress);
    text += &unpublished(progress);
    text += &blocked(progress);
    if let Some(path) = report_path(progress, style) {
        append!(text, "\nReport: {path}\n");
    }
    if style.ascii {
        text = text.replace('…', "...");
    }
    text
}

/// The last line of a run, without a line end: how it ended, what was reached, how long it took.
pub(crate) fn line(progress: &Progress) -> String {
    let end = match progress.exit() {
        None => "interrupted (no result recorded)".to_owned(),
        Some(0) => "done".to_owned(),
        Some(exit) => format!("{} (exit code {exit})", end_words(progress.end(), exit)),
    };
    let took = text::took(progress.elapsed(progress.last_at_ms()));
    let total = progress.total();
    let standing = progress.standing();
    let all = if total.total() == 0 {
        standing.in_scope
    } else {
        total.total()
    };
    let mut line = format!("{end} in {took}: {}", counted_entities(all));
    if let Some(rate) = standing.rate() {
        let in_sync = count(standing.in_sync);
        append!(line, ", {in_sync} in sync ({})", text::share(rate));
    }
    let rare = [
        (standing.not_verified, "written and not verified"),
        (standing.owed, "different"),
        (standing.left_alone, "left alone"),
        (total.failed(), "failed"),
        (total.blocked(), "blocked"),
        (total.conflicts(), "in conflict"),
    ];
    for (number, what) in rare {
        if number > 0 {
            append!(line, ", {} {what}", count(number));
        }
    }
    if let Some(refused) = progress.publishing().map(|all| all.refused)
        && refused > 0
    {
        append!(line, ", {} not published", count(refused));
    }
    let uploads = progress.uploads();
    let left = uploads.waiting + uploads.in_flight;
    if left > 0 {
        append!(line, ", {} not processed", count(left));
    }
    if let Some(verification) = progress.verification() {
        append!(line, ", {}", verified(verification, standing.in_scope));
    }
    line
}

/// What the verification found, and of how many where that is not all.
fn verified(verification: &Verification, in_scope: u32) -> String {
    let found = counted(verification.differences, "difference");
    let of = if verification.checked < in_scope {
        format!(" of {}:", count(verification.checked))
    } else {
        String::new()
    };
    if verification.finished {
        format!("verification{of} {found}")
    } else {
        format!("verification unfinished: {found}")
    }
}

/// How a run ended: by its cause where that says more than the exit code.
pub(crate) const fn end_words(end: Option<RunEnd>, exit: u8) -> &'static str {
    match (end, exit) {
        (Some(RunEnd::FailFast), 1) => "the first failure ended it",
        (Some(RunEnd::Stopped), 1) => "stopped before its end",
        (Some(RunEnd::LeaseLost), 4) => "lease lost: another run may work on these instances",
        (Some(RunEnd::Stalled), 70) => "stalled, a bug of lockgate",
        (
            None
            | Some(
                RunEnd::Complete
                | RunEnd::FailFast
                | RunEnd::Stopped
                | RunEnd::Interrupted
                | RunEnd::LeaseLost
                | RunEnd::Stalled,
            ),
            _,
        ) => exit_words(exit),
    }
}

/// What an exit code means.
pub(crate) const fn exit_words(exit: u8) -> &'static str {
    match exit {
        0 => "done",
        1 => "entities failed, were blocked or differ",
        2 => "usage or configuration",
        3 => "an instance is unreachable or refuses access",
        4 => "the state is locked or damaged",
        5 => "conflicts were skipped",
        70 => "a bug in lockgate",
        130 => "interrupted",
        _ => "unknown",
    }
}

fn failures(progress: &Progress) -> String {
    by_cause("\nFailures by cause\n", progress.causes(), |cause| {
        advice(cause.failure)
    })
}

fn unpublished(progress: &Progress) -> String {
    let causes = progress.unpublished();
    by_cause("\nSaved and not published, by cause\n", causes, |_| {
        UNPUBLISHED
    })
}

fn by_cause(head: &str, causes: &[Cause], advice: impl Fn(&Cause) -> Advice) -> String {
    if causes.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<_> = causes.iter().collect();
    sorted.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    let mut text = head.to_owned();
    for cause in sorted.iter().take(CAUSES) {
        let reason = text::short(&cause.text, 160);
        append!(text, "{:>7}  {reason}\n", count(cause.count));
        let keys = cause.examples.iter().take(EXAMPLES);
        let mut keys: Vec<_> = keys.map(|example| example.key.to_string()).collect();
        if cause.count as usize > keys.len() {
            keys.push("…".to_owned());
        }
        append!(text, "{:9}{}\n", "", keys.join(", "));
        let advice = advice(cause);
        append!(text, "{:9}next: {} [{}]\n", "", advice.next, advice.code);
    }
    if sorted.len() > CAUSES {
        let more = sorted.len() - CAUSES;
        append!(text, "{:9}and {more} more causes\n", "");
    }
    text
}

fn blocked(progress: &Progress) -> String {
    let mut roots: Vec<_> = progress.blocked_by().iter().collect();
    if roots.is_empty() {
        return String::new();
    }
    roots.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    let mut text = "\nBlocked by failed dependencies\n".to_owned();
    for (root, number) in roots.iter().take(CAUSES) {
        append!(text, "{:>7}  by {root}\n", count(**number));
    }
    if roots.len() > CAUSES {
        append!(text, "{:9}and by {} more\n", "", roots.len() - CAUSES);
    }
    text
}

/// Where the report of the run is, if there is one.
fn report_path(progress: &Progress, style: &Style) -> Option<String> {
    let folder = style.run_dir.as_ref()?.join(&progress.run()?.id.0);
    let report = folder.join("report.html");
    report.is_file().then(|| report.display().to_string())
}
