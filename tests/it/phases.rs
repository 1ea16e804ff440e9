//! Signals and the loss of the lease are heard in every phase of a run and of an undo, not only during the upload.

use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::{self, Server};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::binary::{Workspace, end_of};
use crate::lease::{shell, take_over_by};
use crate::support::{TARGET, fixture, instances, serve_with};

/// Far above what any of these runs takes; a run that is still there by then hangs.
const PATIENCE: Duration = Duration::from_mins(1);

async fn served(latency_ms: u64, faults: &[&str]) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture("starter-site")),
        latency: Duration::from_millis(latency_ms),
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..mock::Options::default()
    })
    .await
}

/// A process whose events are read as they come.
struct Running {
    child: Child,
    events: JoinSet<Vec<Value>>,
}

/// How a process ended.
struct Ending {
    code: Option<i32>,
    events: Vec<Value>,
    stderr: String,
}

impl Ending {
    fn is(&self, code: i32, end: &str) {
        let last = self.events.last().unwrap();
        assert_eq!(self.code, Some(code), "{last} {}", self.stderr);
        let told = (&last["type"], &last["exit"], &last["end"]);
        let expected = (&"run-finished".into(), &code.into(), &end.into());
        assert_eq!(told, expected, "{last}");
    }
}

impl Running {
    /// Starts a command and waits for an event, or for a request that the target was sent.
    async fn until(mut command: Command, server: &Server, moment: &Moment) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let from = server.requests().len();
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = tokio::sync::oneshot::channel();
        let event = moment.event.map(|(kind, phase)| (kind, phase.to_owned()));
        let mut events = JoinSet::new();
        events.spawn(async move {
            let (mut all, mut tell) = (Vec::<Value>::new(), Some(tell));
            while let Some(line) = lines.next_line().await.unwrap() {
                let next: Value = serde_json::from_str(&line).unwrap();
                let is_it = event.as_ref().is_some_and(|(kind, phase)| {
                    next["type"] == *kind && (phase.is_empty() || next["phase"] == **phase)
                });
                all.push(next);
                if is_it && let Some(tell) = tell.take() {
                    tell.send(()).unwrap();
                }
            }
            all
        });
        let requested = async {
            let Some((method, path)) = moment.request else {
                return std::future::pending().await;
            };
            let is_it = |request: &mock::RequestRecord| {
                request.method == method && request.path.contains(path)
            };
            while !server.requests().iter().skip(from).any(is_it) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            Ok(()) = told => {}
            () = requested => {}
            () = tokio::time::sleep(PATIENCE) => unreachable!("the moment did not come"),
        }
        Self { child, events }
    }

    fn signal(&self, name: &str) {
        shell(&format!("kill {name} {}", self.child.id().unwrap()));
    }

    async fn end(mut self) -> Ending {
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        let reading = pipe.read_to_string(&mut stderr);
        let waited = tokio::time::timeout(PATIENCE, reading).await;
        assert!(waited.is_ok(), "the process hangs");
        Ending {
            code: self.child.wait().await.unwrap().code(),
            events: self.events.join_next().await.unwrap().unwrap(),
            stderr,
        }
    }
}

/// When something is done to a process.
#[derive(Default)]
struct Moment {
    /// The type of an event, and its phase if that matters.
    event: Option<(&'static str, &'static str)>,
    request: Option<(&'static str, &'static str)>,
}

fn event(kind: &'static str, phase: &'static str) -> Moment {
    Moment {
        event: Some((kind, phase)),
        ..Moment::default()
    }
}

fn request(method: &'static str, path: &'static str) -> Moment {
    Moment {
        request: Some((method, path)),
        ..Moment::default()
    }
}

/// Stops a process at a moment until another one has taken over and ended, and lets it go on.
async fn slept_past_its_lease(server: &Server, command: impl Fn() -> Command, moment: &Moment) {
    let sleeper = Running::until(command(), server, moment).await;
    sleeper.signal("-STOP");
    // A moment in which the commit ends.
    let id = sleeper.child.id().unwrap();
    let locked = || shell(&format!("kill -CONT {id}; sleep 0.003; kill -STOP {id}"));
    let other = || {
        let mut command = command();
        command.env("HOSTNAME", "desk-b");
        command
    };
    take_over_by(other, locked).await;
    let writes = server.writes(TARGET).len();
    sleeper.signal("-CONT");
    let ending = sleeper.end().await;
    ending.is(4, "lease-lost");
    assert!(ending.stderr.contains("lease"), "{}", ending.stderr);
    let later = server.writes(TARGET).len();
    assert_eq!(later, writes, "it wrote after it had woken");
}

fn run(workspace: &Workspace, server: &Server) -> Command {
    asleep(workspace.sync(server, &["--output", "json", "--publish"]))
}

fn undo(workspace: &Workspace, server: &Server) -> Command {
    let url = server.base_url();
    let urls = ["--source-url", &url, "--target-url", &url];
    let words = ["undo", "last", "--yes", "--output", "json"];
    asleep(workspace.command(words.into_iter().chain(urls)))
}

/// On a machine of its own, with a lease that soon ends.
fn asleep(mut command: Command) -> Command {
    command
        .env("HOSTNAME", "desk-a")
        .env("LOCKGATE_TIMEOUTS_LEASE_S", "3")
        .env("LOCKGATE_TIMEOUTS_SETTLE_MS", "1500")
        // A takeover waits as long as a request of the other one may be under way.
        .env("LOCKGATE_TIMEOUT", "5");
    command
}

