//! The lanes with their kinds, and before there is a plan what was read.

use ratatui::text::Line;

use super::cells::{Cells, simple_bar, upload_bar};
use super::draw::title;
use super::lists::{self, marked};
use super::theme::{Look, Role, Sign};
use super::view::{Pane, View};
use crate::domain::Kind;
use crate::event::{Lane, Phase, Side};
use crate::progress::{LaneState, Progress, ReadCount, Row, Status};
use crate::report::text::{clock, count as text_count, rate};

/// Whether the kinds of a lane get lines of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Each of them.
    Shown,
    /// In lanes that have several, those of which not everything has arrived.
    Unfinished,
    /// None.
    Hidden,
}

/// The widths of the columns; 0 leaves one out.
struct Columns {
    label: usize,
    state: usize,
    counts: usize,
    bar: usize,
    flight: usize,
    failed: usize,
    blocked: usize,
    rate: usize,
    left: usize,
}

impl Columns {
    fn at(width: usize) -> Self {
        let has_room = width >= 100;
        let mut columns = Self {
            label: 23,
            state: 11,
            counts: 13,
            bar: 0,
            flight: 7,
            failed: 7,
            blocked: 8,
            rate: if has_room { 8 } else { 0 },
            left: if has_room { 8 } else { 0 },
        };
        if width < 76 {
            columns = Self {
                label: 13,
                state: 3,
                flight: 0,
                ..columns
            };
        }
        columns.bar = width
            .saturating_sub(columns.label + columns.state + columns.counts + 4 + columns.tail());
        columns
    }

    /// What stands behind the bar.
    fn tail(&self) -> usize {
        self.flight + self.failed + self.blocked + self.rate + self.left
    }
}

/// The lanes, or what was read as long as nothing is planned; the first line is the title.
pub(crate) fn lines(
    progress: &Progress,
    view: &View,
    width: usize,
    kinds: Kinds,
) -> Vec<Line<'static>> {
    if progress.planned().is_none() {
        return reads(progress, view, width);
    }
    let columns = Columns::at(width);
    let selected = lists::selected_row(Pane::Lanes, progress, view);
    let selected = selected.filter(|_| view.focus == Pane::Lanes);
    let mut lines = vec![head(view.look, view.focus == Pane::Lanes, &columns)];
    for (at, lane) in all_lanes(progress).into_iter().enumerate() {
        let line = lane_line(progress, view, &columns, lane);
        lines.push(marked(line, selected == Some(at), view.look));
        let shown = kinds_of(progress, lane, kinds).into_iter();
        lines.extend(shown.map(|(kind, row)| kind_line(view, &columns, kind, &row)));
    }
    lines
}

/// The title of lanes that cannot be selected.
pub(crate) fn title_of_all(look: Look, width: usize) -> Line<'static> {
    head(look, false, &Columns::at(width))
}

/// The lanes alone, a line for each; nothing as long as nothing is planned.
pub(crate) fn alone(progress: &Progress, view: &View, width: usize) -> Vec<Line<'static>> {
    if progress.planned().is_none() {
        return Vec::new();
    }
    let columns = Columns::at(width);
    let line = |lane| lane_line(progress, view, &columns, lane);
    all_lanes(progress).map(line).into()
}

/// The lanes in the order in which they stand: in an undo, what came last goes first.
fn all_lanes(progress: &Progress) -> [Lane; Lane::ALL.len()] {
    let mut lanes = Lane::ALL;
    if progress.undone().is_some() {
        lanes.reverse();
    }
    lanes
}

/// The kinds of a lane that get lines of their own.
fn kinds_of(progress: &Progress, lane: Lane, kinds: Kinds) -> Vec<(Kind, Row)> {
    let mut all = Kind::ALL;
    if progress.undone().is_some() {
        all.reverse();
    }
    let rows = all.map(|kind| (kind, progress.lane_kind(lane, kind)));
    let mut rows: Vec<_> = rows
        .into_iter()
        .filter(|(_, row)| row.planned > 0)
        .collect();
    match kinds {
        Kinds::Shown => {}
        Kinds::Unfinished if rows.len() > 1 => rows.retain(|(_, row)| !has_arrived(row)),
        Kinds::Unfinished | Kinds::Hidden => rows.clear(),
    }
    rows
}

/// Whether everything of a row has its outcome and nothing of it failed.
fn has_arrived(row: &Row) -> bool {
    let settled = &row.settled;
    settled.total() == row.planned && settled.failed() + settled.blocked() == 0
}

/// How many lanes can be selected.
pub(crate) fn count(progress: &Progress) -> usize {
    match progress.planned() {
        Some(_) => Lane::ALL.len(),
        None => 0,
    }
}

/// The lane of a row.
pub(crate) fn lane_at(progress: &Progress, row: usize) -> Option<Lane> {
    progress.planned()?;
    all_lanes(progress).get(row).copied()
}

