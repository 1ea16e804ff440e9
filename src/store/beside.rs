//! Connections to a server beside those of the writer and of readers, opened when they are needed.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use super::StoreError;
use super::connection::Connection;

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
