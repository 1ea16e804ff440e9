//! The differences that a verification reports.

use serde::{Deserialize, Serialize};

use crate::domain::EntityKey;
use crate::event::Event;

/// How the target differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// It is not there.
    Missing,
    /// It is there twice.
    Duplicate,
    /// A reference points at nothing.
    Dangling,
    /// A reference points at something else.
    WrongReference,
    /// A field says something else.
    DifferentField,
    /// Siblings stand in another order.
    WrongOrder,
    /// A page stands below another parent.
    WrongParent,
    /// The bytes of an asset are not the same.
    DifferentBytes,
    /// It is there, and should have been deleted.
    StillThere,
    /// The state maps it to something else than its counterpart.
    WrongMapping,
}

impl DifferenceKind {
    /// The name as reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Dangling => "dangling",
            Self::WrongReference => "wrong-reference",
            Self::DifferentField => "different-field",
            Self::WrongOrder => "wrong-order",
            Self::WrongParent => "wrong-parent",
            Self::DifferentBytes => "different-bytes",
            Self::StillThere => "still-there",
            Self::WrongMapping => "wrong-mapping",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The entity of the source.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// What is wrong.
    pub difference: DifferenceKind,
    /// Where, and what was expected and found.
    pub detail: String,
    /// Whether the run left it as it is: only the target changed, or both sides did. What is not left alone is owed.
    pub left_alone: bool,
}

impl Difference {
    /// The event that reports it.
    pub(in crate::engine) fn found(&self) -> Event {
        Event::DifferenceFound {
            key: self.key.clone(),
            difference: self.difference.name().to_owned(),
            detail: self.detail.clone(),
            left_alone: self.left_alone,
        }
    }
}

/// Which entities are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// After a run: everything that has a counterpart, what was left alone too. Failures are reported already.
    AfterRun,
    /// On request: everything that the selection has, whatever changed it.
    Everything,
}
