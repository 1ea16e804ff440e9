//! The outcome of entities in an undo: it stands where an upload has its gates.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::cells::Cells;
use super::draw::{put, title};
use super::theme::Role;
use super::view::{Pane, View};
use crate::domain::Kind;
use crate::progress::{Progress, Tally};
use crate::report::text::count;

/// The rows of it: a title, the names of the columns, and one for each kind.
pub(crate) const HEIGHT: u16 = 10;

/// The width of the names.
const NAME: usize = 13;

/// A column of numbers.
struct Column {
    name: &'static str,
    width: usize,
    role: Role,
    count: fn(&Tally) -> u32,
}

/// As many of them are shown as there is room for. What failed is the last one: it has a list of its own.
const COLUMNS: [Column; 4] = [
    Column::new("deleted", 8, Role::Text, Tally::deleted),
    Column::new("restored", 9, Role::Text, Tally::restored),
    Column::new("kept", 7, Role::Caution, Tally::kept),
    Column::new("failed", 8, Role::Bad, lost),
];

impl Column {
    const fn new(name: &'static str, width: usize, role: Role, count: fn(&Tally) -> u32) -> Self {
        Self {
            name,
            width,
            role,
            count,
        }
    }
}

/// What could not be undone, and what that blocked.
fn lost(tally: &Tally) -> u32 {
    tally.failed() + tally.blocked()
}

/// Draws the kinds that the undo is about, in the order in which they are undone.
pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, progress: &Progress, view: &View) {
    let width = usize::from(area.width);
    let entities = progress.planned().map(|planned| &planned.entities);
    let all: u32 = entities.into_iter().flatten().map(|(_, all)| all).sum();
    let mut room = width.saturating_sub(1 + NAME);
    let fits = |column: &&Column| {
        let fits = column.width <= room;
        room = room.saturating_sub(column.width);
        fits
    };
    let columns = &COLUMNS[..COLUMNS.iter().take_while(fits).count()];
    let remark = format!("{} of {}", count(progress.total().total()), count(all));
    let mut lines = vec![
        title(view, "Outcomes", &remark, Some(Pane::Gates), width),
        head(view, columns),
    ];
    let is_meant = |kind: &Kind| {
        let mut named = entities.into_iter().flatten();
        named.any(|(named, all)| named == kind && *all > 0)
    };
    let kinds = Kind::ALL.into_iter().rev().filter(is_meant);
    lines.extend(kinds.map(|kind| {
        let tally = progress.totals().get(&kind).copied().unwrap_or_default();
        row(view, columns, kind, &tally)
    }));
    put(frame, area, lines);
}

fn head(view: &View, columns: &[Column]) -> Line<'static> {
    let name = |cells: Cells, column: &Column| cells.right(column.name, column.width, Role::Dim);
    let cells = Cells::new(view.look).gap(1 + NAME);
    columns.iter().fold(cells, name).line()
}

fn row(view: &View, columns: &[Column], kind: Kind, tally: &Tally) -> Line<'static> {
    let number = |cells: Cells, column: &Column| {
        cells.number((column.count)(tally), column.width, column.role)
    };
    let cells = Cells::new(view.look)
        .gap(1)
        .left(kind.plural(), NAME, Role::Text);
    columns.iter().fold(cells, number).line()
}
