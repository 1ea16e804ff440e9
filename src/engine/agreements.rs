//! Records agreements: entities that were compared and found equal, and nothing else.
//!
//! A run writes the base of an entity at two moments: before its uploads, for what the plan compared and found equal, and
//! after them, for what the verification read back and found equal. A save alone only records what was sent. What a
//! verification finds different stays owed until a later verification finds it equal.

use std::collections::HashMap;

use super::context::{Ends, PlanView, RunContext};
use super::verify::{Compared, date_of};
use crate::domain::{ContentHash, Entity, EntityKey, FieldHashes, Kind, Proof, SourceId, TargetId};
use crate::plan::{Action, ListOrder, Node, Planned, Schema, field_hashes, normal, without};
use crate::store::{Change, Mapping, MappingOrigin, PublishState, Publishing, StoreError};

/// Rows in one commit: few enough that the store answers others in between.
const ROWS: usize = 1_000;

impl PlanView {
    /// Whether this run saved an entity.
    pub(super) fn wrote(&self, node: Node) -> bool {
        self.planned(node).action.is_work()
    }
}

impl<E: Ends> RunContext<E> {
    /// Notes what the plan found in agreement.
    pub(super) async fn remember_agreements(&self, known: &[Mapping]) -> Result<(), StoreError> {
        let schema = Schema::of(&*self.view.target_inventory);
        let known: HashMap<_, _> = known
            .iter()
            .map(|mapping| (&mapping.key, mapping))
            .collect();
        let mut rows = self.recognised(&known);
        for (node, planned) in (0..).zip(&self.view.plan.entities) {
            let (Action::Adopt { .. } | Action::Unchanged { .. }) = &planned.action else {
                continue;
            };
            // What came to the same on both sides is agreed upon, although the target has something of its own beside it.
            let is_merged = planned
                .merge
                .as_ref()
                .is_some_and(|merge| merge.taken.is_empty());
            if planned.left_alone && !is_merged {
                continue;
            }
            let before = known.get(&self.view.entity(node).key).copied();
            let row = self.agreed_in_plan(node, &schema, before);
            rows.extend(row.filter(|row| before.is_none_or(|before| !is_same(before, row))));
        }
        self.note(rows).await
    }

    /// Rows without a base for entities that were recognised and differ: the next run must not take them for new, and what refers
    /// to them is written with the ids of these counterparts.
    fn recognised(&self, known: &HashMap<&EntityKey, &Mapping>) -> Vec<Mapping> {
        let entities = self.view.source_inventory.entities().iter();
        let conflicts = entities.zip(&self.view.plan.entities);
        let is_known = |entity: &Entity<SourceId>, target: Option<TargetId>| {
            let before = known.get(&entity.key).map(|before| before.target);
            before.is_some() && before == target
        };
        let row = |(entity, planned): (&Entity<SourceId>, &Planned)| match planned.action {
            Action::Conflict { target } if !is_known(entity, target) => {
                let (key, run) = (entity.key.clone(), self.journal.run.clone());
                target.map(|target| Mapping::without_base(key, target, MappingOrigin::Adopted, run))
            }
            _ => None,
        };
        conflicts.filter_map(row).collect()
    }

    fn agreed_in_plan(
        &self,
        node: Node,
        schema: &Schema,
        before: Option<&Mapping>,
    ) -> Option<Mapping> {
        let planned = self.view.planned(node);
        let entity = self.view.entity(node);
        let target = planned.action.counterpart()?;
        let there = self
            .view
            .target_inventory
            .get(&entity.key.with_id(target))?;
        let before = before.filter(|before| before.target == target);
        let bytes_hash = self.view.equal_bytes.get(&entity.key.id).copied();
        let is_asset = entity.key.kind == Kind::Asset;
        let (target_hash, fields) = agreed_form(planned, there, schema, before);
        Some(Mapping {
            key: entity.key.clone(),
            target,
            target_name: Some(there.name.to_string()),
            source_version: entity.version,
            target_version: there.version,
            source_hash: planned.source_hash,
            target_hash: Some(target_hash),
            proof: Proof::Equal,
            filled: planned.filled.clone(),
            fields,
            bytes_hash: bytes_hash
                .filter(|_| is_asset)
                .or_else(|| before.and_then(|before| before.bytes_hash)),
            bytes_date: is_asset.then(|| date_of(&there.body.parse())).flatten(),
            evidence: None,
            origin: match (&planned.action, before) {
                (Action::Unchanged { .. }, Some(before)) => before.origin,
                _ => MappingOrigin::Adopted,
            },
            // What wrote it stays what wrote it: undo goes by that.
            run: match (&planned.action, before) {
                (Action::Unchanged { .. }, Some(before)) => before.run.clone(),
                _ => self.journal.run.clone(),
            },
        })
    }

    /// Notes what the verification found out about what this run wrote.
    pub(super) async fn remember_compared(
        &self,
        compared: Vec<Compared>,
    ) -> Result<(), StoreError> {
        let written: Vec<Mapping> = compared
            .into_iter()
            .filter(|compared| self.view.wrote(compared.node))
            .map(|compared| self.compared_row(compared))
            .collect();
        self.note(written).await
    }

