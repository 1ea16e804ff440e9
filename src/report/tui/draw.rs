//! Where everything stands on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Text};

use super::cells::Cells;
use super::lanes::Kinds;
use super::theme::{Role, Sign};
use super::view::{Ending, Pane, View};
use super::{header, help, lanes, lists, outcomes, pace};
use crate::progress::{Progress, Status};
use crate::report::Watch;

/// Below this many columns or rows there is only a line of text.
const SMALLEST: (u16, u16) = (40, 10);

/// Draws the whole screen.
pub(crate) fn draw(frame: &mut Frame<'_>, progress: &Progress, view: &View) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(frame, area, progress, view);
        return;
    }
    let [top, body, bottom] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
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
    match (area.width, area.height) {
        (150.., 40..) => wide(frame, body, progress, view),
        (100.., 30..) => medium(frame, body, progress, view),
        _ => compact(frame, body, progress, view),
    }
    if view.asks_for_token(progress) {
        view.prompt.draw(frame, area, view.look);
    } else if view.help {
        help::draw(frame, area, view);
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

fn compact(frame: &mut Frame<'_>, body: Rect, progress: &Progress, view: &View) {
    let (width, height) = (body.width as usize, body.height as usize);
    let mut lanes = lanes::lines(progress, view, width, Kinds::Several);
    if lanes.len() + ROOM_FOR_LISTS > height {
        lanes = lanes::lines(progress, view, width, Kinds::Hidden);
    }
    let [upper, middle, lower] = Layout::vertical([
        Constraint::Length(rows(&lanes)),
        Constraint::Fill(3),
        Constraint::Fill(2),
    ])
    .areas(body);
    put(frame, upper, lanes);
    if body.width < 60 {
        lists::gates(frame, middle, progress, view);
    } else {
        let [left, right] = halves(middle, 50);
        lists::gates(frame, left, progress, view);
        pace::draw(frame, right, progress, view);
    }
    lists::tabs(frame, lower, progress, view);
}

/// Rows below the lanes of the smallest layout without which the kinds are not shown.
const ROOM_FOR_LISTS: usize = 8;

/// The height of lines.
fn rows(lines: &[Line<'_>]) -> u16 {
    u16::try_from(lines.len()).unwrap_or(u16::MAX)
}

fn medium(frame: &mut Frame<'_>, body: Rect, progress: &Progress, view: &View) {
    let lanes = lanes::lines(progress, view, body.width as usize, Kinds::Shown);
    let [upper, middle, lower] = Layout::vertical([
        Constraint::Length(rows(&lanes)),
        Constraint::Fill(3),
        Constraint::Fill(2),
    ])
    .areas(body);
    put(frame, upper, lanes);
    let [left, right] = halves(middle, 54);
    lists::gates(frame, left, progress, view);
    let [pace_area, rest] =
        Layout::vertical([Constraint::Length(pace::HEIGHT), Constraint::Fill(1)]).areas(right);
    pace::draw(frame, pace_area, progress, view);
    let failures = match view.focus {
        Pane::Failures => true,
        Pane::Batches => false,
        Pane::Log | Pane::Gates => !progress.causes().is_empty(),
    };
    if failures {
        lists::failures(frame, rest, progress, view);
    } else {
        lists::batches(frame, rest, progress, view);
    }
    lists::log(frame, lower, view);
}

fn wide(frame: &mut Frame<'_>, body: Rect, progress: &Progress, view: &View) {
    let [upper, lower] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(body);
    let [left, right] = halves(upper, 62);
    let lanes = lanes::lines(progress, view, left.width as usize, Kinds::Shown);
    let batches_height = u16::try_from(progress.batches().len().clamp(1, 6) + 1).unwrap_or(7);
    let [lanes_area, batches, failures] = Layout::vertical([
        Constraint::Length(rows(&lanes)),
        Constraint::Length(batches_height),
        Constraint::Fill(1),
    ])
    .areas(left);
    put(frame, lanes_area, lanes);
    lists::batches(frame, batches, progress, view);
    lists::failures(frame, failures, progress, view);
    let gates = match progress.undone() {
        Some(_) => outcomes::HEIGHT,
        None => u16::try_from(progress.gates().len() + 1).unwrap_or(right.height),
    };
    let [pace_area, gates_area] = Layout::vertical([
        Constraint::Length(pace::HEIGHT),
        Constraint::Max(gates.max(2)),
    ])
    .areas(right);
    pace::draw(frame, pace_area, progress, view);
    lists::gates(frame, gates_area, progress, view);
    lists::log(frame, lower, view);
}

/// Two columns, the left one with so many per cent, and a gap between them.
fn halves(area: Rect, percent: u16) -> [Rect; 2] {
    Layout::horizontal([Constraint::Percentage(percent), Constraint::Fill(1)])
        .spacing(1)
        .areas(area)
}

fn too_small(frame: &mut Frame<'_>, area: Rect, progress: &Progress, view: &View) {
    let status = header::status_words(progress, view);
    let lines = ["lockgate", status.as_str(), "window too small"];
    let cells = |line: &&str| Cells::new(view.look).text(line, Role::Text).line();
    put(frame, area, lines.iter().map(cells).collect());
}

fn footer(progress: &Progress, view: &View, width: usize) -> Line<'static> {
    if matches!(progress.status(view.now_ms), Status::Finished { .. }) {
        return Cells::new(view.look)
            .gap(1)
            .text("the run is over", Role::Dim)
            .line();
    }
    let mut cells = Cells::new(view.look).gap(1);
    for (key, what) in keys(progress, view) {
        let more = Cells::new(view.look)
            .text(key, Role::Strong)
            .gap(1)
            .text(&what, Role::Dim)
            .gap(3);
        if cells.width() + more.width() <= width + 3 {
            let line = more.line();
            cells = cells.spans(line.spans);
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
            // An undo goes on where it ended, and is not paused.
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
