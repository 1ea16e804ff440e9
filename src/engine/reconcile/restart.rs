//! The first step of a restart: the outcomes of requests that an earlier run had no time to record.
//!
//! ```text
//!   open intents ─▶ batches with a number: polled to their end      (before the instances are read)
//!                ─▶ the rest: wait until it is old enough           (what has left may still be on its way)
//!                ─▶ looked for on the target, until nothing moves   (after the instances were read)
//!                ─▶ arrived: mapping │ proven absent: the plan sends it │ neither: reported, and skipped
//! ```
//!
//! It sends no write. Whatever it finds becomes a mapping with the hashes that were noted before the request left, so the
//! plan decides about it as about anything else: a save whose references were cut is completed, one that is complete is
//! left alone, and one that is absent is created.
//!
//! Absence takes time to prove: the target processes batches one after another, and a batch whose number was never recorded
//! may still be in its queue. So the target has to stay the same for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::inquiry::Inquiry;
use super::polling::{BatchEnd, Poll, follow};
use super::search::Search;
use super::undone::is_of_undo;
use crate::domain::{
    ContentHash, EntityKey, Filled, Inventory, Kind, Outcome, Proof, SourceId, TargetId,
};
use crate::engine::lease::Fence;
use crate::engine::options::Options;
use crate::engine::poll::{BatchKind, BatchTimes};
use crate::engine::pull::Reader;
use crate::engine::run_error::RunError;
use crate::engine::sink::Sink;
use crate::event::Event;
use crate::instance::{RowResult, Saved, Source, Target, Unconfirmed};
use crate::planted::{self, Bug};
use crate::store::{
    Change, Intent, IntentDetail, IntentState, Mapping, MappingOrigin, Operation, Pair, RunEntity,
    Store, StoreError,
};

/// A batch of an earlier run that takes longer than this is named.
const LONG: Duration = Duration::from_secs(2);

/// The open requests of earlier runs.
pub(in crate::engine) struct Recovery<'a, T> {
    pub(in crate::engine) target: &'a Arc<Reader<T>>,
    pub(in crate::engine) store: &'a Store,
    pub(in crate::engine) pair: Pair,
    pub(in crate::engine) options: &'a Options,
    pub(in crate::engine) sink: &'a Sink,
    /// What its findings have to pass before they are stored.
    pub(in crate::engine) fence: &'a Fence,
    pub(in crate::engine) times: BatchTimes,
    pub(in crate::engine) open: Vec<(Intent, Told)>,
}

/// What the batch of a request states of it.
#[derive(Debug)]
pub(in crate::engine) enum Told {
    /// One result per entity.
    Each(Vec<RowResult>),
    /// Nothing: it has no number, it is forgotten, or its results cannot be matched. Its entities are looked for.
    Nothing,
    /// That the target may still be at it; in words.
    Working(String),
}

/// What both instances hold, for comparison.
pub(in crate::engine) struct Known<'a, S> {
    pub(in crate::engine) source: &'a Reader<S>,
    pub(in crate::engine) source_inventory: &'a Inventory<SourceId>,
    pub(in crate::engine) target_inventory: &'a Inventory<TargetId>,
    pub(in crate::engine) mappings: HashMap<EntityKey, Mapping>,
}

/// What recovery came to.
#[derive(Debug, Default)]
pub(in crate::engine) struct Settled {
    /// Entities with an unknown outcome, and why.
    pub(in crate::engine) doubts: HashMap<EntityKey, String>,
    /// Whether something arrived after the target was read.
    pub(in crate::engine) target_is_stale: bool,
}

/// One entity of an open request.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Which request.
    pub(super) open: usize,
    pub(super) key: EntityKey,
    /// The hash of what was sent.
    pub(super) hash: ContentHash,
    pub(super) detail: IntentDetail,
    /// Whether it was sent so long ago that it cannot be on its way any more.
    pub(super) is_old: bool,
    pub(super) resolution: Resolution,
}

