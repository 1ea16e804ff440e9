//! The pacer of one instance: queues, windows and quota together, and the only place that waits.
//!
//! It has no task. The request that is next in line sleeps until the quota allows it, and wakes the following one when it
//! leaves. A request that is dropped while it waits removes its ticket and does the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::account::Account;
use super::class::{Class, PerClass};
use super::learned::Learned;
use super::level::Level;
use super::quota::{Outlook, Quota, Refusal, WAIT};
use super::shared::StoredRow;
use super::turns::Turns;
use super::window::{Trouble, Window};
use crate::plan::Weights;
use crate::store::{RateKey, Store};

/// Maximum number of concurrent requests, altogether and by class. Files do not count with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceilings {
    /// All classes together but downloads.
    pub total: usize,
    /// Reads.
    pub reads: usize,
    /// Saves of single entities.
    pub writes: usize,
    /// Uploads of assets.
    pub assets: usize,
    /// Files.
    pub downloads: usize,
}

impl Ceilings {
    /// The same for every class.
    pub const fn even(total: usize) -> Self {
        Self {
            total,
            reads: total,
            writes: total,
            assets: total,
            downloads: total,
        }
    }

    fn of(&self, class: Class) -> usize {
        let most = match class {
            Class::Read | Class::Fetch => self.reads.min(self.total),
            Class::Write => self.writes.min(self.total),
            Class::Asset => self.assets.min(self.total),
            Class::Submit | Class::Poll => self.total,
            Class::Download => self.downloads,
        };
        most.max(1)
    }
}

tokio::task_local! {
    /// How much depends on what a task does: milliseconds of work for an upload, a rank for a read.
    static WEIGHT: u32;
}

/// Lets the requests of `work` leave before those of less weight in the line of their class. Without a weight they have none.
pub(in crate::engine) fn weighing<F: Future>(
    weight: u32,
    work: F,
) -> impl Future<Output = F::Output> {
    WEIGHT.scope(weight, work)
}

/// Requests per second with which reads from the Content Fetch API begin. Its documentation says that more than 10 that are not
/// in its cache are refused.
const FETCH_START: f64 = 10.0;

/// Classes that wait for the same quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// What counts against the rate of the Management API.
    Main,
    /// What counts against that of the Content Fetch API, where it has a host of its own.
    Fetch,
    /// What counts against none.
    Files,
}

/// Paces the requests to one instance.
#[derive(Debug)]
pub struct Pacer {
    quota: Arc<Quota>,
    /// That of the Content Fetch API, where it has a host of its own.
    fetch: Option<Arc<Quota>>,
    /// The account that the rate belongs to; `None` where it is not known, and where no server limits it.
    account: Option<Account>,
    state: Mutex<State>,
}

/// What waits, what is in flight, and what was seen.
#[derive(Debug)]
struct State {
    turns: Turns,
    wakers: HashMap<u64, Arc<Notify>>,
    next_ticket: u64,
    level: Level,
    windows: PerClass<Window>,
    in_flight: PerClass<usize>,
    answered: PerClass<u64>,
    requests: u64,
    downloads: u64,
    refused: u64,
    /// Times to answer since the last sample, in microseconds.
    latencies: Vec<u32>,
    /// Times to answer by class: a mean in which the last twenty or so weigh most.
    times: PerClass<Option<Duration>>,
}

/// Permission for one request. Report how it ended with [`Permit::answered`], [`Permit::refused`] or
/// [`Permit::overloaded`]; dropping it says nothing about the server. Its place is free after either.
#[derive(Debug)]
pub struct Permit<'a> {
    pacer: &'a Pacer,
    class: Class,
    left: Instant,
    was_full: bool,
}

/// The pace since the last sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was taken.
    pub at: Instant,
    /// Requests so far that count against the rate.
    pub requests: u64,
    /// Files so far that were asked for.
    pub downloads: u64,
    /// Requests refused with 429 so far.
    pub refused: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Median time to answer since the last sample.
    pub latency: Duration,
    /// Requests per second that may leave: the user's cap, or what is held of the limit that was learned.
    pub per_second_max: Option<f64>,
    /// How many requests may be in flight at present, all classes together.
    pub concurrency: usize,
}

