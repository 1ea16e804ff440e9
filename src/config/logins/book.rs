//! The list of logins, and their tokens.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::keyring;
use crate::agility::Grant;
use crate::domain::{HeldFile, Secret, read_text, time};

/// The form of the file. A reader refuses a newer one.
const VERSION: u32 = 1;

const FILE: &str = "logins.json";
const LOCK: &str = "logins.lock";

/// How long another process may hold the lock: a request to the server and the keyring's question to a user.
const LOCK_LIMIT: Duration = Duration::from_mins(3);
/// Between two looks at the lock.
const LOCK_BEAT: Duration = Duration::from_millis(50);

/// A token is renewed this long before it expires, or when a fifth of its time is left, if that is less.
const MARGIN: Duration = Duration::from_mins(1);

/// How long a token is a fresh one, or for a fifth of its time, if that is less.
const FRESH: Duration = Duration::from_secs(5);

/// Why logins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoginsError {
    /// The environment does not say where the user's files are.
    #[error("logins have no place: neither HOME nor XDG_CONFIG_HOME is set")]
    NoPlace,
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The list cannot be understood. What it holds is not repeated.
    #[error("{} is damaged at line {line}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The list was written by a newer version.
    #[error("{} was written by a newer version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The keyring does not give or take a login.
    #[error("the keyring of the system cannot be used for {name}: {reason}")]
    Keyring {
        /// The login.
        name: String,
        /// The keyring's reason.
        reason: String,
    },
    /// Another process holds the lock for too long.
    #[error("another process is renewing a login for more than {} s ({} is locked)", LOCK_LIMIT.as_secs(), path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
}

impl LoginsError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoPlace => "set HOME, or use LOCKGATE_TOKEN instead of a login".to_owned(),
            Self::File { path, .. } => format!("check the permissions of {}", path.display()),
            Self::Damaged { path, .. } => {
                format!(
                    "remove {} and sign in again with `lockgate login`",
                    path.display()
                )
            }
            Self::Newer { .. } => "update lockgate, or use LOCKGATE_TOKEN".to_owned(),
            Self::Keyring { .. } => {
                "unlock the keyring, or sign in again with `lockgate login --keep file`".to_owned()
            }
            Self::Locked { .. } => "end that process, and try again".to_owned(),
        }
    }
}

/// Where the tokens of a login are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// In the keyring of the system.
    Keyring,
    /// In the list itself.
    File,
}

/// The tokens of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The access token.
    pub access: Secret,
    /// What gives the next one, once; `None` where there is none.
    pub refresh: Option<Secret>,
    /// Since when there is this access token.
    pub obtained_at: Timestamp,
    /// Until when it is valid, as far as the server says.
    pub expires_at: Option<Timestamp>,
}

impl Login {
    /// What a server gave just now.
    pub fn of(grant: Grant) -> Self {
        let begun = grant.asked_at;
        let expires_at = grant
            .lifetime
            .and_then(|lifetime| begun.checked_add(lifetime).ok());
        Self {
            access: grant.access,
            refresh: grant.refresh,
            obtained_at: time::now(),
            expires_at,
        }
    }

    fn lifetime(&self) -> Option<Duration> {
        let lifetime = self.expires_at?.duration_since(self.obtained_at);
        Some(lifetime.unsigned_abs())
    }

    /// Whether the server gave the access token only just now. Refusing it then, it would refuse the next one as well.
    pub(super) fn is_fresh(&self) -> bool {
        let age = time::now().duration_since(self.obtained_at).unsigned_abs();
        let most = self
            .lifetime()
            .map_or(FRESH, |lifetime| FRESH.min(lifetime / 5));
        age < most && !self.is_due()
    }

    /// From when on requests should leave with the next access token.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        let expires_at = self.expires_at?;
        let lifetime = self.lifetime()?;
        expires_at.checked_sub(MARGIN.min(lifetime / 5)).ok()
    }

    pub(super) fn is_due(&self) -> bool {
        self.due_at().is_some_and(|due| time::now() >= due)
    }
}

/// What the list says of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginNote {
    /// Where the tokens are.
    pub kept: Kept,
    /// Until when the access token is valid, as far as the server says.
    pub expires_at: Option<Timestamp>,
    /// Whether it can be renewed without the user.
    pub renews: bool,
}

/// The list on disk.
#[derive(Serialize, Deserialize)]
struct List {
    version: u32,
    logins: BTreeMap<String, Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    kept: Kept,
    renews: bool,
    expires_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
}

