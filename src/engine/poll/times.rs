//! The learnt times of all classes of batches.
//!
//! Batches of one class share a time. A class is what is done with the items, and how many there are, to the power of four:
//! in a run of some hundred batches, finer classes would cost too many polls. A class without measurements starts with the
//! time of the nearest class.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::growth::{Growth, Sizes};
use super::regression::{Before, Regression};
use super::rule::{Batch, Rule};
use crate::domain::Kind;
use crate::engine::probed::Probed;

/// The time of a batch before one was seen.
const FIRST: Duration = Duration::from_millis(50);
/// The time of one item before it is known.
const ITEM: Duration = Duration::from_millis(5);
/// Powers of four up to as many items as a batch has at most.
pub(super) const SIZES: usize = 4;
/// Two forecasts are alike when times of batches differ by no more than one part in this: the waits go up and down by a tenth.
const ALIKE: u32 = 4;

/// Items of the large batch of a probe.
const MANY: u32 = 20;

/// What a batch does with its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum BatchKind {
    /// Saves content items.
    Content,
    /// Saves a page.
    Page,
    /// Moves content items or pages on in the workflow.
    Workflow,
    /// Deletes a content item or a page.
    Delete,
}

impl BatchKind {
    const ALL: [Self; 4] = [Self::Content, Self::Page, Self::Workflow, Self::Delete];

    /// What saves entities of a kind.
    pub(in crate::engine) const fn saving(kind: Kind) -> Self {
        match kind {
            Kind::Page => Self::Page,
            Kind::Content
            | Kind::Model
            | Kind::Container
            | Kind::Template
            | Kind::Gallery
            | Kind::Asset
            | Kind::Redirection => Self::Content,
        }
    }
}

/// One value for each class.
type Table<T> = [[T; SIZES]; BatchKind::ALL.len()];

/// Learns how long the target takes for batches.
#[derive(Debug, Default)]
pub struct BatchTimes {
    /// What a probe found out before the first batch.
    probed: Table<Option<Duration>>,
    /// Whether a batch waits for those before it, by what a probe found out.
    is_serial: bool,
    rules: Mutex<Table<Option<Rule>>>,
    growth: Mutex<Growth>,
    regressions: Mutex<[Regression; BatchKind::ALL.len()]>,
    /// The batches that are at the target, in the order in which these were handed in: their kinds and numbers of items.
    at_target: Mutex<BTreeMap<u64, (BatchKind, u32)>>,
    /// Whether nothing is ready to be handed in.
    is_idle: AtomicBool,
    /// Wakes what waits for a look when a batch has left the target while nothing was ready, in the order of the waiting.
    left: Notify,
}

/// A batch that the target has taken.
#[derive(Debug)]
pub(in crate::engine) struct InFlightBatch<'a> {
    times: &'a BatchTimes,
    kind: BatchKind,
    items: u32,
    came: Instant,
    batch: Batch,
    number: u64,
    /// What was at the target before it when it was handed in.
    before: Before,
    /// Batches of its kind at the target then, itself included.
    of_kind: usize,
}

/// What was learnt, as a forecast takes it.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct BatchCosts {
    times: Table<Option<Duration>>,
    item: Duration,
}

/// The place of a batch in a table.
pub(super) const fn size(items: u32) -> usize {
    let power = if items == 0 {
        0
    } else {
        (items.ilog2() / 2) as usize
    };
    if power < SIZES { power } else { SIZES - 1 }
}

fn before<'a>(batches: impl Iterator<Item = &'a (BatchKind, u32)>) -> Before {
    batches.fold(Before::default(), |sum, (_, items)| Before {
        batches: sum.batches.saturating_add(1),
        items: sum.items.saturating_add(*items),
    })
}

impl BatchTimes {
    /// Starts with what a probe found out about the target; without one, with nothing.
    pub fn of(known: &Probed) -> Self {
        let mut times = Self {
            is_serial: known.serial_batches,
            ..Self::default()
        };
        let (one, many) = known.batch_times;
        let content = &mut times.probed[BatchKind::Content as usize];
        for (items, time) in [(1, one), (MANY, many)] {
            content[size(items)] = time;
        }
        times
    }

