//! The help that lies over the screen.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::cells::Cells;
use super::popup::popup;
use super::theme::{Role, Sign};
use super::view::View;
use crate::report::Watch;

type Key = (&'static str, &'static str);

const OF_RUN: [Key; 4] = [
    ("p Space", "pause, resume"),
    (
        "q Ctrl-C",
        "stop gracefully: finish in-flight requests, then exit",
    ),
    ("q again", "abort now: in-flight requests are abandoned"),
    ("+ -", "raise or lower the cap on requests per second"),
];

const OF_ATTACHED: [Key; 1] = [("q Ctrl-C", "close the view; the run goes on")];

const OF_REPLAY: [Key; 5] = [
    ("p Space", "pause, resume"),
    ("q Ctrl-C", "close the replay"),
    ("Left Right", "ten seconds of the run back or on"),
    ("[ ]", "a minute back or on"),
    ("+ -", "twice or half as fast"),
];

const OF_VIEW: [Key; 6] = [
    ("Tab", "next list"),
    ("Up Down", "scroll the focused list"),
    ("PgUp PgDn", "scroll ten rows"),
    ("g G", "go to the first row, to the last; also Home, End"),
    ("l", "log: normal, problems, everything"),
    ("t", "colours: dark, light, none"),
];

/// The keys that do something.
fn keys(watch: Watch) -> Vec<Key> {
    let (own, last): (&[Key], &[Key]) = match watch {
        Watch::Run => (
            &OF_RUN,
            &[("", ""), ("", "Run the same command again to resume.")],
        ),
        Watch::Attached => (&OF_ATTACHED, &[]),
        Watch::Replay { .. } => (&OF_REPLAY, &[]),
    };
    [&[("? F1", "this help")], own, &OF_VIEW, last].concat()
}

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
pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let look = view.look;
    let mut lines: Vec<_> = keys(view.watch)
        .into_iter()
        .map(|(key, what)| {
            let key_width = if key.is_empty() { 0 } else { 11 };
            Cells::new(look)
                .gap(1)
                .left(key, key_width, Role::Strong)
                .text(what, Role::Text)
                .line()
        })
        .collect();
    lines.push(Cells::new(look).line());
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
