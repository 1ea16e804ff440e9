//! Lines for people and logs.
//!
//! Facts that matter by themselves (phases, gates, failures, warnings) are reported at once. Counts are reported at a beat
//! that slows down with the length of the run, from once a second to once in ten, and only when they have changed, so that
//! the log of an hour is still readable.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::advice::next_step;
use super::lookup::Lookup;
use super::note::{Note, Weight, lane_name, note};
use super::text::{self, count};
use super::{Annotations, Detail, Reporter, Watch, WhenFailing, closing};
use crate::domain::{Outcome, RequestLog, Token, shown_lines};
use crate::event::{Event, Lane, Phase, Side, Stamped};
use crate::progress::{Cause, LaneState, Progress, Row, Status};

/// How lines look, and their level of detail.
#[derive(Clone, Debug)]
pub struct Style {
    /// Their level of detail.
    pub detail: Detail,
    /// Whether colours may be used.
    pub color: bool,
    /// Whether only ASCII characters may be used.
    pub ascii: bool,
    /// The CI system that marks failures.
    pub annotations: Option<Annotations>,
    /// The folder that holds the folder of the run, to show where the report is.
    pub run_dir: Option<PathBuf>,
    /// What is watched.
    pub watch: Watch,
    /// The tokens that the user may replace, where there is a way to ask for one.
    pub tokens: Vec<Token>,
    /// Where the dashboard asks what it does not know; `None` where nothing can be asked.
    pub lookup: Option<Lookup>,
    /// The latest requests of this process.
    pub requests: Vec<RequestLog>,
}

/// Writes lines about a run.
pub struct Plain {
    out: Box<dyn Write + Send>,
    style: Style,
    failures: u32,
    beat: Beat,
}

/// What was reported at the last beat, and when.
#[derive(Debug, Default)]
struct Beat {
    at_ms: Option<u64>,
    reads: [String; 2],
    lanes: [String; Lane::ALL.len()],
    pace: String,
    checked: String,
    drain_ms: Option<u64>,
}

impl Plain {
    /// Writes to this stream.
    pub fn new(out: Box<dyn Write + Send>, style: Style) -> Self {
        Self {
            out,
            style,
            failures: 0,
            beat: Beat::default(),
        }
    }

    fn line(&mut self, at_ms: u64, weight: Weight, line: &str) -> io::Result<()> {
        let time = text::clock(Duration::from_millis(at_ms));
        let line = shown_lines(line);
        let color = match weight {
            Weight::Detail => "2",
            Weight::Info => "",
            Weight::Good => "32",
            Weight::Caution => "33",
            Weight::Bad => "31",
        };
        if self.style.color && !color.is_empty() {
            writeln!(self.out, "{time:>7}  \x1b[{color}m{line}\x1b[0m")
        } else {
            writeln!(self.out, "{time:>7}  {line}")
        }
    }

    fn wants(&self, event: &Event, note: &Note) -> bool {
        let failed = matches!(
            event,
            Event::EntitySettled {
                outcome: Outcome::Failed { .. },
                ..
            }
        );
        match self.style.detail {
            Detail::Ends => matches!(event, Event::DrainStarted { .. }),
            Detail::Quiet => failed,
            Detail::Normal => note.weight > Weight::Detail,
            Detail::Verbose => true,
        }
    }

