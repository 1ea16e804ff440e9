//! The life of the process: asked to stop, cut off from its reader, started again.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::file::InstanceFile;
use lockgate::mock::{self, Server};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OnceCell;

use crate::binary::{Workspace, end_of, events_in};
use crate::support::{TARGET, fixture, instances, serve_with};

/// A server on which a run takes long enough to be met in the middle of it.
async fn slow() -> Server {
    serve_with(mock::Options {
        state: instances(&fixture("starter-site")),
        latency: Duration::from_millis(20),
        batches: lockgate::mock::BatchWork {
            item_time: Duration::from_millis(10),
            ..lockgate::mock::BatchWork::default()
        },
        ..mock::Options::default()
    })
    .await
}

/// A run whose events are read as they come.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(workspace: &Workspace, server: &Server) -> Self {
        Self::of(workspace.sync(server, &["--output", "json"]))
    }

    /// Starts a command.
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    async fn event(&mut self) -> Option<Value> {
        let line = self.lines.next_line().await.unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    /// The name of the run, which its first event has.
    pub(crate) async fn run(&mut self) -> String {
        let first = self.event().await.expect("the run begins");
        first["run"].as_str().unwrap().to_owned()
    }

    /// Reads on until an event of a type has come of each of several targets.
    pub(crate) async fn until_each(&mut self, wanted: &str, targets: &[&str]) {
        let mut open: Vec<&str> = targets.to_vec();
        while !open.is_empty() {
            let event = self.event().await.expect("the runs go on");
            if event["type"] == wanted {
                open.retain(|target| event["target_name"] != *target);
            }
        }
    }

    /// Reads standard error until a line has this text.
    pub(crate) async fn line_of_stderr(&mut self, text: &str) {
        let stderr = self.child.stderr.as_mut().unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(text) {
            let byte = stderr.read_u8().await;
            let ended = || format!("the command ended: {}", String::from_utf8_lossy(&seen));
            assert!(byte.is_ok(), "{}", ended());
            seen.extend(byte);
        }
    }

    /// Waits for the end: the exit code, and the rest of standard error.
    pub(crate) async fn end_of_stderr(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).await.unwrap();
        (self.child.wait().await.unwrap().code(), stderr)
    }

    /// Reads on until so many events of a type have come.
    pub(crate) async fn until(&mut self, wanted: &str, count: usize) {
        assert!(self.reaches(wanted, count).await, "the run goes on");
    }

    /// The same; whether they have come before the end.
    pub(crate) async fn reaches(&mut self, wanted: &str, count: usize) -> bool {
        let mut seen = 0;
        while seen < count {
            let Some(event) = self.event().await else {
                return false;
            };
            seen += usize::from(event["type"] == wanted);
        }
        true
    }

    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill {name} {}", self.child.id().unwrap());
        let sent = std::process::Command::new("sh")
            .args(["-c", &line])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Reads to the end: the exit code, the last event, and standard error.
    pub(crate) async fn end(mut self) -> (Option<i32>, Value, String) {
        let mut last = Value::Null;
        while let Some(event) = self.event().await {
            last = event;
        }
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).await.unwrap();
        (self.child.wait().await.unwrap().code(), last, stderr)
    }
}

/// How many of each there are on the target.
fn population(server: &Server) -> BTreeMap<&'static str, usize> {
    let state = server.state();
    let target: &InstanceFile = state
        .instances
        .iter()
        .find(|one| one.guid == TARGET)
        .unwrap();
    BTreeMap::from([
        ("models", target.models.len()),
        ("containers", target.containers.len()),
        ("templates", target.templates.len()),
        ("galleries", target.galleries.len()),
        ("assets", target.assets.len()),
        ("content", target.content.len()),
        ("pages", target.pages.len()),
        ("redirections", target.redirections.len()),
    ])
}

static FULL: OnceCell<BTreeMap<&'static str, usize>> = OnceCell::const_new();

/// What an uninterrupted run leaves.
async fn full_population() -> BTreeMap<&'static str, usize> {
    FULL.get_or_init(uninterrupted).await.clone()
}

async fn uninterrupted() -> BTreeMap<&'static str, usize> {
    let server = serve_with(mock::Options {
        state: instances(&fixture("starter-site")),
        ..mock::Options::default()
    })
    .await;
    let workspace = Workspace::new();
    let done = end_of(workspace.sync(&server, &[])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let population = population(&server);
    server.stop().await;
    population
}

/// Runs again until the end, and checks that everything is there once.
async fn completes(workspace: &Workspace, server: &Server) {
    let again = end_of(workspace.sync(server, &[])).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(population(server), full_population().await);
    let before = server.writes(TARGET).len();
    let idle = end_of(workspace.sync(server, &[])).await;
    assert_eq!(idle.code, Some(0), "{}", idle.stderr);
    assert_eq!(
        server.writes(TARGET).len(),
        before,
        "a run with nothing to do wrote"
    );
}

