//! A plan as a page.

use super::facts::{self, conflicts, counts_of, facts, others, title};
use super::words;
use crate::plan::{Change, Entry, Gone, Intended, Overview};
use crate::report::html::parts::{card, escape, page};
use crate::report::text::count_of;

const STYLE: &str = "\
details.card > summary { cursor: pointer; font-weight: 640; }
.entry { border-top: 1px solid var(--line); padding: 10px 0; overflow-wrap: anywhere; }
.entry > b { display: inline-block; min-width: 84px; }
.change { margin: 6px 0 0 84px; font-size: 13px; }
.change ins, .change del { text-decoration: none; border-radius: 3px; padding: 0 2px; }
.change ins { background: var(--good-well); color: var(--good); } .change del { background: var(--bad-well); color: var(--bad); }
.change .words { white-space: pre-wrap; font-family: ui-monospace, Menlo, Consolas, monospace; }
.counts { border-collapse: collapse; margin: 6px 0 14px; font-size: 13px; }
.counts th, .counts td { text-align: right; padding: 2px 14px 2px 0; } .counts th { font-weight: 500; }
.counts th:first-child { text-align: left; } .counts tr:last-child > * { border-bottom: 0; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
@media (max-width: 560px) { .sides { grid-template-columns: 1fr; } .change { margin-left: 0; } }
@media print { details.card::details-content { content-visibility: visible; block-size: auto; } details.card > summary { list-style: none; } }
";

/// A plan as one page without anything from outside.
pub fn html(overview: &Overview) -> String {
    let name = format!("Plan for {} to {}", overview.source, overview.target);
    let head = format!(
        "<header class=\"top\"><div><div class=\"brand\">Lockgate plan</div><h1>{}<span class=\"arrow\">→</span>{}</h1></div></header>\n",
        escape(overview.source.as_str()),
        escape(overview.target.as_str())
    );
    let facts = facts(overview).into_iter();
    let facts: Vec<String> = facts
        .map(|fact| {
            format!(
                "<p>{}</p>
",
                escape(&fact)
            )
        })
        .collect();
    let removed = overview.removed.iter();
    let removed = removed.map(|one| row(&one.key.to_string(), &one.name, &one.what));
    let withdrawn = overview.withdrawn.iter();
    let withdrawn = withdrawn.map(|(key, name)| row(&key.to_string(), name, ""));
    let published = overview.published.iter();
    let published = published.map(|(key, name)| row(&key.to_string(), name, ""));
    let left_over = |one: &Gone| {
        let there = format!("{} on the target", one.target);
        let there = match &one.because {
            Some(because) => format!("{there}: {because}"),
            None => there,
        };
        row(&one.key.to_string(), &one.name, &there)
    };
    let deleted = overview.deleted.iter().map(left_over);
    let gone = overview.gone.iter().map(left_over);
    let groups = overview.groups.iter().map(|group| {
        let entries: String = others(group).map(entry).collect();
        folded(&format!("{}: {}", title(group), counts_of(group)), &entries)
    });
    let body = [
        head,
        card("Summary", "", &(counts(overview) + &facts.concat())),
        card(
            "Removed from the target by updates",
            "",
            &removed.collect::<String>(),
        ),
        card(facts::DELETED, "", &deleted.collect::<String>()),
        card(
            "Conflicts",
            "",
            &conflicts(overview).map(entry).collect::<String>(),
        ),
        groups.collect(),
        card(
            "Cycles of references",
            "Each is saved without these references first, and again with them.",
            &deferred(overview),
        ),
        card(facts::WITHDRAWN, "", &withdrawn.collect::<String>()),
        folded(
            &format!(
                "published afterwards: {}",
                count_of(overview.published.len())
            ),
            &published.collect::<String>(),
        ),
        card(facts::GONE, "", &gone.collect::<String>()),
    ];
    page(&name, STYLE, &body.concat(), "")
}

/// A row for each kind, a column for each action that there is.
fn counts(overview: &Overview) -> String {
    let (names, rows) = facts::table(overview);
    let mut out = "<table class=\"counts\"><tr><th></th>".to_owned();
    for name in names {
        append!(out, "<th>{name}</th>");
    }
    out.push_str("</tr>\n");
    for (kind, counts) in rows {
        append!(out, "<tr><th>{}</th>", kind.plural());
        for count in counts {
            append!(out, "<td>{}</td>", facts::cell(count, "·"));
        }
        out.push_str("</tr>\n");
    }
    out + "</table>\n"
}

/// A part that opens; nothing without a body.
fn folded(title: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!(
        "<details class=\"card\"><summary>{}</summary>\n{body}</details>\n",
        escape(title)
    )
}

fn row(key: &str, name: &str, more: &str) -> String {
    format!(
        "<div class=\"entry\"><code>{}</code> {} <span class=\"soft\">{}</span></div>\n",
        escape(key),
        escape(name),
        escape(more)
    )
}

fn deferred(overview: &Overview) -> String {
    let mut out = String::new();
    for cycle in &overview.deferred {
        append!(
            out,
            "<div class=\"entry\">{}",
            escape(&cycle.members.join(", "))
        );
        for (from, to) in &cycle.references {
            append!(
                out,
                "<div class=\"change\">{} <span class=\"soft\">to</span> {}</div>",
                escape(from),
                escape(to)
            );
        }
        out.push_str("</div>\n");
    }
    out
}

fn entry(entry: &Entry) -> String {
    let mut out = format!(
        "<div class=\"entry\"><b>{}</b> <code>{}</code> {}<div class=\"soft small\">{}</div>",
        facts::name(entry.action),
        escape(&entry.key.to_string()),
        escape(&entry.name),
        escape(&entry.because)
    );
    let is_conflict = entry.action == Intended::Conflict;
    if is_conflict {
        let urls = [("source", &entry.source_url), ("target", &entry.target_url)];
        for (side, url) in urls {
            if let Some(url) = url {
                append!(out, "<a href=\"{}\">edit the {side}</a> ", escape(url));
            }
        }
    }
    for one in &entry.changes {
        out.push_str(&change(one, is_conflict));
    }
    out.push_str("</div>\n");
    out
}

fn change(change: &Change, is_conflict: bool) -> String {
    let mut out = format!("<div class=\"change\"><b>{}</b> ", escape(change.field()));
    match change {
        Change::File(file) => return self::change(&file.readable(), is_conflict),
        Change::Value { was, becomes, .. } => {
            let (was, becomes) = (
                was.as_deref().unwrap_or_default(),
                becomes.as_deref().unwrap_or_default(),
            );
            if is_conflict {
                append!(
                    out,
                    "<div class=\"sides\"><div>target<div class=\"words\">{}</div></div><div>source<div class=\"words\">{}</div></div></div>",
                    side(was, becomes, '-'),
                    side(was, becomes, '+')
                );
            } else if words::is_long(was, becomes) {
                append!(
                    out,
                    "<div class=\"words\">{}</div>",
                    lines(was, becomes, None)
                );
            } else {
                append!(
                    out,
                    "<del>{}</del> → <ins>{}</ins>",
                    escape(was),
                    escape(becomes)
                );
            }
        }
        Change::List {
            removed,
            added,
            moved,
            ..
        } => {
            for entry in removed {
                append!(out, "<div><del>{}</del></div>", escape(entry));
            }
            for entry in added {
                append!(out, "<div><ins>{}</ins></div>", escape(entry));
            }
            for one in moved {
                append!(
                    out,
                    "<div>{} moves from {} to {}</div>",
                    escape(&one.what),
                    one.from,
                    one.to
                );
            }
        }
    }
    out.push_str("</div>");
    out
}

/// One side of a conflict.
fn side(was: &str, becomes: &str, sign: char) -> String {
    if words::is_long(was, becomes) {
        return lines(was, becomes, Some(sign));
    }
    escape(if sign == '-' { was } else { becomes }).into_owned()
}

/// The lines that change; of one side with its sign alone, those that stay included.
fn lines(was: &str, becomes: &str, only: Option<char>) -> String {
    let mut out = String::new();
    for line in words::lines(was, becomes) {
        if only.is_some_and(|sign| line.sign != sign && line.sign != ' ') {
            continue;
        }
        let mark = match line.sign {
            '-' => Some("del"),
            '+' => Some("ins"),
            _ => None,
        };
        append!(out, "{} ", line.sign);
        for (changed, part) in &line.parts {
            match mark.filter(|_| *changed) {
                Some(mark) => append!(out, "<{mark}>{}</{mark}>", escape(part)),
                None => out.push_str(&escape(part)),
            }
        }
        out.push('\n');
    }
    out
}
