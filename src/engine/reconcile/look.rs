//! Looks for what was sent: whether it is on the target, and whose effect it can be.
//!
//! Content items have no name: they are looked for among the items of their container that are the counterpart of nothing,
//! by the hash of what was sent. Items with equal content are interchangeable, and each is claimed once, in the step in
//! which it is found. As long as another request may still tell that it has created such an item, none is taken.

use std::collections::HashMap;
use std::time::Duration;

use super::carry::Cargo;
use crate::domain::{
    BatchId, ByName, ContentHash, Entity, Id, Kind, Locale, PageNode, TargetId, TargetKey,
};
use crate::engine::crew::{Crew, Prepared, container_of};
use crate::engine::recovery::LOOKS;
use crate::instance::{Answer, Ask, Effect, Found, PageSave, RequestError, Saved, Source, Target};
use crate::plan::target_hash;
use crate::planted::{self, Bug};
use crate::store::IntentId;

/// What a look has shown, by place among what was looked for.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) found: Vec<(usize, Saved)>,
    pub(super) absent: Vec<usize>,
    /// Whether something is there that another request may have created, and may still tell.
    is_contested: bool,
}

impl Looked {
    /// None of so many is there.
    pub(super) fn nothing(count: usize) -> Self {
        Self {
            absent: (0..count).collect(),
            ..Self::default()
        }
    }

    fn add(&mut self, at: usize, found: Option<Saved>) {
        match found {
            Some(saved) => self.found.push((at, saved)),
            None => self.absent.push(at),
        }
    }
}

/// Looks until everything is found or nothing more comes.
pub(super) async fn until_quiet<S, T>(
    crew: &Crew<S, T>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    intent: IntentId,
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut quiet = Quiet::new(crew);
    let mut all = Looked::nothing(items.len());
    loop {
        let missing: Vec<Prepared> = all.absent.iter().map(|at| items[*at].clone()).collect();
        let looked = once(crew, cargo, &missing, (intent, quiet.looks > 0)).await?;
        // What was found is claimed, and no later look shows it.
        let places = std::mem::take(&mut all.absent);
        let place = |at: usize| places[at];
        all.found.extend(
            looked
                .found
                .into_iter()
                .map(|(at, saved)| (place(at), saved)),
        );
        all.absent = looked.absent.into_iter().map(place).collect();
        let is_over = quiet.is_over(crew, all.absent.len());
        if all.absent.is_empty() || (is_over && !looked.is_contested) {
            return Ok(all);
        }
        tokio::time::sleep(between_looks(crew)).await;
    }
}

/// Finds which of what was sent with `intent` is on the target as it was sent, claims it, and tells what is not there.
pub(super) async fn once<S, T>(
    crew: &Crew<S, T>,
    cargo: Cargo<'_>,
    items: &[Prepared],
    (intent, takes_any): (IntentId, bool),
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    match cargo {
        Cargo::Items(locale) => content(crew, locale, items, (intent, takes_any)).await,
        Cargo::Page(sent) => page(crew, sent, &items[0], intent).await,
        Cargo::Rows => rows(crew, items).await,
    }
}

/// Finds redirections by their origin.
pub(super) async fn rows<S, T>(
    crew: &Crew<S, T>,
    items: &[Prepared],
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut there = entities(ask(crew, &Ask::Redirections).await?);
    there.retain(|entity| is_new(crew, entity));
    let mut by_name = ByName::default();
    for entity in &there {
        by_name.insert(Kind::Redirection, &entity.name, saved(entity));
    }
    let mut looked = Looked::default();
    for (at, item) in items.iter().enumerate() {
        let by_name = by_name.get(Kind::Redirection, &item.save.name);
        looked.add(at, by_name.filter(|_| item.save.id.is_none()).cloned());
    }
    Ok(looked)
}

