//! Commands in the text of a shell, and the shell that runs them against instances of their own.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use lockgate::cli;
use lockgate::error::ExitStatus;
use lockgate::mock::file::{InstanceFile, SCHEMA, StateFile};
use lockgate::mock::{self, Server};
use tempfile::TempDir;
use tokio::process::Command;

use crate::pages::root;

/// Where pages say that a mock server listens.
const LISTENS: &str = "127.0.0.1:8400";

/// How pages write a token, and one that the mock server takes.
const TOKEN: (&str, &str) = ("LOCKGATE_TOKEN=…", "LOCKGATE_TOKEN=test-token-0123456789");

/// `cargo run -- …` is the binary that the test was built with, and `cargo test` is what runs already.
const CARGO: &str = r#"cargo() {
    [ "$1" != test ] || return 0
    [ "$1" = run ] || { echo "not a command of a test: cargo $*" >&2; return 97; }
    while [ "$1" != -- ]; do shift; done
    shift
    lockgate "$@"
}
"#;

/// A directory with instances that its commands reach: a filled source, and empty targets.
pub(crate) struct Stage {
    directory: TempDir,
    server: Server,
}

/// How a script ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let source = root().join("fixtures/starter-site/source.json");
        let mut state: StateFile = serde_json::from_slice(&std::fs::read(source).unwrap()).unwrap();
        let locales = state.instances[0].locales.clone();
        for guid in ["5e6f7a8b-u", "9c0d1e2f-u"] {
            state.instances.push(InstanceFile {
                guid: guid.to_owned(),
                locales: locales.clone(),
                ..InstanceFile::default()
            });
        }
        state.schema = SCHEMA;
        let options = mock::Options {
            state,
            ..mock::Options::default()
        };
        Self {
            directory: TempDir::new().unwrap(),
            server: Server::start(options).await.unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a script, and stops at the first command that fails.
    pub(crate) async fn run(&self, script: &str) -> Ended {
        let url = self.server.base_url();
        let script = script
            .replace(LISTENS, url.strip_prefix("http://").unwrap())
            .replace(TOKEN.0, TOKEN.1);
        let binary = Path::new(env!("CARGO_BIN_EXE_lockgate"));
        let mut path = OsString::from(binary.parent().unwrap());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command
            .args(["-eu", "-o", "pipefail", "-c", &format!("{CARGO}{script}")])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path())
            .env("LOCKGATE_TOKEN", "test-token-0123456789")
            .env("LOCKGATE_SOURCE_URL", &url)
            .env("LOCKGATE_TARGET_URL", &url)
            .env("LOCKGATE_RETRY_ATTEMPTS", "2")
            .env("LOCKGATE_RETRY_FIRST_DELAY_MS", "1")
            // Files that pipelines write results to.
            .env("GITHUB_OUTPUT", self.path().join("github-output"))
            .env("GITHUB_STEP_SUMMARY", self.path().join("github-summary"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        Ended {
            code: output.status.code(),
            said: String::from_utf8_lossy(&said).into_owned(),
        }
    }

    pub(crate) async fn end(self) {
        self.server.stop().await;
    }
}

/// The calls of lockgate in a script: the words behind its name.
pub(crate) fn calls(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ").replace("; ", " ; ");
    let mut calls = Vec::new();
    for line in script.lines() {
        let words = shlex::split(line).unwrap_or_default();
        let is_operator = |word: &String| {
            ["|", "||", "&&", ";", "&", "then", "do", "if", "!"].contains(&word.as_str())
                || word.starts_with(['>', '<'])
                || word.starts_with("2>")
        };
        calls.extend(words.split(is_operator).filter_map(call));
    }
    calls
}

/// The words behind the name of the program, when a command calls it.
fn call(words: &[String]) -> Option<Vec<String>> {
    let is_assignment = |word: &&String| {
        let name = word.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| {
            name.chars()
                .all(|letter| letter.is_ascii_uppercase() || letter == '_')
        })
    };
    let words = &words[words.iter().take_while(is_assignment).count()..];
    let rest = match words {
        [first, rest @ ..] if first == "lockgate" => rest,
        [first, run, ..] if first == "cargo" && run == "run" => {
            let at = words.iter().position(|word| word == "--")?;
            &words[at + 1..]
        }
        _ => return None,
    };
    Some(rest.to_vec())
}

/// Whether the program takes these words. What is wrong with them is printed.
pub(crate) fn is_accepted(words: &[String]) -> bool {
    let all = std::iter::once("lockgate").chain(words.iter().map(String::as_str));
    match cli::parse(all.map(OsString::from)) {
        // Help and the version are printed at once.
        Ok(_) | Err(ExitStatus::Agreed) => true,
        Err(_) => false,
    }
}

/// Whether these are the first words of a call that the program takes.
pub(crate) fn may_begin_a_call(words: &[String]) -> bool {
    let more = |rest: &[&str]| {
        let rest = rest.iter().map(|word| (*word).to_owned());
        is_accepted(&words.iter().cloned().chain(rest).collect::<Vec<_>>())
    };
    words.is_empty() || more(&[]) || more(&["--help"]) || more(&["VALUE", "--help"])
}

#[test]
fn calls_are_found_in_scripts() {
    let script = "export A=b\n\
                  A=b lockgate plan \\\n  --out x > y   # comment\n\
                  lockgate runs | lockgate why 'a b' && cargo run --release -- demo\n\
                  if lockgate verify; then echo; fi\n";
    let found = calls(script);
    let expected: [&[&str]; 5] = [
        &["plan", "--out", "x"],
        &["runs"],
        &["why", "a b"],
        &["demo"],
        &["verify"],
    ];
    assert_eq!(found, expected);
    assert!(is_accepted(&["plan".to_owned(), "--out=x".to_owned()]));
    assert!(!is_accepted(&["plan".to_owned(), "--no-such".to_owned()]));
}
