//! A value that must not be seen.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// A credential. It prints as `[redacted]`, so that neither a log nor an error can carry it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes a credential; surrounding white space goes.
    pub fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// The credential itself, for the one header that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A token that may be replaced while it is in use. Clones share it.
#[derive(Clone, Debug)]
pub struct Token(Arc<RwLock<Vec<Secret>>>);

impl Token {
    /// Begins with `secret`.
    pub fn new(secret: Secret) -> Self {
        Self(Arc::new(RwLock::new(vec![secret])))
    }

    /// The token to send. An empty one if there never was any.
    pub fn current(&self) -> Secret {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.last().cloned().unwrap_or_else(|| Secret::new(""))
    }

    /// Replaces it in everything that shares it.
    pub fn renew(&self, secret: Secret) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.push(secret);
    }

    /// The token and those before it, none of which may be seen.
    pub fn all(&self) -> Vec<Secret> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
