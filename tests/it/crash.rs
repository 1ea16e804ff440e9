//! Runs that end in the middle, at every place where that can be arranged, and the run after them.
//!
//! The target must end as after one uninterrupted run: nothing missing, nothing twice. The mock never deletes, so
//! equal states also mean that no create took effect twice.
//!
//! The forms that `cargo test` runs take a few instances each. The long forms take all of them and many more
//! places to be dropped at: `cargo test --release --test it crash -- --ignored`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use lockgate::domain::Outcome;
use lockgate::engine::RunError;
use lockgate::mock::Fault;
use lockgate::mock::file::InstanceFile;
use lockgate::mock::{self, Server};
use lockgate::store::{StateUrl, Store, StoreError};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use crate::support::{Ran, Setup, TARGET, fixture, instances, serve_with};
use crate::{postgres, same_state, shared_state};

/// Small instances with cycles, locales that share ids, siblings in order, and assets.
const CASES: [&str; 5] = [
    "cycle-of-five",
    "two-locales",
    "three-siblings",
    "galleries-and-assets",
    "ordered-links",
];

/// A server with the instances of a fixture, slow enough that batches queue up.
pub(crate) async fn server(name: &str, faults: Vec<Fault>) -> Server {
    serve_with(mock::Options {
        state: instances(&fixture(name)),
        batches: lockgate::mock::BatchWork {
            item_time: Duration::from_millis(1),
            ..lockgate::mock::BatchWork::default()
        },
        faults,
        ..mock::Options::default()
    })
    .await
}

pub(crate) fn target(server: &Server) -> InstanceFile {
    let mut all = server.state().instances;
    all.retain(|instance| instance.guid == TARGET);
    all.remove(0)
}

/// The target after a run that nothing happened to, and how many requests wrote.
pub(crate) async fn undisturbed(name: &str) -> (InstanceFile, usize) {
    let server = server(name, Vec::new()).await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    let ran = Box::pin(setup.sync(&server.base_url())).await;
    assert_eq!(losses(&ran), Vec::<String>::new(), "{name}");
    let state = (target(&server), server.writes(TARGET).len());
    server.stop().await;
    state
}

/// What a run did not bring across or found to differ.
pub(crate) fn losses(ran: &Ran) -> Vec<String> {
    let report = match &ran.report {
        Ok(report) => report,
        Err(error) => return vec![format!("{error:?}")],
    };
    let failed = ran.outcomes().into_iter().filter(|(_, outcome)| {
        matches!(
            outcome,
            Outcome::Failed { .. } | Outcome::Blocked { .. } | Outcome::Conflict
        )
    });
    let mut lines: Vec<String> = failed
        .map(|(key, outcome)| format!("{key}: {outcome:?}"))
        .collect();
    let differing = report.differences.iter().flatten();
    lines.extend(differing.map(|found| format!("{}: {}", found.key, found.detail)));
    lines.extend(
        report
            .in_doubt
            .iter()
            .map(|(key, why)| format!("{key}: {why}")),
    );
    lines
}

/// Where states are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    File,
    Server,
}

impl Place {
    /// `None` where there is no server.
    fn url(self, folder: &TempDir) -> Option<StateUrl> {
        match self {
            Self::File => Some(StateUrl::Sqlite(folder.path().join("state.db"))),
            Self::Server => Some(StateUrl::parse(&postgres::fresh()?).unwrap()),
        }
    }
}

/// A state, as a process opens it.
struct Workspace {
    _folder: TempDir,
    url: StateUrl,
    runs: u16,
}

impl Workspace {
    fn new(place: Place) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let url = place.url(&folder)?;
        Some(Self {
            _folder: folder,
            url,
            runs: 0,
        })
    }

    async fn open(&self) -> Store {
        let store = Store::open(&self.url).await.unwrap();
        // On a server only time tells that the owner of a lease is gone.
        shared_state::let_leases_end(&self.url).await;
        store
    }

    /// A run of a process that lives as long as `end` lets it. `None`: it did not live to see its end.
    async fn run(&mut self, server: &Server, end: End) -> Option<Ran> {
        let store = self.open().await;
        let mut setup = Setup::impatient(store.clone());
        setup.run = self.runs;
        self.runs += 1;
        let ran = match end {
            End::Natural => Some(Box::pin(setup.sync(&server.base_url())).await),
            End::FullDisk(transactions) => {
                store.fail_after(transactions);
                Some(Box::pin(setup.sync(&server.base_url())).await)
            }
            End::Dropped(polls) => {
                let url = server.base_url();
                Box::pin(dropped_after(polls, setup.sync(&url))).await
            }
        };
        drop(setup);
        store.close().await;
        ran
    }
}

