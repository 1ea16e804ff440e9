//! What gives the next token of an instance while requests are under way.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::token_source::TokenSource;
use super::{Instance, StoredLogin};
use crate::agility::{OAuth, Renewal};
use crate::domain::Secret;

/// What gives the next token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRenewal {
    /// A file or a command, which is read again.
    Source(TokenSource),
    /// A login.
    Login(StoredLogin),
}

impl Instance {
    /// What renews the token; `None` where nothing does. `limits` are the time-outs of a connection and of a request.
    pub fn renewal(&self, limits: (Duration, Duration)) -> Option<Arc<dyn Renewal>> {
        match self.renewal.as_ref()? {
            TokenRenewal::Source(source) => Some(Arc::new(SourceRenewal(source.clone()))),
            TokenRenewal::Login(login) => {
                // An address that cannot be one is refused when the instance itself is set up.
                let oauth = OAuth::new(&self.guid, self.url.as_deref(), limits).ok()?;
                Some(Arc::new(login.renewal(oauth)))
            }
        }
    }

    /// The login that the token is of.
    pub const fn login(&self) -> Option<&StoredLogin> {
        match &self.renewal {
            Some(TokenRenewal::Login(login)) => Some(login),
            Some(TokenRenewal::Source(_)) | None => None,
        }
    }
}

/// Reads a file or runs a command again.
#[derive(Debug)]
struct SourceRenewal(TokenSource);

impl Renewal for SourceRenewal {
    fn renew<'a>(&'a self, old: &'a Secret) -> BoxFuture<'a, Result<Secret, String>> {
        let (source, old) = (self.0.clone(), old.clone());
        async move {
            let reading = tokio::task::spawn_blocking(move || source.read_again(&old));
            reading.await.unwrap_or_else(|error| Err(error.to_string()))
        }
        .boxed()
    }
}
