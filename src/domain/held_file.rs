//! A file that is locked as long as a process lives: the system drops the lock together with the process.
//!
//! A lock that is free proves that the process is gone. A file that is missing, or a file system without locks, proves
//! nothing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A locked file. Dropping it is what the end of the process does: the lock goes, and the file stays.
#[derive(Debug)]
pub struct HeldFile {
    file: File,
    path: PathBuf,
}

impl HeldFile {
    /// Locks an open file.
    ///
    /// # Errors
    /// When the file system has no locks, or something else holds the file.
    pub fn hold(file: File, path: PathBuf) -> io::Result<Self> {
        file.try_lock()?;
        Ok(Self { file, path })
    }

    /// Whether a process held the file and is gone.
    pub fn is_abandoned(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| file.try_lock().is_ok())
    }

    /// Removes the file: the process goes on, and no longer holds it.
    pub fn release(self) {
        // A file that stays has a free lock, which is tested only where nothing else shows the end.
        drop(std::fs::remove_file(&self.path));
        drop(self.file);
    }
}
