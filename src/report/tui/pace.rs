//! How fast requests go, and what holds them back.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::cells::{Cells, spark};
use super::draw::{put, title};
use super::theme::Role;
use super::view::View;
use crate::progress::{Pace, Progress};
use crate::report::text::{self, count, rate};

/// Rows with the title.
pub(crate) const HEIGHT: u16 = 6;

/// Draws the pace.
pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, progress: &Progress, view: &View) {
    let width = area.width as usize;
    let mut lines = vec![title(view, "Pace", "", None, width)];
    match progress.pace().back() {
        Some(pace) => lines.extend(samples(progress, view, pace, width)),
        None => lines.push(
            Cells::new(view.look)
                .gap(1)
                .text("no requests to the target yet", Role::Dim)
                .line(),
        ),
    }
    put(frame, area, lines);
}

fn samples(progress: &Progress, view: &View, pace: &Pace, width: usize) -> Vec<Line<'static>> {
    let look = view.look;
    let limit = view.rate.or(pace.limit_per_second);
    let limit = limit.map_or_else(
        || "no limit".to_owned(),
        |limit| format!("of {}", rate(limit)),
    );
    let per_second: Vec<f64> = progress.pace().iter().map(|pace| pace.per_second).collect();
    let latency: Vec<f64> = progress.pace().iter().map(|pace| pace.latency_ms).collect();
    let room = width.saturating_sub(LABEL + NUMBERS + 2);
    let row = |label: &str, words: &str, role: Role| {
        Cells::new(look)
            .gap(1)
            .left(label, LABEL, Role::Dim)
            .left(words, NUMBERS, role)
    };
    let requests = format!("{}/s {limit}", rate(pace.per_second));
    let top = pace.limit_per_second;
    let answers = format!("{:.0} ms median", pace.latency_ms);
    let flight = format!("{}/{} in flight", pace.in_flight, pace.concurrency);
    let refused = format!(
        "{} of {}",
        count(progress.refused()),
        count(progress.requests())
    );
    let role = if progress.refused() > 0 {
        Role::Caution
    } else {
        Role::Text
    };
    let retried = format!("retried {}", count(progress.retries()));
    let slowed = format!("slowed {}", count(progress.throttlings()));
    vec![
        row("rate", &requests, Role::Text)
            .text(&spark(look, &per_second, room, top), Role::Accent)
            .line(),
        row("answers", &answers, Role::Text)
            .text(&spark(look, &latency, room, None), Role::Dim)
            .line(),
        row("requests", &flight, Role::Text)
            .text(&retried, Role::Dim)
            .line(),
        row("refused", &refused, role)
            .text(&slowed, Role::Dim)
            .line(),
        row("sent", &text::bytes(progress.uploads().bytes), Role::Text).line(),
    ]
}

const LABEL: usize = 10;
const NUMBERS: usize = 16;
