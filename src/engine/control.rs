//! Inputs of a run from outside, in all phases: commands, and the loss of its lease.
//!
//! Work that only reads may be dropped at any moment, and is, as soon as an end is requested. Work that writes is
//! drained first, by the dispatcher, for as long as the grace period lasts. When the lease is lost, both are dropped at
//! once: another run may have begun, and reconciles what is in flight.

use std::future::Future;
use std::pin::pin;

use tokio::sync::mpsc;

use super::end::End;
use super::lease::{Fence, Keeper, Lost};
use super::outage::Standing;
use super::run_error::RunError;
use super::sink::Sink;
use crate::event::{Command, Event};
use crate::store::StoreError;

/// Hears for a run.
#[derive(Debug)]
pub struct Control<'a> {
    commands: &'a mut mpsc::Receiver<Command>,
    is_open: bool,
    lease: Option<(Lost, Fence)>,
    is_asked: bool,
}

/// Something that was received.
#[derive(Debug)]
pub(super) enum Heard {
    /// A command of the user, or of the program for the user.
    Command(Command),
    /// The lease is lost, for this reason.
    LeaseLost(StoreError),
}

/// Why work was dropped.
#[derive(Debug)]
pub(super) enum Cut {
    /// An end was requested.
    Asked,
    /// The lease is lost, for this reason.
    LeaseLost(StoreError),
}

impl From<Cut> for End {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Asked => Self::Interrupted,
            Cut::LeaseLost(why) => Self::LeaseLost(why),
        }
    }
}

impl From<Cut> for RunError {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Asked => Self::Interrupted,
            Cut::LeaseLost(why) => Self::Store(why),
        }
    }
}

impl<'a> Control<'a> {
    /// For work that needs no lease.
    pub fn new(commands: &'a mut mpsc::Receiver<Command>) -> Self {
        Self {
            commands,
            is_open: true,
            lease: None,
            is_asked: false,
        }
    }

    /// For work under the lease of `keeper`.
    pub(super) fn under(commands: &'a mut mpsc::Receiver<Command>, keeper: &Keeper) -> Self {
        Self {
            lease: Some((keeper.lost(), keeper.fence())),
            ..Self::new(commands)
        }
    }

    /// Whether an end was requested.
    pub(super) const fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Waits for the next thing to receive, for good when there can be none. Cancel-safe.
    pub(super) async fn hear(&mut self) -> Heard {
        loop {
            // Both are cancel-safe: a watch and a channel.
            tokio::select! {
                biased;
                why = is_lost(&mut self.lease) => return Heard::LeaseLost(why),
                command = self.commands.recv(), if self.is_open => {
                    self.is_open = command.is_some();
                    self.is_asked |= matches!(command, Some(Command::Drain | Command::Abort));
                    if let Some(command) = command {
                        return Heard::Command(command);
                    }
                }
            }
        }
    }

    /// Does `work`, which only reads, until it ends, an end is requested or the lease is lost.
    ///
    /// # Errors
    /// [`RunError`] of the work, or why it was dropped.
    pub async fn read<R>(
        &mut self,
        work: impl Future<Output = Result<R, RunError>>,
    ) -> Result<R, RunError> {
        self.looking(work).await?
    }

    /// As [`Control::read`]. What `work` found counts only if the lease is still held by then.
    pub(super) async fn looking<R>(&mut self, work: impl Future<Output = R>) -> Result<R, Cut> {
        let fence = self.lease.as_ref().map(|(_, fence)| fence.clone());
        let mut work = pin!(async {
            let done = work.await;
            if let Some(fence) = fence {
                fence.pass().await;
            }
            done
        });
        loop {
            tokio::select! {
                biased;
                heard = self.hear() => match heard {
                    Heard::LeaseLost(why) => return Err(Cut::LeaseLost(why)),
                    Heard::Command(Command::Drain | Command::Abort) => return Err(Cut::Asked),
                    // There is nothing to pause, and no rate to change.
                    Heard::Command(
                        Command::Pause | Command::Resume | Command::SetRate(_) | Command::Play(_),
                    ) => {}
                },
                done = &mut work => return Ok(done),
            }
        }
    }
}

/// Waits until the lease is lost; for good when there is none.
async fn is_lost(lease: &mut Option<(Lost, Fence)>) -> StoreError {
    if let Some((lost, _)) = lease
        && let Ok(why) = lost.wait_for(Option::is_some).await
        && let Some(why) = why.clone()
    {
        return why;
    }
    std::future::pending().await
}

/// Reports that another run may work on the same instances from now on and settles what is in flight here.
pub(super) async fn emit_lease_lost(sink: &Sink) {
    let message = "the lease of this run could not be renewed; it ends at once, and the next run goes on from there";
    sink.emit(Event::Warned {
        message: message.to_owned(),
    })
    .await;
}

/// Reports that everything waits until an outage is dealt with.
pub(super) async fn emit_hold(sink: &Sink, standing: &Standing) {
    if let Standing::Held(outage) = standing {
        let message = format!(
            "everything waits: {}; deal with that and resume, or end the run: the next one goes on from here",
            outage.error
        );
        sink.emit(Event::Warned { message }).await;
        if outage.error.cause.asks_for_token() {
            sink.emit(Event::TokenRefused).await;
        }
    }
}
