//! The places of pages on the target: where a save puts them, and what is recorded of them.

use super::context::{Ends, Live, PlanView, Prepared, RunContext};
use crate::domain::{AgreedPlace, Home, Id as _, ItemState, Kind, TargetId};
use crate::engine::pace::Class;
use crate::engine::state::Step;
use crate::instance::{Effect, ReadRequest, ReadResponse, Record, Save, Source as _};
use crate::plan::undo::as_it_is;
use crate::plan::{
    Action, Node, PlaceAgreement, Slot, channel_id, expected_hash, fields_hash, no_channel,
};
use crate::planted::{self, Bug};
use crate::store::{Change, StoreError};

impl PlanView {
    /// The row of the target that a page belongs to.
    ///
    /// # Errors
    /// A sentence that names the channel which the target does not have, or the parent that has no counterpart.
    pub(super) fn home(&self, node: Node) -> Result<Home, String> {
        let place = self.planned(node).place.as_ref();
        if let Some(kept) = place.and_then(|place| place.kept) {
            return Ok(kept);
        }
        let (entity, target) = (self.entity(node), &self.target_inventory);
        let present = place
            .and_then(|place| place.present)
            .and_then(|id| target.get(&entity.key.with_id(id)));
        let channel = channel_id(entity, present, target);
        Ok(Home {
            channel: channel.ok_or_else(|| no_channel(entity, target))?,
            parent: self.parent(entity)?.map(TargetId::raw),
        })
    }

    /// Where `item`, a page, goes with its save. It is agreed upon when its row was read back.
    pub(super) fn place_sent(&self, item: &Prepared) -> Option<AgreedPlace> {
        let entity = self.entity(item.node);
        let place = self.planned(item.node).place.as_ref()?;
        let sent = AgreedPlace {
            source: Home::of(entity.placement.as_ref()?),
            target: self.home(item.node).ok()?,
            rank: place.rank?,
            unpublished: item.was_published,
            owed: true,
            disputed: false,
        };
        (place.agreement == PlaceAgreement::Renewed).then_some(sent)
    }

    /// The page that another one is put in front of: the nearest behind it that stands at its place. One that keeps its
    /// place is put in front of the one that it stands in front of already, because a server may put what names none at
    /// the end.
    pub(super) fn following(&self, live: &Live, node: Node) -> Option<TargetId> {
        let place = self.planned(node).place.as_ref()?;
        if planted::has(Bug::IgnoresOrder) {
            return None;
        }
        if place.before.is_some() {
            return place.before;
        }
        let (row, at) = place.at?;
        let row = self.plan.rows.get(row as usize)?;
        let behind = row.get(at as usize + 1..)?;
        behind.iter().find_map(|slot| match slot {
            Slot::Other(id) => Some(*id),
            Slot::Page(node) => self.standing(live, *node),
        })
    }

    /// The counterpart of a page of the row, if it stands at its place.
    fn standing(&self, live: &Live, node: Node) -> Option<TargetId> {
        let arrived = || Some(self.ids.resolve(&self.entity(node).key)?.id);
        match &self.planned(node).place {
            Some(place) if place.moves => arrived().filter(|_| live.placed.contains(&node)),
            // One that this run leaves alone is in no id map, and keeps its place all the same.
            Some(place) => place.present.or_else(arrived),
            None => None,
        }
    }

    /// Pages of the target that were published and are not, because a save moved them: by this run, or by one that was
    /// interrupted before it could publish them.
    pub(super) fn unpublished_by_moves(&self, live: &Live) -> Vec<Node> {
        let nodes = (0..).zip(&self.plan.entities);
        let moved = nodes.filter(|(node, planned)| match &planned.action {
            Action::Update { .. } => live.republish.contains(node),
            Action::Unchanged { target } => {
                let entity = self.entity(*node);
                let there = self.target_inventory.get(&entity.key.with_id(*target));
                let known = self.pre_images.places().get(&entity.key);
                !planned.left_alone
                    && known.is_some_and(|known| known.unpublished)
                    && there.is_some_and(|there| there.state == ItemState::Staging)
            }
            Action::Create { .. }
            | Action::Adopt { .. }
            | Action::Conflict { .. }
            | Action::Fail { .. }
            | Action::Block { .. }
            | Action::OutOfScope => false,
        });
        moved.map(|(node, _)| node).collect()
    }
}

