//! Rows of data: as tables without lines around their cells, good to read and good to cut, or as JSON, one object a line.

use std::io::{self, Write};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use crate::domain::shown;

/// Prints one JSON object as a line.
pub(super) fn json_line(row: &impl Serialize, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let line = serde_json::to_string(row).map_err(io::Error::from)?;
    writeln!(out, "{line}")
}

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
