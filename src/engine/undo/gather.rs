//! Collects the inputs of the plan of an undo.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::actions::Actions;
use super::purpose::Purpose;
use super::run::UndoRequest;
use crate::domain::{
    ContentHash, Entity, EntityKey, Id, Inventory, Key, Kind, Outcome, Placement, RunId, SourceId,
    TargetId, TargetKey, same_name,
};
use crate::engine::agreements::by_key;
use crate::engine::asset_bytes::hash;
use crate::engine::run_error::RunError;
use crate::engine::session::Session;
use crate::instance::{ReadRequest, Record, Source, Target, Webhook};
use crate::plan::container_of;
use crate::plan::undo::{
    self, Created, Inputs, Live, Own, PriorBytes, PriorState, Trace, UndoPlan,
};
use crate::store::{
    self, FormerLive, Intent, IntentDetail, Mapping, MappingOrigin, Operation, PreImage,
    PublishState, Publishing, RunEntity, Store, StoreError,
};

/// How many runs are looked through for earlier attempts at the same undo.
const RUNS: u32 = 10_000;

/// What an undo is going to do, and to what.
#[derive(Debug)]
pub struct UndoOutlook {
    /// Why anything is deleted.
    pub purpose: Purpose,
    /// The run that is undone; of the deletes of a run, that run.
    pub undone: RunId,
    /// What that run wrote, by key.
    pub traces: Vec<Trace>,
    /// What happens to each.
    pub plan: UndoPlan,
    /// The target as it was read for this plan.
    pub target: Arc<Inventory<TargetId>>,
    /// The webhooks of the target that are enabled; none of the deletes of a run, which has looked at them before.
    pub webhooks: Vec<Webhook>,
    /// What an earlier attempt at the same undo created again.
    pub(super) created: Created,
    /// What was written over, as the store has it, in the order of the traces.
    pub(super) noted: Vec<Option<store::PriorState>>,
    /// The counterparts as the store has them now.
    pub(super) mappings: HashMap<EntityKey, Mapping>,
}

impl UndoOutlook {
    /// Whether an undo that carries this out writes anything.
    pub fn has_work(&self) -> bool {
        !Actions::of(self).all.is_empty()
    }

    /// The models as they were before the run.
    pub(super) fn former_models(&self) -> Vec<Entity<TargetId>> {
        let models = self
            .traces
            .iter()
            .filter(|trace| trace.key.kind == Kind::Model);
        models
            .filter_map(|trace| Some(trace.prior.as_ref()?.entity.clone()))
            .collect()
    }
}

impl<S: Source, T: Target> Session<S, T> {
    /// Reads the target and decides what an undo would do. Writes nothing.
    ///
    /// # Errors
    /// [`RunError`] when the target or the state cannot be read.
    pub async fn plan_undo(&self, request: &UndoRequest) -> Result<UndoOutlook, RunError> {
        // All locales: what stands in one that the run left out may need what the run created.
        let locales = self.target.locales().await?;
        let target = Arc::new(self.target.pull::<TargetId>(&locales).await?);
        let mappings = by_key(self.store.mappings(&self.pair()).await?);
        let later = self.store.written_after(&self.pair(), &request.run).await?;
        let gathered = Gathered {
            entities: by_entity(self.store.run_entities(&request.run).await?),
            sent: sent(self.store.intents_of_run(&request.run).await?),
            noted: by_target(self.store.pre_images(&request.run).await?),
            bytes: self
                .store
                .sent_bytes(&request.run)
                .await?
                .into_iter()
                .collect(),
            later: later.into_iter().collect(),
            published: published(self.store.publishings(&request.run).await?),
        };
        let (mut traces, noted) = gathered.traces(&request.run, &mappings);
        let created = find_created(&mut traces, &target, &mappings);
        let shown = self.shown(&traces).await?;
        let left_models = models_of_undos(&self.store, &request.run).await?;
        let bytes = self.present_bytes(&traces, &target).await;
        let former_models: Vec<_> = traces
            .iter()
            .filter(|trace| trace.key.kind == Kind::Model)
            .filter_map(|trace| Some(trace.prior.as_ref()?.entity.clone()))
            .collect();
        let before = Own::new(Arc::clone(&target), &former_models).with_created(created.clone());
        let live = shown
            .iter()
            .map(|shown| (shown.key.clone(), before.hash(shown)));
        let plan = undo::plan(&Inputs {
            traces: &traces,
            target: &target,
            left: &Own::new(Arc::clone(&target), &left_models),
            before: &before,
            bytes: &bytes,
            live: &live.collect(),
            rewritten: &HashMap::new(),
            changed_too: request.changed_too,
        });
        Ok(UndoOutlook {
            purpose: Purpose::Undo,
            undone: request.run.clone(),
            traces,
            plan,
            target,
            webhooks: self.enabled_webhooks().await?,
            noted,
            created,
            mappings,
        })
    }

