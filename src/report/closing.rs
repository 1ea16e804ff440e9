//! What is said when a run is over.

use std::io::{self, Write};

use super::advice::{self, CauseSummary};
use super::note::counted_entities;
use super::table::{self, Results};
use super::text::{self, count, counted};
use super::{Detail, Style, lists};
use crate::domain::{RunEnd, shown_lines, shown_name};
use crate::progress::{Example, List, Progress, Verification};

/// Causes of failure that are listed; the report has all.
const CAUSES: usize = 10;

/// Writes how a run ended. A run that ended before its plan has nothing to report but its error, and its caller reports
/// that.
pub(crate) fn write(out: &mut dyn Write, progress: &Progress, style: &Style) -> io::Result<()> {
    let is_told_elsewhere = matches!(progress.exit(), Some(2 | 3 | 4 | 70 | 130));
    if is_told_elsewhere && progress.planned().is_none() {
        return Ok(());
    }
    if style.detail == Detail::Ends {
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
    if let Some(results) = Results::of(progress) {
        append!(text, "\n{}\n", table::outcomes(&results, style.ascii));
    }
    text += &by_cause("Failures by cause", &advice::failures(progress));
    text += &blocked(progress);
    for list in List::ALL {
        text += &match list {
            List::Unpublished => by_cause(lists::title(list), &advice::unpublished(progress)),
            // As a rule most of a run; the report has them.
            List::Created => continue,
            _ => named(progress, list),
        };
    }
    if let Some(drafts) = drafts(progress) {
        append!(text, "\n{drafts}\n");
    }
    if let Some(next) = advice::after(progress) {
        append!(text, "\nnext: {next}\n");
    }
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
    let left = progress.remaining();
    let all = match total.total() + left {
        0 => standing.in_scope,
        all => all,
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
    if let Some(all) = progress.publishing() {
        for (number, what) in [
            (all.published, "published"),
            (all.unpublished, "unpublished"),
            (all.refused, "not published"),
            (all.held_back, "held back"),
        ] {
            if number > 0 {
                append!(line, ", {} {what}", count(number));
            }
        }
    }
    if left > 0 {
        append!(line, ", {} not processed", count(left));
    }
    if let Some(verification) = progress.verification() {
        append!(line, ", {}", verified(verification, standing.in_scope));
    }
    line
}

/// What stays a draft although the source has it published, and what publishes it.
pub(crate) fn drafts(progress: &Progress) -> Option<String> {
    let drafts = progress.publishing()?.drafts;
    let stay = match drafts {
        0 => return None,
        1 => "stays a draft",
        _ => "stay drafts",
    };
    Some(format!(
        "{} that the source has published {stay} on the target; --publish publishes them",
        counted_entities(drafts)
    ))
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
        3 => "an instance is unreachable, refuses access or answers with an error",
        4 => "the state is locked or damaged",
        5 => "conflicts were skipped",
        70 => "a bug in lockgate",
        130 => "interrupted",
        _ => "unknown",
    }
}

fn by_cause(head: &str, causes: &[CauseSummary<'_>]) -> String {
    if causes.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{head}\n");
    for told in causes.iter().take(CAUSES) {
        let (number, title, code) = (count(told.cause.count), &told.title, told.code);
        append!(text, "{number:>7}  {title} [{code}]\n");
        append!(text, "{:9}{}\n", "", in_words(&told.cause.examples[0]));
        if let Some(more) = told.more() {
            append!(text, "{:9}{more}\n", "");
        }
        append!(text, "{:9}next: {}\n", "", told.next);
    }
    if causes.len() > CAUSES {
        let more = causes.len() - CAUSES;
        append!(text, "{:9}and {more} more causes\n", "");
    }
    text
}

/// The first entities of a list, by name.
fn named(progress: &Progress, list: List) -> String {
    let entities = lists::named(progress, list);
    if entities.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", lists::title(list));
    for entity in entities {
        append!(text, "{:9}{}\n", "", lists::row(entity, list));
    }
    if let Some(more) = lists::more(progress, list) {
        append!(text, "{:9}{more}\n", "");
    }
    text
}

/// An entity and why it failed, in full.
fn in_words(example: &Example) -> String {
    let name = shown_name(&example.name);
    let reason = text::clean(&example.reason);
    format!("{} \"{name}\": {reason}", example.key)
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