/// How a run comes to its end.
enum End {
    Natural,
    /// The state takes this many transactions and no more.
    FullDisk(u32),
    /// The run is dropped, with everything in flight, after it was polled this often.
    Dropped(u32),
}

async fn dropped_after<F: Future>(polls: u32, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// Runs until nothing is left to do, and compares with a run that nothing happened to.
async fn ends_the_same(
    workspace: &mut Workspace,
    server: &Server,
    expected: &InstanceFile,
) -> Vec<String> {
    let ran = workspace.run(server, End::Natural).await.unwrap();
    let mut lines = losses(&ran);
    lines.extend(same_state::differences(expected, &target(server)));
    let before = server.writes(TARGET).len();
    let again = workspace.run(server, End::Natural).await.unwrap();
    lines.extend(losses(&again));
    let late = &server.writes(TARGET)[before..];
    lines.extend(
        late.iter()
            .map(|write| format!("written once more: {} {}", write.method, write.path)),
    );
    lines
}

pub(crate) fn report(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

#[tokio::test]
async fn a_full_disk_at_any_commit_loses_and_doubles_nothing() {
    full_disk(&["cycle-of-five"], Place::File).await;
}

#[tokio::test]
async fn a_state_on_a_server_that_fails_at_any_commit_loses_and_doubles_nothing() {
    full_disk(&["cycle-of-five"], Place::Server).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_full_disk_in_every_instance() {
    full_disk(&CASES, Place::File).await;
}

async fn full_disk(cases: &[&str], place: Place) {
    let mut problems = Vec::new();
    for name in cases {
        let (expected, _) = undisturbed(name).await;
        for transactions in 0.. {
            let server = server(name, Vec::new()).await;
            let Some(mut workspace) = Workspace::new(place) else {
                return;
            };
            let ran = workspace
                .run(&server, End::FullDisk(transactions))
                .await
                .unwrap();
            let ended = ran.report.is_ok();
            let is_full = matches!(&ran.report, Err(RunError::Store(StoreError::Full { .. })));
            if !ended && !is_full {
                problems.push(format!("{name}, commit {transactions}: {:?}", ran.report));
            }
            for line in ends_the_same(&mut workspace, &server, &expected).await {
                problems.push(format!("{name}, commit {transactions}: {line}"));
            }
            server.stop().await;
            if ended {
                break;
            }
        }
    }
    report(&problems);
}

#[tokio::test]
async fn a_connection_that_breaks_at_any_write_loses_and_doubles_nothing() {
    broken_connection(&["two-locales", "three-siblings"], Place::File).await;
}

#[tokio::test]
async fn a_connection_that_breaks_loses_and_doubles_nothing_with_the_state_on_a_server() {
    broken_connection(&["three-siblings"], Place::Server).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_connection_that_breaks_in_every_instance() {
    broken_connection(&CASES, Place::File).await;
}

async fn broken_connection(cases: &[&str], place: Place) {
    let mut problems = Vec::new();
    for name in cases {
        let (expected, writes) = undisturbed(name).await;
        for nth in 1..=writes as u64 {
            for moment in ["before", "after"] {
                let fault = format!("reset={moment},method=POST,path={TARGET},nth={nth}");
                let server = server(name, vec![fault.parse().unwrap()]).await;
                let Some(mut workspace) = Workspace::new(place) else {
                    return;
                };
                for line in ends_the_same(&mut workspace, &server, &expected).await {
                    problems.push(format!("{name}, write {nth}, {moment}: {line}"));
                }
                server.stop().await;
            }
        }
    }
    report(&problems);
}

#[tokio::test]
async fn a_run_that_is_dropped_anywhere_loses_and_doubles_nothing() {
    dropped_runs(4, Place::File).await;
}

#[tokio::test]
async fn a_run_that_is_dropped_loses_and_doubles_nothing_with_the_state_on_a_server() {
    dropped_runs(2, Place::Server).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_run_that_is_dropped_at_hundreds_of_places() {
    dropped_runs(60, Place::File).await;
}

async fn dropped_runs(rounds: u32, place: Place) {
    let mut chance = ChaCha8Rng::seed_from_u64(20_250_402);
    let mut problems = Vec::new();
    for name in CASES {
        let (expected, _) = undisturbed(name).await;
        for round in 0..rounds {
            let server = server(name, Vec::new()).await;
            let Some(mut workspace) = Workspace::new(place) else {
                return;
            };
            let mut cuts = Vec::new();
            while cuts.len() < 3 {
                let polls = chance.random_range(1..400);
                cuts.push(polls);
                if workspace.run(&server, End::Dropped(polls)).await.is_some() {
                    break;
                }
            }
            for line in ends_the_same(&mut workspace, &server, &expected).await {
                problems.push(format!("{name}, round {round}, cuts {cuts:?}: {line}"));
            }
            server.stop().await;
        }
    }
    report(&problems);
}
