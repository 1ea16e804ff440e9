//! `lockgate state`: the state as a whole, wherever it is.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::{Collected, FileArgs, OutputArgs};
use super::run_lookup::{self, named};
use super::{stop, table};
use crate::config::{Config, OutputMode};
use crate::domain::redact_value;
use crate::error::{Error, ExitStatus};
use crate::report;
use crate::store::{HeldLease, SCHEMA_VERSION, StateUrl, Store, Survey};

/// Copies, checks or exports the state: mappings, runs and their outcomes, and what undo needs
///
/// The state is a file by default. A team keeps it on a PostgreSQL server instead, so that runs from several machines share one: see
/// --state.
#[derive(Clone, Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  lockgate state copy .lockgate/state.db 'postgres://ann@db.example/states?sslmode=verify-full'
      moves the state of one machine to a server; the password comes from PGPASSWORD or ~/.pgpass
  lockgate state doctor --json
  lockgate state export | jq 'select(.table == \"runs\")'"
)]
pub(super) struct StateArgs {
    #[command(subcommand)]
    command: StateCommand,
}

/// What can be done with the state.
#[derive(Clone, Debug, Subcommand)]
enum StateCommand {
    /// Copies a state into an empty one and compares what arrived
    ///
    /// Either may be a file or a schema of a server. All rows go in one transaction; then they are read back and compared with what was
    /// read. Refused while a run holds a lock of the state, and where the other one holds anything.
    /// Files of assets that are beside FROM, or on its server, go along: beside TO, or to the place that --blobs or paths.blobs names.
    Copy(CopyArgs),
    /// Reads the whole state and shows what is in it
    ///
    /// Checks the checksum of every mapping, and lists locks, writes with an unknown outcome and the rows of each table. Ends with 4 when
    /// the state is damaged, or it or the place of --blobs cannot be reached and written to.
    Doctor(WholeArgs),
    /// Writes everything that is in the state as JSON, one row a line
    ///
    /// The first line has the version of the schema, and where the bytes of assets are that --blobs or paths.blobs names. These are left
    /// out. A state holds no credentials.
    Export(WholeArgs),
}

/// From where, and where to.
#[derive(Clone, Debug, Args)]
struct CopyArgs {
    /// The state that is read: a path, sqlite:PATH or a PostgreSQL URL
    #[arg(value_name = "FROM")]
    from: String,
    /// The state that is written, which must not hold anything yet
    #[arg(value_name = "TO")]
    to: String,
    /// Where the files of assets go that are beside FROM or on its server, if not beside TO: a path, or the URL of an S3 bucket
    #[arg(long, value_name = "URL")]
    blobs: Option<String>,
}

/// Flags of commands about the state of the workspace.
#[derive(Clone, Debug, Default, Args)]
struct WholeArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl WholeArgs {
    fn config(&self) -> Result<Config, Error> {
        self.file.load(self.output.collect(Collected::default()))
    }
}

/// Carries out a subcommand.
///
/// # Errors
/// [`Error`] when a state cannot be used.
pub(super) async fn run(
    args: StateArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let work = async {
        match args.command {
            StateCommand::Copy(args) => copy(&args, out).await,
            StateCommand::Doctor(args) => doctor(&args.config()?, out).await,
            StateCommand::Export(args) => export(&args.config()?, out).await,
        }
    };
    tokio::select! {
        done = Box::pin(work) => done,
        () = stop::asked() => Err(Error::Interrupted),
    }
}

fn url(name: &str, text: &str) -> Result<StateUrl, Error> {
    StateUrl::parse(text).map_err(|error| Error::Usage {
        message: format!("{name} cannot be used: {error}"),
        hint: Some(
            "name a file, such as .lockgate/state.db, or the URL of a PostgreSQL server".to_owned(),
        ),
    })
}

