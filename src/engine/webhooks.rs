//! Webhooks of the target: read before a run, and switched off while it writes, where that is asked for.
//!
//! ```text
//!   note in the store ─▶ save, not enabled ─▶ … the run … ─▶ save, enabled ─▶ the note goes
//! ```
//! A note names the webhook and nothing else of it: before each save it is read anew, so that neither its secret nor its
//! address is kept, and what was changed meanwhile stays. A run that died leaves its notes to the next run of the pair, or
//! to [`restore_webhooks`]. An undo is a run in this.
//!
//! Whether a save keeps the signing secret decides what may be paused. By the vendor's description the secret is the server's:
//! values that are sent are ignored, the first signed save makes it, and only `rotate-secret` replaces it. It says nothing about the
//! former secret, which goes on signing for 24 hours after a roll, so a webhook within these hours is not touched. Every save is
//! read back, and one that changed more than the switch ends the run before it writes.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::lease::{Fence, Keeper};
use super::probed::Probed;
use super::pull::Reader;
use crate::domain::time;
use crate::instance::{Cause, Effect, RequestError, Target, Verdict, Webhook, Webhooks};
use crate::store::{Change, LeaseOwner, Pair, PausedWebhook, Store, StoreError};

/// How often a save with an unknown outcome is tried.
const SAVES: usize = 3;

/// How long the former secret goes on signing after a roll, with an hour for clocks that differ.
const ROLL: SignedDuration = SignedDuration::from_hours(25);

/// Why webhooks could not be paused. The run has written nothing.
#[derive(Debug, thiserror::Error)]
pub enum WebhooksError {
    /// They could not be read.
    #[error("the webhooks of the target could not be read")]
    Unread(#[source] RequestError),
    /// It is not proven that a save keeps the secret.
    #[error("webhook {name:?} is not paused: {why}")]
    Unproven {
        /// The webhook.
        name: String,
        /// Why not.
        why: String,
    },
    /// A save changed more than it should.
    #[error("saving webhook {name:?} also changed its {member}")]
    Altered {
        /// The webhook.
        name: String,
        /// The member.
        member: String,
    },
    /// It could not be saved.
    #[error("webhook {name:?} could not be switched off")]
    Failed {
        /// The webhook.
        name: String,
        /// The request.
        #[source]
        cause: RequestError,
    },
}

impl WebhooksError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unread(_) | Self::Failed { .. } => {
                "try again, or run without --pause-webhooks".to_owned()
            }
            Self::Unproven { .. } => {
                "switch it off by hand in the settings of the target, run without --pause-webhooks, and switch it on again"
                    .to_owned()
            }
            Self::Altered { member, .. } => format!(
                "look at {member} of this webhook in the settings of the target, give its receiver the new secret where that \
                 changed, and run without --pause-webhooks"
            ),
        })
    }
}

/// What switches webhooks.
pub(super) struct Switch<'a, T> {
    pub(super) port: &'a dyn Webhooks,
    pub(super) target: &'a Reader<T>,
    pub(super) fence: &'a Fence,
}

/// What came of a save.
pub(super) enum Set {
    /// The webhook is as it should be.
    Done,
    /// It does not exist any more.
    Gone,
    /// A save changed this member as well.
    Altered(String),
}

impl<T> Switch<'_, T> {
    /// Switches one webhook, and looks whether that changed anything else.
    pub(super) async fn set(&self, id: &str, is_on: bool) -> Result<Set, RequestError> {
        let mut left = SAVES;
        loop {
            let Some(before) = self.read(id).await? else {
                return Ok(Set::Gone);
            };
            if before.is_enabled == is_on {
                return Ok(Set::Done);
            }
            left -= 1;
            let mut sender = self.target.sender();
            sender.fence = Some(self.fence);
            let save = || self.port.switch(&before, is_on);
            let saved = sender.send(Effect::Write, save).await;
            let has_new_secret = match &saved {
                Ok(saved) => saved.has_new_secret,
                Err(error) if error.verdict(Effect::Write) == Verdict::Reconcile => false,
                Err(error) => return Err(error.clone()),
            };
            let Some(after) = self.read(id).await? else {
                return Ok(Set::Gone);
            };
            if has_new_secret {
                return Ok(Set::Altered("signingSecret".to_owned()));
            }
            if let Some(member) = before.altered(&after) {
                return Ok(Set::Altered(member));
            }
            match saved {
                _ if after.is_enabled == is_on => return Ok(Set::Done),
                Err(error) if left == 0 => return Err(error),
                Ok(_) if left == 0 => return Err(unchanged(&before)),
                Ok(_) | Err(_) => {}
            }
        }
    }

    async fn read(&self, id: &str) -> Result<Option<Webhook>, RequestError> {
        let read = || self.port.webhook(id);
        self.target.sender().send(Effect::Read, read).await
    }

    /// Switches a webhook on again that was paused, and forgets the note. `Err` is what is wrong, in a sentence.
    async fn resume(&self, store: &Store, paused: &PausedWebhook) -> Result<(), String> {
        let name = &paused.name;
        let set = self.set(&paused.webhook, true).await;
        let warning = match set {
            Ok(Set::Done) => Ok(()),
            Ok(Set::Gone) => Err(format!(
                "webhook {name:?} was paused and does not exist any more"
            )),
            Ok(Set::Altered(member)) => Err(format!(
                "webhook {name:?} is switched on again, and that also changed its {member}: look at it in the settings of the target"
            )),
            Err(error) => {
                return Err(format!(
                    "webhook {name:?} is still switched off: {error}; `lockgate webhooks restore` switches it on"
                ));
            }
        };
        let done = Change::WebhookResumed {
            pair: paused.pair.clone(),
            webhook: paused.webhook.clone(),
        };
        let kept = store.commit(vec![done]).await;
        warning.and(kept.map_err(|error| error.to_string()))
    }

    /// The same for several; gives the names of those that are on, and what is wrong with the others.
    pub(super) async fn resume_all(&self, store: &Store, all: &[PausedWebhook]) -> Resumed {
        let resumed = join_all(all.iter().map(|one| self.resume(store, one))).await;
        let mut came = Resumed::default();
        for (paused, resumed) in all.iter().zip(resumed) {
            match resumed {
                Ok(()) => came.on.push(paused.name.clone()),
                Err(problem) => came.problems.push(problem),
            }
        }
        came
    }
}

