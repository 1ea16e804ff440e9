//! Digital channels that have another name on the target.
//!
//! The target's channels get the names of the source as soon as they are read. So everything that comes after compares
//! names, and the difference matters nowhere else.

use super::run_error::RunError;
use crate::domain::{Channel, Inventory, SourceId, TargetId};
use crate::plan::UnknownName;

/// A name that no channel has.
#[derive(Debug)]
pub(super) enum NoChannel {
    /// On the source.
    Here(UnknownName),
    /// On the target.
    There {
        /// The name.
        missing: String,
        /// What there is.
        known: String,
    },
}

impl From<NoChannel> for RunError {
    fn from(error: NoChannel) -> Self {
        match error {
            NoChannel::Here(unknown) => Self::Selection(unknown),
            NoChannel::There { missing, known } => Self::TargetChannel { missing, known },
        }
    }
}

/// Gives each channel of the target that `map` names the name that it has on the source. They come first from then on,
/// so that they are found before another one of that name.
///
/// # Errors
/// [`NoChannel`] when either side has no channel of the name.
pub(super) fn rename(
    map: &[(String, String)],
    source: &Inventory<SourceId>,
    target: &mut Inventory<TargetId>,
) -> Result<(), NoChannel> {
    let mut renamed = Vec::new();
    for (here, there) in map {
        let named = |channels: &[Channel], name| {
            let found = channels.iter().find(|one| one.is_called(name));
            found.cloned()
        };
        let here = named(&source.channels, here)
            .ok_or_else(|| NoChannel::Here(UnknownName::channel(here, &source.channels)))?;
        let there = named(&target.channels, there).ok_or_else(|| NoChannel::There {
            missing: there.clone(),
            known: Channel::list(&target.channels),
        })?;
        renamed.push(Channel {
            id: there.id,
            name: here.name,
        });
    }
    let is_left = |channel: &Channel| renamed.iter().all(|one| one.id != channel.id);
    target.channels.retain(is_left);
    target.channels.splice(0..0, renamed);
    Ok(())
}