/// The outcome of an entity.
#[derive(Clone, Debug)]
pub(super) enum Resolution {
    /// Not known yet.
    Open,
    /// It is on the target as it was sent.
    Arrived(Saved),
    /// It is not.
    Absent,
    /// Its outcome was noted all the same.
    Noted,
    /// The outcome is unknown.
    InDoubt(String),
}

impl Item {
    /// Whether the target was to choose an id.
    pub(super) const fn creates(&self) -> bool {
        self.detail.target.is_none()
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.resolution, Resolution::Open)
    }
}

impl Told {
    /// What that means for the entity at a position of the request.
    fn of_item(&self, at: usize) -> Resolution {
        match self {
            Self::Each(results) => match results.get(at) {
                Some(Ok(saved)) => Resolution::Arrived(saved.clone()),
                // Refused: the plan sends it again, and the refusal is reported then.
                Some(Err(Unconfirmed::Refused(_))) => Resolution::Absent,
                Some(Err(Unconfirmed::Unclear(_))) | None => Resolution::Open,
            },
            Self::Nothing => Resolution::Open,
            Self::Working(why) => Resolution::InDoubt(why.clone()),
        }
    }
}

/// Notes how a request of an earlier run ended.
pub(super) fn closed(intent: &Intent, state: IntentState) -> Change {
    Change::IntentClosed {
        run: intent.run.clone(),
        id: intent.id,
        state,
        answers: vec![format!(
            "its run {} ended before the outcome was known",
            intent.run
        )],
    }
}