    /// Notes that a batch was handed in: at once when the target has answered.
    pub(in crate::engine) fn begin(&self, kind: BatchKind, items: u32) -> InFlightBatch<'_> {
        let (number, before, of_kind) = {
            let mut at_target = self.at_target();
            let last = at_target.last_key_value();
            let number = last.map_or(0, |(last, _)| last + 1);
            let before = before(at_target.values());
            at_target.insert(number, (kind, items));
            let of_kind = at_target.values().filter(|(other, _)| *other == kind);
            (number, before, of_kind.count())
        };
        let ahead = if self.is_serial { before.batches } else { 0 };
        let guess = self.costs().time(kind, items) * ahead.saturating_add(1);
        let expected = self.regressions()[kind as usize].time(items, before);
        let mut rules = self.rules();
        let rule = &mut rules[kind as usize][size(items)];
        let batch = rule
            .get_or_insert_with(|| Rule::starting_with(guess))
            .begin(expected);
        InFlightBatch {
            times: self,
            kind,
            items,
            came: Instant::now(),
            batch,
            number,
            before,
            of_kind,
        }
    }

    /// Notes whether anything is ready to be handed in. Where nothing is, what is at the target is looked at sooner.
    pub(in crate::engine) fn note_idle(&self, is_idle: bool) {
        self.is_idle.store(is_idle, Ordering::Relaxed);
    }

    /// What is known now.
    pub(in crate::engine) fn costs(&self) -> BatchCosts {
        let wait = |rule: &Option<Rule>| rule.as_ref().map(Rule::wait);
        let mut costs = self.rules().each_ref().map(|row| row.each_ref().map(wait));
        let all = costs.as_flattened_mut().iter_mut();
        for (cost, probed) in all.zip(self.probed.as_flattened()) {
            *cost = cost.or(*probed);
        }
        let content = self.regressions()[BatchKind::Content as usize].parts();
        BatchCosts {
            times: costs,
            item: content.map_or(ITEM, |parts| parts.item),
        }
    }

    fn rules(&self) -> MutexGuard<'_, Table<Option<Rule>>> {
        self.rules.lock().expect("no holder panics")
    }

    fn regressions(&self) -> MutexGuard<'_, [Regression; BatchKind::ALL.len()]> {
        self.regressions.lock().expect("no holder panics")
    }

    fn at_target(&self) -> MutexGuard<'_, BTreeMap<u64, (BatchKind, u32)>> {
        self.at_target.lock().expect("no holder panics")
    }

    fn growth(&self) -> MutexGuard<'_, Growth> {
        self.growth.lock().expect("no holder panics")
    }

    /// How batches are handed in.
    pub(in crate::engine) fn sizes(&self) -> Sizes {
        let (content, page) = {
            let regressions = self.regressions();
            let parts = |kind: BatchKind| regressions[kind as usize].parts();
            (parts(BatchKind::Content), parts(BatchKind::Page))
        };
        self.growth().sizes(content, page)
    }
}

impl InFlightBatch<'_> {
    /// The wait until the first look, from now on.
    pub(in crate::engine) fn due(&self) -> Duration {
        self.batch.wait().saturating_sub(self.came.elapsed())
    }

    /// Waits for so long, or until its look is due sooner, because batches before it are done and nothing else is ready.
    pub(in crate::engine) async fn pause(&mut self, wait: Duration) {
        let mut due = Instant::now() + wait;
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due) => return,
                () = self.times.left.notified() => {
                    let left = due.saturating_duration_since(Instant::now());
                    due = self.sooner(left).map_or(due, |sooner| Instant::now() + sooner);
                }
            }
        }
    }

    fn sooner(&mut self, left: Duration) -> Option<Duration> {
        let at_target = self.times.at_target();
        let before = before(at_target.range(..self.number).map(|(_, batch)| batch));
        drop(at_target);
        let expected = self.times.regressions()[self.kind as usize].time(self.items, before);
        let rules = self.times.rules();
        let rule = rules[self.kind as usize][size(self.items)].as_ref()?;
        rule.sooner(&mut self.batch, expected, (self.came.elapsed(), left))
    }

    /// How much longer its first look waits, because others have shown meanwhile that batches take longer; `None` when it
    /// is to be looked at now.
    pub(in crate::engine) fn put_off(&mut self) -> Option<Duration> {
        let rules = self.times.rules();
        let rule = rules[self.kind as usize][size(self.items)].as_ref()?;
        rule.put_off(&mut self.batch, self.came.elapsed())
    }

    /// Notes that a look that left at `sent` found it at work. Returns the wait until the next look.
    pub(in crate::engine) fn working(&mut self, sent: Instant) -> Duration {
        let (sent, now) = (
            sent.saturating_duration_since(self.came),
            self.came.elapsed(),
        );
        let mut rules = self.times.rules();
        let rule = &mut rules[self.kind as usize][size(self.items)];
        rule.as_mut()
            .map_or(FIRST, |rule| rule.working(&mut self.batch, sent, now))
    }

    /// Notes that a look that left at `sent` found it done.
    pub(in crate::engine) fn done(self, sent: Instant) {
        let sent = sent.saturating_duration_since(self.came);
        let took = self.batch.took(sent);
        self.times.regressions()[self.kind as usize].add(self.items, self.before, took);
        if self.kind == BatchKind::Content {
            self.times.growth().done(self.items, sent, self.of_kind);
        }
        let mut rules = self.times.rules();
        if let Some(rule) = &mut rules[self.kind as usize][size(self.items)] {
            rule.done(&self.batch, sent);
        }
    }
}