/// Tokens as they are kept, in the list or in the keyring.
#[derive(Serialize, Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
    obtained_at: String,
    expires_at: Option<String>,
}

impl Tokens {
    fn of(login: &Login) -> Self {
        Self {
            access_token: login.access.expose().to_owned(),
            refresh_token: login
                .refresh
                .as_ref()
                .map(|token| token.expose().to_owned()),
            obtained_at: login.obtained_at.to_string(),
            expires_at: login.expires_at.map(|moment| moment.to_string()),
        }
    }

    fn login(self) -> Login {
        let moment = |text: &String| text.parse().ok();
        Login {
            access: Secret::new(&self.access_token),
            refresh: self.refresh_token.map(|token| Secret::new(&token)),
            // One that cannot be read is long ago, so that the token counts as due.
            obtained_at: moment(&self.obtained_at).unwrap_or_default(),
            expires_at: self.expires_at.as_ref().and_then(moment),
        }
    }
}

/// The logins of a user. Names of logins are base addresses of Management hosts, for one instance alone with its GUID behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginBook {
    folder: PathBuf,
}

impl LoginBook {
    /// The list in this folder.
    pub const fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The file of the list.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// What the list says of each login.
    ///
    /// # Errors
    /// [`LoginsError`] when it cannot be read.
    pub fn notes(&self) -> Result<BTreeMap<String, LoginNote>, LoginsError> {
        let note = |row: &Row| LoginNote {
            kept: row.kept,
            expires_at: row.expires_at.as_ref().and_then(|text| text.parse().ok()),
            renews: row.renews,
        };
        let logins = self.list()?.logins;
        Ok(logins
            .iter()
            .map(|(name, row)| (name.clone(), note(row)))
            .collect())
    }

    /// The tokens of a login; `None` where there is no such login.
    ///
    /// # Errors
    /// [`LoginsError`] when the list or the keyring cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Login>, LoginsError> {
        let Some(row) = self.list()?.logins.remove(name) else {
            return Ok(None);
        };
        if row.kept == Kept::File {
            return Ok(row.tokens.map(Tokens::login));
        }
        let failed = |reason| LoginsError::Keyring {
            name: name.to_owned(),
            reason,
        };
        let Some(text) = keyring::get(name).map_err(failed)? else {
            return Ok(None);
        };
        let tokens: Tokens = serde_json::from_str(&text)
            .map_err(|_| failed("what it holds is not a login".to_owned()))?;
        Ok(Some(tokens.login()))
    }

    /// Waits until no other process writes.
    ///
    /// # Errors
    /// [`LoginsError`] when the lock cannot be had.
    pub async fn lock(&self) -> Result<HeldFile, LoginsError> {
        let path = self.folder.join(LOCK);
        let failed = |source| LoginsError::File {
            path: path.clone(),
            source,
        };
        create_folder(&self.folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let locking = async {
            loop {
                let file = options.open(&path).map_err(failed)?;
                match HeldFile::hold(file, path.clone()) {
                    Ok(held) => return Ok(held),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        tokio::time::sleep(LOCK_BEAT).await;
                    }
                    Err(error) => return Err(failed(error)),
                }
            }
        };
        let held = tokio::time::timeout(LOCK_LIMIT, locking).await;
        held.unwrap_or_else(|_| Err(LoginsError::Locked { path: path.clone() }))
    }

    /// Keeps a login, in the keyring if that is asked for and there is one. To be called under the lock. Returns where it is
    /// kept, and why not in the keyring.
    ///
    /// # Errors
    /// [`LoginsError`] when neither takes it.
    pub fn write(
        &self,
        name: &str,
        login: &Login,
        wanted: Kept,
    ) -> Result<(Kept, Option<String>), LoginsError> {
        let mut list = self.list()?;
        let tokens = Tokens::of(login);
        let (kept, refused) = match wanted {
            Kept::File => (Kept::File, None),
            Kept::Keyring => match keyring::set(name, &json(&tokens)) {
                Ok(()) => (Kept::Keyring, None),
                Err(reason) => (Kept::File, Some(reason)),
            },
        };
        let row = Row {
            kept,
            renews: login.refresh.is_some(),
            expires_at: tokens.expires_at.clone(),
            tokens: (kept == Kept::File).then_some(tokens),
        };
        let former = list.logins.insert(name.to_owned(), row);
        self.save(&list)?;
        if kept == Kept::File && former.is_some_and(|former| former.kept == Kept::Keyring) {
            // What stays there is out of date, and does no harm.
            drop(keyring::delete(name));
        }
        Ok((kept, refused))
    }

    /// Removes a login. To be called under the lock. Returns whether there was one.
    ///
    /// # Errors
    /// [`LoginsError`] when the list cannot be written, or the keyring keeps the tokens.
    pub fn remove(&self, name: &str) -> Result<bool, LoginsError> {
        let mut list = self.list()?;
        let Some(row) = list.logins.remove(name) else {
            return Ok(false);
        };
        if row.kept == Kept::Keyring {
            keyring::delete(name).map_err(|reason| LoginsError::Keyring {
                name: name.to_owned(),
                reason,
            })?;
        }
        self.save(&list)?;
        Ok(true)
    }

    fn list(&self) -> Result<List, LoginsError> {
        let path = self.path();
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(List {
                    version: VERSION,
                    logins: BTreeMap::new(),
                });
            }
            Err(source) => return Err(LoginsError::File { path, source }),
        };
        match serde_json::from_str::<List>(&text) {
            Ok(list) if list.version > VERSION => Err(LoginsError::Newer { path }),
            Ok(list) => Ok(list),
            Err(error) => Err(LoginsError::Damaged {
                path,
                line: error.line(),
            }),
        }
    }

    /// The file appears whole or not at all, for this user alone, and is on the disk when this returns.
    fn save(&self, list: &List) -> Result<(), LoginsError> {
        let failed = |source| LoginsError::File {
            path: self.path(),
            source,
        };
        create_folder(&self.folder).map_err(failed)?;
        replace(&self.folder, &json(list)).map_err(failed)
    }
}

