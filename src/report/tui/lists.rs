//! The lists: gates, batches, failures, requests and the log. A row of each can be selected and opened.

use std::ops::Range;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;

use super::cells::{Cells, simple_bar, wrapped};
use super::details::{gate_of, key_in};
use super::draw::{put, title};
use super::log::LogLine;
use super::sheet::Open;
use super::theme::{Look, Role, Sign};
use super::view::{Pane, View};
use super::{lanes, outcomes, requests};
use crate::domain::{BatchId, shown_name};
use crate::event::Lane;
use crate::progress::{BatchProgress, GateProgress, GateState, Progress};
use crate::report::Watch;
use crate::report::advice::{self, CauseSummary};
use crate::report::note::Weight;
use crate::report::text::{clock, count};

/// The rows of a list that are in sight, each with its place in the list.
type Rows = Vec<(usize, Line<'static>)>;

/// How many rows of a list can be selected.
pub(crate) fn length(pane: Pane, progress: &Progress, view: &View) -> usize {
    match pane {
        Pane::Log => view.shown_log().len(),
        Pane::Failures => advice::failures(progress).len(),
        Pane::Batches => progress.batches().len(),
        Pane::Requests => view.requests.len(),
        Pane::Gates => progress.gates().len(),
        Pane::Lanes => lanes::count(progress),
    }
}

/// The row of a list that is selected. Unless the user chose one, that of the gates is the first that is not open.
pub(crate) fn selected_row(pane: Pane, progress: &Progress, view: &View) -> Option<usize> {
    let first = match pane {
        Pane::Gates => progress.gates().iter().position(GateProgress::is_closed),
        Pane::Log | Pane::Failures | Pane::Batches | Pane::Requests | Pane::Lanes => None,
    };
    view.selected(pane, length(pane, progress, view), first.unwrap_or(0))
}

/// What the selected row of the list with the focus opens.
pub(crate) fn selected(progress: &Progress, view: &View) -> Option<Open> {
    let row = selected_row(view.focus, progress, view)?;
    Some(match view.focus {
        Pane::Log => {
            let text = &view.shown_log().get(row)?.note.text;
            match key_in(text, None) {
                Some(key) => Open::Entity(key),
                None => Open::Note(text.clone()),
            }
        }
        Pane::Failures => Open::Cause(advice::failures(progress).get(row)?.cause.cause),
        Pane::Batches => Open::Batch(*progress.batches().keys().nth(row)?),
        Pane::Requests => Open::Request(Box::new(view.requests.get(row)?.clone())),
        Pane::Gates => Open::Gate(gate_of(progress, row)?),
        Pane::Lanes => Open::Lane(lanes::lane_at(progress, row)?),
    })
}

/// The row of a list that stands in a line of its area, counted from the first below the title.
pub(crate) fn row_at(
    pane: Pane,
    line: usize,
    area: Rect,
    (progress, view): (&Progress, &View),
) -> Option<usize> {
    let rows = match pane {
        // They have no list: their rows stand below each other whole.
        Pane::Lanes => return None,
        Pane::Log => log_rows(progress, view, area),
        Pane::Failures => failure_rows(progress, view, area),
        Pane::Batches => batch_rows(progress, view, area),
        Pane::Requests => request_rows(progress, view, area),
        Pane::Gates => gate_rows(progress, view, area),
    };
    rows.get(line).map(|(row, _)| *row)
}

/// The lines of a list of which `row` is in sight, in the middle as far as that can be.
pub(crate) fn around(row: usize, total: usize, height: usize) -> Range<usize> {
    let last = total.saturating_sub(height);
    let start = row.saturating_sub(height / 2).min(last);
    start..(start + height).min(total)
}

/// A line, marked where it is selected.
pub(crate) fn marked(mut line: Line<'static>, is_selected: bool, look: Look) -> Line<'static> {
    if !is_selected {
        return line;
    }
    if let Some(first) = line.spans.first_mut()
        && let Some(rest) = first.content.strip_prefix(' ')
    {
        first.content = format!("{}{rest}", look.sign(Sign::Focus)).into();
    }
    line.patch_style(Modifier::REVERSED)
}

/// The rows in sight of a list whose rows have one line each.
fn rows_of(
    pane: Pane,
    progress: &Progress,
    view: &View,
    area: Rect,
    lines: impl FnOnce(Range<usize>) -> Vec<Line<'static>>,
) -> Rows {
    let height = usize::from(area.height.saturating_sub(1));
    let selected = selected_row(pane, progress, view);
    let shown = around(selected.unwrap_or(0), length(pane, progress, view), height);
    let selected = selected.filter(|_| view.focus == pane);
    let lines = shown.clone().zip(lines(shown));
    lines
        .map(|(row, line)| (row, marked(line, selected == Some(row), view.look)))
        .collect()
}

/// The gates, or the outcome of entities in an undo, which has none.
pub(crate) fn gates(frame: &mut Frame<'_>, area: Rect, progress: &Progress, view: &View) {
    if progress.undone().is_some() {
        outcomes::draw(frame, area, progress, view);
        return;
    }
    let gates = progress.gates();
    let open = gates
        .iter()
        .filter(|gate| matches!(gate.state, GateState::Open { .. }));
    let remark = match gates.len() {
        0 => String::new(),
        all => format!("{} of {all} open", open.count()),
    };
    let head = title(
        view,
        "Gates",
        &remark,
        Some(Pane::Gates),
        area.width as usize,
    );
    let rows = gate_rows(progress, view, area);
    show(frame, area, view, head, "available after planning", rows);
}

fn gate_rows(progress: &Progress, view: &View, area: Rect) -> Rows {
    let width = area.width as usize;
    rows_of(Pane::Gates, progress, view, area, |shown| {
        let gates = progress.gates()[shown].iter();
        gates.map(|gate| gate_line(gate, view, width)).collect()
    })
}

fn gate_line(gate: &GateProgress, view: &View, width: usize) -> Line<'static> {
    let look = view.look;
    let at = |ms: u64| clock(Duration::from_millis(ms));
    let entities = count(gate.plan.entities);
    let (sign, role, state, rest) = match &gate.state {
        GateState::Closed { arrived } => {
            let state = format!("{}/{entities}", count(*arrived));
            (
                Sign::Waiting,
                Role::Dim,
                state,
                waiting_lanes(&gate.plan.waited_for_by),
            )
        }
        GateState::Open { at_ms, by } => {
            let by = by.as_ref().map(ToString::to_string);
            (
                Sign::Done,
                Role::Good,
                format!("open {}", at(*at_ms)),
                by.unwrap_or_default(),
            )
        }
        GateState::Failed { at_ms, by } => (
            Sign::Failed,
            Role::Bad,
            format!("failed {}", at(*at_ms)),
            format!("by {by}"),
        ),
    };
    let name = if gate.is_closed() {
        Role::Text
    } else {
        Role::Dim
    };
    let gate = gate.plan.gate.to_string();
    let (gate, gate_width, state_width) = if width < 60 {
        // Without the ending that all have: there is no room for it and a time.
        let gate = gate.trim_end_matches("-complete");
        (gate, 20, width.saturating_sub(24))
    } else {
        (gate.as_str(), 27, 14)
    };
    let cells = Cells::new(look)
        .gap(1)
        .left(look.sign(sign), 2, role)
        .left(gate, gate_width, name)
        .gap(1)
        .right(&state, state_width, role);
    let room = width.saturating_sub(cells.width() + 2);
    cells.gap(2).left(&rest, room, Role::Dim).line()
}

/// Which lanes wait for a gate.
fn waiting_lanes(lanes: &[Lane]) -> String {
    let numbers: Vec<_> = lanes
        .iter()
        .map(|lane| (*lane as usize + 1).to_string())
        .collect();
    match numbers.as_slice() {
        [] => String::new(),
        [one] => format!("lane {one} waits"),
        more => format!("lanes {} wait", more.join(", ")),
    }
}

/// The batches that the target works off.
pub(crate) fn batches(frame: &mut Frame<'_>, area: Rect, progress: &Progress, view: &View) {
    let remark = batches_remark(progress);
    let head = title(
        view,
        "Batches",
        &remark,
        Some(Pane::Batches),
        area.width as usize,
    );
    let rows = batch_rows(progress, view, area);
    show(frame, area, view, head, NO_BATCHES, rows);
}

fn batches_remark(progress: &Progress) -> String {
    match (progress.batches_finished(), progress.batches_split()) {
        (0, 0) => String::new(),
        (finished, 0) => format!("{} done", count(finished)),
        (finished, split) => format!("{} done, {} split", count(finished), count(split)),
    }
}

fn batch_rows(progress: &Progress, view: &View, area: Rect) -> Rows {
    let width = area.width as usize;
    let line = |(id, batch): (&BatchId, &BatchProgress)| {
        let since = view.now_ms.saturating_sub(batch.since_ms);
        let counts = format!("{}/{}", batch.processed, batch.items);
        let bar = width.saturating_sub(51).min(40);
        Cells::new(view.look)
            .gap(1)
            .left(&ending(&format!("#{id}"), 8, view.look), 9, Role::Text)
            .left(batch.locale.as_str(), 9, Role::Dim)
            .left(batch.kind.plural(), 14, Role::Dim)
            .right(&counts, 8, Role::Text)
            .gap(1)
            .spans(simple_bar(view.look, bar, batch.processed, batch.items))
            .right(&clock(Duration::from_millis(since)), 7, Role::Dim)
            .line()
    };
    rows_of(Pane::Batches, progress, view, area, |shown| {
        let batches = progress.batches().iter().skip(shown.start);
        batches.take(shown.len()).map(line).collect()
    })
}

/// The end of a text that is too long: numbers of batches differ there.
fn ending(text: &str, width: usize, look: Look) -> String {
    let over = text.chars().count().saturating_sub(width);
    if over == 0 {
        return text.to_owned();
    }
    let end: String = text.chars().skip(over + 1).collect();
    format!("{}{end}", look.sign(Sign::Ellipsis))
}

/// Failures by cause, the most frequent first.
pub(crate) fn failures(frame: &mut Frame<'_>, area: Rect, progress: &Progress, view: &View) {
    let remark = failures_remark(progress);
    let head = title(
        view,
        "Failures",
        &remark,
        Some(Pane::Failures),
        area.width as usize,
    );
    let rows = failure_rows(progress, view, area);
    show(frame, area, view, head, NO_FAILURES, rows);
}

fn failures_remark(progress: &Progress) -> String {
    let total = progress.total();
    match (total.failed(), total.blocked()) {
        (0, _) => String::new(),
        (failed, 0) => format!("{} failed", count(failed)),
        (failed, blocked) => format!(
            "{} failed, {} blocked by them",
            count(failed),
            count(blocked)
        ),
    }
}

/// For each cause what it is, one failure in full, and the next step.
fn failure_rows(progress: &Progress, view: &View, area: Rect) -> Rows {
    let causes = advice::failures(progress);
    let width = area.width as usize;
    let mut rows = Rows::new();
    for (at, told) in causes.iter().enumerate() {
        let lines = cause_lines(told, view, width).into_iter();
        rows.extend(lines.map(|line| (at, line)));
    }
    let selected = selected_row(Pane::Failures, progress, view);
    let first = rows.iter().position(|(at, _)| Some(*at) == selected);
    if let Some(first) = first.filter(|_| view.focus == Pane::Failures) {
        let line = std::mem::take(&mut rows[first].1);
        rows[first].1 = marked(line, true, view.look);
    }
    let height = usize::from(area.height.saturating_sub(1));
    let start = first.unwrap_or(0).min(rows.len().saturating_sub(height));
    rows.drain(..start);
    rows.truncate(height);
    rows
}

fn cause_lines(told: &CauseSummary<'_>, view: &View, width: usize) -> Vec<Line<'static>> {
    let head = Cells::new(view.look)
        .number(told.cause.count, 7, Role::Bad)
        .gap(2)
        .left(told.code, 9, Role::Dim)
        .left(&told.title, width.saturating_sub(19), Role::Strong);
    let example = &told.cause.examples[0];
    let (name, reason) = (shown_name(&example.name), &example.reason);
    let example = format!("{} \"{name}\": {reason}", example.key);
    let more = told.more().map(|more| format!("{more}; "));
    let next = format!("{}next: {}", more.unwrap_or_default(), told.next);
    let part = |text: &str, role| {
        let room = width.saturating_sub(10);
        let rows = wrapped(text, room, view.look).into_iter();
        let cells = rows.map(move |row| Cells::new(view.look).gap(9).left(&row, room, role));
        cells.map(Cells::line).collect::<Vec<_>>()
    };
    let mut lines = vec![head.line()];
    lines.extend(part(&example, Role::Text));
    lines.extend(part(&next, Role::Dim));
    lines
}

fn log_rows(progress: &Progress, view: &View, area: Rect) -> Rows {
    let width = area.width as usize;
    let line = |line: &LogLine| {
        let (sign, role) = weight_sign(line.note.weight);
        let time = clock(Duration::from_millis(line.at_ms));
        Cells::new(view.look)
            .right(&time, 7, Role::Dim)
            .gap(1)
            .left(view.look.sign(sign), 2, role)
            .left(
                &line.note.text,
                width.saturating_sub(11),
                text_role(line.note.weight),
            )
            .line()
    };
    let log = view.shown_log();
    rows_of(Pane::Log, progress, view, area, |shown| {
        log[shown].iter().copied().map(line).collect()
    })
}

fn request_rows(progress: &Progress, view: &View, area: Rect) -> Rows {
    rows_of(Pane::Requests, progress, view, area, |shown| {
        requests::lines(shown, progress, view, area.width as usize)
    })
}

const fn weight_sign(weight: Weight) -> (Sign, Role) {
    match weight {
        Weight::Detail | Weight::Info => (Sign::Nothing, Role::Dim),
        Weight::Good => (Sign::Done, Role::Good),
        Weight::Caution => (Sign::Slowed, Role::Caution),
        Weight::Bad => (Sign::Failed, Role::Bad),
    }
}

const fn text_role(weight: Weight) -> Role {
    match weight {
        Weight::Detail => Role::Dim,
        Weight::Info | Weight::Good | Weight::Caution | Weight::Bad => Role::Text,
    }
}

/// The one of lists that share a place that is seen: that with the focus, else the first.
pub(crate) fn tab(panes: &[Pane], view: &View) -> Pane {
    let focused = panes.iter().find(|pane| **pane == view.focus);
    *focused.or(panes.first()).unwrap_or(&Pane::Log)
}

/// The name of a list that shares its place, and where its name stands in the title.
struct Tab {
    pane: Pane,
    name: String,
    role: Role,
}

fn tab_of(pane: Pane, progress: &Progress, view: &View) -> Tab {
    let total = progress.total();
    let name = match pane {
        Pane::Log => format!("Log: {}", view.filter.name()),
        Pane::Failures => match total.blocked() {
            0 => named("Failures", total.failed()),
            blocked => format!(
                "Failures {}, {} blocked",
                count(total.failed()),
                count(blocked)
            ),
        },
        Pane::Batches => named("Batches", progress.batches().len()),
        Pane::Requests => "Requests".to_owned(),
        Pane::Gates => "Gates".to_owned(),
        Pane::Lanes => "Lanes".to_owned(),
    };
    let role = match pane {
        Pane::Failures if total.failed() > 0 => Role::Bad,
        _ => Role::Dim,
    };
    Tab { pane, name, role }
}

/// The list that has the focus, under the names of all that share the place.
pub(crate) fn tabs(
    frame: &mut Frame<'_>,
    area: Rect,
    (progress, view): (&Progress, &View),
    panes: &[Pane],
) {
    let shown = tab(panes, view);
    let (rows, empty) = match shown {
        Pane::Failures => (failure_rows(progress, view, area), NO_FAILURES),
        Pane::Batches => (batch_rows(progress, view, area), NO_BATCHES),
        Pane::Requests => (request_rows(progress, view, area), no_requests(view)),
        Pane::Log | Pane::Gates | Pane::Lanes => (log_rows(progress, view, area), NO_LOG),
    };
    let mut head = Cells::new(view.look);
    for pane in panes {
        let Tab { pane, name, role } = tab_of(*pane, progress, view);
        let (sign, role) = match (pane == view.focus, pane == shown) {
            (true, _) => (view.look.sign(Sign::Focus), Role::Accent),
            (false, true) => (" ", Role::Strong),
            (false, false) => (" ", role),
        };
        head = head.text(sign, role).text(&name, role).gap(2);
    }
    let rule = (area.width as usize).saturating_sub(head.width() + 1);
    let head = head.text(&view.look.sign(Sign::Rule).repeat(rule), Role::Dim);
    show(frame, area, view, head.line(), empty, rows);
}

/// The list whose name stands in a column of the title of lists that share a place.
pub(crate) fn tab_at(
    panes: &[Pane],
    column: usize,
    progress: &Progress,
    view: &View,
) -> Option<Pane> {
    let mut start = 0;
    panes.iter().copied().find(|pane| {
        let name = tab_of(*pane, progress, view).name;
        start += name.chars().count() + 3;
        column < start
    })
}

const fn no_requests(view: &View) -> &'static str {
    match view.watch {
        Watch::Run => "none yet",
        Watch::Attached | Watch::Replay { .. } => {
            "not recorded: only the process that sends requests lists them"
        }
    }
}

fn named(name: &str, number: impl TryInto<u32>) -> String {
    match number.try_into().unwrap_or(u32::MAX) {
        0 => name.to_owned(),
        some => format!("{name} {}", count(some)),
    }
}

/// Draws a list under its title, or what is said when it is empty.
fn show(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &View,
    head: Line<'static>,
    empty: &str,
    rows: Rows,
) {
    let mut all = vec![head];
    if rows.is_empty() {
        all.push(Cells::new(view.look).gap(1).text(empty, Role::Dim).line());
    }
    all.extend(rows.into_iter().map(|(_, line)| line));
    put(frame, area, all);
}

const NO_LOG: &str = "nothing yet";
const NO_FAILURES: &str = "none";
const NO_BATCHES: &str = "no batches running";
