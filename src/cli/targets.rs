//! Several targets of one command: which of them can be run, what is printed of them together, and the one exit code.

use std::io::Write;

use serde::Serialize;

use super::ends::Ends;
use super::pairs::{self, Ended, Pair};
use super::session::{self, Work};
use super::{run_lookup, table};
use crate::config::{OutputMode, Settings};
use crate::error::{self, Error, ExitStatus};
use crate::event::RunFailure;
use crate::progress::Progress;
use crate::report;
use crate::store::Store;

/// Says once what the user should know about several settings.
pub(super) fn warn(each: &[Settings]) {
    let Some(first) = each.first() else { return };
    let mut all = first.clone();
    for warning in each.iter().flat_map(|settings| &settings.warnings) {
        if !all.warnings.contains(warning) {
            all.warnings.push(warning.clone());
        }
    }
    session::warn(&all);
}

/// Does the same work between the source and each target, side by side.
///
/// # Errors
/// [`Error`] when the state or the source cannot be opened, and as [`pairs::run_each`].
pub(super) async fn run(each: &[Settings], work: &Work) -> Result<Vec<Ended>, Error> {
    let Some(first) = each.first() else {
        return Ok(Vec::new());
    };
    let ends = Ends::of_each(each)?;
    let store = run_lookup::open_or_create(&first.paths).await?;
    carry_out(each.iter().cloned().zip(ends).collect(), store, work).await
}

/// Does the same work for each target, side by side, and closes the store. Targets without a way to them have their error.
///
/// # Errors
/// As [`pairs::run_each`].
pub(super) async fn carry_out(
    each: Vec<(Settings, Result<Ends, Error>)>,
    store: Store,
    work: &Work,
) -> Result<Vec<Ended>, Error> {
    let mut failed = Vec::new();
    let mut ready = Vec::new();
    for (settings, ends) in each {
        match ends {
            Ok(ends) => {
                failed.push(None);
                ready.push(Pair {
                    settings,
                    ends,
                    work: work.clone(),
                });
            }
            Err(error) => failed.push(Some(error)),
        }
    }
    let mut ended = pairs::run_each(ready, store).await?.into_iter();
    let all = failed.into_iter().filter_map(|failed| match failed {
        Some(error) => Some(Ended::before_it_began(error)),
        None => ended.next(),
    });
    Ok(all.collect())
}

/// The outcome of one target.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    guid: &'a str,
    exit: u8,
    created: u32,
    updated: u32,
    in_sync: u32,
    conflicts: u32,
    failed: u32,
    blocked: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RunFailure>,
}

impl<'a> Row<'a> {
    fn of((name, guid): &'a (String, String), ended: &Ended) -> Self {
        let none = Progress::new();
        let progress = ended.progress.as_ref().unwrap_or(&none);
        let total = progress.total();
        Self {
            name,
            guid,
            exit: ended.status().code(),
            created: total.created(),
            updated: total.updated(),
            in_sync: progress.standing().in_sync,
            conflicts: total.conflicts(),
            failed: total.failed(),
            blocked: total.blocked(),
            error: ended.outcome.as_ref().err().map(error::told),
        }
    }

    fn cells(&self) -> [String; 8] {
        let counts = [
            self.created,
            self.updated,
            self.in_sync,
            self.conflicts,
            self.failed,
            self.blocked,
        ];
        let [created, updated, in_sync, conflicts, failed, blocked] =
            counts.map(|count| report::count_of(count as usize));
        let (name, exit) = (self.name.to_owned(), self.exit.to_string());
        [
            name, created, updated, in_sync, conflicts, failed, blocked, exit,
        ]
    }
}

const HEADER: [&str; 8] = [
    "target",
    "created",
    "updated",
    "in sync",
    "conflicts",
    "failed",
    "blocked",
    "exit",
];

/// The last line of several runs for programs.
#[derive(Serialize)]
struct Finished<'a> {
    r#type: &'static str,
    exit: u8,
    targets: Vec<Row<'a>>,
}

/// The result of a command. Of several targets it prints the errors and one table, and the worst status counts.
///
/// # Errors
/// The [`Error`] of the only target; [`Error::Output`] when standard output is closed.
pub(super) fn conclude(
    each: &[Settings],
    mut ended: Vec<Ended>,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    if ended.len() == 1
        && let Some(only) = ended.pop()
    {
        return only.outcome.map(|(status, _)| status);
    }
    for (settings, ended) in each.iter().zip(&ended) {
        if let Err(error) = &ended.outcome {
            complain(settings.target.label(), error)?;
        }
    }
    let Some(first) = each.first() else {
        return Ok(ExitStatus::Agreed);
    };
    let labels: Vec<_> = each
        .iter()
        .map(|settings| &settings.target)
        .map(|target| (target.label().to_owned(), target.guid.to_string()))
        .collect();
    summarise("targets-finished", &labels, &ended, first, out)
}

/// Prints one table of several runs, with the label and the target of each, and gives the worst status. For programs it is
/// one line of this type.
///
/// # Errors
/// [`Error::Output`] when standard output is closed.
pub(super) fn summarise(
    kind: &'static str,
    labels: &[(String, String)],
    ended: &[Ended],
    settings: &Settings,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let statuses = ended.iter().map(Ended::status);
    let worst = statuses.fold(ExitStatus::Agreed, ExitStatus::or);
    let both = labels.iter().zip(ended);
    let rows: Vec<Row<'_>> = both.map(|(label, ended)| Row::of(label, ended)).collect();
    if settings.output.mode == OutputMode::Json {
        let finished = Finished {
            r#type: kind,
            exit: worst.code(),
            targets: rows,
        };
        table::json_line(&finished, out)?;
        out.flush()?;
    } else {
        report::tell(&table::table(HEADER, rows.iter().map(Row::cells)));
    }
    Ok(worst)
}

/// Prints the error of one of several targets.
pub(super) fn complain(label: &str, error: &Error) -> Result<(), Error> {
    let mut text = Vec::new();
    error::print(error, &mut text)?;
    for line in String::from_utf8_lossy(&text).lines() {
        report::tell(&format!("{label}: {line}"));
    }
    Ok(())
}
