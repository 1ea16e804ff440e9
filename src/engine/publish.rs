//! Publishing: what is published on the source, and was written by this run, content before pages.
//!
//! A run that is interrupted has written entities and published none. So what an earlier run wrote counts as well,
//! as long as nobody has changed or published it since. Publishing needs no note of its own for that: whether it
//! is still to be done shows in the state of the entity on the target, and doing it twice is harmless.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::crew::Crew;
use super::forecast::{After, Costs, Publication, Reading, tell_while};
use super::jobs::{BatchEnd, repeat, wait};
use super::options::Publish;
use super::pace::{Class, Sample};
use crate::domain::{EntityKey, ItemState, Kind, Locale, TargetId, TargetKey};
use crate::event::{Bottleneck, Event};
use crate::instance::{Effect, Source, Target, Verdict};
use crate::plan::{Action, Node};
use crate::store::{Mapping, MappingOrigin};

/// Ids in one request (limit of `batch-workflow`).
pub(super) const IDS_AT_ONCE: usize = 250;

/// What is published at once.
#[derive(Debug)]
struct Batch {
    kind: Kind,
    locale: Locale,
    ids: Vec<TargetId>,
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
        for (locale, ids) in eligible(crew, *kind, &ours) {
            batches.extend(in_batches(*kind, &locale, &ids));
        }
    }
    for (locale, mut ids) in moved(crew) {
        ids.retain(|id| !batches.iter().any(|batch| batch.is_of(&locale, *id)));
        batches.extend(in_batches(Kind::Page, &locale, &ids));
    }
    batches
}

impl Batch {
    fn is_of(&self, locale: &Locale, page: TargetId) -> bool {
        self.kind == Kind::Page && self.locale == *locale && self.ids.contains(&page)
    }
}

fn in_batches(kind: Kind, locale: &Locale, ids: &[TargetId]) -> Vec<Batch> {
    let batch = |some: &[TargetId]| Batch {
        kind,
        locale: locale.clone(),
        ids: some.to_vec(),
    };
    ids.chunks(IDS_AT_ONCE).map(batch).collect()
}

/// Pages that were published before they moved, whatever is to be published otherwise.
fn moved<S, T>(crew: &Crew<S, T>) -> BTreeMap<Locale, Vec<TargetId>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<TargetId>> = BTreeMap::new();
    for node in crew.unpublished_by_moves() {
        let key = &crew.entity(node).key;
        if let (Some(locale), Some(there)) = (&key.locale, crew.ids.resolve(key)) {
            ids.entry(locale.clone()).or_default().push(there.id);
        }
    }
    ids
}

/// Publishes, tells how long that and what comes after it will still take, and returns why something could not be.
pub(super) async fn publish<S, T>(
    crew: &Crew<S, T>,
    mappings: &[Mapping],
    reading: Reading,
) -> Vec<String>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let batches = batches(crew, mappings);
    if batches.is_empty() {
        return Vec::new();
    }
    let done = AtomicUsize::new(0);
    let forecast = |_: &Sample, _: &Sample| {
        let left = &batches[done.load(Ordering::Relaxed)..];
        let items = left.iter().map(|batch| batch.ids.len()).sum();
        let publication = Publication::sized(left.len(), items);
        let after = After {
            publication,
            reading,
        };
        Some(after.forecast(&Costs::of(crew), Duration::ZERO, Bottleneck::Worker))
    };
    let work = async {
        let mut problems = Vec::new();
        for Batch { kind, locale, ids } in &batches {
            problems.extend(publish_some(crew, *kind, locale, ids).await);
            done.fetch_add(1, Ordering::Relaxed);
        }
        problems
    };
    tell_while(crew, forecast, work).await
}

/// Everything that this run wrote, or an earlier one and nobody since, and the source has published; each id
/// once, by locale.
fn eligible<S, T>(
    crew: &Crew<S, T>,
    kind: Kind,
    ours: &HashSet<&EntityKey>,
) -> BTreeMap<Locale, Vec<TargetId>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut ids: BTreeMap<Locale, Vec<TargetId>> = BTreeMap::new();
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
            ids.entry(locale.clone()).or_default().push(there.id);
        }
    }
    for ids in ids.values_mut() {
        ids.sort_unstable();
        ids.dedup();
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
    let there = crew.target_inventory.get(&TargetKey {
        kind: key.kind,
        id: target,
        locale: key.locale.clone(),
    });
    !planned.left_alone && there.is_some_and(|there| there.state == ItemState::Staging)
}

/// Publishes at most 250 of one kind and locale; returns why that did not work.
pub(super) async fn publish_some<S, T>(
    crew: &Crew<S, T>,
    kind: Kind,
    locale: &Locale,
    ids: &[TargetId],
) -> Option<String>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let what = format!("publishing {} {} of {locale}", ids.len(), kind.plural());
    let submit = || crew.target.submit_publish(kind, locale, ids);
    let mut submitted = crew
        .to_target()
        .send_as(Class::Submit, Effect::Write, submit)
        .await;
    if let Err(error) = &submitted
        && error.verdict(Effect::Write) == Verdict::Reconcile
    {
        submitted = repeat(crew, Class::Submit, submit, error.clone()).await;
    }
    let batch = match submitted {
        Ok(batch) => batch,
        Err(error) => return Some(format!("{what}: {error}")),
    };
    let items = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let at_target = crew.worker.begin(items);
    crew.sink
        .emit(Event::BatchSubmitted {
            batch,
            locale: locale.clone(),
            kind,
            items,
        })
        .await;
    let problem = match wait(crew, batch, at_target).await {
        BatchEnd::Finished(results) => {
            // A workflow batch may list more items than were asked for, and in another order.
            let refused: Vec<_> = results
                .iter()
                .filter_map(|result| result.as_ref().err())
                .collect();
            refused.first().map(|first| {
                format!(
                    "{what}: {} refused; the first: {:?}",
                    refused.len(),
                    first.said
                )
            })
        }
        BatchEnd::Failed(refusal) => Some(format!("{what}: {:?}", refusal.said)),
        BatchEnd::Unknown(why) => Some(format!("{what}: {why}")),
    };
    let failed = u32::from(problem.is_some()) * items;
    crew.sink
        .emit(Event::BatchFinished {
            batch,
            succeeded: items - failed,
            failed,
        })
        .await;
    problem
}
