//! Where pages and the items of lists stood when both sides last agreed about it.

use serde::{Deserialize, Serialize};

use super::{Locale, Placement};

/// A list of content items in one locale, as the source names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListKey {
    /// The reference name of its container, in lower case.
    pub list: String,
    /// The locale.
    pub locale: Locale,
}

/// What is remembered of the number (`itemOrder`) of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AgreedNumber {
    /// The source's when the list was in the same order on both sides.
    Was(i64),
    /// It was written, and the list was in another order when it was read back.
    Owed,
}

/// A row of siblings on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Home {
    /// `digitalChannelID` on that side.
    pub channel: i64,
    /// The parent on that side; `None` at the root of the channel.
    pub parent: Option<i64>,
}

impl Home {
    /// The row that a page stands in.
    pub const fn of(placement: &Placement) -> Self {
        Self {
            channel: placement.channel_id,
            parent: placement.parent,
        }
    }
}

/// The place of a page at its last agreement.
///
/// Kept as a JSON object; readers ignore unknown members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreedPlace {
    /// Its row on the source.
    pub source: Home,
    /// Its row on the target.
    pub target: Home,
    /// Orders the pages of a row: less comes first. Only the order of two ranks means something.
    pub rank: i64,
    /// Whether a save that only moved it left it unpublished although it was published before.
    #[serde(default)]
    pub unpublished: bool,
    /// Whether it was put there, and its row was not read back since, or was not as it should be then. Then nothing is
    /// agreed, and what stands elsewhere is not the target's doing.
    #[serde(default)]
    pub owed: bool,
    /// Whether both sides moved it among its siblings since, to different places. Then nothing is agreed about its place
    /// until it is the same on both sides, or one side decides.
    #[serde(default)]
    pub disputed: bool,
}
