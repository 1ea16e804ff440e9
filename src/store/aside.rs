//! A state that cannot be written to, as a copy in a temporary folder.
//!
//! `SQLite` writes beside a database even to read it, because what is new stands in a log of its own. To look at a state in a
//! folder without the right to write, or on a medium that takes no writes, the database and its log are copied.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::StoreError;
use super::location::beside;

/// The copy, which goes with the folder.
pub(super) struct Aside {
    /// Removed when dropped.
    pub(super) folder: TempDir,
    pub(super) path: PathBuf,
}

/// Copies the state at `path`.
///
/// # Errors
/// [`StoreError::Create`] when it cannot be read, or there is no room for the copy.
pub(super) async fn copy(path: &Path) -> Result<Aside, StoreError> {
    let from = path.to_owned();
    let copying = tokio::task::spawn_blocking(move || copy_now(&from)).await;
    let copied = copying.map_err(io::Error::other).and_then(|copied| copied);
    copied.map_err(|error| StoreError::Create {
        path: path.to_owned(),
        source: Arc::new(error),
    })
}

fn copy_now(from: &Path) -> io::Result<Aside> {
    let folder = TempDir::new()?;
    let path = folder.path().join("state.db");
    for ending in ["", "-wal"] {
        match std::fs::read(beside(from, ending)) {
            Ok(bytes) => std::fs::write(beside(&path, ending), bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && ending == "-wal" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Aside { folder, path })
}