async fn stopped(signal: &str, event: &str, count: usize) -> (Workspace, Server, String) {
    let (server, workspace) = (slow().await, Workspace::new());
    let mut running = Running::start(&workspace, &server);
    running.until(event, count).await;
    running.signal(signal);
    let (code, last, stderr) = running.end().await;
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(
        (&last["type"], &last["exit"]),
        (&"run-finished".into(), &130.into())
    );
    (workspace, server, stderr)
}

/// `cargo run` and `cargo test` give a program the variables that its build script set for the compiler. One of them once
/// had the prefix of the configuration, and every command that cargo started was refused for a variable that was set nowhere.
#[tokio::test]
async fn no_variable_of_the_build_is_taken_for_configuration() {
    let ours = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("LOCKGATE_") && std::env::var_os("CARGO").is_some()
    });
    let workspace = Workspace::new();
    let mut command = workspace.command(["config"]);
    command.envs(ours);
    let ended = end_of(command).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_before_the_plan_ends_at_once_and_writes_nothing() {
    let (workspace, server, stderr) = stopped("-INT", "read-progressed", 1).await;
    assert!(server.writes(TARGET).is_empty());
    assert_eq!(stderr.matches("error: ").count(), 1, "{stderr}");
    completes(&workspace, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_in_the_middle_drains_and_the_next_run_completes() {
    let (workspace, server, stderr) = stopped("-INT", "entity-settled", 40).await;
    assert!(stderr.contains("drain"), "{stderr}");
    let events = events_in(&workspace.run_folder());
    let left = events
        .iter()
        .position(|event| event["type"] == "drain-started")
        .unwrap();
    let started_later = events[left..]
        .iter()
        .filter(|event| event["type"] == "entity-started");
    assert_eq!(started_later.count(), 0, "a drain starts nothing new");
    let listed = end_of(workspace.command(["runs"])).await;
    assert!(
        listed.stdout.contains("130 interrupted"),
        "{}",
        listed.stdout
    );
    completes(&workspace, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_terminate_drains_too() {
    let (workspace, server, _) = stopped("-TERM", "batch-submitted", 1).await;
    completes(&workspace, &server).await;
    server.stop().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_is_closed_drains_too() {
    let (workspace, server, stderr) = stopped("-HUP", "batch-submitted", 1).await;
    assert!(stderr.contains("drain"), "{stderr}");
    completes(&workspace, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_interrupt_aborts_and_loses_nothing() {
    let (server, workspace) = (slow().await, Workspace::new());
    let mut running = Running::start(&workspace, &server);
    running.until("batch-submitted", 1).await;
    running.signal("-INT");
    running.until("drain-started", 1).await;
    running.signal("-INT");
    let (code, _, stderr) = running.end().await;
    assert_eq!(code, Some(130), "{stderr}");
    completes(&workspace, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_drains_the_run() {
    let (server, workspace) = (slow().await, Workspace::new());
    let mut running = Running::start(&workspace, &server);
    running.until("run-started", 1).await;
    let Running { mut child, lines } = running;
    drop(lines);
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130), "{stderr}");
    assert!(stderr.contains("the JSON output failed"), "{stderr}");
    assert!(
        population(&server)["content"] < 10,
        "it went on without a reader"
    );
    completes(&workspace, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_standard_error_is_gone_drains() {
    let (server, workspace) = (slow().await, Workspace::new());
    let mut command = workspace.sync(&server, &["--no-tui"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    completes(&workspace, &server).await;
    server.stop().await;
}

/// Follows the run that goes on in a workspace.
fn attach(workspace: &Workspace) -> Child {
    let mut command = workspace.command(["runs", "attach", "--output", "json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_attaches_to_a_run_without_a_screen_sees_all_of_it() {
    let (server, workspace) = (slow().await, Workspace::new());
    let mut running = Running::start(&workspace, &server);
    running.until("entity-settled", 5).await;
    let attached = attach(&workspace);
    let (code, _, stderr) = running.end().await;
    assert_eq!(code, Some(0), "{stderr}");
    let watched = attached.wait_with_output().await.unwrap();
    assert_eq!(watched.status.code(), Some(0));
    let recorded = std::fs::read(workspace.run_folder().join("events.ndjson")).unwrap();
    assert_eq!(watched.stdout, recorded);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_attached_to_a_run_that_is_killed_is_told() {
    let (server, workspace) = (slow().await, Workspace::new());
    let mut running = Running::start(&workspace, &server);
    running.until("entity-settled", 5).await;
    let attached = attach(&workspace);
    running.until("entity-settled", 10).await;
    running.signal("-KILL");
    drop(running.end().await);
    let watched = attached.wait_with_output().await.unwrap();
    let told = String::from_utf8_lossy(&watched.stdout);
    assert_eq!(watched.status.code(), Some(130), "{told}");
    assert!(told.contains("has died without finishing"), "{told}");
    completes(&workspace, &server).await;
    server.stop().await;
}
