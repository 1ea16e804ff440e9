//! When the rest of a run is played ahead, and where the result goes.

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::after::After;
use super::{Costs, Forecast, ahead};
use crate::engine::crew::Crew;
use crate::engine::state::{Job, RunState};
use crate::event::{Bottleneck, Event, millis};
use crate::instance::{Source, Target};

/// A play may take one part of the time in this many, on a thread of its own.
const SHARE: u32 = 100;

/// Plays ahead beside the run, one play at a time.
#[derive(Debug)]
pub(in crate::engine) struct Oracle {
    after: After,
    plays: JoinSet<Play>,
    not_before: Instant,
}

/// A play that is over.
#[derive(Debug)]
struct Play {
    forecast: Forecast,
    costs: Costs,
    began: Instant,
}

impl Oracle {
    /// An oracle of a run after which this comes.
    pub(in crate::engine) fn new(after: After) -> Self {
        Self {
            after,
            plays: JoinSet::new(),
            not_before: Instant::now(),
        }
    }

    /// Begins to play, unless a play is on or the last one was a short while ago for what it took.
    pub(in crate::engine) fn ask<S, T>(
        &mut self,
        crew: &Crew<S, T>,
        state: &RunState,
        running: impl Iterator<Item = Job>,
    ) where
        S: Source + Clone,
        T: Target + Clone,
    {
        let began = Instant::now();
        if self.is_asked() || began < self.not_before || !state.is_running() {
            return;
        }
        let (state, running, costs) = (state.clone(), running.collect(), Costs::of(crew));
        self.plays.spawn_blocking(move || Play {
            forecast: ahead(state, running, &costs),
            costs,
            began,
        });
    }

    /// Whether a play is on.
    pub(in crate::engine) fn is_asked(&self) -> bool {
        !self.plays.is_empty()
    }

    /// What the play that is on says; `None` when none is. Cancel-safe.
    pub(in crate::engine) async fn answer(&mut self) -> Option<Event> {
        let joined = self.plays.join_next().await?;
        let play = joined.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
        let now = Instant::now();
        let took = now - play.began;
        self.not_before = now + took * SHARE;
        let upload = play.forecast.left.saturating_sub(took);
        let verify = self.after.time(&play.costs);
        let by = if verify > upload {
            Bottleneck::Verification
        } else {
            play.forecast.by
        };
        Some(Event::ForecastMade {
            upload_ms: millis(upload),
            verify_ms: millis(verify),
            by,
        })
    }
}
