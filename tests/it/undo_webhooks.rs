//! Webhooks of the target and an undo: named before it, switched off while it writes, and on again whatever becomes of it.

use lockgate::mock::Server;

use crate::binary::{Ended, Workspace, end_of};
use crate::cli_life::Running;
use crate::support::TARGET;
use crate::webhooks::{
    SECRETS, enabled, held, hooks, play, slow, switches, webhooks, with_hooks, without_secrets,
};

/// What is said of the webhooks where they are not switched off.
const NAMED: &str =
    "2 webhooks of the target fire for what is written: Hook signed, Hook plain; --pause-webhooks";

async fn synced(server: &Server) -> Workspace {
    let workspace = Workspace::new();
    let done = end_of(workspace.sync(server, &["-q"])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    workspace
}

async fn undone(workspace: &Workspace, args: &[&str]) -> Ended {
    let words = ["undo", "last", "--yes"].iter().chain(args);
    end_of(workspace.command(words)).await
}

/// What was switched after so many writes, by its place among the writes, and how many of these there are.
fn switched_after(server: &Server, count: usize) -> (Vec<(usize, bool)>, usize) {
    let later = switches(server, TARGET).split_off(count);
    let all = later.iter().enumerate();
    let switched = all.filter_map(|(at, one)| Some((at, one.as_ref()?.1)));
    (switched.collect(), later.len())
}

#[tokio::test]
async fn webhooks_are_off_from_before_the_first_write_of_an_undo_until_after_its_last() {
    let server = play(with_hooks(hooks())).await;
    let before = held(&server, TARGET);
    let workspace = synced(&server).await;
    let count = switches(&server, TARGET).len();
    let done = undone(&workspace, &["--pause-webhooks", "--verbose"]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(held(&server, TARGET), before, "only the switch was touched");
    let (switched, all) = switched_after(&server, count);
    let expected = [(0, false), (1, false), (all - 2, true), (all - 1, true)];
    assert!(all > 10, "{all}");
    assert_eq!(switched, expected);
    for line in [
        "switched off until the end: 2 webhooks, Hook signed, Hook plain",
        "switched on again: 2 webhooks",
    ] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
    // Nothing is left to be undone, so nothing fires.
    let count = switches(&server, TARGET).len();
    let idle = undone(&workspace, &["--pause-webhooks"]).await;
    assert_eq!(idle.code, Some(0), "{}", idle.stderr);
    assert_eq!(switched_after(&server, count), (Vec::new(), 0));
    without_secrets(&workspace, &[&done, &idle]);
}

#[tokio::test]
async fn webhooks_are_counted_and_named_before_an_undo() {
    let server = play(with_hooks(hooks())).await;
    let workspace = synced(&server).await;
    let shown = end_of(workspace.command(["undo", "last", "--dry-run"])).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains(NAMED), "{}", shown.stdout);
    let mut configured = workspace.command(["undo", "last", "--dry-run"]);
    configured.env("LOCKGATE_PAUSE_WEBHOOKS", "true");
    let shown = end_of(configured).await;
    let off = "2 webhooks of the target are switched off meanwhile: Hook signed, Hook plain";
    assert!(shown.stdout.contains(off), "{}", shown.stdout);
    let count = switches(&server, TARGET).len();
    let done = undone(&workspace, &[]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stderr.contains(NAMED), "{}", done.stderr);
    assert_eq!(switched_after(&server, count).0, []);
    without_secrets(&workspace, &[&shown, &done]);
}

/// Kills an undo after it has switched webhooks off.
async fn killed(workspace: &Workspace, server: &Server) -> String {
    let words = [
        "undo",
        "last",
        "--yes",
        "--pause-webhooks",
        "--output",
        "json",
    ];
    let mut running = Running::of(workspace.command(words));
    let run = running.run().await;
    running.until("entity-settled", 1).await;
    running.signal("-KILL");
    drop(running.end().await);
    assert_eq!(enabled(server), [false, false, false]);
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_of_an_undo_that_was_killed_are_switched_on_by_whatever_comes_next() {
    for next in ["restore", "undo", "pausing undo", "sync"] {
        let server = slow(&[]).await;
        let workspace = synced(&server).await;
        let run = killed(&workspace, &server).await;
        let listed = webhooks(&workspace, &server, &["list", "--json"]).await;
        assert!(listed.stdout.contains(&run), "{}", listed.stdout);
        let count = switches(&server, TARGET).len();
        let done = match next {
            "restore" => webhooks(&workspace, &server, &["restore"]).await,
            "undo" => undone(&workspace, &[]).await,
            "pausing undo" => undone(&workspace, &["--pause-webhooks"]).await,
            _ => end_of(workspace.sync(&server, &[])).await,
        };
        assert_eq!(done.code, Some(0), "{next}: {}", done.stderr);
        assert_eq!(enabled(&server), [true, true, false], "{next}");
        let (switched, all) = switched_after(&server, count);
        // One that pauses leaves them off until its own end.
        let first = if next == "pausing undo" { all - 2 } else { 0 };
        assert_eq!(switched, [(first, true), (first + 1, true)], "{next}");
        without_secrets(&workspace, &[&listed, &done]);
    }
}

#[tokio::test]
async fn an_undo_that_cannot_pause_writes_nothing_and_one_that_cannot_resume_is_no_success() {
    let secret = SECRETS[0];
    let refused = format!("status=403,method=POST,path=/webhook,text=plain,body={secret}");
    let server = slow(&[&refused]).await;
    let workspace = synced(&server).await;
    let count = switches(&server, TARGET).len();
    let done = undone(&workspace, &["--pause-webhooks"]).await;
    assert_eq!(done.code, Some(3), "{}", done.stderr);
    let words = "webhook \"Hook plain\" could not be switched off";
    assert!(done.stderr.contains(words), "{}", done.stderr);
    let (switched, all) = switched_after(&server, count);
    assert_eq!(switched.len(), all, "nothing else was written");
    assert_eq!(enabled(&server), [true, true, false]);
    without_secrets(&workspace, &[&done]);

    let server = slow(&["status=503,method=POST,path=/webhook,from=3,count=12"]).await;
    let workspace = synced(&server).await;
    let done = undone(&workspace, &["--pause-webhooks"]).await;
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    for words in ["is still switched off", "lockgate webhooks restore"] {
        assert!(done.stderr.contains(words), "{words}: {}", done.stderr);
    }
    without_secrets(&workspace, &[&done]);
}
