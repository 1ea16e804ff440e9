//! The pacer against simulated servers: limits of every kind, and refusals that have nothing to do with a limit.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{Class, Learned, Pacer};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// What a server counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// What came in the last second.
    Sliding,
    /// What came since the last full second of its clock, which is so far ahead of the start of the test.
    Fixed(Duration),
    /// An account that holds one second's worth of requests, times this.
    Bucket(f64),
}

/// A server that admits so many requests per second.
pub(super) struct Server {
    kind: Kind,
    /// From when on which limit holds, latest last.
    limits: Vec<(Instant, f64)>,
    latency: Duration,
    /// How much later than others a request may arrive, because of timers, busy machines and the network.
    pub(super) jitter: Duration,
    /// Whether it states the wait.
    tells: bool,
    /// Requests that it works on at one time; more wait.
    workers: tokio::sync::Semaphore,
    /// Of so many answers one is a refusal whatever the client does.
    sheds: Option<u64>,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: VecDeque<Instant>,
    /// What the account holds, and when that was.
    account: Option<(f64, Instant)>,
    dice: u64,
    /// When each request arrived, and whether it was admitted.
    log: Vec<(Instant, bool)>,
}

impl Server {
    pub(super) fn new(kind: Kind, limit: f64, latency_ms: u64) -> Self {
        Self {
            kind,
            limits: vec![(Instant::now(), limit)],
            latency: Duration::from_millis(latency_ms),
            jitter: Duration::ZERO,
            tells: true,
            workers: tokio::sync::Semaphore::new(1000),
            sheds: None,
            start: Instant::now(),
            state: Mutex::default(),
        }
    }

    pub(super) fn unlimited(latency_ms: u64) -> Self {
        Self::new(Kind::Sliding, f64::INFINITY, latency_ms)
    }

    /// One request. The way there takes 0.35 to 0.5 of the latency.
    async fn ask(&self) -> bool {
        let late = {
            let mut state = self.state.lock().unwrap();
            let late = state.roll(150);
            let jitter = u32::try_from(self.jitter.as_micros()).unwrap();
            let jitter = if jitter == 0 { 0 } else { state.roll(jitter) };
            self.latency.mul_f64(0.35 + f64::from(late) / 1000.0)
                + Duration::from_micros(jitter.into())
        };
        tokio::time::sleep(late).await;
        let worker = self.workers.acquire().await.unwrap();
        let admitted = self.admit(Instant::now());
        tokio::time::sleep(self.latency / 2).await;
        drop(worker);
        admitted
    }

    fn admit(&self, now: Instant) -> bool {
        let limit = self.limits.iter().rfind(|(from, _)| *from <= now);
        let limit = limit.map_or(f64::INFINITY, |(_, limit)| *limit);
        let mut state = self.state.lock().unwrap();
        let shed = self
            .sheds
            .is_some_and(|sheds| state.roll(1000) < 1000 / u32::try_from(sheds).unwrap());
        let fits = !shed
            && match self.kind {
                Kind::Sliding => state.counts(now, limit, |at| now.duration_since(at) < SECOND),
                Kind::Fixed(ahead) => {
                    let clock = |at: Instant| (at.duration_since(self.start) + ahead).as_secs();
                    state.counts(now, limit, |at| clock(at) == clock(now))
                }
                Kind::Bucket(rest) => state.draws(now, limit, rest),
            };
        state.log.push((now, fits));
        fits
    }

    /// Requests admitted per second and the part refused, between two moments.
    pub(super) fn seen(&self, from: Instant, until: Instant) -> (f64, f64) {
        let state = self.state.lock().unwrap();
        let within = state
            .log
            .iter()
            .filter(|(at, _)| *at >= from && *at < until);
        let (mut admitted, mut refused) = (0_u32, 0_u32);
        for (_, fits) in within {
            *(if *fits { &mut admitted } else { &mut refused }) += 1;
        }
        let seconds = (until - from).as_secs_f64();
        (
            f64::from(admitted) / seconds,
            f64::from(refused) / f64::from(admitted + refused),
        )
    }
}

