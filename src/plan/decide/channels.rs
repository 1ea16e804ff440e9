//! The channel of a page on the target: the one of the same name, or none.

use super::chains;
use super::matching::Match;
use crate::domain::{Channel, Entity, Inventory, Kind, SourceId, TargetId};

/// The channel of the target that is called like that of a page.
pub(super) fn channel_of<'a>(
    page: &Entity<SourceId>,
    target: &'a Inventory<TargetId>,
) -> Option<&'a Channel> {
    let name = &page.placement.as_ref()?.channel;
    target.channels.iter().find(|one| one.is_called(name))
}

/// `digitalChannelID` of the channel that a page goes into: the one of the same name, else that of its counterpart.
/// Every instance has a channel, so where none was read, it is the first one.
pub fn channel_id(
    page: &Entity<SourceId>,
    present: Option<&Entity<TargetId>>,
    target: &Inventory<TargetId>,
) -> Option<i64> {
    if target.channels.is_empty() {
        return Some(1);
    }
    let named = channel_of(page, target).map(|channel| channel.id);
    named.or_else(|| Some(present?.placement.as_ref()?.channel_id))
}

/// Why a page cannot be put anywhere, and what to do.
pub fn no_channel(page: &Entity<SourceId>, target: &Inventory<TargetId>) -> String {
    let name = page.placement.as_ref().map_or("", |place| &place.channel);
    format!(
        "the target has no channel {name:?}; it has {}: give the one that is meant with --channel-map {name}=NAME, \
         rename it, or choose channels with --channel",
        Channel::list(&target.channels)
    )
}

/// What keeps a page from being placed. One that an earlier run migrated stays in the channel where it is. Every
/// instance has a channel, so where none was read, nothing is known of them.
pub(super) fn missing(
    page: &Entity<SourceId>,
    found: &Match,
    target: &Inventory<TargetId>,
) -> Option<String> {
    let is_placed = page.key.kind == Kind::Page && page.placement.is_some();
    let is_placed = is_placed && !target.channels.is_empty();
    let stays = matches!(found, Match::Mapped(_)) && chains::present(page, found, target).is_some();
    (is_placed && !stays && channel_of(page, target).is_none()).then(|| no_channel(page, target))
}
