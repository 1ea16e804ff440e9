//! A whole run against the mock server, timed against the least time that it could take.
//!
//! Server and client are processes of their own, so that the client's memory and processor time are its own. Every
//! combination starts from an empty target, runs twice, and is judged by the server's request log and not by what the
//! client says of itself. See `benches/README.md` for the columns and for how the bound is computed.

mod asset;
mod bound;
mod dashboard;
mod eta;
#[path = "../support/memory.rs"]
mod memory;
mod process;
mod promotion;
mod requests;
mod round;
mod row;
#[path = "../support/table.rs"]
mod table;
mod work;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use lockgate::mock::Profile;
use lockgate::mock::generate::Preset;

use crate::round::{Round, Screen, Settings};
use crate::table::Table;
use crate::work::Work;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Times whole runs between two mock instances
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one switch per flag")]
struct Args {
    /// Sizes: small, medium, large, all
    #[arg(long, value_delimiter = ',', value_parser = preset)]
    preset: Vec<Preset>,
    /// Milliseconds that the server waits before each answer
    #[arg(long, value_delimiter = ',', value_name = "MS")]
    latency_ms: Vec<u32>,
    /// Requests that the server admits per second, or none
    #[arg(long, value_delimiter = ',', value_name = "REQUESTS")]
    limit: Vec<Limit>,
    /// Milliseconds that the server's batch worker takes for each item
    #[arg(long, value_name = "MS", default_value_t = 5)]
    item_ms: u32,
    /// When an entity may start
    #[arg(long, value_enum)]
    schedule: Option<Schedules>,
    /// Requests that the client may have in flight per instance
    #[arg(long, value_name = "N", default_value_t = 64)]
    concurrency: u32,
    /// Instead of instances: single assets of so many megabytes, to see that bytes pass and are not held
    #[arg(long, value_delimiter = ',', value_name = "MB")]
    asset_mb: Vec<u64>,
    /// One combination, to see whether everything works
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Every size, latency and limit; takes hours
    #[arg(long)]
    full: bool,
    /// Measure how right the estimates of the time left are, instead of the time; all sizes by default
    #[arg(long)]
    eta: bool,
    /// Measure what the dashboard costs, instead of the bound: so many runs with it and without it, in turn
    #[arg(long, value_name = "PAIRS", num_args = 0..=1, default_missing_value = "3", conflicts_with = "eta", value_parser = clap::value_parser!(u32).range(1..))]
    dashboard: Option<u32>,
    /// Measure a promotion after the first instead: this share of the items was edited, in per cent; size all by default
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "1", conflicts_with_all = ["eta", "dashboard", "asset_mb", "profile"], value_parser = clap::value_parser!(u32).range(1..=50))]
    edited: Option<u32>,
    /// Document whose table gets the rows
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Servers of a known character instead of a limit and a worker: their names as `lockgate mock serve --profile` takes
    /// them, or all. At 20 ms of latency by default
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = profiles, conflicts_with_all = ["limit", "item_ms", "dashboard", "asset_mb"])]
    profile: Vec<Profiles>,
    /// What the table of profiles calls the program that is measured
    #[arg(long, value_name = "WORD", default_value = "this")]
    client: String,
    /// Program to measure instead of the one that was built along, which is the server all the same
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Folder that keeps the state, logs and reports of every round; must not exist
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// A limit of requests per second; `None` admits everything.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<u32>);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "none" => Ok(Self(None)),
            Ok(limit) if limit > 0 => Ok(Self(Some(limit))),
            _ => Err("neither a number of requests above 0 nor none".to_owned()),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Schedules {
    Pipelined,
    Phased,
    Both,
}

/// Profiles that one word names.
#[derive(Clone, Debug)]
struct Profiles(Vec<Profile>);

fn profiles(name: &str) -> Result<Profiles, String> {
    if name == "all" {
        return Ok(Profiles(Profile::EVERY.to_vec()));
    }
    let one: Profile = name.parse().map_err(|error| format!("{error}, or all"))?;
    Ok(Profiles(vec![one]))
}

