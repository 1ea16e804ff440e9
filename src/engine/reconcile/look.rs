//! Looks for what was sent: whether it is on the target, and whose effect it can be.
//!
//! Content items have no name: they are looked for among the items of their container that are the counterpart of nothing,
//! by the hash of what was sent. Items with equal content are interchangeable, and each is claimed once, in the step in
//! which it is found. As long as another request may still report that it has created such an item, none is taken.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::inquiry::Inquiry;
use crate::domain::{
    ContentHash, Entity, EntityKey, Id, Kind, Locale, PageNode, TargetId, TargetKey,
};
use crate::instance::{Cause, Effect, RequestError, Saved, Target, Verdict};
use crate::plan::{Schema, target_hash};
use crate::planted::{self, Bug};
use crate::store::IntentId;

/// How often a target has to look the same before what is missing counts as absent.
const STABLE_READS: u32 = 4;

/// A content item or page that was sent.
#[derive(Clone, Debug)]
pub(super) struct Sought<'a> {
    pub(super) key: &'a EntityKey,
    /// What the target makes of it has this hash.
    pub(super) hash: ContentHash,
    /// The id that it was saved over, or that it has in another locale; `None` lets the target choose.
    pub(super) target: Option<TargetId>,
    /// Of content: the container. Empty where there is none to look into.
    pub(super) container: &'a str,
    /// Of content: its number in its list, as far as is known.
    pub(super) order: Option<i64>,
    /// Of pages: the parent on the target.
    pub(super) parent: Option<TargetId>,
    /// Of pages: what it was put before.
    pub(super) place_before: Option<TargetId>,
}

/// What is known apart from what the target has. `at` is the place among what is sought.
pub(super) trait Knowledge {
    /// The models in whose terms hashes are made.
    fn schema(&self) -> &Schema;

    /// Whether an entity of the target can be the effect of a create: it was not there before, and is the counterpart of
    /// nothing.
    fn is_new(&self, there: &TargetKey) -> bool;

    /// Whether another request with a pending answer may have created what is equal.
    fn has_rival(&self, at: usize) -> bool;

    /// Whether the target had what is sent before it was sent, so that finding it there proves nothing.
    fn was_equal(&self, at: usize) -> bool;

    /// Claims what was found for a create. Of two that find the same, one has it.
    fn claims(&self, at: usize, found: TargetId) -> bool;
}

/// What a look has shown, by place among what was looked for.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) found: Vec<(usize, Saved)>,
    pub(super) absent: Vec<usize>,
    /// Those of the absent for which something is there that another request may have created, and may still report.
    pub(super) contested: BTreeSet<usize>,
    /// Content that is equal to nothing that is sought, and pages in the row of one that is sought.
    pub(super) strangers: Vec<Entity<TargetId>>,
    /// Of the absent, those that a stranger may be, altered on its way into the store or by an edit since.
    pub(super) suspects: BTreeMap<usize, Vec<TargetId>>,
}

impl Looked {
    /// None of so many is there.
    pub(super) fn nothing(count: usize) -> Self {
        Self {
            absent: (0..count).collect(),
            ..Self::default()
        }
    }

    /// Takes a look for those that are absent here, by their places among them. Whether it shows other suspects than before.
    pub(super) fn narrow(&mut self, looked: Self) -> bool {
        let places = std::mem::take(&mut self.absent);
        // What was found is claimed, and no later look shows it.
        let found = looked.found.into_iter();
        self.found
            .extend(found.map(|(at, saved)| (places[at], saved)));
        self.absent = looked.absent.into_iter().map(|at| places[at]).collect();
        let suspects = looked.suspects.into_iter();
        self.strangers = looked.strangers;
        let suspects = suspects.map(|(at, ids)| (places[at], ids)).collect();
        let is_other = self.suspects != suspects;
        self.suspects = suspects;
        is_other
    }

    pub(super) fn add(&mut self, at: usize, found: Option<Saved>) {
        match found {
            Some(saved) => {
                self.contested.remove(&at);
                self.found.push((at, saved));
            }
            None => self.absent.push(at),
        }
    }
}