    /// What the public sees now of what it is to see in another version.
    async fn shown(&self, traces: &[Trace]) -> Result<Vec<Entity<TargetId>>, RunError> {
        let asks = traces
            .iter()
            .filter(|trace| trace.live.is_some())
            .filter_map(|trace| {
                Some(ReadRequest::Live {
                    kind: trace.there.kind,
                    id: trace.there.id.raw(),
                    locale: trace.there.locale.clone()?,
                })
            });
        let found = self
            .target
            .ask_everything::<TargetId>(asks.collect())
            .await?;
        let shown = found.into_iter().filter_map(|found| match found {
            Record::Entity(entity) => Some(entity),
            _ => None,
        });
        Ok(shown.collect())
    }

    /// The hashes of the bytes that assets have now, of those of which it is known what they were, or what was sent.
    async fn present_bytes(
        &self,
        traces: &[Trace],
        target: &Inventory<TargetId>,
    ) -> HashMap<TargetId, ContentHash> {
        let compared = traces.iter().filter_map(|trace| {
            let prior = trace.prior.as_ref().map(|prior| &prior.bytes);
            let is_known = matches!(prior, Some(PriorBytes::Kept(_))) || trace.left_bytes.is_some();
            let media = target.get(&trace.there).filter(|_| is_known)?.body.parse();
            Some((trace.there.id, media["originUrl"].as_str()?.to_owned()))
        });
        let read = |(id, url): (TargetId, String)| async move {
            // Bytes that cannot be read count as different: then they are sent.
            let hash = hash(&self.target, &url).await;
            Some((id, hash.ok()?))
        };
        stream::iter(compared)
            .map(read)
            .buffer_unordered(self.options.downloads_in_flight())
            .filter_map(std::future::ready)
            .collect()
            .await
    }
}

/// What the store has about a run.
struct Gathered {
    entities: BTreeMap<EntityKey, RunEntity>,
    sent: BTreeMap<EntityKey, Sent>,
    noted: HashMap<TargetKey, PreImage>,
    /// Of assets.
    bytes: HashMap<TargetId, ContentHash>,
    later: HashMap<EntityKey, RunId>,
    published: BTreeMap<EntityKey, Publishing>,
}

/// What a run sent for an entity.
#[derive(Default)]
struct Sent {
    hashes: Vec<ContentHash>,
    /// Of the first request; `None` when an older program noted it.
    first: Option<IntentDetail>,
    name: String,
}

impl Gathered {
    /// What the run left, and what was noted of each before, in the same order.
    fn traces(
        mut self,
        run: &RunId,
        mappings: &HashMap<EntityKey, Mapping>,
    ) -> (Vec<Trace>, Vec<Option<store::PriorState>>) {
        let mut keys: Vec<EntityKey> = self
            .entities
            .keys()
            .chain(self.sent.keys())
            .chain(self.published.keys())
            .cloned()
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let traces = keys
            .into_iter()
            .filter_map(|key| self.trace(key, run, mappings));
        let mut traces: Vec<_> = traces.collect();
        let along = self.noted.into_values().filter(|noted| noted.prior.along);
        traces.extend(along.map(along_with_its_model));
        traces.sort_by(|(left, _), (right, _)| left.key.cmp(&right.key));
        traces.into_iter().unzip()
    }

