//! One entity of an open request, and what became of it.

use crate::domain::{ContentHash, EntityKey, TargetId, TargetKey};
use crate::instance::Saved;
use crate::store::IntentDetail;

/// One entity of an open request.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Which request.
    pub(super) open: usize,
    pub(super) key: EntityKey,
    /// The hash of what was sent.
    pub(super) hash: ContentHash,
    pub(super) detail: IntentDetail,
    /// Whether it was sent so long ago that it cannot be on its way any more.
    pub(super) is_old: bool,
    pub(super) fate: Fate,
}

/// What became of an entity.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// Not known yet.
    Open,
    /// It is on the target as it was sent.
    Arrived(Saved),
    /// It is not.
    Absent,
    /// Its outcome was noted all the same.
    Noted,
    /// Nobody can tell.
    InDoubt(String),
}

impl Item {
    /// Whether the target was to choose an id.
    pub(super) const fn creates(&self) -> bool {
        self.detail.target.is_none()
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.fate, Fate::Open)
    }

    pub(super) fn target_key(&self, id: TargetId) -> TargetKey {
        TargetKey {
            kind: self.key.kind,
            id,
            locale: self.key.locale.clone(),
        }
    }
}
