//! A mark in the folder of a run that is locked as long as its process lives.
//!
//! The lease of a run says the same, but not every run has one: a rehearsal and a demonstration have none, and the next run
//! on the same instances removes what a dead one has left.

use std::fs::File;
use std::io;
use std::path::Path;

use super::files::create_file;

/// The name of the mark.
const MARK: &str = "running";

/// Locked until dropped.
#[derive(Debug)]
pub(super) struct Running(File);

impl Running {
    /// Marks a folder.
    ///
    /// # Errors
    /// When the file cannot be created or locked.
    pub(super) fn mark(folder: &Path) -> io::Result<Self> {
        let file = create_file(&folder.join(MARK))?;
        file.try_lock()?;
        Ok(Self(file))
    }

    /// Takes the mark back: the run is over.
    pub(super) fn end(self, folder: &Path) {
        // A mark that stays says of a run with an end what that end says.
        drop(std::fs::remove_file(folder.join(MARK)));
        drop(self.0);
    }
}

/// Whether the process of a run without an end is gone. False as long as nothing proves that, as of a folder from an
/// earlier version.
pub fn is_abandoned(folder: &Path) -> bool {
    File::open(folder.join(MARK)).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_abandoned_when_its_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_abandoned(folder.path()), "no mark proves nothing");
        let running = Running::mark(folder.path()).unwrap();
        assert!(!is_abandoned(folder.path()));
        drop(running);
        assert!(is_abandoned(folder.path()));
        std::fs::remove_file(folder.path().join(MARK)).unwrap();
        Running::mark(folder.path()).unwrap().end(folder.path());
        assert!(!is_abandoned(folder.path()));
    }
}
