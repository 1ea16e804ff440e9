//! What can be wrong with a configuration.

use std::io;
use std::path::PathBuf;

use super::{KeyInfo, LoginsError};
use crate::store::{BlobsUrlError, StateUrlError};

/// A configuration that cannot be used. Found before any request is sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was asked for, or is there, cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is no TOML. The text of the line is not repeated: it may hold a credential.
    #[error("{origin} is not valid TOML at line {line}: {problem}")]
    Syntax {
        /// The file.
        origin: String,
        /// The line, counted from 1.
        line: usize,
        /// What the parser says.
        problem: String,
    },
    /// A key that does not exist.
    #[error("unknown key {key} in {origin}")]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The layer.
        origin: String,
        /// The key that it was probably meant to be.
        nearest: Option<&'static str>,
    },
    /// A variable of ours that does not exist.
    #[error("unknown environment variable {name}")]
    UnknownVariable {
        /// Its name.
        name: String,
        /// The variable that it was probably meant to be.
        nearest: Option<&'static str>,
    },
    /// A preset that does not exist.
    #[error("unknown preset {name:?}; there are ci and gentle")]
    UnknownPreset {
        /// The name as written.
        name: String,
        /// The preset that it was probably meant to be.
        nearest: Option<&'static str>,
    },
    /// A value that its key cannot have.
    #[error("{key} is {value} ({origin}); expected {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value as written, hidden where it is secret.
        value: String,
        /// The layer that set it.
        origin: String,
        /// What it may be.
        expected: String,
        /// The word that it was probably meant to be.
        nearest: Option<String>,
    },
    /// A value that is set and empty.
    #[error("{key} is empty ({origin})")]
    Empty {
        /// The key, or what chooses a layer.
        key: &'static str,
        /// The layer that set it.
        origin: String,
    },
    /// A list with an empty part.
    #[error("{key} is {value} ({origin}), which has an empty part")]
    EmptyPart {
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
        /// The layer that set it.
        origin: String,
    },
    /// A place for the state that cannot be.
    #[error("paths.state cannot be used ({origin})")]
    State {
        /// The layer that set it.
        origin: String,
        /// What is wrong with it.
        source: StateUrlError,
    },
    /// A place for bytes of assets that cannot be.
    #[error("paths.blobs cannot be used ({origin})")]
    Blobs {
        /// The layer that set it.
        origin: String,
        /// What is wrong with it.
        source: BlobsUrlError,
    },
    /// Values that have no default and were not given.
    #[error("{} missing", named(.values))]
    Missing {
        /// All of them.
        values: Vec<MissingValue>,
    },
    /// A host that only the working folder names, and that is neither the vendor's nor this machine.
    #[error("the token is not sent to {host}, which only {origin} names ({key})")]
    HostNotAllowed {
        /// The key.
        key: &'static str,
        /// Host and port.
        host: String,
        /// The layer that set it, with the line of a file.
        origin: String,
    },
    /// A base URL with `http` that leads to another machine.
    #[error("the token is not sent to {host} unencrypted, as http:// in {key} says ({origin})")]
    ClearText {
        /// The key.
        key: &'static str,
        /// Host and port.
        host: String,
        /// The layer that set it, with the line of a file.
        origin: String,
    },
    /// A permission that a working folder grants itself.
    #[error(
        "{key} does not count in {origin}: a working folder does not decide where a token comes from and where it goes"
    )]
    NotTheUsers {
        /// The key.
        key: &'static str,
        /// The layer that set it, with the line of a file.
        origin: String,
    },
    /// The file or the command that holds the token gives none.
    #[error("cannot take the token from {key} ({origin}): {reason}")]
    TokenSource {
        /// The key with the file or command.
        key: &'static str,
        /// The layer that set it.
        origin: String,
        /// What is wrong; never what was read.
        reason: String,
    },
    /// The logins of this user cannot be used.
    #[error("cannot use the logins of this user")]
    Logins(#[from] LoginsError),
    /// Two values that cannot be used together.
    #[error("{first} and {second} cannot be used together")]
    Contradiction {
        /// One, with its origin.
        first: String,
        /// The other, with its origin.
        second: String,
    },
    /// A table of `[targets]` whose name cannot be one.
    #[error(
        "[targets.{name}] in {origin} has a name with other characters than letters, digits, - and _"
    )]
    TargetName {
        /// The name as written.
        name: String,
        /// The layer.
        origin: String,
    },
    /// A table of `[targets]` that does not say which instance it is.
    #[error("[targets.{name}] has no guid")]
    TargetGuid {
        /// Its name.
        name: String,
    },
    /// Both sides are the same instance.
    #[error("source and target are the same instance, {guid}")]
    SameInstance {
        /// That instance.
        guid: String,
    },
}

