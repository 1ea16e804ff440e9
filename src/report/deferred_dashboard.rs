//! Lines until there is an answer to a question, the dashboard from then on.

use std::io;

use tokio::sync::mpsc::Sender;

use super::{Dashboard, Plain, Reporter, Style};
use crate::event::{Command, Event, Stamped};
use crate::progress::Progress;

/// Shows what asks before it begins. A screen has no place for a plan and a question: so this takes the terminal when the
/// plan has been agreed to, which is when it is reported ([`Event::PlanMade`], [`Event::UndoPlanned`]).
pub struct Later {
    style: Style,
    commands: Sender<Command>,
    shows: Box<dyn Reporter>,
}

impl Later {
    /// Nothing is asked yet. Keys of the dashboard will become commands.
    pub fn new(style: Style, commands: Sender<Command>) -> Self {
        let lines = Plain::new(Box::new(io::stderr()), style.clone());
        Self {
            style,
            commands,
            shows: Box::new(lines),
        }
    }
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Later").finish_non_exhaustive()
    }
}

impl Reporter for Later {
    fn name(&self) -> &'static str {
        self.shows.name()
    }

    fn event(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()> {
        if matches!(
            event.event,
            Event::UndoPlanned { .. } | Event::PlanMade { .. }
        ) {
            // A terminal that cannot be taken shows lines as well as before.
            if let Ok(screen) = Dashboard::open(self.style.clone(), self.commands.clone()) {
                self.shows = Box::new(screen);
            }
        }
        self.shows.event(event, progress)
    }

    fn tick(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        self.shows.tick(progress, now_ms)
    }

    fn finish(&mut self, progress: &Progress) -> io::Result<()> {
        self.shows.finish(progress)
    }
}
