//! A plan in lines.

use comfy_table::{CellAlignment, Table};

use super::facts::{self, conflicts, counts_of, facts, others, reason, sign, title};
use super::words;
use crate::plan::{Change, Entry, Intended, Overview};
use crate::report::table;
use crate::report::text::{clean, count_of};

/// How lines look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether colours may be used.
    pub color: bool,
    /// Whether only ASCII characters may be used.
    pub ascii: bool,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// A plan as lines of text. Foreign text in it is made fit to be shown, and has no credential.
pub fn text(overview: &Overview, look: Look) -> String {
    let mut page = Page {
        text: String::new(),
        look,
    };
    page.head(overview);
    page.removed(overview);
    page.deleted(overview);
    page.section("Conflicts", conflicts(overview).count());
    for entry in conflicts(overview) {
        page.entry(entry);
    }
    for group in &overview.groups {
        if others(group).next().is_some() {
            let heading = format!("{}: {}", upper(&title(group)), counts_of(group));
            page.heading(&heading);
        }
        for entry in others(group) {
            page.entry(entry);
        }
    }
    page.deferred(overview);
    page.published(overview);
    page.gone(overview);
    page.text
}

struct Page {
    text: String,
    look: Look,
}

impl Page {
    /// Text in a colour; foreign text is made fit to be shown here.
    fn painted(&self, color: &str, text: &str) -> String {
        let text = clean(text);
        if self.look.color && !color.is_empty() {
            format!("\x1b[{color}m{text}\x1b[0m")
        } else {
            text
        }
    }

    fn line(&mut self, indent: usize, color: &str, text: &str) {
        let text = self.painted(color, text);
        append!(self.text, "{:indent$}{text}\n", "");
    }

    fn heading(&mut self, text: &str) {
        self.text.push('\n');
        self.line(0, BOLD, text);
    }

    /// A heading with a number; nothing where that is 0.
    fn section(&mut self, title: &str, count: usize) {
        if count > 0 {
            self.heading(&format!("{title}: {}", count_of(count)));
        }
    }

