//! An entity as it was read.

use serde::{Deserialize, Serialize};

use super::{Body, Id, Key, Locale, SourceId, Version};

/// An entity as read from one side.
///
/// The body keeps what the API returned, because a save replaces the stored object, and members that are
/// not sent are lost. Its shape depends on the kind; member casing is made uniform by the reader:
///
/// | kind | body |
/// |---|---|
/// | model | `Model` of `GET model/{id}` with its complete `fields` |
/// | container | `Container` of `GET container/{id}` |
/// | template | `PageModel` of `GET {locale}/page/templates?includeModuleZones=true` |
/// | gallery | `AssetMediaGrouping` of `GET asset/galleries` |
/// | asset | `Media` of `GET asset/list`, plus `focalX`, `focalY` when known |
/// | content | `ContentItem`: `contentID`, `properties`, `fields`, `seo`, `scripts` |
/// | page | `PageItem` with zone items as `{"contentid": n}` |
/// | redirection | `UrlRedirection` with the names of the Management API |
#[derive(Clone, Debug, PartialEq)]
pub struct Entity<I> {
    /// Which entity this is.
    pub key: Key<I>,
    /// What a person calls it: reference name, file path, page path or item title.
    pub name: Box<str>,
    /// The version of a content item or page, where the API states one.
    pub version: Option<Version>,
    /// The workflow state of a content item or page; `None` of other kinds.
    pub state: ItemState,
    /// Where a page stands in its tree; absent for other kinds and for pages that no sitemap lists.
    pub placement: Option<Box<Placement>>,
    /// The JSON of the entity.
    pub body: Body,
}

/// Where a page stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The display name of its digital channel.
    pub channel: Box<str>,
    /// `digitalChannelID` of that channel on its own side.
    pub channel_id: i64,
    /// The raw id of its parent on its own side; `None` at the root of the channel.
    pub parent: Option<i64>,
    /// Zero-based position among its siblings in display order.
    pub position: u32,
}

impl<I: Id> Entity<I> {
    /// The locale of a content item or page.
    pub fn locale(&self) -> Option<&Locale> {
        self.key.locale.as_ref()
    }
}

impl Entity<SourceId> {
    /// Whether the source shows it to the public, so that the target should as well when asked to publish.
    pub fn is_published(&self) -> bool {
        self.state == ItemState::Published
    }

    /// Whether the source showed it to the public and no longer does.
    pub fn is_withdrawn(&self) -> bool {
        self.state == ItemState::Unpublished
    }
}

/// The workflow state of a content item or page (`ItemState` of the Management API's enumerations).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemState {
    /// Not stated, or a kind without a workflow.
    #[default]
    None,
    /// Saved, not published (1).
    Staging,
    /// Published (2).
    Published,
    /// Deleted (3); such rows are never entities, they only end others.
    Deleted,
    /// Approved (4).
    Approved,
    /// Awaiting approval (5).
    AwaitingApproval,
    /// Declined (6).
    Declined,
    /// Unpublished (7).
    Unpublished,
}

impl ItemState {
    /// Reads the number of the wire; unknown numbers count as [`ItemState::None`].
    pub const fn from_wire(number: i64) -> Self {
        match number {
            1 => Self::Staging,
            2 => Self::Published,
            3 => Self::Deleted,
            4 => Self::Approved,
            5 => Self::AwaitingApproval,
            6 => Self::Declined,
            7 => Self::Unpublished,
            _ => Self::None,
        }
    }
}
