//! The real process against a mock server in another one, killed without warning and started again until it
//! finishes.
//!
//! Random moments are chosen by the events that the process prints, plus up to a few milliseconds, so that they fall
//! everywhere. Chosen ones are seen in the request log of the server: an effect whose answer has not left, a batch
//! that is worked off, an upload, a recovery. Afterwards the target holds what an uninterrupted run leaves there, the
//! server has been told to create as many entities as then, and one run more writes nothing.
//!
//! The short form kills some forty times. The long form kills 200 times, over fixtures and a generated instance of
//! 2,000 entities:
//!
//! ```text
//! cargo test --release --test it kill -- --ignored --nocapture
//! ```

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use lockgate::mock::file::{InstanceFile, StateFile};
use lockgate::mock::generate::{Shape, generate};
use lockgate::store::StateUrl;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::binary::{Workspace, end_of};
use crate::lease::{shell, take_over_by};
use crate::mock_process::MockProcess;
use crate::same_state;
use crate::shared_state::let_leases_end;
use crate::support::{empty_target, fixture, instances};
use crate::uploads;

/// How long the target has to stay the same before something counts as absent: far above the time of an item, also
/// on a machine that is busy with other tests.
const SETTLE_MS: &str = "1500";

/// A server quick enough for many runs, and slow enough that batches queue up.
const QUICK: [&str; 4] = ["--latency-ms", "2", "--item-ms", "2"];

fn sync(workspace: &Workspace, server: &MockProcess, args: &[&str]) -> Command {
    let mut command = workspace.between("sync", &server.base_url, args);
    command
        .env("LOCKGATE_TIMEOUTS_SETTLE_MS", SETTLE_MS)
        .env("LOCKGATE_RETRY_ATTEMPTS", "5")
        // Small batches, so that there are many moments between them.
        .env("LOCKGATE_BATCH_SIZE", "20");
    command
}

/// What a run leaves that nothing happens to.
struct Reference {
    /// What runs are asked for.
    asked: &'static [&'static str],
    target: InstanceFile,
    creates: BTreeMap<&'static str, usize>,
    events: u32,
}

impl Reference {
    async fn of(state: &StateFile) -> Self {
        Self::asked(state, &[]).await
    }

    async fn asked(state: &StateFile, asked: &'static [&'static str]) -> Self {
        let server = MockProcess::start(state, &QUICK).await;
        let workspace = Workspace::new();
        let args = [asked, &["--output", "json", "--no-verify"]].concat();
        let done = end_of(sync(&workspace, &server, &args)).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        Self {
            asked,
            target: server.target().await,
            creates: server.creates(),
            events: u32::try_from(done.stdout.lines().count()).unwrap(),
        }
    }
}

/// A workspace and a server in which runs are killed.
struct Trial<'a> {
    reference: &'a Reference,
    server: MockProcess,
    workspace: Workspace,
}

impl<'a> Trial<'a> {
    async fn new(state: &StateFile, reference: &'a Reference, args: &[&str]) -> Self {
        Self {
            reference,
            server: MockProcess::start(state, args).await,
            workspace: Workspace::new(),
        }
    }

    /// On a server only time tells that a process is gone.
    async fn time_passes(&self) {
        if let Some(state) = self.workspace.state() {
            let_leases_end(&StateUrl::parse(state).unwrap()).await;
        }
    }

    fn sync(&self, args: &[&str]) -> Command {
        let args = [self.reference.asked, args].concat();
        sync(&self.workspace, &self.server, &args)
    }