    /// After a failure: the next step, once for each cause, and the annotation.
    fn failure(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()> {
        let Event::EntitySettled {
            key,
            name,
            outcome: Outcome::Failed { reason },
            ..
        } = &event.event
        else {
            return Ok(());
        };
        let is_first = |cause: &&Cause| cause.count == 1 && cause.examples[0].key == *key;
        if let Some(first) = progress.causes().iter().find(is_first) {
            let next = format!("  next: {}", next_step(first.cause, progress));
            self.line(event.at_ms, Weight::Info, &next)?;
        }
        if let Some(annotations) = self.style.annotations {
            let title = format!("{key} {name}");
            annotations.write(&mut self.out, &title, reason, self.failures)?;
        }
        self.failures += 1;
        Ok(())
    }

    /// Reports counts that have changed, when it is time.
    fn beat(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        if self.style.detail <= Detail::Quiet || progress.exit().is_some() {
            return Ok(());
        }
        if progress.status(now_ms) == Status::Draining {
            return self.drain(progress, now_ms);
        }
        let every = (now_ms / 30).clamp(1_000, 10_000);
        if self.beat.at_ms.is_some_and(|last| now_ms < last + every) {
            return Ok(());
        }
        self.beat.at_ms = Some(now_ms);
        let held = progress.throttled_for(now_ms);
        if held >= Duration::from_secs(5) {
            let until = progress.clock_at(now_ms.saturating_add(crate::event::millis(held)));
            let until = until.map_or_else(String::new, |until| format!(" until {until}"));
            let line = format!(
                "waits for the target{until}, {} s more; nothing leaves",
                held.as_secs()
            );
            return self.line(now_ms, Weight::Caution, &line);
        }
        match progress.phase() {
            None | Some(Phase::Plan) => Ok(()),
            Some(Phase::Pull) => self.reads(progress, now_ms),
            Some(Phase::Upload) => self.uploads(progress, now_ms),
            Some(Phase::Verify) => self.checked(progress, now_ms),
        }
    }

    fn reads(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        for (side, at) in [(Side::Source, 0), (Side::Target, 1)] {
            let line = reads_line(progress, side);
            if !line.is_empty() && self.beat.reads[at] != line {
                self.line(now_ms, Weight::Info, &line)?;
                self.beat.reads[at] = line;
            }
        }
        Ok(())
    }

    fn uploads(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        let mut told = false;
        for lane in Lane::ALL {
            let known = lane_counts(progress, lane);
            if known.is_empty() || self.beat.lanes[lane as usize] == known {
                continue;
            }
            let mut line = known.clone();
            if progress.lane_state(lane) == LaneState::Running {
                append!(
                    line,
                    ", {}/s",
                    text::rate(progress.lane_per_second(lane, now_ms))
                );
            }
            self.line(now_ms, Weight::Info, &line)?;
            self.beat.lanes[lane as usize] = known;
            told = true;
        }
        let pace = pace_line(progress);
        if pace != self.beat.pace {
            if !pace.is_empty() {
                self.line(now_ms, Weight::Caution, &pace)?;
            }
            self.beat.pace = pace;
        }
        if told {
            let line = total_line(progress, now_ms);
            self.line(now_ms, Weight::Info, &line)?;
        }
        Ok(())
    }

    fn checked(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        let Some(verification) = progress.verification().filter(|known| !known.finished) else {
            return Ok(());
        };
        let (checked, total) = (count(verification.checked), count(verification.total));
        let line = format!("verified {checked} of {total}");
        if self.beat.checked != line {
            let told = line.clone() + &left(progress, now_ms);
            self.line(now_ms, Weight::Info, &told)?;
            self.beat.checked = line;
        }
        Ok(())
    }

    /// Reports once a second what draining waits for.
    fn drain(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        if self.beat.drain_ms.is_some_and(|last| now_ms < last + 1_000) {
            return Ok(());
        }
        self.beat.drain_ms = Some(now_ms);
        self.line(now_ms, Weight::Caution, &drain_line(progress))
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain")
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

impl Reporter for Plain {
    /// Lines that are not read, as in a pager that waits, are no reason to end a run.
    fn when_failing(&self, error: &io::Error) -> WhenFailing {
        if error.kind() == io::ErrorKind::TimedOut {
            WhenFailing::Leave
        } else {
            WhenFailing::Drain
        }
    }

    fn name(&self) -> &'static str {
        "line output"
    }

    fn event(&mut self, event: &Stamped, progress: &Progress) -> io::Result<()> {
        if let Some(note) = note(&event.event, progress)
            && self.wants(&event.event, &note)
        {
            self.line(event.at_ms, note.weight, &note.text)?;
            self.failure(event, progress)?;
        }
        self.beat(progress, event.at_ms)
    }

    fn tick(&mut self, progress: &Progress, now_ms: u64) -> io::Result<()> {
        self.beat(progress, now_ms)?;
        self.out.flush()
    }

    fn other_failed(&mut self, message: &str, at_ms: u64) -> io::Result<()> {
        if self.style.detail == Detail::Ends {
            self.line(at_ms, Weight::Caution, message)?;
        }
        Ok(())
    }

    fn finish(&mut self, progress: &Progress) -> io::Result<()> {
        closing::write(&mut *self.out, progress, &self.style)?;
        self.out.flush()
    }
}

/// `source: models 41 of 41, content items 250`, or nothing before something was read.
fn reads_line(progress: &Progress, side: Side) -> String {
    let of_side = progress.reads().iter().filter(|((of, _), _)| *of == side);
    let parts: Vec<_> = of_side
        .map(|((_, kind), read)| {
            let expected = read
                .expected
                .map(|expected| format!(" of {}", count(expected)));
            format!(
                "{} {}{}",
                kind.plural(),
                count(read.read),
                expected.unwrap_or_default()
            )
        })
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("{}: {}", side_name(side), parts.join(", "))
}

/// The name of a side.
pub(crate) const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Target => "target",
    }
}

