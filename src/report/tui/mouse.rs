//! What the mouse does: a click gives the focus and selects, a click on what is selected opens it, the wheel moves.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::layout::{self, Part};
use super::view::{Pane, View};
use super::{lanes, lists, sheet};
use crate::progress::Progress;

/// Rows that one step of the wheel moves.
const WHEEL: isize = 3;

/// What the pointer is on.
enum Target {
    Title(Pane),
    Row(Pane, Option<usize>),
}

impl View {
    /// What the mouse does on a screen of this size.
    pub(crate) fn mouse(&mut self, mouse: MouseEvent, screen: Rect, progress: &Progress) {
        if self.help || self.search.is_typed() || self.asks_for_token(progress) {
            return;
        }
        let at = Position::new(mouse.column, mouse.row);
        let step = match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => return self.click(at, screen, progress),
            MouseEventKind::ScrollDown => WHEEL,
            MouseEventKind::ScrollUp => -WHEEL,
            _ => return,
        };
        if self.sheets.top().is_none()
            && let Some(Target::Title(pane) | Target::Row(pane, _)) =
                self.target(at, screen, progress)
        {
            self.focus = pane;
        }
        self.move_by(step, progress);
    }

    fn click(&mut self, at: Position, screen: Rect, progress: &Progress) {
        let [_, body, _] = layout::bands(screen);
        if self.sheets.top().is_some() {
            let line = at.y.checked_sub(body.y + 1).map(usize::from);
            let row = line.and_then(|line| sheet::row_at(line, body, progress, self));
            if let (Some(row), Some(top)) = (row, self.sheets.top_mut()) {
                let again = std::mem::replace(&mut top.row, row) == row;
                if again {
                    self.open(progress);
                }
            }
            return;
        }
        match self.target(at, screen, progress) {
            Some(Target::Title(pane) | Target::Row(pane, None)) => self.focus = pane,
            Some(Target::Row(pane, Some(row))) => {
                let selected = lists::selected_row(pane, progress, self);
                let again = self.focus == pane && selected == Some(row);
                self.select(pane, row);
                if again {
                    self.open(progress);
                }
            }
            None => {}
        }
    }

    fn target(&self, at: Position, screen: Rect, progress: &Progress) -> Option<Target> {
        let [_, body, _] = layout::bands(screen);
        let places = layout::places(screen, body, progress, self);
        let (part, area) = places.into_iter().find(|(_, area)| area.contains(at))?;
        let pane = part.pane(self)?;
        let line = usize::from(at.y - area.y);
        Some(match (line.checked_sub(1), part) {
            (None, Part::Tabs(panes)) => {
                let column = usize::from(at.x - area.x);
                let pane = lists::tab_at(panes, column, progress, self);
                Target::Title(pane?)
            }
            (None, _) => Target::Title(pane),
            (Some(line), Part::Lanes(kinds)) => {
                Target::Row(pane, lanes::row_at(line, progress, kinds))
            }
            (Some(line), _) => Target::Row(pane, lists::row_at(pane, line, area, (progress, self))),
        })
    }
}
