//! Brings siblings back in order, and publishes what was published.
//!
//! The API can put a page in front of another one and not behind the last. So it may be a page that the run never
//! touched that has to move, as in an upload; it is saved as it is, in another place.

use std::collections::{BTreeMap, HashMap};

use super::hands::Hands;
use crate::domain::{Entity, Id, ItemState, Kind, Locale, TargetId};
use crate::engine::pace::Class;
use crate::engine::publishing::move_some;
use crate::engine::reconcile::repeat;
use crate::event::Event;
use crate::instance::{
    Answer, Ask, Effect, Found, PageSave, RequestError, Save, Source, Target, Verdict, Workflow,
};
use crate::plan::undo::{Decision, out_of_order};

/// Locale, channel and parent of siblings.
pub(super) type Row = (Locale, i64, Option<i64>);

/// What is to be published, by kind and locale.
pub(super) type ToPublish = BTreeMap<(Kind, Locale), Vec<TargetId>>;

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// Whether an entity that the run had written over is as it was before.
    pub(super) fn is_restored(&self, at: usize) -> bool {
        match &self.decided(at).decision {
            Decision::Restore => !self.has_failed(at),
            Decision::AsBefore => true,
            Decision::Delete | Decision::Gone | Decision::Keep(_) => false,
        }
    }

    /// The siblings of every restored page in the order that they had; of long rows a part.
    pub(super) fn former_rows(&self) -> BTreeMap<Row, Vec<i64>> {
        let mut rows: BTreeMap<Row, Vec<i64>> = BTreeMap::new();
        for (at, noted) in self.outlook.noted.iter().enumerate() {
            let place = noted.as_ref().and_then(|noted| noted.place.as_ref());
            let locale = self.trace(at).there.locale.clone();
            let (Some(place), Some(locale)) = (place, locale) else {
                continue;
            };
            let row = rows
                .entry((locale, place.channel_id, place.parent))
                .or_default();
            if self.is_restored(at) && row.len() < place.siblings.len() {
                row.clone_from(&place.siblings);
            }
        }
        rows.retain(|_, row| row.len() > 1);
        rows
    }

    /// Moves as few pages as possible so that the siblings of restored pages stand in their former order. Returns those
    /// that were published and have to be again. What cannot be moved is told, and found by the verification.
    pub(super) async fn order_rows(&self) -> Vec<(Locale, TargetId)> {
        let mut to_publish = Vec::new();
        for (row, former) in self.former_rows() {
            match self.order_row(&row, &former).await {
                Ok(moved) => to_publish.extend(moved.into_iter().map(|id| (row.0.clone(), id))),
                Err(error) => {
                    let message =
                        format!("some pages could not be put in their former order: {error}");
                    self.crew.sink.emit(Event::Warned { message }).await;
                }
            }
        }
        to_publish
    }

    async fn order_row(&self, row: &Row, former: &[i64]) -> Result<Vec<TargetId>, RequestError> {
        let now = self.positions(row).await?;
        let there: Vec<(i64, u32)> = former
            .iter()
            .filter_map(|page| Some((*page, *now.get(page)?)))
            .collect();
        let positions: Vec<u32> = there.iter().map(|(_, position)| *position).collect();
        let moves = out_of_order(&positions);
        let mut published = Vec::new();
        // From the last to the first: each is put in front of one that is in its place already.
        for at in (0..moves.len()).rev().filter(|at| moves[*at]) {
            if self.is_draining() {
                break;
            }
            let next = there.get(at + 1).map(|(page, _)| TargetId::new(*page));
            if let Some(page) = self.page(&row.0, there[at].0).await?
                && self.move_page(row, &page, next).await?
            {
                published.push(page.key.id);
            }
        }
        Ok(published)
    }

    /// Where the siblings of a row stand now.
    pub(super) async fn positions(&self, row: &Row) -> Result<HashMap<i64, u32>, RequestError> {
        let ask = Ask::Sitemap(row.0.clone());
        let sender = self.crew.to_target();
        let read = || self.crew.target.read(&ask);
        let answer: Answer<TargetId> = sender.send(Effect::Read, read).await?;
        let nodes = answer.found.into_iter().filter_map(|found| match found {
            Found::Node(node) => Some(node),
            _ => None,
        });
        Ok(nodes
            .filter(|node| node.placement.channel_id == row.1 && node.placement.parent == row.2)
            .map(|node| (node.page, node.placement.position))
            .collect())
    }

    async fn page(
        &self,
        locale: &Locale,
        id: i64,
    ) -> Result<Option<Entity<TargetId>>, RequestError> {
        let ask = Ask::One {
            kind: Kind::Page,
            id,
            locale: Some(locale.clone()),
        };
        let sender = self.crew.to_target();
        let read = || self.crew.target.read(&ask);
        let answer: Answer<TargetId> = sender.send(Effect::Read, read).await?;
        Ok(answer.found.into_iter().find_map(|found| match found {
            Found::Entity(page) => Some(page),
            _ => None,
        }))
    }

    /// Saves a page as it is in front of `before`. Returns whether it was published.
    async fn move_page(
        &self,
        row: &Row,
        page: &Entity<TargetId>,
        before: Option<TargetId>,
    ) -> Result<bool, RequestError> {
        let Ok(body) = self.before.body(page, None) else {
            return Ok(false);
        };
        let page_save = PageSave {
            save: Save {
                kind: Kind::Page,
                name: page.name.clone(),
                id: Some(page.key.id),
                locale: Some(row.0.clone()),
                body: body.into(),
                numbers: page.body.numbers(),
            },
            parent: row.2.map(TargetId::new),
            place_before: before,
            channel_id: row.1,
            other_locale: None,
        };
        let submit = || self.crew.target.submit_page(&page_save);
        let sender = self.crew.to_target();
        let batch = match sender.send_as(Class::Submit, Effect::Write, submit).await {
            Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => {
                repeat(&self.crew, Class::Submit, submit, error).await?
            }
            answer => answer?,
        };
        let end = self.wait_for(batch, Kind::Page, row.0.clone(), 1).await;
        Ok(Self::only_result(end).is_ok() && page.state == ItemState::Published)
    }

    /// Tells of what was not published before and is now: what the public sees of it is not taken back, because it is not
    /// known whether it had been published in an earlier version.
    async fn tell_still_public(&self) {
        let is_public = |at: &usize| {
            let former = self.trace(*at).former.as_ref();
            let was = former.is_some_and(|former| former.entity.state == ItemState::Published);
            let is = self
                .present(*at)
                .is_some_and(|present| present.state == ItemState::Published);
            self.is_restored(*at) && is && !was && self.trace(*at).live.is_none()
        };
        let public: Vec<usize> = (0..self.outlook.traces.len()).filter(is_public).collect();
        if let Some(first) = public.first() {
            let message = format!(
                "{} restored entities had not been published before the run and are now, such as {}; what the public \
                 sees of them stays until they are published or unpublished on the target",
                public.len(),
                self.trace(*first).there
            );
            self.crew.sink.emit(Event::Warned { message }).await;
        }
    }

    /// Publishes what was published before the run, content before pages. Returns why something could not be.
    pub(super) async fn publish(&self, moved: Vec<(Locale, TargetId)>) -> Vec<String> {
        let mut wanted = ToPublish::new();
        for (at, trace) in self.outlook.traces.iter().enumerate() {
            if let Some(locale) = &trace.there.locale
                && self.decided(at).publish
                && self.is_restored(at)
            {
                let ids = wanted.entry((trace.key.kind, locale.clone())).or_default();
                ids.push(trace.there.id);
            }
        }
        for (locale, id) in moved {
            wanted.entry((Kind::Page, locale)).or_default().push(id);
        }
        self.tell_still_public().await;
        let mut problems = Vec::new();
        for ((kind, locale), mut ids) in wanted {
            ids.sort_unstable();
            ids.dedup();
            let place = (kind, &locale);
            let moved = move_some(&self.crew, Workflow::Publish, place, &ids).await;
            let refused = moved.refused.into_iter();
            problems.extend(refused.map(|(id, why)| format!("{kind} {id} of {locale}: {why}")));
            let left = moved.left.into_iter();
            problems.extend(left.map(|id| format!("{kind} {id} of {locale}: the undo ended")));
        }
        problems
    }
}
