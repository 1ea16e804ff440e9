//! What everybody who carries out an undo works with.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::gather::UndoOutlook;
use crate::domain::{
    ContentHash, Entity, EntityKey, Failure, Inventory, Kind, Locale, Outcome, TargetId, WorkClass,
};
use crate::engine::crew::Crew;
use crate::engine::former::Formers;
use crate::engine::lease::Fence;
use crate::engine::open_intents::OpenIntents;
use crate::engine::outage::Alarm;
use crate::engine::poll::BatchTimes;
use crate::engine::run::Session;
use crate::event::{Event, Lane};
use crate::id_map::IdMap;
use crate::instance::{Source, Target};
use crate::plan::undo::{Decided, Own, Trace};
use crate::plan::{AssetIndex, Plan, Schema};
use crate::store::{
    Change, Intent, IntentDetail, IntentId, IntentState, Operation, RunEntity, StoreError,
};

/// What an undo works with.
pub(super) struct Hands<'a, S, T> {
    /// Pace, store, sink and options; its plan is empty, because the source has no part in an undo.
    pub(super) crew: Crew<S, T>,
    pub(super) outlook: &'a UndoOutlook,
    /// The target in its own terms, with its models as they were before the run.
    pub(super) before: Own<'a>,
    /// What could not be deleted or restored, with the root cause.
    failed: Mutex<HashMap<usize, EntityKey>>,
    draining: AtomicBool,
    /// Entities to delete or restore that have their outcome.
    pub(super) done: AtomicUsize,
}

/// What came of one entity.
pub(super) struct Settled {
    pub(super) outcome: Outcome,
    /// What kind of thing made it fail, if it did.
    pub(super) cause: Option<Failure>,
    pub(super) because: String,
    /// What goes into the store with it.
    pub(super) changes: Vec<Change>,
    pub(super) bytes: u64,
}

impl<'a, S: Source + Clone, T: Target + Clone> Hands<'a, S, T> {
    pub(super) fn new(session: &Session<S, T>, outlook: &'a UndoOutlook, fence: Fence) -> Self {
        Self {
            crew: crew(session, outlook, fence),
            outlook,
            before: Own::new(&outlook.target, &outlook.former_models()),
            failed: Mutex::default(),
            draining: AtomicBool::new(false),
            done: AtomicUsize::new(0),
        }
    }

