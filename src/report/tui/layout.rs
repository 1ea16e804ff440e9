//! Which part stands where, for three sizes of a screen.

use ratatui::layout::{Constraint, Layout, Rect};

use super::lanes::{self, Kinds};
use super::lists;
use super::view::{Pane, View};
use super::{outcomes, pace};
use crate::progress::Progress;

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The lanes.
    Lanes(Kinds),
    /// The gates, or the outcome of entities in an undo.
    Gates,
    /// The pace.
    Pace,
    /// The batches.
    Batches,
    /// The failures.
    Failures,
    /// Lists of which one is seen.
    Tabs(&'static [Pane]),
    /// The curve of the uploads.
    Throughput,
    /// The slowest uploads.
    Slowest,
}

impl Part {
    /// The list that stands there; `None` where nothing can be selected.
    pub(crate) fn pane(self, view: &View) -> Option<Pane> {
        match self {
            Self::Lanes(_) => Some(Pane::Lanes),
            Self::Gates => Some(Pane::Gates),
            Self::Batches => Some(Pane::Batches),
            Self::Failures => Some(Pane::Failures),
            Self::Tabs(panes) => Some(lists::tab(panes, view)),
            Self::Pace | Self::Throughput | Self::Slowest => None,
        }
    }
}

/// Parts and their places.
pub(crate) type Places = Vec<(Part, Rect)>;

/// The head, the body and the foot of the screen.
pub(crate) fn bands(area: Rect) -> [Rect; 3] {
    Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area)
}

/// Where each part of the body stands, of a screen of this size.
pub(crate) fn places(screen: Rect, body: Rect, progress: &Progress, view: &View) -> Places {
    match (screen.width, screen.height) {
        (150.., 40..) => wide(body, progress, view),
        (100.., 30..) => medium(body, progress, view),
        _ => compact(body, progress, view),
    }
}

/// The lists that share the place at the bottom of a small screen.
const ALL_LISTS: &[Pane] = &[Pane::Log, Pane::Failures, Pane::Batches, Pane::Requests];

/// The lists that share it where failures and batches have a place of their own.
const LOGS: &[Pane] = &[Pane::Log, Pane::Requests];

/// Rows below the lanes of the smallest layout without which no kinds are shown.
const ROOM_FOR_LISTS: usize = 8;

fn compact(body: Rect, progress: &Progress, view: &View) -> Places {
    let height = |kinds| lanes::lines(progress, view, body.width.into(), kinds).len();
    let has_room = height(Kinds::Unfinished) + ROOM_FOR_LISTS <= body.height.into();
    let kinds = if has_room {
        Kinds::Unfinished
    } else {
        Kinds::Hidden
    };
    let [upper, middle, lower] = Layout::vertical([
        Constraint::Length(rows(height(kinds))),
        Constraint::Fill(3),
        Constraint::Fill(2),
    ])
    .areas(body);
    let mut places = vec![(Part::Lanes(kinds), upper)];
    if body.width < 60 {
        places.push((Part::Gates, middle));
    } else {
        let [left, right] = halves(middle, 50);
        places.extend([(Part::Gates, left), (Part::Pace, right)]);
    }
    places.push((Part::Tabs(ALL_LISTS), lower));
    places
}

fn medium(body: Rect, progress: &Progress, view: &View) -> Places {
    let lanes = lanes::lines(progress, view, body.width.into(), Kinds::Shown);
    let [upper, middle, lower] = Layout::vertical([
        Constraint::Length(rows(lanes.len())),
        Constraint::Fill(3),
        Constraint::Fill(2),
    ])
    .areas(body);
    let [left, right] = halves(middle, 54);
    let [pace_area, rest] =
        Layout::vertical([Constraint::Length(pace::HEIGHT), Constraint::Fill(1)]).areas(right);
    let failures = match view.focus {
        Pane::Failures => true,
        Pane::Batches => false,
        Pane::Log | Pane::Requests | Pane::Gates | Pane::Lanes => !progress.causes().is_empty(),
    };
    let list = if failures {
        Part::Failures
    } else {
        Part::Batches
    };
    vec![
        (Part::Lanes(Kinds::Shown), upper),
        (Part::Gates, left),
        (Part::Pace, pace_area),
        (list, rest),
        (Part::Tabs(LOGS), lower),
    ]
}

fn wide(body: Rect, progress: &Progress, view: &View) -> Places {
    let [upper, lower] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(body);
    let [left, right] = halves(upper, 62);
    let lanes = lanes::lines(progress, view, left.width.into(), Kinds::Shown);
    let batches_height = rows(progress.batches().len().clamp(1, 6) + 1);
    let [lanes_area, batches, failures] = Layout::vertical([
        Constraint::Length(rows(lanes.len())),
        Constraint::Length(batches_height),
        Constraint::Fill(1),
    ])
    .areas(left);
    let gates = match progress.undone() {
        Some(_) => outcomes::HEIGHT,
        None => rows(progress.gates().len() + 1),
    };
    let [pace_area, gates_area, curve] = Layout::vertical([
        Constraint::Length(pace::HEIGHT),
        Constraint::Max(gates.max(2)),
        Constraint::Fill(1),
    ])
    .areas(right);
    let [log, slowest] = halves(lower, 62);
    vec![
        (Part::Lanes(Kinds::Shown), lanes_area),
        (Part::Batches, batches),
        (Part::Failures, failures),
        (Part::Pace, pace_area),
        (Part::Gates, gates_area),
        (Part::Throughput, curve),
        (Part::Tabs(LOGS), log),
        (Part::Slowest, slowest),
    ]
}

fn rows(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// Two columns, the left one with so many per cent, and a gap between them.
fn halves(area: Rect, percent: u16) -> [Rect; 2] {
    Layout::horizontal([Constraint::Percentage(percent), Constraint::Fill(1)])
        .spacing(1)
        .areas(area)
}
