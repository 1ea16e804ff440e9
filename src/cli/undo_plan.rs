//! The plan of an undo as people and programs read it.

use std::io::{self, Write};

use serde_json::json;

use super::table::of_rows;
use crate::config::{OutputMode, Settings};
use crate::domain::{Kind, shown};
use crate::engine::UndoOutlook;
use crate::plan::undo::Decision;
use crate::report::overview::webhooks_before;

/// The decisions, in the order of their columns.
const COLUMNS: [&str; 9] = [
    "delete",
    "restore",
    "create again",
    "as before",
    "gone already",
    "changed since",
    "still needed",
    "not restorable",
    "protected",
];

/// What does not come back with what was deleted.
const NEW_IDS: &str = "What is created again has a new id and no history; references between what this undo writes are rewritten, \
                       links to the former ids from elsewhere are not. An older published version does not come back.";

/// Writes a table with the number of entities by kind and decision, then what is skipped, by name and with the
/// reason, and the webhooks that it fires; or one JSON object per entity.
pub(super) fn write(
    outlook: &UndoOutlook,
    settings: &Settings,
    out: &mut (dyn Write + Send),
) -> io::Result<()> {
    if settings.output.mode == OutputMode::Json {
        lines(outlook, out)?;
    } else {
        writeln!(out, "{}", counts(outlook))?;
        let again = outlook.plan.entities.iter();
        if again
            .into_iter()
            .any(|decided| decided.decision == Decision::CreateAgain)
        {
            writeln!(out, "\n{NEW_IDS}")?;
        }
        kept(outlook, out)?;
        let webhooks = outlook.webhooks.iter().filter(|_| outlook.has_work());
        let names: Vec<String> = webhooks.map(|one| one.name.to_string()).collect();
        if let Some(line) = webhooks_before(&names, settings.sync.pause_webhooks) {
            writeln!(out, "\n{line}")?;
        }
    }
    out.flush()
}

fn counts(outlook: &UndoOutlook) -> String {
    let counts = outlook.plan.counts(&outlook.traces);
    if counts.is_empty() {
        return format!("run {} wrote nothing that could be undone", outlook.undone);
    }
    let sum = |column: &str| {
        counts
            .values()
            .filter_map(|row| row.get(column))
            .sum::<u32>()
    };
    let shown: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|column| matches!(*column, "delete" | "restore") || sum(column) > 0)
        .collect();
    let row = |head: &str, number: &dyn Fn(&str) -> u32| {
        let numbers: Vec<u32> = shown.iter().map(|column| number(column)).collect();
        let mut cells = vec![head.to_owned()];
        cells.extend(numbers.iter().map(ToString::to_string));
        cells.push(numbers.iter().sum::<u32>().to_string());
        cells
    };
    let mut rows: Vec<Vec<String>> = Kind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind, counts.get(&kind)?)))
        .map(|(kind, of_kind)| {
            let number = |column: &str| of_kind.get(column).copied().unwrap_or(0);
            row(kind.plural(), &number)
        })
        .collect();
    rows.push(row("all", &sum));
    let mut header = vec!["kind"];
    header.extend(&shown);
    header.push("total");
    of_rows(header, rows)
}

fn kept(outlook: &UndoOutlook, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut is_first = true;
    for (trace, decided) in outlook.traces.iter().zip(&outlook.plan.entities) {
        if let Decision::Keep(why) = &decided.decision {
            if std::mem::take(&mut is_first) {
                writeln!(out, "\nleft alone:")?;
            }
            let (decision, key) = (decided.decision.name(), &trace.key);
            writeln!(
                out,
                "  {decision}  {key}  {:?}: {}",
                trace.name,
                shown(&why.to_string())
            )?;
        }
    }
    Ok(())
}

fn lines(outlook: &UndoOutlook, out: &mut (dyn Write + Send)) -> io::Result<()> {
    for (trace, decided) in outlook.traces.iter().zip(&outlook.plan.entities) {
        let why = match &decided.decision {
            Decision::Keep(why) => Some(why.to_string()),
            Decision::Delete
            | Decision::Restore
            | Decision::CreateAgain
            | Decision::AsBefore
            | Decision::Gone => None,
        };
        let line = json!({
            "key": trace.key,
            "name": trace.name,
            "target": trace.there.id,
            "decision": decided.decision.name(),
            "publish": decided.publish,
            "because": why,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
