//! Where the state lives.

use std::fmt;
use std::path::{Path, PathBuf};

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
}

impl StateUrl {
    /// Reads `sqlite:PATH`, `sqlite://PATH` or a bare path.
    ///
    /// # Errors
    /// [`StateUrlError`] for an empty path and for databases that this build does not bring.
    pub fn parse(text: &str) -> Result<Self, StateUrlError> {
        let text = text.trim();
        let path = match text.split_once(':') {
            Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
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

    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Sqlite(path) => path,
        }
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// A text that names no place for the state. It never repeats the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateUrlError {
    /// A database of another kind.
    #[error(
        "state in {scheme}:// is not supported by this build yet; expected sqlite:PATH or a path"
    )]
    Unsupported {
        /// The part of the URL before `://`.
        scheme: String,
    },
    /// Nothing to write to.
    #[error("the state needs a file; expected sqlite:PATH or a path")]
    NoPath,
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
                StateUrl::parse(text).unwrap().path(),
                Path::new(path),
                "{text}"
            );
        }
    }

    #[test]
    fn other_databases_are_refused_without_their_password() {
        let error = StateUrl::parse("postgres://ann:hunter2@db/state").unwrap_err();
        assert_eq!(
            error.to_string(),
            "state in postgres:// is not supported by this build yet; expected sqlite:PATH or a path"
        );
        assert_eq!(StateUrl::parse("sqlite:"), Err(StateUrlError::NoPath));
        assert_eq!(
            StateUrl::parse("sqlite::memory:"),
            Err(StateUrlError::NoPath)
        );
    }
}
