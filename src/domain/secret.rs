//! A value that must not be seen.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::redact::{self, REDACTED};

/// A credential. It prints as `[redacted]`, so that neither a log nor an error can carry it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes a credential; surrounding white space goes. From now on [`redact`](super::redact()) takes it out of texts.
    pub fn new(text: &str) -> Self {
        redact::learn(text.trim());
        Self(text.trim().into())
    }

    /// The credential itself, for the one header that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A token that may be replaced while it is in use. Clones share it.
#[derive(Clone, Debug)]
pub struct Token(Arc<RwLock<Secret>>);

impl Token {
    /// Begins with `secret`.
    pub fn new(secret: Secret) -> Self {
        Self(Arc::new(RwLock::new(secret)))
    }

    /// The token to send.
    pub fn current(&self) -> Secret {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// Replaces it in everything that shares it.
    pub fn renew(&self, secret: Secret) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = secret;
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}
