//! What can go wrong with the state.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::error::DatabaseError;

use super::Trouble;
use super::connection::is_loss;
use crate::domain::{ContentHash, RunId};

/// The state cannot be used, or does not allow what was asked.
///
/// Causes are shared, because one failed transaction answers every caller with changes in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its directory could not be created.
    #[error("the state cannot be kept in {}", path.display())]
    Create {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The file is no database, or its pages contradict each other.
    #[error("the state in {place} is damaged: {detail}")]
    Damaged {
        /// The file.
        place: String,
        /// What was found.
        detail: String,
    },
    /// The file is a database of some other program.
    #[error("{place} is a database, but not one of lockgate's")]
    Foreign {
        /// The file.
        place: String,
    },
    /// The file was written by a newer program.
    #[error("the state in {place} has schema version {found}; this version supports up to {known}")]
    Newer {
        /// The file.
        place: String,
        /// Its schema version.
        found: i64,
        /// The newest version that this program can use.
        known: i64,
    },
    /// The file, its directory or its file system does not take writes.
    #[error("the state in {place} is read-only")]
    ReadOnly {
        /// The file.
        place: String,
    },
    /// Another process held the file for longer than the time-out.
    #[error("the state in {place} is locked by another process")]
    Locked {
        /// The file.
        place: String,
    },
    /// The disk or the quota is full.
    #[error("no space is left for the state in {place}")]
    Full {
        /// The file.
        place: String,
    },
    /// The server of the state does not answer, or does not let this user in.
    #[error("the state in {place} cannot be reached")]
    Unreachable {
        /// The server, without the password.
        place: String,
        /// What the network or the server says.
        source: Arc<sqlx::Error>,
    },
    /// The connection was lost while a commit was under way, and the server could not be asked for its outcome.
    #[error(
        "the connection to {place} was lost; whether the last changes were stored is not known"
    )]
    Undecided {
        /// The server, without the password.
        place: String,
    },
    /// Anything else that the database reports.
    #[error("the state in {place} could not be used")]
    Failed {
        /// The file.
        place: String,
        /// The database's reason.
        source: Arc<sqlx::Error>,
    },
    /// The state to copy into is not empty.
    #[error("the state in {place} is not empty")]
    NotEmpty {
        /// The file, or the server without the password.
        place: String,
    },
    /// The place for bytes of assets cannot be used.
    #[error("files of assets cannot be kept in or read from {place}: {why}")]
    Bytes {
        /// The bucket or directory, without credentials.
        place: String,
        /// What is wrong with it.
        trouble: Trouble,
        /// What the network or the server says, quoted in part.
        why: String,
    },
    /// Kept bytes of an asset are others than those that were kept.
    #[error("the file content {hash} in {place} is damaged: it has another hash now")]
    BytesDamaged {
        /// The bucket, directory or state.
        place: String,
        /// What they are named by.
        hash: ContentHash,
    },
    /// A change to something that was never noted; nothing of its commit was stored.
    #[error("{what} is not in the state")]
    Unknown {
        /// What should have been there.
        what: String,
    },
    /// A row holds what this program never writes.
    #[error("the state in {place} holds {what}; this is not a valid value")]
    Unreadable {
        /// The file.
        place: String,
        /// The table, member and value.
        what: String,
    },
    /// Another run works on the same pair of instances.
    #[error(
        "{owner} on {host} (process {process}) is already migrating between these instances (started {since}): run {run}, lease until {expires}"
    )]
    LeaseHeld {
        /// The user.
        owner: String,
        /// On which machine.
        host: String,
        /// In which process.
        process: u32,
        /// In which run.
        run: RunId,
        /// Since when.
        since: Timestamp,
        /// When the lease ends unless it is renewed.
        expires: Timestamp,
    },
    /// The lease of this run expired and another run took it.
    #[error("the lease of run {run} was taken over by another run")]
    LeaseLost {
        /// The run that had it.
        run: RunId,
    },
    /// The store was closed, or its writer is gone.
    #[error("the state has been closed")]
    Closed,
}

