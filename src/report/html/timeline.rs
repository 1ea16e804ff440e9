//! The course of a run on one axis: phases, lanes with their kinds, gates, curves.

use std::time::Duration;

use super::curves;
use super::parts::{card, escape, percent};
use crate::event::{Gate, Lane, Phase, millis};
use crate::progress::{GateProgress, GateState, History, Progress, Row};
use crate::report::text::{clock, count, took};

/// Gates of content levels that get a row of their own.
const LEVELS: usize = 30;

/// Steps between the marks of an axis, in milliseconds.
const STEPS: [u64; 18] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    1_200_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000,
];

/// Marks that fit an axis on a phone.
const MARKS: u64 = 8;

/// The span of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Milliseconds from the start to the end of the run.
    pub(super) end_ms: u64,
    step_ms: u64,
}

impl Axis {
    pub(super) fn of(progress: &Progress) -> Self {
        let end_ms = millis(progress.elapsed(progress.last_at_ms())).max(1);
        let step_ms = STEPS
            .into_iter()
            .find(|step| end_ms / step < MARKS)
            .unwrap_or_else(|| (end_ms / MARKS).next_multiple_of(21_600_000));
        Self { end_ms, step_ms }
    }

    /// Where a moment stands.
    pub(super) fn at(self, ms: u64) -> String {
        percent(ms, self.end_ms)
    }

    /// The place of a span, as CSS.
    fn place(self, from_ms: u64, to_ms: u64) -> String {
        let to_ms = to_ms.min(self.end_ms);
        let width = to_ms.saturating_sub(from_ms);
        format!("left:{};width:{}", self.at(from_ms), self.at(width))
    }

    fn marks(self) -> String {
        let mut text = String::new();
        for mark in 0..=self.end_ms / self.step_ms {
            let ms = mark * self.step_ms;
            // A label at the very end would stand outside.
            if ms * 20 > self.end_ms * 19 {
                break;
            }
            let label = moment(ms, self.step_ms);
            append!(
                text,
                "<span class=\"tick\" style=\"left:{}\">{label}</span>",
                self.at(ms)
            );
        }
        text
    }
}

/// A moment as precise as the step of its axis.
fn moment(ms: u64, step_ms: u64) -> String {
    if step_ms < 1_000 {
        format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
    } else {
        clock(Duration::from_millis(ms))
    }
}

/// The part of the page that has a time.
pub(super) fn timeline(progress: &Progress, history: &History) -> String {
    let axis = Axis::of(progress);
    let mut rows = String::new();
    row(&mut rows, "axis", "", &axis.marks(), "");
    rows += &phases(progress, axis);
    for lane in Lane::ALL {
        rows += &lane_rows(progress, history, lane, axis);
    }
    rows += &gates(progress, axis);
    rows += &curves::curves(history, axis);
    let style = format!("--step:{}", axis.at(axis.step_ms));
    let body = format!("<div class=\"time\" style=\"{style}\">\n{rows}</div>\n");
    let explanation = if history.pauses().is_empty() {
        "Lanes, gates and curves share one axis: minutes and seconds since the start of the run."
    } else {
        "Lanes, gates and curves share one axis: minutes and seconds since the start of the run. Shaded: paused."
    };
    card("Timeline", explanation, &body)
}

/// A row of the grid: name, track and number, all markup of our own.
pub(super) fn row(text: &mut String, class: &str, name: &str, track: &str, number: &str) {
    append!(
        *text,
        "<div class=\"name {class}\">{name}</div><div class=\"count {class}\">{number}</div>\
         <div class=\"track {class}\">{track}</div>\n"
    );
}

fn phases(progress: &Progress, axis: Axis) -> String {
    let mut bars = String::new();
    for time in progress.phase_times(progress.last_at_ms()) {
        let from = millis(time.start);
        let place = axis.place(from, from + millis(time.took));
        let name = phase_name(time.phase);
        let title = format!("{name}: {}", took(time.took));
        append!(
            bars,
            "<div class=\"bar\" style=\"{place}\" title=\"{title}\">{name}</div>"
        );
    }
    let mut text = String::new();
    if !bars.is_empty() {
        row(&mut text, "phase", "phases", &bars, "");
    }
    text
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Pull => "read",
        Phase::Plan => "plan",
        Phase::Upload => "upload",
        Phase::Verify => "verify",
    }
}

/// The class that gives a lane its colour.
pub(super) const fn tone(lane: Lane) -> &'static str {
    match lane {
        Lane::IndependentEntities => "l1",
        Lane::BatchedContent => "l2",
        Lane::ComplexEntities => "l3",
    }
}

