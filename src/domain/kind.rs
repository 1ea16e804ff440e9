//! What kinds of thing a migration moves.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of entity. The order is the order in which results are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A content or component model ("content definition").
    Model,
    /// A container ("content view"): the list that content items live in.
    Container,
    /// A page template ("page model") with its zones.
    Template,
    /// A gallery ("media grouping").
    Gallery,
    /// A media file.
    Asset,
    /// A content item in one locale.
    Content,
    /// A page in one locale.
    Page,
    /// A URL redirection rule.
    Redirection,
}

impl Kind {
    /// Every kind, in listing order.
    pub const ALL: [Self; 8] = [
        Self::Model,
        Self::Container,
        Self::Template,
        Self::Gallery,
        Self::Asset,
        Self::Content,
        Self::Page,
        Self::Redirection,
    ];

    /// The singular name, as it stands in keys: `content`, `page`, ….
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Container => "container",
            Self::Template => "template",
            Self::Gallery => "gallery",
            Self::Asset => "asset",
            Self::Content => "content",
            Self::Page => "page",
            Self::Redirection => "redirection",
        }
    }

    /// The plural name for headings: `models`, `content items`, ….
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Container => "containers",
            Self::Template => "templates",
            Self::Gallery => "galleries",
            Self::Asset => "assets",
            Self::Content => "content items",
            Self::Page => "pages",
            Self::Redirection => "redirections",
        }
    }

    /// Whether others refer to an entity of this kind by its name, as well as by its id.
    pub const fn is_named(self) -> bool {
        matches!(self, Self::Model | Self::Container | Self::Template)
    }

    /// Whether an entity of this kind exists once per locale.
    pub const fn is_localised(self) -> bool {
        matches!(self, Self::Content | Self::Page)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let wanted = text.trim().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == wanted)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// A word that names no kind of entity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown kind of entity {0:?}; expected one of model, container, template, gallery, asset, content, page, redirection"
)]
pub struct UnknownKind(pub String);
