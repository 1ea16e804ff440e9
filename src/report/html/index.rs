//! `index.html`: every run of a workspace.

use std::time::Duration;

use super::parts::{card, escape, page, percent, search};
use super::report::start;
use crate::report::closing;
use crate::report::text::{count, share, took};

/// A run as the index lists it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IndexRow {
    /// The run, which is the name of its folder.
    pub(crate) run: String,
    /// Source and target, as the run reported.
    pub(crate) pair: Option<(String, String)>,
    /// RFC 3339; empty when the run ended before it was known.
    pub(crate) started_at: String,
    /// Whether it was a rehearsal.
    pub(crate) dry_run: bool,
    /// The command; `None` where it was not recorded.
    pub(crate) command: Option<String>,
    /// The exit code; `None` when it has no end.
    pub(crate) exit: Option<u8>,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// Entities of the source.
    pub(crate) entities: u64,
    /// Entities that failed or were blocked.
    pub(crate) troubles: u64,
    /// The share that agreed at its end, from 0 to 1.
    pub(crate) success: Option<f64>,
    /// Where it leads: a page, a folder or an archive, relative to the index.
    pub(crate) link: String,
    /// Whether its folder was archived.
    pub(crate) archived: bool,
}

/// The page over these runs, in the order given.
pub(crate) fn index(rows: &[IndexRow]) -> String {
    let mut body = format!(
        "<header class=\"top\"><div><div class=\"brand\">Lockgate</div><h1>Runs of this workspace</h1>\
         <p class=\"soft small\">{}, newest first</p></div></header>\n",
        count(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    );
    let longest = rows.iter().map(|row| row.elapsed.as_secs()).max();
    let mut table = search("runs", "by instance, date or result");
    table += "<div class=\"wide\"><table id=\"runs\"><thead><tr><th>run</th><th>result</th><th>source → target</th>\
              <th>started</th><th class=\"number\">took</th><th></th><th class=\"number\">entities</th>\
              <th class=\"number\">failed</th><th class=\"number\">agreed</th></tr></thead><tbody>\n";
    for row in rows {
        table += &line(row, longest.unwrap_or(0));
    }
    table += "</tbody></table></div>\n";
    body += &card("", "", &table).replace("<h2></h2>\n", "");
    page("Lockgate runs", "", &body, "")
}

fn line(row: &IndexRow, longest: u64) -> String {
    let (class, sign) = match row.exit {
        Some(0) => ("agreed", "✓"),
        Some(5 | 130) => ("conflict", "!"),
        Some(_) => ("failed", "✕"),
        None => ("", "…"),
    };
    let words = row.exit.map_or("no end recorded", closing::exit_words);
    let pair = row.pair.as_ref().map_or_else(
        || "–".to_owned(),
        |(source, target)| format!("{} → {}", escape(source), escape(target)),
    );
    let dry = if row.dry_run {
        " <span class=\"tag\">dry run</span>"
    } else {
        ""
    };
    let archived = if row.archived {
        " <span class=\"tag\">archived</span>"
    } else {
        ""
    };
    format!(
        "<tr><td><a class=\"key\" href=\"{}\">{}</a>{archived}</td><td><span class=\"tag {class}\">{sign} {words}</span>{dry}</td>\
         <td>{pair}</td><td>{}</td><td class=\"number\">{}</td>\
         <td class=\"gauge\" style=\"min-width:60px\"><div class=\"meter l0\"><i style=\"width:{}\"></i></div></td>\
         <td class=\"number\" data-name=\"entities\">{}</td><td class=\"number\" data-name=\"failed\">{}</td>\
         <td class=\"number\" data-name=\"agreed\">{}</td></tr>\n",
        escape(&row.link),
        escape(&row.run),
        escape(&start(&row.started_at)),
        took(row.elapsed),
        percent(row.elapsed.as_secs(), longest),
        count(row.entities),
        count(row.troubles),
        row.success.map_or_else(|| "–".to_owned(), share),
    )
}
