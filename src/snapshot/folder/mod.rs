//! An instance as a folder: written by `lockgate pull`, and a source like the instance itself.
//!
//! The layout is that of the official CLI, with indented JSON so that a version control shows small differences. Beside the
//! data stands a manifest that lists every file with its hash. What it does not prove complete and unaltered is
//! refused: a plan made from half an instance would be wrong.
//!
//! ```text
//!   DIR/GUID/            the instance; its manifest is lockgate.json
//!   DIR/GUID.pull/       only during a pull, or after one was interrupted
//!     lock               held by the process that writes
//!     files/             bytes of assets that have arrived, listed in fetched.ndjson; the next pull uses them
//!     tree/              new and changed files
//!     commit.json        the new manifest: from here on the pull is complete
//! ```
//!
//! Until `commit.json` is durable, `DIR/GUID` is as it was. From then on the new files take their places one by one, and
//! whatever opens the folder next finishes that where it was interrupted.

mod contents;
mod error;
mod layout;
mod manifest;
mod open;
mod staging;

pub use contents::{AssetBytes, Contents};
pub use error::{Flaw, FlawKind, FolderError};
pub use layout::asset_files;
pub use manifest::{AssetFile, FileEntry, Manifest, MissingAsset};
pub use open::{Folder, find_folder};
pub use staging::{Outcome as PullOutcome, Staging};
