//! The parts of the client that must never be what a run waits for: planning, the id map, the fold of events, the
//! dashboard.
//!
//! Planning is measured in a process of its own per size, so that its peak is not that of what made the instance.

#[path = "../support/memory.rs"]
mod memory;
mod parts;
mod site;
#[path = "../support/table.rs"]
mod table;

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::io::{self, Write};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use lockgate::domain::{Guid, Inventory, TargetId};
use lockgate::plan::{Agreements, Defaults, Inputs, Plan, Selection, Weights, plan};
use tokio::time::Instant;

use crate::site::Site;
use crate::table::{Table, number};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Times planning, the id map, the fold of events and the dashboard
#[derive(Debug, Parser)]
struct Args {
    /// Sizes of the instances that are planned
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "N",
        default_value = "100000,1000000"
    )]
    entities: Vec<usize>,
    /// 100,000 entities only, and a tenth of everything else
    #[arg(long)]
    quick: bool,
    /// Document whose tables get the rows
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// What the items of a prepared instance refer to
    #[arg(long, hide = true, value_enum, default_value_t = Site::Usual)]
    site: Site,
    /// Writes an instance of that size to a file; a step of the measurement
    #[arg(long, hide = true, num_args = 2, value_names = ["N", "FILE"])]
    prepare: Vec<String>,
    /// Plans the instance of a file; a step of the measurement
    #[arg(long, hide = true, value_name = "FILE")]
    measure: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    if let [entities, file] = args.prepare.as_slice() {
        return site::write(args.site, entities.parse()?, Path::new(file));
    }
    if let Some(file) = &args.measure {
        return say(&measure(file)?.join("\t"));
    }
    let sizes = if args.quick {
        &args.entities[..1]
    } else {
        &args.entities
    };
    let mut planning = Table::new(&PLANNING, 2);
    for entities in sizes {
        planning.put(planned(Site::Usual, *entities)?);
    }
    for (site, items) in HARD {
        planning.put(planned(site, items)?);
    }
    let parts = parts::table(if args.quick { 10 } else { 1 })?;
    for (table, name) in [(&planning, "planning"), (&parts, "parts")] {
        say(&table.opening())?;
        for row in &table.rows {
            say(&table::line(row))?;
        }
        say("")?;
        if let Some(document) = &args.write {
            table.keep_in(document, name)?;
        }
    }
    Ok(())
}

/// Instances with cycles that are hard to cut, and how many items they have.
const HARD: [(Site, usize); 2] = [(Site::Tangle, 14_481), (Site::Hub, 10_001)];

/// The columns of the first table.
const PLANNING: [&str; 10] = [
    "site",
    "entities",
    "references",
    "levels",
    "cycles",
    "planning s",
    "planning again s",
    "instance in memory MB",
    "peak MB",
    "peak again MB",
];

/// Makes an instance and plans it, each in a process of its own.
fn planned(site: Site, entities: usize) -> Outcome<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("site.ndjson");
    let own = std::env::current_exe()?;
    let prepared = Command::new(&own)
        .args(["--site", &site.name(), "--prepare", &entities.to_string()])
        .arg(&file)
        .status()?;
    if !prepared.success() {
        return Err(format!("making {entities} entities ended with {prepared}").into());
    }
    let measured = Command::new(&own).arg("--measure").arg(&file).output()?;
    if !measured.status.success() {
        let said = String::from_utf8_lossy(&measured.stderr);
        return Err(format!("planning {entities} entities failed: {said}").into());
    }
    let cells = String::from_utf8(measured.stdout)?;
    let measured = cells.trim().split('\t').map(str::to_owned);
    Ok(iter::once(site.name()).chain(measured).collect())
}

/// Reads an instance and plans it: for an empty target, and for one where everything is in agreement.
#[expect(
    clippy::cast_precision_loss,
    reason = "sizes in bytes are far below 2^52"
)]
fn measure(file: &Path) -> Outcome<Vec<String>> {
    let source = site::read(file)?;
    let own = std::process::id();
    let held = memory::status_bytes(own, "VmRSS:");
    let target = Inventory::<TargetId>::empty(Guid::new("5e6f7a8b-u"));
    let inputs = Inputs {
        source: &source,
        target: &target,
        agreements: &Agreements::new(),
        defaults: &Defaults::default(),
        equal_bytes: &HashSet::new(),
        replaced_bytes: &HashSet::new(),
        doubts: &HashMap::new(),
        disputed: &HashMap::new(),
        hints: &[],
        adopt: lockgate::plan::Adopt::default(),
        locales: &source.locales,
        policies: &lockgate::plan::Policies::default(),
        excluded: &HashMap::new(),
        public: &HashMap::new(),
        selection: &Selection::default(),
        weights: Weights::default(),
        agreed: None,
    };
    let started = Instant::now();
    let first = plan(&inputs);
    let took = started.elapsed();
    let peak = memory::status_bytes(own, "VmHWM:");
    let counts = (first.graph.edges(), first.levels, first.cycles.len());
    let work = writes(&first);
    if work != source.entities().len() {
        return Err(format!("{work} of {} entities are work", source.entities().len()).into());
    }
    let megabytes = |bytes: Option<u64>| number(bytes.map(|bytes| bytes as f64 / 1e6), 0);
    let (target, agreements) = site::arrived(&source, &first);
    drop(first);
    let started = Instant::now();
    let again = plan(&Inputs {
        target: &target,
        agreements: &agreements,
        defaults: &Defaults::of(&agreements, &source),
        ..inputs
    });
    let took_again = started.elapsed();
    let work = writes(&again);
    if work != 0 {
        return Err(format!("{work} entities are work although everything agrees").into());
    }
    Ok(vec![
        source.entities().len().to_string(),
        counts.0.to_string(),
        counts.1.to_string(),
        counts.2.to_string(),
        number(Some(took.as_secs_f64()), 2),
        number(Some(took_again.as_secs_f64()), 2),
        megabytes(held),
        megabytes(peak),
        megabytes(memory::status_bytes(own, "VmHWM:")),
    ])
}

/// How many entities a plan writes.
fn writes(plan: &Plan) -> usize {
    let actions = plan.entities.iter().map(|planned| &planned.action);
    actions.filter(|action| action.is_work()).count()
}

fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}