/// A span that is shorter shows little of a rate.
const SPAN_MIN: Duration = Duration::from_millis(100);

impl Sample {
    /// Requests per second since another sample: samples are taken late where the machine is busy.
    #[expect(clippy::cast_precision_loss, reason = "requests of a second are few")]
    pub fn per_second_since(&self, before: &Self) -> f64 {
        let span = self.at.saturating_duration_since(before.at).max(SPAN_MIN);
        self.requests.saturating_sub(before.requests) as f64 / span.as_secs_f64()
    }
}

/// In milliseconds, to the hundredth.
fn in_ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

/// What a forecast needs of a pacer.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct PacerSnapshot {
    /// What its quota allows.
    pub(in crate::engine) outlook: Outlook,
    /// Requests in flight at most.
    pub(in crate::engine) total: usize,
    /// The same for each class.
    pub(in crate::engine) windows: PerClass<usize>,
    /// What an answer takes; `None` where none has come.
    pub(in crate::engine) times: PerClass<Option<Duration>>,
}

/// The weight of the last answer in the mean of its class: one part in this.
const MEMORY: u32 = 20;

impl Pacer {
    /// A pacer that lets at most `concurrency` requests be in flight, and `per_second_max` leave per second.
    pub fn new(concurrency: usize, per_second_max: Option<f64>) -> Self {
        Self::with(Ceilings::even(concurrency), per_second_max)
    }

    /// A pacer with a ceiling for each class.
    pub fn with(ceilings: Ceilings, per_second_max: Option<f64>) -> Self {
        Self::on(Arc::new(Quota::new(per_second_max)), None, ceilings)
    }

    /// With a quota of its own for the Content Fetch API, which has another host.
    #[must_use]
    pub fn with_fetch_host(self, per_second_max: Option<f64>) -> Self {
        let quota = Quota::beginning_with(FETCH_START, per_second_max);
        Self {
            fetch: Some(Arc::new(quota)),
            ..self
        }
    }

    /// With the account that the rate belongs to.
    #[must_use]
    pub fn with_account(self, account: Account) -> Self {
        Self {
            account: Some(account),
            ..self
        }
    }

    /// The account that the rate belongs to.
    pub const fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// A pacer for another instance that draws on the same quota: one host, one token.
    #[must_use]
    pub fn sharing(&self, ceilings: Ceilings) -> Self {
        Self {
            account: self.account.clone(),
            ..Self::on(Arc::clone(&self.quota), self.fetch.clone(), ceilings)
        }
    }

    /// Shares the quota from now on with all runs whose state is `store` and whose host and token are the same: see the
    /// module. Returns when the first part of the rate is there. Where the state is not on a server nothing is shared, because no
    /// other run is expected to use it at the same time.
    pub async fn share(&self, store: &Store) {
        let Some(account) = self.account.as_ref().filter(|_| store.is_on_server()) else {
            return;
        };
        let quotas = [(Some(&self.quota), "main"), (self.fetch.as_ref(), "fetch")];
        for (quota, class) in quotas {
            let key = RateKey {
                host: account.host.clone(),
                account: account.fingerprint.clone(),
                class,
            };
            if let Some(quota) = quota {
                let store = store.clone();
                quota.share(StoredRow { store, key }).await;
            }
        }
    }

    /// The same with a row of a test.
    #[cfg(test)]
    pub(super) async fn share_by<R: super::shared::SharedRow>(&self, row: R) {
        self.quota.share(row).await;
    }

    /// A sentence for the user where the rate cannot be shared; once.
    pub(in crate::engine) fn take_notice(&self) -> Option<String> {
        let of_main = self.quota.take_notice();
        let of_fetch = self.fetch.as_ref().is_some_and(|fetch| fetch.take_notice());
        let is_due = of_main || of_fetch;
        is_due.then(|| {
            "the state could not be reached in time to share the request rate with other runs; until it is, this run sends half \
             of its last share"
                .to_owned()
        })
    }