impl<T: Target> Recovery<'_, T> {
    /// Reads what is open and waits until the target has processed what it was handed. `None` when nothing is.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub(in crate::engine) async fn begin(mut self) -> Result<Option<Self>, StoreError> {
        let intents: Vec<Intent> = self
            .store
            .open_intents(&self.pair)
            .await?
            .into_iter()
            .filter(|intent| !is_of_undo(intent))
            .collect();
        if intents.is_empty() || planted::has(Bug::ForgetsIntents) {
            return Ok(None);
        }
        self.emit_begin(&intents).await;
        for intent in intents {
            let told = self.ask_batch(&intent).await;
            self.open.push((intent, told));
        }
        self.let_age().await;
        Ok(Some(self))
    }

    pub(super) fn inquiry(&self) -> Inquiry<'_, T> {
        Inquiry {
            target: &self.target.instance,
            sender: self.target.sender(),
            times: &self.times,
            options: self.options,
        }
    }

    /// Waits for the end of the batch of an intent, if it has one.
    pub(super) async fn ask_batch(&self, intent: &Intent) -> Told {
        let Some(batch) = intent.batch else {
            return Told::Nothing;
        };
        let items = u32::try_from(intent.keys.len()).unwrap_or(u32::MAX);
        let poll = Poll {
            batch,
            age: age(self.store, intent.opened_ms),
            first: Duration::ZERO,
        };
        let mut is_told = false;
        let told = |passed, _| {
            let is_long = passed > LONG && !is_told;
            is_told |= is_long;
            let message = format!(
                "waiting for batch {batch} of an earlier run, which the target still works on"
            );
            is_long.then_some(Event::Warned { message })
        };
        let saves = intent.keys.first().map_or(Kind::Content, |key| key.kind);
        let batch_in_flight = self.times.begin(BatchKind::saving(saves), items);
        let why = match follow(&self.inquiry(), &poll, batch_in_flight, told).await {
            Some(BatchEnd::Finished(results)) if results.len() == intent.keys.len() => {
                return Told::Each(results);
            }
            // It may have had an effect all the same, as it may during a run.
            None | Some(BatchEnd::Finished(_) | BatchEnd::Failed(_)) => return Told::Nothing,
            Some(BatchEnd::Unknown(why)) => why,
            Some(BatchEnd::Halted) => format!("batch {batch} was not asked for"),
        };
        Told::Working(format!(
            "{why}; it may still be processing for run {}: run again when it has ended",
            intent.run
        ))
    }

    async fn emit_begin(&self, intents: &[Intent]) {
        let entities: usize = intents.iter().map(|intent| intent.keys.len()).sum();
        let message = format!(
            "an earlier run ended before it had noted what became of {entities} entities; \
             the target is asked about them first"
        );
        self.sink.emit(Event::Warned { message }).await;
    }

    /// Waits until the youngest request without a result is old enough to have reached the target. What is saved over
    /// something as well: coming later, it would take away what this run saves there.
    async fn let_age(&self) {
        let looked_for = self
            .open
            .iter()
            .filter(|(_, told)| matches!(told, Told::Nothing));
        let youngest = looked_for.map(|(intent, _)| intent.opened_ms).max();
        let Some(opened_ms) = youngest else { return };
        let old_enough = self.options.settle / 2;
        tokio::time::sleep(old_enough.saturating_sub(age(self.store, opened_ms))).await;
    }

    /// Finds out the outcome of everything, makes it durable, and reports what cannot be known.
    ///
    /// # Errors
    /// [`RunError`] when the target cannot be asked, or the findings cannot be stored.
    pub(in crate::engine) async fn settle<S: Source>(
        self,
        known: &Known<'_, S>,
    ) -> Result<Settled, RunError> {
        let mut items = self.items(known);
        let search = Search::new(&self, known);
        search.run(&mut items).await?;
        self.fence.pass().await;
        self.store.commit(self.changes(&items, known)).await?;
        let settled = settled(&items, known);
        self.emit_end(&items, &settled).await;
        Ok(settled)
    }

    fn items<S>(&self, known: &Known<'_, S>) -> Vec<Item> {
        let mut items = Vec::new();
        for (open, (intent, told)) in self.open.iter().enumerate() {
            let is_old = age(self.store, intent.opened_ms) > self.options.batch_timeout;
            for (at, (key, hash)) in intent.keys.iter().zip(&intent.payload_hash).enumerate() {
                let mut item = Item {
                    open,
                    key: key.clone(),
                    hash: *hash,
                    detail: intent.details.get(at).cloned().unwrap_or_default(),
                    is_old,
                    resolution: told.of_item(at),
                };
                if is_noted(&item, known) {
                    item.resolution = Resolution::Noted;
                }
                items.push(item);
            }
        }
        items
    }

    fn changes<S>(&self, items: &[Item], known: &Known<'_, S>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (open, (intent, _)) in self.open.iter().enumerate() {
            let mut state = IntentState::Failed;
            for item in items.iter().filter(|item| item.open == open) {
                match &item.resolution {
                    Resolution::Arrived(saved) => {
                        changes.extend(self.arrived(intent, item, saved, known));
                        state = more_telling(state, IntentState::Done);
                    }
                    Resolution::Noted => state = more_telling(state, IntentState::Done),
                    Resolution::InDoubt(_) => state = IntentState::InDoubt,
                    Resolution::Open | Resolution::Absent => {}
                }
            }
            changes.push(closed(intent, state));
        }
        changes
    }

    fn arrived<S>(
        &self,
        intent: &Intent,
        item: &Item,
        saved: &Saved,
        known: &Known<'_, S>,
    ) -> Vec<Change> {
        let before = known
            .mappings
            .get(&item.key)
            .filter(|mapping| mapping.target == saved.id);
        let (origin, outcome) = match item.detail.operation {
            Operation::Update => (MappingOrigin::Updated, Outcome::Updated),
            Operation::Patch | Operation::Upload if before.is_some() => (
                before.map_or(MappingOrigin::Recovered, |mapping| mapping.origin),
                Outcome::Updated,
            ),
            Operation::Create
            | Operation::Patch
            | Operation::Upload
            | Operation::Publish
            | Operation::Delete
            | Operation::Restore => (MappingOrigin::Recovered, Outcome::Created),
        };
        let mapping = Mapping {
            key: item.key.clone(),
            target: saved.id,
            target_name: saved.name.as_deref().map(str::to_owned),
            source_version: item.detail.source_version,
            target_version: saved.version,
            source_hash: item.detail.source_hash,
            target_hash: Some(item.hash),
            proof: Proof::Sent,
            filled: before.map_or_else(Filled::new, |mapping| mapping.filled.clone()),
            fields: None,
            bytes_hash: None,
            bytes_date: None,
            evidence: None,
            origin,
            run: intent.run.clone(),
        };
        // What the target has of its own is no agreement.
        let mapping = match before.filter(|_| item.detail.merged) {
            Some(agreed) => Mapping {
                source_version: agreed.source_version,
                source_hash: agreed.source_hash,
                target_hash: agreed.target_hash,
                proof: agreed.proof,
                fields: agreed.fields.clone(),
                ..mapping
            },
            None => mapping,
        };
        let entity = RunEntity {
            run: intent.run.clone(),
            key: item.key.clone(),
            name: item.detail.name.clone(),
            outcome,
            target: Some(saved.id),
            because: "found on the target after the run had been interrupted".to_owned(),
        };
        let pair = self.pair.clone();
        let mut changes = self.taken_from_another(&item.key, saved.id, known);
        let place = item.detail.place.clone().map(|place| Change::PagePlace {
            pair: pair.clone(),
            key: item.key.clone(),
            place: Some(place),
        });
        changes.extend(place);
        changes.extend([Change::Mapping { pair, mapping }, Change::Entity(entity)]);
        changes
    }

    /// The notes of entities that the source no longer has and that had this counterpart: it is taken from them.
    fn taken_from_another<S>(
        &self,
        key: &EntityKey,
        target: TargetId,
        known: &Known<'_, S>,
    ) -> Vec<Change> {
        let rows = known.mappings.values().filter(|row| {
            let (kind, locale) = (row.key.kind, &row.key.locale);
            row.target == target && row.key != *key && (kind, locale) == (key.kind, &key.locale)
        });
        rows.map(|row| Change::MappingRemoved {
            pair: self.pair.clone(),
            key: row.key.clone(),
            prior: target,
        })
        .collect()
    }

    async fn emit_end(&self, items: &[Item], settled: &Settled) {
        let count = |wanted: fn(&Resolution) -> bool| {
            items.iter().filter(|item| wanted(&item.resolution)).count()
        };
        let found =
            count(|resolution| matches!(resolution, Resolution::Arrived(_) | Resolution::Noted));
        let absent =
            count(|resolution| matches!(resolution, Resolution::Absent | Resolution::Open));
        let message = format!(
            "recovered: {found} entities of an earlier run had arrived and are kept, {absent} had not and are \
             decided anew, {} are in doubt",
            settled.doubts.len()
        );
        self.sink.emit(Event::Warned { message }).await;
        let mut doubts: Vec<_> = settled.doubts.iter().collect();
        doubts.sort();
        for (key, why) in doubts {
            let message = format!("{key} is left alone: {why}");
            self.sink.emit(Event::Warned { message }).await;
        }
    }
}

