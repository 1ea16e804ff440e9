//! A plan for a comment on a pull request.

use super::facts::{self, conflicts, counts_of, facts, others, reason, title};
use super::words;
use crate::domain::shown_lines;
use crate::plan::{Change, Entry, Gone, Intended, Overview};
use crate::report::run_folder::{grid, inline};
use crate::report::text::{clean, count_of, short};

/// Characters of the whole text. A comment on a pull request takes 65,536.
const LIMIT: usize = 60_000;
/// Characters that are kept free for what closes a part and the sentence about what was cut.
const RESERVE: usize = 400;
/// Characters of one difference; a longer one is in the other forms.
const CHANGE: usize = 4_000;

/// A plan as Markdown of at most 60,000 characters; what was cut is said at its end.
pub fn markdown(overview: &Overview) -> String {
    let mut page = Page::default();
    let ends = format!("{} → {}", overview.source, overview.target);
    page.add(&format!("### Lockgate plan: {}\n\n", inline(&ends)));
    for fact in facts(overview) {
        page.add(&format!("- {}\n", inline(&fact)));
    }
    page.add(&format!("\n{}\n", counts(overview)));
    let removed = overview.removed.iter();
    page.folded(
        " open",
        "Removed from the target by updates",
        removed.map(|one| {
            format!(
                "- `{}` {}: {}\n",
                one.key,
                inline(&one.name),
                inline(&one.what)
            )
        }),
    );
    let deleted = overview.deleted.iter().map(left_over);
    page.folded(" open", facts::DELETED, deleted);
    page.folded(" open", "Conflicts", conflicts(overview).map(entry));
    for group in &overview.groups {
        let heading = format!("{}: {}", title(group), counts_of(group));
        page.part(&heading, others(group).map(entry));
    }
    let cycles = overview.deferred.iter();
    page.part(
        "Cycles of references",
        cycles.map(|cycle| {
            let mut text = format!("- {}\n", inline(&cycle.members.join(", ")));
            for (from, to) in &cycle.references {
                append!(
                    text,
                    "  - {}: its reference to {} is written afterwards\n",
                    inline(from),
                    inline(to)
                );
            }
            text
        }),
    );
    for (title, entities) in [
        (facts::WITHDRAWN, &overview.withdrawn),
        ("Published afterwards", &overview.published),
    ] {
        let entities = entities.iter();
        page.part(
            title,
            entities.map(|(key, name)| format!("- `{key}` {}\n", inline(name))),
        );
    }
    page.part(facts::GONE, overview.gone.iter().map(left_over));
    page.end()
}

fn left_over(gone: &Gone) -> String {
    format!("- `{}` {}\n", gone.key, inline(&facts::left_over(gone)))
}

#[derive(Default)]
struct Page {
    text: String,
    characters: usize,
    cut: usize,
}

impl Page {
    /// Adds a text that fits; false if it does not.
    fn add(&mut self, text: &str) -> bool {
        let characters = text.chars().count();
        let fits = self.characters + characters + RESERVE <= LIMIT;
        if fits {
            self.text.push_str(text);
            self.characters += characters;
        }
        fits
    }

    /// A part that is folded.
    fn part(&mut self, title: &str, entries: impl Iterator<Item = String>) {
        self.folded("", title, entries);
    }

    /// A part that can be folded; `opens` is the attribute of one that is not. What does not fit is counted.
    fn folded(&mut self, opens: &str, title: &str, entries: impl Iterator<Item = String>) {
        let mut entries = entries.peekable();
        if entries.peek().is_none() {
            return;
        }
        let title = shown_html(title);
        let is_open = self.add(&format!("<details{opens}><summary>{title}</summary>\n\n"));
        for entry in entries {
            if !(is_open && self.add(&entry)) {
                self.cut += 1;
            }
        }
        if is_open {
            self.text.push_str("\n</details>\n\n");
            self.characters += "\n</details>\n\n".len();
        }
    }

