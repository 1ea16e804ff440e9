//! Tables without lines around their cells: good to read and good to cut.

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use crate::domain::shown;

/// Columns aligned by their widest cell, without blanks at the ends of lines.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    of_rows(header.to_vec(), rows.into_iter().map(Vec::from))
}

/// As [`table`], for as many columns as turn out to be needed; every row has as many cells as the header.
pub(super) fn of_rows(header: Vec<&str>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    let cell = |text: String| shown(&text).into_owned();
    let rows = rows
        .into_iter()
        .map(|row| row.into_iter().map(cell).collect::<Vec<_>>());
    table.load_style(NOTHING).set_header(header).add_rows(rows);
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n")
}
