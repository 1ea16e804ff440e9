//! The help that lies over the screen.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::cells::Cells;
use super::keys::{self, On};
use super::popup::popup;
use super::theme::{Look, Role, Sign};

const SIGNS: [(Sign, &str); 7] = [
    (Sign::Waiting, "waiting"),
    (Sign::Running, "running"),
    (Sign::Done, "done, open"),
    (Sign::Failed, "failed"),
    (Sign::Paused, "paused"),
    (Sign::Slowed, "throttled, caution"),
    (Sign::Draining, "draining"),
];

/// Draws the help in the middle of the area.
pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, (look, on): (Look, On)) {
    let row = |(keys, what): (String, &str)| {
        Cells::new(look)
            .gap(1)
            .left(&keys, 14, Role::Strong)
            .text(what, Role::Text)
            .line()
    };
    let mut lines: Vec<_> = keys::help(on).map(row).collect();
    lines.push(Cells::new(look).line());
    if matches!(on, On::Run | On::Targets) {
        let again = "Run the same command again to resume.";
        lines.push(Cells::new(look).gap(1).text(again, Role::Text).line());
    }
    for signs in SIGNS.chunks(4) {
        let mut cells = Cells::new(look).gap(1);
        for (sign, what) in signs {
            cells = cells
                .text(look.sign(*sign), Role::Strong)
                .gap(1)
                .text(what, Role::Dim)
                .gap(3);
        }
        lines.push(cells.line());
    }
    popup(frame, area, look, (" Keys ", Role::Accent), lines);
}