/// The lane that stands in a line below the title, itself or one of its kinds, by its row.
pub(crate) fn row_at(line: usize, progress: &Progress, kinds: Kinds) -> Option<usize> {
    progress.planned()?;
    let mut end = 0;
    all_lanes(progress).into_iter().position(|lane| {
        end += 1 + kinds_of(progress, lane, kinds).len();
        line < end
    })
}

/// The state of a lane in words.
pub(crate) fn state(progress: &Progress, view: &View, lane: Lane) -> String {
    let status = LaneStatus::of(progress, view, lane);
    match status.behind {
        Behind::Reason => format!("{} {}", status.word, reason(progress, lane)),
        Behind::Nothing | Behind::Numbers | Behind::Rate => status.word.to_owned(),
    }
}

/// The title, which names the columns.
fn head(look: Look, is_focused: bool, columns: &Columns) -> Line<'static> {
    let rule = look.sign(Sign::Rule);
    let before = (columns.label + columns.state + columns.counts).saturating_sub(14);
    let (mark, tone) = if is_focused {
        (look.sign(Sign::Focus), Role::Accent)
    } else {
        (" ", Role::Strong)
    };
    Cells::new(look)
        .text(mark, tone)
        .text("Lanes ", tone)
        .text(&rule.repeat(before), Role::Dim)
        .text(" processed ", Role::Dim)
        .text(&rule.repeat(columns.bar), Role::Dim)
        .right("flight", columns.flight, Role::Dim)
        .right("failed", columns.failed, Role::Dim)
        .right("blocked", columns.blocked, Role::Dim)
        .right("rate", columns.rate, Role::Dim)
        .right("left", columns.left, Role::Dim)
        .line()
}

/// How the state of a lane is shown, and what stands behind it.
struct LaneStatus {
    sign: Sign,
    word: &'static str,
    role: Role,
    behind: Behind,
}

/// What stands behind the state of a lane.
enum Behind {
    Nothing,
    /// Counts and what it waits for.
    Reason,
    /// Counts, bar and numbers, without a rate.
    Numbers,
    /// The same with the rate.
    Rate,
}

impl LaneStatus {
    const fn new(sign: Sign, word: &'static str, role: Role, behind: Behind) -> Self {
        Self {
            sign,
            word,
            role,
            behind,
        }
    }

    fn of(progress: &Progress, view: &View, lane: Lane) -> Self {
        let row = progress.lane(lane);
        let settled = &row.settled;
        let over = progress.exit().is_some() || progress.phase() == Some(Phase::Verify);
        match progress.lane_state(lane) {
            LaneState::Empty => Self::new(Sign::Nothing, "nothing", Role::Dim, Behind::Nothing),
            LaneState::Done if settled.failed() + settled.blocked() > 0 => {
                Self::new(Sign::Failed, "partly", Role::Caution, Behind::Numbers)
            }
            LaneState::Done => Self::new(Sign::Done, "done", Role::Good, Behind::Numbers),
            // The lanes of an undo end together.
            LaneState::Running
                if row.waiting + row.in_flight == 0 && progress.undone().is_some() =>
            {
                Self::new(Sign::Done, "through", Role::Good, Behind::Numbers)
            }
            LaneState::Waiting if over => {
                Self::new(Sign::Nothing, "not begun", Role::Dim, Behind::Numbers)
            }
            LaneState::Running if over => {
                Self::new(Sign::Draining, "stopped", Role::Caution, Behind::Numbers)
            }
            LaneState::Running if progress.undone().is_some() => {
                Self::undoing(&row, progress.status(view.now_ms))
            }
            LaneState::Waiting => Self::new(Sign::Waiting, "waiting", Role::Dim, Behind::Reason),
            LaneState::Running => Self::running(progress.status(view.now_ms)),
        }
    }

    /// The lanes of an undo begin at once, and wait for one another kind by kind.
    fn undoing(row: &Row, status: Status) -> Self {
        if row.in_flight + row.settled.total() == 0 {
            Self::new(Sign::Waiting, "waiting", Role::Dim, Behind::Numbers)
        } else {
            Self::running(status)
        }
    }

    fn running(status: Status) -> Self {
        let held = |sign, word| Self::new(sign, word, Role::Caution, Behind::Rate);
        match status {
            Status::Paused => held(Sign::Paused, "paused"),
            Status::Throttled => held(Sign::Slowed, "throttled"),
            Status::Draining => held(Sign::Draining, "draining"),
            Status::Starting
            | Status::Pulling
            | Status::Planning
            | Status::Uploading
            | Status::Verifying
            | Status::Finished { .. } => {
                Self::new(Sign::Running, "running", Role::Accent, Behind::Rate)
            }
        }
    }
}

