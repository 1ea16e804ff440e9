//! The references of an entity while its body is walked through.
//!
//! A visitor of its own, beside the one that lists references: a million entities have seven million references, and only
//! of those that lead nowhere the position has to be written out.

use serde_json::Value;

use super::needs::{Resolved, Resolver};
use crate::domain::{Entity, Kind, SourceId};
use crate::plan::graph::{Need, Strength};
use crate::plan::references::{Answer, Occurrence, Visitor, hidden_zones, is_soft, walk};
use crate::plan::{Reference, Referent, UrlAt};

/// What it costs to leave out a reference, so that the cheapest are cut: optional single links first, then
/// optional lists, and required fields only where nothing else opens the cycle.
const COST_SINGLE: u32 = 1;
const COST_LIST: u32 = 3;
const COST_REQUIRED: u32 = Strength::COST_REQUIRED;

/// The references of one entity as they are found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Every need with the reference that says so; `None` for needs that no reference says: parents,
    /// the first locale of an item.
    pub(super) all: Vec<(Need, Option<Referent>)>,
    pub(super) encodings: u64,
    pub(super) missing: Option<Box<str>>,
    /// Soft relations that lead nowhere: how many, and the first one.
    dead: Option<(u32, Box<str>)>,
    /// Zones that the template of a page does not have.
    hidden: Vec<(String, usize)>,
}

impl Found {
    /// What the entity goes without.
    pub(super) fn left_out(&self) -> Option<Box<str>> {
        let dead = self.dead.as_ref().map(|(count, first)| match count {
            1 => format!("it goes without {first}"),
            count => {
                format!("it goes without {count} references that lead nowhere, such as {first}")
            }
        });
        let hidden = self.hidden.iter().map(|(zone, modules)| {
            format!(
                "it goes without the zone {zone:?} ({modules} modules), which its template does not have"
            )
        });
        let all: Vec<String> = dead.into_iter().chain(hidden).collect();
        (!all.is_empty()).then(|| all.join("; ").into())
    }

    /// What is found in `body`, which is that of `entity`.
    pub(super) fn in_body(
        resolver: &Resolver<'_>,
        entity: &Entity<SourceId>,
        body: &mut Value,
    ) -> Self {
        let context = resolver.context;
        let mut noter = Noter {
            resolver,
            entity,
            found: Self::default(),
        };
        walk(entity, body, &context, &mut noter);
        if let (Kind::Page, Value::Object(page)) = (entity.key.kind, &*body) {
            noter.found.hidden = hidden_zones(page, context.schema);
            noter.found.hidden.retain(|(_, modules)| *modules > 0);
        }
        noter.found
    }
}

/// Notes what the walker shows it and changes nothing.
struct Noter<'a> {
    resolver: &'a Resolver<'a>,
    entity: &'a Entity<SourceId>,
    found: Found,
}

impl Visitor for Noter<'_> {
    fn meet(&mut self, occurrence: Occurrence<'_>) -> Answer {
        let found = &mut self.found;
        found.encodings |= occurrence.encoding.bit();
        match self.resolver.resolve(&occurrence.to, self.entity.locale()) {
            Resolved::Node(on) => {
                let strength = strength(self.entity.key.kind, &occurrence);
                found.all.push((Need { on, strength }, Some(occurrence.to)));
            }
            Resolved::Settled => {}
            Resolved::Missing if is_soft(self.entity.key.kind, &occurrence) => {
                let (count, _) = found
                    .dead
                    .get_or_insert_with(|| (0, dead(&occurrence.reference()).into()));
                *count += 1;
            }
            Resolved::Missing => {
                let missing = || missing(&occurrence.reference()).into();
                found.missing.get_or_insert_with(missing);
            }
        }
        Answer::Keep
    }

    /// The model of a module in a zone: a page can do without one that the source does not have, and comes after one that
    /// it has. Containers that models and templates name may need these themselves.
    fn known_name(&mut self, kind: Kind, name: &str) -> Option<Box<str>> {
        if self.entity.key.kind == Kind::Page
            && let Resolved::Node(on) = self.resolver.resolve(&Referent::named(kind, name), None)
        {
            let strength = Strength::Hard;
            self.found.all.push((Need { on, strength }, None));
        }
        None
    }

    fn url(
        &mut self,
        occurrence: Option<Occurrence<'_>>,
        _text: &str,
        _url: &UrlAt,
    ) -> Option<String> {
        if let Some(occurrence) = occurrence {
            self.meet(occurrence);
        }
        None
    }
}

/// Content may be saved without a reference to content and patched later; so may a model without the field
/// that names a model, and a link page without its page. Everything else has to be there first; the model of an item and
/// the template of a page with all that they are going to have.
fn strength(kind: Kind, reference: &Occurrence<'_>) -> Strength {
    let is_shape = matches!(
        (kind, &reference.to),
        (Kind::Content, Referent::Model(_) | Referent::ModelNamed(_))
            | (Kind::Page, Referent::TemplateNamed(_))
    );
    if is_shape {
        return Strength::Whole;
    }
    let deferrable = matches!(
        (kind, &reference.to),
        (Kind::Content, Referent::Content(_))
            | (Kind::Model, Referent::Model(_) | Referent::ModelNamed(_))
            | (Kind::Page, Referent::Page(_))
    );
    if !deferrable {
        return Strength::Hard;
    }
    let cost = if reference.place.required && kind == Kind::Content {
        COST_REQUIRED
    } else if reference.in_list {
        COST_LIST
    } else {
        COST_SINGLE
    };
    Strength::Deferrable { cost }
}

/// `gallery 77, which does not exist on the source (at /mediaGroupingID)`.
fn dead(reference: &Reference) -> String {
    format!(
        "{}, which does not exist on the source (at {})",
        named(&reference.to),
        reference.at
    )
}

fn missing(reference: &Reference) -> String {
    format!(
        "it refers at {} to {}, which does not exist on the source",
        reference.at,
        named(&reference.to)
    )
}

fn named(to: &Referent) -> String {
    match to {
        Referent::Content(id) => format!("content item {id}"),
        Referent::Page(id) => format!("page {id}"),
        Referent::Gallery(id) => format!("gallery {id}"),
        Referent::Asset(id) => format!("asset {id}"),
        Referent::Model(id) => format!("model {id}"),
        Referent::Container(id) => format!("container {id}"),
        Referent::ModelNamed(name) => format!("the model {name:?}"),
        Referent::ContainerNamed(name) => format!("the container {name:?}"),
        Referent::TemplateNamed(name) => format!("the template {name:?}"),
    }
}
