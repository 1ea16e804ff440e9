//! The real binary in a directory of its own, with nothing of the environment that the tests run in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lockgate::mock::Server;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::independent;
use crate::postgres;
use crate::support::{SOURCE, TARGET};

/// The token of all calls that do not say otherwise.
pub(crate) const TOKEN: &str = "test-token-0123456789";

/// A directory in which commands are run. It is removed in the end.
pub(crate) struct Workspace {
    directory: TempDir,
    /// The URL of its state, where that is on a server.
    state: Option<String>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            state: None,
        }
    }

    /// One whose state is on a server; `None` where there is none.
    pub(crate) fn on_server() -> Option<Self> {
        Some(Self::sharing(&postgres::fresh()?))
    }

    /// One whose state is at this URL.
    pub(crate) fn sharing(url: &str) -> Self {
        Self {
            state: Some(url.to_owned()),
            ..Self::new()
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The URL of its state, where that is on a server.
    pub(crate) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// A command with the token in its environment, and patience for tests only.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LOCKGATE_TOKEN", TOKEN)
            .env("LOCKGATE_RETRY_ATTEMPTS", "2")
            .env("LOCKGATE_RETRY_FIRST_DELAY_MS", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(state) = &self.state {
            command.env("LOCKGATE_STATE", state);
        }
        command
    }

    /// `lockgate sync` between the two instances of a server.
    pub(crate) fn sync(&self, server: &Server, args: &[&str]) -> Command {
        self.between("sync", &server.base_url(), args)
    }

    /// A command between two instances that are reached by one URL.
    pub(crate) fn between(&self, command: &str, url: &str, args: &[&str]) -> Command {
        self.across(command, (url, url), args)
    }

    /// A command between two instances, each reached by its own URL.
    pub(crate) fn across(
        &self,
        command: &str,
        (source, target): (&str, &str),
        args: &[&str],
    ) -> Command {
        let ends = ["--source", SOURCE, "--target", TARGET];
        let urls = ["--source-url", source, "--target-url", target];
        let words = std::iter::once(command).chain(ends).chain(urls);
        self.command(words.chain(args.iter().copied()))
    }

    /// The folder of the only run that left one.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let mut folders = self.run_folders();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.remove(0)
    }

    /// The folders of all runs, the oldest first.
    pub(crate) fn run_folders(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path().join(".lockgate/runs")) else {
            return Vec::new();
        };
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort_unstable();
        folders
    }
}

/// Runs a command to its end. A run that calls everything in sync is believed only after a look at both instances.
pub(crate) async fn end_of(mut command: Command) -> Ended {
    let output = command.output().await.unwrap();
    let ended = Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    let is_told = [&ended.stdout, &ended.stderr]
        .iter()
        .any(|text| text.contains("in sync (100.0 %)"));
    if ended.code == Some(0) && is_told {
        look_at_both(&command).await;
    }
    ended
}

async fn look_at_both(command: &Command) {
    let words: Vec<_> = command
        .as_std()
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    let is_partial = |word: &str| {
        [
            "--dry-run",
            "--locale",
            "--pages",
            "--content",
            "--models",
            "--models-with-deps",
            "--containers",
            "--elements",
        ]
        .contains(&word)
    };
    let url = words
        .iter()
        .position(|word| word == "--target-url")
        .and_then(|at| words.get(at + 1));
    let (Some(url), Some(folder)) = (url, command.as_std().get_current_dir()) else {
        return;
    };
    if words[0] != "sync" || words.iter().any(|word| is_partial(word)) {
        return;
    }
    if let Some(mappings) = independent::mappings_in(folder).await {
        let found = independent::differences(&independent::dump(url).await, &mappings);
        assert!(
            found.is_empty(),
            "called in sync, and differs:\n{}",
            found.join("\n")
        );
    }
}

/// The events in the folder of a run.
pub(crate) fn events_in(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("events.ndjson")).unwrap();
    lines_of_json(&text)
}

/// One value a line.
pub(crate) fn lines_of_json(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.map(Result::unwrap).collect()
}
