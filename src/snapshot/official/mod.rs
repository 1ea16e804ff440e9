//! The mapping folder of the official CLI, in and out.
//!
//! `agility-files/mappings/{source}-{target}` in the working directory holds one JSON array of rows per kind, and per
//! locale for items and pages. Contradictions are ignored: of rows that name one entity twice none
//! is used, because which one is right cannot be known from the files.
//!
//! ```text
//!   read_pair ─▶ OfficialFolder: rows, and defects with file and row
//!   write_pair ◀─ OfficialRow: the same files, with the members that were there before
//! ```

mod contradictions;
mod defect;
mod layout;
mod read;
mod write;

pub use defect::{Defect, DefectKind};
pub use read::{OfficialFolder, OfficialRow, PairFolders, official_folder, pairs_of, read_pair};
pub use write::{Exported, WriteError, Written, write_pair};