async fn copy(args: &CopyArgs, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let (from, to) = (url("FROM", &args.from)?, url("TO", &args.to)?);
    let file = FileArgs::of_blobs(args.blobs.clone());
    let blobs = file.load(Collected::default())?.paths()?.blobs;
    let source = run_lookup::open_at(&from).await?;
    let source = source.with_blobs(blobs.as_ref());
    let opened = Store::open(&to).await;
    let opened = opened.map(|target| target.with_blobs(blobs.as_ref()));
    let copied = match &opened {
        Ok(target) => source.copy_into(target).await,
        Err(error) => Err(error.clone()),
    };
    source.close().await;
    if let Ok(target) = opened {
        target.close().await;
    }
    let rows = copied?.into_iter().filter(|table| table.rows > 0);
    let rows = rows.map(|copied| [copied.table, count(copied.rows)]);
    writeln!(out, "{}", table::table(["copied", "rows"], rows))?;
    out.flush()?;
    report::tell(&format!(
        "{} is the same as {}; name it with --state or in paths.state",
        named(&to),
        named(&from)
    ));
    Ok(ExitStatus::Agreed)
}

async fn doctor(config: &Config, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let store = run_lookup::look(config).await?;
    let survey = async {
        store.check_blobs().await?;
        store.survey().await
    };
    let survey = survey.await;
    let blobs = store.blobs();
    store.close().await;
    let (survey, blobs) = (survey?, blobs.unwrap_or_default());
    let place = named(&config.paths()?.state);
    if config.output()?.mode == OutputMode::Json {
        table::json_line(&as_json(&place, &blobs, &survey), out)?;
    } else {
        print(&place, &blobs, &survey, out)?;
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

fn count(number: u64) -> String {
    report::count_of(usize::try_from(number).unwrap_or(usize::MAX))
}

fn as_json(place: &str, blobs: &str, survey: &Survey) -> Value {
    let lease = |held: &HeldLease| {
        json!({
            "source": held.pair.source,
            "target": held.pair.target,
            "run": held.run,
            "owner": held.owner,
            "host": held.host,
            "process": held.process,
            "since": held.since.to_string(),
            "expires": held.expires.to_string(),
            "epoch": held.epoch,
        })
    };
    let tables = survey.tables.iter().map(|(name, held)| {
        let held = json!({ "rows": held.rows, "hash": held.hash.to_string() });
        (name.clone(), held)
    });
    json!({
        "place": place,
        "schema": SCHEMA_VERSION,
        "size_bytes": survey.size_bytes,
        "checked_mappings": survey.checked_mappings,
        "open_intents": survey.open_intents,
        "kept_contents": survey.kept_contents,
        "blobs": blobs,
        "locks": survey.leases.iter().map(lease).collect::<Vec<_>>(),
        "tables": tables.collect::<serde_json::Map<_, _>>(),
    })
}

fn print(
    place: &str,
    blobs: &str,
    survey: &Survey,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let mut rows = vec![
        ["state".to_owned(), place.to_owned()],
        ["schema version".to_owned(), SCHEMA_VERSION.to_string()],
        ["size".to_owned(), report::bytes(survey.size_bytes)],
        [
            "mappings".to_owned(),
            format!("{}, every checksum fits", count(survey.checked_mappings)),
        ],
        [
            "unknown outcome".to_owned(),
            format!(
                "{} writes that the next run of their pair looks up",
                count(survey.open_intents)
            ),
        ],
        [
            "kept files".to_owned(),
            format!("{} in {blobs}", report::count_of(survey.kept_contents)),
        ],
    ];
    for held in &survey.leases {
        let lock = format!(
            "{} to {}: run {} of {} on {}, until {}",
            held.pair.source, held.pair.target, held.run, held.owner, held.host, held.expires
        );
        rows.push(["lock".to_owned(), lock]);
    }
    writeln!(out, "{}\n", table::table(["what", "found"], rows))?;
    let tables = survey
        .tables
        .iter()
        .map(|(name, held)| [name.clone(), count(held.rows)]);
    writeln!(out, "{}", table::table(["table", "rows"], tables))?;
    Ok(())
}

async fn export(config: &Config, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let store = run_lookup::look(config).await?;
    let mut first = json!({ "schema": SCHEMA_VERSION });
    if let Some(blobs) = config.paths()?.blobs {
        first["blobs"] = blobs.to_string().into();
    }
    table::json_line(&first, out)?;
    let written = store.export(|table, mut row| {
        redact_value(&mut row);
        let line = table::json_line(&json!({ "table": table, "row": row }), out);
        line.map_err(Error::from)
    });
    let written = written.await;
    store.close().await;
    written?;
    out.flush()?;
    Ok(ExitStatus::Agreed)
}