fn replace(folder: &Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(folder.join(FILE))
        .map_err(|error| error.error)?;
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Texts, numbers and names alone, which can always be written.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(access: &str, lifetime: u64) -> Login {
        Login::of(Grant {
            access: Secret::new(access),
            refresh: Some(Secret::new("a-refresh-token-1")),
            lifetime: Some(Duration::from_secs(lifetime)),
            asked_at: time::now(),
        })
    }

    #[test]
    fn what_is_written_is_read_again_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let book = LoginBook::at(folder.path().join("lockgate"));
        assert_eq!(book.read("http://h").unwrap(), None);
        let first = login("an-access-token-1", 3600);
        assert_eq!(
            book.write("http://h", &first, Kept::File).unwrap(),
            (Kept::File, None)
        );
        assert_eq!(book.read("http://h").unwrap(), Some(first));
        let notes = book.notes().unwrap();
        assert!(notes["http://h"].renews && notes["http://h"].expires_at.is_some());
        assert_eq!(book.read("http://h 1a2b3c4d-u").unwrap(), None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&book.folder), mode(&book.path())), (0o700, 0o600));
        }
        assert!(book.remove("http://h").unwrap());
        assert!(!book.remove("http://h").unwrap());
        assert_eq!(book.read("http://h").unwrap(), None);
    }

    #[test]
    fn a_damaged_list_is_not_taken_for_an_empty_one_and_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let book = LoginBook::at(folder.path().to_owned());
        std::fs::write(
            book.path(),
            "{\"version\": 1,\n \"logins\": an-access-token-1",
        )
        .unwrap();
        let error = book.read("http://h").unwrap_err();
        assert!(
            error.to_string().ends_with("is damaged at line 2"),
            "{error}"
        );
        std::fs::write(book.path(), "{\"version\": 2, \"logins\": {}}").unwrap();
        assert!(matches!(book.notes(), Err(LoginsError::Newer { .. })));
    }

    #[test]
    fn a_token_is_due_before_it_expires() {
        let of = |lifetime| {
            let login = login("an-access-token-1", lifetime);
            login
                .expires_at
                .unwrap()
                .duration_since(login.due_at().unwrap())
        };
        assert_eq!((of(3600).as_secs(), of(11).as_secs()), (60, 2));
        assert!(!login("an-access-token-1", 3600).is_due());
        assert!(login("an-access-token-1", 0).is_due());
    }

    #[tokio::test]
    async fn one_process_writes_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let book = LoginBook::at(folder.path().to_owned());
        let held = book.lock().await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(200), book.lock());
        assert!(second.await.is_err(), "it is locked");
        drop(held);
        book.lock().await.unwrap();
    }
}
