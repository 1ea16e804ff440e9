//! Why an entity could not be migrated, in kind.

use serde::{Deserialize, Serialize};

/// The kind of failure of an entity. The reason beside it has the details.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Authentication failed, or the token has no rights.
    Access,
    /// There was no answer in time.
    TimedOut,
    /// Rate limited by the target until the attempts were used up.
    Throttled,
    /// It refers to something that is missing.
    Reference,
    /// A connection could not be made, or broke.
    Unreachable,
    /// Whether it arrived is not known.
    InDoubt,
    /// It stands in a cycle of references that cannot be opened.
    Cycle,
    /// Its file is on a host from which files are not fetched.
    Misplaced,
    /// Its file could not be read whole from the source.
    File,
    /// The server failed: a status of 500 and above, or 408.
    ServerFailed,
    /// Anything else, mostly a refusal of the target.
    #[default]
    #[serde(other)]
    Refused,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Access,
        Self::TimedOut,
        Self::Throttled,
        Self::Reference,
        Self::Unreachable,
        Self::InDoubt,
        Self::Cycle,
        Self::Misplaced,
        Self::File,
        Self::ServerFailed,
        Self::Refused,
    ];
}

/// What failures are grouped by: their kind, and the status of the server's response. Never their text, in which names
/// and numbers differ from entity to entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureCause {
    /// The kind.
    pub failure: Failure,
    /// The HTTP status; `None` where there was no response, or one that names the entity by its own words, as in a batch.
    pub status: Option<u16>,
}

impl From<Failure> for FailureCause {
    fn from(failure: Failure) -> Self {
        let status = None;
        Self { failure, status }
    }
}
