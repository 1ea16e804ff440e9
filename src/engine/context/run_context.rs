//! What every job works with: both instances, the plan, the id map and the store.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use serde_json::Value;

use super::foreign::Foreign;
use super::pre_images::PreImages;
use super::unmatched::Unmatched;
use crate::domain::{
    BatchId, ContentHash, Entity, EntityKey, Id, Inventory, Kind, Locale, Outcome, Proof, RunId,
    SourceId, TargetId, TargetKey,
};
use crate::engine::lease::Fence;
use crate::engine::open_intents::{AttemptLog, OpenIntents, Opening, Signature};
use crate::engine::options::Options;
use crate::engine::outage::Alarm;
use crate::engine::pace::Pacer;
use crate::engine::poll::BatchTimes;
use crate::engine::retry::{Retries, Sender};
use crate::engine::sink::Sink;
use crate::engine::state::Step;
use crate::engine::upload_size::UploadSize;
use crate::id_map::{Counterpart, IdConflict, IdMap};
use crate::instance::{Fingerprint, Save, Saved, Source, Target};
use crate::plan::{
    Action, AssetIndex, Context, Defaults, LeaveOut, Merged, Node, Plan, Planned, Policies, Schema,
    container_of, expected_hash, fields_hash, payload,
};
use crate::planted::{self, Bug};
use crate::store::{
    Change, Intent, IntentDetail, IntentId, IntentState, Mapping, MappingOrigin, Operation, Pair,
    PriorBytes, RunEntity, Store, StoreError,
};

/// What the jobs of a run share.
#[derive(Debug)]
pub struct RunContext<S, T> {
    /// The instance read from.
    pub source: S,
    /// The instance written to.
    pub target: T,
    /// What the source holds.
    pub source_inventory: Arc<Inventory<SourceId>>,
    /// What the target held before the run.
    pub target_inventory: Arc<Inventory<TargetId>>,
    /// What is going to happen.
    pub plan: Arc<Plan>,
    /// What is known of what is going to be written over.
    pub(in crate::engine) pre_images: PreImages,
    /// What is never written on the target.
    pub policies: Policies,
    /// The models of the source.
    pub schema: Schema,
    /// The asset URLs of the source.
    pub assets: AssetIndex,
    /// Fields that stay as the target has them.
    pub merged: Merged,
    /// The id mapping.
    pub ids: IdMap,
    /// The asset bytes that this run sent.
    pub sent_bytes: DashMap<SourceId, Fingerprint>,
    /// The hashes of the asset bytes that both sides had before the run, where they were compared.
    pub equal_bytes: HashMap<SourceId, ContentHash>,
    /// What the server fills in, as far as it was known before the run.
    pub defaults: Defaults,
    /// What the source shows to the public of items with a newer draft.
    pub(in crate::engine) public: Arc<HashMap<EntityKey, Entity<SourceId>>>,
    /// Entities that were meant to be written and were not, or not completely.
    pub unfinished: dashmap::DashSet<Node>,
    /// Pages that this run put at their places.
    pub(in crate::engine) placed: dashmap::DashSet<Node>,
    /// Those of them that were published, and are not any more.
    pub(in crate::engine) republish: dashmap::DashSet<Node>,
    /// Rows of which several new pages were at the target together.
    pub(in crate::engine) overlapping: dashmap::DashSet<Node>,
    /// What was sent again because something wrote over it.
    pub(in crate::engine) sent_again: dashmap::DashSet<Node>,
    /// Kinds and containers of entities that the target has stored otherwise than they were sent.
    pub(in crate::engine) altered: dashmap::DashSet<(Kind, Box<str>)>,
    /// What something else changed on the target meanwhile.
    pub(in crate::engine) foreign: Foreign,
    /// What survives the process.
    pub store: Store,
    /// The two instances.
    pub pair: Pair,
    /// The run.
    pub run: RunId,
    /// The pace of the source.
    pub source_pacer: Arc<Pacer>,
    /// The pace of the target.
    pub target_pacer: Arc<Pacer>,
    /// Where events go.
    pub sink: Sink,
    /// As the user set it.
    pub options: Options,
    /// What its writes have to pass; `None` when it writes nothing.
    pub fence: Option<Fence>,
    /// Counts the intents of this run.
    pub intents: AtomicI64,
    /// Those of them that have no outcome yet.
    pub open: OpenIntents,
    /// Batches that the target works on for this run.
    pub batches: dashmap::DashSet<BatchId>,
    /// How long the target takes for batches.
    pub batch_times: BatchTimes,
    /// How much the target takes in one upload.
    pub(in crate::engine) upload_size: UploadSize,
    /// What stops everything at once.
    pub alarm: Alarm,
    /// What the target had before the run that is the counterpart of nothing, once something is created.
    pub(in crate::engine) unmatched: OnceLock<Unmatched>,
}

