//! `lockgate pull`: reads an instance into a folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use super::args::{AccessArgs, Collected, FileArgs, OutputArgs, SourceArgs};
use super::ends::authorise;
use super::{session, stop, table, wiring};
use crate::agility::Instance;
use crate::config::{Config, OutputMode, Settings};
use crate::domain::{BodyFile, Kind, Locale, shown, time};
use crate::engine::{
    EVENTS_IN_FLIGHT, FetchProgress, KeepError, KeepOptions, Kept, Reader, RunError, Sink,
};
use crate::error::{Error, ExitStatus};
use crate::event::{Event, Side, Stamped};
use crate::progress::Progress;
use crate::report;
use crate::snapshot::{FolderError, Staging};

/// The folder of the official CLI.
pub(super) const DIR: &str = "agility-files";

/// The version of the JSON form.
const FORM: u32 = 1;

/// Between two lines about how far it is.
const BEAT: Duration = Duration::from_secs(2);

/// Assets without bytes that are named.
const NAMED: usize = 20;

/// Reads an instance into a folder: a backup, a state to review in Git, or a source for other commands
///
/// Writes models, containers, templates, galleries, content and pages of every locale, redirections and the files of assets to
/// DIR/GUID, in the layout of the official CLI, with a list of all files and their hashes (lockgate.json). The folder is the
/// former instance until everything has arrived, and the new one from then on; a pull that was interrupted goes on
/// when it is started again. Run again, it writes only files whose content changed, removes those of deleted entities, and
/// fetches only assets with another date, size or URL. Assets whose bytes the instance does not give are named, and end
/// with exit code 1; all others are kept.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate pull --source 1a2b3c4d-u --dir backup
      writes backup/1a2b3c4d-u; `lockgate push --dir backup --target GUID` puts it into an instance
  lockgate pull --source 1a2b3c4d-u && git add agility-files && git diff --cached --stat
      what editors changed since the last commit
  lockgate pull --source 1a2b3c4d-u --dir backup --refetch
      also fetches assets again whose date and size are the same; some servers keep the date of a file that was replaced
  lockgate pull --source 1a2b3c4d-u --quiet --output json
      for a scheduled job: one JSON object with counts, exit code 0 when everything is there")]
pub(super) struct PullArgs {
    /// Folder that gets a folder of the instance
    #[arg(long, value_name = "DIR", default_value = DIR, help_heading = "Folder")]
    dir: PathBuf,
    /// Fetch the bytes of all assets again
    #[arg(long, help_heading = "Folder")]
    refetch: bool,
    /// Locales [default: all of the instance]
    #[arg(
        long,
        alias = "locales",
        value_name = "LOCALE",
        value_delimiter = ',',
        help_heading = "Folder"
    )]
    locale: Vec<String>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    access: AccessArgs,
    /// Maximum number of concurrent requests
    #[arg(long, value_name = "N", help_heading = "Engine")]
    concurrency: Option<String>,
    /// Maximum requests per second [default: adaptive]
    #[arg(long, value_name = "N", help_heading = "Engine")]
    rate: Option<String>,
    /// Seconds until a request must be answered
    #[arg(long, value_name = "SECONDS", help_heading = "Engine")]
    timeout: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl PullArgs {
    /// All layers, these flags on top.
    fn config(&self) -> Result<Config, Error> {
        let collected = self.source.collect(Collected::default());
        let collected = self
            .access
            .collect(collected)
            .list("sync.locales", &self.locale)
            .text("pace.concurrency", self.concurrency.as_ref())
            .text("pace.per_second_max", self.rate.as_ref())
            .text("timeouts.request_s", self.timeout.as_ref());
        let config = self.file.load(self.output.collect(collected))?;
        match config.source_folder()? {
            None => Ok(config),
            Some(folder) => Err(Error::Usage {
                message: format!(
                    "{} is a folder, and a pull reads an instance",
                    folder.display()
                ),
                hint: Some("name the instance with --source GUID".to_owned()),
            }),
        }
    }
}

/// Pulls an instance.
///
/// # Errors
/// [`Error`] when it could not be read or written; the folder is as it was then.
pub(super) async fn run(
    args: &PullArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let settings = args.config()?.settings_of_source()?;
    session::warn(&settings);
    let staging = Staging::begin(&args.dir, &settings.source.guid)?;
    let root = staging.root().to_owned();
    let kept = tokio::select! {
        kept = Box::pin(pulled(&settings, staging, args)) => kept?,
        () = stop::asked() => return Err(Error::Interrupted),
    };
    show(&settings, (&root, &kept), out)?;
    Ok(if kept.missing.is_empty() {
        ExitStatus::Agreed
    } else {
        ExitStatus::Failed
    })
}

