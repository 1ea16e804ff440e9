//! The files of a run.
//!
//! A run's folder holds `events.ndjson`, which grows with the run, and `summary.json`, `report.md` and `report.html`,
//! which appear whole when it is over; `plan.json` and `graph.json` are added by whoever has the plan. The folder is
//! open to its user alone, because names of entities stand in it. Folding the events again gives the progress of
//! the run, so the summary and the reports can be made from them. Beside the folders stands `index.html`, which lists
//! them all, and archives of those that are old.

mod archive;
mod files;
mod find;
mod index;
mod markdown;
mod reporter;
mod summary;
#[cfg(test)]
mod tests;

pub use archive::Keep;
pub(crate) use files::{create_file, write_whole};
pub(crate) use find::{is_run_name, newest, newest_open};
pub use reporter::RunFolder;