    fn end(mut self) -> String {
        if self.cut > 0 {
            let rows = if self.cut == 1 {
                "entry does"
            } else {
                "entries do"
            };
            append!(
                self.text,
                "**{} {rows} not fit into this comment** of {} characters; `lockgate plan --format html` shows everything.\n",
                count_of(self.cut),
                count_of(LIMIT)
            );
        }
        self.text
    }
}

fn shown_html(text: &str) -> String {
    maud::html! { (clean(text)) }.into_string()
}

fn entry(entry: &Entry) -> String {
    let action = facts::name(entry.action);
    let reason = reason(entry).map(|reason| format!("<br>{}", inline(reason)));
    let mut text = format!(
        "- **{action}** `{}` {}{}\n",
        entry.key,
        inline(&entry.name),
        reason.unwrap_or_default()
    );
    if entry.action == Intended::Conflict {
        let urls = [("source", &entry.source_url), ("target", &entry.target_url)];
        for (side, url) in urls {
            if let Some(url) = url {
                append!(text, "  - [edit the {side}]({url})\n");
            }
        }
    }
    let changes: String = entry.changes.iter().map(change).collect();
    if changes.is_empty() {
        return text;
    }
    let changes = match changes.char_indices().nth(CHANGE) {
        Some((end, _)) => format!("{}\n… cut", &changes[..end]),
        None => changes,
    };
    let fence = fence(&changes);
    append!(text, "\n  {fence}diff\n");
    for line in changes.lines() {
        append!(text, "  {line}\n");
    }
    append!(text, "  {fence}\n\n");
    text
}

/// Lines of a difference: what goes begins with `-`, what comes with `+`.
fn change(change: &Change) -> String {
    match change {
        Change::File(file) => self::change(&file.readable()),
        Change::Value {
            field,
            was,
            becomes,
        } => {
            let (was_text, text) = (
                was.as_deref().unwrap_or_default(),
                becomes.as_deref().unwrap_or_default(),
            );
            let mut out = format!("@@ {} @@\n", short(field, 200));
            if words::is_long(was_text, text) {
                for line in words::lines(was_text, text) {
                    let parts: String = line.parts.iter().map(|(_, part)| part.as_str()).collect();
                    append!(out, "{}{}\n", line.sign, one_line(&parts));
                }
                return out;
            }
            for (sign, text) in [('-', was), ('+', becomes)] {
                if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                    append!(out, "{sign}{}\n", one_line(text));
                }
            }
            out
        }
        Change::List {
            field,
            removed,
            added,
            moved,
        } => {
            let mut out = format!("@@ {} @@\n", short(field, 200));
            for entry in removed {
                append!(out, "-{}\n", one_line(entry));
            }
            for entry in added {
                append!(out, "+{}\n", one_line(entry));
            }
            for one in moved {
                append!(
                    out,
                    "!{} moves from {} to {}\n",
                    one_line(&one.what),
                    one.from,
                    one.to
                );
            }
            out
        }
    }
}

fn one_line(text: &str) -> String {
    shown_lines(&text.replace(['\n', '\r', '\t'], " ")).into_owned()
}

/// A fence that nothing in the text closes.
fn fence(text: &str) -> String {
    let runs = text.split(|char| char != '`').map(str::len);
    "`".repeat(runs.max().unwrap_or(0).max(2) + 1)
}

fn counts(overview: &Overview) -> String {
    let (names, rows) = facts::table(overview);
    if names.is_empty() {
        return String::new();
    }
    let head: Vec<&str> = std::iter::once("").chain(names).collect();
    let rows = rows.into_iter().map(|(kind, counts)| {
        let counts = counts.into_iter().map(|count| facts::cell(count, "·"));
        std::iter::once(kind.plural().to_owned())
            .chain(counts)
            .collect()
    });
    grid(&head, &rows.collect::<Vec<Vec<String>>>())
}
