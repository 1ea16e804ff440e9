//! What the target holds where a run is going to write over something, kept so that the run can be undone.
//!
//! It is recorded with the intent, in one transaction: where a request may have left, the state also has what was there
//! before. Only the first save of what existed before the run counts; for patches and later attempts a record exists.
//! The bytes of an asset are copied into a file before that. When they are not available, that is recorded and reported,
//! and the run continues: a migration does not need the bytes that it replaces, and the undo lists the asset.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use futures_util::StreamExt;

use super::instances::Ends;
use super::prepare::Prepared;
use super::run_context::RunContext;
use crate::domain::{
    AgreedPlace, Entity, EntityKey, Id, Inventory, ItemState, Kind, Locale, Placement, TargetId,
    TargetKey,
};
use crate::engine::pace::Class;
use crate::engine::state::Step;
use crate::event::Event;
use crate::instance::{
    Download, Effect, ReadRequest, ReadResponse, Record, RequestError, Source as _,
};
use crate::plan::undo::losing_values;
use crate::plan::{Action, Node, target_hash};
use crate::store::{
    Change, FormerLive, FormerPlace, Keeping, Mapping, PreImage, PriorBytes, PriorState, StoreError,
};

/// Siblings that are noted on either side of a page. Longer rows would make the notes of a whole row grow with the
/// square of its length.
const SIBLINGS: usize = 100;

/// Where siblings stand in display order: locale, channel and parent.
type Rows = HashMap<(Locale, i64, Option<i64>), Vec<i64>>;

/// What is known of the counterparts that a run is going to write over.
#[derive(Debug, Default)]
pub(in crate::engine) struct PreImages {
    mappings: Arc<Vec<Mapping>>,
    places: Arc<HashMap<EntityKey, AgreedPlace>>,
    by_target: OnceLock<HashMap<TargetKey, usize>>,
    rows: OnceLock<Rows>,
}

impl PreImages {
    /// Goes by what the store held when the run was planned.
    pub(in crate::engine) fn new(
        mappings: Arc<Vec<Mapping>>,
        places: Arc<HashMap<EntityKey, AgreedPlace>>,
    ) -> Self {
        Self {
            mappings,
            places,
            ..Self::default()
        }
    }

    /// Whether an entity of the target is remembered as a counterpart.
    pub(in crate::engine) fn knows(&self, there: &TargetKey) -> bool {
        self.mapping(there).is_some()
    }

    /// Whose counterpart an entity of the target is.
    pub(in crate::engine) fn mapping(&self, there: &TargetKey) -> Option<&Mapping> {
        let index = || {
            let rows = self.mappings.iter().enumerate();
            rows.map(|(at, mapping)| (mapping.key.with_id(mapping.target), at))
                .collect()
        };
        let at = *self.by_target.get_or_init(index).get(there)?;
        self.mappings.get(at)
    }

    /// The place of a page that was agreed upon.
    fn agreed_place(&self, there: &TargetKey) -> Option<&AgreedPlace> {
        self.places.get(&self.mapping(there)?.key)
    }

    /// The places that were agreed upon, by the pages of the source.
    pub(in crate::engine) fn places(&self) -> &HashMap<EntityKey, AgreedPlace> {
        &self.places
    }

    fn place(
        &self,
        page: &Entity<TargetId>,
        placement: &Placement,
        target: &Inventory<TargetId>,
    ) -> FormerPlace {
        let rows = self.rows.get_or_init(|| rows(target));
        let locale = page.key.locale.clone();
        let row =
            locale.and_then(|locale| rows.get(&(locale, placement.channel_id, placement.parent)));
        FormerPlace {
            channel: placement.channel.to_string(),
            channel_id: placement.channel_id,
            parent: placement.parent,
            position: placement.position,
            siblings: around(row.map_or(&[], Vec::as_slice), page.key.id.raw()),
        }
    }
}

