//! Brings back what the public saw before a run published.
//!
//! The API publishes the present version only. So an older one is saved, published, and then what stood in staging is
//! saved over it. Each step may be repeated: an undo that was interrupted finds on the target how far it had come.

use std::collections::BTreeMap;

use super::hands::Hands;
use super::rows::ToPublish;
use crate::domain::{Entity, Id, ItemState, Kind, TargetId};
use crate::engine::pace::Class;
use crate::engine::publishing::move_some;
use crate::engine::reconcile::repeat;
use crate::engine::verify::{Difference, DifferenceKind};
use crate::instance::{Effect, PageSave, Save, Source, Target, Verdict, Workflow};
use crate::plan::undo::{Live, LiveWork};
use crate::store::StoreError;

impl<S: Source + Clone, T: Target + Clone> Hands<'_, S, T> {
    /// Does so for what is restored next. What fails is settled, and not restored.
    pub(super) async fn bring_back_live(&self, stage: &[usize]) -> Result<(), StoreError> {
        let mut versions = Vec::new();
        let mut hidden = Vec::new();
        for at in stage.iter().copied().filter(|_| !self.is_draining()) {
            match (self.decided(at).live, &self.trace(at).live) {
                (LiveWork::PublishVersion, Some(Live::Version(version))) => {
                    match self.save_version(at, version).await {
                        Ok(()) => versions.push(at),
                        Err(why) => self.failed(at, None, why).await?,
                    }
                }
                (LiveWork::Unpublish, _) if !self.ends_unpublished(at) => hidden.push(at),
                (LiveWork::PublishVersion | LiveWork::Unpublish | LiveWork::Leave, _) => {}
            }
        }
        self.move_all(Workflow::Publish, &versions).await?;
        self.move_all(Workflow::Unpublish, &hidden).await
    }

    /// Unpublishes what was unpublished before, after it was saved: a save leaves it in staging.
    pub(super) async fn unpublish_again(&self) -> Result<(), StoreError> {
        let all = 0..self.outlook.traces.len();
        let wanted = all.filter(|at| {
            self.decided(*at).live == LiveWork::Unpublish
                && self.ends_unpublished(*at)
                && self.is_restored(*at)
        });
        let wanted: Vec<usize> = wanted.collect();
        self.move_all(Workflow::Unpublish, &wanted).await
    }

    fn ends_unpublished(&self, at: usize) -> bool {
        let former = self.trace(at).former.as_ref();
        former.is_some_and(|former| former.entity.state == ItemState::Unpublished)
    }

    async fn move_all(&self, step: Workflow, all: &[usize]) -> Result<(), StoreError> {
        let mut wanted = ToPublish::new();
        let mut by_id: BTreeMap<(Kind, TargetId), Vec<usize>> = BTreeMap::new();
        for at in all {
            let there = &self.trace(*at).there;
            if let Some(locale) = &there.locale {
                let ids = wanted.entry((there.kind, locale.clone())).or_default();
                ids.push(there.id);
                by_id.entry((there.kind, there.id)).or_default().push(*at);
            }
        }
        for ((kind, locale), ids) in wanted {
            let moved = move_some(&self.crew, step, (kind, &locale), &ids).await;
            let left = moved
                .left
                .into_iter()
                .map(|id| (id, "the undo ended".to_owned()));
            for (id, why) in moved.refused.into_iter().chain(left) {
                let known = by_id.get(&(kind, id)).into_iter().flatten();
                let mut here =
                    known.filter(|at| self.trace(**at).there.locale.as_ref() == Some(&locale));
                if let Some(at) = here.next() {
                    let reason = format!("{} it: {why}", step.doing());
                    self.failed(*at, None, reason).await?;
                }
            }
        }
        Ok(())
    }

    /// Saves the version that the public saw over what is there.
    async fn save_version(&self, at: usize, version: &Entity<TargetId>) -> Result<(), String> {
        let trace = self.trace(at);
        let present = self.present(at).map(|present| present.body.parse());
        let locale = trace.there.locale.clone().ok_or("it has no locale")?;
        let save = Save {
            kind: trace.key.kind,
            name: version.name.clone(),
            id: Some(trace.there.id),
            locale: Some(locale.clone()),
            body: self.before.body(version, present.as_ref())?.into(),
            numbers: version.body.numbers(),
        };
        let place = version.placement.as_deref();
        let page = PageSave {
            save,
            parent: place.and_then(|place| place.parent).map(TargetId::new),
            place_before: None,
            channel_id: place.map_or(1, |place| place.channel_id),
            other_locale: None,
        };
        let is_page = trace.key.kind == Kind::Page;
        let submit = || async {
            if is_page {
                self.crew.target.submit_page(&page).await
            } else {
                let items = std::slice::from_ref(&page.save);
                self.crew.target.submit_items(&locale, items).await
            }
        };
        let sender = self.crew.to_target();
        let sent = match sender.send_as(Class::Submit, Effect::Write, submit).await {
            Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => {
                repeat(&self.crew, Class::Submit, submit, error).await
            }
            sent => sent,
        };
        let batch = sent.map_err(|error| error.to_string())?;
        let end = self
            .wait_for(batch, trace.key.kind, locale.clone(), 1)
            .await;
        let saved = Self::only_result(end);
        saved
            .map(drop)
            .map_err(|why| format!("its former published version: {why}"))
    }

    /// Compares what the public sees with what it saw.
    pub(super) async fn compare_live(&self, at: usize) -> Option<Difference> {
        let trace = self.trace(at);
        let expected = match trace.live.as_ref()? {
            Live::Nothing => None,
            Live::Version(version) => Some(self.before.hash(version)),
        };
        let detail = match self.crew.live(&trace.there).await {
            Ok(found) if found.as_ref().map(|found| self.before.hash(found)) == expected => {
                return None;
            }
            Ok(_) => "the public does not see what it saw before the run".to_owned(),
            Err(error) => format!("what the public sees could not be read: {error}"),
        };
        Some(self.difference(at, DifferenceKind::DifferentField, detail))
    }
}
