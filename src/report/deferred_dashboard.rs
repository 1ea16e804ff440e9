//! Lines until there is an answer to a question, the dashboard from then on.

use std::io::{self, Write};

use tokio::sync::mpsc::Sender;

use super::{Dashboard, Place, Plain, Reporter, Style};
use crate::event::{Command, Event, Stamped};
use crate::progress::Progress;

/// Shows what asks before it begins. A screen has no place for a plan and a question: so this shows the run on the screen when the
/// plan has been agreed to, which is when it is reported ([`Event::PlanMade`], [`Event::UndoPlanned`]). As long as other runs
/// that share the screen have not got so far, there are lines.
pub struct Later {
    lines: Plain,
    waiting: Option<Waiting>,
    dashboard: Option<Dashboard>,
}

/// What the dashboard will need.
struct Waiting {
    style: Style,
    commands: Sender<Command>,
    place: (Place, Option<String>),
    out: Box<dyn Write + Send>,
}

impl Later {
    /// Nothing is asked yet. `lines` and `out` take the lines until then, and the result. Keys of the dashboard will become
    /// commands.
    pub fn new(
        style: Style,
        commands: Sender<Command>,
        place: (Place, Option<String>),
        (lines, out): (Box<dyn Write + Send>, Box<dyn Write + Send>),
    ) -> Self {
        Self {
            lines: Plain::new(lines, style.clone()),
            waiting: Some(Waiting {
                style,
                commands,
                place,
                out,
            }),
            dashboard: None,
        }
    }

    /// The dashboard, once the terminal shows it.
    fn shown(&mut self) -> Option<&mut Dashboard> {
        self.dashboard
            .as_mut()
            .filter(|dashboard| dashboard.is_shown())
    }
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Later").finish_non_exhaustive()
    }
}

impl Reporter for Later {
    fn name(&self) -> &'static str {
        "dashboard"
    }

    fn event(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()> {
        let is_agreed = matches!(
            event.event,
            Event::UndoPlanned { .. } | Event::PlanMade { .. }
        );
        if is_agreed && let Some(waiting) = self.waiting.take() {
            let Waiting {
                style,
                commands,
                place,
                out,
            } = waiting;
            // A terminal that cannot be taken shows lines as well as before.
            self.dashboard = Dashboard::open(style, commands, place, out).ok();
        }
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.event(event, progress)?;
        }
        match self.shown() {
            Some(_) => Ok(()),
            None => self.lines.event(event, progress),
        }
    }

    fn tick(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        match self.shown() {
            Some(dashboard) => dashboard.tick(progress, now_ms),
            None => self.lines.tick(progress, now_ms),
        }
    }

    fn finish(&mut self, progress: &Progress) -> io::Result<()> {
        self.waiting = None;
        if let Some(dashboard) = self.shown() {
            return dashboard.finish(progress);
        }
        self.dashboard = None;
        self.lines.finish(progress)
    }
}
