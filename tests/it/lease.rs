//! Two processes and one pair of instances: one works, the other waits for its turn.

use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::{self, Server};
use tokio::process::{Child, Command};

use crate::binary::{Ended, Workspace, end_of};
use crate::crash::{report, target};
use crate::same_state;
use crate::support::{TARGET, fixture, instances, serve, serve_with};

/// Long enough to be met while it is held, and short enough to wait for its end.
const LEASE_S: &str = "3";

const SITE: &str = "starter-site";
const SMALL: &str = "two-locales";

async fn slow(name: &str, latency_ms: u64) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture(name)),
        latency: Duration::from_millis(latency_ms),
        batches: lockgate::mock::BatchWork {
            item_time: Duration::from_millis(10),
            ..lockgate::mock::BatchWork::default()
        },
        ..mock::Options::default()
    })
    .await
}

/// A run on a machine of this name. Leases of dead owners are told by their files on one machine only.
fn on(host: &str, workspace: &Workspace, server: &Server) -> Command {
    let mut command = workspace.sync(server, &["--no-tui"]);
    command
        .env("HOSTNAME", host)
        .env("LOCKGATE_TIMEOUTS_LEASE_S", LEASE_S)
        .env("LOCKGATE_TIMEOUTS_SETTLE_MS", "1500")
        // A takeover waits as long as a request of the other one may be under way.
        .env("LOCKGATE_TIMEOUT", "2");
    command
}

/// A run that has begun to write.
async fn writing(host: &str, workspace: &Workspace, server: &Server) -> Child {
    let mut command = on(host, workspace, server);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while server.writes(TARGET).len() < 6 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    child
}

/// Waits until nothing has arrived for a part of the time that an answer takes: what was to leave is on its way then. Nobody
/// can hold back what the system was handed already.
async fn all_has_left(server: &Server) {
    let (mut seen, mut looks) = (0, 0);
    while looks < 16 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = server.requests().len();
        looks = if now == seen { looks + 1 } else { 0 };
        seen = now;
    }
}

fn signal(child: &Child, name: &str) {
    shell(&format!("kill {name} {}", child.id().unwrap()));
}

pub(crate) fn shell(line: &str) {
    let sent = std::process::Command::new("sh").args(["-c", line]).status();
    assert!(sent.unwrap().success());
}

fn is_refused(ended: &Ended, owner: &str) {
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    for part in ["error: ", owner, "started", "process", "  help: "] {
        assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
    }
}

/// What the target is to hold in the end.
async fn is_complete(name: &str, server: &Server) {
    let undisturbed = serve(instances(&fixture(name))).await;
    let workspace = Workspace::new();
    assert_eq!(
        end_of(workspace.sync(&undisturbed, &[])).await.code,
        Some(0)
    );
    report(&same_state::differences(
        &target(&undisturbed),
        &target(server),
    ));
    undisturbed.stop().await;
}

/// Tries until the lease of another machine has ended, then runs to the end. `locked` is called when the state itself is
/// held: by a process that was stopped in the middle of a commit.
async fn take_over(workspace: &Workspace, server: &Server, locked: impl Fn()) -> Ended {
    take_over_by(|| on("desk-b", workspace, server), locked).await
}

/// As above, with a command of the other machine.
pub(crate) async fn take_over_by(command: impl Fn() -> Command, locked: impl Fn()) -> Ended {
    let done = loop {
        let next = end_of(command()).await;
        if next.code != Some(4) {
            break next;
        }
        if next.stderr.contains("locked by another process") {
            locked();
        } else {
            is_refused(&next, "desk-a");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_refused_and_the_first_goes_on() {
    second_is_refused(&Workspace::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_refused_by_a_state_on_a_server() {
    if let Some(workspace) = Workspace::on_server() {
        second_is_refused(&workspace).await;
    }
}

async fn second_is_refused(workspace: &Workspace) {
    let server = slow(SITE, 20).await;
    let first = writing("desk-a", workspace, &server).await;
    is_refused(&end_of(on("desk-a", workspace, &server)).await, "desk-a");
    let first = first.wait_with_output().await.unwrap();
    assert_eq!(first.status.code(), Some(0));
    is_complete(SITE, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_killed_process_is_taken_over_when_it_has_ended() {
    killed_is_taken_over(&Workspace::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_killed_process_is_taken_over_on_a_server() {
    if let Some(workspace) = Workspace::on_server() {
        killed_is_taken_over(&workspace).await;
    }
}

async fn killed_is_taken_over(workspace: &Workspace) {
    let server = slow(SITE, 20).await;
    let mut killed = writing("desk-a", workspace, &server).await;
    signal(&killed, "-KILL");
    killed.wait().await.unwrap();
    is_refused(&end_of(on("desk-b", workspace, &server)).await, "desk-a");
    let done = take_over(workspace, &server, || {}).await;
    let waits = "taken over from a run on another machine";
    assert!(done.stderr.contains(waits), "{}", done.stderr);
    is_complete(SITE, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_past_its_lease_writes_nothing_more() {
    sleeper_writes_nothing(&Workspace::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_past_its_lease_writes_nothing_more_to_a_server() {
    if let Some(workspace) = Workspace::on_server() {
        sleeper_writes_nothing(&workspace).await;
    }
}

async fn sleeper_writes_nothing(workspace: &Workspace) {
    let server = slow(SMALL, 200).await;
    let sleeper = writing("desk-a", workspace, &server).await;
    all_has_left(&server).await;
    signal(&sleeper, "-STOP");
    // A moment in which the commit ends.
    let id = sleeper.id().unwrap();
    let locked = || shell(&format!("kill -CONT {id}; sleep 0.003; kill -STOP {id}"));
    take_over(workspace, &server, locked).await;
    let writes = server.writes(TARGET).len();
    signal(&sleeper, "-CONT");
    let woken = sleeper.wait_with_output().await.unwrap();
    let said = String::from_utf8(woken.stderr).unwrap();
    assert_eq!(woken.status.code(), Some(4), "{said}");
    assert!(said.contains("lease"), "{said}");
    assert_eq!(
        server.writes(TARGET).len(),
        writes,
        "it wrote after it had woken"
    );
    is_complete(SMALL, &server).await;
    server.stop().await;
}
