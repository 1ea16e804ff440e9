//! Processes that share one state on a server, and so one rate: what the mock server counts of all together.

use std::io::Write as _;

use lockgate::mock::file::StateFile;
use lockgate::mock::generate::{Shape, generate};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use crate::binary::{Ended, Workspace, end_of};
use crate::mock_process::MockProcess;
use crate::postgres;
use crate::support::{TARGET, empty_target};

/// Shows what was measured.
fn say(measured: &str) {
    let mut screen = std::io::stdout();
    writeln!(screen, "{measured}").unwrap();
}

/// Requests per second that the mock server admits.
const LIMIT: u32 = 40;

/// Three sources, and three targets that hold nothing.
const PAIRS: [(&str, &str); 3] = [
    ("1a2b3c4d-u", TARGET),
    ("2a2b3c4d-u", "6e6f7a8b-u"),
    ("3a2b3c4d-u", "7e6f7a8b-u"),
];

fn state(entities: usize) -> StateFile {
    let mut all = StateFile::default();
    for (seed, (source, target)) in (1..).zip(PAIRS) {
        let mut shape = Shape::new(entities, seed);
        source.clone_into(&mut shape.guid);
        let made = generate(&shape).instances.remove(0);
        let mut empty = empty_target(&made.locales);
        target.clone_into(&mut empty.guid);
        all.instances.extend([made, empty]);
    }
    all
}

fn sync(workspace: &Workspace, server: &MockProcess, (source, target): (&str, &str)) -> Command {
    let url = &server.base_url;
    let ends = ["sync", "--source", source, "--target", target];
    let urls = ["--source-url", url, "--target-url", url, "--yes", "--quiet"];
    let mut command = workspace.command(ends.into_iter().chain(urls));
    command.env("LOCKGATE_RETRY_ATTEMPTS", "8");
    command
}

/// What the mock server counted.
#[derive(Debug)]
struct Counted {
    /// Requests that were admitted in a second, as part of the limit, while all runs were at work.
    used: f64,
    /// The part of all requests that was refused.
    refused: f64,
    requests: usize,
}

/// Counts requests from `from` on, in milliseconds since the server started, until the first of the runs was done.
#[expect(clippy::cast_precision_loss, reason = "they are few")]
fn count(server: &MockProcess, from: u64, is_metered: impl Fn(&Value) -> bool) -> Counted {
    let all: Vec<Value> = server.answered().into_iter().filter(is_metered).collect();
    let last_of = |target: &str| {
        let own = all.iter().filter(|one| one["guid"] == target);
        own.filter_map(|one| one["atMs"].as_u64()).max()
    };
    let until = PAIRS.iter().filter_map(|(_, target)| last_of(target)).min();
    let until = until.unwrap();
    assert!(until > from + 3_000, "{until} is too soon after {from}");
    let refused = all.iter().filter(|one| one["status"] == 429).count();
    let within = |one: &&Value| {
        let at = one["atMs"].as_u64().unwrap();
        at >= from && at < until && one["status"] != 429
    };
    let admitted = all.iter().filter(within).count();
    let seconds = (until - from) as f64 / 1000.0;
    Counted {
        used: admitted as f64 / seconds / f64::from(LIMIT),
        refused: refused as f64 / all.len() as f64,
        requests: all.len(),
    }
}

/// Three processes between three pairs with one token; `None` where there is no server for the state.
async fn three_pairs(entities: usize, kind: &str) -> Option<Counted> {
    let url = postgres::fresh()?;
    let limit = LIMIT.to_string();
    let args = [
        "--rate-limit",
        &limit,
        "--rate-limit-kind",
        kind,
        "--latency-ms",
        "20",
    ];
    let server = MockProcess::start(&state(entities), &args).await;
    let begun = Instant::now();
    let workspaces = PAIRS.map(|_| Workspace::sharing(&url));
    let runs = workspaces
        .iter()
        .zip(PAIRS)
        .map(|(workspace, pair)| end_of(sync(workspace, &server, pair)));
    let ended = futures_util::future::join_all(runs).await;
    for one in &ended {
        assert_eq!(one.code, Some(0), "{}", one.stderr);
    }
    let took = begun.elapsed();
    // Uploads of files count like all others, and so do requests to the Fetch API; the files themselves come from elsewhere.
    let counted = count(&server, 5_000, |one| {
        let path = one["path"].as_str().unwrap_or_default();
        !["/origin/", "/cdn/", "/_mock/"]
            .iter()
            .any(|other| path.starts_with(other))
    });
    assert!(counted.requests > 500, "{counted:?}");
    say(&format!(
        "three processes, three pairs, one token, {LIMIT} a second ({kind}): {counted:?} in {took:?}"
    ));
    Some(counted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_with_one_token_share_its_rate() {
    let Some(counted) = three_pairs(250, "bucket:40").await else {
        return;
    };
    assert!(counted.used >= 0.7, "{counted:?}");
    assert!(counted.used <= 1.1, "{counted:?}");
    assert!(counted.refused <= 0.02, "{counted:?}");
}

/// On a machine that has nothing else to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and needs a machine that has nothing else to do"]
async fn three_processes_use_the_rate_of_a_token_to_95_percent() {
    for kind in ["sliding", "bucket:40", "fixed"] {
        let Some(counted) = three_pairs(900, kind).await else {
            return;
        };
        assert!(counted.used >= 0.95, "{kind}: {counted:?}");
        assert!(counted.refused < 0.01, "{kind}: {counted:?}");
    }
}

/// One of them works, and the others are refused while it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_processes_on_one_pair_one_works() {
    let Some(url) = postgres::fresh() else { return };
    let server =
        MockProcess::start(&state(120), &["--latency-ms", "20", "--rate-limit", "40"]).await;
    let workspaces = PAIRS.map(|_| Workspace::sharing(&url));
    let runs = workspaces
        .iter()
        .map(|workspace| end_of(sync(workspace, &server, PAIRS[0])));
    let ended: Vec<Ended> = futures_util::future::join_all(runs).await;
    let mut codes: Vec<Option<i32>> = ended.iter().map(|one| one.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(4), Some(4)], "{ended:?}");
    for one in ended.iter().filter(|one| one.code == Some(4)) {
        assert!(one.stderr.contains("LG-3010"), "{}", one.stderr);
    }
    let all = server.answered();
    let refused = all.iter().filter(|one| one["status"] == 429).count();
    say(&format!(
        "three processes, one pair: {} requests, {refused} refused",
        all.len()
    ));
    assert!(refused * 50 <= all.len(), "{refused} of {}", all.len());
}

/// Neither the token nor anything that it follows from is in the database, and the rate is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_of_a_shared_rate_is_nowhere_in_the_state() {
    let Some(url) = postgres::fresh() else { return };
    let server = MockProcess::start(&state(30), &[]).await;
    let workspace = Workspace::sharing(&url);
    let ended = end_of(sync(&workspace, &server, PAIRS[0])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let exported = end_of(workspace.command(["state", "export"])).await;
    let rates: Vec<Value> = exported
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|row: &Value| row["table"] == "rates")
        .collect();
    assert!(!rates.is_empty(), "{}", exported.stderr);
    assert!(!exported.stdout.contains(crate::binary::TOKEN));
}
