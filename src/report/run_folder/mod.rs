//! The files of a run.
//!
//! A run's folder holds `events.ndjson`, which grows with the run, and `summary.json` and `report.md`, which appear whole
//! when it is over. The folder is open to its user alone, because names of entities stand in it. Folding
//! the events again gives the progress of the run, so the other two files can be made from the first.

mod files;
mod markdown;
mod reporter;
mod summary;

pub use reporter::RunFolder;