fn lane_rows(progress: &Progress, history: &History, lane: Lane, axis: Axis) -> String {
    let whole = progress.lane(lane);
    if whole.planned == 0 {
        return String::new();
    }
    let mut text = String::new();
    let spans = || {
        let of_lane = history.spans().iter();
        of_lane.filter(move |((of, _), _)| *of == lane)
    };
    let from = spans().map(|(_, span)| span.from_ms).min();
    let to = spans().map(|(_, span)| span.to_ms).max();
    let mut track = pauses(history, axis);
    if let (Some(from), Some(to)) = (from, to) {
        track += &bar(axis, (from, to), &counts(&whole));
    }
    let name = format!("{} {}", lane as usize + 1, lane.name());
    let class = format!("strong {}", tone(lane));
    row(&mut text, &class, &name, &track, &settled(&whole));
    for ((_, kind), span) in spans() {
        let of_kind = progress.lane_kind(lane, *kind);
        let track =
            pauses(history, axis) + &bar(axis, (span.from_ms, span.to_ms), &counts(&of_kind));
        let class = format!("thin {}", tone(lane));
        row(&mut text, &class, kind.plural(), &track, &settled(&of_kind));
    }
    text
}

fn bar(axis: Axis, (from, to): (u64, u64), what: &str) -> String {
    let time = took(Duration::from_millis(to.saturating_sub(from)));
    let place = axis.place(from, to);
    format!("<div class=\"bar\" style=\"{place}\" title=\"{what} in {time}\"></div>")
}

fn pauses(history: &History, axis: Axis) -> String {
    let mut text = String::new();
    for pause in history.pauses() {
        let place = axis.place(pause.from_ms, pause.to_ms);
        append!(
            text,
            "<div class=\"pause\" style=\"{place}\" title=\"paused\"></div>"
        );
    }
    text
}

/// `1,200 of 1,204`, or just the number when all settled.
fn settled(row: &Row) -> String {
    let settled = row.settled.total();
    if settled == row.planned {
        count(settled)
    } else {
        format!("{} of {}", count(settled), count(row.planned))
    }
}

fn counts(row: &Row) -> String {
    let mut text = format!("{} processed", count(row.settled.total()));
    for (number, what) in [
        (row.settled.failed(), "failed"),
        (row.settled.blocked(), "blocked"),
    ] {
        if number > 0 {
            append!(text, ", {} {what}", count(number));
        }
    }
    text
}

fn gates(progress: &Progress, axis: Axis) -> String {
    let start = progress
        .phase_times(progress.last_at_ms())
        .into_iter()
        .find(|time| time.phase == Phase::Upload)
        .map_or(0, |time| millis(time.start));
    let mut text = String::new();
    let mut levels = 0;
    let wanted = progress
        .gates()
        .iter()
        .filter(|gate| gate.plan.entities > 0);
    let shown: Vec<_> = wanted
        .filter(|gate| {
            let is_level = matches!(gate.plan.gate, Gate::ContentLevelComplete(_));
            levels += usize::from(is_level);
            !is_level || levels <= LEVELS
        })
        .collect();
    if shown.is_empty() {
        return text;
    }
    row(&mut text, "strong", "gates", "", "opened");
    for gate in shown {
        let (track, when) = gate_track(gate, start, axis);
        let class = format!("gate {}", tone(gate.plan.lane));
        row(
            &mut text,
            &class,
            &gate.plan.gate.to_string(),
            &track,
            &when,
        );
    }
    text
}

fn gate_track(gate: &GateProgress, start: u64, axis: Axis) -> (String, String) {
    let (at_ms, sign, class, said) = match &gate.state {
        GateState::Closed { .. } => {
            let wait = axis.place(start, axis.end_ms);
            let track = format!("<div class=\"wait\" style=\"{wait}\"></div>");
            return (track, "never".to_owned());
        }
        GateState::Open { at_ms, by } => {
            let last = by.as_ref().map_or_else(
                || "nothing to wait for".to_owned(),
                |key| format!("last: {key}"),
            );
            (*at_ms, '◆', "stamp", last)
        }
        GateState::Failed { at_ms, by } => (
            *at_ms,
            '✕',
            "stamp failed",
            format!("failed because of {by}"),
        ),
    };
    let title = escape(&said).into_owned();
    let (wait, at) = (axis.place(start, at_ms), axis.at(at_ms));
    let track = format!(
        "<div class=\"wait\" style=\"{wait}\"></div><div class=\"{class}\" style=\"left:{at}\" title=\"{title}\">{sign}</div>"
    );
    let when = moment(
        at_ms,
        axis.step_ms
            .min(if axis.end_ms < 60_000 { 100 } else { 1_000 }),
    );
    let failed = if class == "stamp" { "" } else { "failed " };
    (track, format!("{failed}{when}"))
}