impl State {
    /// A number below `sides`; the same ones in each test.
    fn roll(&mut self, sides: u32) -> u32 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.dice >> 40).unwrap() % sides
    }

    fn counts(&mut self, now: Instant, limit: f64, counts: impl Fn(Instant) -> bool) -> bool {
        while self.window.front().is_some_and(|first| !counts(*first)) {
            self.window.pop_front();
        }
        #[expect(clippy::cast_precision_loss, reason = "windows are small")]
        let fits = (self.window.len() as f64) < limit;
        if fits {
            self.window.push_back(now);
        }
        fits
    }

    fn draws(&mut self, now: Instant, limit: f64, rest: f64) -> bool {
        let full = limit * rest;
        let (held, since) = self.account.unwrap_or((full, now));
        let held = (held + limit * now.duration_since(since).as_secs_f64()).min(full);
        let fits = held >= 1.0;
        self.account = Some((if fits { held - 1.0 } else { held }, now));
        fits
    }
}

/// Sends one request until it is admitted, as the engine does.
async fn request(pacer: &Pacer, server: &Server, class: Class) {
    let mut again = 0;
    loop {
        let permit = pacer.permit(class).await;
        if server.ask().await {
            return permit.answered();
        }
        let refusal = permit.refused(server.tells.then_some(SECOND), again);
        again += 1;
        tokio::time::sleep(refusal.alone).await;
    }
}

/// Sends requests of a class as fast as it may until `end`.
async fn client(pacer: &Pacer, server: &Server, class: Class, end: Instant) {
    while Instant::now() < end {
        request(pacer, server, class).await;
    }
}

const CLASSES: [Class; 4] = [Class::Read, Class::Submit, Class::Poll, Class::Write];

/// Sixteen clients of four classes.
async fn load(pacer: &Pacer, server: &Server, end: Instant) {
    loads(16, pacer, server, end).await;
}

pub(super) async fn loads(clients: usize, pacer: &Pacer, server: &Server, end: Instant) {
    join_all((0..clients).map(|at| client(pacer, server, CLASSES[at % 4], end))).await;
}

/// What a run of a hundred seconds and two thousand requests at least makes of a limit: the share that it uses from the fifth
/// second on, and what is refused.
async fn used(kind: Kind, limit: f64, latency_ms: u64, tells: bool) -> (f64, f64) {
    let server = Server {
        tells,
        ..Server::new(kind, limit, latency_ms)
    };
    let pacer = Pacer::new(16, None);
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(f64::max(100.0, 2000.0 / limit));
    load(&pacer, &server, end).await;
    let (rate, _) = server.seen(start + SECOND * 5, end);
    let (_, refused) = server.seen(start, end);
    assert!(
        refused < 0.01,
        "{refused} refused by {kind:?} of {limit} at {latency_ms} ms"
    );
    (rate / limit, refused)
}

pub(super) const LIMITED: [(f64, u64); 4] = [(20.0, 20), (20.0, 100), (60.0, 20), (60.0, 100)];

