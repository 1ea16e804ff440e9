//! The table of results: a row for each kind, a column for each outcome.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::text::count;
use crate::domain::{Kind, Outcome};
use crate::progress::{Progress, Tally};

/// Columns that are shown even when nothing ended so.
const ALWAYS: [&str; 4] = ["created", "updated", "unchanged", "failed"];

/// Those of an undo.
const OF_UNDO: [&str; 4] = ["deleted", "restored", "kept", "failed"];

/// The table as text without a line end; columns of rare outcomes are left out when nothing ended so.
pub(crate) fn outcomes(progress: &Progress, ascii: bool) -> String {
    let total = progress.total();
    let shown = shown(&total);
    let mut table = Table::new();
    table.load_style(style(if ascii { '-' } else { '─' }));
    let mut head = vec![String::new()];
    head.extend(shown.iter().map(|name| (*name).to_owned()));
    head.push("total".to_owned());
    table.set_header(head);
    let zero = if ascii { "." } else { "·" };
    for kind in Kind::ALL {
        if let Some(tally) = progress.totals().get(&kind) {
            table.add_row(row(kind.plural(), tally, &shown, zero));
        }
    }
    table.add_row(row("all", &total, &shown, zero));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Nothing but a rule under the head and one at the end.
const fn style(rule: char) -> TableStyle {
    let line = LineStyle::none().fill(rule).junction(rule);
    TableStyle::new().header_separator(line).bottom_border(line)
}

/// The outcomes that get a column.
pub(crate) fn shown(total: &Tally) -> Vec<&'static str> {
    let is_undo = total
        .iter()
        .any(|(name, count)| count > 0 && OF_UNDO[..3].contains(&name));
    let always = if is_undo { OF_UNDO } else { ALWAYS };
    let counts = total.iter();
    let shown = counts.filter(|(name, count)| *count > 0 || always.contains(name));
    shown.map(|(name, _)| name).collect()
}

fn row(head: &str, tally: &Tally, shown: &[&str], zero: &str) -> Vec<String> {
    let mut cells = vec![head.to_owned()];
    let wanted = tally.iter().filter(|(name, _)| shown.contains(name));
    cells.extend(wanted.map(|(_, number)| match number {
        0 => zero.to_owned(),
        more => count(more),
    }));
    cells.push(count(tally.total()));
    debug_assert!(cells.len() <= Outcome::NAMES.len() + 2);
    cells
}