    fn compared_row(&self, compared: Compared) -> Mapping {
        let entity = self.view.entity(compared.node);
        let planned = self.view.planned(compared.node);
        let sent = self
            .live
            .sent_bytes
            .get(&entity.key.id)
            .map(|sent| sent.hash);
        let is_asset = entity.key.kind == Kind::Asset;
        let there = entity.key.with_id(compared.target);
        Mapping {
            key: entity.key.clone(),
            target: compared.target,
            target_name: Some(compared.name),
            source_version: entity.version,
            target_version: compared.version,
            source_hash: planned.source_hash,
            target_hash: Some(compared.hash),
            proof: if compared.is_equal {
                Proof::Equal
            } else {
                Proof::Owed
            },
            filled: compared.filled,
            fields: compared.fields,
            bytes_hash: sent.filter(|_| is_asset),
            bytes_date: compared.bytes_date,
            evidence: None,
            // A save may write over what was there although it was to create something.
            origin: if self.view.target_inventory.get(&there).is_some() {
                MappingOrigin::Updated
            } else {
                MappingOrigin::Created
            },
            run: self.journal.run.clone(),
        }
    }

    /// Notes the version of what was published and read back as it was sent. Without it, a later run publishes the item again
    /// below a newer draft of the source.
    pub(super) async fn remember_shown(
        &self,
        published: &HashMap<Node, Publishing>,
        compared: &[Compared],
    ) -> Result<(), StoreError> {
        let equal = compared.iter().filter(|compared| compared.is_equal);
        let shown = equal.filter_map(|compared| {
            let noted = published.get(&compared.node)?;
            let shown = Publishing {
                state: PublishState::Published,
                version: self.view.planned(compared.node).source_hash,
                ..noted.clone()
            };
            let is_open = noted.version.is_none();
            is_open.then(|| Change::Publishing(Box::new(shown)))
        });
        self.commit_rows(shown).await
    }

    /// Notes in which order lists stand on both sides.
    pub(super) async fn remember_lists(&self, lists: Vec<ListOrder>) -> Result<(), StoreError> {
        let order = |order: ListOrder| Change::ListOrder {
            pair: self.journal.pair.clone(),
            list: order.key,
            numbers: order.numbers,
        };
        let changes: Vec<Change> = lists.into_iter().map(order).collect();
        if changes.is_empty() {
            return Ok(());
        }
        self.journal.store.commit(changes).await
    }

    async fn note(&self, rows: Vec<Mapping>) -> Result<(), StoreError> {
        let rows = rows.into_iter().flat_map(|mapping| self.claimed(mapping));
        self.commit_rows(rows).await
    }

    async fn commit_rows(&self, mut rows: impl Iterator<Item = Change>) -> Result<(), StoreError> {
        loop {
            let changes: Vec<Change> = rows.by_ref().take(ROWS).collect();
            if changes.is_empty() {
                return Ok(());
            }
            self.journal.store.commit(changes).await?;
        }
    }
}

/// What both sides agree about: the hash of all of it, and of items and pages those of the fields.
fn agreed_form(
    planned: &Planned,
    there: &Entity<TargetId>,
    schema: &Schema,
    before: Option<&Mapping>,
) -> (ContentHash, Option<FieldHashes>) {
    if let Some(merge) = &planned.merge {
        return (merge.base, Some(merge.base_fields.clone()));
    }
    let kind = there.key.kind;
    let known = before.filter(|before| {
        before.target_hash == planned.target_hash && before.filled == planned.filled
    });
    let known = known.and_then(|before| Some((before.target_hash?, before.fields.clone())));
    match known {
        Some(known) if known.1.is_some() || !kind.is_localised() => return known,
        Some(_) | None => {}
    }
    let form = || normal(kind, &there.body.parse(), schema);
    if !kind.is_localised() {
        let hash = planned.target_hash;
        return (hash.unwrap_or_else(|| ContentHash::of(&form())), None);
    }
    let form = without(form(), &planned.filled);
    let hash = planned
        .target_hash
        .unwrap_or_else(|| ContentHash::of(&form));
    (hash, Some(field_hashes(kind, &form)))
}

/// Whether two rows have the same agreement.
fn is_same(before: &Mapping, now: &Mapping) -> bool {
    let said = |row: &Mapping| {
        (
            row.source_hash,
            row.target_hash,
            row.target_version,
            row.target,
        )
    };
    let proven = |row: &Mapping| (row.proof, row.bytes_hash);
    // What was imported is compared now.
    let is_compared = before.evidence == now.evidence;
    is_compared
        && said(before) == said(now)
        && proven(before) == proven(now)
        && before.filled == now.filled
        && before.fields == now.fields
        && before.bytes_date == now.bytes_date
}

/// Rows by their source entity.
pub(super) fn by_key(mappings: Vec<Mapping>) -> HashMap<EntityKey, Mapping> {
    let keyed = |mapping: Mapping| (mapping.key.clone(), mapping);
    mappings.into_iter().map(keyed).collect()
}
