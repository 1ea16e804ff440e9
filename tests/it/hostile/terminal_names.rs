//! Names that steer a terminal, mislead a reader or command a CI system: whatever a command prints or keeps, none of that
//! takes effect.

use std::path::Path;

use lockgate::mock::file::{InstanceFile, Row, StateFile};
use serde_json::{Value, json};

use crate::binary::{Ended, Workspace, end_of};
use crate::support::{fixture, instances, serve};

/// A clipboard write, a link, controls of both kinds, NUL and DEL; marks of direction and characters without a width;
/// commands of CI systems on lines of their own and within one; a directive of Mermaid.
const HOSTILE: &str = "\u{1b}]52;c;QUFB\u{7}\u{1b}]8;;http://evil.test\u{1b}\\y\u{9b}2J\u{9d}52;c;QQ==\u{9c}\u{7f}\0\
    \u{8}\u{202e}gpj\u{2066}a\u{200b}b\u{feff}\u{2028}\n::error::owned\r\n##[error]owned ##vso[task.complete]\r\
    ::set-output name=a::b\n%%{init: {'theme':'dark'}}%%\"];click n0 \"javascript:x\"";

/// Members that people choose freely.
const NAMES: [&str; 14] = [
    "displayName",
    "contentViewName",
    "description",
    "title",
    "menuText",
    "label",
    "metaDescription",
    "question",
    "answer",
    "heading",
    "author",
    "subtitle",
    "text",
    "content_name",
];

/// Adds a hostile text to every name below a value.
fn taint(value: &mut Value, hostile: &str, is_name: bool) {
    match value {
        Value::String(text) if is_name => *text = format!("{hostile}{text}"),
        Value::Array(values) => {
            let values = values.iter_mut();
            values.for_each(|value| taint(value, hostile, false));
        }
        Value::Object(members) => {
            for (name, value) in members {
                taint(value, hostile, NAMES.contains(&name.as_str()));
            }
        }
        _ => {}
    }
}

fn taint_rows(rows: &mut [Row], hostile: &str) {
    for row in rows {
        for (name, value) in row.iter_mut() {
            taint(value, hostile, NAMES.contains(&name.as_str()));
        }
    }
}

fn hostile() -> StateFile {
    tainted(HOSTILE)
}

/// The starter site with such names in all places, and with entities whose reference name, path or address is one.
pub(super) fn tainted(hostile: &str) -> StateFile {
    let mut state = instances(&fixture("starter-site"));
    let source = &mut state.instances[0];
    for rows in [
        &mut source.models,
        &mut source.containers,
        &mut source.templates,
        &mut source.galleries,
        &mut source.content,
        &mut source.pages,
    ] {
        taint_rows(rows, hostile);
    }
    add(source, hostile);
    state
}

fn add(source: &mut InstanceFile, hostile: &str) {
    let row = |value: Value| value.as_object().unwrap().clone();
    source.models.push(row(json!({
        "id": 9001, "referenceName": hostile, "displayName": hostile, "contentDefinitionTypeID": 1,
        "fields": [{ "name": hostile, "type": "Text", "settings": {} }]
    })));
    source.containers.push(row(json!({
        "contentViewID": 9002, "referenceName": hostile, "contentViewName": hostile, "contentDefinitionID": 9001
    })));
    source.galleries.push(row(json!({
        "mediaGroupingID": 9003, "groupingTypeID": 1, "name": hostile, "description": hostile
    })));
    source.assets.push(row(json!({
        "mediaID": 9004, "originKey": format!("files/{hostile}.txt"), "content": { "text": "x" }
    })));
    source.redirections.push(row(json!({
        "urlRedirectionID": 9005, "originUrl": format!("~/{hostile}"), "destinationUrl": format!("~/to/{hostile}"),
        "httpCode": 301, "originLocales": []
    })));
}

