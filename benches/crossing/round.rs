//! One combination: a server, a run, and the run after it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use lockgate::mock::generate::Preset;
use lockgate::mock::{BatchWork, Profile, RateLimitKind};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use crate::Outcome;
use crate::process::{Cost, watch};
use crate::requests::{Request, read_log};

/// The instances, as `mock generate` and the server call them.
pub(crate) const SOURCE: &str = "1a2b3c4d-u";
pub(crate) const TARGET: &str = "5e6f7a8b-u";

/// The longest that one run may take: the slowest combination needs half of it.
pub(crate) const PATIENCE: Duration = Duration::from_hours(2);

/// What is the same for all rounds.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The program that is measured.
    pub(crate) binary: PathBuf,
    /// The program that is the server, the same for every client that is measured.
    pub(crate) server: PathBuf,
    /// What a table of profiles calls the program that is measured.
    pub(crate) client: String,
    /// Milliseconds that the batch worker takes for an item, without a profile.
    pub(crate) item_ms: u32,
    /// Requests in flight at most, per instance.
    pub(crate) concurrency: u32,
}

impl Settings {
    /// Writes the source instance of a size.
    pub(crate) async fn generate(&self, preset: Preset, to: &Path) -> Outcome<()> {
        let words = ["mock", "generate", "--preset", preset.name(), "-o"];
        let mut command = Self::program(&self.server, &words);
        let status = command.arg(to).status().await?;
        expect(status.success(), "mock generate", status)
    }

