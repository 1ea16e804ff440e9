//! A box that lies over the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::symbols::border;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear};

use super::draw::put;
use super::theme::{Look, Role};

/// The widest that one is, in columns, with its border.
pub(super) const WIDTH: u16 = 68;

/// Draws lines in a box in the middle of the area, as high as they need.
pub(super) fn popup(
    frame: &mut Frame<'_>,
    area: Rect,
    look: Look,
    (title, role): (&'static str, Role),
    lines: Vec<Line<'static>>,
) {
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let place = area.centered(Constraint::Max(WIDTH), Constraint::Max(height));
    let borders = if look.ascii { ASCII } else { border::ROUNDED };
    let block = Block::bordered()
        .border_set(borders)
        .border_style(look.style(role))
        .title(title);
    let inner = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(block, place);
    put(frame, inner, lines);
}

const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};
