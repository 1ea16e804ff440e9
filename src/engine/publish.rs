//! Publishing: what is published on the source, and was written by this run, content before pages.
//!
//! A run that is interrupted has written entities and published none. So what an earlier run wrote counts as well,
//! as long as nobody has changed or published it since. No note is needed for that: whether it is still to be done shows
//! in the state of the entity on the target, and doing it twice is harmless. What is noted, before anything leaves, is what
//! the public saw: an undo brings that back.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::control::Control;
use super::crew::Crew;
use super::end::{End, StopCause};
use super::forecast::{After, Costs, Publication, Reading, tell_while};
use super::options::Publish;
use super::pace::Sample;
use super::publishing::{IDS_AT_ONCE, move_some};
use crate::domain::{EntityKey, ItemState, Kind, Locale, TargetId};
use crate::event::{Bottleneck, Event};
use crate::instance::{Source, Target, Workflow};
use crate::plan::{Action, Node};
use crate::store::{Change, Mapping, MappingOrigin, PublishState, Publishing, StoreError};

/// What is published at once.
#[derive(Debug)]
struct Batch {
    kind: Kind,
    locale: Locale,
    entities: Vec<(TargetId, Node)>,
}

/// The kinds that are published, in this order.
const fn kinds(publish: Publish) -> &'static [Kind] {
    match publish {
        Publish::Off => &[],
        Publish::Content => &[Kind::Content],
        Publish::Pages => &[Kind::Page],
        Publish::Both => &[Kind::Content, Kind::Page],
    }
}

/// What is going to be published, seen before the uploads: what the source has published of what will be written. What
/// an earlier run left over is not in it.
pub(super) fn expected<S, T>(crew: &Crew<S, T>) -> Publication
where
    S: Source + Clone,
    T: Target + Clone,
{
    let kinds = kinds(crew.options.publish);
    let entities = (0..).zip(crew.source_inventory.entities());
    let wanted = entities.filter_map(|(node, entity)| {
        let kind = entity.key.kind;
        let is_wanted = kinds.contains(&kind) && entity.is_published();
        let is_written = crew.planned(node).action.is_work();
        Some((kind, entity.locale().filter(|_| is_wanted && is_written)?))
    });
    Publication::of(wanted)
}

/// What is to be published now, in this order.
fn batches<S, T>(crew: &Crew<S, T>, mappings: &[Mapping]) -> Vec<Batch>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let is_ours = |mapping: &&Mapping| match mapping.origin {
        MappingOrigin::Created | MappingOrigin::Updated | MappingOrigin::Recovered => true,
        MappingOrigin::Adopted | MappingOrigin::Imported => false,
    };
    let ours = mappings.iter().filter(is_ours);
    let ours: HashSet<&EntityKey> = ours.map(|mapping| &mapping.key).collect();
    let mut batches = Vec::new();
    for kind in kinds(crew.options.publish) {
        for (locale, entities) in eligible(crew, *kind, &ours) {
            batches.extend(in_batches(*kind, &locale, &entities));
        }
    }
    for (locale, mut ids) in moved(crew) {
        ids.retain(|(id, _)| !batches.iter().any(|batch| batch.is_of(&locale, *id)));
        batches.extend(in_batches(Kind::Page, &locale, &ids));
    }
    batches
}

impl Batch {
    fn is_of(&self, locale: &Locale, page: TargetId) -> bool {
        self.kind == Kind::Page
            && self.locale == *locale
            && self.entities.iter().any(|(id, _)| *id == page)
    }
}

fn in_batches(kind: Kind, locale: &Locale, entities: &[(TargetId, Node)]) -> Vec<Batch> {
    let batch = |some: &[(TargetId, Node)]| Batch {
        kind,
        locale: locale.clone(),
        entities: some.to_vec(),
    };
    entities.chunks(IDS_AT_ONCE).map(batch).collect()
}

/// Pages that were published before they moved, whatever is to be published otherwise.
fn moved<S, T>(crew: &Crew<S, T>) -> BTreeMap<Locale, Vec<(TargetId, Node)>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<(TargetId, Node)>> = BTreeMap::new();
    for node in crew.unpublished_by_moves() {
        let key = &crew.entity(node).key;
        if let (Some(locale), Some(there)) = (&key.locale, crew.ids.resolve(key)) {
            ids.entry(locale.clone())
                .or_default()
                .push((there.id, node));
        }
    }
    ids
}

/// What became of the publications of a run.
#[derive(Debug, Default)]
pub(super) struct Publications {
    /// What could not be published, with the reason.
    pub(super) refused: Vec<(EntityKey, String)>,
    /// How the run ended by that.
    pub(super) end: End,
}

/// Publishes until it is done, somebody asks for an end or the lease is lost.
///
/// # Errors
/// [`StoreError`] of the work.
pub(super) async fn guarded<S, T>(
    crew: &Crew<S, T>,
    work: impl Future<Output = Result<Publications, StoreError>>,
    control: &mut Control<'_>,
) -> Result<Publications, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let drain = |until| crew.alarm.drain(until);
    match control.writing(crew, drain, work).await {
        Ok(published) => published,
        Err(cut) => Ok(Publications {
            refused: Vec::new(),
            end: cut.into(),
        }),
    }
}