    /// The program in a terminal of 120 by 40, which no user looks at. `script` of util-linux makes it.
    fn in_a_terminal(&self, words: &[&str]) -> Command {
        let quoted = |word: &str| format!("'{}'", word.replace('\'', "'\\''"));
        let program = self.binary.to_string_lossy();
        let line: Vec<String> = std::iter::once(&*program)
            .chain(words.iter().copied())
            .map(quoted)
            .collect();
        let line = format!("stty cols 120 rows 40; exec {}", line.join(" "));
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            // What ends here would end the terminal.
            .stdin(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The program with nothing of this process's environment that could change what it does.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        Self::program(&self.binary, words)
    }

    fn program(binary: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command
            .args(words)
            .env_clear()
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// A combination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) preset: Preset,
    /// The character of the server; what is not in it is in the settings.
    pub(crate) profile: Option<Profile>,
    pub(crate) latency_ms: u32,
    /// The limit without a profile.
    pub(crate) limit: Option<u32>,
    pub(crate) schedule: &'static str,
}

/// What was seen of a combination.
#[derive(Debug)]
pub(crate) struct Measured {
    /// From the start of the process to its end.
    pub(crate) makespan: Duration,
    pub(crate) exit: Option<i32>,
    pub(crate) client: Cost,
    pub(crate) server: Cost,
    /// `summary.json` of the run.
    pub(crate) summary: Value,
    /// What the server was asked in the run, in order of arrival.
    pub(crate) requests: Vec<Request>,
    /// What it was asked in the run after it.
    pub(crate) again: Vec<Request>,
}

impl Round {
    /// The words that distinguish it from others.
    pub(crate) fn name(&self) -> String {
        let limit = self.limit_name();
        let Self {
            preset,
            latency_ms,
            schedule,
            ..
        } = self;
        let profile = self.profile.map_or("own", Profile::name);
        format!(
            "{}-{profile}-{latency_ms}ms-{limit}-{schedule}",
            preset.name()
        )
    }

    /// How the server processes batches.
    pub(crate) fn batches(&self, settings: &Settings) -> BatchWork {
        let own = || BatchWork {
            item_time: Duration::from_millis(settings.item_ms.into()),
            ..BatchWork::default()
        };
        self.profile.map_or_else(own, Profile::work)
    }

    /// The limit of the server.
    pub(crate) fn limit(&self) -> Option<(u32, RateLimitKind)> {
        let own = || self.limit.map(|limit| (limit, RateLimitKind::Sliding));
        self.profile.map_or_else(own, Profile::limit)
    }

    /// The limit as the table writes it.
    pub(crate) fn limit_name(&self) -> String {
        self.limit()
            .map_or_else(|| "none".to_owned(), |(limit, _)| limit.to_string())
    }

    /// Runs it. `state` holds the source; the target is empty.
    pub(crate) async fn run(
        &self,
        settings: &Settings,
        folder: &Path,
        state: &Path,
    ) -> Outcome<Measured> {
        let folder = folder.join(self.name());
        std::fs::create_dir(&folder)?;
        let log = folder.join("requests.ndjson");
        let mut server = self.serve(settings, state, &log, &[])?;
        let url = address(&mut server).await?;
        let started = Instant::now();
        let (status, client) = self
            .sync(settings, &folder, &url, Reports::lines("first"))
            .await?;
        let makespan = started.elapsed();
        let cost = server.id().map(Cost::of).unwrap_or_default();
        let requests = read_log(&log)?;
        self.sync(settings, &folder, &url, Reports::lines("second"))
            .await?;
        let again = read_log(&log)?.split_off(requests.len());
        server.kill().await?;
        Ok(Measured {
            makespan,
            exit: status.code(),
            client,
            server: cost,
            summary: summary(&folder.join("first"))?,
            requests,
            again,
        })
    }

    /// Runs it once, and gives the folder that its report is in.
    pub(crate) async fn record(
        &self,
        settings: &Settings,
        folder: &Path,
        state: &Path,
        screen: Screen,
    ) -> Outcome<PathBuf> {
        let folder = folder.join(self.name());
        std::fs::create_dir(&folder)?;
        let mut server = self.serve(settings, state, &folder.join("requests.ndjson"), &[])?;
        let url = address(&mut server).await?;
        let reports = Reports {
            name: "first",
            screen,
        };
        let (status, _) = self.sync(settings, &folder, &url, reports).await?;
        server.kill().await?;
        expect(status.success(), "the run", status)?;
        Ok(folder.join("first"))
    }

    /// Runs it once, and returns the seconds that the run itself took.
    pub(crate) async fn timed(
        &self,
        settings: &Settings,
        folder: &Path,
        state: &Path,
        screen: Screen,
    ) -> Outcome<f64> {
        let reports = self.record(settings, folder, state, screen).await?;
        let elapsed_ms = summary(&reports)?["elapsed_ms"].as_f64();
        Ok(elapsed_ms.ok_or("the summary tells no time")? / 1000.0)
    }

    /// A server with the source, the empty target, and further `instances` as `--instance` takes them.
    pub(crate) fn serve(
        &self,
        settings: &Settings,
        state: &Path,
        log: &Path,
        instances: &[String],
    ) -> Outcome<Child> {
        let target = format!("{TARGET}:en-us,fr-ca");
        let words = ["mock", "serve", "--instance", &target];
        let mut command = Settings::program(&settings.server, &words);
        let further = instances.iter().flat_map(|one| ["--instance", one]);
        command
            .args(further)
            .arg("--state")
            .arg(state)
            .arg("--request-log")
            .arg(log);
        command.args(["--latency-ms", &self.latency_ms.to_string()]);
        if let Some(profile) = self.profile {
            command.args(["--profile", profile.name()]);
        } else {
            command.args(["--item-ms", &settings.item_ms.to_string()]);
            if let Some(limit) = self.limit {
                command.args(["--rate-limit", &limit.to_string()]);
            }
        }
        Ok(command.stdout(Stdio::piped()).spawn()?)
    }

    /// One run of the client, in a folder that all runs share.
    async fn sync(
        &self,
        settings: &Settings,
        folder: &Path,
        url: &str,
        reports: Reports<'_>,
    ) -> Outcome<(ExitStatus, Cost)> {
        let words = [
            "sync",
            "--schedule",
            self.schedule,
            "--run-dir",
            reports.name,
        ];
        client(settings, folder, url, (&words, reports)).await
    }
}

/// A command of the client from the source to the target, in a folder that all commands share. `words` are the command and
/// its own flags.
pub(crate) async fn client(
    settings: &Settings,
    folder: &Path,
    url: &str,
    (words, reports): (&[&str], Reports<'_>),
) -> Outcome<(ExitStatus, Cost)> {
    let output = std::fs::File::create(folder.join(format!("{}.log", reports.name)))?;
    let concurrency = settings.concurrency.to_string();
    let ends = [
        ["--source", SOURCE],
        ["--target", TARGET],
        ["--source-url", url],
        ["--target-url", url],
        ["--concurrency", &concurrency],
    ];
    let mut all: Vec<&str> = words
        .iter()
        .copied()
        .chain(ends.into_iter().flatten())
        .collect();
    let mut command = match reports.screen {
        Screen::Lines => {
            all.push("--no-tui");
            settings.command(&all)
        }
        Screen::Dashboard => settings.in_a_terminal(&all),
    };
    command
        .env("LOCKGATE_TOKEN", "bench")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(output);
    Ok(timeout(PATIENCE, watch(command.spawn()?)).await??)
}

/// Where a run shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    /// Lines in a file.
    Lines,
    /// The dashboard in a terminal.
    Dashboard,
}

impl Screen {
    /// What folders are called after it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Dashboard => "dashboard",
        }
    }
}

/// What a command shows and leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reports<'a> {
    /// The folder of its report, and the name of its lines.
    name: &'a str,
    screen: Screen,
}

impl<'a> Reports<'a> {
    pub(crate) const fn lines(name: &'a str) -> Self {
        Self {
            name,
            screen: Screen::Lines,
        }
    }
}

/// The address that a server prints on its first line.
pub(crate) async fn address(server: &mut Child) -> Outcome<String> {
    let out = server.stdout.take().ok_or("the server has no output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).await?;
    let url = line.trim().rsplit(' ').next().unwrap_or_default();
    if url.starts_with("http://") {
        Ok(url.to_owned())
    } else {
        Err(format!("the server did not start: it said {line:?}").into())
    }
}

/// `summary.json` of the one run in a folder of reports.
pub(crate) fn summary(reports: &Path) -> Outcome<Value> {
    for entry in std::fs::read_dir(reports)? {
        let file = entry?.path().join("summary.json");
        if file.is_file() {
            return Ok(serde_json::from_slice(&std::fs::read(file)?)?);
        }
    }
    Err(format!("no run has left a summary in {}", reports.display()).into())
}

fn expect(held: bool, what: &str, status: ExitStatus) -> Outcome<()> {
    if held {
        Ok(())
    } else {
        Err(format!("{what} ended with {status}").into())
    }
}