fn lane_line(progress: &Progress, view: &View, columns: &Columns, lane: Lane) -> Line<'static> {
    let look = view.look;
    let row = progress.lane(lane);
    let told = LaneStatus::of(progress, view, lane);
    let label = format!("{} {}", lane as usize + 1, lane.name());
    let sign = look.sign(told.sign);
    let words = if columns.state > 4 {
        format!("{sign} {}", told.word)
    } else {
        sign.to_owned()
    };
    let cells = Cells::new(look)
        .gap(1)
        .left(&label, columns.label - 1, Role::Strong)
        .gap(1)
        .left(&words, columns.state, told.role);
    let bar = upload_bar(look, columns.bar, &row);
    match told.behind {
        Behind::Nothing => cells.line(),
        Behind::Reason => counts(cells, columns, &row, Role::Text)
            .left(
                &reason(progress, lane),
                columns.bar + columns.tail(),
                Role::Dim,
            )
            .line(),
        Behind::Numbers => {
            let cells = counts(cells, columns, &row, Role::Text).spans(bar);
            numbers(cells, columns, &row).line()
        }
        Behind::Rate => {
            let cells = counts(cells, columns, &row, Role::Text).spans(bar);
            let per_second = rate(progress.lane_per_second(lane, view.now_ms));
            let left = progress.lane_left(lane, view.now_ms);
            let left = left.map(|left| format!("~{}", clock(left)));
            numbers(cells, columns, &row)
                .right(&format!("{per_second}/s"), columns.rate, Role::Text)
                .right(&left.unwrap_or_default(), columns.left, Role::Text)
                .line()
        }
    }
}

fn kind_line(view: &View, columns: &Columns, kind: Kind, row: &Row) -> Line<'static> {
    let look = view.look;
    let complete = row.settled.total() == row.planned;
    let (sign, role) = match (complete, row.in_flight) {
        (true, _) if row.settled.failed() + row.settled.blocked() > 0 => (Sign::Failed, Role::Bad),
        (true, _) => (Sign::Done, Role::Good),
        (false, 0) => (Sign::Waiting, Role::Dim),
        (false, _) => (Sign::Running, Role::Accent),
    };
    let cells = Cells::new(look)
        .gap(3)
        .left(kind.plural(), columns.label - 3, Role::Text)
        .gap(1)
        .left(look.sign(sign), columns.state, role);
    let cells = counts(cells, columns, row, Role::Dim);
    numbers(
        cells.spans(upload_bar(look, columns.bar, row)),
        columns,
        row,
    )
    .line()
}

fn counts(cells: Cells, columns: &Columns, row: &Row, role: Role) -> Cells {
    let counts = format!(
        "{}/{}",
        text_count(row.settled.total()),
        text_count(row.planned)
    );
    cells.right(&counts, columns.counts, role).gap(2)
}

fn numbers(cells: Cells, columns: &Columns, row: &Row) -> Cells {
    cells
        .number(row.in_flight, columns.flight, Role::Text)
        .number(row.settled.failed(), columns.failed, Role::Bad)
        .number(row.settled.blocked(), columns.blocked, Role::Caution)
}

/// What a lane waits for, the first gate by name.
fn reason(progress: &Progress, lane: Lane) -> String {
    let mut gates = progress.closed_gates_before(lane);
    let Some(first) = gates.next() else {
        return "for its turn".to_owned();
    };
    match gates.count() {
        0 => format!("for {}", first.plan.gate),
        more => format!("for {} and {more} more", first.plan.gate),
    }
}

fn reads(progress: &Progress, view: &View, width: usize) -> Vec<Line<'static>> {
    let side = (width.saturating_sub(16)) / 2;
    let heads = Cells::new(view.look)
        .gap(16)
        .left("source", side, Role::Dim)
        .left("target", side, Role::Dim);
    let mut lines = vec![title(view, "Reading", "", None, width), heads.line()];
    for kind in Kind::ALL {
        let mut cells = Cells::new(view.look)
            .gap(1)
            .left(kind.plural(), 15, Role::Text);
        for of in [Side::Source, Side::Target] {
            let read = progress.reads().get(&(of, kind));
            cells = read_cells(cells, view, read, side);
        }
        lines.push(cells.line());
    }
    lines
}

/// A count and, once it is known how many there are, a bar.
fn read_cells(cells: Cells, view: &View, read: Option<&ReadCount>, width: usize) -> Cells {
    let look = view.look;
    let Some(read) = read else {
        return cells.left(look.sign(Sign::Waiting), width, Role::Dim);
    };
    let words = match read.expected {
        Some(all) if all == read.read => format!("{} {}", look.sign(Sign::Done), text_count(all)),
        Some(all) => format!("{} of {}", text_count(read.read), text_count(all)),
        None => format!("{} so far", text_count(read.read)),
    };
    let cells = cells.left(&words, 17, Role::Text);
    let bar = width.saturating_sub(17 + 3);
    let spans = match read.expected {
        Some(all) if all > 0 => simple_bar(look, bar, read.read, all),
        Some(_) | None => Vec::new(),
    };
    let drawn: usize = spans.iter().map(ratatui::text::Span::width).sum();
    cells.spans(spans).gap(width.saturating_sub(17 + drawn))
}