impl StoreError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Create { path, source } => Some(match source.kind() {
                io::ErrorKind::IsADirectory => format!(
                    "name a file with --state, such as {}",
                    path.join("state.db").display()
                ),
                io::ErrorKind::NotADirectory => {
                    "name a file in a directory with --state, such as .lockgate/state.db".to_owned()
                }
                io::ErrorKind::InvalidInput => {
                    "put a file or folder of your own there, or name another place with --state"
                        .to_owned()
                }
                _ => format!(
                    "make {} writable, or name another place with --state",
                    path.display()
                ),
            }),
            Self::Damaged { place, .. } | Self::Unreadable { place, .. } if is_server(place) => Some(
                "restore the schema from a backup, or name another one with ?schema=NAME in --state: counterparts are then found again by name and path where they have one"
                    .to_owned(),
            ),
            Self::Damaged { place, .. } | Self::Unreadable { place, .. } => Some(format!(
                "restore {place} from a backup, or move it away: counterparts are then found again by name and path where they have one"
            )),
            Self::Foreign { place } if is_server(place) => {
                Some("name another schema with ?schema=NAME in --state".to_owned())
            }
            Self::Foreign { .. } => Some("name another file with --state".to_owned()),
            Self::Newer { .. } => {
                Some("update lockgate, or name another file with --state".to_owned())
            }
            Self::ReadOnly { place } if is_server(place) => Some(
                "grant this user the right to create and write tables in the schema, or name another user in --state"
                    .to_owned(),
            ),
            Self::ReadOnly { place } => Some(format!(
                "make {place} and its directory writable, or name another place with --state"
            )),
            Self::Unreachable { .. } => Some(
                "check host, port, user, password and sslmode in --state; a run that was interrupted goes on with the same command"
                    .to_owned(),
            ),
            Self::Undecided { .. } => Some(
                "run the same command again when the server is back: it looks up what was stored and sent"
                    .to_owned(),
            ),
            Self::Locked { .. } => Some(
                "wait for the other process; `lockgate runs` lists what was started here"
                    .to_owned(),
            ),
            Self::Full { .. } => {
                Some("free some space and run again: it goes on where it stopped".to_owned())
            }
            Self::LeaseHeld { expires, .. } => Some(format!(
                "wait for that run; if its process is gone, run again after {expires}"
            )),
            Self::LeaseLost { .. } => {
                Some("`lockgate runs` shows the other run; run again when it is over".to_owned())
            }
            Self::Bytes { trouble, .. } => Some(match trouble {
                Trouble::Refused => {
                    "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that this key may list the bucket, read from it and write to it"
                }
                Trouble::Missing => "create the bucket, or name another place with --blobs",
                Trouble::Unreachable => {
                    "check AWS_ENDPOINT_URL, AWS_REGION, the network and --blobs, then run the same command again"
                }
            }.to_owned()),
            Self::BytesDamaged { place, .. } => Some(format!(
                "restore that file from a backup of {place}, and run again; the asset keeps its present content until then"
            )),
            Self::NotEmpty { .. } => {
                Some("name a file or a schema that does not exist yet".to_owned())
            }
            Self::Failed { .. } | Self::Unknown { .. } | Self::Closed => None,
        }
    }

    /// What it says with the next step, where only one text is shown.
    pub fn with_next_step(&self) -> String {
        match self.hint() {
            Some(next) => format!("{self} ({next})"),
            None => self.to_string(),
        }
    }

    /// Whether the state may be there to be read all the same.
    pub(super) fn is_for_lack_of_writing(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        match self {
            Self::ReadOnly { .. } => true,
            Self::Create { source, .. } => {
                matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem)
            }
            Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Locked { .. }
            | Self::Full { .. }
            | Self::Unreachable { .. }
            | Self::Undecided { .. }
            | Self::NotEmpty { .. }
            | Self::Bytes { .. }
            | Self::BytesDamaged { .. }
            | Self::Failed { .. }
            | Self::Unknown { .. }
            | Self::Unreadable { .. }
            | Self::LeaseHeld { .. }
            | Self::LeaseLost { .. }
            | Self::Closed => false,
        }
    }

    /// Whether the cause lies in one change, so that others of the same transaction may still succeed.
    pub(super) const fn is_of_one_change(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::Unknown { .. } | Self::LeaseLost { .. } => true,
            Self::Create { .. }
            | Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::ReadOnly { .. }
            | Self::Locked { .. }
            | Self::Full { .. }
            | Self::Unreachable { .. }
            | Self::Undecided { .. }
            | Self::NotEmpty { .. }
            | Self::Bytes { .. }
            | Self::BytesDamaged { .. }
            | Self::Unreadable { .. }
            | Self::LeaseHeld { .. }
            | Self::Closed => false,
        }
    }

    /// A server that does not answer, whatever it says.
    pub(super) fn unreachable(error: sqlx::Error, place: &str) -> Self {
        Self::Unreachable {
            place: place.to_owned(),
            source: Arc::new(error),
        }
    }

    /// Sorts an error of the database by its result code (<https://www.sqlite.org/rescode.html>,
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    pub(super) fn of(error: sqlx::Error, place: &str) -> Self {
        if is_server(place) {
            return Self::of_server(error, place);
        }
        let place = place.to_owned();
        if let sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed = error {
            return Self::Closed;
        }
        match primary_code(&error) {
            Some(5 | 6) => Self::Locked { place },
            // 14: a log beside the file cannot be made.
            Some(3 | 8 | 14) => Self::ReadOnly { place },
            Some(11 | 26) => Self::Damaged {
                place,
                detail: message(&error),
            },
            Some(13) => Self::Full { place },
            Some(_) | None => Self::Failed {
                place,
                source: Arc::new(error),
            },
        }
    }
}

impl StoreError {
    fn of_server(error: sqlx::Error, place: &str) -> Self {
        if is_loss(&error) {
            return Self::unreachable(error, place);
        }
        let place = place.to_owned();
        let code = error.as_database_error().and_then(DatabaseError::code);
        match code.as_deref() {
            // A lock that was not free in time, two that wait for each other, two that changed the same.
            Some("55P03" | "40P01" | "40001") => Self::Locked { place },
            Some("42501" | "25006") => Self::ReadOnly { place },
            Some("53100") => Self::Full { place },
            Some("XX001" | "XX002") => Self::Damaged {
                place,
                detail: message(&error),
            },
            Some(_) | None => Self::Failed {
                place,
                source: Arc::new(error),
            },
        }
    }
}

/// Whether a state is on a server, by its place.
fn is_server(place: &str) -> bool {
    place.starts_with("postgres://")
}

/// The low byte of `SQLite`'s extended result code.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

fn message(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