/// `takes_any`: equal items at other places of the list will do, because those that were sent for these places have taken
/// theirs.
async fn content<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    items: &[Prepared],
    (intent, takes_any): (IntentId, bool),
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let known: Vec<i64> = items
        .iter()
        .filter_map(|item| item.save.id.map(Id::raw))
        .collect();
    let mut there = items_by_id(crew, locale, &known).await?;
    let creates = items.iter().filter(|item| item.save.id.is_none());
    let mut containers: Vec<&str> = creates.map(|item| container_of(&item.save)).collect();
    containers.sort_unstable();
    containers.dedup();
    for name in containers {
        there.extend(unclaimed_items(crew, locale, name).await?);
    }
    let mut candidates: HashMap<ContentHash, Vec<Candidate>> = HashMap::new();
    for entity in &there {
        candidates
            .entry(target_hash(entity, &crew.schema))
            .or_default()
            .push((saved(entity), order(&entity.body.parse())));
    }
    // Nothing waits from here on, so that what is chosen is claimed before anybody else chooses.
    let mut found: Vec<Option<Saved>> = vec![None; items.len()];
    let mut is_contested = false;
    for is_exact in [true, false] {
        for (item, found) in items.iter().zip(&mut found) {
            let Some(equal) = candidates.get_mut(&item.target_hash) else {
                continue;
            };
            let is_create = item.save.id.is_none();
            if found.is_some() || (is_create && crew.has_rival(intent, item)) {
                is_contested |= found.is_none() && !equal.is_empty();
                continue;
            }
            if is_create && !is_exact && !takes_any {
                is_contested |= !equal.is_empty();
                continue;
            }
            let own = order(&item.save.body);
            let place = equal.iter().position(|(saved, order)| match item.save.id {
                Some(id) => id == saved.id && (*order == own || !crew.was_equal(item)),
                None => (!is_exact || *order == own) && crew.claims(item, saved),
            });
            *found = place.map(|place| equal.remove(place).0);
        }
    }
    let mut looked = Looked {
        is_contested,
        ..Looked::default()
    };
    for (at, found) in found.into_iter().enumerate() {
        looked.add(at, found);
    }
    Ok(looked)
}

/// Something equal to what was sent, with its place in its list.
type Candidate = (Saved, Option<i64>);

/// The place of an item in its list, which it is sent with and which its hash leaves out.
fn order(body: &serde_json::Value) -> Option<i64> {
    body["properties"]["itemOrder"].as_i64()
}

/// The items of a container that are nobody's counterpart and were not there before the run.
async fn unclaimed_items<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    container: &str,
) -> Result<Vec<Entity<TargetId>>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut open = vec![Ask::ContainerItems {
        locale: locale.clone(),
        container: container.into(),
        offset: 0,
    }];
    let mut ids = Vec::new();
    while let Some(next) = open.pop() {
        let answer = ask(crew, &next).await?;
        open.extend(answer.follow_ups);
        for found in answer.found {
            let Found::Passed { id, .. } = found else {
                continue;
            };
            let key = TargetKey::localised(Kind::Content, id, locale);
            let is_taken = crew.ids.is_claimed(Kind::Content, key.id);
            if (!is_taken || planted::has(Bug::LooksAmongTaken))
                && crew.target_inventory.get(&key).is_none()
            {
                ids.push(id);
            }
        }
    }
    items_by_id(crew, locale, &ids).await
}

/// The page on the target, if it is there below its parent as it was sent.
async fn page<S, T>(
    crew: &Crew<S, T>,
    page: &PageSave,
    item: &Prepared,
    intent: IntentId,
) -> Result<Looked, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let Some(locale) = &item.save.locale else {
        return Ok(Looked::nothing(1));
    };
    let parent = page.parent.map(Id::raw);
    // In a second locale a page has the id that it was given in the first.
    let shared = crew.ids.shared(Kind::Page, crew.entity(item.node).key.id);
    let mut looked = Looked::nothing(1);
    let found = ask(crew, &Ask::Sitemap(locale.clone())).await?.found;
    let mut row: Vec<PageNode> = found
        .into_iter()
        .filter_map(|found| match found {
            Found::Node(node) if node.placement.parent == parent => Some(node),
            _ => None,
        })
        .collect();
    row.sort_by_key(|node| node.placement.position);
    let next: Vec<Option<TargetId>> = row
        .iter()
        .skip(1)
        .map(|node| Some(TargetId::new(node.page)))
        .chain([None])
        .collect();
    for (node, next) in row.into_iter().zip(next) {
        let id = TargetId::new(node.page);
        let is_own = [item.save.id, shared].contains(&Some(id));
        let is_others = !is_own && crew.ids.is_claimed(Kind::Page, id);
        // What says what it said before the save shows by its place whether it was saved.
        let is_elsewhere = page.place_before.is_some() && next != page.place_before;
        if is_others || (is_own && is_elsewhere && crew.was_equal(item)) {
            continue;
        }
        let one = Ask::One {
            kind: Kind::Page,
            id: node.page,
            locale: Some(locale.clone()),
        };
        let Some(mut there) = first(ask(crew, &one).await?) else {
            continue;
        };
        there.placement = Some(Box::new(node.placement));
        let is_equal = target_hash(&there, &crew.schema) == item.target_hash;
        if !is_equal || !(is_own || is_new(crew, &there)) {
            continue;
        }
        let saved = saved(&there);
        if !is_own && crew.has_rival(intent, item) {
            looked.is_contested = true;
        } else if is_own || crew.claims(item, &saved) {
            looked.absent.clear();
            looked.found.push((0, saved));
            return Ok(looked);
        }
    }
    Ok(looked)
}

