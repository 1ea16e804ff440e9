//! What is wrong with a folder, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Nothing shows that it is complete.
    #[error("{} has no lockgate.json, so nothing shows that it is a complete instance", path.display())]
    NoManifest {
        /// The folder.
        path: PathBuf,
    },
    /// It holds several instances.
    #[error("{} holds several instances: {}", path.display(), names.join(", "))]
    Several {
        /// The folder.
        path: PathBuf,
        /// Their GUIDs.
        names: Vec<String>,
    },
    /// The manifest cannot be understood.
    #[error("{} cannot be read: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version of the program wrote it.
    #[error("{} has form {form}, and this version reads up to {known}", path.display())]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its form.
        form: u32,
        /// The newest known form.
        known: u32,
    },
    /// Files are not as the pull left them.
    #[error("{} is not as the pull left it: {}{}", path.display(), first, others(*.more))]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// The first of them.
        first: Flaw,
        /// How many others.
        more: usize,
    },
    /// A file changed after it was checked.
    #[error("{} changed while it was in use", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes to it.
    #[error("another pull writes to {}", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// What a pull would write over was not written by one.
    #[error("{} holds files that no pull of lockgate wrote, such as {example}", path.display())]
    Other {
        /// The folder.
        path: PathBuf,
        /// One of them.
        example: String,
    },
    /// A pull of some locales would remove others.
    #[error("{} also holds {locales}, which this pull would remove", path.display())]
    Locales {
        /// The folder.
        path: PathBuf,
        /// The locales.
        locales: String,
    },
    /// A locale code that cannot be the name of a folder.
    #[error("the locale {code:?} cannot be the name of a folder")]
    Locale {
        /// The code.
        code: String,
    },
    /// The disk or the quota is full.
    #[error("no space is left to write {}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Its path below the folder of the instance.
    pub path: String,
    /// What is wrong.
    pub kind: FlawKind,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlawKind {
    /// It is not there.
    Missing,
    /// Its bytes are others.
    Altered,
    /// Its bytes are others, and no JSON; with the place.
    NotJson(String),
    /// The manifest does not list it.
    Foreign,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.kind {
            FlawKind::Missing => write!(f, "{path} is missing"),
            FlawKind::Altered => write!(f, "{path} does not have the hash of lockgate.json"),
            FlawKind::NotJson(why) => write!(f, "{path} is not valid JSON: {why}"),
            FlawKind::Foreign => write!(f, "{path} is not listed in lockgate.json"),
            FlawKind::Unreadable(why) => write!(f, "{path} cannot be read: {why}"),
        }
    }
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" (and {more} more files)"),
    }
}

impl FolderError {
    /// A failure of the system at `path`.
    pub fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { path, source }
            }
            _ => Self::Io { path, source },
        }
    }

    /// The next step.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoManifest { .. } => {
                "`lockgate pull --source GUID --dir DIR` writes a complete one; a folder of the official CLI cannot prove \
                 that it is complete, and is refused"
            }
            Self::Several { path, names } => {
                let first = names.first().map_or("GUID", String::as_str);
                return Some(format!("name one of them: {}", path.join(first).display()));
            }
            Self::Manifest { .. } => {
                "restore the file from a backup or from version control; or pull into another folder with --dir"
            }
            Self::Newer { .. } => "use the version of lockgate that wrote it, or a newer one",
            Self::Damaged { first, .. } if first.kind == FlawKind::Foreign => {
                "move the file out of the folder; what a pull did not write is never migrated"
            }
            Self::Damaged { .. } | Self::Changed { .. } => {
                "restore it from a backup or from version control, or run `lockgate pull` again"
            }
            Self::Busy { .. } => "wait until it has ended, or give another folder with --dir",
            Self::Other { .. } => {
                "give another folder with --dir, or move that one away; nothing was written"
            }
            Self::Locales { .. } => {
                "leave --locale out to pull all locales, or give another folder with --dir"
            }
            Self::Locale { .. } => "leave the locale out with --locale",
            Self::Full { .. } => "make room and run the same command again: it goes on from there",
            Self::Io { .. } => return None,
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_and_what_can_be_done_is_said() {
        let failed = |kind| FolderError::io(Path::new("x"), io::Error::from(kind));
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let full = failed(kind);
            assert!(matches!(full, FolderError::Full { .. }), "{kind}");
            assert!(
                full.hint()
                    .is_some_and(|hint| hint.contains("goes on from there"))
            );
        }
        let denied = failed(io::ErrorKind::PermissionDenied);
        assert!(matches!(denied, FolderError::Io { .. }));
    }
}
