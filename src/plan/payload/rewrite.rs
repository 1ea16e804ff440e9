//! The visitor that replaces references by the ids, names and URLs of the target.

use crate::domain::{AssetUrls, Entity, Id, Kind, SourceId};
use crate::plan::references::{Answer, Occurrence, UrlAt, Visitor, is_soft, replacement};
use crate::plan::{Counterparts, Encoding, LeaveOut, Pointer, Reference, Referent, Schema};
use crate::planted::{self, Bug};

pub(super) struct Rewriter<'a> {
    entity: &'a Entity<SourceId>,
    to: &'a dyn Counterparts,
    /// What there is on the source, where a relation that leads nowhere may be left out.
    source: Option<&'a Schema>,
    leave_out: &'a LeaveOut,
    pub(super) encodings: Vec<(Encoding, String)>,
    seen: u64,
    pub(super) unresolved: Vec<Reference>,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(
        entity: &'a Entity<SourceId>,
        (to, source): (&'a dyn Counterparts, Option<&'a Schema>),
        leave_out: &'a LeaveOut,
    ) -> Self {
        Self {
            entity,
            to,
            source,
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
        match occurrence.to.pointer() {
            Pointer::Id(kind, id) => {
                let new = self.to.id(kind, id, locale)?;
                Some(Answer::Id(new.raw()))
            }
            Pointer::Name(kind, _) => self.to.name(kind, occurrence.name).map(Answer::Name),
        }
    }

    /// Whether the entity goes without this relation, which has no end on the source.
    fn leads_nowhere(&self, occurrence: &Occurrence<'_>) -> bool {
        let Some(source) = self.source else {
            return false;
        };
        let is_there = match occurrence.to.pointer() {
            Pointer::Id(kind, id) => source.has(kind, id),
            // Counterparts of names are predicted: only what does not exist has none.
            Pointer::Name(..) => false,
        };
        !is_there && is_soft(self.entity.key.kind, occurrence)
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
            let is_sent = planted::has(Bug::SendsSourceIds);
            return if is_sent { Answer::Keep } else { Answer::Empty };
        }
        self.note(&occurrence);
        self.resolve(&occurrence).unwrap_or_else(|| {
            if self.leads_nowhere(&occurrence) {
                return Answer::Empty;
            }
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
