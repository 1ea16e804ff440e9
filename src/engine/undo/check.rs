//! Verifies an undo: reads back that deleted entities are gone and restored ones are as before.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::executor::UndoExecutor;
use crate::domain::{Entity, Id, Inventory, Kind, Locale, PageNode, TargetId, TargetKey};
use crate::engine::context::Ends;
use crate::engine::files::bytes_hash;
use crate::engine::forecast::Reading;
use crate::engine::pace::Class;
use crate::engine::pull::{PullError, Reader};
use crate::engine::reconcile::IDS_AT_ONCE;
use crate::engine::verify::{Difference, DifferenceKind};
use crate::event::Event;
use crate::instance::{Effect, ReadRequest, Record};
use crate::plan::undo::{Decision, Own, PriorBytes, out_of_order};

/// The target as it is after an undo.
struct Now {
    lists: Arc<Inventory<TargetId>>,
    localised: HashMap<TargetKey, Entity<TargetId>>,
    nodes: HashMap<(Locale, i64), PageNode>,
}

impl Now {
    fn get(&self, key: &TargetKey) -> Option<&Entity<TargetId>> {
        if key.kind.is_localised() {
            self.localised.get(key)
        } else {
            self.lists.get(key)
        }
    }
}

impl<E: Ends> UndoExecutor<E> {
    /// Compares everything that was deleted or restored with what it should be now, and reports the differences.
    ///
    /// # Errors
    /// [`PullError`] when the target cannot be read.
    pub(super) async fn verify(
        &self,
        reader: &Arc<Reader<E::Target>>,
    ) -> Result<Vec<Difference>, PullError> {
        let differences = self.differences(reader).await?;
        for difference in &differences {
            self.context.sink.emit(difference.found()).await;
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let finished = Event::VerifyFinished {
            checked: count(self.checked().len()),
            differences: count(differences.len()),
        };
        self.context.sink.emit(finished).await;
        Ok(differences)
    }

    /// What is compared.
    fn checked(&self) -> Vec<usize> {
        (0..self.outlook.traces.len())
            .filter(|at| self.is_checked(*at))
            .collect()
    }

    /// Compares the same, and emits nothing.
    ///
    /// # Errors
    /// [`PullError`] when the target cannot be read.
    pub(super) async fn differences(
        &self,
        reader: &Arc<Reader<E::Target>>,
    ) -> Result<Vec<Difference>, PullError> {
        let checked = self.checked();
        let now = self.read_back(reader, &checked).await?;
        let own = Own::new(Arc::clone(&now.lists), &[]);
        let mut differences = Vec::new();
        for at in &checked {
            differences.extend(self.compare(*at, &now, &own));
            differences.extend(self.compare_bytes(*at, &now).await);
            differences.extend(self.compare_live(*at).await);
        }
        differences.extend(self.compare_order(&now));
        Ok(differences)
    }

    /// The requests of all that, before it is known what will have failed.
    pub(super) fn reading(&self) -> Reading {
        let traces = self.outlook.traces.iter().enumerate();
        let checked = traces.filter(|(at, _)| self.is_checked(*at));
        let there = || checked.clone().map(|(_, trace)| &trace.there);
        let items = there().filter(|there| there.kind == Kind::Content);
        let pages = there().filter(|there| there.kind == Kind::Page).count();
        let count = |kind| self.outlook.target.of_kind(kind).len();
        Reading::lists(count, self.outlook.target.locales.len())
            .and(items.filter_map(|there| there.locale.as_ref()), pages)
    }

    /// Failures are reported already.
    fn is_checked(&self, at: usize) -> bool {
        match &self.decided(at).decision {
            Decision::Delete | Decision::Restore | Decision::CreateAgain => !self.has_failed(at),
            Decision::AsBefore | Decision::Gone => true,
            Decision::Keep(_) => false,
        }
    }

    async fn read_back(
        &self,
        reader: &Arc<Reader<E::Target>>,
        checked: &[usize],
    ) -> Result<Now, PullError> {
        let lists: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|kind| !kind.is_localised())
            .collect();
        let locales = &self.outlook.target.locales;
        let lists = reader.pull_kinds(locales, &lists).await?;
        let mut asks = self.asks(checked);
        asks.extend(locales.iter().cloned().map(ReadRequest::Sitemap));
        let total = u32::try_from(checked.len()).unwrap_or(u32::MAX);
        let mut now = Now {
            lists: Arc::new(lists),
            localised: HashMap::new(),
            nodes: HashMap::new(),
        };
        let take = |found| match found {
            Record::Entity(entity) => {
                let entity: Entity<TargetId> = entity;
                now.localised.insert(entity.key.clone(), entity);
            }
            Record::Node(node) => {
                now.nodes.insert((node.locale.clone(), node.page), node);
            }
            _ => {}
        };
        reader.ask_each(asks, Some(total), take).await?;
        for (key, entity) in &mut now.localised {
            let node = key.locale.clone().map(|locale| (locale, key.id.raw()));
            let node = node.and_then(|node| now.nodes.get(&node));
            entity.placement = node.map(|node| Box::new(node.placement.clone()));
        }
        Ok(now)
    }

