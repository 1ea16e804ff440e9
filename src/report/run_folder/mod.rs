//! The files of a run.
//!
//! A run's folder holds `events.ndjson` and a log for each lane (`lane-1-independent-entities.ndjson`,
//! `lane-2-batched-content.ndjson`, `lane-3-complex-entities.ndjson`), which grow with the run, and `summary.json`,
//! `report.md` and `report.html`, which appear whole when it is over; `plan.json` and `graph.json` are added by the owner of
//! the plan, as soon as there is one. The folder is open to its user alone, because names of entities stand in it. Folding
//! the events again gives the progress of the run, so the summary and the reports can be made from them. Beside the folders
//! stands `index.html`, which lists them all, and archives of those that are old.

mod archive;
mod files;
mod find;
mod index;
mod lanes;
mod markdown;
mod reporter;
mod running;
mod summary;
#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use crate::domain::{Inventory, Redacting, Screen, SourceId};
use crate::plan::Plan;
use crate::report::graph;

pub use archive::Keep;
pub(crate) use files::write_whole_at;
pub use find::{newest as newest_run, newest_open as newest_unfinished_run};
pub use index::{Recorded, recorded};
pub(crate) use markdown::{grid, inline};
pub use reporter::RunFolder;
pub(crate) use reporter::report_text;
pub use running::is_abandoned;

/// Adds `plan.json` and `graph.json` to the folder of a run. Without a folder nothing is written: then its keeper has
/// reported already that there is none.
///
/// # Errors
/// When a file cannot be written.
pub fn add_plan(folder: &Path, plan: &Plan, source: &Inventory<SourceId>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let open = |name: &str| -> io::Result<_> {
        let file = files::create_file(&folder.join(name))?;
        Ok(Redacting::new(Screen::new(BufWriter::new(file))))
    };
    let mut file = open("plan.json")?;
    graph::write_plan(&mut file, plan, source, None)?;
    file.flush()?;
    let mut file = open("graph.json")?;
    graph::write_graph(&mut file, plan, source)?;
    file.flush()
}
