//! Where the state lives.

use std::fmt;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::connection::Connection;
use super::schema::version_on_server;
use super::server::Server;

/// A file or folder that belongs to the state and stands beside it: `state.db-wal`, `state.db.bytes`.
pub(super) fn beside(state: &Path, ending: &str) -> PathBuf {
    let mut path = state.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// A place for the state, as chosen by a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateUrl {
    /// An `SQLite` file, created when absent.
    Sqlite(PathBuf),
    /// A schema of a database on a `PostgreSQL` server, created when absent.
    Postgres(Server),
}

impl StateUrl {
    /// Reads `sqlite:PATH`, `sqlite://PATH`, a bare path, or `postgres://…` with `?schema=NAME` for another schema than
    /// `lockgate`.
    ///
    /// # Errors
    /// [`StateUrlError`] for an empty path and for databases that this build does not bring.
    pub fn parse(text: &str) -> Result<Self, StateUrlError> {
        let text = text.trim();
        let path = match text.split_once(':') {
            Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                return Server::parse(text).map(Self::Postgres);
            }
            Some((scheme, rest)) if rest.starts_with("//") => {
                return Err(StateUrlError::Unsupported {
                    scheme: scheme.to_owned(),
                });
            }
            Some(_) | None => text,
        };
        if path.is_empty() || path == ":memory:" {
            return Err(StateUrlError::NoPath);
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }

    /// The file; `None` on a server.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl StateUrl {
    /// Whether there is a state already. Looking leaves no trace, where opening would create one.
    ///
    /// # Errors
    /// [`StoreError`] when a server cannot be asked, or has a schema of that name that is not ours.
    pub async fn exists(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(path) => Ok(path.exists()),
            Self::Postgres(server) => {
                let place = server.to_string().into();
                let mut connection = Connection::postgres(server.clone(), place).await?;
                let version = version_on_server(&mut connection).await;
                connection.close().await;
                Ok(version?.is_some())
            }
        }
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(server) => server.fmt(f),
        }
    }
}

/// A text that names no place for the state. It never repeats the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateUrlError {
    /// A database of another kind.
    #[error(
        "state in {scheme}:// is not supported; expected sqlite:PATH, a path or a PostgreSQL URL"
    )]
    Unsupported {
        /// The part of the URL before `://`.
        scheme: String,
    },
    /// Nothing to write to.
    #[error("the state needs a file; expected sqlite:PATH or a path")]
    NoPath,
    /// A URL of a server with a part that cannot be.
    #[error("the address of the server is not valid: {what}")]
    Server {
        /// What is wrong with it, without the URL.
        what: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_url_or_path() {
        for (text, path) in [
            ("sqlite:.lockgate/state.db", ".lockgate/state.db"),
            ("sqlite://shared/state.db", "shared/state.db"),
            ("sqlite:///var/state.db", "/var/state.db"),
            ("state.db", "state.db"),
            ("c:state.db", "c:state.db"),
        ] {
            assert_eq!(
                StateUrl::parse(text).unwrap().file(),
                Some(Path::new(path)),
                "{text}"
            );
        }
    }

    #[test]
    fn other_databases_are_refused_without_their_password() {
        let error = StateUrl::parse("mysql://ann:hunter2@db/state").unwrap_err();
        assert_eq!(
            error.to_string(),
            "state in mysql:// is not supported; expected sqlite:PATH, a path or a PostgreSQL URL"
        );
        assert_eq!(StateUrl::parse("sqlite:"), Err(StateUrlError::NoPath));
        assert_eq!(
            StateUrl::parse("sqlite::memory:"),
            Err(StateUrlError::NoPath)
        );
    }
}