    fn asks(&self, checked: &[usize]) -> Vec<ReadRequest> {
        let mut items: BTreeMap<Locale, Vec<i64>> = BTreeMap::new();
        let mut asks = Vec::new();
        for at in checked {
            let key = self.there(*at);
            let Some(locale) = &key.locale else { continue };
            if key.kind == Kind::Content {
                items.entry(locale.clone()).or_default().push(key.id.raw());
            } else {
                asks.push(ReadRequest::One {
                    kind: key.kind,
                    id: key.id.raw(),
                    locale: Some(locale.clone()),
                });
            }
        }
        for (locale, ids) in items {
            asks.extend(ids.chunks(IDS_AT_ONCE).map(|some| ReadRequest::ItemsById {
                locale: locale.clone(),
                ids: some.to_vec(),
            }));
        }
        asks
    }

    fn compare(&self, at: usize, now: &Now, own: &Own) -> Option<Difference> {
        let trace = self.trace(at);
        let there = self.there(at);
        let found = now.get(&there);
        let should_be_gone = matches!(self.decided(at).decision, Decision::Delete | Decision::Gone);
        match (found, should_be_gone) {
            (None, true) => None,
            (Some(_), true) => {
                let detail = format!("{} is still on the target", trace.there);
                Some(self.difference(at, DifferenceKind::StillThere, detail))
            }
            (None, false) => {
                let detail = format!("{there} is not there");
                Some(self.difference(at, DifferenceKind::Missing, detail))
            }
            (Some(found), false) => {
                let prior = &trace.prior.as_ref()?.entity;
                let differs = if trace.deleted {
                    !self.before.says(found, prior)
                } else {
                    own.hash(found) != own.hash(prior)
                };
                let detail = format!("{there} is not as it was before the run");
                differs.then(|| self.difference(at, DifferenceKind::DifferentField, detail))
            }
        }
    }

    async fn compare_bytes(&self, at: usize, now: &Now) -> Option<Difference> {
        let trace = self.trace(at);
        let PriorBytes::Kept(expected) = &trace.prior.as_ref()?.bytes else {
            return None;
        };
        let media = now.get(&self.there(at))?.body.parse();
        let url = media["originUrl"].as_str()?;
        let sender = self.context.instances.to_target();
        let hash = || bytes_hash(&self.context.instances.target, url);
        let detail = match sender.send_as(Class::Download, Effect::Read, hash).await {
            Ok(found) if found == *expected => return None,
            Ok(_) => "its bytes are not those that it had before the run".to_owned(),
            Err(error) => format!("its bytes could not be read: {error}"),
        };
        Some(self.difference(at, DifferenceKind::DifferentBytes, detail))
    }

    /// Pages that stand in another order among their former siblings.
    fn compare_order(&self, now: &Now) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (row, ((locale, channel, parent), _)) in self.actions.rows.iter().enumerate() {
            let prior = self.former_row(row);
            let there: Vec<(i64, u32)> = prior
                .iter()
                .filter_map(|page| {
                    let place = &now.nodes.get(&(locale.clone(), *page))?.placement;
                    let is_sibling = place.channel_id == *channel && place.parent == *parent;
                    is_sibling.then_some((*page, place.position))
                })
                .collect();
            let positions: Vec<u32> = there.iter().map(|(_, position)| *position).collect();
            let misplaced = out_of_order(&positions);
            for (page, _) in there
                .iter()
                .zip(misplaced)
                .filter(|(_, moves)| *moves)
                .map(|(row, _)| row)
            {
                let key = TargetKey::localised(Kind::Page, *page, locale);
                let of_page = |trace: &crate::plan::undo::Trace| trace.there == key;
                // A sibling that the run did not write is reported under the first one that it did.
                let at = self.outlook.traces.iter().position(of_page);
                let of_row = || {
                    self.outlook.traces.iter().position(|trace| {
                        trace.there.kind == Kind::Page && prior.contains(&trace.there.id.raw())
                    })
                };
                if let Some(at) = at.or_else(of_row) {
                    let detail = format!("{key} does not stand where it stood among its siblings");
                    differences.push(self.difference(at, DifferenceKind::WrongOrder, detail));
                }
            }
        }
        differences
    }

    pub(super) fn difference(
        &self,
        at: usize,
        difference: DifferenceKind,
        detail: String,
    ) -> Difference {
        let trace = self.trace(at);
        Difference {
            key: trace.key.clone(),
            name: trace.name.clone(),
            difference,
            detail,
            left_alone: false,
        }
    }
}