fn preset(name: &str) -> Result<Preset, String> {
    let known = Preset::named(name).filter(|preset| *preset != Preset::Million);
    known.ok_or_else(|| "no such size: small, medium, large or all".to_owned())
}

impl Args {
    /// Every combination that was asked for, sizes first.
    fn rounds(&self) -> Vec<Round> {
        let all = [Preset::Small, Preset::Medium, Preset::Large, Preset::All];
        let few = match (self.eta, self.edited) {
            (true, _) => &all[..],
            (false, Some(_)) => &all[3..],
            (false, None) => &all[..1],
        };
        let presets = self.chosen(&self.preset, few, &all);
        let latencies = self.chosen(&self.latency_ms, &[20, 100], &[20, 100]);
        let is_short = self.quick
            || self.has_profile() && self.latency_ms.is_empty()
            || self.is_other() && self.latency_ms.is_empty() && !self.full;
        let latencies = if is_short {
            &latencies[..1]
        } else {
            &latencies
        };
        let limits = self.limits();
        let schedules: &[&str] = match (self.schedule, self.quick || self.is_other()) {
            (Some(Schedules::Pipelined), _) | (None, true) => &["pipelined"],
            (Some(Schedules::Phased), _) => &["phased"],
            (Some(Schedules::Both) | None, _) => &["pipelined", "phased"],
        };
        let named = self.profile.iter().flat_map(|named| &named.0);
        let mut profiles: Vec<Option<Profile>> = named.copied().map(Some).collect();
        if profiles.is_empty() {
            profiles.push(None);
        }
        let mut rounds = Vec::new();
        for preset in presets {
            for latency_ms in latencies {
                for limit in &limits {
                    for profile in &profiles {
                        rounds.extend(schedules.iter().map(|schedule| Round {
                            preset,
                            profile: *profile,
                            latency_ms: *latency_ms,
                            limit: *limit,
                            schedule,
                        }));
                    }
                }
            }
        }
        rounds
    }

    const fn has_profile(&self) -> bool {
        !self.profile.is_empty()
    }

    /// Whether something else than the bound is measured.
    const fn is_other(&self) -> bool {
        self.eta || self.dashboard.is_some() || self.edited.is_some()
    }

    fn limits(&self) -> Vec<Option<u32>> {
        let is_quick =
            self.quick || self.dashboard.is_some() || self.edited.is_some() || self.has_profile();
        match (self.limit.is_empty(), is_quick, self.full) {
            (false, ..) => self.limit.iter().map(|limit| limit.0).collect(),
            (true, true, _) => vec![None],
            (true, ..) if self.eta => vec![Some(100)],
            (true, _, true) => vec![Some(20), Some(100), None],
            (true, ..) => vec![Some(100), None],
        }
    }

    fn chosen<T: Copy>(&self, given: &[T], few: &[T], all: &[T]) -> Vec<T> {
        match (given.is_empty(), self.full) {
            (false, _) => given.to_vec(),
            (true, true) => all.to_vec(),
            (true, false) => few.to_vec(),
        }
    }