    /// Kills a run after so many events and microseconds. Returns whether it was still there.
    async fn kill_after(&self, events: u32, later: Duration) -> bool {
        self.time_passes().await;
        let mut command = self.sync(&["--output", "json", "--no-verify"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..events {
            if lines.next_line().await.unwrap().is_none() {
                break;
            }
        }
        // The moment is arbitrary on purpose; nothing is expected of its length.
        tokio::time::sleep(later).await;
        kill(child).await
    }

    /// Kills a run as soon as the server has answered a request of this run that fits.
    async fn kill_when(&self, fits: impl Fn(&Value) -> bool) {
        let before = self.server.answered().len();
        let mut command = self.sync(&["--quiet", "--no-verify"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        tokio::select! {
            () = self.server.until(before, fits) => {}
            ended = child.wait() => panic!("the run ended with {ended:?} before the moment came"),
        }
        assert!(kill(child).await, "the run ended at the very moment");
    }

    /// Lets a run finish, and tells what is wrong after it.
    async fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.time_passes().await;
        let done = end_of(self.sync(&["--quiet"])).await;
        if done.code != Some(0) {
            let (code, out, err) = (done.code, done.stdout, done.stderr);
            problems.push(format!("the last run ended with {code:?}: {out}{err}"));
        }
        let target = self.server.target().await;
        problems.extend(same_state::differences(&self.reference.target, &target));
        let (wanted, found) = (&self.reference.creates, self.server.creates());
        if *wanted != found {
            problems.push(format!("told to create {found:?} instead of {wanted:?}"));
        }
        let before = self.server.effects().len();
        let again = end_of(self.sync(&["--quiet"])).await;
        if again.code != Some(0) {
            let (code, err) = (again.code, again.stderr);
            problems.push(format!("one run more ended with {code:?}: {err}"));
        }
        for write in &self.server.effects()[before..] {
            problems.push(format!("once more: {} {}", write["method"], write["path"]));
        }
        problems
    }
}

/// Returns whether the process was still there.
async fn kill(mut child: Child) -> bool {
    child.start_kill().unwrap();
    child.wait().await.unwrap().code().is_none()
}

/// Kills runs at random moments until it has happened `kills` times or a run was faster.
async fn kill_at_random(trial: &Trial<'_>, kills: u32, chance: &mut ChaCha8Rng) -> u32 {
    for killed in 0..kills {
        // Mostly early in what is left to do, so that many kills find something.
        let share = chance.random::<f64>().powi(2);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count"
        )]
        let after = (f64::from(trial.reference.events) * share) as u32;
        let later = Duration::from_micros(chance.random_range(0..6_000));
        if !trial.kill_after(after, later).await {
            return killed;
        }
    }
    kills
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

/// Kills until so many kills have met a run, in rounds of at most `per_round` before a run may finish.
async fn kill_often(cases: &[(&str, StateFile)], kills: u32, per_round: u32, seed: u64) {
    kill_often_with(cases, (kills, per_round), seed, || Some(Workspace::new())).await;
}

/// The same with states that `workspace` places; nothing where it cannot.
async fn kill_often_with(
    cases: &[(&str, StateFile)],
    (kills, per_round): (u32, u32),
    seed: u64,
    workspace: impl Fn() -> Option<Workspace>,
) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut problems = Vec::new();
    for (name, state) in cases {
        let reference = Reference::of(state).await;
        let mut left = kills;
        while left > 0 {
            let mut trial = Trial::new(state, &reference, &QUICK).await;
            let Some(placed) = workspace() else { return };
            trial.workspace = placed;
            left -= kill_at_random(&trial, per_round.min(left), &mut chance).await;
            let found = trial.problems().await;
            problems.extend(
                found
                    .iter()
                    .map(|line| format!("{name}, {left} kills left: {line}")),
            );
        }
    }
    let count = problems.len();
    assert!(
        problems.is_empty(),
        "{count} problems:\n{}",
        problems.join("\n")
    );
}

#[tokio::test]
async fn a_process_that_is_killed_anywhere_loses_and_doubles_nothing() {
    let cases = [
        ("starter-site", named("starter-site")),
        ("cycle-of-five", named("cycle-of-five")),
    ];
    kill_often(&cases, 12, 6, 7).await;
}

#[tokio::test]
async fn a_process_that_is_killed_loses_and_doubles_nothing_with_its_state_on_a_server() {
    let cases = [("starter-site", named("starter-site"))];
    kill_often_with(&cases, (6, 3), 17, Workspace::on_server).await;
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
    kill_often(&cases, 28, 7, 11).await;
    kill_often(&[("2,000 entities", generated(2_000, 3))], 60, 15, 13).await;
}

fn is_write(path: &str) -> impl Fn(&Value) -> bool + '_ {
    move |request| {
        let asked = request["path"].as_str().unwrap_or_default();
        request["writes"] == true && request["status"] == 200 && asked.ends_with(path)
    }
}

