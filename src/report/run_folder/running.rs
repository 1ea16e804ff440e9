//! A mark in the folder of a run that is locked as long as its process is alive.
//!
//! The lease of a run says the same, but not every run has one: a rehearsal and a demonstration have none, and the next run
//! on the same instances removes what a dead one has left.

use std::io;
use std::path::Path;

use super::files::create_file;
use crate::domain::HeldFile;

/// The name of the mark.
const MARK: &str = "running";

/// Marks a folder until the mark is released.
///
/// # Errors
/// When the file cannot be created or locked.
pub(super) fn mark(folder: &Path) -> io::Result<HeldFile> {
    let path = folder.join(MARK);
    HeldFile::hold(create_file(&path)?, path)
}

/// Whether the process of a run without an end is gone. False as long as nothing proves that, as of a folder from an
/// earlier version.
pub fn is_abandoned(folder: &Path) -> bool {
    HeldFile::is_abandoned(&folder.join(MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_abandoned_when_its_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_abandoned(folder.path()), "no mark proves nothing");
        let running = mark(folder.path()).unwrap();
        assert!(!is_abandoned(folder.path()));
        drop(running);
        assert!(is_abandoned(folder.path()));
        std::fs::remove_file(folder.path().join(MARK)).unwrap();
        mark(folder.path()).unwrap().release();
        assert!(!is_abandoned(folder.path()));
    }
}
