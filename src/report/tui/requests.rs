//! The latest requests of this process.

use std::collections::VecDeque;
use std::ops::Range;

use ratatui::text::Line;

use super::cells::Cells;
use super::theme::{Role, Sign};
use super::view::View;
use crate::domain::{Exchange, RequestLog};
use crate::progress::Progress;
use crate::report::text::clock;

/// Requests that are kept, as many as their log keeps.
const KEPT: usize = 2_000;

/// The requests that are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    /// How many requests were taken of each log.
    seen: Vec<u64>,
    latest: VecDeque<Exchange>,
}

impl Requests {
    /// Takes what has come since the last time; the logs are always the same.
    pub(crate) fn follow(&mut self, logs: &[RequestLog]) {
        self.seen.resize(logs.len(), 0);
        let mut all = Vec::new();
        for (log, seen) in logs.iter().zip(&mut self.seen) {
            let (count, new) = log.after(*seen);
            *seen = count;
            all.extend(new);
        }
        all.sort_by_key(|exchange| exchange.at);
        self.latest.extend(all);
        let over = self.latest.len().saturating_sub(KEPT);
        self.latest.drain(..over);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.latest.len()
    }

    /// One of them, the newest being the first.
    pub(crate) fn get(&self, row: usize) -> Option<&Exchange> {
        self.latest.iter().rev().nth(row)
    }
}

/// Those rows as lines, the newest first.
pub(crate) fn lines(
    rows: Range<usize>,
    progress: &Progress,
    view: &View,
    width: usize,
) -> Vec<Line<'static>> {
    let started = progress.run().and_then(|run| run.started_at.parse().ok());
    let shown = view.requests.latest.iter().rev();
    let shown = shown.skip(rows.start).take(rows.len());
    shown
        .map(|exchange| line(exchange, started, view, width))
        .collect()
}

fn line(
    exchange: &Exchange,
    started: Option<jiff::Timestamp>,
    view: &View,
    width: usize,
) -> Line<'static> {
    let since = started.and_then(|start| exchange.at.duration_since(start).try_into().ok());
    let time = since.map_or_else(String::new, clock);
    let (sign, role) = match exchange.error {
        Some(_) => (Sign::Failed, Role::Bad),
        None => (Sign::Nothing, Role::Dim),
    };
    let status = exchange.status.map_or_else(
        || view.look.sign(Sign::Dash).to_owned(),
        |status| status.to_string(),
    );
    let took = format!("{} ms", exchange.took.as_millis());
    let cells = Cells::new(view.look)
        .right(&time, 7, Role::Dim)
        .gap(1)
        .left(view.look.sign(sign), 2, role)
        .right(&status, 3, role)
        .right(&took, 9, Role::Dim)
        .gap(2);
    let cells = if width >= 100 {
        cells.left(exchange.guid.as_str(), 12, Role::Dim)
    } else {
        cells
    };
    let words = match &exchange.error {
        Some(error) => format!("{}: {error}", exchange.endpoint),
        None => exchange.endpoint.clone(),
    };
    let room = width.saturating_sub(cells.width() + 1);
    cells.left(&words, room, Role::Text).line()
}

/// A request for tests.
#[cfg(test)]
pub(crate) fn exchange(at: &str, endpoint: &str, failed: Option<(u16, &str)>) -> Exchange {
    Exchange {
        at: at.parse().unwrap(),
        guid: crate::domain::Guid::new("5e6f7a8b-u"),
        endpoint: endpoint.to_owned(),
        operation: "saving content:3@en-us".to_owned(),
        status: Some(failed.map_or(200, |(status, _)| status)),
        error: failed.map(|(_, error)| error.to_owned()),
        took: std::time::Duration::from_millis(41),
    }
}