/// Kills one run at a moment that `fits` recognises.
async fn killed_once(
    state: &StateFile,
    reference: &Reference,
    args: &[&str],
    fits: impl Fn(&Value) -> bool,
) -> Vec<String> {
    let trial = Trial::new(state, reference, args).await;
    trial.kill_when(fits).await;
    trial.problems().await
}

#[tokio::test]
async fn between_every_kind_of_effect_and_its_answer() {
    let state = named("starter-site");
    let reference = Reference::of(&state).await;
    for path in [
        "/model",
        "/container",
        "/asset/gallery",
        "/asset/upload",
        "/page/template",
        "/url-redirections",
        "/item/multi",
        "/page",
    ] {
        // The effect is there, and the answer takes longer than the kill. The three templates come before the pages.
        let count = if path == "/page" { 4 } else { 1 };
        let slow = format!("method=POST,path={path},count={count},slow-body=2000");
        let args = [&QUICK[..], &["--fault", &slow]].concat();
        let found = killed_once(&state, &reference, &args, is_write(path)).await;
        assert_eq!(found, Vec::<String>::new(), "{path}");
    }
}

fn is_poll(request: &Value) -> bool {
    request["path"].as_str().unwrap().contains("/batch/")
}

#[tokio::test]
async fn while_a_batch_is_worked_off() {
    let state = named("ordered-links");
    let reference = Reference::of(&state).await;
    let found = killed_once(&state, &reference, &["--item-ms", "40"], is_poll).await;
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn while_an_asset_is_uploaded() {
    let state = named("galleries-and-assets");
    let reference = Reference::of(&state).await;
    // Its bytes come slowly out of the source, so the upload is under way.
    let slow = ["--fault", "path=/origin,count=1,slow-body=2000"];
    let is_download = |request: &Value| request["path"].as_str().unwrap().contains("/origin");
    let found = killed_once(&state, &reference, &slow, is_download).await;
    assert_eq!(found, Vec::<String>::new());
}

/// Files that share an upload are there, and its answer takes longer than the kill. The next run finds each by its path and
/// its bytes, and sends none again.
#[tokio::test]
async fn while_files_are_uploaded_together() {
    let state = uploads::state(uploads::many(30), Vec::new());
    let reference = Reference::of(&state).await;
    let slow = "method=POST,path=/asset/upload,count=2,slow-body=2000";
    let trial = Trial::new(&state, &reference, &["--fault", slow]).await;
    let is_upload = is_write("/asset/upload");
    trial.kill_when(&is_upload).await;
    assert_eq!(trial.problems().await, Vec::<String>::new());
    let effects = trial.server.effects().into_iter();
    let files = effects.filter(|request| is_upload(request));
    let files = files.flat_map(|request| request["body"]["files"].as_array().unwrap().clone());
    let mut names: Vec<String> = files.map(|file| file["name"].to_string()).collect();
    let brought = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        (names.len(), brought),
        (30, 30),
        "each file was brought once"
    );
}

#[tokio::test]
async fn during_the_recovery_of_a_run_that_was_killed() {
    let state = named("ordered-links");
    let reference = Reference::of(&state).await;
    let trial = Trial::new(&state, &reference, &["--item-ms", "40"]).await;
    trial.kill_when(is_poll).await;
    // The next run asks for the batch before it reads anything else, and is killed at that; and the one after it.
    trial.kill_when(is_poll).await;
    trial.kill_when(is_poll).await;
    assert_eq!(trial.problems().await, Vec::<String>::new());
}

