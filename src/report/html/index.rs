//! `index.html`: every run of a workspace.

use std::time::Duration;

use maud::{Markup, html};

use super::parts::{card, page, percent, table, top};
use super::report::start;
use crate::report::closing;
use crate::report::text::{count, count_of, share, took};

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
    let facts = html! { p.soft.small { (count_of(rows.len())) ", newest first" } };
    let longest = rows.iter().map(|row| row.elapsed.as_secs()).max();
    let head = html! {
        th { "run" } th { "result" } th { "source → target" } th { "started" } th.number { "took" } th {}
        th.number { "entities" } th.number { "failed" } th.number { "agreed" }
    };
    let lines = html! { @for row in rows { (line(row, longest.unwrap_or(0))) "\n" } };
    let body = html! {
        (top("Lockgate", "Runs of this workspace", facts, ""))
        (card("", "", &table("wide", "runs", "by instance, date or result", &head, &lines)))
    };
    page("Lockgate runs", "", body, "")
}

fn line(row: &IndexRow, longest: u64) -> Markup {
    let (class, sign) = match row.exit {
        Some(0) => ("agreed", "✓"),
        Some(5 | 130) => ("conflict", "!"),
        Some(_) => ("failed", "✕"),
        None => ("", "…"),
    };
    html! {
        tr {
            td {
                a.key href=(row.link) { (row.run) }
                @if row.archived { " " span.tag { "archived" } }
            }
            td {
                span.tag.(class) { (sign) " " (row.exit.map_or("no end recorded", closing::exit_words)) }
                @if row.dry_run { " " span.tag { "dry run" } }
            }
            td { @if let Some((source, target)) = &row.pair { (source) " → " (target) } @else { "–" } }
            td { (start(&row.started_at)) }
            td.number { (took(row.elapsed)) }
            td.gauge style="min-width:60px" {
                div.meter.l0 { i style={ "width:" (percent(row.elapsed.as_secs(), longest)) } {} }
            }
            td.number data-name="entities" { (count(row.entities)) }
            td.number data-name="failed" { (count(row.troubles)) }
            td.number data-name="agreed" { (row.success.map_or_else(|| "–".to_owned(), share)) }
        }
    }
}
