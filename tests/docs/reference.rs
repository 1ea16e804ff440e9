//! Pages of the reference that are made from the code, or compared with it: the command line, the configuration, events,
//! exit codes and the list of error codes.

use std::fmt::Write as _;
use std::fs;

use lockgate::cli;
use lockgate::error::{ExitStatus, code};

use crate::pages::{Page, root};

mod command_line;
mod configuration;
mod events;

/// The end of a page that is made.
const MADE: &str =
    "\n<!-- Made from the code: `UPDATE_DOCS=1 cargo test --test docs` writes it anew. -->\n";

/// Compares a page with what the code says, or writes it.
fn check(path: &str, made: &str) {
    let made = format!("{}\n{MADE}", made.trim_end());
    let path = root().join("docs").join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let is_same = |(old, new): (&str, &str)| old == new;
    let same = written
        .lines()
        .zip(made.lines())
        .take_while(|pair| is_same(*pair));
    assert!(
        written == made,
        "{}:{} is not what the code says; UPDATE_DOCS=1 cargo test --test docs writes it anew",
        path.display(),
        same.count() + 1
    );
}

/// Text in a cell of a table, on one line.
fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

#[test]
fn the_page_of_the_command_line_is_what_the_program_takes() {
    check(
        "reference/command-line.md",
        &command_line::page(cli::command()),
    );
}

#[test]
fn the_page_of_the_configuration_is_what_the_program_takes() {
    check("reference/configuration.md", &configuration::page());
}

#[test]
fn the_page_of_events_is_their_schema() {
    check("reference/events.md", &events::page());
}

#[test]
fn the_list_of_errors_has_every_code() {
    let mut made = String::from(
        "# Errors\n\n\
         Every error has a code that stays the same from version to version. `lockgate explain CODE` prints these pages.\n\n\
         | code | meaning |\n|---|---|\n",
    );
    for code in code::all() {
        let title = code::page(code).unwrap().lines().next().unwrap();
        let words = title.split_once(": ").unwrap().1;
        writeln!(made, "| [{code}]({code}.md) | {words} |").unwrap();
    }
    check("errors/index.md", &made);
}

/// The codes in the first column of the page, and the order in which they hide one another.
#[test]
fn the_page_of_exit_codes_has_every_code() {
    let page = Page::read("docs/reference/exit-codes.md".into());
    let rows = page.text.lines().filter_map(|line| line.strip_prefix("| "));
    let listed: Vec<&str> = rows
        .filter_map(|row| row.split(' ').next())
        .skip(1)
        .collect();
    let mut codes: Vec<u8> = ExitStatus::BY_WEIGHT
        .iter()
        .map(|status| status.code())
        .collect();
    let order: Vec<String> = codes.iter().map(u8::to_string).collect();
    codes.sort_unstable();
    let expected: Vec<String> = codes.iter().map(u8::to_string).collect();
    assert_eq!(listed, expected);
    let order = order.join(", ");
    assert!(page.text.contains(&order), "the order is {order}");
}
