//! Whether the owner of a lease is alive: a file that it holds beside the state.
//!
//! A lease ends by itself when it is not renewed, but after a crash on the same machine that would be a needless wait. So
//! an owner holds a file beside the state while it has the lease. Where the lease has an owner on the same machine and
//! that owner's file is abandoned, the owner is gone. Without such a proof the lease has to expire.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use super::location::beside;
use crate::domain::{HeldFile, RunId};

/// Gives a sign of life for `run` until it is dropped or released; `None` where the file system has no locks.
pub(super) fn show(state: &Path, run: &RunId) -> Option<HeldFile> {
    let path = path(state, run);
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).ok()?;
    HeldFile::hold(file, path).ok()
}

/// Whether `run` gave a sign of life and gives none any more. To be asked on the machine of its owner only.
pub(super) fn is_gone(state: &Path, run: &RunId) -> bool {
    HeldFile::is_abandoned(&path(state, run))
}

/// Removes what a dead owner left.
pub(super) fn sweep(state: &Path, run: &RunId) {
    // A file that stays costs nothing and says the same.
    drop(std::fs::remove_file(path(state, run)));
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
        assert!(!is_gone(&state, &run), "never seen proves nothing");
        let alive = show(&state, &run).unwrap();
        assert!(!is_gone(&state, &run));
        drop(alive);
        assert!(is_gone(&state, &run));
        show(&state, &run).unwrap().release();
        assert!(
            !is_gone(&state, &run),
            "a lease that was given back proves nothing"
        );
    }
}
