//! Content and pages that the target had before the run and that are the counterpart of nothing.
//!
//! When a request has no response, what it created has to be separated from what was there before. Ids show that only on
//! a server with rising ids. So an intent names the entities that could be taken for its effect.

use std::collections::HashMap;

use super::plan_view::PlanView;
use crate::domain::{Inventory, Kind, Locale, TargetId, name_key};
use crate::id_map::IdMap;
use crate::instance::Save;
use crate::plan::container_of;

/// The most that an intent names for one entity. Where there are more, their ids are compared.
const MOST: usize = 20;

/// The key of a container, empty for pages, in a locale.
type Place = (Kind, Box<str>, Locale);

/// What is there, by place.
#[derive(Debug)]
pub(in crate::engine) struct Unmatched(HashMap<Place, Vec<TargetId>>);

impl Unmatched {
    pub(in crate::engine) fn of(target: &Inventory<TargetId>, ids: &IdMap) -> Self {
        let mut places: HashMap<Place, Vec<TargetId>> = HashMap::new();
        for kind in [Kind::Content, Kind::Page] {
            let entities = target.of_kind(kind).iter();
            for there in entities.filter(|there| !ids.is_claimed(kind, there.key.id)) {
                let Some(locale) = there.locale() else {
                    continue;
                };
                let place = place(kind, &there.body.parse(), locale);
                places.entry(place).or_default().push(there.key.id);
            }
        }
        Self(places)
    }

    /// What is where an item or page is going to be created; `None` of anything else, and where it is too much.
    pub(in crate::engine) fn near(&self, save: &Save) -> Option<Vec<TargetId>> {
        let locale = save.locale.as_ref().filter(|_| save.id.is_none())?;
        let found = self.0.get(&place(save.kind, &save.body, locale));
        let found = found.map_or(&[][..], Vec::as_slice);
        (found.len() <= MOST).then(|| found.to_vec())
    }
}

fn place(kind: Kind, body: &serde_json::Value, locale: &Locale) -> Place {
    let container = match kind {
        Kind::Content => container_of(body),
        _ => "",
    };
    (kind, name_key(container), locale.clone())
}

impl PlanView {
    /// What could be taken for the effect of a save that creates; see [`Unmatched::near`].
    pub(in crate::engine) fn unmatched_near(&self, save: &Save) -> Option<Vec<TargetId>> {
        let unmatched = || Unmatched::of(&self.target_inventory, &self.ids);
        self.unmatched.get_or_init(unmatched).near(save)
    }
}