    fn trace(
        &mut self,
        key: EntityKey,
        run: &RunId,
        mappings: &HashMap<EntityKey, Mapping>,
    ) -> Option<(Trace, Option<store::PriorState>)> {
        let row = self.entities.get(&key);
        let written = row.filter(|row| {
            matches!(
                row.outcome,
                Outcome::Created | Outcome::Updated | Outcome::Deleted
            )
        });
        let deleted = written.is_some_and(|row| row.outcome == Outcome::Deleted);
        // One that failed halfway, or had no outcome when the run ended, is on the target all the same.
        let mapping = mappings
            .get(&key)
            .filter(|mapping| mapping.run == *run && is_written(mapping.origin));
        let published = self.published.get(&key);
        let written_as = written
            .and_then(|row| row.target)
            .or(mapping.map(|mapping| mapping.target));
        let target = written_as.or(published.map(|published| published.target))?;
        let live = published.map(|published| published.live.clone());
        let there = Key {
            kind: key.kind,
            id: target,
            locale: key.locale.clone(),
        };
        let sent = self.sent.remove(&key).unwrap_or_default();
        let noted = self.noted.remove(&there);
        let existed = noted.is_some()
            || sent.first.as_ref().map_or_else(
                || written.is_some_and(|row| row.outcome == Outcome::Updated),
                replaces,
            );
        let mapping = mapping.filter(|mapping| mapping.target == target);
        let mut left = sent.hashes;
        left.extend(mapping.and_then(|mapping| mapping.target_hash));
        let trace = Trace {
            name: row.map_or(sent.name, |row| row.name.clone()),
            later: self.later.get(&key).cloned(),
            left_bytes: self
                .bytes
                .get(&target)
                .copied()
                .filter(|_| there.kind == Kind::Asset),
            key,
            left,
            existed,
            deleted,
            along: false,
            prior: noted.as_ref().map(|noted| prior(&there, noted)),
            only_published: written_as.is_none(),
            live: live.and_then(|live| shown_before(&there, noted.as_ref(), live)),
            there,
        };
        Some((trace, noted.map(|noted| noted.prior)))
    }
}

/// Finds what has the place of something that was deleted: under the id that the state has for it since, by its name or
/// path, or, for an item, as an equal one in its container that is the counterpart of nothing. It was created again by an
/// earlier attempt at the undo, or by hand.
fn find_created(
    traces: &mut [Trace],
    target: &Inventory<TargetId>,
    mappings: &HashMap<EntityKey, Mapping>,
) -> Created {
    let mut created = Created::new();
    if !traces.iter().any(|trace| trace.deleted) {
        return created;
    }
    let own = Own::new(Arc::new(target.clone()), &[]);
    let mut taken: HashSet<TargetKey> = mappings
        .values()
        .map(|mapping| mapping.key.with_id(mapping.target))
        .collect();
    let absent = |trace: &&mut Trace| trace.deleted && target.get(&trace.there).is_none();
    for trace in traces.iter_mut().filter(absent) {
        let mapped = mappings
            .get(&trace.key)
            .map(|mapping| trace.key.with_id(mapping.target))
            .filter(|there| target.get(there).is_some());
        let alike = || {
            let prior = &trace.prior.as_ref()?.entity;
            let mut all = target.of_kind(prior.key.kind).iter();
            let found = all.find(|one| {
                one.key.locale == prior.key.locale
                    && !taken.contains(&one.key)
                    && is_in_place_of(one, prior, &own)
            });
            found.map(|found| found.key.clone())
        };
        if let Some(there) = mapped.or_else(alike) {
            let former = (trace.there.kind, trace.there.id.raw());
            created
                .entry(former)
                .or_insert((there.id, there.locale.clone()));
            taken.insert(there.clone());
            trace.there = there;
        }
    }
    created
}

/// Whether `one` has the place of `prior`, which is not there any more.
fn is_in_place_of(one: &Entity<TargetId>, prior: &Entity<TargetId>, own: &Own) -> bool {
    if prior.key.kind != Kind::Content {
        return same_name(&one.name, &prior.name);
    }
    let (here, there) = (prior.body.parse(), one.body.parse());
    container_of(&here) == container_of(&there) && own.says(one, prior)
}

/// An item that lost a value with a field of its model. One that is not a counterpart goes by the negative of its id
/// on the target, which no entity of a source has.
fn along_with_its_model(noted: PreImage) -> (Trace, Option<store::PriorState>) {
    let mapping = noted.prior.mapping.as_ref();
    let key = mapping.map_or_else(
        || Key {
            kind: noted.key.kind,
            id: SourceId::new(-noted.key.id.raw()),
            locale: noted.key.locale.clone(),
        },
        |mapping| mapping.key.clone(),
    );
    let trace = Trace {
        existed: true,
        along: true,
        prior: Some(prior(&noted.key, &noted)),
        ..Trace::new(key, noted.prior.name.clone(), noted.key.clone())
    };
    (trace, Some(noted.prior))
}

const fn is_written(origin: MappingOrigin) -> bool {
    match origin {
        MappingOrigin::Created | MappingOrigin::Updated | MappingOrigin::Recovered => true,
        MappingOrigin::Adopted | MappingOrigin::Imported => false,
    }
}

