//! The webhooks of the target: reported, and paused where asked, before the first write of a run or undo; enabled again after its last one.

use super::Session;
use crate::domain::time;
use crate::engine::lease::{Fence, Keeper};
use crate::engine::run_error::RunError;
use crate::engine::webhooks::{
    Resumed, Set, Switch, WebhooksError, lost_by_saves, paused, unproven,
};
use crate::event::{Event, WebhookState};
use crate::instance::{Effect, Source, Target, Webhook};
use crate::store::{Change, PausedWebhook, StoreError};

impl<S: Source, T: Target> Session<S, T> {
    /// The webhooks of the target that are enabled. Where they need not be known and cannot be read, that is a warning.
    ///
    /// # Errors
    /// [`WebhooksError::Unread`] where they are to be paused.
    pub(in crate::engine) async fn enabled_webhooks(&self) -> Result<Vec<Webhook>, RunError> {
        let Some(port) = &self.webhooks else {
            return Ok(Vec::new());
        };
        let read = || port.webhooks();
        match self.target.sender().send(Effect::Read, read).await {
            Ok(mut all) => {
                all.retain(|webhook| webhook.is_enabled);
                Ok(all)
            }
            Err(error) if self.options.pause_webhooks => Err(WebhooksError::Unread(error).into()),
            Err(error) => {
                let message = format!(
                    "the webhooks of the target could not be read: {error}; what is written may fire them"
                );
                self.sink.emit(Event::Warned { message }).await;
                Ok(Vec::new())
            }
        }
    }

    /// Reports the webhooks of the target before anything is written, and switches them off where that is asked for. Those
    /// that a run before left switched off stay so until the end of this one, or are switched on now.
    ///
    /// # Errors
    /// [`RunError`] when not all of them could be switched off. [`Session::after_writes`] puts things right then.
    pub(in crate::engine) async fn before_writes(
        &self,
        webhooks: (&[Webhook], bool),
        keeper: &Keeper,
    ) -> Result<(), RunError> {
        let fence = keeper.fence();
        // A save that is on its way is not dropped when an end is requested: it would be looked at too early.
        until_lost(keeper, self.pause_webhooks(webhooks, &fence)).await?
    }

    async fn pause_webhooks(
        &self,
        (webhooks, has_work): (&[Webhook], bool),
        fence: &Fence,
    ) -> Result<(), RunError> {
        let Some(switch) = self.switch(fence) else {
            return Ok(());
        };
        if !has_work || !self.options.pause_webhooks {
            self.resume_webhooks(fence).await;
        }
        if !has_work || webhooks.is_empty() {
            return Ok(());
        }
        let names = || webhooks.iter().map(|one| one.name.to_string()).collect();
        if !self.options.pause_webhooks {
            self.tell_of(WebhookState::Enabled, names()).await;
            return Ok(());
        }
        for one in webhooks {
            let lost = lost_by_saves(one, &self.options.probed);
            if let Some(why) = lost.or_else(|| unproven(one, time::now())) {
                let name = one.name.to_string();
                return Err(WebhooksError::Unproven { name, why }.into());
            }
        }
        for one in webhooks {
            let name = one.name.to_string();
            let note = PausedWebhook {
                pair: self.pair(),
                webhook: one.id.to_string(),
                name: name.clone(),
                run: self.run.clone(),
            };
            self.store.commit(vec![Change::WebhookPaused(note)]).await?;
            match switch.set(&one.id, false).await {
                Ok(Set::Done | Set::Gone) => {}
                Ok(Set::Altered(member)) => {
                    return Err(WebhooksError::Altered { name, member }.into());
                }
                Err(cause) => return Err(WebhooksError::Failed { name, cause }.into()),
            }
        }
        self.tell_of(WebhookState::Paused, names()).await;
        Ok(())
    }

    /// Switches on again what this run or one before it has paused, however the run ended, and gives what is wrong. While another
    /// run may have the pair (`is_lost`), that is left to it.
    pub(in crate::engine) async fn after_writes(
        &self,
        is_lost: bool,
        keeper: &Keeper,
    ) -> Vec<String> {
        if is_lost {
            return Vec::new();
        }
        let fence = keeper.fence();
        let resuming = self.resume_webhooks(&fence);
        // What waits for a lease that cannot be renewed would wait for good.
        match until_lost(keeper, resuming).await {
            Ok(still_off) => still_off,
            Err(why) => vec![format!("paused webhooks may still be switched off: {why}")],
        }
    }

    /// Switches on what the state notes as paused for this pair, and gives what is wrong.
    async fn resume_webhooks(&self, fence: &Fence) -> Vec<String> {
        let Some(switch) = self.switch(fence) else {
            return Vec::new();
        };
        let resumed = match paused(&self.store, &self.pair()).await {
            Ok(all) => switch.resume_all(&self.store, &all).await,
            Err(error) => Resumed {
                problems: vec![format!(
                    "the paused webhooks could not be looked up: {error}"
                )],
                ..Resumed::default()
            },
        };
        if !resumed.on.is_empty() {
            self.tell_of(WebhookState::Resumed, resumed.on).await;
        }
        for message in &resumed.problems {
            let message = message.clone();
            self.sink.emit(Event::Warned { message }).await;
        }
        resumed.problems
    }

    fn switch<'a>(&'a self, fence: &'a Fence) -> Option<Switch<'a, T>> {
        Some(Switch {
            port: self.webhooks.as_deref()?,
            target: &self.target,
            fence,
        })
    }

    async fn tell_of(&self, state: WebhookState, names: Vec<String>) {
        self.sink.emit(Event::Webhooks { state, names }).await;
    }
}

/// Does some work, unless the lease is lost meanwhile: then the next run of the pair sees to what is left.
async fn until_lost<R>(keeper: &Keeper, work: impl Future<Output = R>) -> Result<R, StoreError> {
    let mut lost = keeper.lost();
    tokio::select! {
        biased;
        done = work => Ok(done),
        Ok(why) = lost.wait_for(Option::is_some) => match why.clone() {
            Some(why) => Err(why),
            None => Err(StoreError::Closed),
        },
    }
}