/// The siblings near `page`.
fn around(row: &[i64], page: i64) -> Vec<i64> {
    let at = row.iter().position(|id| *id == page).unwrap_or(0);
    let end = row.len().min(at + SIBLINGS + 1);
    row[at.saturating_sub(SIBLINGS)..end].to_vec()
}

/// Every row of siblings of the target.
pub(in crate::engine) fn rows(target: &Inventory<TargetId>) -> Rows {
    let mut placed: Vec<_> = target
        .of_kind(Kind::Page)
        .iter()
        .filter_map(|page| Some((page.locale()?, page.placement.as_deref()?, page.key.id)))
        .collect();
    placed.sort_by_key(|(_, placement, _)| placement.position);
    let mut rows = Rows::new();
    for (locale, placement, id) in placed {
        let row = (locale.clone(), placement.channel_id, placement.parent);
        rows.entry(row).or_default().push(id.raw());
    }
    rows
}

impl<E: Ends> RunContext<E> {
    /// What the target has in the places of `items`, as notes for the store; with a model that loses a field, also the
    /// items that lose a value with it.
    pub(in crate::engine) fn pre_images(&self, items: &[Prepared]) -> Vec<Change> {
        let mut noted = Vec::new();
        for item in items {
            let Some(there) = self.replaced_entity(item) else {
                continue;
            };
            noted.push(self.pre_image(there, item.replaced.clone(), false));
            if there.key.kind == Kind::Model {
                let losing = losing_values(&self.view.target_inventory, there, &item.save.body);
                noted.extend(
                    losing
                        .into_iter()
                        .map(|item| self.pre_image(item, None, true)),
                );
            }
        }
        noted
    }

    pub(in crate::engine) fn pre_image(
        &self,
        there: &Entity<TargetId>,
        bytes: Option<PriorBytes>,
        along: bool,
    ) -> Change {
        let place = there.placement.as_deref();
        let place = place.map(|placement| {
            self.view
                .pre_images
                .place(there, placement, &self.view.target_inventory)
        });
        Change::PreImage(Box::new(PreImage {
            run: self.journal.run.clone(),
            key: there.key.clone(),
            version: there.version,
            hash: target_hash(there, &self.view.schema),
            prior: PriorState {
                name: there.name.to_string(),
                state: there.state,
                body: there.body.clone(),
                place,
                bytes,
                along,
                mapping: self.view.pre_images.mapping(&there.key).cloned(),
                agreed_place: self.view.pre_images.agreed_place(&there.key).cloned(),
            },
        }))
    }

    /// What the target has of an entity that is going to be published, as a note for the store; `None` when the run
    /// created it. One that the run has written over is noted already, and the first note stays.
    pub(in crate::engine) fn published_image(
        &self,
        node: Node,
        target: TargetId,
    ) -> Option<Change> {
        let there = self.view.entity(node).key.with_id(target);
        let there = self.view.target_inventory.get(&there)?;
        Some(self.pre_image(there, None, false))
    }

    /// What the public sees of an entity that is going to be published.
    pub(in crate::engine) async fn former_live(&self, node: Node, target: TargetId) -> FormerLive {
        let there = self.view.entity(node).key.with_id(target);
        let Some(before) = self.view.target_inventory.get(&there) else {
            return FormerLive::New;
        };
        if before.state == ItemState::Published {
            return FormerLive::Same;
        }
        match self.live_version(&there).await {
            Ok(Some(live)) => FormerLive::Version { body: live.body },
            Ok(None) => FormerLive::Nothing,
            Err(error) => {
                let why = error.to_string();
                let message = format!(
                    "what the public sees of {there} could not be read, so an undo cannot bring it back: {why}"
                );
                self.sink.emit(Event::Warned { message }).await;
                FormerLive::Unknown { why }
            }
        }
    }