impl<S: Source + Clone, T: Target + Clone> Crew<S, T> {
    /// Whether another request that can still tell may have created what is equal to `item`.
    fn has_rival(&self, intent: IntentId, item: &Prepared) -> bool {
        self.open.has_rival(intent, &self.signature(item))
    }

    /// Whether the target had what is sent before it was sent, so that finding it there proves nothing.
    fn was_equal(&self, item: &Prepared) -> bool {
        let key = &self.entity(item.node).key;
        let before = item
            .save
            .id
            .and_then(|id| self.target_inventory.get(&key.with_id(id)));
        before.is_some_and(|before| target_hash(before, &self.schema) == item.target_hash)
    }

    /// Claims what was found for `item`. Of two that find the same, one has it.
    fn claims(&self, item: &Prepared, found: &Saved) -> bool {
        let key = &self.entity(item.node).key;
        self.ids.claim(key, found.id).is_ok()
    }
}

/// Whether something on the target can be the effect of a create of this run: it was not there before, and is nobody's
/// counterpart.
pub(super) fn is_new<S, T>(crew: &Crew<S, T>, there: &Entity<TargetId>) -> bool {
    let key = &there.key;
    let is_taken = crew.ids.is_claimed(key.kind, key.id);
    crew.target_inventory.get(key).is_none() && (!is_taken || planted::has(Bug::LooksAmongTaken))
}

/// Tells when nothing more is to be expected of a request that the target may not have worked off.
///
/// A target works off batches one after another. So whatever it had been handed before comes first, and only
/// then the time counts in which nothing changes.
struct Quiet {
    before: Vec<BatchId>,
    missing: usize,
    looks: u32,
}

impl Quiet {
    fn new<S, T>(crew: &Crew<S, T>) -> Self {
        Self {
            before: crew.batches.iter().map(|batch| *batch).collect(),
            missing: 0,
            looks: 0,
        }
    }

    /// Takes the result of one more look.
    fn is_over<S, T>(&mut self, crew: &Crew<S, T>, missing: usize) -> bool {
        self.before.retain(|batch| crew.batches.contains(batch));
        if self.before.is_empty() && missing == self.missing {
            self.looks += 1;
        } else {
            self.looks = 0;
        }
        self.missing = missing;
        self.looks > LOOKS || planted::has(Bug::LooksOnce)
    }
}

/// The wait between two looks: a part of the time that the user grants, and never less than the target has
/// needed for an item of late.
pub(super) fn between_looks<S, T>(crew: &Crew<S, T>) -> Duration {
    (crew.options.settle / LOOKS).max(crew.batch_times.costs().item())
}

async fn items_by_id<S, T>(
    crew: &Crew<S, T>,
    locale: &Locale,
    ids: &[i64],
) -> Result<Vec<Entity<TargetId>>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut there = Vec::new();
    for some in ids.chunks(100) {
        let by_id = Ask::ItemsById {
            locale: locale.clone(),
            ids: some.to_vec(),
        };
        there.extend(entities(ask(crew, &by_id).await?));
    }
    Ok(there)
}

pub(super) async fn ask<S, T>(
    crew: &Crew<S, T>,
    ask: &Ask,
) -> Result<Answer<TargetId>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    crew.to_target()
        .send(Effect::Read, || crew.target.read(ask))
        .await
}

fn entities(answer: Answer<TargetId>) -> Vec<Entity<TargetId>> {
    let entity = |found| match found {
        Found::Entity(entity) => Some(entity),
        _ => None,
    };
    answer.found.into_iter().filter_map(entity).collect()
}

pub(super) fn first(answer: Answer<TargetId>) -> Option<Entity<TargetId>> {
    entities(answer).into_iter().next()
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