/// Looks for content items of one locale. `takes_any`: equal items at other places of the list will do, because those
/// that were sent for these places have taken theirs.
pub(super) async fn content<T: Target, K: Knowledge>(
    inquiry: &Inquiry<'_, T>,
    locale: &Locale,
    sought: &[Sought<'_>],
    (knowledge, takes_any): (&K, bool),
) -> Result<Looked, RequestError> {
    let there = candidates_of(inquiry, locale, sought, knowledge).await?;
    // Nothing waits from here on, so that what is chosen is claimed before another task chooses.
    Ok(chosen(sought, there, (knowledge, takes_any)))
}

/// Gives every item something equal to it, and each to one only.
fn chosen<K: Knowledge>(
    sought: &[Sought<'_>],
    there: Vec<Entity<TargetId>>,
    (knowledge, takes_any): (&K, bool),
) -> Looked {
    let mut candidates: HashMap<ContentHash, Vec<Candidate>> = HashMap::new();
    for entity in there {
        let hash = target_hash(&entity, knowledge.schema());
        let order = order(&entity.body.parse());
        candidates.entry(hash).or_default().push((entity, order));
    }
    let mut looked = Looked::default();
    let mut found: Vec<Option<Saved>> = vec![None; sought.len()];
    for is_exact in [true, false] {
        for (at, (item, found)) in sought.iter().zip(&mut found).enumerate() {
            let Some(equal) = candidates.get_mut(&item.hash).filter(|_| found.is_none()) else {
                continue;
            };
            let is_create = item.target.is_none();
            if is_create && (knowledge.has_rival(at) || !(is_exact || takes_any)) {
                if !equal.is_empty() {
                    looked.contested.insert(at);
                }
                continue;
            }
            let place = equal.iter().position(|(there, order)| match item.target {
                Some(id) => {
                    id == there.key.id && (*order == item.order || !knowledge.was_equal(at))
                }
                None => (!is_exact || *order == item.order) && knowledge.claims(at, there.key.id),
            });
            *found = place.map(|place| saved(&equal.remove(place).0));
        }
    }
    for (at, found) in found.into_iter().enumerate() {
        looked.add(at, found);
    }
    let left = candidates.into_values().flatten();
    looked.strangers = left.map(|(entity, _)| entity).collect();
    looked
        .strangers
        .sort_by(|one, other| one.key.cmp(&other.key));
    looked
}

/// Something equal to what was sent, with its place in its list.
type Candidate = (Entity<TargetId>, Option<i64>);

/// The place of an item in its list, which it is sent with and which its hash leaves out.
pub(super) fn order(body: &serde_json::Value) -> Option<i64> {
    body["properties"]["itemOrder"].as_i64()
}

/// Reads what some content items can be: what has their ids, and what is new in their containers.
async fn candidates_of<T: Target, K: Knowledge>(
    inquiry: &Inquiry<'_, T>,
    locale: &Locale,
    sought: &[Sought<'_>],
    knowledge: &K,
) -> Result<Vec<Entity<TargetId>>, RequestError> {
    let creates = sought.iter().filter(|item| item.target.is_none());
    let containers: BTreeSet<&str> = creates
        .map(|item| item.container)
        .filter(|container| !container.is_empty())
        .collect();
    let containers: Vec<&str> = containers.into_iter().collect();
    let listed = inquiry.listed(locale, &containers).await?;
    let is_new = |id: &i64| knowledge.is_new(&TargetKey::localised(Kind::Content, *id, locale));
    let known = sought.iter().filter_map(|item| item.target);
    let ids = known.map(Id::raw).chain(listed.into_iter().filter(is_new));
    let ids: BTreeSet<i64> = ids.collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    inquiry.items(locale, &ids).await
}

/// Looks for pages of one locale below the parents that they were sent to.
pub(super) async fn pages<T: Target, K: Knowledge>(
    inquiry: &Inquiry<'_, T>,
    locale: &Locale,
    sought: &[Sought<'_>],
    knowledge: &K,
) -> Result<Looked, RequestError> {
    let nodes = inquiry.nodes(locale).await?;
    let mut looked = Looked::default();
    for (at, page) in sought.iter().enumerate() {
        let parent = page.parent.map(Id::raw);
        let row = nodes.iter().filter(|node| node.placement.parent == parent);
        let row: Vec<&PageNode> = row.collect();
        let found = one_page(inquiry, &row, (at, page), (knowledge, &mut looked)).await?;
        looked.add(at, found);
    }
    Ok(looked)
}

async fn one_page<T: Target, K: Knowledge>(
    inquiry: &Inquiry<'_, T>,
    row: &[&PageNode],
    (at, page): (usize, &Sought<'_>),
    (knowledge, looked): (&K, &mut Looked),
) -> Result<Option<Saved>, RequestError> {
    for (place, node) in row.iter().enumerate() {
        let id = TargetId::new(node.page);
        let next = row.get(place + 1).map(|node| TargetId::new(node.page));
        let is_own = page.target == Some(id);
        // What says what it said before the save shows by its place whether it was saved.
        let is_elsewhere = page.place_before.is_some() && next != page.place_before;
        let may_be = if is_own {
            !(is_elsewhere && knowledge.was_equal(at))
        } else {
            knowledge.is_new(&page.key.with_id(id))
        };
        if !may_be {
            continue;
        }
        let locale = Some(&node.locale);
        let Some(mut there) = inquiry.one(Kind::Page, node.page, locale).await? else {
            continue;
        };
        there.placement = Some(Box::new(node.placement.clone()));
        if target_hash(&there, knowledge.schema()) != page.hash {
            looked.strangers.extend((!is_own).then_some(there));
            continue;
        }
        if !is_own && knowledge.has_rival(at) {
            looked.contested.insert(at);
        } else if is_own || knowledge.claims(at, id) {
            return Ok(Some(saved(&there)));
        }
    }
    Ok(None)
}

/// Shows when nothing more can come of a request that the target may not have processed.
///
/// A target processes batches one after another. So whatever it had been handed before comes first, and only
/// then the time counts in which nothing changes.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    before: Vec<IntentId>,
    missing: usize,
    pub(super) looks: u32,
    /// Looks that failed, one after another.
    failed: u32,
}

impl Quiet {
    /// `before` are the requests that the target may have to process first.
    pub(super) fn after(before: Vec<IntentId>) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// More requests that have to come to their end first.
    pub(super) fn wait_for(&mut self, more: Vec<IntentId>) {
        self.before.extend(more);
    }

    /// Takes the result of one more look; `still` are the requests that the target works on.
    pub(super) fn is_over(&mut self, missing: usize, still: impl Fn(&IntentId) -> bool) -> bool {
        self.failed = 0;
        self.before.retain(still);
        if self.before.is_empty() && missing == self.missing {
            self.looks += 1;
        } else {
            self.looks = 0;
        }
        self.missing = missing;
        self.looks > STABLE_READS || planted::has(Bug::LooksOnce)
    }

    /// Takes a look that failed, and returns whether to look again: one answer that is lost does not end the search for
    /// another one.
    pub(super) fn may_fail(&mut self, error: &RequestError) -> bool {
        self.failed += 1;
        let may_pass = matches!(error.verdict(Effect::Read), Verdict::Retry { .. });
        may_pass && error.cause != Cause::Halted && self.failed <= STABLE_READS
    }
}

impl<T> Inquiry<'_, T> {
    /// The wait between two looks: a part of the time that the user grants, and never less than the target has
    /// needed for an item of late.
    pub(super) fn between_looks(&self) -> Duration {
        (self.options.settle / STABLE_READS).max(self.times.costs().item())
    }
}

pub(super) fn saved(there: &Entity<TargetId>) -> Saved {
    Saved {
        id: there.key.id,
        version: there.version,
        name: Some(there.name.clone()),
        urls: (there.key.kind == Kind::Asset)
            .then(|| crate::plan::asset_urls(&there.body.parse()))
            .flatten(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Body, ItemState};
    use crate::id_map::IdMap;

    /// Items with these numbers in their lists are equal to nothing but one another.
    fn twin(id: i64, order: i64) -> Entity<TargetId> {
        let locale = Locale::new("en-us");
        Entity {
            key: TargetKey::localised(Kind::Content, id, &locale),
            name: "A twin".into(),
            version: None,
            state: ItemState::Staging,
            placement: None,
            body: Body::new(&json!({
                "contentID": id,
                "properties": { "referenceName": "posts", "itemOrder": order },
                "fields": { "title": "A twin" },
            })),
        }
    }

    #[derive(Default)]
    struct Known {
        schema: Schema,
        ids: IdMap,
        keys: Vec<EntityKey>,
        rival: Option<usize>,
        was_equal: bool,
    }

    impl Known {
        fn of(count: i64) -> Self {
            let key = |id| EntityKey::localised(Kind::Content, id, &Locale::new("en-us"));
            Self {
                keys: (1..=count).map(key).collect(),
                ..Self::default()
            }
        }

        /// Creates with these numbers in their lists.
        fn sought(&self, orders: &[i64]) -> Vec<Sought<'_>> {
            let hash = target_hash(&twin(0, 0), &self.schema);
            let keys = self.keys.iter().zip(orders);
            keys.map(|(key, order)| Sought {
                key,
                hash,
                target: None,
                container: "posts",
                order: Some(*order),
                parent: None,
                place_before: None,
            })
            .collect()
        }
    }

    impl Knowledge for Known {
        fn schema(&self) -> &Schema {
            &self.schema
        }

        fn is_new(&self, there: &TargetKey) -> bool {
            !self.ids.is_claimed(there.kind, there.id)
        }

        fn has_rival(&self, at: usize) -> bool {
            self.rival == Some(at)
        }

        fn was_equal(&self, _at: usize) -> bool {
            self.was_equal
        }

        fn claims(&self, at: usize, found: TargetId) -> bool {
            self.ids.claim(&self.keys[at], found).is_ok()
        }
    }

    fn ids(looked: &Looked) -> Vec<(usize, i64)> {
        let found = looked.found.iter();
        found.map(|(at, saved)| (*at, saved.id.raw())).collect()
    }

    #[test]
    fn of_equal_items_each_is_taken_once_and_by_its_number_first() {
        let known = Known::of(3);
        let sought = known.sought(&[5, 6, 7]);
        let looked = chosen(&sought, vec![twin(11, 9), twin(12, 5)], (&known, true));
        assert_eq!(ids(&looked), [(0, 12), (1, 11)]);
        assert_eq!(looked.absent, [2]);
        assert!(looked.strangers.is_empty());
    }

    #[test]
    fn another_number_will_do_only_when_the_others_had_their_turn() {
        let known = Known::of(1);
        let sought = known.sought(&[5]);
        let looked = chosen(&sought, vec![twin(11, 9)], (&known, false));
        assert_eq!((looked.found.len(), looked.contested.len()), (0, 1));
    }

    #[test]
    fn what_another_request_may_still_tell_to_be_its_own_is_not_taken() {
        let known = Known {
            rival: Some(0),
            ..Known::of(2)
        };
        let sought = known.sought(&[5, 6]);
        let looked = chosen(&sought[..1], vec![twin(11, 5)], (&known, true));
        assert_eq!(looked.absent, [0]);
        assert!(looked.contested.contains(&0));
        assert_eq!(looked.strangers.len(), 1);
        assert!(!known.ids.is_claimed(Kind::Content, TargetId::new(11)));
    }

    #[test]
    fn a_save_over_what_was_equal_before_shows_by_its_number_alone() {
        for (was_equal, found) in [(true, 0), (false, 1)] {
            let known = Known {
                was_equal,
                ..Known::of(1)
            };
            let mut sought = known.sought(&[5]);
            sought[0].target = Some(TargetId::new(11));
            let looked = chosen(&sought, vec![twin(11, 9)], (&known, true));
            assert_eq!(looked.found.len(), found);
        }
    }
}