    fn on(quota: Arc<Quota>, fetch: Option<Arc<Quota>>, ceilings: Ceilings) -> Self {
        Self {
            quota,
            fetch,
            account: None,
            state: Mutex::new(State {
                turns: Turns::new(),
                wakers: HashMap::new(),
                next_ticket: 0,
                level: Level::new(ceilings.total),
                windows: PerClass::of(|class| Window::new(ceilings.of(class))),
                in_flight: PerClass::of(|_| 0),
                answered: PerClass::of(|_| 0),
                requests: 0,
                downloads: 0,
                refused: 0,
                latencies: Vec::new(),
                times: PerClass::of(|_| None),
            }),
        }
    }

    /// What a class waits for together with others.
    const fn group(&self, class: Class) -> Group {
        match class {
            Class::Fetch if self.fetch.is_some() => Group::Fetch,
            Class::Read
            | Class::Fetch
            | Class::Write
            | Class::Asset
            | Class::Submit
            | Class::Poll => Group::Main,
            Class::Download => Group::Files,
        }
    }

    /// The quota of a class; `None` for files.
    fn quota(&self, class: Class) -> Option<&Quota> {
        match self.group(class) {
            Group::Main => Some(&self.quota),
            Group::Fetch => self.fetch.as_deref(),
            Group::Files => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Changes the cap on requests per second; `None` lifts it.
    pub fn set_rate(&self, per_second_max: Option<f64>) {
        self.quota.set_cap(per_second_max);
        if let Some(fetch) = &self.fetch {
            fetch.set_cap(per_second_max);
        }
        self.wake();
    }

    /// Starts with what an earlier run learned. Neither the cap nor the ceilings are exceeded.
    pub fn recall(&self, learned: &Learned) {
        self.quota.recall(learned.per_second, learned.reached);
        if let Some(fetch) = &self.fetch {
            fetch.recall(learned.fetch.0, learned.fetch.1);
        }
        let mut state = self.state();
        if let Some(size) = learned.level {
            state.level.resume(size);
        }
        for (class, size) in &learned.windows {
            let size = u32::try_from(*size).unwrap_or(u32::MAX);
            state.windows.get_mut(*class).resume(f64::from(size));
        }
        for (class, ms) in &learned.answers {
            *state.times.get_mut(*class) = Duration::try_from_secs_f64(ms / 1000.0).ok();
        }
    }

    /// Takes the server for one that has no limit, unless it refuses: a copy that runs in this process.
    pub fn without_start(&self) {
        self.quota.recall(None, Some(f64::MAX));
    }

    /// What is worth remembering for the next run.
    pub fn learned(&self) -> Learned {
        let state = self.state();
        let used = |class: &Class| *state.answered.get(*class) > 0;
        Learned {
            per_second: self.quota.limit(),
            reached: self.quota.reached(),
            fetch: self
                .fetch
                .as_ref()
                .map_or((None, None), |fetch| (fetch.limit(), fetch.reached())),
            level: Class::ALL
                .iter()
                .any(|class| class.is_metered() && used(class))
                .then(|| state.level.size()),
            windows: Class::ALL
                .into_iter()
                .filter(used)
                .map(|class| (class, state.windows.get(class).size()))
                .collect(),
            answers: Class::ALL
                .into_iter()
                .filter(used)
                .filter_map(|class| Some((class, in_ms((*state.times.get(class))?))))
                .collect(),
        }
    }

    /// Until when nothing leaves, because the server asked for it; a moment that is over when it does not.
    pub fn paused_until(&self) -> Instant {
        self.quota.paused_until()
    }

    /// Waits for leave to send one request of `class`. Cancel-safe: given up, it leaves its line, and a place
    /// or a share of the quota is taken only when it returns.
    pub async fn permit(&self, class: Class) -> Permit<'_> {
        let ticket = Ticket::draw(self, class);
        loop {
            match self.step(&ticket) {
                Step::Leave(permit) => return permit,
                Step::Until(moment) => {
                    let timer = tokio::time::sleep_until(moment);
                    // Both are cancel-safe: a moment, and a bell that keeps one stroke.
                    tokio::select! { biased; () = ticket.waker.notified() => {}, () = timer => {} }
                }
                Step::Behind => ticket.waker.notified().await,
            }
        }
    }

    fn step(&self, ticket: &Ticket<'_>) -> Step<'_> {
        let mut state = self.state();
        let class = ticket.class;
        if state.next(|other| self.group(other) == self.group(class))
            != Some((class, ticket.number))
        {
            return Step::Behind;
        }
        if let Some(Err(moment)) = self.quota(class).map(Quota::take) {
            return Step::Until(moment);
        }
        state.turns.serve(class);
        if class.is_metered() {
            state.requests += 1;
        } else {
            state.downloads += 1;
        }
        *state.in_flight.get_mut(class) += 1;
        if class.is_metered() && state.metered_in_flight() >= state.level.size() {
            state.level.was_full();
        }
        let was_full = *state.in_flight.get(class) >= state.windows.get(class).size();
        Step::Leave(Permit {
            pacer: self,
            class,
            left: Instant::now(),
            was_full,
        })
    }

    /// Wakes the requests that are next. More than one may be awake: each checks its turn.
    fn wake(&self) {
        let state = self.state();
        for group in [Group::Main, Group::Fetch, Group::Files] {
            let next = state.next(|class| self.group(class) == group);
            if let Some(waker) = next.and_then(|(_, ticket)| state.wakers.get(&ticket)) {
                waker.notify_one();
            }
        }
    }

    /// What a forecast needs.
    pub(in crate::engine) fn pace_snapshot(&self) -> PacerSnapshot {
        let outlook = self.quota.outlook();
        let state = self.state();
        PacerSnapshot {
            outlook,
            total: state.level.size(),
            windows: PerClass::of(|class| state.windows.get(class).size()),
            times: state.times,
        }
    }

    /// Takes the present pace, and forgets the latencies up to now.
    pub fn sample(&self) -> Sample {
        let per_second_max = self.quota.rate();
        let mut state = self.state();
        let mut latencies = std::mem::take(&mut state.latencies);
        latencies.sort_unstable();
        let median = latencies.get(latencies.len() / 2).copied().unwrap_or(0);
        let windows = Class::ALL.map(|class| state.windows.get(class).size());
        Sample {
            at: Instant::now(),
            requests: state.requests,
            downloads: state.downloads,
            refused: state.refused,
            in_flight: u32::try_from(state.metered_in_flight()).unwrap_or(u32::MAX),
            latency: Duration::from_micros(u64::from(median)),
            per_second_max,
            concurrency: windows.iter().sum::<usize>().min(state.level.size()),
        }
    }
}

impl State {
    /// Requests in flight that count against the rate.
    fn metered_in_flight(&self) -> usize {
        let classes = Class::ALL.into_iter().filter(|class| class.is_metered());
        classes.map(|class| *self.in_flight.get(class)).sum()
    }

    /// Which request may leave next, of the classes that wait together.
    fn next(&self, is_of_group: impl Fn(Class) -> bool) -> Option<(Class, u64)> {
        let is_full = self.metered_in_flight() >= self.level.size();
        self.turns.next(|class| {
            is_of_group(class)
                && !(is_full && class.is_metered())
                && *self.in_flight.get(class) < self.windows.get(class).size()
        })
    }
}

impl PacerSnapshot {
    /// What saves take, as far as it is known: a page and a batch of items take a submit and a poll each.
    pub(in crate::engine) fn weights(&self) -> Weights {
        let guess = Weights::default();
        let ms = |class| self.times.get(class).map(in_ms);
        let batch = ms(Class::Submit)
            .zip(ms(Class::Poll))
            .map(|(submit, poll)| submit + poll);
        Weights {
            save_ms: ms(Class::Write).unwrap_or(guess.save_ms),
            asset_ms: ms(Class::Asset).unwrap_or(guess.asset_ms),
            item_ms: batch.unwrap_or(guess.item_ms),
            page_ms: batch.unwrap_or(guess.page_ms),
        }
    }
}

/// What a waiting request is to do.
enum Step<'a> {
    Leave(Permit<'a>),
    /// It is next, and the quota is not there yet.
    Until(Instant),
    /// Another request is next; a wake-up follows.
    Behind,
}

/// A place in a line. Dropping it frees the place and wakes the next.
struct Ticket<'a> {
    pacer: &'a Pacer,
    class: Class,
    number: u64,
    weight: u32,
    waker: Arc<Notify>,
}

impl<'a> Ticket<'a> {
    fn draw(pacer: &'a Pacer, class: Class) -> Self {
        let waker = Arc::new(Notify::new());
        let mut state = pacer.state();
        let number = state.next_ticket;
        state.next_ticket += 1;
        state.wakers.insert(number, Arc::clone(&waker));
        let weight = WEIGHT.try_with(|weight| *weight).unwrap_or(0);
        state.turns.join(class, (number, weight));
        Self {
            pacer,
            class,
            number,
            weight,
            waker,
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.pacer.state();
        state.wakers.remove(&self.number);
        state.turns.leave(self.class, (self.number, self.weight));
        drop(state);
        self.pacer.wake();
    }
}

impl Permit<'_> {
    /// The server processed the request, with any result.
    pub fn answered(self) {
        let now = Instant::now();
        let took = now.duration_since(self.left);
        if let Some(quota) = self.pacer.quota(self.class) {
            quota.admitted(self.left);
        }
        let mut state = self.pacer.state();
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        state.latencies.push(micros);
        let time = state.times.get_mut(self.class);
        *time = Some(time.map_or(took, |mean| (mean * (MEMORY - 1) + took) / MEMORY));
        *state.answered.get_mut(self.class) += 1;
        let latency = self.class.is_timed().then_some(took);
        let window = state.windows.get_mut(self.class);
        let ratio = window.answered(self.left, latency, self.was_full, now);
        if let Some(ratio) = ratio {
            state.level.answered(ratio);
        }
    }