impl Drop for InFlightBatch<'_> {
    fn drop(&mut self) {
        self.times.at_target().remove(&self.number);
        if self.times.is_idle.load(Ordering::Relaxed) {
            self.times.left.notify_waiters();
        }
    }
}

impl BatchCosts {
    /// Nothing is known.
    #[cfg(test)]
    pub(in crate::engine) const fn unknown() -> Self {
        Self {
            times: [[None; SIZES]; BatchKind::ALL.len()],
            item: ITEM,
        }
    }

    /// The same with a time for batches of a kind and a number of items.
    #[cfg(test)]
    pub(in crate::engine) const fn with(
        mut self,
        kind: BatchKind,
        items: u32,
        time: Duration,
    ) -> Self {
        self.times[kind as usize][size(items)] = Some(time);
        self
    }

    /// The time of a batch, or of what is nearest to it: of its kind if there is one.
    pub(in crate::engine) fn time(&self, kind: BatchKind, items: u32) -> Duration {
        let own = size(items);
        let nearest = |kind: BatchKind| {
            let known = (0..SIZES)
                .filter_map(|at| Some((at.abs_diff(own), self.times[kind as usize][at]?)));
            known.min_by_key(|(distance, _)| *distance)
        };
        let others = || {
            let others = BatchKind::ALL.into_iter().filter_map(nearest);
            others.min_by_key(|(distance, _)| *distance)
        };
        nearest(kind)
            .or_else(others)
            .map_or(FIRST, |(_, time)| time)
    }

    /// What one more item adds to the time of a batch of content.
    pub(in crate::engine) const fn item(&self) -> Duration {
        self.item
    }

