//! Text that users read keeps to the standard terms: documents, the documented configuration, and the string literals of
//! the program. The glossary names types that exist.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// What must not be read, and what stands for it.
const BANNED: &[(&str, &str)] = &[
    // A program is not a person.
    (
        r"\bnobody\b|\bwhoever\b",
        "name the process, the user or the thing",
    ),
    (r"\b(tells?|told)\b", "shows, says, reports"),
    (r"\bwants?\b", "needs, asks for"),
    // Word order of another language; "is no longer" is English.
    (r"\b(is|are) no [a-km-z]", "is not a"),
    // Terms of no trade; `docs/glossary.md` has the ones of this one.
    (r"\bcircles?\b", "cycle"),
    (r"\bmend(s|ed|ing)?\b", "fix"),
    (r"\bworked off\b", "processed"),
    (r"\bbr(ing|ought) across\b", "migrate"),
    (r"\bmakes? no sense\b", "is invalid, is unexpected"),
    (r"\bheld up\b", "blocked"),
    (r"\bslow down\b", "rate limited"),
    (r"--doubts\b", "--unknown-outcome"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|own| own == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has files that end in {ending}");
    found
}

/// The string literals of a line of source. Bodies of the mock's generator are invented text of editors.
fn literals(path: &Path) -> Vec<(usize, String)> {
    let literal = Regex::new(r#""((?:[^"\\]|\\.)*)""#).unwrap();
    let text = fs::read_to_string(path).unwrap();
    let program = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut found = Vec::new();
    for (at, line) in program.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let own = literal
            .captures_iter(line)
            .map(|found| (at + 1, found[1].to_owned()));
        found.extend(own);
    }
    found
}

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

fn read_by_users() -> Vec<(PathBuf, usize, String)> {
    let mut all = Vec::new();
    let mut documents = vec![root().join("README.md")];
    // The changelog names what was replaced.
    let is_read = |path: &PathBuf| !path.ends_with("CHANGELOG.md");
    documents.extend(files("docs", "md").into_iter().filter(is_read));
    documents.extend(files("config", "toml"));
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().enumerate();
        all.extend(lines.map(|(at, line)| (path.clone(), at + 1, line.to_owned())));
    }
    for path in files("src", "rs") {
        if !is_test(&path) && !path.ends_with("mock/generate/text.rs") {
            let found = literals(&path).into_iter();
            all.extend(found.map(|(line, text)| (path.clone(), line, text)));
        }
    }
    all
}

#[test]
fn text_for_users_keeps_to_the_standard_terms() {
    let banned: Vec<(Regex, &str)> = BANNED
        .iter()
        .map(|(pattern, instead)| (rule(pattern), *instead))
        .collect();
    let mut found = Vec::new();
    for (path, line, text) in read_by_users() {
        for (pattern, instead) in &banned {
            if let Some(hit) = pattern.find(&text) {
                let place = path.strip_prefix(root()).unwrap().display();
                let hit = hit.as_str();
                found.push(format!("{place}:{line}: {hit:?}, rather: {instead}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn rule(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).unwrap()
}

#[test]
fn the_rules_find_what_they_are_for() {
    for (text, is_banned) in [
        ("x is no file", true),
        ("x is no longer there", false),
        ("a circle", true),
        ("tell-tale", true),
        ("recommended", false),
        ("the server told 3", true),
    ] {
        let found = BANNED
            .iter()
            .any(|(pattern, _)| rule(pattern).is_match(text));
        assert_eq!(found, is_banned, "{text}");
    }
}

/// `module::Type` in the last column of the glossary.
#[test]
fn the_glossary_names_types_that_exist() {
    let glossary = fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let named = Regex::new(r"`([a-z_]+)::([A-Za-z_]+)(?:::[A-Za-z_]+)?`").unwrap();
    let source: Vec<(PathBuf, String)> = files("src", "rs")
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    let mut checked = 0;
    for found in named.captures_iter(&glossary) {
        let (module, name) = (&found[1], &found[2]);
        let item = Regex::new(&format!(r"\b(struct|enum|trait|mod|type) {name}\b")).unwrap();
        let is_there = source.iter().any(|(path, text)| {
            let below = path.strip_prefix(root().join("src")).unwrap();
            let first = below.components().next().unwrap();
            let first = Path::new(first.as_os_str()).file_stem().unwrap();
            first == module && item.is_match(text)
        });
        assert!(is_there, "{module}::{name} of the glossary does not exist");
        checked += 1;
    }
    assert!(checked > 30, "{checked} types");
}