impl<E: Ends> RunContext<E> {
    /// A page as the target has it, ready to be saved at another place. It is read now: what was edited on the target since
    /// the run began stays.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(super) async fn prepare_as_it_is(&self, node: Node) -> Result<Prepared, String> {
        let key = &self.view.entity(node).key;
        let id = self
            .view
            .counterpart(node)
            .ok_or_else(|| format!("{key} has no counterpart that could be moved"))?;
        let ask = ReadRequest::One {
            kind: Kind::Page,
            id: id.raw(),
            locale: key.locale.clone(),
        };
        let read = self
            .instances
            .to_target()
            .send_as(Class::Read, Effect::Read, || {
                self.instances.target.read(&ask)
            })
            .await;
        let answer: ReadResponse<TargetId> = read.map_err(|error| error.to_string())?;
        let there = answer.found.into_iter().find_map(|found| match found {
            Record::Entity(entity) => Some(entity),
            Record::Locale(_)
            | Record::Channel(_)
            | Record::AssetContainer(_)
            | Record::Node(_)
            | Record::Expected { .. }
            | Record::Summary(_)
            | Record::Passed { .. } => None,
        });
        let there = there.ok_or_else(|| format!("the target no longer has page {id}"))?;
        let body = as_it_is(&there)?;
        let parent = self.view.home(node)?.parent.map(TargetId::new);
        Ok(Prepared {
            node,
            step: Step::Save,
            bytes: super::context::json_bytes(&body),
            target_hash: expected_hash(Kind::Page, &body, parent, &self.view.schema),
            fields_hash: fields_hash(Kind::Page, &body, &self.view.schema),
            was_published: there.state == ItemState::Published,
            save: Save {
                kind: Kind::Page,
                name: there.name.clone(),
                id: Some(id),
                locale: key.locale.clone(),
                body: body.into(),
                numbers: there.body.numbers(),
            },
            replaced: None,
            sent: None,
        })
    }

    /// Makes durable which places the plan found in agreement, and new ranks of those that are not.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) async fn remember_places(&self) -> Result<(), StoreError> {
        let nodes = (0..).zip(&self.view.plan.entities);
        let changes: Vec<Change> = nodes
            .filter(|(_, planned)| planned.place.is_some())
            .filter_map(|(node, _)| self.place_found(node))
            .collect();
        if changes.is_empty() {
            return Ok(());
        }
        self.journal.store.commit(changes).await
    }

    fn place_found(&self, node: Node) -> Option<Change> {
        let entity = self.view.entity(node);
        let planned = self.view.planned(node);
        let place = planned.place.as_ref()?;
        let known = self.view.pre_images.places().get(&entity.key);
        let is_settled = matches!(
            planned.action,
            Action::Unchanged { .. } | Action::Adopt { .. }
        );
        let found = if is_settled && place.agreement == PlaceAgreement::Renewed {
            let there = self
                .view
                .target_inventory
                .get(&entity.key.with_id(place.present?))?;
            AgreedPlace {
                source: Home::of(entity.placement.as_ref()?),
                target: Home::of(there.placement.as_ref()?),
                rank: place.rank?,
                unpublished: there.state == ItemState::Staging
                    && known.is_some_and(|known| known.unpublished),
                owed: false,
                disputed: false,
            }
        } else {
            let known = known?;
            AgreedPlace {
                rank: place.rank.filter(|_| !planned.is_placed())?,
                disputed: known.disputed || place.agreement == PlaceAgreement::Disputed,
                ..known.clone()
            }
        };
        (known != Some(&found)).then(|| Change::PagePlace {
            pair: self.journal.pair.clone(),
            key: entity.key.clone(),
            place: Some(found),
        })
    }

    /// Makes durable what the verification found out about the rows that this run put pages into: by page, whether its
    /// place is still owed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) async fn remember_rows(&self, pages: Vec<(Node, bool)>) -> Result<(), StoreError> {
        let places = pages.into_iter();
        let places = places.filter_map(|(node, owed)| self.place_compared(node, owed));
        let changes: Vec<Change> = places.collect();
        if changes.is_empty() {
            return Ok(());
        }
        self.journal.store.commit(changes).await
    }

    fn place_compared(&self, node: Node, owed: bool) -> Option<Change> {
        let entity = self.view.entity(node);
        let place = self.view.planned(node).place.as_ref()?;
        let known = self.view.pre_images.places().get(&entity.key);
        let compared = AgreedPlace {
            source: Home::of(entity.placement.as_ref()?),
            target: self.view.home(node).ok()?,
            rank: place.rank?,
            unpublished: self.live.republish.contains(&node)
                || known
                    .is_some_and(|known| known.unpublished && !self.live.placed.contains(&node)),
            owed,
            disputed: false,
        };
        (place.agreement == PlaceAgreement::Renewed).then(|| Change::PagePlace {
            pair: self.journal.pair.clone(),
            key: entity.key.clone(),
            place: Some(compared),
        })
    }
}