/// The complaint about a save that is answered and has no effect.
fn unchanged(webhook: &Webhook) -> RequestError {
    let operation = format!("switching webhook {:?}", webhook.name);
    let cause = Cause::Malformed("the webhook is as it was before".to_owned());
    RequestError::new(operation, cause)
}

/// The outcome for webhooks that were to be switched on again.
#[derive(Debug, Default)]
pub struct Resumed {
    /// The names of those that are enabled.
    pub on: Vec<String>,
    /// What is wrong with others, each in a sentence.
    pub problems: Vec<String>,
}

/// Whether it is not proven that a save keeps the secret of a webhook, and why.
pub(super) fn unproven(webhook: &Webhook, now: Timestamp) -> Option<String> {
    if webhook.id.is_empty() {
        return Some("the target names no id of it (rowKey), and a save without one would create another webhook".to_owned());
    }
    let rolled = webhook.rolled.as_deref()?;
    let moment = moment(rolled);
    let is_over = moment.is_some_and(|moment| now.duration_since(moment) > ROLL);
    (!is_over).then(|| {
        format!(
            "its signing secret was rolled at {rolled:?}, the former one signs for 24 hours more, and no description says that a \
             save keeps it"
        )
    })
}

/// Whether a probe found that a save of a webhook with a signing secret loses it, in words.
pub(super) fn lost_by_saves(webhook: &Webhook, probed: &Probed) -> Option<String> {
    (probed.loses_secrets && webhook.is_signed).then(|| {
        "`lockgate probe` found that a save of a webhook does not keep its signing secret here"
            .to_owned()
    })
}

/// A date of the API, which is in UTC whether it says so or not.
fn moment(text: &str) -> Option<Timestamp> {
    let with_zone = text.parse::<Timestamp>().ok();
    with_zone.or_else(|| time::of_utc(text.parse().ok()?))
}

/// What is paused for a pair.
pub(super) async fn paused(store: &Store, pair: &Pair) -> Result<Vec<PausedWebhook>, StoreError> {
    let mut all = store.paused_webhooks(&pair.target).await?;
    all.retain(|one| one.pair == *pair);
    Ok(all)
}

/// Switches on again what runs of a pair left switched off. No run of the pair may be under way.
///
/// # Errors
/// [`StoreError::LeaseHeld`] while there is one, and others when the state cannot be used.
pub async fn restore_webhooks<T: Target>(
    (target, port): (&Reader<T>, &dyn Webhooks),
    store: &Store,
    (pair, owner): (&Pair, LeaseOwner),
    ttl: Duration,
) -> Result<Resumed, StoreError> {
    let keeper = Keeper::acquire(store, pair, owner, ttl).await?;
    let fence = keeper.fence();
    let switch = Switch {
        port,
        target,
        fence: &fence,
    };
    let resumed = match paused(store, pair).await {
        Ok(all) => Ok(switch.resume_all(store, &all).await),
        Err(error) => Err(error),
    };
    keeper.release().await;
    resumed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_left_alone_while_its_former_secret_signs() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let hook = |id: &str, rolled: Option<&str>| {
            let mut hook = Webhook::new(id, "build", true);
            hook.rolled = rolled.map(Into::into);
            unproven(&hook, now)
        };
        assert_eq!(hook("a", None), None);
        assert_eq!(hook("a", Some("2026-03-01T10:59:59Z")), None);
        assert_eq!(hook("a", Some("2026-02-01T10:00:00.123")), None);
        for rolled in [
            "2026-03-01T12:00:00",
            "2026-03-02T11:00:00Z",
            "2027-01-01T00:00:00Z",
            "yesterday",
        ] {
            let why = hook("a", Some(rolled)).unwrap();
            assert!(why.contains(rolled), "{why}");
        }
        assert!(hook("", None).unwrap().contains("rowKey"));
    }
}