/// What a lane has come to, or nothing when there is nothing to report.
fn lane_counts(progress: &Progress, lane: Lane) -> String {
    let row = progress.lane(lane);
    match progress.lane_state(lane) {
        LaneState::Empty | LaneState::Done => String::new(),
        LaneState::Waiting => format!("{}: {}", lane_name(lane), waits_for(progress, lane)),
        LaneState::Running => format!("{}: {}", lane_name(lane), row_words(&row)),
    }
}

fn row_words(row: &Row) -> String {
    let (settled, planned) = (count(row.settled.total()), count(row.planned));
    let mut words = format!(
        "{settled} of {planned} processed, {} in flight",
        row.in_flight
    );
    if row.settled.failed() > 0 {
        append!(words, ", {} failed", count(row.settled.failed()));
    }
    if row.settled.blocked() > 0 {
        append!(words, ", {} blocked", count(row.settled.blocked()));
    }
    words
}

/// The gates that a lane waits for, in words.
pub(crate) fn waits_for(progress: &Progress, lane: Lane) -> String {
    let gates: Vec<_> = progress
        .closed_gates_before(lane)
        .map(|gate| gate.plan.gate.to_string())
        .collect();
    if gates.is_empty() {
        return "waits for its turn".to_owned();
    }
    format!("waits for {}", gates.join(", "))
}

fn total_line(progress: &Progress, now_ms: u64) -> String {
    let uploads = progress.uploads();
    let (settled, planned) = (uploads.settled.total(), uploads.planned);
    let (done, all) = (count(settled), count(planned));
    let is_undo = progress.undone().is_some();
    let what = if is_undo { "undone" } else { "uploads" };
    let mut line = format!(
        "{what}: {done} of {all} ({})",
        text::percent(settled, planned)
    );
    append!(line, ", {}/s", text::rate(progress.per_second(now_ms)));
    line + &left(progress, now_ms)
}

/// How long it will still take and what that is due to, or nothing while that is not known.
fn left(progress: &Progress, now_ms: u64) -> String {
    let Some(eta) = progress.eta(now_ms) else {
        return String::new();
    };
    let span = text::eta(&eta, "-");
    format!(", {span} left, mostly {}", eta.by.name())
}

/// Retries and throttling in sum, or nothing when there were none.
fn pace_line(progress: &Progress) -> String {
    let (retries, throttlings) = (progress.retries(), progress.throttlings());
    if retries + throttlings == 0 {
        return String::new();
    }
    let retries = text::counted(retries, "request");
    let throttlings = text::counted(throttlings, "time");
    format!("so far {retries} sent again, rate limited {throttlings}")
}

/// What draining waits for: entities, and what the target still works off.
fn drain_line(progress: &Progress) -> String {
    let Some(first) = progress.in_flight().keys().next() else {
        return "draining: nothing is in flight".to_owned();
    };
    let number = text::count_of(progress.in_flight().len());
    let mut line = format!("draining: waits for {number} in flight, first {first}");
    let items: u32 = progress.batches().values().map(|batch| batch.items).sum();
    let processed: u32 = progress
        .batches()
        .values()
        .map(|batch| batch.processed)
        .sum();
    if items > 0 {
        append!(
            line,
            "; batches at the target: {} of {} items",
            count(processed),
            count(items)
        );
    }
    line
}
