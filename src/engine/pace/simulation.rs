//! The pacer against a server that lives in the test: a rolling second, a latency, a limit that may change.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{Class, Pacer};

/// A server that admits so many requests in any one second.
struct Server {
    /// From when on which limit holds, latest last.
    limits: Vec<(Instant, usize)>,
    latency: Duration,
    window: Mutex<VecDeque<Instant>>,
    /// When each request arrived, and whether it was admitted.
    log: Mutex<Vec<(Instant, bool)>>,
}

impl Server {
    fn new(limit: usize, latency_ms: u64) -> Self {
        Self {
            limits: vec![(Instant::now(), limit)],
            latency: Duration::from_millis(latency_ms),
            window: Mutex::default(),
            log: Mutex::default(),
        }
    }

    /// One request. The way there takes between half and all of half the latency, depending on how many came before.
    async fn ask(&self) -> bool {
        let number = self.log.lock().unwrap().len();
        let late = self
            .latency
            .mul_f64([0.25, 0.4, 0.3, 0.5, 0.35][number % 5]);
        tokio::time::sleep(late).await;
        let now = Instant::now();
        let limit = self.limits.iter().rfind(|(from, _)| *from <= now);
        let limit = limit.map_or(usize::MAX, |(_, limit)| *limit);
        let admitted = {
            let mut window = self.window.lock().unwrap();
            while window
                .front()
                .is_some_and(|first| now.duration_since(*first) >= Duration::from_secs(1))
            {
                window.pop_front();
            }
            let fits = window.len() < limit;
            if fits {
                window.push_back(now);
            }
            fits
        };
        self.log.lock().unwrap().push((now, admitted));
        tokio::time::sleep(self.latency / 2).await;
        admitted
    }

    /// Requests admitted per second and the part refused, between two moments.
    fn seen(&self, from: Instant, until: Instant) -> (f64, f64) {
        let log = self.log.lock().unwrap();
        let within = log.iter().filter(|(at, _)| *at >= from && *at < until);
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

/// Sends requests of a class as fast as it may until `end`. Returns how many were admitted once it had warmed up.
async fn client(pacer: &Pacer, server: &Server, class: Class, end: Instant) -> u32 {
    let warm = Instant::now() + WARM_UP;
    let mut admitted = 0;
    while Instant::now() < end {
        let permit = pacer.permit(class).await;
        if server.ask().await {
            permit.answered();
            admitted += u32::from(Instant::now() > warm);
        } else {
            // As the engine does when the server does not say how long.
            permit.refused(Duration::from_secs(1));
        }
    }
    admitted
}

/// Sixteen clients of four classes.
async fn load(pacer: &Pacer, server: &Server, end: Instant) {
    let classes = [Class::Read, Class::Submit, Class::Poll, Class::Write];
    join_all((0..16).map(|at| client(pacer, server, classes[at % 4], end))).await;
}

const WARM_UP: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn under_a_limit_it_holds_95_percent_and_is_refused_under_one() {
    for (limit, latency_ms) in [(5, 20), (20, 20), (20, 100), (100, 20), (100, 100)] {
        let server = Server::new(limit, latency_ms);
        let pacer = Pacer::new(16, None);
        let start = Instant::now();
        let end = start + Duration::from_secs(70);
        load(&pacer, &server, end).await;
        let (rate, refused) = server.seen(start + WARM_UP, end);
        #[expect(clippy::cast_precision_loss, reason = "limits are small")]
        let used = rate / limit as f64;
        assert!(
            used >= 0.95,
            "{used} of {limit} at {latency_ms} ms, refused {refused}"
        );
        assert!(
            refused < 0.01,
            "{refused} refused under {limit} at {latency_ms} ms"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_assets_leaves_content_its_share() {
    for (limit, latency_ms) in [(20, 20), (20, 100), (100, 20), (100, 100)] {
        let server = Server::new(limit, latency_ms);
        let pacer = Pacer::new(32, None);
        let end = Instant::now() + Duration::from_secs(70);
        let clients = |class, count| (0..count).map(move |_| class);
        let submits = clients(Class::Submit, 6).chain(clients(Class::Poll, 6));
        let content = join_all(submits.map(|class| client(&pacer, &server, class, end)));
        let flood = clients(Class::Asset, 12);
        let assets = join_all(flood.map(|class| client(&pacer, &server, class, end)));
        let (content, assets) = tokio::join!(content, assets);
        let (content, assets): (u32, u32) = (content.iter().sum(), assets.iter().sum());
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
    let mut server = Server::new(50, 20);
    let start = Instant::now();
    let drop_at = start + Duration::from_secs(20);
    server.limits.push((drop_at, 5));
    let pacer = Pacer::new(16, None);
    let end = drop_at + Duration::from_secs(100);
    load(&pacer, &server, end).await;
    let (rate, refused) = server.seen(drop_at + WARM_UP, end);
    assert!(rate >= 0.95 * 5.0, "{rate} of 5, refused {refused}");
    assert!(refused < 0.01, "{refused} refused after it has settled");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_rises_is_found() {
    let mut server = Server::new(10, 20);
    let start = Instant::now();
    server.limits.push((start + Duration::from_secs(15), 40));
    let pacer = Pacer::new(16, None);
    let end = start + Duration::from_secs(90);
    load(&pacer, &server, end).await;
    let (rate, _) = server.seen(end - Duration::from_secs(30), end);
    assert!(rate >= 0.9 * 40.0, "{rate} of 40");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_was_remembered_is_never_exceeded_at_the_start() {
    let server = Server::new(20, 20);
    let pacer = Pacer::new(16, None);
    pacer.recall(&super::Learned {
        per_second: Some(20.0),
        windows: Vec::new(),
        ..super::Learned::default()
    });
    let start = Instant::now();
    let end = start + Duration::from_secs(5);
    load(&pacer, &server, end).await;
    let (rate, refused) = server.seen(start, end);
    assert!(refused == 0.0 && rate >= 18.0, "{rate}, refused {refused}");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_only_the_windows_hold_it_back() {
    let server = Server::new(usize::MAX, 100);
    let pacer = Pacer::new(16, None);
    let start = Instant::now();
    let end = start + Duration::from_secs(10);
    load(&pacer, &server, end).await;
    // Sixteen in flight, 85 ms each on the average.
    let (rate, refused) = server.seen(start + Duration::from_secs(1), end);
    assert!(refused == 0.0 && rate > 150.0, "{rate}, refused {refused}");
}