fn settled<S>(items: &[Item], known: &Known<'_, S>) -> Settled {
    let mut settled = Settled::default();
    for item in items {
        match &item.resolution {
            Resolution::InDoubt(why) => {
                settled.doubts.insert(item.key.clone(), why.clone());
            }
            Resolution::Arrived(saved) => {
                let there = known.target_inventory.get(&item.key.with_id(saved.id));
                settled.target_is_stale |= there.is_none_or(|there| there.version != saved.version);
            }
            Resolution::Open | Resolution::Absent | Resolution::Noted => {}
        }
    }
    settled
}

/// Whether the store has the counterpart of something that was to be created, and the target has it, too.
fn is_noted<S>(item: &Item, known: &Known<'_, S>) -> bool {
    item.detail.operation == Operation::Create
        && known.mappings.get(&item.key).is_some_and(|mapping| {
            known
                .target_inventory
                .get(&item.key.with_id(mapping.target))
                .is_some()
        })
}

/// The state of a request of which some entities are in doubt, some arrived and some did not.
fn more_telling(state: IntentState, other: IntentState) -> IntentState {
    if state == IntentState::InDoubt {
        state
    } else {
        other
    }
}

pub(super) fn age(store: &Store, opened_ms: i64) -> Duration {
    let now = store.now().as_millisecond();
    // A clock that was set back makes it young, which costs a wait and no more.
    Duration::from_millis(u64::try_from(now.saturating_sub(opened_ms)).unwrap_or(0))
}
