//! What a run hears while it works: what the user asks, and that its lease is lost. One owner for all phases.
//!
//! Work that only reads may be dropped at any moment, and is, as soon as somebody asks for an end. Work that writes is
//! drained first, for as long as the grace period lasts. When the lease is lost, either is dropped at once: another run
//! may have begun, and settles what is in flight.

use std::future::Future;
use std::pin::pin;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::crew::Crew;
use super::end::End;
use super::lease::{Fence, Keeper, Lost};
use super::outage::Standing;
use super::run_error::RunError;
use super::sink::Sink;
use crate::event::{Command, Event};
use crate::instance::{Cause, Source, Target};
use crate::store::StoreError;

/// Hears for a run.
#[derive(Debug)]
pub struct Control<'a> {
    commands: &'a mut mpsc::Receiver<Command>,
    is_open: bool,
    lease: Option<(Lost, Fence)>,
    is_asked: bool,
}

/// Something that was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// The user, or the program on his behalf, asks for something.
    Command(Command),
    /// The lease is lost, for this reason.
    LeaseLost(StoreError),
}

/// Why work was dropped.
#[derive(Debug)]
pub(super) enum Cut {
    /// Somebody asked for an end.
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

    /// Whether somebody has asked for an end.
    pub(super) const fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Waits for the next thing to be heard, for good when there can be none. Cancel-safe.
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

    /// Does `work`, which only reads, until it ends, somebody asks for an end or the lease is lost.
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

    /// Does `work`, which writes, until it ends, the lease is lost, or an end that somebody asked for has lasted too long.
    /// `drain` lets nothing new leave after this moment.
    pub(super) async fn writing<S, T, R>(
        &mut self,
        crew: &Crew<S, T>,
        drain: impl Fn(Instant),
        work: impl Future<Output = R>,
    ) -> Result<R, Cut>
    where
        S: Source + Clone,
        T: Target + Clone,
    {
        let mut work = pin!(work);
        let mut drain_ends: Option<Instant> = None;
        let mut standing = crew.alarm.standing();
        loop {
            let grace = drain_ends.unwrap_or_else(Instant::now);
            // Every branch is cancel-safe: a pinned future that is polled on, what is heard, a watch, a moment.
            let heard = tokio::select! {
                biased;
                heard = self.hear() => heard,
                done = &mut work => return Ok(done),
                Ok(()) = standing.changed() => {
                    let now = standing.see();
                    tell_hold(&crew.sink, &now).await;
                    continue;
                }
                () = tokio::time::sleep_until(grace), if drain_ends.is_some() => return Err(Cut::Asked),
            };
            match heard {
                Heard::LeaseLost(why) => {
                    tell_lost(&crew.sink).await;
                    return Err(Cut::LeaseLost(why));
                }
                Heard::Command(Command::Abort) => return Err(Cut::Asked),
                Heard::Command(Command::Drain) if drain_ends.is_none() => {
                    let ends = Instant::now() + crew.options.drain_grace;
                    drain(ends);
                    drain_ends = Some(ends);
                    let in_flight = u32::try_from(crew.batches.len()).unwrap_or(u32::MAX);
                    let reason = ASKED.to_owned();
                    let started = Event::DrainStarted { reason, in_flight };
                    crew.sink.emit(started).await;
                }
                Heard::Command(Command::SetRate(rate)) => crew.target_pacer.set_rate(rate),
                Heard::Command(Command::Resume) => crew.alarm.resume(),
                // Nothing here lasts long enough to be worth a pause.
                Heard::Command(Command::Pause | Command::Drain | Command::Play(_)) => {}
            }
        }
    }
}

/// Why a run drains that somebody asked to end.
pub(super) const ASKED: &str = "the user asked for it";

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

/// Tells that another run may work on the same instances from now on, and settles what is in flight here.
pub(super) async fn tell_lost(sink: &Sink) {
    let message = "the lease of this run could not be renewed; it ends at once, and the next run goes on from there";
    sink.emit(Event::Warned {
        message: message.to_owned(),
    })
    .await;
}

/// Tells that everything waits until somebody has dealt with an outage.
pub(super) async fn tell_hold(sink: &Sink, standing: &Standing) {
    if let Standing::Held(outage) = standing {
        let message = format!(
            "everything waits: {}; deal with that and resume, or end the run: the next one goes on from here",
            outage.error
        );
        sink.emit(Event::Warned { message }).await;
        if outage.error.cause == Cause::Unauthorised {
            sink.emit(Event::TokenRefused).await;
        }
    }
}
