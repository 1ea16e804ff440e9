//! Answers the walker with what the target calls things.

use crate::domain::{AssetUrls, Entity, Id, Kind, SourceId};
use crate::plan::references::{Answer, Occurrence, UrlAt, Visitor, replacement};
use crate::plan::{Counterparts, Encoding, LeaveOut, Reference, Referent};

pub(super) struct Rewriter<'a> {
    entity: &'a Entity<SourceId>,
    to: &'a dyn Counterparts,
    leave_out: &'a LeaveOut,
    pub(super) encodings: Vec<(Encoding, String)>,
    seen: u64,
    pub(super) unresolved: Vec<Reference>,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(
        entity: &'a Entity<SourceId>,
        to: &'a dyn Counterparts,
        leave_out: &'a LeaveOut,
    ) -> Self {
        Self {
            entity,
            to,
            leave_out,
            encodings: Vec::new(),
            seen: 0,
            unresolved: Vec::new(),
        }
    }

    fn note(&mut self, occurrence: &Occurrence<'_>) {
        if self.seen & occurrence.encoding.bit() == 0 {
            self.seen |= occurrence.encoding.bit();
            self.encodings
                .push((occurrence.encoding, occurrence.place.path.to_string()));
        }
    }

    fn resolve(&self, occurrence: &Occurrence<'_>) -> Option<Answer> {
        let locale = self.entity.locale();
        let id = |kind, id| {
            self.to
                .id(kind, id, locale)
                .map(|new| Answer::Id(new.raw()))
        };
        let name = |kind| self.to.name(kind, occurrence.name).map(Answer::Name);
        match occurrence.to {
            Referent::Content(raw) => id(Kind::Content, raw),
            Referent::Page(raw) => id(Kind::Page, raw),
            Referent::Gallery(raw) => id(Kind::Gallery, raw),
            Referent::Asset(raw) => id(Kind::Asset, raw),
            Referent::Model(raw) => id(Kind::Model, raw).or_else(|| self.own_name(&occurrence.to)),
            Referent::Container(raw) => id(Kind::Container, raw),
            Referent::ModelNamed(_) => name(Kind::Model).or_else(|| self.own_name(&occurrence.to)),
            Referent::ContainerNamed(_) => name(Kind::Container),
            Referent::TemplateNamed(_) => name(Kind::Template),
        }
    }

    /// A model that refers to itself can do so by name before it has an id.
    fn own_name(&self, to: &Referent) -> Option<Answer> {
        let own = &self.entity.name;
        let is_own = self.entity.key.kind == Kind::Model
            && (*to == Referent::Model(self.entity.key.id.raw())
                || *to == Referent::named(Kind::Model, own));
        is_own.then(|| Answer::Name(own.clone()))
    }

    /// The address of the counterpart of an asset; a missing one is noted.
    fn address(&mut self, occurrence: &Occurrence<'_>) -> Option<AssetUrls> {
        let Referent::Asset(id) = occurrence.to else {
            return None;
        };
        let urls = self.to.asset_urls(id);
        if urls.is_none() {
            self.unresolved.push(occurrence.reference());
        }
        urls
    }
}

impl Visitor for Rewriter<'_> {
    fn meet(&mut self, occurrence: Occurrence<'_>) -> Answer {
        if self.leave_out.contains(&occurrence.to) {
            return Answer::Empty;
        }
        self.note(&occurrence);
        self.resolve(&occurrence).unwrap_or_else(|| {
            self.unresolved.push(occurrence.reference());
            Answer::Keep
        })
    }

    fn known_name(&mut self, kind: Kind, name: &str) -> Option<Box<str>> {
        self.to.name(kind, name)
    }

    /// An address that is left out still must not lead to the source, so its prefix is replaced.
    fn url(
        &mut self,
        occurrence: Option<Occurrence<'_>>,
        text: &str,
        url: &UrlAt,
    ) -> Option<String> {
        let occurrence = occurrence.filter(|occurrence| !self.leave_out.contains(&occurrence.to));
        let urls = occurrence
            .as_ref()
            .and_then(|occurrence| self.address(occurrence));
        if let Some(occurrence) = &occurrence {
            self.note(occurrence);
        }
        replacement(text, url, self.to.asset_container(), urls.as_ref())
    }
}