#[tokio::test(start_paused = true)]
async fn a_limit_on_the_last_second_is_used_and_hardly_exceeded() {
    for (limit, latency_ms) in LIMITED.into_iter().chain([(5.0, 20), (300.0, 20)]) {
        let (used, refused) = used(Kind::Sliding, limit, latency_ms, true).await;
        assert!(
            used >= 0.95,
            "{used} of {limit} at {latency_ms} ms, refused {refused}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_rests_fill_is_used_and_hardly_exceeded() {
    for (limit, latency_ms) in LIMITED {
        for rest in [1.0, 2.0] {
            let (used, refused) = used(Kind::Bucket(rest), limit, latency_ms, true).await;
            assert!(
                used >= 0.95,
                "{used} of {limit} at {latency_ms} ms, refused {refused}"
            );
        }
    }
    // A rest of a second loses half of it.
    let (used, refused) = used(Kind::Bucket(0.5), 60.0, 20, true).await;
    assert!(
        used >= 0.93,
        "{used} with a small account, refused {refused}"
    );
}

/// What came in the second before the first refusal is up to twice such a limit, so finding it takes up to four pauses of a
/// second. How many, is a matter of where in its second the run begins.
#[tokio::test(start_paused = true)]
async fn a_limit_by_the_clock_is_used_and_hardly_exceeded() {
    for (limit, latency_ms) in LIMITED {
        let mut shares = Vec::new();
        for ahead in [0, 200, 400, 600, 800] {
            let kind = Kind::Fixed(Duration::from_millis(ahead));
            shares.push(used(kind, limit, latency_ms, true).await.0);
        }
        let mean = shares.iter().sum::<f64>() / 5.0;
        let is_used = mean >= 0.95 && shares.iter().all(|used| *used >= 0.94);
        assert!(is_used, "{shares:?} of {limit} at {latency_ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_say_how_long_is_no_harder() {
    for kind in [Kind::Sliding, Kind::Fixed(SECOND / 2), Kind::Bucket(1.0)] {
        for limit in [20.0, 60.0] {
            let (used, refused) = used(kind, limit, 20, false).await;
            assert!(
                used >= 0.95,
                "{used} of {limit} by {kind:?}, refused {refused}"
            );
        }
    }
}

/// How long so many requests take.
async fn takes(server: &Server, requests: u32) -> Duration {
    let pacer = &Pacer::new(16, None);
    let left = &std::cell::Cell::new(requests);
    let start = Instant::now();
    join_all((0..16).map(async |at: usize| {
        while left.get() > 0 {
            left.set(left.get() - 1);
            request(pacer, server, CLASSES[at % 4]).await;
        }
    }))
    .await;
    start.elapsed()
}

/// 200 entities took more than four minutes: each refusal paused everything, and the rate fell with each. In one of three
/// orders of the refusals it was still so when the best second fell with the rate, because each refusal was near it then.
/// Ten seconds are what it may take to find out that refusals show nothing.
#[tokio::test(start_paused = true)]
async fn where_a_share_is_refused_whatever_the_rate_a_third_of_the_throughput_is_left() {
    let orders = (0..12).map(|order| order * 31);
    for ((limit, tells), dice) in [(f64::INFINITY, false), (60.0, false), (60.0, true)]
        .into_iter()
        .flat_map(|server| orders.clone().map(move |dice| (server, dice)))
    {
        for (requests, sheds) in [(200, 10), (200, 5), (3000, 10), (3000, 5)] {
            let calm = Server::new(Kind::Bucket(1.0), limit, 20);
            let state = State {
                dice,
                ..State::default()
            };
            let shedding = Server {
                sheds: Some(sheds),
                tells,
                state: Mutex::new(state),
                ..Server::new(Kind::Bucket(1.0), limit, 20)
            };
            let calm = takes(&calm, requests).await;
            let shed = takes(&shedding, requests).await;
            assert!(
                shed <= calm * 3 + SECOND * 10,
                "{requests} in {shed:?} instead of {calm:?} of {limit}, one of {sheds} refused, order {dice}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_that_begin_and_end_during_a_run_leave_the_limit_as_it_was() {
    let mut server = Server::new(Kind::Sliding, 60.0, 20);
    let pacer = Pacer::new(16, None);
    let phase = async |server: &Server, seconds: u32| {
        let start = Instant::now();
        let end = start + SECOND * seconds;
        load(&pacer, server, end).await;
        server.seen(end - SECOND * 10, end)
    };
    phase(&server, 20).await;
    server.sheds = Some(5);
    let (rate, _) = phase(&server, 40).await;
    assert!(rate >= 20.0, "{rate} while a fifth is refused");
    server.sheds = None;
    phase(&server, 60).await;
    let (rate, refused) = phase(&server, 30).await;
    assert!(
        rate >= 0.9 * 60.0 && refused < 0.02,
        "{rate} afterwards, {refused} refused"
    );
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_assets_leaves_content_its_share() {
    for (limit, latency_ms) in [(20.0, 20), (20.0, 100), (100.0, 20), (100.0, 100)] {
        let server = Server::new(Kind::Sliding, limit, latency_ms);
        let pacer = Pacer::new(32, None);
        let end = Instant::now() + SECOND * 70;
        let counts = std::cell::Cell::new((0_u32, 0_u32));
        let client = async |class: Class| {
            while Instant::now() < end {
                request(&pacer, &server, class).await;
                let (content, assets) = counts.get();
                let is_asset = u32::from(class == Class::Asset);
                counts.set((content + 1 - is_asset, assets + is_asset));
            }
        };
        let classes = [(Class::Submit, 6), (Class::Poll, 6), (Class::Asset, 12)];
        let clients = classes
            .into_iter()
            .flat_map(|(class, count)| (0..count).map(move |_| class));
        join_all(clients.map(client)).await;
        let (content, assets) = counts.get();
        let share = f64::from(content) / f64::from(content + assets);
        let weight = |class: Class| f64::from(class.weight());
        let due = weight(Class::Submit) + weight(Class::Poll);
        let due = due / (due + weight(Class::Asset));
        assert!(
            (share / due - 1.0).abs() < 0.1,
            "content has {share} instead of {due} of {limit} at {latency_ms} ms"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_drops_is_settled_within_ten_seconds() {
    let mut server = Server::new(Kind::Sliding, 50.0, 20);
    let start = Instant::now();
    let drop_at = start + SECOND * 20;
    server.limits.push((drop_at, 5.0));
    let pacer = Pacer::new(16, None);
    let end = drop_at + SECOND * 100;
    load(&pacer, &server, end).await;
    let (rate, refused) = server.seen(drop_at + SECOND * 10, end);
    assert!(rate >= 0.9 * 5.0, "{rate} of 5, refused {refused}");
    assert!(refused < 0.02, "{refused} refused after it has settled");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_rises_is_found() {
    let mut server = Server::new(Kind::Sliding, 10.0, 20);
    let start = Instant::now();
    server.limits.push((start + SECOND * 15, 40.0));
    let pacer = Pacer::new(16, None);
    let end = start + SECOND * 90;
    load(&pacer, &server, end).await;
    let (rate, _) = server.seen(end - SECOND * 30, end);
    assert!(rate >= 0.9 * 40.0, "{rate} of 40");
}

/// What one run learned is near to where the next one begins, with a limit and without.
#[tokio::test(start_paused = true)]
async fn the_next_run_begins_near_what_the_last_one_found() {
    for kind in [Kind::Sliding, Kind::Fixed(SECOND / 2), Kind::Bucket(1.0)] {
        let server = Server::new(kind, 60.0, 20);
        let first = Pacer::new(16, None);
        load(&first, &server, Instant::now() + SECOND * 60).await;
        let rows = first.learned().to_rows();
        tokio::time::sleep(SECOND * 5).await;
        let pacer = Pacer::new(16, None);
        pacer.recall(&Learned::from_rows(&rows));
        let start = Instant::now();
        let end = start + SECOND * 5;
        load(&pacer, &server, end).await;
        let (rate, refused) = server.seen(start, end);
        assert!(
            rate >= 54.0 && refused < 0.01,
            "{rate} of {kind:?}, refused {refused}"
        );
    }
    let server = Server::unlimited(20);
    let first = Pacer::new(16, None);
    load(&first, &server, Instant::now() + SECOND * 10).await;
    let pacer = Pacer::new(16, None);
    pacer.recall(&Learned::from_rows(&first.learned().to_rows()));
    let start = Instant::now();
    load(&pacer, &server, start + SECOND).await;
    let (rate, _) = server.seen(start, start + SECOND);
    assert!(rate > 300.0, "{rate}");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_only_the_windows_hold_it_back() {
    let server = Server::unlimited(100);
    let pacer = Pacer::new(16, None);
    let start = Instant::now();
    let end = start + SECOND * 10;
    load(&pacer, &server, end).await;
    // Sixteen in flight, 90 ms each on the average.
    let (rate, refused) = server.seen(start + SECOND * 2, end);
    assert!(refused == 0.0 && rate > 150.0, "{rate}, refused {refused}");
}

/// A first run lost a second and more where nothing holds it back, because the rate grew by the clock and not by answers.
#[tokio::test(start_paused = true)]
async fn the_sooner_answers_come_the_sooner_the_rate_grows() {
    for (latency_ms, least) in [(20, 300.0), (50, 150.0), (100, 80.0)] {
        let server = Server::unlimited(latency_ms);
        let pacer = Pacer::new(16, None);
        let start = Instant::now();
        load(&pacer, &server, start + SECOND).await;
        let (rate, _) = server.seen(start, start + SECOND);
        assert!(
            rate >= least,
            "{rate} in the first second at {latency_ms} ms"
        );
    }
}

/// Twenty workers that take 25 ms each are busy with 38 requests in flight, because an answer takes 47 ms.
#[tokio::test(start_paused = true)]
async fn as_many_are_in_flight_as_the_server_works_on() {
    for (workers, expected) in [(1000, 64..=64), (20, 36..=56), (4, 16..=16)] {
        let server = Server {
            workers: tokio::sync::Semaphore::new(workers),
            ..Server::unlimited(50)
        };
        let pacer = Pacer::new(64, None);
        loads(200, &pacer, &server, Instant::now() + SECOND * 20).await;
        let level = pacer.learned().level.unwrap();
        assert!(expected.contains(&level), "{level} for {workers} workers");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_a_limit_needs() {
    let server = Server::new(Kind::Bucket(1.0), 60.0, 20);
    let pacer = Pacer::new(64, None);
    loads(200, &pacer, &server, Instant::now() + SECOND * 40).await;
    let level = pacer.learned().level.unwrap();
    assert!(level <= 20, "{level}");
}
