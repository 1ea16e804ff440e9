//! Ids, versions, GUIDs and locales.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An id of one side. The two sides have different types; code that serves both is generic over this.
pub trait Id:
    Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + Send + Sync + Serialize + 'static
{
    /// Takes a number that was read from this side.
    fn new(raw: i64) -> Self;
    /// The number as this side writes it.
    fn raw(self) -> i64;
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl Id for $name {
            fn new(raw: i64) -> Self {
                Self(raw)
            }
            fn raw(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id_type! {
    /// An id on the instance that is read from.
    SourceId
}
id_type! {
    /// An id on the instance that is written to.
    TargetId
}

/// A content or page version: rises with every save, publish or unpublish, per locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub i64);

/// The number under which the target processes a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(pub i64);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Names an instance, such as `1a2b3c4d-u`; the part after the last dash is its region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Guid(Arc<str>);

impl Guid {
    /// Takes a GUID as a user wrote it; surrounding white space goes.
    pub fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// The GUID as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A locale code in lower case, such as `en-us`. Codes compare without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locale(Arc<str>);

impl Locale {
    /// Takes a locale code in any case.
    pub fn new(code: &str) -> Self {
        Self(code.trim().to_ascii_lowercase().into())
    }

    /// The code in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Names a run: its start as `YYYYMMDD-HHMMSS` (UTC) and four hexadecimal digits, so that names sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
