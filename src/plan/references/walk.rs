//! The walker: references that it finds, the visitor that it calls, and the slots that it fills.

use serde_json::{Map, Value};

use super::path::Path;
use super::{Context, Reference, Referent, UrlAt};
use crate::domain::{Entity, Kind, SourceId};
use crate::plan::Encoding;
use crate::plan::schema::{RICH_TEXT_MODEL, is_built_in_container, is_built_in_model};

/// A reference that the walker has come upon.
#[derive(Debug)]
pub(crate) struct Occurrence<'a> {
    pub(crate) to: Referent,
    pub(crate) encoding: Encoding,
    pub(crate) place: Place<'a>,
    pub(crate) in_list: bool,
    /// The name as written, of references by name.
    pub(crate) name: &'a str,
}

impl Occurrence<'_> {
    pub(crate) fn reference(&self) -> Reference {
        Reference {
            to: self.to.clone(),
            encoding: self.encoding,
            at: self.place.path.to_string(),
            required: self.place.required,
            in_list: self.in_list,
        }
    }
}

/// Where the walker stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) path: Path<'a>,
    /// Whether the field that this belongs to must not be empty.
    pub(crate) required: bool,
    /// Whether the server keeps nothing of what stands here.
    pub(crate) unstored: bool,
}

impl Place<'_> {
    pub(crate) const ROOT: Self = Self {
        path: Path::Root,
        required: false,
        unstored: false,
    };

    pub(crate) fn member<'a>(&'a self, name: &'a str) -> Place<'a> {
        Place {
            path: Path::Member(&self.path, name),
            required: self.required,
            unstored: self.unstored,
        }
    }

    pub(crate) fn item(&self, at: usize) -> Place<'_> {
        Place {
            path: Path::Item(&self.path, at),
            required: self.required,
            unstored: self.unstored,
        }
    }

    pub(crate) fn inside(&self) -> Place<'_> {
        Place {
            path: Path::Inside(&self.path),
            required: self.required,
            unstored: self.unstored,
        }
    }
}

/// What is to stand in the place of a reference.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What stands there now.
    Keep,
    /// Another id.
    Id(i64),
    /// Another name.
    Name(Box<str>),
    /// Nothing.
    Empty,
}

/// Decides about each reference that the walker shows.
pub(crate) trait Visitor {
    /// Decides about a reference.
    fn meet(&mut self, occurrence: Occurrence<'_>) -> Answer;

    /// Another name for one that is no reference: the entity may do without its bearer.
    fn known_name(&mut self, kind: Kind, name: &str) -> Option<Box<str>>;

    /// What `url` of `text` becomes; `None` keeps it. Without an occurrence it only begins like the URL of
    /// an asset.
    fn url(
        &mut self,
        occurrence: Option<Occurrence<'_>>,
        text: &str,
        url: &UrlAt,
    ) -> Option<String>;
}

/// Shows every reference in `body`, which is that of `entity` or made from it, to `visitor`.
pub(crate) fn walk(
    entity: &Entity<SourceId>,
    body: &mut Value,
    context: &Context<'_>,
    visitor: &mut dyn Visitor,
) {
    Walker::new(context, visitor).entity(entity, body);
}

pub(super) struct Walker<'a> {
    pub(super) context: Context<'a>,
    pub(super) visitor: &'a mut dyn Visitor,
}

/// Puts `new` in place of `slot`.
pub(super) fn set(slot: &mut Value, new: impl Into<Value>) {
    *slot = new.into();
}

impl<'a> Walker<'a> {
    pub(super) fn new(context: &Context<'a>, visitor: &'a mut dyn Visitor) -> Self {
        Self {
            context: *context,
            visitor,
        }
    }

    pub(super) fn entity(&mut self, entity: &Entity<SourceId>, body: &mut Value) {
        let Value::Object(body) = body else { return };
        match entity.key.kind {
            Kind::Model => self.model(body),
            Kind::Container => self.container(body),
            Kind::Template => self.template(body),
            Kind::Gallery => {}
            Kind::Asset => self.asset(body),
            Kind::Content => self.content(body),
            Kind::Page => self.page(body),
            Kind::Redirection => self.redirection(body),
        }
    }

    pub(super) fn ask(
        &mut self,
        to: Referent,
        encoding: Encoding,
        place: Place<'_>,
        in_list: bool,
    ) -> Answer {
        self.visitor.meet(Occurrence {
            to,
            encoding,
            place,
            in_list,
            name: "",
        })
    }

    /// A member that holds an id as number or text. Emptied, it holds null.
    pub(super) fn id_member(
        &mut self,
        object: &mut Map<String, Value>,
        name: &str,
        place: &Place<'_>,
        referent: impl FnOnce(i64) -> Referent,
        encoding: Encoding,
    ) {
        if let Some(value) = object.get_mut(name) {
            self.id_slot(value, place.member(name), referent, encoding);
        }
    }

    /// As [`Walker::id_member`], for a value.
    pub(super) fn id_slot(
        &mut self,
        value: &mut Value,
        place: Place<'_>,
        referent: impl FnOnce(i64) -> Referent,
        encoding: Encoding,
    ) {
        let Some(id) = super::as_id(value) else {
            return;
        };
        let to = referent(id);
        if to == Referent::Model(RICH_TEXT_MODEL) {
            return;
        }
        match self.ask(to, encoding, place, false) {
            Answer::Id(new) if value.is_string() => set(value, new.to_string()),
            Answer::Id(new) => set(value, new),
            Answer::Empty => set(value, Value::Null),
            Answer::Keep | Answer::Name(_) => {}
        }
    }

    /// A value that holds the name of a model, container or template. Returns whether it was emptied, which
    /// leaves blank text.
    pub(super) fn name_slot(
        &mut self,
        value: &mut Value,
        place: Place<'_>,
        kind: Kind,
        encoding: Encoding,
    ) -> bool {
        let Some(name) = value
            .as_str()
            .map(str::trim)
            .filter(|name| !name.is_empty())
        else {
            return false;
        };
        let is_built_in = match kind {
            Kind::Model => is_built_in_model(name),
            Kind::Container => is_built_in_container(name),
            Kind::Template
            | Kind::Gallery
            | Kind::Asset
            | Kind::Content
            | Kind::Page
            | Kind::Redirection => false,
        };
        if is_built_in {
            return false;
        }
        let to = Referent::named(kind, name);
        match self.visitor.meet(Occurrence {
            to,
            encoding,
            place,
            in_list: false,
            name,
        }) {
            Answer::Name(new) => set(value, &*new),
            Answer::Empty => {
                set(value, "");
                return true;
            }
            Answer::Keep | Answer::Id(_) => {}
        }
        false
    }

    /// A name that is taken over where its counterpart is known.
    pub(super) fn soft_name(&mut self, value: &mut Value, kind: Kind) {
        let known = value
            .as_str()
            .and_then(|name| self.visitor.known_name(kind, name));
        if let Some(new) = known
            && value.as_str() != Some(&new)
        {
            set(value, &*new);
        }
    }
}
