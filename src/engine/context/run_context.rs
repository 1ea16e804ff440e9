//! What the jobs of a run share: both instances, the journal, the plan, and what the run came to so far.

use std::fmt;

use super::instances::{Ends, Instances};
use super::journal::Journal;
use super::live::Live;
use super::plan_view::PlanView;
use super::prepare::Prepared;
use crate::domain::{Outcome, Proof, TargetId};
use crate::engine::open_intents::{AttemptLog, Opening};
use crate::engine::options::Options;
use crate::engine::retry::Sender;
use crate::engine::sink::Sink;
use crate::engine::state::Step;
use crate::id_map::IdConflict;
use crate::instance::Saved;
use crate::plan::{Action, Node};
use crate::planted::{self, Bug};
use crate::store::{Change, IntentId, Mapping, MappingOrigin, Operation, RunEntity, StoreError};

/// What the jobs of a run share. What reads the plan alone takes [`PlanView`], which knows no instance.
pub struct RunContext<E: Ends> {
    /// Both instances, and what requests to them have to pass.
    pub(in crate::engine) instances: Instances<E>,
    /// What survives the process.
    pub(in crate::engine) journal: Journal,
    /// The plan, and what is known of both instances.
    pub(in crate::engine) view: PlanView,
    /// What the run came to so far.
    pub(in crate::engine) live: Live,
    /// Where events go.
    pub(in crate::engine) sink: Sink,
    /// As the user set it.
    pub(in crate::engine) options: Options,
}

impl<E: Ends> fmt::Debug for RunContext<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RunContext");
        shown
            .field("run", &self.journal.run)
            .finish_non_exhaustive()
    }
}

impl<E: Ends> RunContext<E> {
    /// Sends writes to the target that are noted in `intent`.
    pub(in crate::engine) fn under(&self, intent: IntentId) -> Sender<'_> {
        Sender {
            attempts: Some(AttemptLog {
                intents: &self.journal.open,
                intent,
            }),
            ..self.instances.to_target()
        }
    }

    /// Makes durable that a request is about to leave, and what the target has in its place.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may leave then.
    pub(in crate::engine) async fn open_intent(
        &self,
        operation: Operation,
        items: &[Prepared],
        attempt: u32,
    ) -> Result<IntentId, StoreError> {
        let keys = items
            .iter()
            .map(|item| self.view.entity(item.node).key.clone());
        let details = items.iter().map(|item| self.view.detail(operation, item));
        let creates = items.iter().filter(|item| item.save.id.is_none());
        let opening = Opening {
            operation,
            keys: keys.collect(),
            hashes: items.iter().map(|item| item.target_hash).collect(),
            details: details.collect(),
            steps: items.iter().map(|item| (item.node, item.step)).collect(),
            creates: creates.map(|item| self.view.signature(item)).collect(),
            attempt,
        };
        self.journal.open(opening, self.pre_images(items)).await
    }

    /// Claims what an entity became, and gives what the store has to keep of it.
    ///
    /// # Errors
    /// [`IdConflict`] when it has another counterpart already, or that one is another entity's: nothing of it may be
    /// stored then.
    pub(in crate::engine) fn changes_of(
        &self,
        item: &Prepared,
        saved: &Saved,
    ) -> Result<Vec<Change>, IdConflict> {
        let planned = self.view.planned(item.node);
        let entity = self.view.entity(item.node);
        self.view.ids.claim(&entity.key, saved.id)?;
        if let (Step::Patch, Action::Unchanged { .. }) = (item.step, &planned.action) {
            return Ok(self.saved_again(item, saved));
        }
        let over = self.view.written_over(item, saved);
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
            run: self.journal.run.clone(),
        };
        let mapping = self.view.unless_place_only(item, mapping);
        let mut changes = self.claimed(mapping);
        changes.extend(over.map(|there| self.found_out(there)));
        changes.extend(self.view.place_sent(item).map(|place| Change::PagePlace {
            pair: self.journal.pair.clone(),
            key: entity.key.clone(),
            place: Some(place),
        }));
        changes.extend(item.sent.map(|sent| Change::BytesSent {
            run: self.journal.run.clone(),
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
        let there = self.view.entity(item.node).key.with_id(saved.id);
        let known = self.view.pre_images.mapping(&there);
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
    pub(in crate::engine) fn claimed(&self, mapping: Mapping) -> Vec<Change> {
        let before = self
            .view
            .pre_images
            .mapping(&mapping.key.with_id(mapping.target));
        let before = before.filter(|before| before.key != mapping.key);
        let removed = before.map(|before| Change::MappingRemoved {
            pair: self.journal.pair.clone(),
            key: before.key.clone(),
            prior: before.target,
        });
        let pair = self.journal.pair.clone();
        removed
            .into_iter()
            .chain([Change::Mapping { pair, mapping }])
            .collect()
    }

    /// The row of a node in the results of the run.
    pub(in crate::engine) fn run_entity(
        &self,
        node: Node,
        outcome: Outcome,
        target: Option<TargetId>,
        because: &str,
    ) -> RunEntity {
        let entity = self.view.entity(node);
        RunEntity {
            run: self.journal.run.clone(),
            key: entity.key.clone(),
            name: entity.name.to_string(),
            outcome,
            target,
            because: because.to_owned(),
        }
    }
}
