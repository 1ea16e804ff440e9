//! The keyring of the system: Secret Service, Keychain or Credential Manager.

use std::sync::mpsc;
use std::time::Duration;

use crate::domain::redact_message;

/// The name of the program in the keyring.
const SERVICE: &str = "lockgate";

/// How long the keyring may take; it may ask the user for a password.
const LIMIT: Duration = Duration::from_mins(1);

/// Keeps a text under a name.
///
/// # Errors
/// The reason in words: the keyring is absent, or does not take it.
pub(super) fn set(name: &str, text: &str) -> Result<(), String> {
    let text = text.to_owned();
    with(name, move |entry| entry.set_password(&text))
}

/// What is kept under a name; `None` where nothing is.
///
/// # Errors
/// The reason in words: the keyring is absent, or does not give it.
pub(super) fn get(name: &str) -> Result<Option<String>, String> {
    with(name, |entry| match entry.get_password() {
        Ok(text) => Ok(Some(text)),
        Err(backend::Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    })
}

/// Removes what is kept under a name, if anything is.
///
/// # Errors
/// The reason in words: the keyring is absent, or does not remove it.
pub(super) fn delete(name: &str) -> Result<(), String> {
    with(name, |entry| match entry.delete_credential() {
        Err(backend::Error::NoEntry) => Ok(()),
        done => done,
    })
}

/// Does something with an entry, in a thread of its own: the keyring may wait for the user for good.
fn with<R: Send + 'static>(
    name: &str,
    work: impl FnOnce(&backend::Entry) -> Result<R, backend::Error> + Send + 'static,
) -> Result<R, String> {
    let name = name.to_owned();
    // One answer is sent.
    let (done, answer) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let result = backend::open(SERVICE, &name).and_then(|entry| work(&entry));
        // After the limit nothing waits any more.
        drop(done.send(result));
    });
    match answer.recv_timeout(LIMIT) {
        Ok(result) => result.map_err(|error| reason(&error)),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

fn reason(error: &backend::Error) -> String {
    redact_message(&error.to_string())
}

#[cfg(feature = "keyring")]
mod backend {
    use std::sync::Arc;

    use keyring_core::CredentialStore;
    pub(super) use keyring_core::{Entry, Error};

    /// An entry of the keyring; fails where the system has none.
    pub(super) fn open(service: &str, name: &str) -> Result<Entry, Error> {
        if keyring_core::get_default_store().is_none() {
            keyring_core::set_default_store(store()?);
        }
        Entry::new(service, name)
    }

    #[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
    fn store() -> Result<Arc<CredentialStore>, Error> {
        Ok(dbus_secret_service_keyring_store::Store::new()?)
    }

    #[cfg(target_os = "macos")]
    fn store() -> Result<Arc<CredentialStore>, Error> {
        Ok(apple_native_keyring_store::keychain::Store::new()?)
    }

    #[cfg(windows)]
    fn store() -> Result<Arc<CredentialStore>, Error> {
        Ok(windows_native_keyring_store::Store::new()?)
    }

    #[cfg(not(any(unix, windows)))]
    fn store() -> Result<Arc<CredentialStore>, Error> {
        Err(Error::NoDefaultStore)
    }
}

#[cfg(not(feature = "keyring"))]
mod backend {
    /// An entry of a keyring that there is not.
    #[derive(Debug)]
    pub(super) enum Entry {}

    impl Entry {
        pub(super) fn set_password(&self, _: &str) -> Result<(), Error> {
            match *self {}
        }

        pub(super) fn get_password(&self) -> Result<String, Error> {
            match *self {}
        }

        pub(super) fn delete_credential(&self) -> Result<(), Error> {
            match *self {}
        }
    }

    /// Why there is none.
    #[derive(Debug, thiserror::Error)]
    pub(super) enum Error {
        #[error("this build has no support for keyrings")]
        Absent,
        /// Of keyrings that there are.
        #[error("nothing is kept")]
        #[expect(dead_code, reason = "only a keyring says so")]
        NoEntry,
    }

    pub(super) fn open(_: &str, _: &str) -> Result<Entry, Error> {
        Err(Error::Absent)
    }
}
