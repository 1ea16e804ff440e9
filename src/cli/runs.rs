//! `lockgate runs`: what was done here, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::args::{Collected, FileArgs, OutputArgs};
use super::{replay, run_lookup, wiring};
use crate::config::{Config, OutputMode};
use crate::domain::{Guid, Outcome, RunEnd, RunId, shown, shown_lines};
use crate::engine::pace::Learned;
use crate::error::{Error, ExitStatus};
use crate::progress::Progress;
use crate::report::{self, Recorded};
use crate::store::{Pair, RunEntity, RunRecord, Store};

/// Lists, shows, replays or attaches to runs
#[derive(Clone, Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  lockgate runs
  lockgate runs last                   what the latest run said at its end
  lockgate runs show 20260315-101500-3f2a
  lockgate runs replay last --speed 10
  lockgate runs attach                 follows the run that goes on in another terminal"
)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    action: Option<RunsCommand>,
    /// Show this run with what failed in it; `last` is the latest one
    run: Option<String>,
    /// How many runs to list
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

/// What can be done with the recording of a run.
#[derive(Clone, Debug, Subcommand)]
enum RunsCommand {
    Show(ShowArgs),
    Replay(replay::ReplayArgs),
    Attach(replay::AttachArgs),
}

/// Shows a run as it was shown at its end
#[derive(Clone, Debug, Args)]
struct ShowArgs {
    /// The run; `last` is the latest one
    #[arg(default_value = "last")]
    run: String,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

/// How many runs are looked through for undos of one.
const UNDOS: u32 = 1_000;

/// Lists runs, shows one, or plays a recording.
///
/// # Errors
/// [`Error::Usage`] for a run that is not there, [`Error::Store`] when the state cannot be read.
pub(super) async fn run(
    args: &RunsArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    match &args.action {
        Some(RunsCommand::Replay(args)) => replay::replay(args).await,
        Some(RunsCommand::Attach(args)) => replay::attach(args).await,
        Some(RunsCommand::Show(show)) => {
            let config = show.file.load(show.output.collect(Collected::default()))?;
            look(&config, Some(&show.run), 0, out).await
        }
        None => {
            let config = args.file.load(args.output.collect(Collected::default()))?;
            look(&config, args.run.as_deref(), args.limit, out).await
        }
    }
}

/// Lists the latest runs, or shows the one of a name.
async fn look(
    config: &Config,
    name: Option<&str>,
    limit: u32,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let is_json = config.output()?.mode == OutputMode::Json;
    let paths = config.paths()?;
    // Opening would create it, and looking should leave no trace.
    let store = if paths.state.exists().await? {
        Some(Store::open_to_look(&paths.state).await?)
    } else {
        None
    };
    let result = match name {
        Some(name) => show(store.as_ref(), config, name, out).await,
        None => list_all(store.as_ref(), &paths.runs, (limit, is_json), out).await,
    };
    if let Some(store) = store {
        store.close().await;
    }
    result
}

async fn list_all(
    store: Option<&Store>,
    folders: &Path,
    (limit, is_json): (u32, bool),
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let (mut runs, hosts) = match store {
        Some(store) => (store.runs(limit).await?, store.hosts().await?),
        None => (Vec::new(), Hosts::new()),
    };
    // Names begin with the time of the start. What is older than the last of a full list would not be shown.
    let limit = limit.try_into().unwrap_or(usize::MAX);
    let known: BTreeSet<String> = runs.iter().map(|record| record.run.0.clone()).collect();
    let oldest = known.first().filter(|_| known.len() >= limit);
    let is_shown = |name: &str| oldest.is_none_or(|oldest| name > oldest.as_str());
    runs.extend(recorded(folders, |name| {
        is_shown(name) && !known.contains(name)
    })?);
    runs.sort_unstable_by(|one, other| other.run.0.cmp(&one.run.0));
    runs.truncate(limit);
    Ok(list(&runs, &hosts, is_json, out)?)
}

/// Runs of which only a folder is left: demonstrations, rehearsals, and those that ended before the state knew of them.
fn recorded(folders: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<RunRecord>, Error> {
    let recorded = report::recorded(folders, is_wanted).map_err(|source| Error::File {
        path: folders.to_owned(),
        source,
    })?;
    Ok(recorded.into_iter().map(record_of).collect())
}

fn record_of(recorded: Recorded) -> RunRecord {
    let started = recorded.started_at.parse::<Timestamp>();
    let finished = started.ok().filter(|_| recorded.exit.is_some());
    let finished = finished.and_then(|start| start.checked_add(recorded.elapsed).ok());
    let unknown = || (Guid::new("-"), Guid::new("-"));
    let (source, target) = recorded.pair.unwrap_or_else(unknown);
    let command = recorded.command.unwrap_or_else(|| "-".to_owned());
    RunRecord {
        run: recorded.run,
        pair: Pair { source, target },
        command: if recorded.dry_run {
            format!("{command} --dry-run")
        } else {
            command
        },
        options: json!({ "dry_run": recorded.dry_run }),
        started_at: recorded.started_at,
        finished_at: finished.map(|end| end.to_string()),
        exit: recorded.exit,
        end: None,
        counts: None,
    }
}

/// The run of a name, or the latest one that the state has.
async fn find(store: Option<&Store>, folders: &Path, name: &str) -> Result<RunRecord, Error> {
    let known = match store {
        Some(store) => run_lookup::find(store, name, |_| true).await,
        None => Err(run_lookup::no_such_run(name)),
    };
    match known {
        Err(error) => match recorded(folders, |folder| name == "last" || folder == name) {
            Ok(found) => found.into_iter().next().ok_or(error),
            Err(_) => Err(error),
        },
        known => known,
    }
}

async fn show(
    store: Option<&Store>,
    config: &Config,
    name: &str,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let is_json = config.output()?.mode == OutputMode::Json;
    let record = find(store, &config.paths()?.runs, name).await?;
    let entities = match store {
        Some(store) => store.run_entities(&record.run).await?,
        None => Vec::new(),
    };
    let recorded = if is_json {
        None
    } else {
        replay::folded(&config.paths()?.runs, &record.run.0).await
    };
    match &recorded {
        Some(progress) => as_at_its_end(&record, progress, config, out)?,
        None => one(&record, &entities, is_json, out)?,
    }
    if let Some(store) = store.filter(|_| !is_json) {
        for undo in undos_of(&record.run, &store.runs(UNDOS).await?) {
            writeln!(out, "undone by {}: {}", undo.run, ending(undo))?;
        }
        let hosts = store.hosts().await?;
        if !hosts.is_empty() {
            writeln!(out, "\n{}", pace_of(&hosts))?;
        }
    }
    Ok(ExitStatus::Agreed)
}

/// A run with what it said at its end.
fn as_at_its_end(
    record: &RunRecord,
    progress: &Progress,
    config: &Config,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let options = wiring::presentation(&config.output()?, &config.paths()?, &config.host_info());
    writeln!(out, "{}", table(std::slice::from_ref(record)))?;
    Ok(write!(out, "{}", report::result(progress, &options))?)
}

/// Runs that undo `run`, oldest first.
fn undos_of<'a>(run: &'a RunId, runs: &'a [RunRecord]) -> impl Iterator<Item = &'a RunRecord> {
    let undoes = move |record: &&RunRecord| {
        record.command == "undo" && record.options["undone"].as_str() == Some(&run.0)
    };
    runs.iter().rev().filter(undoes)
}

/// What was learned about each host, by name.
type Hosts = BTreeMap<String, Vec<(String, f64)>>;

fn list(
    runs: &[RunRecord],
    hosts: &Hosts,
    is_json: bool,
    out: &mut (dyn Write + Send),
) -> std::io::Result<ExitStatus> {
    if is_json {
        for record in runs {
            writeln!(out, "{}", as_json(record))?;
        }
        for (host, learned) in hosts {
            let learned: BTreeMap<_, _> = learned.iter().cloned().collect();
            writeln!(out, "{}", json!({ "host": host, "learned": learned }))?;
        }
    } else if runs.is_empty() {
        writeln!(out, "no runs yet")?;
    } else {
        writeln!(out, "{}", table(runs))?;
        if !hosts.is_empty() {
            writeln!(out, "\n{}", pace_of(hosts))?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

fn table(runs: &[RunRecord]) -> String {
    // The name of a run says when it started.
    let header = ["run", "command", "source", "target", "took", "exit"];
    let cells = runs.iter().map(|record| {
        [
            record.run.0.clone(),
            record.command.clone(),
            record.pair.source.to_string(),
            record.pair.target.to_string(),
            took(record),
            ending(record),
        ]
    });
    super::table::table(header, cells)
}

/// The pace with which the next run on a host starts: a line for the host, and one for each class of requests.
fn pace_of(hosts: &Hosts) -> String {
    let mut lines = Vec::new();
    for (host, rows) in hosts {
        let learned = Learned::from_rows(rows);
        let limit = learned.per_second.map_or_else(
            || "none observed".to_owned(),
            |limit| format!("{limit:.1}/s"),
        );
        let reached = learned.reached.map(|rate| format!(", {rate:.0}/s reached"));
        let level = learned.level.map(|level| format!(", {level} in flight"));
        let more = [reached, level].map(Option::unwrap_or_default).concat();
        lines.push(format!("pace of {host}: limit {limit}{more}"));
        let mut classes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (class, size) in &learned.windows {
            let told = format!("{size} in flight");
            classes.entry(class.name()).or_default().push(told);
        }
        for (class, ms) in &learned.answers {
            let told = format!("answers in {ms:.0} ms");
            classes.entry(class.name()).or_default().push(told);
        }
        let class = |(name, told): (_, Vec<_>)| format!("  {name}: {}", told.join(", "));
        lines.extend(classes.into_iter().map(class));
    }
    shown_lines(&lines.join("\n")).into_owned()
}

/// The exit code with its meaning. A run without an end still runs or was killed; the state does not show which.
fn ending(record: &RunRecord) -> String {
    match record.exit {
        Some(0) => "0 done".to_owned(),
        Some(1) if record.end == Some(RunEnd::FailFast) => "1 first failure".to_owned(),
        Some(1) if record.end == Some(RunEnd::Stopped) => "1 stopped".to_owned(),
        Some(4) if record.end == Some(RunEnd::LeaseLost) => "4 lease lost".to_owned(),
        Some(70) if record.end == Some(RunEnd::Stalled) => "70 stalled".to_owned(),
        Some(1) => "1 not all done".to_owned(),
        Some(3) => "3 instance error".to_owned(),
        Some(4) => "4 state".to_owned(),
        Some(5) => "5 conflicts".to_owned(),
        Some(70) => "70 bug".to_owned(),
        Some(130) => "130 interrupted".to_owned(),
        Some(other) => other.to_string(),
        None => "no end recorded".to_owned(),
    }
}

fn took(record: &RunRecord) -> String {
    let moment = |text: &str| text.parse::<Timestamp>().ok();
    let start = moment(&record.started_at);
    let end = record.finished_at.as_deref().and_then(moment);
    match (start, end) {
        (Some(start), Some(end)) => {
            let seconds = end.duration_since(start).as_secs();
            format!(
                "{}:{:02}:{:02}",
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60
            )
        }
        (_, _) => "-".to_owned(),
    }
}

fn as_json(record: &RunRecord) -> serde_json::Value {
    json!({
        "run": record.run,
        "command": record.command,
        "source": record.pair.source,
        "target": record.pair.target,
        "options": record.options,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "exit": record.exit,
        "end": record.end,
        "counts": record.counts,
    })
}

fn one(
    record: &RunRecord,
    entities: &[RunEntity],
    is_json: bool,
    out: &mut (dyn Write + Send),
) -> std::io::Result<()> {
    if is_json {
        writeln!(out, "{}", as_json(record))?;
        for entity in entities {
            writeln!(out, "{}", entity_json(entity))?;
        }
        return out.flush();
    }
    writeln!(out, "{}", table(std::slice::from_ref(record)))?;
    writeln!(out, "\n{}", tally(entities))?;
    for entity in entities {
        if let Some(line) = trouble(entity) {
            writeln!(out, "{}", shown(&line))?;
        }
    }
    out.flush()
}

fn entity_json(entity: &RunEntity) -> serde_json::Value {
    let mut line = json!({
        "key": entity.key,
        "name": entity.name,
        "target": entity.target,
        "because": entity.because,
    });
    if let (Some(line), Ok(serde_json::Value::Object(outcome))) =
        (line.as_object_mut(), serde_json::to_value(&entity.outcome))
    {
        line.extend(outcome);
    }
    line
}

/// `3 created, 1 failed`, in the order in which results are listed.
fn tally(entities: &[RunEntity]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entity in entities {
        *counts.entry(entity.outcome.name()).or_default() += 1;
    }
    let parts: Vec<String> = Outcome::NAMES
        .iter()
        .filter_map(|name| {
            let count = counts.get(name)?;
            Some(format!("{} {name}", report::count_of(*count)))
        })
        .collect();
    if parts.is_empty() {
        "no results recorded".to_owned()
    } else {
        parts.join(", ")
    }
}

/// One line about an entity that did not arrive.
fn trouble(entity: &RunEntity) -> Option<String> {
    let about = format!("{} {:?}", entity.key, entity.name);
    match &entity.outcome {
        Outcome::Failed { reason } => Some(format!("failed    {about}: {reason}")),
        Outcome::Blocked { by } => Some(format!("blocked   {about}: by {by}")),
        Outcome::Conflict => Some(format!("conflict  {about}: {}", entity.because)),
        Outcome::LeftAlone => Some(format!("left      {about}: {}", entity.because)),
        Outcome::Kept { reason } => Some(format!("kept      {about}: {reason}")),
        Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EntityKey, Guid, Id, Kind, RunId, TargetId};
    use crate::store::Pair;

    fn record() -> RunRecord {
        RunRecord {
            run: RunId("20260315-101500-3f2a".to_owned()),
            pair: Pair {
                source: Guid::new("1a2b3c4d-u"),
                target: Guid::new("5e6f7a8b-u"),
            },
            command: "sync".to_owned(),
            options: json!({"overwrite": true}),
            started_at: "2026-03-15T10:15:00Z".to_owned(),
            finished_at: Some("2026-03-15T11:16:05Z".to_owned()),
            exit: Some(1),
            end: Some(RunEnd::Complete),
            counts: None,
        }
    }

    fn entity(id: i64, outcome: Outcome) -> RunEntity {
        RunEntity {
            run: record().run,
            key: EntityKey::global(Kind::Model, id),
            name: format!("Model {id}"),
            outcome,
            target: Some(TargetId::new(id + 100)),
            because: "new on the source".to_owned(),
        }
    }

    #[test]
    fn a_run_is_shown_with_what_went_wrong() {
        let entities = [
            entity(1, Outcome::Created),
            entity(
                2,
                Outcome::Failed {
                    reason: "the server said \"no\"".to_owned(),
                },
            ),
            entity(
                3,
                Outcome::Blocked {
                    by: EntityKey::global(Kind::Model, 2),
                },
            ),
        ];
        let mut text = Vec::new();
        one(&record(), &entities, false, &mut text).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        run                   command  source      target      took     exit
        20260315-101500-3f2a  sync     1a2b3c4d-u  5e6f7a8b-u  1:01:05  1 not all done

        1 created, 1 failed, 1 blocked
        failed    model:2 "Model 2": the server said "no"
        blocked   model:3 "Model 3": by model:2
        "#);
        let mut lines = Vec::new();
        one(&record(), &entities[1..2], true, &mut lines).unwrap();
        insta::assert_snapshot!(String::from_utf8(lines).unwrap(), @r#"
        {"run":"20260315-101500-3f2a","command":"sync","source":"1a2b3c4d-u","target":"5e6f7a8b-u","options":{"overwrite":true},"started_at":"2026-03-15T10:15:00Z","finished_at":"2026-03-15T11:16:05Z","exit":1,"end":"complete","counts":null}
        {"key":"model:2","name":"Model 2","target":102,"because":"new on the source","outcome":"failed","reason":"the server said \"no\""}
        "#);
    }

    #[test]
    fn the_list_ends_with_the_pace_that_was_learned() {
        let row = |name: &str, value| (name.to_owned(), value);
        let limited = vec![
            row("answer_ms.read", 43.2),
            row("concurrency.read", 12.0),
            row("concurrency.total", 24.0),
            row("per_second", 19.84),
        ];
        let hosts = Hosts::from([
            ("api.example.test:443".to_owned(), limited),
            (
                "127.0.0.1:80".to_owned(),
                vec![
                    row("concurrency.poll", 3.0),
                    row("reached_per_second", 212.4),
                ],
            ),
        ]);
        let mut text = Vec::new();
        list(&[record()], &hosts, false, &mut text).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r"
        run                   command  source      target      took     exit
        20260315-101500-3f2a  sync     1a2b3c4d-u  5e6f7a8b-u  1:01:05  1 not all done

        pace of 127.0.0.1:80: limit none observed, 212/s reached
          poll: 3 in flight
        pace of api.example.test:443: limit 19.8/s, 24 in flight
          read: 12 in flight, answers in 43 ms
        ");
        let mut lines = Vec::new();
        list(&[], &hosts, true, &mut lines).unwrap();
        assert!(
            String::from_utf8(lines)
                .unwrap()
                .contains(r#"{"host":"127.0.0.1:80","learned":{"concurrency.poll":3.0,"reached_per_second":212.4}}"#)
        );
    }

    /// A line that was wider than a terminal wrapped.
    #[test]
    fn the_list_fits_into_80_columns_and_large_numbers_are_separated() {
        let ends = [0, 1, 3, 4, 5, 70, 130].map(Some);
        let records: Vec<_> = ends
            .into_iter()
            .chain([None])
            .map(|exit| RunRecord { exit, ..record() })
            .collect();
        let list = table(&records);
        assert!(
            list.lines().all(|line| line.chars().count() <= 80),
            "{list}"
        );
        let many: Vec<_> = (0..1_234).map(|id| entity(id, Outcome::Created)).collect();
        assert_eq!(tally(&many), "1,234 created");
    }

    #[test]
    fn a_run_that_was_killed_has_no_end() {
        let killed = RunRecord {
            finished_at: None,
            exit: None,
            ..record()
        };
        assert_eq!(
            (took(&killed), ending(&killed)),
            ("-".to_owned(), "no end recorded".to_owned())
        );
    }
}
