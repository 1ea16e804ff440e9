//! How the run went over time, where there is room for it: a curve of the uploads and the slowest of them.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::cells::{Cells, spark};
use super::draw::{put, title};
use super::theme::Role;
use super::view::View;
use crate::progress::{History, Slow};
use crate::report::text::{clock, rate, took};

/// Slowest uploads that are shown at most.
const SLOWEST: usize = 20;

/// What is shown of the history of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// Uploads per second in equal parts of the time so far.
    per_second: Vec<f64>,
    /// The time of each part.
    width: Duration,
    slowest: Vec<Slow>,
}

impl Course {
    /// What there is to show of a history now.
    pub(crate) fn of(history: &History) -> Self {
        let width = Duration::from_millis(history.width_ms());
        let seconds = width.as_secs_f64();
        let slots = history.slots().iter();
        Self {
            per_second: slots
                .map(|slot| f64::from(slot.settled.iter().sum::<u32>()) / seconds)
                .collect(),
            width,
            slowest: history.slowest().iter().take(SLOWEST).cloned().collect(),
        }
    }

    /// At most `columns` values that cover all of the time.
    fn curve(&self, columns: usize) -> Vec<f64> {
        let parts = self.per_second.len().div_ceil(columns.max(1)).max(1);
        let mean = |chunk: &[f64]| {
            let count = u32::try_from(chunk.len()).map_or(1.0, f64::from);
            chunk.iter().sum::<f64>() / count
        };
        self.per_second.chunks(parts).map(mean).collect()
    }
}

/// Draws the curve, as high as there is room for.
pub(crate) fn throughput(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let width = usize::from(area.width);
    let curve = view.course.curve(width.saturating_sub(2));
    let top = curve.iter().copied().fold(0.0, f64::max);
    let time = view.course.width * u32::try_from(view.course.per_second.len()).unwrap_or(0);
    let remark = if curve.is_empty() {
        String::new()
    } else {
        format!("up to {}/s in {}", rate(top), clock(time))
    };
    let mut lines = vec![title(view, "Throughput", &remark, None, width)];
    let height = area.height.saturating_sub(1);
    for row in (0..height).rev() {
        // Each row shows the part of the values that is between its lower and its upper edge.
        let part = top / f64::from(height);
        let below = part * f64::from(row);
        let values: Vec<f64> = curve
            .iter()
            .map(|value| (value - below).clamp(0.0, part))
            .collect();
        let drawn: String = spark(view.look, &values, width, Some(part))
            .chars()
            .zip(&values)
            .map(|(level, value)| if *value > 0.0 { level } else { ' ' })
            .collect();
        let cells = Cells::new(view.look).gap(1).text(&drawn, Role::Accent);
        lines.push(cells.line());
    }
    put(frame, area, lines);
}

/// Draws the slowest uploads, the slowest first.
pub(crate) fn slowest(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let width = usize::from(area.width);
    let mut lines = vec![title(view, "Slowest", "", None, width)];
    for slow in &view.course.slowest {
        let time = took(Duration::from_millis(slow.took_ms));
        let cells = Cells::new(view.look)
            .right(&time, 9, Role::Text)
            .gap(2)
            .left(&slow.key.to_string(), 22, Role::Text)
            .gap(1);
        let room = width.saturating_sub(cells.width() + 1);
        lines.push(cells.left(&slow.name, room, Role::Dim).line());
    }
    if view.course.slowest.is_empty() {
        let none = Cells::new(view.look).gap(1).text("nothing yet", Role::Dim);
        lines.push(none.line());
    }
    put(frame, area, lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_covers_all_of_the_time_in_the_columns_that_there_are() {
        let course = Course {
            per_second: vec![1.0, 3.0, 5.0, 7.0, 9.0],
            width: Duration::from_secs(1),
            slowest: Vec::new(),
        };
        assert_eq!(course.curve(9), [1.0, 3.0, 5.0, 7.0, 9.0]);
        assert_eq!(course.curve(3), [2.0, 6.0, 9.0]);
        assert_eq!(course.curve(0), [5.0]);
        assert!(Course::default().curve(7).is_empty());
    }
}