    const fn arrow(&self) -> &'static str {
        if self.look.ascii { "->" } else { "→" }
    }

    fn head(&mut self, overview: &Overview) {
        let ends = format!("{} {} {}", overview.source, self.arrow(), overview.target);
        self.line(0, BOLD, &ends);
        let table = counts(overview, self.look.ascii);
        append!(self.text, "\n{table}\n\n");
        for fact in facts(overview) {
            self.line(0, "", &fact);
        }
    }

    fn removed(&mut self, overview: &Overview) {
        self.section("Removed from the target by updates", overview.removed.len());
        for removed in &overview.removed {
            let text = format!("- {} {}: {}", removed.key, removed.name, removed.what);
            self.line(2, RED, &text);
        }
    }

    fn deleted(&mut self, overview: &Overview) {
        self.section(facts::DELETED, overview.deleted.len());
        for gone in &overview.deleted {
            let text = format!("- delete {} {}", gone.key, facts::left_over(gone));
            self.line(2, RED, &text);
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let color = match entry.action {
            Intended::Create | Intended::Adopt => GREEN,
            Intended::Update | Intended::Conflict => YELLOW,
            Intended::Failed | Intended::Blocked | Intended::Delete => RED,
            Intended::Unchanged | Intended::LeftAlone => DIM,
        };
        let action = facts::name(entry.action);
        let action = format!("{} {action}", sign(entry.action));
        let action = self.painted(color, &action);
        let (key, name) = (clean(&entry.key.to_string()), clean(&entry.name));
        append!(self.text, "  {action} {key} {name}\n");
        if let Some(reason) = reason(entry) {
            self.line(6, DIM, reason);
        }
        let is_conflict = entry.action == Intended::Conflict;
        for change in &entry.changes {
            self.change(change, is_conflict);
        }
        if is_conflict {
            let urls = [("source", &entry.source_url), ("target", &entry.target_url)];
            for (side, url) in urls {
                if let Some(url) = url {
                    self.line(6, "", &format!("edit the {side}: {url}"));
                }
            }
        }
    }

    fn change(&mut self, change: &Change, is_conflict: bool) {
        match change {
            Change::File(file) => self.change(&file.readable(), is_conflict),
            Change::Value {
                field,
                was,
                becomes,
            } => {
                let (was, becomes) = (was.as_deref(), becomes.as_deref());
                if words::is_long(was.unwrap_or_default(), becomes.unwrap_or_default()) {
                    let sides = if is_conflict {
                        " (- target, + source)"
                    } else {
                        ""
                    };
                    self.line(6, "", &format!("{field}{sides}:"));
                    self.words(was.unwrap_or_default(), becomes.unwrap_or_default());
                } else if is_conflict {
                    self.line(6, "", &format!("{field}:"));
                    self.line(8, RED, &format!("target: {}", or_nothing(was)));
                    self.line(8, GREEN, &format!("source: {}", or_nothing(becomes)));
                } else {
                    let field = clean(field);
                    let was = self.painted(RED, or_nothing(was));
                    let becomes = self.painted(GREEN, or_nothing(becomes));
                    let arrow = self.arrow();
                    append!(self.text, "      {field}: {was} {arrow} {becomes}\n");
                }
            }
            Change::List {
                field,
                removed,
                added,
                moved,
            } => {
                self.line(6, "", &format!("{field}:"));
                for entry in removed {
                    self.line(8, RED, &format!("- {entry}"));
                }
                for entry in added {
                    self.line(8, GREEN, &format!("+ {entry}"));
                }
                for one in moved {
                    let text = format!("{} moves from {} to {}", one.what, one.from, one.to);
                    self.line(8, YELLOW, &text);
                }
            }
        }
    }

    fn words(&mut self, was: &str, becomes: &str) {
        for line in words::lines(was, becomes) {
            let (color, marks) = match line.sign {
                '-' => (RED, ("[-", "-]")),
                '+' => (GREEN, ("{+", "+}")),
                _ => ("", ("", "")),
            };
            let is_whole = line.parts.iter().all(|(changed, _)| !changed);
            let mut text = String::new();
            for (changed, part) in &line.parts {
                let part = shown(part);
                if *changed && !is_whole && !self.look.color {
                    append!(text, "{}{part}{}", marks.0, marks.1);
                } else if self.look.color && !color.is_empty() {
                    let weight = if *changed { ";1" } else { "" };
                    append!(text, "\x1b[{color}{weight}m{part}\x1b[0m");
                } else {
                    text.push_str(&part);
                }
            }
            append!(self.text, "        {} {text}\n", line.sign);
        }
    }

    fn deferred(&mut self, overview: &Overview) {
        self.section("Cycles of references", overview.deferred.len());
        for cycle in &overview.deferred {
            self.line(2, "", &cycle.members.join(", "));
            for (from, to) in &cycle.references {
                let text = format!("{from}: its reference to {to} is written afterwards");
                self.line(6, DIM, &text);
            }
        }
    }

    fn published(&mut self, overview: &Overview) {
        self.section(facts::WITHDRAWN, overview.withdrawn.len());
        for (key, name) in &overview.withdrawn {
            self.line(2, "", &format!("{key} {name}"));
        }
        self.section("Published afterwards", overview.published.len());
        for (key, name) in &overview.published {
            self.line(2, "", &format!("{key} {name}"));
        }
    }

    fn gone(&mut self, overview: &Overview) {
        self.section(facts::GONE, overview.gone.len());
        for gone in &overview.gone {
            let text = format!("{} {}", gone.key, facts::left_over(gone));
            self.line(2, "", &text);
        }
    }
}

/// Foreign text of a line, with its blanks.
fn shown(text: &str) -> String {
    crate::domain::shown_lines(&text.replace(['\n', '\r', '\t'], " ")).into_owned()
}

fn or_nothing(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or("(nothing)")
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

/// A row for each kind, a column for each action that there is.
fn counts(overview: &Overview, ascii: bool) -> String {
    let (names, rows) = facts::table(overview);
    let columns = names.len();
    let mut table = Table::new();
    table.load_style(table::style(if ascii { '-' } else { '─' }));
    table.set_header(std::iter::once("").chain(names));
    let zero = if ascii { "." } else { "·" };
    let mut all = vec![0; columns];
    for (kind, counts) in rows {
        all.iter_mut()
            .zip(&counts)
            .for_each(|(all, count)| *all += count);
        let counts = counts.into_iter().map(|count| facts::cell(count, zero));
        table.add_row(std::iter::once(kind.plural().to_owned()).chain(counts));
    }
    let all = all.into_iter().map(|count| facts::cell(count, zero));
    table.add_row(std::iter::once("all".to_owned()).chain(all));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}