async fn pulled(settings: &Settings, staging: Staging, args: &PullArgs) -> Result<Kept, Error> {
    let (events, mut received) = mpsc::channel::<Stamped>(EVENTS_IN_FLIGHT);
    let progress = Arc::new(FetchProgress::default());
    let told = Arc::clone(&progress);
    let working = async move {
        let options = wiring::engine_options(settings);
        let sink = Sink::new(events);
        let instance = Instance::new(wiring::connections(settings).0)?;
        let guid = &settings.source.guid;
        let mut reader = session::reader(&options, instance, guid, Side::Source, &sink);
        // It only saves memory.
        let bodies = tempfile::tempfile_in(&args.dir).ok();
        reader.bodies = bodies.map(|file| Arc::new(BodyFile::new(file)));
        let reader = Arc::new(reader);
        authorise(&reader).await?;
        let locales = locales(&reader, &staging, &settings.sync.locales).await?;
        let how = KeepOptions {
            anew: args.refetch,
            at_once: options.downloads_in_flight(),
            pulled_at: time::now().to_string(),
        };
        let kept = reader.keep(&locales, staging, how, &progress).await;
        kept.map_err(|error| match error {
            KeepError::Pull(error) => RunError::from(error).into(),
            KeepError::Folder(error) => error.into(),
        })
    };
    let telling = async {
        let mut reading = Progress::default();
        let mut beat = tokio::time::interval(BEAT);
        beat.tick().await;
        loop {
            tokio::select! {
                event = received.recv() => match event {
                    Some(Stamped { event: Event::Warned { message }, .. }) => {
                        report::tell(&format!("warning: {message}"));
                    }
                    Some(stamped) => reading.apply(&stamped),
                    None => return,
                },
                _ = beat.tick() => if settings.output.has_lines() {
                    report::tell(&line(&reading, &told));
                }
            }
        }
    };
    tokio::join!(working, telling).0
}

/// How far it is.
fn line(reading: &Progress, fetching: &FetchProgress) -> String {
    let of = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
    let files = of(&fetching.files);
    if files > 0 {
        let (done, bytes) = (of(&fetching.done), report::bytes(of(&fetching.bytes)));
        return format!("fetching assets: {done} of {files} files, {bytes}");
    }
    let read: u32 = reading.reads().values().map(|count| count.read).sum();
    format!("reading the instance: {read} entities")
}

/// The locales to read: those asked for, else all. Those that the folder has and the instance still has are not left out.
async fn locales(
    reader: &Reader<Instance>,
    staging: &Staging,
    asked: &[Locale],
) -> Result<Vec<Locale>, Error> {
    let all = reader.locales().await.map_err(RunError::from)?;
    let list = |locales: &[&Locale]| {
        let codes: Vec<&str> = locales.iter().map(|locale| locale.as_str()).collect();
        codes.join(", ")
    };
    if let Some(wanted) = asked.iter().find(|wanted| !all.contains(wanted)) {
        let known = list(&all.iter().collect::<Vec<_>>());
        let wanted = wanted.clone();
        return Err(RunError::UnknownLocale { wanted, known }.into());
    }
    if asked.is_empty() {
        return Ok(all);
    }
    let former = staging.former().map(|former| former.locales.as_slice());
    let is_left_out = |locale: &&Locale| all.contains(locale) && !asked.contains(locale);
    let left_out = former.unwrap_or_default().iter().filter(is_left_out);
    let left_out: Vec<&Locale> = left_out.collect();
    if left_out.is_empty() {
        let is_asked = |locale: &Locale| asked.contains(locale);
        return Ok(all.into_iter().filter(is_asked).collect());
    }
    let path = staging.root().to_owned();
    let locales = list(&left_out);
    Err(FolderError::Locales { path, locales }.into())
}

/// Says what was done: lines for people, one object for programs.
fn show(
    settings: &Settings,
    (root, kept): (&Path, &Kept),
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let (outcome, inventory) = (&kept.outcome, &kept.inventory);
    if settings.output.mode == OutputMode::Json {
        let counts = Kind::ALL.map(|kind| (kind.name(), inventory.of_kind(kind).len()));
        let counts: serde_json::Map<_, _> = counts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect();
        let summary = json!({
            "form": FORM,
            "instance": inventory.guid,
            "folder": root,
            "locales": inventory.locales,
            "counts": counts,
            "files": {
                "written": outcome.written,
                "removed": outcome.removed,
                "unchanged": outcome.unchanged,
            },
            "assets": {
                "fetched": kept.fetched,
                "fetched_bytes": kept.fetched_bytes,
                "missing": kept.missing,
            },
        });
        table::json_line(&summary, out)?;
        return Ok(out.flush()?);
    }
    for asset in kept.missing.iter().take(NAMED) {
        let (id, why) = (asset.id, shown(&asset.why));
        report::tell(&format!("asset:{id} is missing: {why}"));
    }
    if kept.missing.len() > NAMED {
        let more = kept.missing.len() - NAMED;
        report::tell(&format!(
            "{more} more assets are missing; lockgate.json lists them"
        ));
    }
    if !settings.output.quiet {
        let entities: usize = Kind::ALL
            .map(|kind| inventory.of_kind(kind).len())
            .iter()
            .sum();
        report::tell(&format!(
            "{} is in {}: {} entities; {} files written, {} removed, {} unchanged; {} assets fetched ({})",
            inventory.guid,
            root.display(),
            report::count_of(entities),
            report::count_of(outcome.written),
            report::count_of(outcome.removed),
            report::count_of(outcome.unchanged),
            kept.fetched,
            report::bytes(kept.fetched_bytes),
        ));
    }
    Ok(())
}
