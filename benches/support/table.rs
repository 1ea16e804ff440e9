//! Tables in Markdown, and the place in a document where one is kept.

use std::fs;
use std::io;
use std::path::Path;

/// A table whose first `keys` columns distinguish its rows.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) keys: usize,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(head: &[&str], keys: usize) -> Self {
        let head = head.iter().map(|name| (*name).to_owned()).collect();
        let rows = Vec::new();
        Self { head, keys, rows }
    }

    /// Adds a row; one with the same keys goes.
    pub(crate) fn put(&mut self, row: Vec<String>) {
        let keys = self.keys;
        match self.rows.iter().position(|old| old[..keys] == row[..keys]) {
            Some(at) => self.rows[at] = row,
            None => self.rows.push(row),
        }
    }

    /// The head with the line below it.
    pub(crate) fn opening(&self) -> String {
        let rule: Vec<_> = (0..self.head.len())
            .map(|at| if at < self.keys { "---" } else { "---:" }.to_owned())
            .collect();
        format!("{}\n{}", line(&self.head), line(&rule))
    }

    /// Keeps the rows between `<!-- name -->` and `<!-- /name -->` of a document. Rows that are there already stay
    /// unless this table has one of the same keys, so a table may be measured piece by piece.
    ///
    /// # Errors
    /// The document cannot be read or written, or lacks one of the marks.
    pub(crate) fn keep_in(&self, path: &Path, name: &str) -> io::Result<()> {
        let text = fs::read_to_string(path)?;
        let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
        let parts = text.split_once(&open).and_then(|(before, rest)| {
            let (inside, after) = rest.split_once(&close)?;
            Some((before, inside, after))
        });
        let Some((before, inside, after)) = parts else {
            let missing = format!("{} has no {open} … {close}", path.display());
            return Err(io::Error::other(missing));
        };
        let mut whole = Self {
            rows: rows_of(inside, &self.head),
            ..self.clone()
        };
        self.rows.iter().cloned().for_each(|row| whole.put(row));
        let rows: Vec<_> = whole.rows.iter().map(|row| line(row)).collect();
        let table = format!("{}\n{}", whole.opening(), rows.join("\n"));
        fs::write(path, format!("{before}{open}\n\n{table}\n\n{close}{after}"))
    }
}

/// A row as a line of the document.
pub(crate) fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// The rows of a table in a document; none if its columns are others.
fn rows_of(text: &str, head: &[String]) -> Vec<Vec<String>> {
    let mut lines = text.lines().filter_map(cells);
    if lines.next().as_deref() != Some(head) {
        return Vec::new();
    }
    lines
        .skip(1)
        .filter(|row| row.len() == head.len())
        .collect()
}

fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect(),
    )
}

/// A number with so many digits behind the point, or a dash.
pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}
