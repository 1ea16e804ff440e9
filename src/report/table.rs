//! The table of results: a row for each kind, a column for each outcome.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::text::count;
use crate::domain::Kind;
use crate::progress::{Progress, Standing, Tally};

/// Columns that are shown even when nothing ended so.
const ALWAYS: [&str; 4] = ["created", "updated", "unchanged", "failed"];

/// Those of an undo.
const OF_UNDO: [&str; 4] = ["deleted", "restored", "kept", "failed"];

/// Results by kind, and in sum.
pub(crate) struct Results {
    /// The outcomes that get a column, `not processed` where something has no outcome, and `total`.
    pub(crate) columns: Vec<&'static str>,
    /// A row for each kind that the run was about.
    pub(crate) kinds: Vec<Row>,
    /// The sum of all rows.
    pub(crate) all: Row,
}

/// Results of a kind.
pub(crate) struct Row {
    /// The name of the kind.
    pub(crate) name: &'static str,
    /// A number for each column.
    pub(crate) counts: Vec<u32>,
    /// How its entities stand.
    pub(crate) standing: Standing,
}

impl Results {
    /// The results of a run; `None` when it came to nothing.
    pub(crate) fn of(progress: &Progress) -> Option<Self> {
        let (total, remaining) = (progress.total(), progress.remaining());
        if total.total() + remaining == 0 {
            return None;
        }
        let mut columns = shown(&total);
        let counts = |tally: &Tally, left: u32| {
            let wanted = tally.iter().filter(|(name, _)| columns.contains(name));
            let mut counts: Vec<u32> = wanted.map(|(_, number)| number).collect();
            counts.extend((remaining > 0).then_some(left));
            counts.push(tally.total() + left);
            counts
        };
        let of_kind = |kind: Kind| {
            let tally = progress.totals().get(&kind).copied().unwrap_or_default();
            let left = progress.remaining_of(kind);
            let row = || Row {
                name: kind.plural(),
                counts: counts(&tally, left),
                standing: progress.standing_of(kind),
            };
            (tally.total() + left > 0).then(row)
        };
        let kinds = Kind::ALL.into_iter().filter_map(of_kind).collect();
        let all = Row {
            name: "all",
            counts: counts(&total, remaining),
            standing: progress.standing(),
        };
        columns.extend((remaining > 0).then_some("not processed"));
        columns.push("total");
        Some(Self {
            columns,
            kinds,
            all,
        })
    }
}

/// The table as text without a line end; columns of rare outcomes are left out when nothing ended so.
pub(crate) fn outcomes(results: &Results, ascii: bool) -> String {
    let mut table = Table::new();
    table.load_style(style(if ascii { '-' } else { '─' }));
    table.set_header([""].iter().chain(&results.columns));
    let zero = if ascii { "." } else { "·" };
    for row in results.kinds.iter().chain([&results.all]) {
        let numbers = row.counts.iter().map(|number| match number {
            0 => zero.to_owned(),
            more => count(*more),
        });
        let cells = [row.name.to_owned()].into_iter().chain(numbers);
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Nothing but a rule under the head and one at the end.
pub(super) const fn style(rule: char) -> TableStyle {
    let line = LineStyle::none().fill(rule).junction(rule);
    TableStyle::new().header_separator(line).bottom_border(line)
}

/// The outcomes that get a column.
fn shown(total: &Tally) -> Vec<&'static str> {
    let is_undo = total
        .iter()
        .any(|(name, count)| count > 0 && OF_UNDO[..3].contains(&name));
    let always = if is_undo { OF_UNDO } else { ALWAYS };
    let counts = total.iter();
    let shown = counts.filter(|(name, count)| *count > 0 || always.contains(name));
    shown.map(|(name, _)| name).collect()
}
