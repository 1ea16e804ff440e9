//! Restores a target from a folder that was read from it earlier.

use crate::domain::{Id, Inventory, SourceId, TargetId};
use crate::plan::{Agreements, Hint, Recognition};

/// Entities of one id are one entity. Versions only rise, so one with a lower version is another entity that was given the id
/// of a deleted one.
pub(super) fn hints(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
) -> impl Iterator<Item = Hint> {
    source.entities().iter().filter_map(|here| {
        let id = TargetId::new(here.key.id.raw());
        let there = target.get(&here.key.with_id(id))?;
        let is_later = there.version >= here.version;
        is_later.then(|| Hint {
            key: here.key.clone(),
            target: id,
            evidence: Recognition::SameInstance,
            target_version: None,
        })
    })
}

/// Leaves the counterparts and nothing else: what the target alone has changed since the last agreement would be left alone,
/// and is what is to be reverted. Without a base it is a conflict, which --overwrite decides for the source.
pub(super) fn forget_bases(agreements: &mut Agreements) {
    for agreement in agreements.values_mut() {
        agreement.source_hash = None;
        agreement.target_hash = None;
        agreement.target_version = None;
        agreement.place = None;
        agreement.number = None;
    }
}