const fn is_steering(char: char) -> bool {
    matches!(char, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What is wrong with a text that somebody may look at.
fn faults(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    // The red of GitLab's annotations is the program's own.
    let text = text
        .replace("\u{1b}[31;1mERROR: ", "")
        .replace("\u{1b}[0m\n", "\n");
    for line in text.lines() {
        let is_own = line.starts_with("::error title=");
        let is_command = line.trim_start().starts_with("::") && !is_own;
        let lower = line.to_lowercase();
        let mut marks = lower.match_indices("##").map(|(at, _)| &lower[at + 2..]);
        let is_marked = marks.any(|rest| {
            let rest = rest.trim_start_matches(|char: char| char.is_ascii_alphanumeric());
            rest.starts_with('[')
        });
        if line.contains(is_steering) || is_command || is_marked {
            found.push(format!("{line:?}"));
        }
    }
    found
}

fn check(what: &str, text: &str) {
    let found = faults(text);
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

fn check_call(what: &str, ended: &Ended) {
    assert!(
        ended.code.is_some_and(|code| code < 70),
        "{what}: {ended:?}"
    );
    check(&format!("{what}, standard output"), &ended.stdout);
    check(&format!("{what}, standard error"), &ended.stderr);
}

/// Every text that a folder holds; its pages may have the program's own style and script.
fn check_folder(folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += check_folder(&path);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            check(&path.display().to_string(), &text);
            files += 1;
        }
    }
    files
}

/// Mermaid takes directives out of a text wherever they are.
const DIRECTIVE: &str = "%%{";

#[tokio::test]
async fn nothing_that_is_printed_or_kept_steers_a_terminal() {
    let server = serve(hostile()).await;
    let url = server.base_url();
    let space = Workspace::new();
    let calls: [(&str, &[&str]); 17] = [
        ("plan", &[]),
        ("plan", &["--output", "json"]),
        ("graph", &["--format", "dot", "--fold", "none"]),
        ("graph", &["--format", "mermaid", "--fold", "none"]),
        ("graph", &["--format", "json", "--fold", "none"]),
        ("graph", &["--format", "svg", "--fold", "none"]),
        ("graph", &["--format", "html", "--fold", "none"]),
        ("graph", &["--format", "mermaid", "--fold", "containers"]),
        ("verify", &[]),
        ("sync", &["--dry-run"]),
        ("sync", &["--locale", "xx-yy"]),
        ("sync", &["--content", "nothing-of-this-name"]),
        ("sync", &["--verbose"]),
        ("sync", &["--output", "json", "--verbose"]),
        ("verify", &["--verbose"]),
        ("verify", &["--output", "json"]),
        ("plan", &[]),
    ];
    for (command, args) in calls {
        let ended = end_of(space.between(command, &url, args)).await;
        let what = format!("{command} {args:?}");
        check_call(&what, &ended);
        if command == "graph" {
            assert_eq!(ended.code, Some(0), "{what}: {ended:?}");
            let is_read_for_them = args.contains(&"mermaid");
            assert!(
                !is_read_for_them || !ended.stdout.contains(DIRECTIVE),
                "{what}: {}",
                ended.stdout
            );
        }
        if command == "plan" {
            assert!(
                ended.stdout.contains("\\u001b]52;c;QUFB"),
                "{what}: {ended:?}"
            );
        }
    }
    let keys = [
        "model:9001",
        "container:9002",
        "gallery:9003",
        "asset:9004",
        "redirection:9005",
    ];
    let why = |key: &'static str| {
        [
            "why",
            key,
            "--source",
            "1a2b3c4d-u",
            "--target",
            "5e6f7a8b-u",
        ]
    };
    for call in [
        vec!["runs"],
        vec!["runs", "last"],
        vec!["runs", "--output", "json"],
        vec!["runs", "last", "--output", "json"],
        vec!["runs", HOSTILE_ARGUMENT],
        vec!["sync", "--source", HOSTILE_ARGUMENT],
        vec!["sync", HOSTILE_ARGUMENT],
        vec!["config", HOSTILE_ARGUMENT],
    ] {
        check_call(&format!("{call:?}"), &end_of(space.command(&call)).await);
    }
    for key in keys {
        check_call(key, &end_of(space.command(why(key))).await);
    }
    let mut undo = space.command(["undo", "last", "--yes"]);
    undo.args(["--source-url", &url, "--target-url", &url]);
    check_call("undo", &end_of(undo).await);
    let files = check_folder(&space.path().join(".lockgate/runs"));
    assert!(files > 20, "{files}");
}

/// Arguments cannot hold a NUL.
const HOSTILE_ARGUMENT: &str =
    "\u{1b}]52;c;QUFB\u{7}\u{9b}2J\u{202e}gpj\n::error::owned\n##[error]owned";

#[tokio::test]
async fn commands_of_ci_systems_stay_text() {
    for system in ["GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD"] {
        let server = serve(hostile()).await;
        let space = Workspace::new();
        for command in ["plan", "sync", "verify"] {
            let mut call = space.between(command, &server.base_url(), &[]);
            call.env(system, "true").env("CI", "true");
            check_call(&format!("{command} with {system}"), &end_of(call).await);
        }
    }
}

#[tokio::test]
async fn an_instance_with_locales_of_such_names_is_told_harmlessly() {
    let mut state = hostile();
    state.instances[0].locales.push(HOSTILE.to_owned());
    let server = serve(state).await;
    let space = Workspace::new();
    for args in [&[][..], &["--locale", "xx-yy"], &["--output", "json"]] {
        for command in ["plan", "sync", "verify"] {
            let call = space.between(command, &server.base_url(), args);
            check_call(&format!("{command} {args:?}"), &end_of(call).await);
        }
    }
    check_folder(space.path());
}
