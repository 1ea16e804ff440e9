//! Connections to a server beside those of the writer and of readers, opened when they are needed.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use super::connection::{Connection, Opener};
use super::{Store, StoreError};

/// The connections; in a file there are none.
#[derive(Default)]
pub(super) struct Beside {
    /// For the bytes of assets.
    pub(super) blobs: Mutex<Option<Connection>>,
    /// For the rates that runs share.
    rates: Mutex<Option<Connection>>,
    is_closed: AtomicBool,
}

impl Beside {
    /// For the rates that runs share.
    ///
    /// # Errors
    /// [`StoreError::Closed`] after the end of the store.
    pub(super) fn rates(&self) -> Result<&Mutex<Option<Connection>>, StoreError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        Ok(&self.rates)
    }

    /// Ends them.
    pub(super) async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        for beside in [&self.blobs, &self.rates] {
            if let Some(connection) = beside.lock().await.take() {
                connection.close().await;
            }
        }
    }
}

impl Store {
    /// Whether it is on a server, where runs of other machines may use it at the same time.
    pub fn is_on_server(&self) -> bool {
        matches!(self.opener(), Opener::Server(_))
    }
}

/// The connection that is held, or a new one where there is none or where it was lost.
///
/// # Errors
/// [`StoreError`] when the server cannot be reached.
pub(super) async fn connected<'c>(
    held: &'c mut Option<Connection>,
    store: &Store,
) -> Result<&'c mut Connection, StoreError> {
    if held.as_ref().is_none_or(Connection::is_lost) {
        *held = Some(store.opener().open(store.place()).await?);
    }
    held.as_mut().ok_or(StoreError::Closed)
}
