//! Runs that share a row, against simulated servers.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::shared::SharedRow;
use super::simulation::{Kind, LIMITED, SECOND, Server, loads};
use super::{Class, Pacer};
use crate::store::{RateRow, StoreError};

/// A row in memory, as far away as a server in the same building.
struct TestRow {
    begun: Instant,
    row: Mutex<(i64, String)>,
    way: Duration,
    is_away: AtomicBool,
    read: AtomicI64,
}

impl TestRow {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            row: Mutex::default(),
            way: Duration::from_millis(1),
            is_away: AtomicBool::new(false),
            read: AtomicI64::new(0),
        })
    }

    async fn travel(&self) -> Result<(), StoreError> {
        tokio::time::sleep(self.way).await;
        if self.is_away.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        Ok(())
    }
}

impl SharedRow for Arc<TestRow> {
    async fn read(&self) -> Result<RateRow, StoreError> {
        self.travel().await?;
        self.read.fetch_add(1, Relaxed);
        let (version, joint) = self.row.lock().unwrap().clone();
        let passed = i64::try_from(self.begun.elapsed().as_micros()).unwrap();
        let read = RateRow {
            version,
            joint,
            now_us: 1_764_000_000_000_000 + passed,
        };
        self.travel().await?;
        Ok(read)
    }

    async fn write(&self, read: &RateRow, joint: &str) -> Result<bool, StoreError> {
        self.travel().await?;
        let is_same = {
            let mut row = self.row.lock().unwrap();
            let is_same = row.0 == read.version;
            if is_same {
                *row = (read.version + 1, joint.to_owned());
            }
            is_same
        };
        self.travel().await?;
        Ok(is_same)
    }
}

/// A run that shares the row.
async fn run(row: &Arc<TestRow>) -> Pacer {
    let pacer = Pacer::new(16, None);
    pacer.share_by(Arc::clone(row)).await;
    pacer
}

/// What three runs make of a limit in a hundred seconds: the share that they use from the fifth second on, and what is refused.
async fn three(kind: Kind, limit: f64, latency_ms: u64) -> (f64, f64) {
    let (server, row) = (Server::new(kind, limit, latency_ms), TestRow::new());
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(f64::max(100.0, 2000.0 / limit));
    let runs = [run(&row).await, run(&row).await, run(&row).await];
    join_all(runs.iter().map(|run| loads(8, run, &server, end))).await;
    let sent = runs.each_ref().map(|run| run.sample().requests);
    let most = sent.iter().max().unwrap();
    let least = sent.iter().min().unwrap();
    assert!(least * 2 >= *most, "{sent:?} at {limit} by {kind:?}");
    let (rate, _) = server.seen(start + SECOND * 5, end);
    (rate / limit, server.seen(start, end).1)
}

#[tokio::test(start_paused = true)]
async fn three_runs_use_a_limit_as_one_does_and_hardly_exceed_it() {
    for (limit, latency_ms) in LIMITED.into_iter().chain([(10.0, 20), (300.0, 20)]) {
        for kind in [Kind::Sliding, Kind::Bucket(1.0)] {
            let (used, refused) = three(kind, limit, latency_ms).await;
            assert!(
                used >= 0.93 && refused < 0.012,
                "{used} of {limit} by {kind:?} at {latency_ms} ms, refused {refused}"
            );
        }
    }
}

/// Requests of one run in ten seconds.
async fn alone(server: Server, row: Option<Arc<TestRow>>) -> f64 {
    let start = Instant::now();
    let pacer = match &row {
        Some(row) => run(row).await,
        None => Pacer::new(16, None),
    };
    loads(16, &pacer, &server, start + SECOND * 10).await;
    server.seen(start, start + SECOND * 10).0
}

#[tokio::test(start_paused = true)]
async fn a_run_alone_is_as_fast_as_one_that_shares_nothing() {
    for limit in [20.0, 300.0, f64::INFINITY] {
        let server = || Server::new(Kind::Sliding, limit, 20);
        let with = alone(server(), Some(TestRow::new())).await;
        let without = alone(server(), None).await;
        assert!(
            with >= without * 0.98,
            "{with} instead of {without} of {limit}"
        );
    }
}

/// A run that is held back by the time that answers take, and not by the rate, is not held back by other runs.
#[tokio::test(start_paused = true)]
async fn where_there_is_no_limit_runs_do_not_slow_one_another_down() {
    let without = alone(Server::unlimited(100), None).await;
    let (server, row) = (Server::unlimited(100), TestRow::new());
    let runs = [run(&row).await, run(&row).await, run(&row).await];
    let start = Instant::now();
    let end = start + SECOND * 10;
    join_all(runs.iter().map(|run| loads(16, run, &server, end))).await;
    let (rate, _) = server.seen(start, end);
    assert!(rate >= without * 3.0 * 0.9, "{rate}, one alone {without}");
}