    pub(super) fn trace(&self, at: usize) -> &'a Trace {
        &self.outlook.traces[at]
    }

    pub(super) fn decided(&self, at: usize) -> &'a Decided {
        &self.outlook.plan.entities[at]
    }

    /// What the target had in that place when the plan was made.
    pub(super) fn present(&self, at: usize) -> Option<&'a Entity<TargetId>> {
        self.outlook.target.get(&self.trace(at).there)
    }

    /// From now on nothing new leaves.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The locale of an entity; of kinds without one, one that a path may need.
    pub(super) fn locale(&self, at: usize) -> Option<Locale> {
        let own = self.trace(at).there.locale.clone();
        own.or_else(|| self.outlook.target.locales.first().cloned())
    }

    /// The root cause, if something that holds on to `at` could not be deleted or restored.
    pub(super) fn held(&self, at: usize) -> Option<EntityKey> {
        let failed = self.failed.lock().expect("no holder panics");
        let mut holders = self.decided(at).held_by.iter();
        holders.find_map(|holder| failed.get(holder).cloned())
    }

    pub(super) fn has_failed(&self, at: usize) -> bool {
        let failed = self.failed.lock().expect("no holder panics");
        failed.contains_key(&at)
    }

    /// How many could not be deleted or restored.
    pub(super) fn failures(&self) -> usize {
        self.failed.lock().expect("no holder panics").len()
    }

    /// Makes durable that a request about `entities` is about to leave, together with `changes`.
    pub(super) async fn open(
        &self,
        operation: Operation,
        entities: &[usize],
        mut changes: Vec<Change>,
    ) -> Result<IntentId, StoreError> {
        let id = IntentId(self.crew.intents.fetch_add(1, Ordering::Relaxed));
        let intent = Intent {
            id,
            run: self.crew.run.clone(),
            operation,
            keys: entities
                .iter()
                .map(|at| self.trace(*at).key.clone())
                .collect(),
            payload_hash: entities.iter().map(|at| self.sent_hash(*at)).collect(),
            details: entities
                .iter()
                .map(|at| self.detail(*at, operation))
                .collect(),
            opened_ms: self.crew.store.now().as_millisecond(),
            attempt: 1,
            batch: None,
            state: IntentState::Open,
            answers: Vec::new(),
        };
        changes.push(Change::IntentOpened {
            pair: self.crew.pair.clone(),
            intent,
        });
        self.crew.store.commit(changes).await?;
        self.crew.open.open(id, (Vec::new(), Vec::new()), 1);
        for at in entities {
            self.tell_start(*at).await;
        }
        Ok(id)
    }

    /// The hash of what is saved again; of a delete, of what is there.
    fn sent_hash(&self, at: usize) -> ContentHash {
        let former = self.trace(at).former.as_ref();
        let entity = former.map(|former| &former.entity).or(self.present(at));
        entity.map_or_else(
            || ContentHash::of_bytes(&[]),
            |entity| self.before.hash(entity),
        )
    }

    fn detail(&self, at: usize, operation: Operation) -> IntentDetail {
        let trace = self.trace(at);
        let path_locale = (trace.key.kind == Kind::Template)
            .then(|| self.locale(at))
            .flatten();
        IntentDetail {
            operation,
            name: trace.name.clone(),
            target: Some(trace.there.id),
            container: path_locale.map_or_else(String::new, |locale| locale.to_string()),
            ..IntentDetail::default()
        }
    }

    /// Makes durable what came of an entity, then tells it.
    pub(super) async fn settle(&self, at: usize, settled: Settled) -> Result<(), StoreError> {
        self.settle_all(vec![(at, settled)]).await
    }

    /// Makes durable what came of some entities, all at once, then tells it.
    pub(super) async fn settle_all(&self, all: Vec<(usize, Settled)>) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        for (at, settled) in &all {
            let trace = self.trace(*at);
            changes.extend(settled.changes.iter().cloned());
            changes.push(Change::Entity(RunEntity {
                run: self.crew.run.clone(),
                key: trace.key.clone(),
                name: trace.name.clone(),
                outcome: settled.outcome.clone(),
                target: Some(trace.there.id),
                because: settled.because.clone(),
            }));
        }
        self.crew.store.commit(changes).await?;
        for (at, settled) in all {
            self.note_failure(at, &settled.outcome);
            self.tell(at, settled).await;
        }
        Ok(())
    }

    async fn tell(&self, at: usize, settled: Settled) {
        let trace = self.trace(at);
        let is_work = self.decided(at).decision.is_work();
        self.done.fetch_add(usize::from(is_work), Ordering::Relaxed);
        self.crew
            .sink
            .emit(Event::EntitySettled {
                key: trace.key.clone(),
                name: trace.name.clone(),
                lane: is_work.then(|| lane(trace.key.kind)),
                class: class(trace.key.kind),
                outcome: settled.outcome,
                cause: settled.cause,
                level: None,
                target: Some(trace.there.id),
                because: settled.because,
                bytes: settled.bytes,
            })
            .await;
    }

    fn note_failure(&self, at: usize, outcome: &Outcome) {
        let root = match outcome {
            Outcome::Failed { .. } => self.trace(at).key.clone(),
            Outcome::Blocked { by } => by.clone(),
            Outcome::Created
            | Outcome::Adopted
            | Outcome::Updated
            | Outcome::Unchanged
            | Outcome::LeftAlone
            | Outcome::Conflict
            | Outcome::OutOfScope
            | Outcome::Deleted
            | Outcome::Restored
            | Outcome::Kept { .. } => return,
        };
        self.failed
            .lock()
            .expect("no holder panics")
            .insert(at, root);
    }

    async fn tell_start(&self, at: usize) {
        let key = self.trace(at).key.clone();
        let (lane, class) = (lane(key.kind), class(key.kind));
        self.crew
            .sink
            .emit(Event::EntityStarted { key, lane, class })
            .await;
    }
}

/// Where the progress of a kind is shown: as when it was uploaded.
pub(super) const fn lane(kind: Kind) -> Lane {
    match kind {
        Kind::Model | Kind::Container | Kind::Template | Kind::Asset | Kind::Redirection => {
            Lane::IndependentEntities
        }
        Kind::Content => Lane::BatchedContent,
        Kind::Gallery | Kind::Page => Lane::ComplexEntities,
    }
}

/// Pages go one after another, because each has its place among others.
pub(super) const fn class(kind: Kind) -> WorkClass {
    match kind {
        Kind::Page => WorkClass::Sequential,
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Content
        | Kind::Redirection => WorkClass::Parallel,
    }
}

fn crew<S: Source + Clone, T: Target + Clone>(
    session: &Session<S, T>,
    outlook: &UndoOutlook,
    fence: Fence,
) -> Crew<S, T> {
    Crew {
        source: session.source.instance.clone(),
        target: session.target.instance.clone(),
        source_inventory: Arc::new(Inventory::empty(session.source.guid.clone())),
        target_inventory: Arc::clone(&outlook.target),
        plan: Arc::new(Plan::default()),
        formers: Formers::default(),
        schema: Schema::default(),
        assets: AssetIndex::default(),
        ids: IdMap::new(outlook.target.asset_container.clone()),
        sent_bytes: dashmap::DashMap::new(),
        equal_bytes: std::collections::HashMap::new(),
        defaults: crate::plan::Defaults::default(),
        placed: dashmap::DashSet::new(),
        republish: dashmap::DashSet::new(),
        sent_again: dashmap::DashSet::new(),
        altered: dashmap::DashSet::new(),
        unfinished: dashmap::DashSet::new(),
        store: session.store.clone(),
        pair: session.pair(),
        run: session.run.clone(),
        source_pacer: Arc::clone(&session.source.pacer),
        target_pacer: Arc::clone(&session.target.pacer),
        sink: session.sink.clone(),
        options: session.options.clone(),
        fence: Some(fence),
        intents: AtomicI64::new(1),
        open: OpenIntents::default(),
        batches: dashmap::DashSet::new(),
        batch_times: BatchTimes::default(),
        alarm: Alarm::of_undo(),
    }
}
