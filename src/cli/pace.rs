//! What runs remember about the hosts that they talk to.

use super::ends::{Endpoint as _, SourceEnd};
use crate::agility::Instance;
use crate::engine::pace::{Learned, Pacer};
use crate::engine::{Probed, Session, probed_of};
use crate::error::Error;
use crate::store::{Change, Store};

/// Lets both sides start with what earlier runs learned, and share their rates with the runs that are under way.
///
/// # Errors
/// [`Error::Store`] when the state cannot be read.
pub(super) async fn recall(
    session: &Session<SourceEnd, Instance>,
    store: &Store,
) -> Result<(), Error> {
    for (host, pacer) in hosts(session) {
        pacer.recall(&Learned::from_rows(&store.learned(&host).await?));
        pacer.share(store).await;
    }
    Ok(())
}

/// What a probe found out about a target.
///
/// # Errors
/// [`Error::Store`] when the state cannot be read.
pub(super) async fn probed(target: &Instance, store: &Store) -> Result<Probed, Error> {
    let rows = store.learned(&target.host()).await?;
    Ok(probed_of(&rows))
}

/// The hosts of both sides with their pace; a folder has none.
fn hosts(session: &Session<SourceEnd, Instance>) -> impl Iterator<Item = (String, &Pacer)> {
    let (source, target) = (&session.source, &session.target);
    let here = source.instance.instance();
    let here = here.map(|server| (server.host(), &*source.pacer));
    here.into_iter()
        .chain([(target.instance.host(), &*target.pacer)])
}

/// Keeps what this run learned. Where both sides are one host, the target has the last word, because it is
/// written to.
///
/// # Errors
/// [`Error::Store`] when the state cannot be written.
pub(super) async fn remember(
    session: &Session<SourceEnd, Instance>,
    store: &Store,
) -> Result<(), Error> {
    let mut changes = Vec::new();
    for (host, pacer) in hosts(session) {
        for (key, value) in pacer.learned().to_rows() {
            let host = host.clone();
            changes.push(Change::HostLearned { host, key, value });
        }
    }
    if !changes.is_empty() {
        store.commit(changes).await?;
    }
    Ok(())
}