/// Whether the first request for an entity went over something that existed.
fn replaces(first: &IntentDetail) -> bool {
    match first.operation {
        Operation::Update => true,
        Operation::Upload => first.target.is_some(),
        Operation::Create
        | Operation::Patch
        | Operation::Publish
        | Operation::Delete
        | Operation::Restore => false,
    }
}

fn prior(there: &TargetKey, noted: &PreImage) -> PriorState {
    let place = noted.prior.place.as_ref();
    let bytes = match &noted.prior.bytes {
        None if there.kind == Kind::Asset => {
            PriorBytes::Lost("nothing was noted of them".to_owned())
        }
        None => PriorBytes::None,
        Some(store::PriorBytes::Kept { hash, .. }) => PriorBytes::Kept(*hash),
        Some(store::PriorBytes::Lost { why }) => PriorBytes::Lost(why.clone()),
    };
    PriorState {
        entity: Entity {
            key: there.clone(),
            name: noted.prior.name.as_str().into(),
            version: noted.version,
            state: noted.prior.state,
            placement: place.map(|place| {
                Box::new(Placement {
                    channel: place.channel.as_str().into(),
                    channel_id: place.channel_id,
                    parent: place.parent,
                    position: place.position,
                })
            }),
            body: noted.prior.body.clone(),
        },
        bytes,
    }
}

/// What the public saw before, where that was not the former version.
fn shown_before(there: &TargetKey, noted: Option<&PreImage>, live: FormerLive) -> Option<Live> {
    match live {
        // What could not be read cannot be restored; what was reported then still holds.
        FormerLive::New | FormerLive::Same | FormerLive::Unknown { .. } => None,
        FormerLive::Nothing => Some(Live::Nothing),
        FormerLive::Version { body } => {
            let entity = prior(there, noted?).entity;
            Some(Live::Version(Box::new(Entity { body, ..entity })))
        }
    }
}

/// What a run published or may have.
fn published(all: Vec<Publishing>) -> BTreeMap<EntityKey, Publishing> {
    let may_be = |one: &Publishing| match one.state {
        PublishState::Open | PublishState::Published | PublishState::Withdrawn => true,
        PublishState::Refused => false,
    };
    let all = all.into_iter().filter(may_be);
    all.map(|one| (one.key.clone(), one)).collect()
}

fn by_entity(entities: Vec<RunEntity>) -> BTreeMap<EntityKey, RunEntity> {
    let keyed = |entity: RunEntity| (entity.key.clone(), entity);
    entities.into_iter().map(keyed).collect()
}

fn by_target(noted: Vec<PreImage>) -> HashMap<TargetKey, PreImage> {
    let keyed = |noted: PreImage| (noted.key.clone(), noted);
    noted.into_iter().map(keyed).collect()
}

/// What a run sent, whatever became of it: a request that failed as a whole may have had an effect all the same.
fn sent(intents: Vec<Intent>) -> BTreeMap<EntityKey, Sent> {
    let mut all: BTreeMap<EntityKey, Sent> = BTreeMap::new();
    for intent in intents {
        let details = intent.details.into_iter().map(Some);
        let details = details.chain(std::iter::repeat(None));
        for ((key, hash), detail) in intent
            .keys
            .into_iter()
            .zip(intent.payload_hash)
            .zip(details)
        {
            let sent = all.entry(key).or_default();
            if sent.hashes.is_empty() {
                sent.name = detail
                    .as_ref()
                    .map(|detail| detail.name.clone())
                    .unwrap_or_default();
                sent.first = detail;
            }
            sent.hashes.push(hash);
        }
    }
    all
}

/// The models as the run left them, where an earlier attempt at this undo has restored them already: the hashes of their
/// items were made in their terms.
async fn models_of_undos(store: &Store, run: &RunId) -> Result<Vec<Entity<TargetId>>, StoreError> {
    let mut models = BTreeMap::new();
    let runs = store.runs(RUNS).await?;
    let undoes = |record: &&store::RunRecord| record.undoes().as_ref() == Some(run);
    for record in runs.iter().filter(undoes) {
        let noted = store.pre_images(&record.run).await?;
        for noted in noted.iter().filter(|noted| noted.key.kind == Kind::Model) {
            // Newest first, so that the oldest stays: it was the first to find the model as the run had left it.
            let model = prior(&noted.key, noted).entity;
            models.insert(noted.key.id.raw(), model);
        }
    }
    Ok(models.into_values().collect())
}
