//! What runs remember about the hosts that they talk to.

use crate::agility::Instance;
use crate::engine::Session;
use crate::engine::pace::Learned;
use crate::error::Error;
use crate::store::{Change, Store};

/// Lets both sides start with what earlier runs learned.
///
/// # Errors
/// [`Error::Store`] when the state cannot be read.
pub(super) async fn recall(
    session: &Session<Instance, Instance>,
    store: &Store,
) -> Result<(), Error> {
    for reader in [&session.source, &session.target] {
        let rows = store.learned(&reader.instance.host()).await?;
        reader.pacer.recall(&Learned::from_rows(&rows));
    }
    Ok(())
}

/// Keeps what this run learned. Where both sides are one host, the target has the last word, because it is
/// written to.
///
/// # Errors
/// [`Error::Store`] when the state cannot be written.
pub(super) async fn remember(
    session: &Session<Instance, Instance>,
    store: &Store,
) -> Result<(), Error> {
    let mut changes = Vec::new();
    for reader in [&session.source, &session.target] {
        let host = reader.instance.host();
        for (key, value) in reader.pacer.learned().to_rows() {
            let host = host.clone();
            changes.push(Change::HostLearned { host, key, value });
        }
    }
    if !changes.is_empty() {
        store.commit(changes).await?;
    }
    Ok(())
}
