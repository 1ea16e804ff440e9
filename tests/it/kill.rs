//! The real process, killed without warning at random moments and started again until it finishes.
//!
//! Moments are chosen by the events that the process prints, plus up to a few milliseconds, so that they fall
//! everywhere: before a request, between a server's commit and its answer, while a batch is worked off, during an
//! upload, during recovery. The short form kills a few dozen times. The long form kills 200 times, over fixtures
//! and a generated instance of 2,000 entities:
//!
//! ```text
//! cargo test --release --test it kill -- --ignored --nocapture
//! ```

use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::file::{InstanceFile, StateFile};
use lockgate::mock::generate::{Shape, generate};
use lockgate::mock::{self, Server};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::binary::{Workspace, end_of};
use crate::same_state;
use crate::support::{TARGET, empty_target, fixture, instances, serve_with};

/// How long the target has to stay the same before something counts as absent: far above the time of an item, also
/// on a machine that is busy with other tests.
const SETTLE_MS: &str = "1500";

async fn server(state: StateFile) -> Server {
    serve_with(mock::Options {
        state,
        latency: Duration::from_millis(2),
        item_time: Duration::from_millis(2),
        ..mock::Options::default()
    })
    .await
}

fn target(server: &Server) -> InstanceFile {
    let mut all = server.state().instances;
    all.retain(|instance| instance.guid == TARGET);
    all.remove(0)
}

fn sync(workspace: &Workspace, server: &Server, args: &[&str]) -> Command {
    let mut command = workspace.sync(server, args);
    command
        .env("LOCKGATE_TIMEOUTS_SETTLE_MS", SETTLE_MS)
        .env("LOCKGATE_RETRY_ATTEMPTS", "5")
        // Small batches, so that there are many moments between them.
        .env("LOCKGATE_BATCH_SIZE", "20");
    command
}

/// Starts the process and kills it after so many events and microseconds. Returns its exit code if it was faster.
async fn killed(
    workspace: &Workspace,
    server: &Server,
    events: u32,
    later: Duration,
) -> Option<i32> {
    let mut command = sync(workspace, server, &["--output", "json", "--no-verify"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..events {
        if lines.next_line().await.unwrap().is_none() {
            return child.wait().await.unwrap().code();
        }
    }
    // The moment is arbitrary on purpose; nothing is expected of its length.
    tokio::time::sleep(later).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap().code()
}

/// The target after a run that nothing happened to, and how many events it told.
async fn undisturbed(state: &StateFile) -> (InstanceFile, u32) {
    let server = server(state.clone()).await;
    let workspace = Workspace::new();
    let done = end_of(sync(
        &workspace,
        &server,
        &["--output", "json", "--no-verify"],
    ))
    .await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let target = target(&server);
    server.stop().await;
    (target, u32::try_from(done.stdout.lines().count()).unwrap())
}

/// Kills runs of one instance until it has happened `kills` times or a run was faster, then lets one finish.
/// Returns how often it killed, and what is wrong.
async fn ends_the_same(
    state: &StateFile,
    (expected, events): &(InstanceFile, u32),
    kills: u32,
    chance: &mut ChaCha8Rng,
) -> (u32, Vec<String>) {
    let server = server(state.clone()).await;
    let workspace = Workspace::new();
    let mut killed_so_far = 0;
    while killed_so_far < kills {
        // Mostly early in what is left to do, so that many kills find something.
        let share = chance.random::<f64>().powi(2);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count"
        )]
        let after = (f64::from(*events) * share) as u32;
        let later = Duration::from_micros(chance.random_range(0..6_000));
        if killed(&workspace, &server, after, later).await.is_some() {
            break;
        }
        killed_so_far += 1;
    }
    let done = end_of(sync(&workspace, &server, &["--quiet"])).await;
    let mut problems = Vec::new();
    if done.code != Some(0) {
        problems.push(format!(
            "the last run ended with {:?}: {}{}",
            done.code, done.stdout, done.stderr
        ));
    }
    problems.extend(same_state::differences(expected, &target(&server)));
    let before = server.writes(TARGET).len();
    let again = end_of(sync(&workspace, &server, &["--quiet"])).await;
    if again.code != Some(0) {
        problems.push(format!(
            "one run more ended with {:?}: {}",
            again.code, again.stderr
        ));
    }
    for write in &server.writes(TARGET)[before..] {
        problems.push(format!(
            "written once more: {} {}",
            write.method, write.path
        ));
    }
    server.stop().await;
    (killed_so_far, problems)
}

fn named(name: &str) -> StateFile {
    instances(&fixture(name))
}

fn generated(entities: usize, seed: u64) -> StateFile {
    let mut state = generate(&Shape::new(entities, seed));
    let locales = state.instances[0].locales.clone();
    state.instances.push(empty_target(&locales));
    state
}

async fn kill(cases: &[(&str, StateFile)], rounds: u32, kills: u32, seed: u64) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut total = 0;
    let mut problems = Vec::new();
    for (name, state) in cases {
        let reference = undisturbed(state).await;
        for round in 0..rounds {
            let (killed, found) = ends_the_same(state, &reference, kills, &mut chance).await;
            total += killed;
            problems.extend(
                found
                    .into_iter()
                    .map(|line| format!("{name}, round {round}: {line}")),
            );
        }
    }
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
    let planned = rounds * kills * u32::try_from(cases.len()).unwrap();
    assert!(
        total * 2 > planned,
        "only {total} of {planned} kills hit a run"
    );
}

#[tokio::test]
async fn a_process_that_is_killed_anywhere_loses_and_doubles_nothing() {
    let cases = [
        ("starter-site", named("starter-site")),
        ("cycle-of-five", named("cycle-of-five")),
    ];
    kill(&cases, 2, 6, 7).await;
}

#[tokio::test]
#[ignore = "200 kills take minutes"]
async fn a_process_that_is_killed_two_hundred_times_loses_and_doubles_nothing() {
    let names = [
        "starter-site",
        "cycle-of-five",
        "two-locales",
        "galleries-and-assets",
        "three-siblings",
    ];
    let cases: Vec<_> = names.iter().map(|name| (*name, named(name))).collect();
    kill(&cases, 4, 7, 11).await;
    kill(&[("2,000 entities", generated(2_000, 3))], 4, 15, 13).await;
}