impl ConfigError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File { .. } => Some("check the path and its permissions".to_owned()),
            Self::UnknownKey {
                nearest: Some(key), ..
            } => Some(format!("did you mean {key}?")),
            Self::UnknownKey { nearest: None, .. } => {
                Some("`lockgate config` lists every key".to_owned())
            }
            Self::UnknownVariable {
                nearest: Some(name),
                ..
            } => Some(format!("did you mean {name}?")),
            Self::UnknownVariable { nearest: None, .. } => {
                Some("unset it; `lockgate config --defaults` lists every variable".to_owned())
            }
            Self::Missing { values } => Some(ways_to_all(values)),
            Self::TargetName { .. } => {
                Some("give it a name such as qa or prod-eu".to_owned())
            }
            Self::TargetGuid { name } => Some(format!(
                "add the GUID of the instance to [targets.{name}]: guid = \"5e6f7a8b-u\""
            )),
            Self::SameInstance { .. } => {
                Some("name two instances with --source and --target".to_owned())
            }
            Self::Syntax { .. } => Some(
                "correct that line; `lockgate config --defaults` shows how every key is written"
                    .to_owned(),
            ),
            Self::UnknownPreset { nearest, .. } => Some(match nearest {
                Some(name) => format!("did you mean {name}?"),
                None => "give --preset ci or --preset gentle, or leave it out".to_owned(),
            }),
            Self::Value { key, nearest, .. } => Some(match nearest {
                Some(word) => format!("did you mean {word}?"),
                None => format!("`lockgate config --defaults` explains {key}"),
            }),
            Self::Empty { key, origin } => Some(instead_of_nothing(key, origin)),
            Self::EmptyPart { .. } => Some(
                "leave out the comma that is too many, or set the variable that gave nothing"
                    .to_owned(),
            ),
            Self::State { .. } => {
                Some(
                    "give --state a path, such as .lockgate/state.db, or the URL of a PostgreSQL server"
                        .to_owned(),
                )
            }
            Self::Blobs { .. } => Some(
                "give --blobs a path, or s3://BUCKET/PREFIX with the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                    .to_owned(),
            ),
            Self::Contradiction { .. } => Some("leave one of them out".to_owned()),
            Self::HostNotAllowed { host, .. } => Some(format!(
                "if that host may have the token, give --allow-host {host} or set LOCKGATE_ALLOW_HOSTS={host}"
            )),
            Self::ClearText { .. } => Some(
                "use https://, or give --allow-http (LOCKGATE_ALLOW_HTTP=true) where the network is trusted"
                    .to_owned(),
            ),
            Self::TokenSource { .. } => Some(
                "it has to give the token in one line, and nothing else; LOCKGATE_TOKEN takes precedence"
                    .to_owned(),
            ),
            Self::Logins(error) => Some(error.hint()),
            Self::NotTheUsers { key, .. } => KeyInfo::find(key).map(|info| {
                format!(
                    "leave it out there; give {}, or set {}",
                    info.flag.unwrap_or(info.key),
                    info.variable
                )
            }),
        }
    }
}

/// What to do about a value that is empty: a variable that was to give it may have none.
fn instead_of_nothing(key: &str, origin: &str) -> String {
    /// Those without which everything is in scope.
    const RESTRICTING: [&str; 10] = [
        "sync.locales",
        "sync.channels",
        "sync.elements",
        "sync.models",
        "sync.models_with_deps",
        "sync.content",
        "sync.pages",
        "sync.containers",
        "sync.changed_since",
        "sync.changed_by",
    ];
    let leave_out = match origin.strip_prefix("flag ") {
        Some(flag) => format!("leave {flag} out"),
        None if origin.starts_with("environment variable ") => {
            "leave the variable unset".to_owned()
        }
        None => format!(
            "leave it out of {}",
            origin.rsplit(" in ").next().unwrap_or(origin)
        ),
    };
    if RESTRICTING.contains(&key) {
        format!("name at least one; to restrict nothing, {leave_out}")
    } else {
        format!("give a value, or {leave_out}")
    }
}

/// How a key can be set. Credentials belong into the environment, so their variables come first.
/// A value that has no default and was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingValue {
    /// What it is, in words.
    pub what: &'static str,
    /// The key.
    pub key: &'static str,
}

impl ConfigError {
    /// Whether a token is among what is missing.
    pub fn is_for_lack_of_token(&self) -> bool {
        let is_token =
            |value: &MissingValue| KeyInfo::find(value.key).is_some_and(|info| info.secret);
        matches!(self, Self::Missing { values } if values.iter().any(is_token))
    }
}

/// `the instance to read from and the access token are`.
fn named(values: &[MissingValue]) -> String {
    match values {
        [one] => format!("{} is", one.what),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(|value| value.what).collect();
            format!("{} and {} are", first.join(", "), last.what)
        }
        [] => "nothing is".to_owned(),
    }
}

fn ways_to_all(values: &[MissingValue]) -> String {
    let infos = values.iter().filter_map(|value| KeyInfo::find(value.key));
    infos.map(ways).collect::<Vec<_>>().join("; ")
}

fn ways(info: &KeyInfo) -> String {
    let variables = match info.official {
        Some(official) => format!("{} or {official}", info.variable),
        None => info.variable.to_owned(),
    };
    match info.flag {
        Some(_) if info.secret => format!("set {variables}, or sign in with `lockgate login`"),
        Some(flag) => format!("give {flag}, or set {variables}"),
        None => format!("set {variables}, or {} in lockgate.toml", info.key),
    }
}
