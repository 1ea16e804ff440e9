//! The course of a run on one axis: phases, lanes with their kinds, gates, curves.

use std::time::Duration;

use maud::{Markup, Render, html};

use super::curves;
use super::parts::{card, percent};
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

    fn marks(self) -> Markup {
        let marks = (0..=self.end_ms / self.step_ms).map(|mark| mark * self.step_ms);
        html! {
            // A label at the very end would stand outside.
            @for ms in marks.take_while(|ms| ms * 20 <= self.end_ms * 19) {
                span.tick style={ "left:" (self.at(ms)) } { (moment(ms, self.step_ms)) }
            }
        }
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
pub(super) fn timeline(progress: &Progress, history: &History) -> Markup {
    let axis = Axis::of(progress);
    let body = html! {
        div.time style={ "--step:" (axis.at(axis.step_ms)) } {
            "\n"
            (row("axis", "", axis.marks(), ""))
            (phases(progress, axis))
            @for lane in Lane::ALL { (lane_rows(progress, history, lane, axis)) }
            (gates(progress, axis))
            (curves::curves(history, axis))
        }
        "\n"
    };
    let explanation = if history.pauses().is_empty() {
        "Lanes, gates and curves share one axis: minutes and seconds since the start of the run."
    } else {
        "Lanes, gates and curves share one axis: minutes and seconds since the start of the run. Shaded: paused."
    };
    card("Timeline", explanation, &body)
}

/// A row of the grid: name, track and number.
pub(super) fn row(class: &str, name: impl Render, track: impl Render, number: &str) -> Markup {
    html! {
        div.name.(class) { (name) }
        div.count.(class) { (number) }
        "\n"
        div.track.(class) { (track) }
        "\n"
    }
}

fn phases(progress: &Progress, axis: Axis) -> Markup {
    let phases = progress.phase_times(progress.last_at_ms());
    let bars = html! {
        @for time in &phases {
            @let (from, name) = (millis(time.start), phase_name(time.phase));
            div.bar style=(axis.place(from, from + millis(time.took))) title={ (name) ": " (took(time.took)) } { (name) }
        }
    };
    html! { @if !phases.is_empty() { (row("phase", "phases", bars, "")) } }
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

fn lane_rows(progress: &Progress, history: &History, lane: Lane, axis: Axis) -> Markup {
    let whole = progress.lane(lane);
    if whole.planned == 0 {
        return Markup::default();
    }
    let spans = || {
        let of_lane = history.spans().iter();
        of_lane.filter(move |((of, _), _)| *of == lane)
    };
    let from = spans().map(|(_, span)| span.from_ms).min();
    let to = spans().map(|(_, span)| span.to_ms).max();
    let drawn = |class: &str, name: &str, span: Option<(u64, u64)>, of: &Row| {
        let track = html! {
            @for pause in history.pauses() {
                div.pause style=(axis.place(pause.from_ms, pause.to_ms)) title="paused" {}
            }
            @if let Some((from, to)) = span {
                @let time = took(Duration::from_millis(to.saturating_sub(from)));
                div.bar style=(axis.place(from, to)) title={ (counts(of)) " in " (time) } {}
            }
        };
        let class = format!("{class} {}", tone(lane));
        row(&class, name, track, &settled(of))
    };
    let name = format!("{} {}", lane as usize + 1, lane.name());
    html! {
        (drawn("strong", &name, from.zip(to), &whole))
        @for ((_, kind), span) in spans() {
            @let of_kind = progress.lane_kind(lane, *kind);
            (drawn("thin", kind.plural(), Some((span.from_ms, span.to_ms)), &of_kind))
        }
    }
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

fn gates(progress: &Progress, axis: Axis) -> Markup {
    let start = progress
        .phase_times(progress.last_at_ms())
        .into_iter()
        .find(|time| time.phase == Phase::Upload)
        .map_or(0, |time| millis(time.start));
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
    html! {
        @if !shown.is_empty() { (row("strong", "gates", "", "opened")) }
        @for gate in shown { (gate_row(gate, start, axis)) }
    }
}

fn gate_row(gate: &GateProgress, start: u64, axis: Axis) -> Markup {
    let (settled, sign, class, said) = match &gate.state {
        GateState::Closed { .. } => (None, ' ', "stamp", String::new()),
        GateState::Open { at_ms, by } => {
            let last = by.as_ref().map_or_else(
                || "nothing to wait for".to_owned(),
                |key| format!("last: {key}"),
            );
            (Some(*at_ms), '◆', "stamp", last)
        }
        GateState::Failed { at_ms, by } => {
            let because = format!("failed because of {by}");
            (Some(*at_ms), '✕', "stamp failed", because)
        }
    };
    let step_ms = (axis.step_ms).min(if axis.end_ms < 60_000 { 100 } else { 1_000 });
    let failed = if class == "stamp" { "" } else { "failed " };
    let when = settled.map(|at_ms| format!("{failed}{}", moment(at_ms, step_ms)));
    let track = html! {
        div.wait style=(axis.place(start, settled.unwrap_or(axis.end_ms))) {}
        @if let Some(at_ms) = settled {
            div class=(class) style={ "left:" (axis.at(at_ms)) } title=(said) { (sign) }
        }
    };
    let class = format!("gate {}", tone(gate.plan.lane));
    let name = gate.plan.gate.to_string();
    row(&class, name, track, when.as_deref().unwrap_or("never"))
}
