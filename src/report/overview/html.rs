//! A plan as a page.

use maud::{Markup, html};

use super::facts::{self, conflicts, counts_of, facts, others, title};
use super::words;
use crate::plan::{Change, Entry, Gone, Intended, Overview};
use crate::report::html::parts::{card, page, pair, top};
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
    let (source, target) = (overview.source.as_str(), overview.target.as_str());
    let folded_groups = overview.groups.iter().map(|group| {
        let title = format!("{}: {}", title(group), counts_of(group));
        folded(&title, &all(others(group), entry))
    });
    let summary = html! {
        (counts(overview))
        @for fact in facts(overview) { p { (fact) } "\n" }
    };
    let named = |(key, name): &(_, String)| row(key, name, "");
    let published = all(&overview.published, named);
    let published_title = format!(
        "published afterwards: {}",
        count_of(overview.published.len())
    );
    let removed = all(&overview.removed, |one| row(&one.key, &one.name, &one.what));
    let body = html! {
        (top("Lockgate plan", pair(source, target), "", ""))
        (card("Summary", "", &summary))
        (card("Removed from the target by updates", "", &removed))
        (card(facts::DELETED, "", &all(&overview.deleted, left_over)))
        (card("Conflicts", "", &all(conflicts(overview), entry)))
        @for group in folded_groups { (group) }
        (card("Cycles of references", "Each is saved without these references first, and again with them.", &deferred(overview)))
        (card(facts::WITHDRAWN, "", &all(&overview.withdrawn, named)))
        (folded(&published_title, &published))
        (card(facts::GONE, "", &all(&overview.gone, left_over)))
    };
    let name = format!("Plan for {source} to {target}");
    page(&name, STYLE, body, "")
}

/// One piece of markup for each of several things.
fn all<I: IntoIterator>(things: I, shown: impl Fn(I::Item) -> Markup) -> Markup {
    html! { @for thing in things { (shown(thing)) } }
}

/// A row for each kind, a column for each action that there is.
fn counts(overview: &Overview) -> Markup {
    let (names, rows) = facts::table(overview);
    html! {
        table.counts {
            tr { th {} @for name in names { th { (name) } } }
            "\n"
            @for (kind, counts) in rows {
                tr { th { (kind.plural()) } @for count in counts { td { (facts::cell(count, "·")) } } }
                "\n"
            }
        }
        "\n"
    }
}

/// A part that opens; nothing without a body.
fn folded(title: &str, body: &Markup) -> Markup {
    html! {
        @if !body.0.is_empty() {
            details.card { summary { (title) } "\n" (body) }
            "\n"
        }
    }
}

fn row(key: &impl ToString, name: &str, more: &str) -> Markup {
    html! {
        div.entry { code { (key.to_string()) } " " (name) " " span.soft { (more) } }
        "\n"
    }
}

fn left_over(one: &Gone) -> Markup {
    let because = one.because.as_ref().map(|because| format!(": {because}"));
    let there = format!(
        "{} on the target{}",
        one.target,
        because.unwrap_or_default()
    );
    row(&one.key, &one.name, &there)
}

fn deferred(overview: &Overview) -> Markup {
    html! {
        @for cycle in &overview.deferred {
            div.entry {
                (cycle.members.join(", "))
                @for (from, to) in &cycle.references { div.change { (from) " " span.soft { "to" } " " (to) } }
            }
            "\n"
        }
    }
}

fn entry(entry: &Entry) -> Markup {
    let is_conflict = entry.action == Intended::Conflict;
    let urls = [("source", &entry.source_url), ("target", &entry.target_url)];
    html! {
        div.entry {
            b { (facts::name(entry.action)) } " " code { (entry.key.to_string()) } " " (entry.name)
            div.soft.small { (entry.because) }
            @if is_conflict {
                @for (side, url) in urls {
                    @if let Some(url) = url { a href=(url) { "edit the " (side) } " " }
                }
            }
            @for one in &entry.changes { (change(one, is_conflict)) }
        }
        "\n"
    }
}

fn change(change: &Change, is_conflict: bool) -> Markup {
    if let Change::File(file) = change {
        return self::change(&file.readable(), is_conflict);
    }
    html! {
        div.change {
            b { (change.field()) } " "
            @match change {
                Change::Value { was, becomes, .. } => {
                    (value(was.as_deref().unwrap_or_default(), becomes.as_deref().unwrap_or_default(), is_conflict))
                }
                Change::File(_) => {}
                Change::List { removed, added, moved, .. } => {
                    @for entry in removed { div { del { (entry) } } }
                    @for entry in added { div { ins { (entry) } } }
                    @for one in moved { div { (one.what) " moves from " (one.from) " to " (one.to) } }
                }
            }
        }
    }
}

/// Both values of a field: beside each other in a conflict, otherwise as the change from one to the other.
fn value(was: &str, becomes: &str, is_conflict: bool) -> Markup {
    let is_long = words::is_long(was, becomes);
    html! {
        @if is_conflict {
            div.sides {
                @for (side, sign, short) in [("target", '-', was), ("source", '+', becomes)] {
                    div {
                        (side)
                        div.words { @if is_long { (lines(was, becomes, Some(sign))) } @else { (short) } }
                    }
                }
            }
        } @else if is_long {
            div.words { (lines(was, becomes, None)) }
        } @else {
            del { (was) } " → " ins { (becomes) }
        }
    }
}

/// The lines that change; of one side with its sign alone, those that stay included.
fn lines(was: &str, becomes: &str, only: Option<char>) -> Markup {
    let lines = words::lines(was, becomes).into_iter();
    let shown = lines.filter(|line| only.is_none_or(|sign| [sign, ' '].contains(&line.sign)));
    html! {
        @for line in shown {
            (line.sign) " "
            @for (changed, part) in &line.parts {
                @match (changed, line.sign) {
                    (true, '-') => del { (part) },
                    (true, '+') => ins { (part) },
                    _ => (part),
                }
            }
            "\n"
        }
    }
}
