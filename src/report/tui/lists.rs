//! The parts that can be scrolled: gates, batches, failures and the log.

use std::ops::Range;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::cells::{Cells, simple_bar, wrapped};
use super::draw::{put, title};
use super::log::LogLine;
use super::outcomes;
use super::theme::{Role, Sign};
use super::view::{Pane, View};
use crate::domain::{BatchId, shown_name};
use crate::event::Lane;
use crate::progress::{BatchProgress, GateProgress, GateState, Progress};
use crate::report::advice::{self, CauseSummary};
use crate::report::note::Weight;
use crate::report::text::{clock, count};

/// The gates, or what became of entities in an undo, which has none. Unless scrolled, the first that is not open is in sight.
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
    let width = area.width as usize;
    let first = gates.iter().position(GateProgress::is_closed).unwrap_or(0);
    let shown = window(
        area,
        view,
        Pane::Gates,
        gates.len(),
        first.saturating_sub(1),
    );
    let lines = gates[shown].iter().map(|gate| gate_line(gate, view, width));
    let head = title(view, "Gates", &remark, Some(Pane::Gates), width);
    show(
        frame,
        area,
        view,
        head,
        "available after planning",
        lines.collect(),
    );
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
    let lines = batch_lines(progress, view, area);
    show(frame, area, view, head, NO_BATCHES, lines);
}

fn batches_remark(progress: &Progress) -> String {
    match (progress.batches_finished(), progress.batches_split()) {
        (0, 0) => String::new(),
        (finished, 0) => format!("{} done", count(finished)),
        (finished, split) => format!("{} done, {} split", count(finished), count(split)),
    }
}

fn batch_lines(progress: &Progress, view: &View, area: Rect) -> Vec<Line<'static>> {
    let width = area.width as usize;
    let line = |(id, batch): (&BatchId, &BatchProgress)| {
        let since = view.now_ms.saturating_sub(batch.since_ms);
        let counts = format!("{}/{}", batch.processed, batch.items);
        let bar = width.saturating_sub(51).min(40);
        Cells::new(view.look)
            .gap(1)
            .left(&format!("#{id}"), 9, Role::Text)
            .left(batch.locale.as_str(), 9, Role::Dim)
            .left(batch.kind.plural(), 14, Role::Dim)
            .right(&counts, 8, Role::Text)
            .gap(1)
            .spans(simple_bar(view.look, bar, batch.processed, batch.items))
            .right(&clock(Duration::from_millis(since)), 7, Role::Dim)
            .line()
    };
    let shown = window(area, view, Pane::Batches, progress.batches().len(), 0);
    let batches = progress.batches().iter();
    batches
        .skip(shown.start)
        .take(shown.len())
        .map(line)
        .collect()
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
    let lines = failure_lines(progress, view, area);
    show(frame, area, view, head, NO_FAILURES, lines);
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
fn failure_lines(progress: &Progress, view: &View, area: Rect) -> Vec<Line<'static>> {
    let causes = advice::failures(progress);
    let width = area.width as usize;
    let lines = causes
        .iter()
        .flat_map(|told| cause_lines(told, view, width));
    let lines: Vec<_> = lines.collect();
    let shown = window(area, view, Pane::Failures, lines.len(), 0);
    lines
        .into_iter()
        .skip(shown.start)
        .take(shown.len())
        .collect()
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

/// The log, newest first.
pub(crate) fn log(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let name = view.filter.name();
    let head = title(view, "Log", name, Some(Pane::Log), area.width as usize);
    show(frame, area, view, head, NO_LOG, log_lines(view, area));
}

fn log_lines(view: &View, area: Rect) -> Vec<Line<'static>> {
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
    let shown = window(area, view, Pane::Log, log.len(), 0);
    log[shown].iter().copied().map(line).collect()
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

/// The list that has the focus, under the names of all three that share the place.
pub(crate) fn tabs(frame: &mut Frame<'_>, area: Rect, progress: &Progress, view: &View) {
    let width = area.width as usize;
    let shown = match view.focus {
        Pane::Log | Pane::Gates => Pane::Log,
        Pane::Failures => Pane::Failures,
        Pane::Batches => Pane::Batches,
    };
    let (lines, empty) = match shown {
        Pane::Log | Pane::Gates => (log_lines(view, area), NO_LOG),
        Pane::Failures => (failure_lines(progress, view, area), NO_FAILURES),
        Pane::Batches => (batch_lines(progress, view, area), NO_BATCHES),
    };
    let failed = progress.total().failed();
    let names = [
        (Pane::Log, "Log".to_owned(), Role::Strong),
        (
            Pane::Failures,
            named("Failures", failed),
            if failed > 0 { Role::Bad } else { Role::Dim },
        ),
        (
            Pane::Batches,
            named("Batches", progress.batches().len()),
            Role::Dim,
        ),
    ];
    let mut head = Cells::new(view.look);
    for (pane, name, role) in names {
        let (sign, role) = match (pane == view.focus, pane == shown) {
            (true, _) => (view.look.sign(Sign::Focus), Role::Accent),
            (false, true) => (" ", Role::Strong),
            (false, false) => (
                " ",
                if role == Role::Strong {
                    Role::Dim
                } else {
                    role
                },
            ),
        };
        head = head.text(sign, role).text(&name, role).gap(2);
    }
    let rule = width.saturating_sub(head.width() + 1);
    let head = head.text(&view.look.sign(Sign::Rule).repeat(rule), Role::Dim);
    show(frame, area, view, head.line(), empty, lines);
}

fn named(name: &str, number: impl TryInto<u32>) -> String {
    match number.try_into().unwrap_or(u32::MAX) {
        0 => name.to_owned(),
        some => format!("{name} {}", count(some)),
    }
}

/// The rows of a list that are in sight: from `first` as long as nobody scrolled.
fn window(area: Rect, view: &View, pane: Pane, total: usize, first: usize) -> Range<usize> {
    let height = usize::from(area.height.saturating_sub(1));
    let start = match view.scrolled(pane, total, height) {
        0 => first.min(total.saturating_sub(height)),
        scrolled => scrolled,
    };
    start..(start + height).min(total)
}

/// Draws a list under its title, or what is said when it is empty.
fn show(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &View,
    head: Line<'static>,
    empty: &str,
    lines: Vec<Line<'static>>,
) {
    let mut all = vec![head];
    if lines.is_empty() {
        all.push(Cells::new(view.look).gap(1).text(empty, Role::Dim).line());
    }
    all.extend(lines);
    put(frame, area, all);
}

const NO_LOG: &str = "nothing yet";
const NO_FAILURES: &str = "none";
const NO_BATCHES: &str = "no batches running";
