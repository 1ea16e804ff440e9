//! Restores the order of siblings.
//!
//! The API can put a page in front of another one and not behind the last. So a page that the run never touched may have to
//! move, as in an upload; it is saved unchanged, in another place.

use std::collections::HashMap;

use super::executor::UndoExecutor;
use super::request::Unsaved;
use crate::domain::{Entity, Id, ItemState, Kind, Locale, TargetId};
use crate::engine::context::Ends;
use crate::engine::pace::Class;
use crate::engine::poll::BatchKind;
use crate::engine::reconcile::{BatchEnd, HandedIn, follow_and_emit, insist};
use crate::engine::state::{How, Saved, StepResult};
use crate::event::Event;
use crate::instance::{Cause, PageSave, RequestError, Save, Target as _};
use crate::plan::Counterparts;
use crate::plan::undo::out_of_order;

/// Locale, channel and parent of siblings.
pub(super) type Row = (Locale, i64, Option<i64>);

/// The result of a step that is about no entity.
pub(super) fn is_done() -> StepResult {
    StepResult::Done(Saved {
        target: TargetId::new(0),
        bytes: 0,
        how: How::AsPlanned,
    })
}

impl<E: Ends> UndoExecutor<E> {
    /// The siblings of the restored pages of a row in the order that they had; of long rows a part.
    pub(super) fn former_row(&self, row: usize) -> Vec<i64> {
        let mut longest: &[i64] = &[];
        let pages = self.actions.rows[row].1.iter();
        for at in pages.filter(|at| self.is_restored(**at)) {
            let noted = self.outlook.noted[*at].as_ref();
            let place = noted.and_then(|noted| noted.place.as_ref());
            if let Some(place) = place.filter(|place| place.siblings.len() > longest.len()) {
                longest = &place.siblings;
            }
        }
        let now = |id: &i64| self.before.id(Kind::Page, *id, None).map_or(*id, Id::raw);
        longest.iter().map(now).collect()
    }

    /// Moves as few pages as possible so that the siblings of restored pages stand in their former order. What cannot be
    /// moved is reported, and found by the verification.
    pub(super) async fn order(&self, row: usize) -> StepResult {
        match self.order_row(row).await {
            Ok(()) => is_done(),
            Err(Unsaved::Halted) => StepResult::Held,
            Err(Unsaved::Failed(error)) if error.cause == Cause::Halted => StepResult::Held,
            Err(why @ (Unsaved::Failed(_) | Unsaved::Told(_))) => {
                let message = format!("some pages could not be put in their former order: {why}");
                self.context.sink.emit(Event::Warned { message }).await;
                is_done()
            }
        }
    }

    async fn order_row(&self, at: usize) -> Result<(), Unsaved> {
        let row = &self.actions.rows[at].0;
        let now = self.positions(row).await.map_err(Unsaved::Failed)?;
        let there: Vec<(i64, u32)> = self
            .former_row(at)
            .iter()
            .filter_map(|page| Some((*page, *now.get(page)?)))
            .collect();
        let positions: Vec<u32> = there.iter().map(|(_, position)| *position).collect();
        let moves = out_of_order(&positions);
        // From the last to the first: each is put in front of one that is in its place already.
        for place in (0..moves.len()).rev().filter(|place| moves[*place]) {
            let next = there.get(place + 1).map(|(page, _)| TargetId::new(*page));
            let inquiry = self.context.inquiry();
            let page = inquiry.one(Kind::Page, there[place].0, Some(&row.0)).await;
            if let Some(page) = page.map_err(Unsaved::Failed)? {
                self.move_page(at, &page, next).await?;
            }
        }
        Ok(())
    }

    /// Where the siblings of a row stand now.
    async fn positions(&self, row: &Row) -> Result<HashMap<i64, u32>, RequestError> {
        let nodes = self.context.inquiry().nodes(&row.0).await?.into_iter();
        Ok(nodes
            .filter(|node| node.placement.channel_id == row.1 && node.placement.parent == row.2)
            .map(|node| (node.page, node.placement.position))
            .collect())
    }

    /// Saves a page as it is in front of `before`.
    async fn move_page(
        &self,
        at: usize,
        page: &Entity<TargetId>,
        before: Option<TargetId>,
    ) -> Result<(), Unsaved> {
        let row = &self.actions.rows[at].0;
        let Ok(body) = self.before.body(page, None) else {
            return Ok(());
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
        if page.state == ItemState::Published {
            // Before it leaves: a job that breaks and is taken up finds it in its place. Publishing twice is harmless.
            let mut moved = self.moved.lock().expect("no holder panics");
            moved.entry(at).or_default().push(page.key.id);
        }
        let submit = || self.context.instances.target.submit_page(&page_save);
        let batch = insist(
            &self.context,
            (self.context.instances.to_target(), Class::Submit),
            submit,
        )
        .await;
        let handed = HandedIn {
            batch: batch.map_err(Unsaved::Failed)?,
            kind: Kind::Page,
            locale: Some(&row.0),
            items: 1,
            does: BatchKind::Page,
        };
        match follow_and_emit(&self.context, &handed).await {
            BatchEnd::Halted => Err(Unsaved::Halted),
            // What stands in another place is found by the verification.
            BatchEnd::Finished(_) | BatchEnd::Failed(_) | BatchEnd::Unknown(_) => Ok(()),
        }
    }

    /// Reports what was not published before and is now: what the public sees of it is not taken back, because it is not
    /// known whether it had been published in an earlier version.
    pub(super) async fn emit_still_public(&self) {
        let is_public = |at: &usize| {
            let prior = self.trace(*at).prior.as_ref();
            let was = prior.is_some_and(|prior| prior.entity.state == ItemState::Published);
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
            self.context.sink.emit(Event::Warned { message }).await;
        }
    }
}
