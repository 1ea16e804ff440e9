//! The whole screen, part by part.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use super::cells::Cells;
use super::keys::On;
use super::layout::{self, Part};
use super::sheet::Anchor;
use super::theme::{Look, Role, Sign};
use super::view::{Ending, Pane, View};
use super::{course, header, help, lanes, lists, pace, search, sheet};
use crate::progress::{Progress, Status};
use crate::report::Watch;

/// Below this many columns or rows there is only a line of text.
const SMALLEST: (u16, u16) = (40, 10);

/// Draws the whole screen.
pub(crate) fn draw(frame: &mut Frame<'_>, progress: &Progress, view: &View) {
    let area = frame.area();
    if is_too_small(area) {
        too_small(
            frame,
            area,
            view.look,
            &header::status_words(progress, view),
        );
        return;
    }
    let [top, body, bottom] = layout::bands(area);
    put(
        frame,
        top,
        header::lines(progress, view, top.width as usize),
    );
    put(
        frame,
        bottom,
        vec![footer(progress, view, bottom.width as usize)],
    );
    if view.search.is_list() {
        search::draw(frame, body, view);
    } else if view.sheets.top().is_some() {
        sheet::draw(frame, body, progress, view);
    } else {
        for (part, place) in layout::places(area, body, progress, view) {
            draw_part(frame, part, place, (progress, view));
        }
    }
    if view.asks_for_token(progress) {
        view.prompt
            .draw(frame, area, (view.look, view.name.as_deref()));
    } else if view.help {
        help::draw(frame, area, (view.look, On::of(view.watch)));
    }
}

/// Writes lines into an area; what does not fit is not shown.
pub(crate) fn put(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    frame.render_widget(Text::from(lines), area);
}

/// The title of a part: its name, a rule, and a remark at its end.
pub(crate) fn title(
    view: &View,
    name: &str,
    remark: &str,
    pane: Option<Pane>,
    width: usize,
) -> Line<'static> {
    let look = view.look;
    let focused = pane == Some(view.focus);
    let head = Cells::new(look);
    let head = if focused {
        head.text(look.sign(Sign::Focus), Role::Accent)
            .text(name, Role::Accent)
    } else {
        head.gap(1).text(name, Role::Strong)
    };
    let remark = if remark.is_empty() {
        String::new()
    } else {
        format!(" {remark}")
    };
    let used = head.width() + Cells::new(look).text(&remark, Role::Dim).width() + 2;
    let rule = look.sign(Sign::Rule).repeat(width.saturating_sub(used));
    head.gap(1)
        .text(&rule, Role::Dim)
        .text(&remark, Role::Dim)
        .line()
}

fn draw_part(frame: &mut Frame<'_>, part: Part, area: Rect, (progress, view): (&Progress, &View)) {
    match part {
        Part::Lanes(kinds) => {
            let lines = lanes::lines(progress, view, area.width.into(), kinds);
            put(frame, area, lines);
        }
        Part::Gates => lists::gates(frame, area, progress, view),
        Part::Pace => pace::draw(frame, area, progress, view),
        Part::Batches => lists::batches(frame, area, progress, view),
        Part::Failures => lists::failures(frame, area, progress, view),
        Part::Tabs(panes) => lists::tabs(frame, area, (progress, view), panes),
        Part::Throughput => course::throughput(frame, area, view),
        Part::Slowest => course::slowest(frame, area, view),
    }
}

/// The addresses on the screen that a terminal can open.
pub(crate) fn anchors(area: Rect, progress: &Progress, view: &View) -> Vec<Anchor> {
    let is_covered = view.help || view.search.is_list() || view.asks_for_token(progress);
    if is_covered || is_too_small(area) {
        return Vec::new();
    }
    let [_, body, _] = layout::bands(area);
    sheet::anchors(body, progress, view)
}

/// Whether there is only room for a line of text.
pub(crate) const fn is_too_small(area: Rect) -> bool {
    area.width < SMALLEST.0 || area.height < SMALLEST.1
}

/// Says so, and what the state is.
pub(crate) fn too_small(frame: &mut Frame<'_>, area: Rect, look: Look, status: &str) {
    let lines = ["lockgate", status, "window too small"];
    let cells = |line: &&str| Cells::new(look).text(line, Role::Text).line();
    put(frame, area, lines.iter().map(cells).collect());
}

fn footer(progress: &Progress, view: &View, width: usize) -> Line<'static> {
    if let Some((text, role)) = view.search.line() {
        let cells = Cells::new(view.look).gap(1);
        return cells.left(&text, width.saturating_sub(2), role).line();
    }
    if matches!(progress.status(view.now_ms), Status::Finished { .. }) {
        return Cells::new(view.look)
            .gap(1)
            .text("the run is over", Role::Dim)
            .line();
    }
    let keys = keys(progress, view);
    let keys = keys.iter().map(|(key, what)| (*key, what.as_str()));
    keys_line(view.look, keys, width)
}

/// Keys and what they do, as many as fit.
pub(crate) fn keys_line<'k>(
    look: Look,
    keys: impl Iterator<Item = (&'k str, &'k str)>,
    width: usize,
) -> Line<'static> {
    let mut cells = Cells::new(look).gap(1);
    for (key, what) in keys {
        let more = Cells::new(look)
            .text(key, Role::Strong)
            .gap(1)
            .text(what, Role::Dim)
            .gap(3);
        if cells.width() + more.width() <= width + 3 {
            cells = cells.spans(more.line().spans);
        }
    }
    cells.line()
}

/// The keys and what they do at this moment, the most important first.
fn keys(progress: &Progress, view: &View) -> Vec<(&'static str, String)> {
    let pause = |is_paused| if is_paused { "resume" } else { "pause" };
    let mut keys = vec![("?", "help")];
    match view.watch {
        Watch::Run => {
            // An undo resumes where it ended, and is not paused.
            if progress.undone().is_none() {
                keys.push(("p", pause(progress.is_paused())));
            }
            keys.push(("q", quit(progress, view)));
        }
        Watch::Attached => keys.push(("q", "close")),
        Watch::Replay { .. } => {
            keys.extend([("p", pause(view.is_held)), ("q", "close")]);
            let arrows = if view.look.ascii { "<- ->" } else { "← →" };
            keys.extend([(arrows, "10 s"), ("[ ]", "1 min"), ("+-", "speed")]);
        }
    }
    let mut keys: Vec<_> = keys
        .into_iter()
        .map(|(key, what)| (key, what.to_owned()))
        .collect();
    if view.sheets.top().is_some() {
        keys.push(("Esc", "back".to_owned()));
    } else if view.name.is_some() {
        keys.push(("Esc", "all targets".to_owned()));
    }
    keys.push(("Enter", "open".to_owned()));
    keys.push(("/", "search".to_owned()));
    keys.push(("Tab", "focus".to_owned()));
    keys.push(("l", format!("log: {}", view.filter.name())));
    if view.watch == Watch::Run {
        keys.push(("+-", "rate".to_owned()));
    }
    keys.push(("t", "theme".to_owned()));
    keys
}

fn quit(progress: &Progress, view: &View) -> &'static str {
    match (view.ending, progress.draining()) {
        (Ending::Abort, _) => "aborting",
        (Ending::NotAsked, None) => "drain and quit",
        (Ending::Drain, _) | (Ending::NotAsked, Some(_)) => "again to abort",
    }
}
