//! Turns old run folders into archives.
//!
//! A folder goes only after its archive is durable under its final name, so being stopped in between leaves both, and
//! the next time the folder goes. A run without a summary may still be in progress; it counts as over when nothing was
//! written to its events for a day.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};

use super::find;

/// Which run folders stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How many, the newest first.
    pub runs: usize,
    /// For how many days at most.
    pub days: u32,
}

/// Silence after which a run without an end counts as over.
const SILENCE: SignedDuration = SignedDuration::from_hours(24);

/// Archives what is too old or too much as seen from `now`.
///
/// # Errors
/// When a folder cannot be read, or its archive not be written; then the folder stays.
pub(crate) fn archive_old(base: &Path, keep: Keep, now: Timestamp) -> io::Result<()> {
    let age = SignedDuration::from_hours(24 * i64::from(keep.days));
    for (place, name) in find::folders(base)?.into_iter().enumerate() {
        let folder = base.join(&name);
        let too_old = last_written(&folder).is_some_and(|written| now - age > written);
        if (place >= keep.runs || too_old) && is_over(&folder, now) {
            archive(base, &name, &folder)?;
        }
    }
    Ok(())
}

fn is_over(folder: &Path, now: Timestamp) -> bool {
    folder.join("summary.json").exists()
        || last_written(folder).is_some_and(|written| now - SILENCE > written)
}

/// When the events of a run were last written to; `None` when it has none.
fn last_written(folder: &Path) -> Option<Timestamp> {
    let written = folder.join("events.ndjson").metadata().ok()?.modified();
    written.ok()?.try_into().ok()
}

/// Where the archive of a run stands.
pub(super) fn path(base: &Path, name: &str) -> PathBuf {
    base.join(format!("{name}.tar.gz"))
}

fn archive(base: &Path, name: &str, folder: &Path) -> io::Result<()> {
    let path = path(base, name);
    // An archive has its name only once it is whole.
    if !path.exists() {
        let file = tempfile::NamedTempFile::new_in(base)?;
        pack(file.as_file(), name, folder)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
    }
    std::fs::remove_dir_all(folder)
}

/// Writes the files of a folder, the summary first, so that listing archives need not unpack them.
fn pack(file: &File, name: &str, folder: &Path) -> io::Result<()> {
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.sort_by_key(|path| (!path.ends_with("summary.json"), path.clone()));
    for path in files {
        if let (true, Some(leaf)) = (path.symlink_metadata()?.is_file(), path.file_name()) {
            builder.append_path_with_name(&path, Path::new(name).join(leaf))?;
        }
    }
    builder.into_inner()?.finish()?.flush()
}
