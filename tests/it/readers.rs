//! Readers of the output that stop reading: the run comes to an end all the same, and hears signals.

use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::generate::{Shape, generate};
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;

use crate::binary::Workspace;
use crate::support::{empty_target, serve};

/// Longer than any of these runs takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// A run that writes more events than a pipe holds, into one that nothing reads from.
async fn unread(workspace: &Workspace, patience_s: &str) -> Child {
    let mut state = generate(&Shape::new(1_500, 3));
    let locales = state.instances[0].locales.clone();
    state.instances.push(empty_target(&locales));
    let server = serve(state).await;
    let mut command = workspace.sync(&server, &["--output", "json", "--verbose"]);
    command.env("LOCKGATE_TIMEOUTS_READER_S", patience_s);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // The server goes with the process of the test.
    std::mem::forget(server);
    command.kill_on_drop(true).spawn().unwrap()
}

async fn ends(child: &mut Child) -> Option<i32> {
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    ended.expect("the process never ended").unwrap().code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_are_not_read_drain_the_run_and_are_named_once() {
    let workspace = Workspace::new();
    let mut child = unread(&workspace, "1").await;
    let mut lines = child.stderr.take().unwrap();
    let mut text = String::new();
    let (code, read) = tokio::join!(ends(&mut child), lines.read_to_string(&mut text));
    assert_eq!(code, Some(130));
    read.unwrap();
    let named = text.matches("the JSON output failed (its reader took nothing for 1 s)");
    assert_eq!(named.count(), 1, "{text}");
    assert!(workspace.run_folder().join("report.html").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_are_heard_while_nothing_reads() {
    let workspace = Workspace::new();
    let mut child = unread(&workspace, "3600").await;
    // Long enough for the pipes to be full, on whatever machine: what counts is that it ends.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for _ in 0..2 {
        let line = format!("kill -TERM {}", child.id().unwrap());
        let sent = std::process::Command::new("sh")
            .args(["-c", &line])
            .status();
        assert!(sent.unwrap().success());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(ends(&mut child).await, Some(130));
}