/// An entity in the target's terms, ready to be sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The entity.
    pub node: Node,
    /// Which save.
    pub step: Step,
    /// What is sent.
    pub save: Save,
    /// The length of its body as JSON.
    pub bytes: u64,
    /// The hash that the target will have.
    pub target_hash: ContentHash,
    /// The same without the place of a page.
    pub fields_hash: ContentHash,
    /// Whether it is a page that was published, and is saved as it was, at another place.
    pub was_published: bool,
    /// The bytes of the asset that it replaces, when it replaces one.
    pub replaced: Option<PriorBytes>,
    /// The bytes of an asset, once they were sent.
    pub sent: Option<Fingerprint>,
}

impl<S: Source, T: Target> RunContext<S, T> {
    /// The source entity of a node.
    pub fn entity(&self, node: Node) -> &Entity<SourceId> {
        &self.source_inventory.entities()[node as usize]
    }

    /// What is planned for a node.
    pub fn planned(&self, node: Node) -> &Planned {
        &self.plan.entities[node as usize]
    }

    /// What is needed to find references.
    pub fn rewriting(&self) -> Context<'_> {
        Context {
            schema: &self.schema,
            assets: &self.assets,
            policies: Some(&self.policies),
            merged: Some(&self.merged),
            links: self.options.probed.links,
        }
    }

    /// Sends requests to the target.
    pub fn to_target(&self) -> Sender<'_> {
        Sender {
            pacer: &self.target_pacer,
            retries: Retries::new(&self.options),
            sink: &self.sink,
            attempts: None,
            fence: self.fence.as_ref(),
            alarm: Some(&self.alarm),
        }
    }

    /// Waits until the lease is known to be held, of a write that has waited for something else since it was let go.
    pub(in crate::engine) async fn keeps_lease(&self) {
        if let Some(fence) = &self.fence {
            fence.pass().await;
        }
    }

    /// Sends writes to the target that are noted in `intent`.
    pub fn under(&self, intent: IntentId) -> Sender<'_> {
        Sender {
            attempts: Some(AttemptLog {
                intents: &self.open,
                intent,
            }),
            ..self.to_target()
        }
    }

    /// Sends requests to the source.
    pub fn to_source(&self) -> Sender<'_> {
        Sender {
            pacer: &self.source_pacer,
            retries: Retries::new(&self.options),
            sink: &self.sink,
            attempts: None,
            fence: None,
            alarm: Some(&self.alarm),
        }
    }

    /// The counterpart of a node that a save replaces; `None` creates.
    pub fn counterpart(&self, node: Node) -> Option<TargetId> {
        let key = &self.entity(node).key;
        self.planned(node)
            .action
            .counterpart()
            .or_else(|| self.ids.resolve(key).map(|counterpart| counterpart.id))
            // An item keeps its id in every locale. A page joins its other locale by a parameter instead.
            .or_else(|| {
                self.ids
                    .shared(key.kind, key.id)
                    .filter(|_| key.kind == Kind::Content)
            })
    }

    /// Writes an entity in the target's terms.
    ///
    /// # Errors
    /// A sentence that names the reference which has no counterpart. That is our mistake: nothing
    /// becomes ready before everything that it refers to is there.
    pub fn prepare(&self, node: Node, step: Step) -> Result<Prepared, String> {
        self.prepare_version(node, step, self.entity(node))
    }

    /// The same of an item in the version that the source shows to the public.
    ///
    /// # Errors
    /// A sentence that names a reference of that version which has no counterpart.
    pub(in crate::engine) fn prepare_public(&self, node: Node) -> Result<Prepared, String> {
        let public = self.public.get(&self.entity(node).key);
        let public = public.ok_or_else(|| "its published version was not read".to_owned())?;
        self.prepare_version(node, Step::Patch, public)
    }

    fn prepare_version(
        &self,
        node: Node,
        step: Step,
        entity: &Entity<SourceId>,
    ) -> Result<Prepared, String> {
        let planned = self.planned(node);
        let id = self.counterpart(node);
        let left_out = match step {
            Step::Patch if !planted::has(Bug::PatchesNothing) => LeaveOut::default(),
            Step::Save | Step::Patch => planned
                .left_out
                .iter()
                .map(|(referent, _)| referent.clone())
                .collect(),
        };
        let existing = self.existing(entity, id);
        let written = payload(
            entity,
            &self.rewriting(),
            &self.ids,
            &left_out,
            existing.as_ref(),
        )
        .map_err(|unresolved| unresolved.to_string())?;
        let mut body = written.body;
        if let (Step::Save, Some(name)) = (step, &planned.temporary) {
            set_name(entity.key.kind, &mut body, name);
        }
        if let Some(number) = planned.keeps_number {
            body["properties"]["itemOrder"] = number.into();
        }
        let kind = entity.key.kind;
        let parent = self.home_parent(node)?;
        let target_hash = expected_hash(kind, &body, parent, &self.schema);
        let fields_hash = match parent {
            Some(_) => fields_hash(kind, &body, &self.schema),
            None => target_hash,
        };
        let locale = entity.key.locale.clone().or_else(|| self.any_locale());
        let bytes = json_bytes(&body);
        let save = Save {
            kind: entity.key.kind,
            name: entity.name.clone(),
            id,
            locale,
            body: Arc::new(body),
            numbers: entity.body.numbers(),
        };
        Ok(Prepared {
            node,
            step,
            save,
            bytes,
            target_hash,
            fields_hash,
            was_published: false,
            replaced: None,
            sent: None,
        })
    }

    /// What the target has of a template, whose zones keep their ids, of an asset, which keeps the spelling of its path, or
    /// of an item or page with fields that stay as they are.
    fn existing(&self, entity: &Entity<SourceId>, id: Option<TargetId>) -> Option<Value> {
        let key: TargetKey = entity.key.with_id(id?);
        let is_needed = match key.kind {
            Kind::Template | Kind::Asset => true,
            Kind::Content | Kind::Page => {
                self.merged.kept(&entity.key).is_some()
                    || self.policies.has_read_only_fields(entity)
            }
            Kind::Model | Kind::Container | Kind::Gallery | Kind::Redirection => false,
        };
        let there = is_needed.then(|| self.target_inventory.get(&key));
        there.flatten().map(|there| there.body.parse())
    }

    /// The target id of the parent of a page; `None` at the root of its channel.
    ///
    /// # Errors
    /// A sentence when its parent has no counterpart: then it has no place on the target, least of all the root.
    pub fn parent(&self, entity: &Entity<SourceId>) -> Result<Option<TargetId>, String> {
        let placement = entity.placement.as_ref();
        let Some(parent) = placement.and_then(|placement| placement.parent) else {
            return Ok(None);
        };
        let there = self.ids.shared(Kind::Page, SourceId::new(parent));
        let known = there
            .ok_or_else(|| format!("its parent, page {parent}, has no counterpart on the target"));
        known.map(Some)
    }

    /// The target id of the page that a page is put below.
    ///
    /// # Errors
    /// A sentence when it has no place on the target.
    pub(in crate::engine) fn home_parent(&self, node: Node) -> Result<Option<TargetId>, String> {
        if self.entity(node).key.kind != Kind::Page {
            return Ok(None);
        }
        Ok(self.home(node)?.parent.map(TargetId::new))
    }

    /// A locale of the target for paths that need one and do not care which.
    fn any_locale(&self) -> Option<Locale> {
        self.target_inventory.locales.first().cloned()
    }

    /// Makes durable that a request is about to leave, and what the target has in its place.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may leave then.
    pub async fn open_intent(
        &self,
        operation: Operation,
        items: &[Prepared],
        attempt: u32,
    ) -> Result<IntentId, StoreError> {
        let keys = items.iter().map(|item| self.entity(item.node).key.clone());
        let details = items.iter().map(|item| self.detail(operation, item));
        let creates = items.iter().filter(|item| item.save.id.is_none());
        let opening = Opening {
            operation,
            keys: keys.collect(),
            hashes: items.iter().map(|item| item.target_hash).collect(),
            details: details.collect(),
            steps: items.iter().map(|item| (item.node, item.step)).collect(),
            creates: creates.map(|item| self.signature(item)).collect(),
            attempt,
        };
        self.open(opening, self.pre_images(items)).await
    }

    /// Makes durable that a request is about to leave, together with `changes`.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may leave then.
    pub(in crate::engine) async fn open(
        &self,
        opening: Opening,
        mut changes: Vec<Change>,
    ) -> Result<IntentId, StoreError> {
        let id = IntentId(self.intents.fetch_add(1, Ordering::Relaxed));
        let intent = Intent {
            id,
            run: self.run.clone(),
            operation: opening.operation,
            keys: opening.keys,
            payload_hash: opening.hashes,
            details: opening.details,
            opened_ms: self.store.now().as_millisecond(),
            attempt: opening.attempt,
            batch: None,
            state: IntentState::Open,
            answers: Vec::new(),
        };
        if !planted::has(Bug::SendsWithoutIntent) {
            changes.push(Change::IntentOpened {
                pair: self.pair.clone(),
                intent,
            });
        }
        self.store.commit(changes).await?;
        let carried = (opening.steps, opening.creates);
        self.open.open(id, carried, opening.attempt);
        Ok(id)
    }

    /// The same for equal items only.
    pub(in crate::engine) fn signature(&self, item: &Prepared) -> Signature {
        let key = &self.entity(item.node).key;
        (key.kind, key.locale.clone(), item.target_hash)
    }

    /// Makes durable under which number the target processes an intent.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn number_intent(&self, id: IntentId, batch: BatchId) -> Result<(), StoreError> {
        let run = self.run.clone();
        self.store
            .commit(vec![Change::IntentBatch { run, id, batch }])
            .await?;
        self.open.number(id, batch);
        Ok(())
    }

    /// What recovery needs of an item that is about to leave.
    fn detail(&self, operation: Operation, item: &Prepared) -> IntentDetail {
        let entity = self.entity(item.node);
        let planned = self.planned(item.node);
        let operation = match (operation, item.step, &planned.action) {
            (Operation::Upload, ..) => Operation::Upload,
            (_, Step::Patch, _) => Operation::Patch,
            (_, Step::Save, Action::Update { .. }) => Operation::Update,
            (_, Step::Save, _) => Operation::Create,
        };
        let of_kind = self.target_inventory.of_kind(entity.key.kind);
        IntentDetail {
            operation,
            merged: planned.merge.is_some(),
            name: entity.name.to_string(),
            source_hash: planned.source_hash,
            source_version: entity.version,
            // A page has its id in another locale before it is saved in this one.
            target: item
                .save
                .id
                .or_else(|| self.ids.shared(entity.key.kind, entity.key.id)),
            container: container_of(&item.save.body).to_owned(),
            // Nothing leaves whose parent is not known.
            parent: self.home_parent(item.node).unwrap_or_default(),
            newest: of_kind.last().map_or(0, |newest| newest.key.id.raw()),
            unmatched: self.unmatched_near(&item.save),
            place: self.place_sent(item),
        }
    }

    /// The note that an intent has come to its end.
    pub fn closed(&self, id: IntentId, state: IntentState) -> Change {
        Change::IntentClosed {
            run: self.run.clone(),
            id,
            state,
            answers: self.open.close(id),
        }
    }

    /// Claims what an entity became, and gives what the store has to keep of it.
    ///
    /// # Errors
    /// [`IdConflict`] when it has another counterpart already, or that one is another entity's: nothing of it may be
    /// stored then.
    pub fn changes_of(&self, item: &Prepared, saved: &Saved) -> Result<Vec<Change>, IdConflict> {
        let planned = self.planned(item.node);
        let entity = self.entity(item.node);
        self.ids.claim(&entity.key, saved.id)?;
        if let (Step::Patch, Action::Unchanged { .. }) = (item.step, &planned.action) {
            return Ok(self.saved_again(item, saved));
        }
        let over = self.written_over(item, saved);
        let (origin, outcome) = match &planned.action {
            Action::Update { .. } => (MappingOrigin::Updated, Outcome::Updated),
            _ if over.is_some() => (MappingOrigin::Updated, Outcome::Updated),
            _ => (MappingOrigin::Created, Outcome::Created),
        };
        let mapping = Mapping {
            key: entity.key.clone(),
            target: saved.id,
            target_name: saved.name.as_deref().map(str::to_owned),
            source_version: entity.version,
            target_version: saved.version,
            source_hash: planned.source_hash,
            target_hash: Some(item.fields_hash),
            proof: if planted::has(Bug::AgreesUnseen) {
                Proof::Equal
            } else {
                Proof::Sent
            },
            filled: planned.filled.clone(),
            fields: None,
            bytes_hash: item.sent.map(|sent| sent.hash),
            bytes_date: None,
            evidence: None,
            origin,
            run: self.run.clone(),
        };
        let mapping = self.unless_place_only(item, mapping);
        let mut changes = self.claimed(mapping);
        changes.extend(over.map(|there| self.found_out(there)));
        changes.extend(self.place_sent(item).map(|place| Change::PagePlace {
            pair: self.pair.clone(),
            key: entity.key.clone(),
            place: Some(place),
        }));
        changes.extend(item.sent.map(|sent| Change::BytesSent {
            run: self.run.clone(),
            asset: saved.id,
            hash: sent.hash,
        }));
        if item.step == Step::Patch || !planned.is_patched() {
            changes.push(Change::Entity(self.run_entity(
                item.node,
                outcome,
                Some(saved.id),
                &planned.because,
            )));
        }
        Ok(changes)
    }

    /// What the store has to keep of an item that is unchanged, and was saved in another version all the same: what it is the
    /// counterpart of stays, and so does the run that wrote it.
    fn saved_again(&self, item: &Prepared, saved: &Saved) -> Vec<Change> {
        let there = self.entity(item.node).key.with_id(saved.id);
        let known = self.pre_images.mapping(&there);
        let mapping = known.map(|known| Mapping {
            target_version: saved.version,
            target_hash: Some(item.fields_hash),
            proof: Proof::Sent,
            fields: None,
            ..known.clone()
        });
        mapping
            .into_iter()
            .flat_map(|mapping| self.claimed(mapping))
            .collect()
    }

    /// The note of a counterpart. One that a deleted entity of the source had before is taken from it.
    pub fn claimed(&self, mapping: Mapping) -> Vec<Change> {
        let before = self
            .pre_images
            .mapping(&mapping.key.with_id(mapping.target));
        let before = before.filter(|before| before.key != mapping.key);
        let removed = before.map(|before| Change::MappingRemoved {
            pair: self.pair.clone(),
            key: before.key.clone(),
            prior: before.target,
        });
        let pair = self.pair.clone();
        removed
            .into_iter()
            .chain([Change::Mapping { pair, mapping }])
            .collect()
    }

    /// What a save of the place alone leaves agreed about the fields: what was. A merged save as well: what the target has
    /// of its own is no agreement, and what was written is one once it is read back.
    fn unless_place_only(&self, item: &Prepared, mapping: Mapping) -> Mapping {
        let known = self
            .pre_images
            .mapping(&mapping.key.with_id(mapping.target));
        let planned = self.planned(item.node);
        match known.filter(|_| planned.is_place_only() || planned.merge.is_some()) {
            Some(known) => Mapping {
                source_version: known.source_version,
                // What the target edited came after the version that is agreed upon, and stays so.
                target_version: if planned.left_alone {
                    known.target_version
                } else {
                    mapping.target_version
                },
                source_hash: known.source_hash,
                target_hash: known.target_hash,
                proof: known.proof,
                filled: known.filled.clone(),
                fields: known.fields.clone(),
                ..mapping
            },
            None => mapping,
        }
    }

    /// The row of a node in the results of the run.
    pub fn run_entity(
        &self,
        node: Node,
        outcome: Outcome,
        target: Option<TargetId>,
        because: &str,
    ) -> RunEntity {
        let entity = self.entity(node);
        RunEntity {
            run: self.run.clone(),
            key: entity.key.clone(),
            name: entity.name.to_string(),
            outcome,
            target,
            because: because.to_owned(),
        }
    }

    /// Lets the lanes see what the store has.
    ///
    /// # Errors
    /// [`IdConflict`] when the entity has another counterpart already.
    pub fn arrived(&self, node: Node, saved: &Saved) -> Result<(), IdConflict> {
        let entity = self.entity(node);
        let key: &EntityKey = &entity.key;
        if let Some(name) = &saved.name {
            self.ids.record_name(key.kind, &entity.name, name);
        }
        if let Some(urls) = &saved.urls {
            self.ids.record_urls(key.id, urls.clone());
        }
        self.ids.record(
            key,
            Counterpart {
                id: saved.id,
                version: saved.version,
            },
        )
    }
}

/// Writes a name into a body in the place where its kind has it.
fn set_name(kind: Kind, body: &mut Value, name: &str) {
    let member = match kind {
        Kind::Model | Kind::Container => "referenceName",
        Kind::Template => "pageTemplateName",
        Kind::Gallery | Kind::Page => "name",
        Kind::Redirection => "originUrl",
        // Its path is where an asset is, and content has no name.
        Kind::Asset | Kind::Content => return,
    };
    body[member] = name.into();
}

/// The length of `value` as JSON text.
pub(in crate::engine) fn json_bytes(value: &Value) -> u64 {
    struct Count(u64);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("counting never fails");
    count.0
}