    /// Whether what was learnt since has changed little.
    pub(in crate::engine) fn is_like(&self, before: &Self) -> bool {
        let near = |one: Duration, other: Duration| one.abs_diff(other) <= one.max(other) / ALIKE;
        let known = self
            .times
            .as_flattened()
            .iter()
            .zip(before.times.as_flattened());
        known
            .filter_map(|(now, before)| (*now).zip(*before))
            .all(|(now, before)| near(now, before))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures_util::{StreamExt as _, stream};

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A batch that takes so long, looked at as it should be. Returns how many looks it took.
    async fn follow(times: &BatchTimes, items: u32, takes: Duration) -> u32 {
        let mut batch = times.begin(BatchKind::Content, items);
        let (came, mut looks) = (Instant::now(), 1);
        let mut wait = batch.due();
        loop {
            tokio::time::advance(wait).await;
            if came.elapsed() >= takes {
                batch.done(Instant::now());
                return looks;
            }
            looks += 1;
            wait = batch.working(Instant::now());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_size_has_its_time_and_a_new_one_starts_with_the_nearest() {
        let times = BatchTimes::default();
        assert_eq!(times.costs().time(BatchKind::Page, 1), FIRST);
        for _ in 0..20 {
            follow(&times, 1, ms(20)).await;
            follow(&times, 160, ms(1_000)).await;
        }
        let costs = times.costs();
        let near = |time: Duration, wanted: u64| time.abs_diff(ms(wanted)) <= ms(wanted) / 5;
        let time = |kind, items| costs.time(kind, items);
        assert!(near(time(BatchKind::Content, 1), 20), "{costs:?}");
        assert!(near(time(BatchKind::Content, 250), 1_000), "{costs:?}");
        assert!(near(time(BatchKind::Content, 3), 20), "one item is nearest");
        assert!(
            near(time(BatchKind::Workflow, 100), 1_000),
            "content is nearest"
        );
        assert!(near(costs.item(), 6), "{:?}", costs.item());
        assert!(follow(&times, 100, ms(640)).await <= 2, "between the two");
    }

    /// Pages at the end of a run were looked at more than a second late: while there was a queue, each had taken that long.
    #[tokio::test(start_paused = true)]
    async fn after_a_queue_a_batch_that_comes_alone_is_not_looked_at_late() {
        let times = BatchTimes::default();
        for _ in 0..20 {
            follow(&times, 1, ms(5)).await;
        }
        let others: Vec<_> = (0..5)
            .map(|_| times.begin(BatchKind::Content, 50))
            .collect();
        for _ in 0..20 {
            follow(&times, 1, ms(1_000)).await;
        }
        drop(others);
        let alone = times.begin(BatchKind::Content, 1);
        assert!(alone.due() <= ms(10), "{:?}", alone.due());
    }

    /// Batches of items that refer to one another: each line begins when all of the one before are found done. A run without a
    /// limit, sorted by kind.
    const LEVELS: [&[u32]; 23] = [
        &[4],
        &[50, 50, 49, 45, 44, 44, 44, 44, 44, 43, 27],
        &[1],
        &[8, 6],
        &[2],
        &[48, 50, 50, 50, 49, 49, 48, 48, 48, 47, 1, 1],
        &[2],
        &[50, 16, 1],
        &[50, 50, 50, 50, 50, 50, 50, 50, 6, 27],
        &[30, 50, 50, 50, 50, 50, 50, 13, 9],
        &[48, 40, 50, 45, 39],
        &[35, 50, 25],
        &[18, 1],
        &[24],
        &[15, 30, 16, 15],
        &[1],
        &[5, 22, 5],
        &[5],
        &[1],
        &[4, 4, 7],
        &[1, 1, 5],
        &[1],
        &[1, 1],
    ];

    /// A server that is 20 ms away: when its workers are free, what it takes for each batch and for each item, and every how
    /// many batches it stalls for so long.
    struct Server {
        free: Mutex<Vec<Instant>>,
        batch: Duration,
        item: Duration,
        stalls: Option<(u32, Duration)>,
        taken: AtomicU32,
    }

    impl Server {
        fn new(workers: usize, batch: Duration, item: Duration) -> Self {
            Self {
                free: Mutex::new(vec![Instant::now(); workers]),
                batch,
                item,
                stalls: None,
                taken: AtomicU32::new(0),
            }
        }

        /// When a batch that comes now is done.
        fn take(&self, items: u32) -> Instant {
            let nth = self.taken.fetch_add(1, Ordering::Relaxed);
            let stalls = self.stalls.filter(|(every, _)| nth % every == 7);
            let mut free = self.free.lock().unwrap();
            let worker = free.iter_mut().min().unwrap();
            let takes =
                self.batch + self.item * items + stalls.map_or(Duration::ZERO, |(_, stall)| stall);
            *worker = (*worker).max(Instant::now()) + takes;
            *worker
        }
    }

    /// Hands a batch in and follows it to its end. Returns how many looks it took.
    async fn hand_in(times: &BatchTimes, server: &Server, (kind, items): (BatchKind, u32)) -> u32 {
        let done = server.take(items);
        tokio::time::sleep(ms(20)).await;
        let mut batch = times.begin(kind, items);
        let (mut wait, mut looks) = (batch.due(), 0);
        loop {
            batch.pause(wait).await;
            if let Some(more) = batch.put_off() {
                wait = more;
                continue;
            }
            let sent = Instant::now();
            tokio::time::sleep(ms(20)).await;
            looks += 1;
            if done <= sent + ms(10) {
                batch.done(sent);
                return looks;
            }
            wait = batch.working(sent);
        }
    }

    /// Hands all levels in, so many batches at one time. Returns the time that it took and the looks at a batch.
    async fn hand_in_levels(server: &Server, at_once: usize) -> (Duration, f64) {
        let times = BatchTimes::default();
        let (started, mut looks, mut batches) = (Instant::now(), 0, 0);
        for level in LEVELS {
            times.note_idle(false);
            let each = level.iter().enumerate().map(|(at, items)| {
                times.note_idle(at + 1 == level.len());
                hand_in(&times, server, (BatchKind::Content, *items))
            });
            let all = stream::iter(each).buffer_unordered(at_once);
            looks += all.fold(0, async |sum, looks| sum + looks).await;
            batches += u32::try_from(level.len()).unwrap();
        }
        (started.elapsed(), f64::from(looks) / f64::from(batches))
    }

    /// The last batches of a level were looked at as late as they would have been in a queue: a fifth of the whole time.
    #[tokio::test(start_paused = true)]
    async fn what_a_run_waits_for_alone_is_not_looked_at_late() {
        for (at_once, most, polls_most) in [(3, ms(17_000), 1.7), (8, ms(26_000), 2.6)] {
            let server = Server::new(1, Duration::ZERO, ITEM);
            let (took, polls) = hand_in_levels(&server, at_once).await;
            assert!(took <= most, "{at_once}: {took:?}, {polls} polls");
            assert!(polls <= polls_most, "{at_once}: {polls} polls");
        }
    }

    /// Several batches are processed beside one another, and a few stall: what is expected of a queue is too early then.
    #[tokio::test(start_paused = true)]
    async fn a_batch_that_stalls_costs_the_others_no_looks() {
        let servers = || {
            [None, Some((50, ms(3_000)))].map(|stalls| Server {
                stalls,
                ..Server::new(4, ms(100), Duration::ZERO)
            })
        };
        let mut found = Vec::new();
        for at_once in [3, 8] {
            for server in servers() {
                found.push((at_once, hand_in_levels(&server, at_once).await));
            }
        }
        // Pages beside content, as many as are ready.
        for at_once in [8, 40] {
            for server in servers() {
                let (times, started) = (BatchTimes::default(), Instant::now());
                let all = stream::iter(0..600).map(|at| {
                    let batch = if at % 4 == 0 {
                        (BatchKind::Content, 1 + at % 50)
                    } else {
                        (BatchKind::Page, 1)
                    };
                    hand_in(&times, &server, batch)
                });
                let all = all.buffer_unordered(at_once);
                let looks = all.fold(0, async |sum, looks| sum + looks).await;
                found.push((at_once, (started.elapsed(), f64::from(looks) / 600.0)));
            }
        }
        assert!(
            found.iter().all(|(_, (_, polls))| *polls <= 1.65),
            "{found:?}"
        );
    }

    /// One that stalls was looked at each time that another one was done: up to 27 looks at a batch.
    #[tokio::test(start_paused = true)]
    async fn a_batch_that_stalls_is_looked_at_less_and_less_often_itself() {
        let times = BatchTimes::default();
        for _ in 0..20 {
            follow(&times, 1, ms(100)).await;
        }
        times.note_idle(true);
        let stalling = Server::new(1, ms(3_000), Duration::ZERO);
        let beside = Server::new(1, ms(100), Duration::ZERO);
        let others = async {
            for _ in 0..20 {
                hand_in(&times, &beside, (BatchKind::Page, 1)).await;
            }
        };
        let started = Instant::now();
        let stalled = async {
            let looks = hand_in(&times, &stalling, (BatchKind::Content, 1)).await;
            (looks, started.elapsed())
        };
        let ((looks, took), ()) = tokio::join!(stalled, others);
        assert!(looks <= 9 && took <= ms(6_000), "{looks} looks, {took:?}");
    }

    /// The first batches of a run were looked at 50 ms after they left, however slow the server was known to be.
    #[tokio::test(start_paused = true)]
    async fn a_first_batch_is_looked_at_when_a_probe_found_such_batches_done() {
        let probed = Probed {
            batch_times: (Some(ms(400)), Some(ms(900))),
            ..Probed::default()
        };
        let times = BatchTimes::of(&probed);
        let due = |items| times.begin(BatchKind::Content, items).due();
        assert_eq!(due(1), ms(400));
        assert_eq!((due(20), due(200)), (ms(900), ms(900)), "the nearest size");
        let page = times.begin(BatchKind::Page, 1);
        assert_eq!(page.due(), ms(400), "content is nearest");
        let none = BatchTimes::of(&Probed::default());
        assert_eq!(none.begin(BatchKind::Content, 1).due(), FIRST);
        let serial = BatchTimes::of(&Probed {
            serial_batches: true,
            ..probed
        });
        let before = serial.begin(BatchKind::Content, 1);
        let behind = serial.begin(BatchKind::Page, 1);
        assert_eq!((before.due(), behind.due()), (ms(400), ms(800)));
    }

    #[test]
    fn costs_are_alike_within_a_quarter() {
        let costs = |time| BatchCosts::unknown().with(BatchKind::Page, 1, ms(time));
        assert!(costs(100).is_like(&costs(120)) && costs(100).is_like(&BatchCosts::unknown()));
        assert!(!costs(100).is_like(&costs(140)));
    }
}
