//! Why an entity of the target counts as the counterpart of one of the source.

use std::fmt;

use crate::domain::{EntityKey, Guid, Locale, TargetId, Version};

/// Why an entity of the target counts as the counterpart of one of the source, where the state does not say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// The state has a mapping from the target to the source.
    OtherDirection,
    /// The mapping folder of the official CLI names the pair.
    OfficialCli,
    /// Both sides are one instance, and the entity has its id.
    SameInstance,
    /// The state has a mapping from the source to this instance, and one from there to the target.
    Derived(Guid),
    /// The user named the pair.
    Decision,
    /// The state names the pair for this reason, and no run has compared the two.
    Noted(Box<str>),
    /// Same container, same fields, references to the same entities.
    EqualContent,
    /// Equal content in one locale of the item.
    EqualSibling(Locale),
    /// A value of this field that no other item of the container has, on either side.
    SameKey(Box<str>),
    /// Each side has one item in the container.
    OnlyItem,
    /// The only place left in a selection or between neighbours of a list.
    SamePlace,
}

impl fmt::Display for Recognition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherDirection => f.write_str("mapping of the other direction"),
            Self::OfficialCli => f.write_str("mapping folder of the official CLI"),
            Self::SameInstance => f.write_str("same id on the same instance"),
            Self::Derived(middle) => write!(f, "derived from the mappings through {middle}"),
            Self::Decision => f.write_str("decision of the user"),
            Self::Noted(evidence) => f.write_str(evidence),
            Self::EqualContent => f.write_str("equal content in the same container"),
            Self::EqualSibling(locale) => write!(f, "equal content in {locale}"),
            Self::SameKey(field) => write!(f, "same {field}"),
            Self::OnlyItem => f.write_str("the only item of its container on both sides"),
            Self::SamePlace => f.write_str("same place in its list"),
        }
    }
}

/// A pair of entities that something other than the state of this pair of instances names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The entity of the source.
    pub key: EntityKey,
    /// Its counterpart.
    pub target: TargetId,
    /// What names them.
    pub evidence: Recognition,
    /// The version that the target had then, of content and pages. A target that still has it was not edited since.
    pub target_version: Option<Version>,
}

/// How much evidence makes an item of the target the counterpart of one of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// A mapping, or equal content.
    Equal,
    /// Also a unique title or URL name, or the place in a list.
    #[default]
    Key,
}

impl Adopt {
    /// The name that a user types.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Key => "key",
        }
    }
}