#[tokio::test(start_paused = true)]
async fn three_runs_climb_as_fast_as_one() {
    let reached = async |count: usize| {
        let (server, row) = (Server::unlimited(20), TestRow::new());
        let runs = join_all((0..count).map(|_| run(&row))).await;
        // A part for each.
        tokio::time::sleep(SECOND).await;
        let end = Instant::now() + SECOND * 2 / 5;
        join_all(runs.iter().map(|run| loads(16, run, &server, end))).await;
        let reached = runs.iter().filter_map(|run| run.learned().reached);
        reached.fold(0.0, f64::max)
    };
    let (one, three) = (reached(1).await, reached(3).await);
    // In doublings of the rate with which both begin.
    let climbed = |rate: f64| (rate / 50.0).log2();
    assert!(climbed(one) > 1.0, "{one}");
    assert!(
        climbed(three) <= climbed(one) * 1.5,
        "{three} instead of {one}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_had_is_used_by_the_others() {
    let (server, row) = (Server::new(Kind::Sliding, 20.0, 20), TestRow::new());
    let start = Instant::now();
    let end = start + SECOND * 40;
    let (dies, lives) = (run(&row).await, run(&row).await);
    join_all([
        loads(8, &dies, &server, start + SECOND * 20),
        loads(8, &lives, &server, start + SECOND * 20),
    ])
    .await;
    drop(dies);
    loads(8, &lives, &server, end).await;
    let (rate, _) = server.seen(start + SECOND * 22, end);
    assert!(rate >= 17.5, "{rate}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_one_run_holds_the_others_back() {
    let row = TestRow::new();
    let (refused, other) = (run(&row).await, run(&row).await);
    // A part for each.
    tokio::time::sleep(SECOND).await;
    let start = Instant::now();
    let permit = refused.permit(Class::Read).await;
    permit.refused(Some(SECOND * 9), 0);
    tokio::time::sleep(SECOND * 3 / 5).await;
    drop(other.permit(Class::Submit).await);
    assert!(start.elapsed() >= SECOND * 9, "{:?}", start.elapsed());
    assert!(start.elapsed() <= SECOND * 10, "{:?}", start.elapsed());
    // One that comes while it lasts, and after the refused one is gone.
    let permit = other.permit(Class::Read).await;
    permit.refused(Some(SECOND * 9), 0);
    let start = Instant::now();
    tokio::time::sleep(SECOND).await;
    drop((refused, other));
    let late = run(&row).await;
    drop(late.permit(Class::Read).await);
    assert!(start.elapsed() >= SECOND * 9, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn while_the_row_is_away_runs_send_half_and_say_so_once() {
    let (server, row) = (Server::new(Kind::Sliding, 20.0, 20), TestRow::new());
    let runs = [run(&row).await, run(&row).await];
    let load = async |seconds: u32| {
        let start = Instant::now();
        let end = start + SECOND * seconds;
        join_all(runs.iter().map(|run| loads(8, run, &server, end))).await;
        server.seen(end - SECOND * 10, end).0
    };
    load(20).await;
    assert_eq!(runs[0].take_notice(), None);
    row.is_away.store(true, Relaxed);
    let away = load(20).await;
    assert!((8.0..=12.0).contains(&away), "{away}");
    let notice = runs[0].take_notice();
    assert!(notice.is_some_and(|notice| notice.contains("half")));
    assert_eq!(runs[0].take_notice(), None);
    row.is_away.store(false, Relaxed);
    let back = load(20).await;
    assert!(back >= 18.0, "{back}");
    row.is_away.store(true, Relaxed);
    load(12).await;
    assert_eq!(runs[0].take_notice(), None, "once is enough");
}

/// No request asks for the row: it is read twice a second, and some more at the beginning.
#[tokio::test(start_paused = true)]
async fn the_row_is_read_twice_a_second_however_many_requests_there_are() {
    let (server, row) = (Server::unlimited(20), TestRow::new());
    let end = Instant::now() + SECOND * 10;
    loads(16, &run(&row).await, &server, end).await;
    let read = row.read.load(Relaxed);
    assert!((18..=26).contains(&read), "{read}");
}

/// What runs make of a limit of 40 in two minutes, where requests arrive up to `jitter` later than others.
async fn under_jitter(kind: Kind, runs: usize, jitter: Duration) -> (f64, f64) {
    let mut server = Server::new(kind, 40.0, 20);
    server.jitter = jitter;
    let row = TestRow::new();
    let all = match runs {
        1 => vec![Pacer::new(16, None)],
        runs => join_all((0..runs).map(|_| run(&row))).await,
    };
    let start = Instant::now();
    let end = start + SECOND * 120;
    join_all(all.iter().map(|run| loads(8, run, &server, end))).await;
    let (rate, _) = server.seen(start + SECOND * 5, end);
    (rate / 40.0, server.seen(start, end).1)
}

/// Sharing costs nothing: what is lost by late requests one run loses as well.
#[tokio::test(start_paused = true)]
async fn where_requests_arrive_late_three_runs_use_what_one_does() {
    for kind in [Kind::Sliding, Kind::Bucket(1.0)] {
        for jitter in [10, 20, 50].map(Duration::from_millis) {
            let (one, _) = under_jitter(kind, 1, jitter).await;
            let (three, refused) = under_jitter(kind, 3, jitter).await;
            assert!(
                three >= one - 0.02 && refused < 0.01,
                "{three} instead of {one} by {kind:?} at {jitter:?}, refused {refused}"
            );
        }
    }
}