    /// The server is overloaded and asks all requests to wait for `pause`, which shows nothing of its rate.
    pub fn asked_to_wait(self, pause: Duration) {
        if let Some(quota) = self.pacer.quota(self.class) {
            quota.pause(pause);
        }
        self.overloaded();
    }

    /// The server refused the request for its rate and asks for a wait of `asked`; `None` when it states none.
    /// `again`: how often it refused this request before. A refusal that reflects the limit holds everything
    /// back; another one this request alone, and the caller waits as long as the [`Refusal`] asks for.
    pub fn refused(self, asked: Option<Duration>, again: u32) -> Refusal {
        let refusal = match self.pacer.quota(self.class) {
            Some(quota) => quota.refused(self.left, asked, again),
            None => Refusal::alone(asked.unwrap_or(WAIT)),
        };
        let mut state = self.pacer.state();
        state.refused += 1;
        if refusal.alone.is_zero() {
            let window = state.windows.get_mut(self.class);
            window.troubled(self.left, Trouble::Refused, Instant::now());
        }
        refusal
    }

    /// The server could not cope: 502, 503, 504, or no answer in time.
    pub fn overloaded(self) {
        if let Some(quota) = self.pacer.quota(self.class) {
            quota.admitted(self.left);
        }
        let mut state = self.pacer.state();
        let window = state.windows.get_mut(self.class);
        window.troubled(self.left, Trouble::Overloaded, Instant::now());
        state.level.troubled();
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.pacer.state().in_flight.get_mut(self.class) -= 1;
        self.pacer.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    /// Two samples that were taken three seconds apart, on a machine that was busy, gave three times the rate.
    #[tokio::test(start_paused = true)]
    async fn a_rate_is_of_the_time_that_has_passed() {
        let pacer = Pacer::new(8, None);
        let before = pacer.sample();
        for _ in 0..30 {
            drop(pacer.permit(Class::Read).await);
        }
        tokio::time::sleep_until(before.at + Duration::from_secs(3)).await;
        let rate = pacer.sample().per_second_since(&before);
        assert!((rate - 10.0).abs() < 0.1, "{rate}");
        assert!(pacer.sample().per_second_since(&before) > 9.0, "{rate}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody_who_is_metered() {
        let pacer = Pacer::new(4, None);
        let other = pacer.sharing(Ceilings::even(4));
        pacer
            .permit(Class::Read)
            .await
            .refused(Some(Duration::from_secs(6)), 0);
        let start = Instant::now();
        drop(other.permit(Class::Download).await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(other.permit(Class::Submit).await);
        assert!(start.elapsed() >= Duration::from_secs(6));
    }

    /// The documentation of the Content Fetch API has a rate of its own: where reads from it begin, and no ceiling.
    #[tokio::test(start_paused = true)]
    async fn a_fetch_host_has_a_rate_of_its_own() {
        let pacer = &Pacer::new(16, None).with_fetch_host(None);
        let start = Instant::now();
        let read = async |class: Class| {
            let mut left = Vec::new();
            for _ in 0..30 {
                let permit = pacer.permit(class).await;
                left.push(start.elapsed().as_secs_f64());
                tokio::time::sleep(Duration::from_millis(20)).await;
                permit.answered();
            }
            left
        };
        let (fetched, read) = tokio::join!(read(Class::Fetch), read(Class::Read));
        assert!(read[29] < 1.0, "{read:?}");
        let early = fetched.iter().filter(|left| **left < 0.5).count();
        assert!((7..=12).contains(&early), "{fetched:?}");
        assert!(fetched[29] < 2.0, "it climbs: {fetched:?}");
        let permit = pacer.permit(Class::Fetch).await;
        permit.refused(Some(Duration::from_secs(9)), 0);
        let start = Instant::now();
        drop(pacer.permit(Class::Read).await);
        assert!(start.elapsed() < Duration::from_secs(1));
        let learned = pacer.learned();
        assert_eq!(Learned::from_rows(&learned.to_rows()).fetch, learned.fetch);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_flight_than_the_ceilings() {
        let ceilings = Ceilings {
            assets: 1,
            ..Ceilings::even(2)
        };
        let pacer = Pacer::with(ceilings, None);
        let soon = |class| tokio::time::timeout(Duration::from_secs(9), pacer.permit(class));
        let asset = pacer.permit(Class::Asset).await;
        assert!(soon(Class::Asset).await.is_err());
        let _read = pacer.permit(Class::Read).await;
        assert!(soon(Class::Poll).await.is_err());
        drop(asset);
        assert!(soon(Class::Poll).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_lets_the_next_one_go() {
        let pacer = Pacer::new(1, None);
        let first = pacer.permit(Class::Read).await;
        let mut second = Box::pin(pacer.permit(Class::Read));
        let mut third = Box::pin(pacer.permit(Class::Read));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(first);
        drop(second);
        let third = tokio::time::timeout(Duration::from_secs(1), third).await;
        assert!(third.is_ok(), "nobody woke it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_assets_leaves_content_its_share_of_the_rate() {
        let pacer = &Pacer::new(16, Some(40.0));
        let work = async |class, times: u32| {
            let mut served = 0;
            for _ in 0..times {
                let permit = pacer.permit(class).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                permit.answered();
                served += 1;
            }
            served
        };
        let floods = join_all((0..8).map(|_| work(Class::Asset, 1000)));
        let content = join_all((0..4).map(|_| work(Class::Submit, 75)));
        let start = Instant::now();
        tokio::select! { _ = floods => {}, _ = content => {} }
        // Submits have 4 of 6 parts of 40 per second: 300 of them take 11.25 s.
        let share = 300.0 / (start.elapsed().as_secs_f64() * 40.0);
        assert!((share - 4.0 / 6.0).abs() < 0.03, "{share}");
    }

    /// Pages and items were weighed by a guess, whatever the host had shown.
    #[test]
    fn what_was_learned_weighs_what_is_planned() {
        let pacer = Pacer::new(16, None);
        assert_eq!(pacer.pace_snapshot().weights(), Weights::default());
        pacer.recall(&Learned {
            answers: vec![
                (Class::Asset, 35.0),
                (Class::Submit, 80.0),
                (Class::Poll, 40.0),
            ],
            ..Learned::default()
        });
        let learned = Weights {
            asset_ms: 35.0,
            item_ms: 120.0,
            page_ms: 120.0,
            ..Weights::default()
        };
        assert_eq!(pacer.pace_snapshot().weights(), learned);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_learned_is_where_the_next_run_starts() {
        let learned = Learned {
            per_second: Some(20.0),
            reached: None,
            fetch: (None, None),
            level: Some(20),
            windows: vec![(Class::Read, 9)],
            answers: vec![(Class::Read, 40.0)],
        };
        let pacer = Pacer::new(32, None);
        assert_eq!(pacer.learned(), Learned::default());
        pacer.recall(&learned);
        assert_eq!(pacer.sample().per_second_max, Some(19.6));
        let permit = pacer.permit(Class::Read).await;
        tokio::time::sleep(Duration::from_millis(40)).await;
        permit.answered();
        assert_eq!(pacer.learned(), learned);
    }
}