#[tokio::test]
async fn while_entities_are_published() {
    let state = named("starter-site");
    let reference = Reference::asked(&state, &["--publish"]).await;
    for path in ["/item/batch-workflow", "/page/batch-workflow"] {
        // The workflow has begun, and the answer takes longer than the kill.
        let slow = format!("method=POST,path={path},count=1,slow-body=2000");
        let args = [&QUICK[..], &["--fault", &slow]].concat();
        let found = killed_once(&state, &reference, &args, is_write(path)).await;
        assert_eq!(found, Vec::<String>::new(), "{path}");
    }
}

/// What happens to the first of two runners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Killed,
    /// Stopped until the other one has ended.
    Asleep,
}

/// What is wrong after a runner met its fate at a moment, and one on another machine took over its lease.
async fn taken_over(trial: &Trial<'_>, fate: Fate, fits: impl Fn(&Value) -> bool) -> Vec<String> {
    let on = |host: &str| {
        let mut command = trial.sync(&["--quiet", "--no-verify"]);
        command
            .env("HOSTNAME", host)
            .env("LOCKGATE_TIMEOUTS_LEASE_S", "3")
            // A takeover waits as long as a request of the other one may be under way.
            .env("LOCKGATE_TIMEOUT", "5");
        command
    };
    let before = trial.server.answered().len();
    let mut first = on("desk-a");
    first.stdout(Stdio::null()).stderr(Stdio::null());
    let mut first = first.spawn().unwrap();
    tokio::select! {
        () = trial.server.until(before, fits) => {}
        ended = first.wait() => panic!("the run ended with {ended:?} before the moment came"),
    }
    let id = first.id().unwrap();
    let mut problems = Vec::new();
    match fate {
        Fate::Killed => {
            assert!(kill(first).await, "the run ended at the very moment");
            take_over_by(|| on("desk-b"), || {}).await;
        }
        Fate::Asleep => {
            shell(&format!("kill -STOP {id}"));
            // A moment in which the commit ends.
            let locked = || shell(&format!("kill -CONT {id}; sleep 0.003; kill -STOP {id}"));
            take_over_by(|| on("desk-b"), locked).await;
            shell(&format!("kill -CONT {id}"));
            let woken = first.wait().await.unwrap();
            if woken.code() != Some(4) {
                problems.push(format!("the one that slept ended with {woken:?}"));
            }
        }
    }
    problems.extend(trial.problems().await);
    problems
}

/// The first of two runners meets both fates while files are uploaded, while a batch is worked off, and while entities are
/// published.
async fn meets(fate: Fate) {
    let mut problems = Vec::new();
    let moments: [(&'static str, &'static [&'static str], &str); 4] = [
        ("galleries-and-assets", &[], "/asset/upload"),
        ("ordered-links", &[], "/item/multi"),
        ("starter-site", &["--publish"], "/item/batch-workflow"),
        ("starter-site", &["--publish"], "/page/batch-workflow"),
    ];
    for (name, asked, path) in moments {
        let state = named(name);
        let reference = Reference::asked(&state, asked).await;
        // The effect is there, and the answer takes longer than the signal.
        let slow = format!("method=POST,path={path},count=1,slow-body=2000");
        let args = [&QUICK[..], &["--fault", &slow]].concat();
        let trial = Trial::new(&state, &reference, &args).await;
        let found = taken_over(&trial, fate, is_write(path)).await;
        problems.extend(found.iter().map(|line| format!("{path}: {line}")));
    }
    assert!(problems.is_empty(), "{fate:?}: {}", problems.join("\n"));
}

#[tokio::test]
async fn a_runner_on_another_machine_takes_over_from_one_that_was_killed() {
    meets(Fate::Killed).await;
}

#[tokio::test]
async fn a_runner_on_another_machine_takes_over_from_one_that_sleeps() {
    meets(Fate::Asleep).await;
}
