//! A whole run against the mock server, timed against the least time that it could take.
//!
//! Server and client are processes of their own, so that the client's memory and processor time are its own. Every
//! combination starts from an empty target, runs twice, and is judged by the server's request log and not by what the
//! client says of itself. See `benches/README.md` for the columns and for how the bound is computed.

mod asset;
mod bound;
#[path = "../support/memory.rs"]
mod memory;
mod process;
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
use lockgate::mock::generate::Preset;

use crate::round::{Round, Settings};
use crate::work::Work;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Times whole runs between two mock instances
#[derive(Debug, Parser)]
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
    #[arg(long, value_name = "N", default_value_t = 16)]
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
    /// Document whose table gets the rows
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Program to measure instead of the one that was built along
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

fn preset(name: &str) -> Result<Preset, String> {
    let known = Preset::named(name).filter(|preset| *preset != Preset::Million);
    known.ok_or_else(|| "no such size: small, medium, large or all".to_owned())
}

impl Args {
    /// Every combination that was asked for, sizes first.
    fn rounds(&self) -> Vec<Round> {
        let presets = self.chosen(
            &self.preset,
            &[Preset::Small],
            &[Preset::Small, Preset::Medium, Preset::Large, Preset::All],
        );
        let latencies = self.chosen(&self.latency_ms, &[20, 100], &[20, 100]);
        let latencies = if self.quick {
            &latencies[..1]
        } else {
            &latencies
        };
        let limits = self.limits();
        let schedules: &[&str] = match (self.schedule, self.quick) {
            (Some(Schedules::Pipelined), _) | (None, true) => &["pipelined"],
            (Some(Schedules::Phased), _) => &["phased"],
            (Some(Schedules::Both) | None, _) => &["pipelined", "phased"],
        };
        let mut rounds = Vec::new();
        for preset in presets {
            for latency_ms in latencies {
                for limit in &limits {
                    rounds.extend(schedules.iter().map(|schedule| Round {
                        preset,
                        latency_ms: *latency_ms,
                        limit: *limit,
                        schedule,
                    }));
                }
            }
        }
        rounds
    }

    fn limits(&self) -> Vec<Option<u32>> {
        match (self.limit.is_empty(), self.quick, self.full) {
            (false, ..) => self.limit.iter().map(|limit| limit.0).collect(),
            (true, true, _) => vec![None],
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
        item_ms: args.item_ms,
        concurrency: args.concurrency,
    };
    if !args.asset_mb.is_empty() {
        return assets(&args, &settings, folder).await;
    }
    let mut table = row::table();
    say(&table.opening())?;
    let mut work: Option<(Preset, PathBuf, Work)> = None;
    for round in args.rounds() {
        if work
            .as_ref()
            .is_none_or(|(preset, ..)| *preset != round.preset)
        {
            work = Some(prepare(&settings, folder, round.preset).await?);
        }
        let Some((_, state, work)) = &work else {
            continue;
        };
        let measured = round.run(&settings, folder, state).await?;
        let row = row::row(&round, &settings, work, &measured);
        say(&table::line(&row))?;
        table.put(row);
        if let Some(document) = &args.write {
            table.keep_in(document, "crossing")?;
        }
    }
    Ok(())
}

/// Moves assets of the sizes that were asked for, one after another.
async fn assets(args: &Args, settings: &Settings, folder: &Path) -> Outcome<()> {
    let mut table = asset::table();
    say(&table.opening())?;
    for megabytes in &args.asset_mb {
        let row = asset::row(settings, folder, *megabytes).await?;
        say(&table::line(&row))?;
        table.put(row);
    }
    if let Some(document) = &args.write {
        table.keep_in(document, "assets")?;
    }
    Ok(())
}

/// The source instance of a size: its state file, and the work that it is.
async fn prepare(
    settings: &Settings,
    folder: &Path,
    preset: Preset,
) -> Outcome<(Preset, PathBuf, Work)> {
    std::fs::create_dir_all(folder)?;
    let state = folder.join(format!("{}.json", preset.name()));
    settings.generate(preset, &state).await?;
    let work = Work::of(&state).await?;
    Ok((preset, state, work))
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
