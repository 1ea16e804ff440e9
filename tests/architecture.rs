//! The house keeps its own rules: who may name whom, where outside crates live, how large files get.
//!
//! Rooms are the modules at the root of the library. The source is read as text, because what counts is the name that
//! somebody writes, whether it stands in a `use` line or in a path.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may name.
const ROOMS: &[(&str, &[&str])] = &[
    // Holds the inventory of an instance as well: the plan is made of two of them, and must not know how they were read.
    ("domain", &[]),
    // Conditions at the places where a bug would be; constants outside of tests.
    ("planted", &[]),
    ("event", &["domain"]),
    ("progress", &["domain", "event"]),
    ("plan", &["domain", "planted"]),
    ("instance", &["domain"]),
    ("snapshot", &["domain", "instance"]),
    // Bodies are rewritten by the plan, which asks for counterparts through its trait `Counterparts`; the id map is that.
    ("id_map", &["domain", "plan", "planted"]),
    ("store", &["domain", "planted"]),
    (
        "engine",
        &[
            "domain", "event", "id_map", "instance", "plan", "planted", "snapshot", "store",
        ],
    ),
    ("agility", &["domain", "instance", "snapshot"]),
    ("report", &["domain", "event", "progress", "plan"]),
    // Of these rooms only what a user can set.
    (
        "config",
        &["domain", "agility", "engine", "report", "store"],
    ),
    ("mock", &[]),
    ("cli", EVERYTHING),
    // Turns every error of every room into an exit code.
    ("error", EVERYTHING),
    ("main", &["cli", "domain", "error"]),
    ("lib", EVERYTHING),
];

const EVERYTHING: &[&str] = &[
    "agility", "cli", "config", "domain", "engine", "error", "event", "id_map", "instance", "mock",
    "plan", "planted", "progress", "report", "snapshot", "store",
];

/// What tests inside the library may name on top of that.
const IN_TESTS: &[(&str, &[&str])] = &[
    // The adapter is tried against the mock server; the two share no code.
    ("agility", &["mock"]),
];

/// Outside crates that belong to few rooms. A folder or file narrows a room down; tests are free to use them.
const CRATES: &[(&str, &[&str])] = &[
    ("reqwest", &["agility"]),
    ("sqlx", &["store"]),
    ("object_store", &["store/bytes"]),
    ("ratatui", &["report/tui"]),
    ("crossterm", &["report/tui"]),
    ("axum", &["mock"]),
    ("clap", &["cli"]),
    ("aho_corasick", &["domain"]),
    ("governor", &["engine/pace"]),
    ("backoff", &["engine/retry"]),
    ("dashmap", &["id_map", "engine"]),
    ("unicase", &["domain"]),
    // The mock shares no code with the rest, so it folds names itself.
    ("unicode_normalization", &["domain", "mock"]),
    ("figment", &["config"]),
    ("keyring", &["config/logins"]),
    ("rand::rngs", &["mock"]),
    ("comfy_table", &["report", "cli"]),
    ("maud", &["report"]),
    ("flate2", &["report/run_folder"]),
    ("tar", &["report/run_folder"]),
];

/// Rooms that wait for nothing.
const WITHOUT_TOKIO: &[&str] = &["domain", "event", "progress", "plan"];

/// The most lines of a file, tests left out.
const LINES: usize = 800;

/// The most lines of a function's body in a `mod.rs`: a table of where things go fits, logic does not.
const MOD_BODY: usize = 20;

/// A line of code without its comment.
struct Line {
    at: String,
    text: String,
    is_test: bool,
}

/// A file of the library.
struct Source {
    /// Below `src`, without `.rs` and `/mod`.
    module: String,
    path: PathBuf,
    lines: Vec<Line>,
}

impl Source {
    fn room(&self) -> &str {
        self.module.split('/').next().unwrap()
    }

    fn is_below(&self, place: &str) -> bool {
        self.module == place || self.module.starts_with(&format!("{place}/"))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(root()).unwrap().with_extension("");
    let module = below.to_string_lossy().replace('\\', "/");
    module.strip_suffix("/mod").unwrap_or(&module).to_owned()
}

/// Every file of the library with its lines; those of test modules are marked.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    paths.sort();
    let mut sources: Vec<Source> = paths.iter().map(|path| read(path)).collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        if tests.iter().any(|test| source.is_below(test)) {
            source.lines.iter_mut().for_each(|line| line.is_test = true);
        }
    }
    assert!(
        sources.len() > 100,
        "the sources are not where they should be"
    );
    sources
}

fn read(path: &Path) -> Source {
    let module = module_of(path);
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<Line> = Vec::new();
    let mut in_tests = false;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap();
        // A module of tests in the file goes to its end.
        in_tests |= line.starts_with("mod tests {");
        lines.push(Line {
            at: format!("{}.rs:{number}", module_of(path)),
            text: code.to_owned(),
            is_test: in_tests,
        });
    }
    Source {
        module,
        path: path.to_owned(),
        lines,
    }
}

