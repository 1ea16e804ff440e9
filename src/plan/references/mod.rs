//! Which references an entity holds.
//!
//! One walker goes through a body and passes each reference to a [`Visitor`], which returns its replacement. Extraction
//! returns "keep" and collects; rewriting returns the target's id, name or URL. The fields of an item are read by the
//! definition in their model *and* by shape, because custom fields hold any JSON and a model may not be known.
//!
//! | file | finds |
//! |---|---|
//! | `fields` | what a content item's model states about its fields |
//! | `shapes`, `link` | links, galleries and URLs in any JSON |
//! | `structure` | models, containers, templates, assets, redirections |
//! | `pages` | templates, zones, lists and destinations of pages |
//! | `soft` | which of these an entity can do without |
//! | `inside` | the same in JSON inside a text, edited in place |
//! | `assets`, `scan`, `spelling`, `replace` | asset URLs in text |
//! | `hosts` | other URLs in text, whose host is mapped |

mod assets;
mod fields;
mod hosts;
mod inside;
mod link;
mod pages;
mod path;
mod replace;
mod scan;
mod shapes;
mod soft;
mod spelling;
mod structure;
mod walk;

#[cfg(test)]
mod in_place_tests;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

use super::merge::Merged;
use super::policy::Policies;
use super::schema::{Schema, name_key};
use super::{Encoding, LinkForms};
use crate::domain::{Entity, Kind, SourceId};
use walk::Walker;

pub(crate) use assets::decoded;
pub use assets::{AssetIndex, Side, UrlAt, asset_urls};
pub(crate) use hosts::with_other_hosts;
pub(crate) use link::Link;
pub(crate) use pages::{is_bare, is_link_member};
pub(crate) use replace::replacement;
pub(crate) use shapes::{as_id, is_id_list, is_list_name, member, parse_nested};
pub(crate) use soft::{hidden_zones, is_soft};
pub(crate) use walk::{Answer, Occurrence, Visitor, walk};

/// What a reference points at, in the source's terms. Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Referent {
    /// A content item, in the locale of the entity that refers to it.
    Content(i64),
    /// A page, in the locale of the entity that refers to it.
    Page(i64),
    /// A gallery.
    Gallery(i64),
    /// An asset, by its URL.
    Asset(i64),
    /// A model by id.
    Model(i64),
    /// A model by reference name.
    ModelNamed(Box<str>),
    /// A container by id.
    Container(i64),
    /// A container by reference name.
    ContainerNamed(Box<str>),
    /// A page template by name.
    TemplateNamed(Box<str>),
}

/// How a reference names what it points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointer<'a> {
    /// By its id.
    Id(Kind, i64),
    /// By its name, in lower case.
    Name(Kind, &'a str),
}

impl Referent {
    /// The kind of what it points at, with the id or the name.
    pub(crate) const fn pointer(&self) -> Pointer<'_> {
        match self {
            Self::Content(id) => Pointer::Id(Kind::Content, *id),
            Self::Page(id) => Pointer::Id(Kind::Page, *id),
            Self::Gallery(id) => Pointer::Id(Kind::Gallery, *id),
            Self::Asset(id) => Pointer::Id(Kind::Asset, *id),
            Self::Model(id) => Pointer::Id(Kind::Model, *id),
            Self::Container(id) => Pointer::Id(Kind::Container, *id),
            Self::ModelNamed(name) => Pointer::Name(Kind::Model, name),
            Self::ContainerNamed(name) => Pointer::Name(Kind::Container, name),
            Self::TemplateNamed(name) => Pointer::Name(Kind::Template, name),
        }
    }

    /// Whatever `name` names among the entities of `kind`; only models, containers and templates have names
    /// that are referred to.
    pub(crate) fn named(kind: Kind, name: &str) -> Self {
        match kind {
            Kind::Model => Self::ModelNamed(name_key(name)),
            Kind::Template => Self::TemplateNamed(name_key(name)),
            Kind::Container
            | Kind::Gallery
            | Kind::Asset
            | Kind::Content
            | Kind::Page
            | Kind::Redirection => Self::ContainerNamed(name_key(name)),
        }
    }
}

impl fmt::Display for Referent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(id) => write!(f, "content {id}"),
            Self::Page(id) => write!(f, "page {id}"),
            Self::Gallery(id) => write!(f, "gallery {id}"),
            Self::Asset(id) => write!(f, "asset {id}"),
            Self::Model(id) => write!(f, "model {id}"),
            Self::ModelNamed(name) => write!(f, "model {name:?}"),
            Self::Container(id) => write!(f, "container {id}"),
            Self::ContainerNamed(name) => write!(f, "container {name:?}"),
            Self::TemplateNamed(name) => write!(f, "template {name:?}"),
        }
    }
}

/// One place where an entity refers to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What it points at.
    pub to: Referent,
    /// How it is written there.
    pub encoding: Encoding,
    /// JSON pointer (RFC 6901) into the body. For JSON inside a text the pointer inside follows
    /// after `#`: `/fields/settings#/hero/contentid`.
    pub at: String,
    /// Whether it stands in a field that the server refuses to leave empty.
    pub required: bool,
    /// Whether it is one of a list of ids.
    pub in_list: bool,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.to, self.at)
    }
}

/// What the walker has to know about the source.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The source's models.
    pub schema: &'a Schema,
    /// The source's assets.
    pub assets: &'a AssetIndex,
    /// What is never written; `None` where nothing is.
    pub policies: Option<&'a Policies>,
    /// Fields that stay as the target has them; `None` where none do.
    pub merged: Option<&'a Merged>,
    /// How selections of one item are written. References are found without regard to it.
    pub links: LinkForms,
}

impl<'a> Context<'a> {
    /// What entities say, with no regard to what may be written.
    pub const fn of(schema: &'a Schema, assets: &'a AssetIndex) -> Self {
        Self {
            schema,
            assets,
            policies: None,
            merged: None,
            links: LinkForms::USUAL,
        }
    }
}

/// Finds every reference of `entity`: first what the entity itself is made of, then its content in the order of
/// the body. Built-in models and containers, and ids of 0 and below, are none. A model that refers to itself
/// does: the server has its name only once it is stored.
pub fn references(entity: &Entity<SourceId>, context: &Context<'_>) -> Vec<Reference> {
    references_in(entity, &mut entity.body.parse(), context)
}

/// As [`references`], for an entity whose body is parsed already. The body stays as it is.
pub(crate) fn references_in(
    entity: &Entity<SourceId>,
    body: &mut Value,
    context: &Context<'_>,
) -> Vec<Reference> {
    let mut collector = Collector { found: Vec::new() };
    Walker::new(context, &mut collector).entity(entity, body);
    collector.found
}

/// Notes what the walker shows it and changes nothing.
struct Collector {
    found: Vec<Reference>,
}

impl Visitor for Collector {
    fn meet(&mut self, occurrence: Occurrence<'_>) -> Answer {
        self.found.push(occurrence.reference());
        Answer::Keep
    }

    fn known_name(&mut self, _kind: Kind, _name: &str) -> Option<Box<str>> {
        None
    }

    fn url(
        &mut self,
        occurrence: Option<Occurrence<'_>>,
        _text: &str,
        _url: &UrlAt,
    ) -> Option<String> {
        self.found
            .extend(occurrence.map(|occurrence| occurrence.reference()));
        None
    }
}
