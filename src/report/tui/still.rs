//! The dashboard without a terminal: what the benchmark measures is what the screen draws.

use std::convert::Infallible;
use std::fmt;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::draw::draw;
use super::log::LogLine;
use super::view::{View, look};
use crate::event::Stamped;
use crate::progress::Progress;
use crate::report::Watch;
use crate::report::note::note;

/// A dashboard in memory.
pub struct Still {
    terminal: Terminal<TestBackend>,
    view: View,
}

impl Still {
    /// An empty screen of so many columns and rows.
    ///
    /// # Errors
    /// Never: memory takes every frame.
    pub fn new((columns, rows): (u16, u16)) -> Result<Self, Infallible> {
        Ok(Self {
            terminal: Terminal::new(TestBackend::new(columns, rows))?,
            view: View::new(look(true, false), Watch::Run),
        })
    }

    /// Puts an event that `progress` has folded in already into the log.
    pub fn see(&mut self, event: &Stamped, progress: &Progress) {
        if let Some(note) = note(&event.event, progress) {
            let at_ms = event.at_ms;
            self.view.log.push(LogLine { at_ms, note });
        }
    }

    /// Draws a frame as of `now_ms` milliseconds after the start of the run.
    ///
    /// # Errors
    /// Never: memory takes every frame.
    pub fn draw(&mut self, progress: &Progress, now_ms: u64) -> Result<(), Infallible> {
        self.view.now_ms = now_ms;
        let view = &self.view;
        self.terminal.draw(|frame| draw(frame, progress, view))?;
        Ok(())
    }
}

impl fmt::Display for Still {
    /// The screen as text, a line per row.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.terminal.backend().fmt(f)
    }
}

impl fmt::Debug for Still {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Still").finish_non_exhaustive()
    }
}