/// Modules in files of their own that are compiled for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = match source.path.file_name().unwrap().to_str().unwrap() {
        "lib.rs" | "main.rs" => String::new(),
        _ => format!("{}/", source.module),
    };
    let declared = source.lines.windows(2).filter(|pair| {
        let attribute = pair[0].text.trim();
        attribute == "#[cfg(test)]" || attribute.starts_with("#[cfg(all(test,")
    });
    declared
        .filter_map(|pair| {
            let (_, name) = pair[1].text.split_once("mod ")?;
            Some(format!("{folder}{}", name.trim().strip_suffix(';')?))
        })
        .collect()
}

/// The identifiers that follow `start` in a line of code, where `start` is a word of its own.
fn named<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(start)
        .filter(move |(at, _)| !text[..*at].ends_with(|c| is_word(c) || c == ':'))
        .flat_map(move |(at, _)| {
            let rest = &text[at + start.len()..];
            let (rest, grouped) = rest
                .strip_prefix('{')
                .map_or((rest, false), |inner| (inner, true));
            let most = if grouped { usize::MAX } else { 1 };
            rest.split(',')
                .map(move |part| {
                    part.trim_start()
                        .split(|c| !is_word(c))
                        .next()
                        .unwrap_or_default()
                })
                .filter(|name| !name.is_empty())
                .take(most)
        })
}

fn allowed<'a>(table: &[(&str, &'a [&'a str])], room: &str) -> &'a [&'a str] {
    table
        .iter()
        .find(|(name, _)| *name == room)
        .map_or(&[], |(_, rooms)| rooms)
}

fn none(problems: &[String]) {
    let mut text = String::new();
    for problem in problems {
        writeln!(text, "{problem}").unwrap();
    }
    assert!(problems.is_empty(), "\n{text}");
}

#[test]
fn every_room_names_only_the_rooms_below_it() {
    let mut problems = Vec::new();
    for source in sources() {
        let room = source.room();
        if !ROOMS.iter().any(|(name, _)| *name == room) {
            problems.push(format!("{room} is a room that the table does not know"));
        }
        for line in &source.lines {
            let names = named(&line.text, "crate::").chain(named(&line.text, "lockgate::"));
            for name in names.filter(|name| EVERYTHING.contains(name) && *name != room) {
                let in_tests = line.is_test && allowed(IN_TESTS, room).contains(&name);
                if !allowed(ROOMS, room).contains(&name) && !in_tests {
                    problems.push(format!("{}: {room} names {name}", line.at));
                }
            }
        }
    }
    none(&problems);
}

/// A build without the mock server leaves out one folder of commands, and nothing else knows the server.
#[test]
fn the_mock_is_named_in_one_folder() {
    let sources = sources();
    let outside = sources
        .iter()
        .filter(|source| source.room() != "mock" && !source.is_below("cli/mocked"));
    let lines = outside.flat_map(|source| source.lines.iter().filter(|line| !line.is_test));
    let problems: Vec<String> = lines
        .filter(|line| named(&line.text, "crate::").any(|name| name == "mock"))
        .map(|line| format!("{}: {}", line.at, line.text.trim()))
        .collect();
    none(&problems);
}

/// A path that climbs out of its room would name another one past the table.
#[test]
fn nobody_climbs_out_of_a_room() {
    let mut problems = Vec::new();
    for source in sources() {
        let depth = source.module.split('/').count();
        for line in &source.lines {
            let climbs = line.text.match_indices("super::").count();
            let inside = usize::from(line.is_test || line.text.starts_with(' '));
            if line.text.contains(&"super::".repeat(depth + inside)) && climbs >= depth + inside {
                problems.push(format!("{}: {}", line.at, line.text.trim()));
            }
        }
    }
    none(&problems);
}

/// The parts of the engine are its files and folders: what a part names does not name it back, at any distance.
#[test]
fn arrows_inside_the_engine_run_one_way() {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| source.room() == "engine") {
        let mut path = source.module.split('/').skip(1);
        let Some(part) = path.next().map(str::to_owned) else {
            continue;
        };
        // `mod.rs` is the folder itself.
        let climb = "super::".repeat(path.count() + 1);
        let lines = source.lines.iter().filter(|line| !line.is_test);
        let named = lines.flat_map(|line| {
            let above =
                line.text.contains(&climb) && !line.text.contains(&format!("{climb}super::"));
            let above = above.then(|| named(&line.text, &climb));
            named(&line.text, "crate::engine::").chain(above.into_iter().flatten())
        });
        let named: BTreeSet<String> = named.map(str::to_owned).collect();
        arrows.entry(part).or_default().extend(named);
    }
    let parts: BTreeSet<String> = arrows.keys().cloned().collect();
    assert!(parts.len() > 20, "{parts:?}");
    for (part, named) in &mut arrows {
        named.retain(|name| name != part && parts.contains(name));
    }
    assert!(arrows["run"].contains("context"), "{:?}", arrows["run"]);
    assert!(
        arrows["forecast"].contains("context"),
        "{:?}",
        arrows["forecast"]
    );
    // What names nothing that is left is below everything else.
    while let Some(lowest) = arrows.iter().find(|(_, named)| named.is_empty()) {
        let lowest = lowest.0.clone();
        arrows.remove(&lowest);
        for named in arrows.values_mut() {
            named.remove(&lowest);
        }
    }
    let knots = arrows
        .iter()
        .map(|(part, named)| format!("{part} names {named:?}"));
    none(&knots.collect::<Vec<_>>());
}

