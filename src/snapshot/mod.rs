//! An instance as read: answers are collected until nothing is missing.
//!
//! ```text
//!   first_asks ─▶ read ─▶ Builder::add ─▶ follow-ups ─▶ … ─▶ missing_pages ─▶ … ─▶ finish ─▶ Inventory
//! ```
//!
//! The engine decides when, how often and how many requests at a time are sent. What this module guards is that a list which
//! came out short never counts as an instance: a plan made on it would create twice what it did not see.

mod builder;
mod folder;
mod former;
mod initial_requests;
mod official;

pub use builder::{Builder, Incomplete, Progress};
pub use folder::{
    AssetBytes, AssetFile, Contents, FileEntry, Flaw, FlawKind, Folder, FolderError, Manifest,
    MissingAsset, PullOutcome, Staging, asset_files, find_folder,
};
pub use former::{Detail, Feed, Former, FormerReads, Kept};
pub use initial_requests::first_asks;
pub use official::{
    Defect, DefectKind, Exported, OfficialFolder, OfficialRow, PairFolders, WriteError, Written,
    official_folder, pairs_of, read_pair, write_pair,
};
