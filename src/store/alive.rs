//! Whether the owner of a lease is alive: a file lock that the system drops together with the process.
//!
//! A lease ends by itself when it is not renewed, but nobody wants to wait for that after a crash on the same
//! machine. So an owner holds a lock on a file beside the state while it has the lease. Who finds the lease of
//! an owner on the same machine, and can lock that owner's file, knows that the owner is gone. A file that is
//! missing, or a file system without locks, proves nothing: then the lease has to expire.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::location::beside;
use crate::domain::RunId;

/// A sign of life. Dropping it is what the end of the process does: the lock goes, and the file stays and tells.
#[derive(Debug)]
pub(super) struct Alive {
    file: File,
    path: PathBuf,
}

impl Alive {
    /// Gives a sign of life for `run` until it is dropped; `None` where the file system has no locks.
    pub(super) fn show(state: &Path, run: &RunId) -> Option<Self> {
        let path = path(state, run);
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).ok()?;
        file.try_lock().ok()?;
        Some(Self { file, path })
    }

    /// Whether `run` gave a sign of life and gives none any more. To be asked on the machine of its owner only.
    pub(super) fn is_gone(state: &Path, run: &RunId) -> bool {
        let path = path(state, run);
        File::open(&path).is_ok_and(|file| file.try_lock().is_ok())
    }

    /// Takes the sign back: the owner has no lease any more.
    pub(super) fn end(self) {
        // A file that stays costs nothing: nobody asks about an owner that has no lease.
        drop(std::fs::remove_file(&self.path));
        drop(self.file);
    }

    /// Removes what a dead owner left.
    pub(super) fn sweep(state: &Path, run: &RunId) {
        // A file that stays costs nothing and says the same.
        drop(std::fs::remove_file(path(state, run)));
    }
}

fn path(state: &Path, run: &RunId) -> PathBuf {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let name: String = run.0.chars().filter(|letter| plain(*letter)).collect();
    beside(state, &format!("-lease-{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_gone_when_its_lock_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state.db");
        let run = RunId("20260101-120000-0001".to_owned());
        assert!(!Alive::is_gone(&state, &run), "never seen proves nothing");
        let alive = Alive::show(&state, &run).unwrap();
        assert!(!Alive::is_gone(&state, &run));
        drop(alive);
        assert!(Alive::is_gone(&state, &run));
        Alive::show(&state, &run).unwrap().end();
        assert!(
            !Alive::is_gone(&state, &run),
            "a lease that was given back proves nothing"
        );
    }
}