#[test]
fn outside_crates_live_in_their_rooms() {
    let mut problems = Vec::new();
    for source in sources() {
        for line in source.lines.iter().filter(|line| !line.is_test) {
            for (name, places) in CRATES {
                let is_used = uses(&line.text, name);
                if is_used && !places.iter().any(|place| source.is_below(place)) {
                    problems.push(format!(
                        "{}: {name} belongs to {}",
                        line.at,
                        places.join(", ")
                    ));
                }
            }
            if WITHOUT_TOKIO.contains(&source.room()) && uses(&line.text, "tokio") {
                problems.push(format!("{}: {} waits for nothing", line.at, source.room()));
            }
        }
    }
    none(&problems);
}

fn uses(text: &str, name: &str) -> bool {
    named(text, &format!("{name}::")).next().is_some()
        || text.trim_start().starts_with(&format!("use {name};"))
        || text.trim_start().starts_with(&format!("use {name} as"))
}

/// The packages of `Cargo.lock` by their versions.
fn versions(lock: &toml::Table) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let of = |member| package[member].as_str().unwrap();
        versions
            .entry(of("name"))
            .or_default()
            .insert(of("version"));
    }
    versions
}

#[test]
fn second_versions_of_crates_are_listed_with_what_holds_them_back() {
    let read = |name| -> toml::Table {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let (lock, deny) = (read("Cargo.lock"), read("deny.toml"));
    let mut listed = BTreeSet::new();
    for skipped in deny["bans"]["skip"].as_array().unwrap() {
        assert!(!skipped["reason"].as_str().unwrap().is_empty(), "{skipped}");
        listed.insert(skipped["crate"].as_str().unwrap().split_once(':').unwrap());
    }
    let mut problems = Vec::new();
    for (name, mut versions) in versions(&lock) {
        if versions.len() == 1 {
            continue;
        }
        let is_of = |version: &str, series: &str| version.starts_with(&format!("{series}."));
        for (_, series) in listed.extract_if(.., |(of, _)| *of == name) {
            let before = versions.len();
            versions.retain(|version| !is_of(version, series));
            if versions.len() == before {
                problems.push(format!("deny.toml: {name} {series} is in no use"));
            }
        }
        if versions.len() > 1 {
            problems.push(format!("deny.toml: {name} has {versions:?}"));
        }
    }
    problems.extend(
        listed
            .iter()
            .map(|of| format!("deny.toml: {of:?} has one version")),
    );
    none(&problems);
}

#[test]
fn files_stay_small() {
    let mut problems = Vec::new();
    for source in sources() {
        for (what, is_test) in [("code", false), ("tests", true)] {
            let count = source
                .lines
                .iter()
                .filter(|line| line.is_test == is_test)
                .count();
            if count > LINES {
                problems.push(format!(
                    "{} has {count} lines of {what}",
                    source.path.display()
                ));
            }
        }
    }
    none(&problems);
}

#[test]
fn logic_is_in_named_files() {
    let mut problems = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path.ends_with("mod.rs"))
    {
        for (name, lines) in bodies(&source.lines) {
            if lines > MOD_BODY {
                problems.push(format!(
                    "{}/mod.rs: {name} has {lines} lines",
                    source.module
                ));
            }
        }
    }
    none(&problems);
}

/// Names of functions with the number of lines between their braces. The code is formatted, so the closing brace stands
/// where the function begins.
fn bodies(lines: &[Line]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = named(&line.text, "fn ").next() else {
            continue;
        };
        let indent = line.text.len() - line.text.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let opened = lines[at..]
            .iter()
            .position(|line| line.text.trim_end().ends_with('{'));
        let closed = lines[at..]
            .iter()
            .position(|line| line.text.trim_end() == closing);
        if let (Some(opened), Some(closed)) = (opened, closed) {
            found.push((name.to_owned(), closed.saturating_sub(opened + 1)));
        }
    }
    found
}

/// The reader of all these rules sees what it should.
#[test]
fn names_are_found_in_use_lines_and_in_paths() {
    let found = |text: &'static str| named(text, "crate::").collect::<Vec<_>>();
    assert_eq!(found("use crate::plan::Plan;"), ["plan"]);
    assert_eq!(
        found("    let x: crate::store::Store = crate::plan::y();"),
        ["store", "plan"]
    );
    assert_eq!(
        found("use crate::{engine, report::tui};"),
        ["engine", "report"]
    );
    assert!(found("mycrate::plan::x()").is_empty());
    assert!(uses("use tokio::sync;", "tokio") && !uses("use tokio_util::x;", "tokio"));
}
