//! The lanes with their kinds, and before there is a plan what was read.

use ratatui::text::Line;

use super::cells::{Cells, simple_bar, upload_bar};
use super::draw::title;
use super::theme::{Role, Sign};
use super::view::View;
use crate::domain::Kind;
use crate::event::{Lane, Phase, Side};
use crate::progress::{LaneState, Progress, ReadCount, Row, Status};
use crate::report::text::{count, rate};

/// Whether the kinds of a lane get lines of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Each of them.
    Shown,
    /// Only in lanes that have several.
    Several,
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
}

impl Columns {
    fn at(width: usize) -> Self {
        let mut columns = Self {
            label: 23,
            state: 11,
            counts: 13,
            bar: 0,
            flight: 7,
            failed: 7,
            blocked: if width >= 100 { 9 } else { 0 },
            rate: 7,
        };
        if width < 76 {
            columns = Self {
                label: 13,
                state: 3,
                flight: 0,
                rate: 0,
                ..columns
            };
        }
        columns.bar = width
            .saturating_sub(columns.label + columns.state + columns.counts + 4 + columns.tail());
        columns
    }

    /// What stands behind the bar.
    fn tail(&self) -> usize {
        self.flight + self.failed + self.blocked + self.rate
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
    let mut lines = vec![head(view, &columns)];
    let (mut all_lanes, mut all_kinds) = (Lane::ALL, Kind::ALL);
    if progress.undone().is_some() {
        // What came last goes first.
        all_lanes.reverse();
        all_kinds.reverse();
    }
    for lane in all_lanes {
        lines.push(lane_line(progress, view, &columns, lane));
        let of_lane: Vec<_> = all_kinds
            .into_iter()
            .map(|kind| (kind, progress.lane_kind(lane, kind)))
            .filter(|(_, row)| row.planned > 0)
            .collect();
        let shown = match kinds {
            Kinds::Shown => true,
            Kinds::Several => of_lane.len() > 1,
            Kinds::Hidden => false,
        };
        if shown {
            let line = |(kind, row): &(Kind, Row)| kind_line(view, &columns, *kind, row);
            lines.extend(of_lane.iter().map(line));
        }
    }
    lines
}

/// The title, which names the columns.
fn head(view: &View, columns: &Columns) -> Line<'static> {
    let rule = view.look.sign(Sign::Rule);
    let before = (columns.label + columns.state + columns.counts).saturating_sub(14);
    Cells::new(view.look)
        .gap(1)
        .text("Lanes ", Role::Strong)
        .text(&rule.repeat(before), Role::Dim)
        .text(" processed ", Role::Dim)
        .text(&rule.repeat(columns.bar), Role::Dim)
        .right("flight", columns.flight, Role::Dim)
        .right("failed", columns.failed, Role::Dim)
        .right("blocked", columns.blocked, Role::Dim)
        .right("rate", columns.rate, Role::Dim)
        .line()
}

/// How the state of a lane is told, and what stands behind it.
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
            numbers(cells, columns, &row)
                .right(&format!("{per_second}/s"), columns.rate, Role::Text)
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
    let counts = format!("{}/{}", count(row.settled.total()), count(row.planned));
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
        Some(all) if all == read.read => format!("{} {}", look.sign(Sign::Done), count(all)),
        Some(all) => format!("{} of {}", count(read.read), count(all)),
        None => format!("{} so far", count(read.read)),
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