    /// The published version of an item or page on the target.
    pub(in crate::engine) async fn live_version(
        &self,
        there: &TargetKey,
    ) -> Result<Option<Entity<TargetId>>, RequestError> {
        let Some(locale) = &there.locale else {
            return Ok(None);
        };
        let ask = ReadRequest::Live {
            kind: there.kind,
            id: there.id.raw(),
            locale: locale.clone(),
        };
        let read = || self.instances.target.read(&ask);
        let sender = self.instances.to_target();
        let sent = sender.send_as(Class::of(&ask), Effect::Read, read);
        let answer: ReadResponse<TargetId> = sent.await?;
        Ok(answer.found.into_iter().find_map(|found| match found {
            Record::Entity(entity) => Some(entity),
            _ => None,
        }))
    }

    /// What the first save of `item` writes over, if it existed before this run.
    fn replaced_entity(&self, item: &Prepared) -> Option<&Entity<TargetId>> {
        let Action::Update { target } = self.view.planned(item.node).action else {
            return None;
        };
        let there = self.view.entity(item.node).key.with_id(target);
        let there = self.view.target_inventory.get(&there);
        there.filter(|_| item.step == Step::Save)
    }

    /// Keeps the bytes of the asset that `item` is going to replace; `None` when it replaces none.
    pub(in crate::engine) async fn keep_replaced(&self, item: &Prepared) -> Option<PriorBytes> {
        Some(self.keep_bytes(self.replaced_entity(item)?).await)
    }

    /// Keeps the bytes of an asset of the target that is going to be replaced or deleted.
    pub(in crate::engine) async fn keep_bytes(&self, there: &Entity<TargetId>) -> PriorBytes {
        let media = there.body.parse();
        let url = media["originUrl"].as_str().unwrap_or_default();
        let size = media["size"].as_u64().filter(|size| *size > 0);
        let kept = self
            .instances
            .to_target()
            .send_as(Class::Download, Effect::Read, || self.keep(url))
            .await;
        let why = match kept {
            Ok(Ok(Some(kept))) => match (&kept, size) {
                (PriorBytes::Kept { length, .. }, Some(size)) if *length != size => {
                    format!("the target lists {size} bytes and sends {length}")
                }
                (_, _) => return kept,
            },
            Ok(Ok(None)) => {
                let why = "the state of that run was kept in memory".to_owned();
                return PriorBytes::Lost { why };
            }
            Ok(Err(error)) => error.with_next_step(),
            Err(error) => error.to_string(),
        };
        let message = format!(
            "the present bytes of {} on the target could not be kept, so an undo cannot bring them back: {why}",
            there.name
        );
        self.sink.emit(Event::Warned { message }).await;
        PriorBytes::Lost { why }
    }

    /// Keeps what is at `url`; `None` when the state has no place for it.
    async fn keep(
        &self,
        url: &str,
    ) -> Result<Result<Option<PriorBytes>, StoreError>, RequestError> {
        let keeping = match self.journal.store.keep_bytes().await {
            Ok(Some(keeping)) => keeping,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        };
        let download = self.instances.target.download(url).await?;
        copy(download, keeping).await
    }
}

async fn copy(
    mut download: Download,
    mut keeping: Keeping,
) -> Result<Result<Option<PriorBytes>, StoreError>, RequestError> {
    while let Some(piece) = download.bytes.next().await {
        if let Err(error) = keeping.write(&piece?).await {
            return Ok(Err(error));
        }
    }
    let kept = keeping.finish().await;
    Ok(kept.map(|(hash, length)| {
        Some(PriorBytes::Kept {
            hash,
            length,
            focal: download.focal,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_row_is_noted_around_the_page_only() {
        let row: Vec<i64> = (0..1000).collect();
        let near = around(&row, 500);
        assert_eq!(near.first(), Some(&400));
        assert_eq!(near.last(), Some(&600));
        assert_eq!(around(&row, 0).len(), SIBLINGS + 1);
        assert_eq!(around(&row[..3], 2), [0, 1, 2]);
    }
}