/// Publishes, and tells how long that and what comes after it will still take.
///
/// # Errors
/// [`StoreError`] when it could not be noted: nothing more is published then.
pub(super) async fn publish<S, T>(
    crew: &Crew<S, T>,
    mappings: &[Mapping],
    reading: Reading,
) -> Result<Publications, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let batches = batches(crew, mappings);
    let mut publications = Publications::default();
    if batches.is_empty() {
        return Ok(publications);
    }
    let done = AtomicUsize::new(0);
    let forecast = |_: &Sample, _: &Sample| {
        let left = &batches[done.load(Ordering::Relaxed)..];
        let items = left.iter().map(|batch| batch.entities.len()).sum();
        let publication = Publication::sized(left.len(), items);
        let after = After {
            publication,
            reading,
        };
        Some(after.forecast(&Costs::of(crew), Duration::ZERO, Bottleneck::Worker))
    };
    let work = async {
        let mut published = 0;
        for batch in &batches {
            let refused = publications.refused.len();
            let left = publish_batch(crew, batch, &mut publications).await?;
            published += batch.entities.len() - left - (publications.refused.len() - refused);
            done.fetch_add(1, Ordering::Relaxed);
            if !publications.end.is_complete() {
                break;
            }
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let finished = Event::PublishFinished {
            published: count(published),
            refused: count(publications.refused.len()),
        };
        crew.sink.emit(finished).await;
        Ok(())
    };
    tell_while(crew, forecast, work).await?;
    Ok(publications)
}

/// Publishes what is in one batch. Returns how many were not handed in.
async fn publish_batch<S, T>(
    crew: &Crew<S, T>,
    batch: &Batch,
    publications: &mut Publications,
) -> Result<usize, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let notes = note(crew, batch).await?;
    let ids: Vec<TargetId> = batch.entities.iter().map(|(id, _)| *id).collect();
    let place = (batch.kind, &batch.locale);
    let moved = move_some(crew, Workflow::Publish, place, &ids).await;
    let mut changes = Vec::new();
    for mut noted in notes {
        if moved.left.contains(&noted.target) {
            continue;
        }
        noted.reason = moved.refused.get(&noted.target).cloned();
        noted.state = match noted.reason {
            Some(_) => PublishState::Refused,
            None => PublishState::Published,
        };
        changes.push(Change::Publishing(Box::new(noted)));
    }
    crew.store.commit(changes).await?;
    for (target, node) in &batch.entities {
        if let Some(reason) = moved.refused.get(target) {
            let entity = crew.entity(*node);
            let refused = Event::PublishRefused {
                key: entity.key.clone(),
                name: entity.name.to_string(),
                target: *target,
                reason: reason.clone(),
            };
            crew.sink.emit(refused).await;
            publications
                .refused
                .push((entity.key.clone(), reason.clone()));
        }
    }
    publications.end = match crew.alarm.outage() {
        Some(outage) => End::Stopped(StopCause::Outage(outage)),
        None if !moved.left.is_empty() => End::Interrupted,
        None if crew.options.fail_fast && !publications.refused.is_empty() => End::FailFast,
        None => End::Complete,
    };
    Ok(moved.left.len())
}

/// Makes durable what is going to be published, and what the target has and shows of it before.
async fn note<S, T>(crew: &Crew<S, T>, batch: &Batch) -> Result<Vec<Publishing>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let note = |(target, node): &(TargetId, Node)| {
        let (target, node) = (*target, *node);
        async move {
            let entity = crew.entity(node);
            Publishing {
                run: crew.run.clone(),
                key: entity.key.clone(),
                target,
                name: entity.name.to_string(),
                state: PublishState::Open,
                reason: None,
                live: crew.former_live(node, target).await,
            }
        }
    };
    let notes: Vec<Publishing> = stream::iter(batch.entities.iter().map(note))
        .buffered(crew.options.reads.max(1))
        .collect()
        .await;
    let mut changes = Vec::new();
    for (noted, (target, node)) in notes.iter().zip(&batch.entities) {
        changes.extend(crew.published_image(*node, *target));
        changes.push(Change::Publishing(Box::new(noted.clone())));
    }
    crew.store.commit(changes).await?;
    Ok(notes)
}

/// Everything that this run wrote, or an earlier one and nobody since, and the source has published; each id
/// once, by locale.
fn eligible<S, T>(
    crew: &Crew<S, T>,
    kind: Kind,
    ours: &HashSet<&EntityKey>,
) -> BTreeMap<Locale, Vec<(TargetId, Node)>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<(TargetId, Node)>> = BTreeMap::new();
    for (node, entity) in (0..).zip(crew.source_inventory.entities()) {
        let node: Node = node;
        let planned = crew.planned(node);
        // One that only moved says what the target had in it, published or not.
        let written = planned.action.is_work()
            && !planned.is_place_only()
            && !crew.unfinished.contains(&node);
        if entity.key.kind != kind || !entity.is_published() {
            continue;
        }
        let left_over = || ours.contains(&entity.key) && is_still_to_do(crew, node);
        if !(written || left_over()) {
            continue;
        }
        if let (Some(locale), Some(there)) = (entity.locale(), crew.ids.resolve(&entity.key)) {
            ids.entry(locale.clone())
                .or_default()
                .push((there.id, node));
        }
    }
    for ids in ids.values_mut() {
        ids.sort_unstable();
        ids.dedup_by_key(|(id, _)| *id);
    }
    ids
}

/// Whether the target has the entity as it was written and has not published it.
fn is_still_to_do<S, T>(crew: &Crew<S, T>, node: Node) -> bool
where
    S: Source + Clone,
    T: Target + Clone,
{
    let planned = crew.planned(node);
    let Action::Unchanged { target } = planned.action else {
        return false;
    };
    let key = &crew.entity(node).key;
    let there = crew.target_inventory.get(&key.with_id(target));
    !planned.left_alone && there.is_some_and(|there| there.state == ItemState::Staging)
}
