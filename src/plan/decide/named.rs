//! The names of other entities in a body.

use crate::domain::{Entity, Kind, SourceId};
use crate::plan::references::{Answer, Occurrence, Visitor, walk};
use crate::plan::{Context, Referent, UrlAt};

/// Notes names and changes nothing.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<(Kind, Box<str>)>);

impl Named {
    /// Whatever `entity` calls by name, be it a reference or a name that it could do without.
    pub(super) fn in_body(
        entity: &Entity<SourceId>,
        context: Context<'_>,
    ) -> Vec<(Kind, Box<str>)> {
        let mut named = Self::default();
        walk(entity, &mut entity.body.parse(), &context, &mut named);
        named.0
    }
}

impl Visitor for Named {
    fn meet(&mut self, occurrence: Occurrence<'_>) -> Answer {
        let kind = match occurrence.to {
            Referent::ModelNamed(_) => Kind::Model,
            Referent::ContainerNamed(_) => Kind::Container,
            Referent::TemplateNamed(_) => Kind::Template,
            Referent::Content(_)
            | Referent::Page(_)
            | Referent::Gallery(_)
            | Referent::Asset(_)
            | Referent::Model(_)
            | Referent::Container(_) => return Answer::Keep,
        };
        self.0.push((kind, occurrence.name.into()));
        Answer::Keep
    }

    fn known_name(&mut self, kind: Kind, name: &str) -> Option<Box<str>> {
        self.0.push((kind, name.into()));
        None
    }

    fn url(
        &mut self,
        _occurrence: Option<Occurrence<'_>>,
        _text: &str,
        _url: &UrlAt,
    ) -> Option<String> {
        None
    }
}