    /// Absolute, because the client runs in a folder of its own.
    fn binary(&self) -> io::Result<PathBuf> {
        let built = Path::new(env!("CARGO_BIN_EXE_lockgate"));
        std::path::absolute(self.binary.as_deref().unwrap_or(built))
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(folder.path());
    let settings = Settings {
        binary: args.binary()?,
        server: std::path::absolute(env!("CARGO_BIN_EXE_lockgate"))?,
        client: args.client.clone(),
        item_ms: args.item_ms,
        concurrency: args.concurrency,
    };
    if let Some(percent) = args.edited {
        return promotions(&args, &settings, folder, percent).await;
    }
    match args.dashboard {
        Some(pairs) => dashboards(&args, &settings, folder, pairs).await,
        None if args.eta => estimates(&args, &settings, folder).await,
        None if !args.asset_mb.is_empty() => assets(&args, &settings, folder).await,
        None => crossings(&args, &settings, folder).await,
    }
}

/// Whole runs, each with the run after it.
async fn crossings(args: &Args, settings: &Settings, folder: &Path) -> Outcome<()> {
    let mut rows = if args.has_profile() {
        Rows::new(args, row::profile_table(), "profiles")?
    } else {
        Rows::new(args, row::table(), "crossing")?
    };
    let mut work: Option<(Preset, PathBuf, Work)> = None;
    for round in args.rounds() {
        if work
            .as_ref()
            .is_none_or(|(preset, ..)| *preset != round.preset)
        {
            work = Some(prepare(settings, folder, round.preset).await?);
        }
        let Some((_, state, work)) = &work else {
            continue;
        };
        let measured = round.run(settings, folder, state).await?;
        rows.put(match round.profile {
            Some(_) => row::profile_row(&round, settings, work, &measured),
            None => row::row(&round, settings, work, &measured),
        })?;
    }
    Ok(())
}

/// Runs with and without the dashboard.
async fn dashboards(args: &Args, settings: &Settings, folder: &Path, pairs: u32) -> Outcome<()> {
    let mut rows = Rows::new(args, dashboard::table(), "dashboard")?;
    for round in args.rounds() {
        let state = generated(settings, folder, round.preset).await?;
        rows.put(dashboard::row(&round, settings, folder, (&state, pairs)).await?)?;
    }
    Ok(())
}

/// Promotions after the first, of which so many per cent of the items were edited.
async fn promotions(args: &Args, settings: &Settings, folder: &Path, percent: u32) -> Outcome<()> {
    let mut rows = Rows::new(args, promotion::table(), "promotions")?;
    for round in args.rounds() {
        let state = generated(settings, folder, round.preset).await?;
        let measured = promotion::rows(&round, settings, folder, (&state, percent)).await?;
        for row in measured {
            rows.put(row)?;
        }
    }
    Ok(())
}

/// The state file of a size, made when it is not there.
async fn generated(settings: &Settings, folder: &Path, preset: Preset) -> Outcome<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let state = folder.join(format!("{}.json", preset.name()));
    if !state.exists() {
        settings.generate(preset, &state).await?;
    }
    Ok(state)
}

/// Runs whose estimates are compared with what was left indeed.
async fn estimates(args: &Args, settings: &Settings, folder: &Path) -> Outcome<()> {
    let mut rows = Rows::new(args, eta::table(), "eta")?;
    for round in args.rounds() {
        let state = generated(settings, folder, round.preset).await?;
        let reports = round
            .record(settings, folder, &state, Screen::Lines)
            .await?;
        rows.put(eta::row(&round, &reports)?)?;
    }
    Ok(())
}

/// Rows that are printed, and kept in the document, as they come.
struct Rows<'a> {
    table: Table,
    document: Option<(&'a Path, &'static str)>,
}

impl<'a> Rows<'a> {
    fn new(args: &'a Args, table: Table, name: &'static str) -> Outcome<Self> {
        say(&table.opening())?;
        let document = args.write.as_deref().map(|path| (path, name));
        Ok(Self { table, document })
    }

    fn put(&mut self, row: Vec<String>) -> Outcome<()> {
        say(&table::line(&row))?;
        self.table.put(row);
        if let Some((document, name)) = self.document {
            self.table.keep_in(document, name)?;
        }
        Ok(())
    }
}

/// Moves assets of the sizes that were asked for, one after another.
async fn assets(args: &Args, settings: &Settings, folder: &Path) -> Outcome<()> {
    let mut rows = Rows::new(args, asset::table(), "assets")?;
    for megabytes in &args.asset_mb {
        rows.put(asset::row(settings, folder, *megabytes).await?)?;
    }
    Ok(())
}

/// The source instance of a size: its state file, and the work that it is.
async fn prepare(
    settings: &Settings,
    folder: &Path,
    preset: Preset,
) -> Outcome<(Preset, PathBuf, Work)> {
    let state = generated(settings, folder, preset).await?;
    let work = Work::of(&state).await?;
    Ok((preset, state, work))
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