/// It hung for good, silent, and did not hear the first interrupt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_slept_past_its_lease_while_it_published_ends_at_once() {
    let (server, workspace) = (served(100, &[]).await, Workspace::new());
    let moment = request("POST", "batch-workflow");
    slept_past_its_lease(&server, || run(&workspace, &server), &moment).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_slept_past_its_lease_while_it_read_ends_at_once() {
    let (server, workspace) = (served(100, &[]).await, Workspace::new());
    let moment = event("phase-started", "pull");
    slept_past_its_lease(&server, || run(&workspace, &server), &moment).await;
    server.stop().await;
}

/// It called the target in sync that another run had changed meanwhile, and wrote that into the state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_slept_past_its_lease_while_it_verified_ends_at_once() {
    let (server, workspace) = (served(100, &[]).await, Workspace::new());
    let moment = event("phase-started", "verify");
    slept_past_its_lease(&server, || run(&workspace, &server), &moment).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_that_slept_past_its_lease_ends_at_once() {
    for moment in [request("DELETE", "/item"), event("phase-started", "verify")] {
        let (server, workspace) = (served(50, &[]).await, Workspace::new());
        let synced = end_of(workspace.sync(&server, &["--quiet", "--no-verify"])).await;
        assert_eq!(synced.code, Some(0), "{}", synced.stderr);
        slept_past_its_lease(&server, || undo(&workspace, &server), &moment).await;
        server.stop().await;
    }
}

/// Interrupts a process at a moment, once, which then ends by itself.
async fn interrupted(server: &Server, mut command: Command, moment: &Moment) -> Ending {
    command.env("LOCKGATE_TIMEOUTS_DRAIN_S", "1");
    let running = Running::until(command, server, moment).await;
    running.signal("-INT");
    let ending = running.end().await;
    ending.is(130, "interrupted");
    ending
}

/// The first interrupt was not heard while a run published: it polled on for as long as a batch may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_while_publishing_ends_the_run_and_the_next_one_publishes() {
    for fault in [
        "stick-batch=before,count=1,path=item/batch-workflow",
        "hang,count=1,path=page/batch-workflow",
    ] {
        let (server, workspace) = (served(0, &[fault]).await, Workspace::new());
        let path = fault.rsplit_once('=').unwrap().1;
        let ending = interrupted(&server, run(&workspace, &server), &request("POST", path)).await;
        let drains = ending.events.iter();
        let drains = drains.filter(|event| event["type"] == "drain-started");
        assert_eq!(drains.count(), 1, "{fault}: it did not say that it heard");
        let again = end_of(workspace.sync(&server, &["--quiet", "--publish"])).await;
        assert_eq!(again.code, Some(0), "{fault}: {}", again.stderr);
        let state = server.state();
        let target = state
            .instances
            .iter()
            .find(|one| one.guid == TARGET)
            .unwrap();
        let is_staging = |row: &&lockgate::mock::file::Row| row["properties"]["state"] == 1;
        let clean = served(0, &[]).await;
        let done = end_of(Workspace::new().sync(&clean, &["--quiet", "--publish"])).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let expected = clean.state();
        let expected = expected.instances.iter().find(|one| one.guid == TARGET);
        let left = |rows: &[lockgate::mock::file::Row]| rows.iter().filter(is_staging).count();
        assert_eq!(left(&target.content), left(&expected.unwrap().content));
        clean.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_interrupt_while_publishing_aborts() {
    let fault = "stick-batch=before,count=1,path=item/batch-workflow";
    let (server, workspace) = (served(0, &[fault]).await, Workspace::new());
    let moment = request("POST", "batch-workflow");
    let running = Running::until(run(&workspace, &server), &server, &moment).await;
    running.signal("-INT");
    // Signals of one kind that arrive at one time are one signal.
    let before = server.requests().len();
    while server.requests().len() < before + 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.signal("-INT");
    running.end().await.is(130, "interrupted");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_is_heard_while_credentials_are_checked() {
    let (server, workspace) = (served(0, &["hang"]).await, Workspace::new());
    let moment = event("run-started", "");
    interrupted(&server, run(&workspace, &server), &moment).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_while_verifying_ends_the_run() {
    let (server, workspace) = (served(50, &[]).await, Workspace::new());
    let moment = event("phase-started", "verify");
    interrupted(&server, run(&workspace, &server), &moment).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_is_heard_in_every_phase_of_an_undo() {
    for (moment, fault) in [
        (event("run-started", ""), "hang,from=1"),
        (
            request("DELETE", "/item"),
            "hang,method=DELETE,path=/item,count=1",
        ),
        (event("phase-started", "verify"), "html,path=nowhere"),
    ] {
        let (server, workspace) = (served(20, &[]).await, Workspace::new());
        let synced = end_of(workspace.sync(&server, &["--quiet", "--no-verify"])).await;
        assert_eq!(synced.code, Some(0), "{}", synced.stderr);
        let state = server.state();
        server.stop().await;
        let server = serve_with(mock::Options {
            state,
            latency: Duration::from_millis(20),
            faults: vec![fault.parse().unwrap()],
            ..mock::Options::default()
        })
        .await;
        interrupted(&server, undo(&workspace, &server), &moment).await;
        server.stop().await;
    }
}
