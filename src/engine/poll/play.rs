//! The rule against simulated batch workers of every kind.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{LEAST, Rule};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A number from 0 to 1 that looks like chance.
fn chance(n: u64) -> f64 {
    let mixed = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    f64::from(u32::try_from(mixed >> 32).unwrap()) / f64::from(u32::MAX)
}

const fn ago(now: Duration, then: Duration) -> Duration {
    now.saturating_sub(then)
}

/// How a server works batches off.
#[derive(Clone, Copy)]
struct Worker {
    /// Batches that it works on at one time.
    at_once: usize,
    /// Time of a batch, given its number.
    time: fn(u64) -> Duration,
    /// Time of a look; half of it is the way there.
    look: Duration,
}

impl Worker {
    /// A batch takes the same every time, and none waits for another.
    const fn steady(time: fn(u64) -> Duration) -> Self {
        Self {
            at_once: usize::MAX,
            time,
            look: ms(20),
        }
    }
}

/// What came of a batch.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Its number in the order of the hand-in.
    at: usize,
    /// The wait before its first look.
    wait: Duration,
    /// From the hand-in until it was done.
    took: Duration,
    /// From the hand-in until a look found it done.
    found: Duration,
    polls: u32,
}

/// Plays so many batches, a number of them always in flight, each followed by the next.
fn play(worker: Worker, start: Duration, in_flight: usize, batches: u64) -> Vec<Seen> {
    play_growing(worker, start, (in_flight, in_flight), batches)
}

/// The same with a number in flight that grows by one with every second batch, as that of a run does.
fn play_growing(
    worker: Worker,
    start: Duration,
    (in_flight, most): (usize, usize),
    batches: u64,
) -> Vec<Seen> {
    let mut rule = Rule::starting_with(start);
    let mut looks = BinaryHeap::new();
    let mut free = vec![Duration::ZERO; worker.at_once.min(most)];
    let mut flights: Vec<(super::Batch, Duration, Duration, u32)> = Vec::new();
    let mut seen = Vec::new();
    let mut hand_in =
        |rule: &mut Rule, flights: &mut Vec<_>, looks: &mut BinaryHeap<_>, now: Duration| {
            let at = flights.len();
            let first = free.iter_mut().min().unwrap();
            let done = now.max(*first) + (worker.time)(at as u64);
            *first = done;
            let batch = rule.begin(None);
            let due = now + batch.wait();
            flights.push((batch, now, done, 0));
            looks.push(Reverse((due, at, false)));
        };
    for _ in 0..in_flight {
        hand_in(&mut rule, &mut flights, &mut looks, Duration::ZERO);
    }
    while let Some(Reverse((now, at, is_answer))) = looks.pop() {
        if !is_answer {
            let (batch, came, ..) = &mut flights[at];
            if let Some(more) = rule.put_off(batch, ago(now, *came)) {
                looks.push(Reverse((now + more, at, false)));
                continue;
            }
            looks.push(Reverse((now + worker.look, at, true)));
            continue;
        }
        let (batch, came, done, polls) = &mut flights[at];
        let sent = ago(now, *came + worker.look);
        *polls += 1;
        if *done + worker.look / 2 > now {
            let wait = rule.working(batch, sent, ago(now, *came));
            looks.push(Reverse((now + wait, at, false)));
            continue;
        }
        let wait = batch.wait;
        rule.done(batch, sent);
        let (took, found) = (ago(*done, *came), ago(now, *came));
        seen.push(Seen {
            at,
            wait,
            took,
            found,
            polls: *polls,
        });
        let grows = seen.len() % 2 == 0 && flights.len() - seen.len() + 1 < most;
        for _ in 0..=usize::from(grows) {
            if flights.len() < usize::try_from(batches).unwrap() {
                hand_in(&mut rule, &mut flights, &mut looks, now);
            }
        }
    }
    seen
}

fn polls(seen: &[Seen]) -> f64 {
    let all: u32 = seen.iter().map(|seen| seen.polls).sum();
    f64::from(all) / f64::from(u32::try_from(seen.len()).unwrap())
}

/// Batches whose first look was further than 20 % from the time that they took, or from what is left of it when the
/// way of a look is taken off.
fn off(worker: Worker, seen: &[Seen]) -> usize {
    let is_off = |seen: &&Seen| {
        let real = seen.took.saturating_sub(worker.look / 2).max(LEAST);
        let factor = seen.wait.as_secs_f64() / real.as_secs_f64();
        !(0.8..=1.2).contains(&factor) && seen.wait.abs_diff(real) > worker.look
    };
    seen.iter().filter(is_off).count()
}

/// Waits of a start, from far below any real time to far above.
const STARTS: [u64; 8] = [1, 5, 30, 100, 500, 2_000, 10_000, 60_000];

/// Times of a batch that are the same every time.
const STEADY: [fn(u64) -> Duration; 4] = [|_| ms(40), |_| ms(500), |_| ms(2_000), |_| ms(9_000)];

/// Batches at the server at one time.
const IN_FLIGHT: [usize; 3] = [1, 4, 16];

#[test]
fn it_settles_within_ten_batches_from_any_start_and_stays_for_ten_thousand() {
    let steady: [fn(u64) -> Duration; 8] = [
        |_| ms(0),
        |_| ms(5),
        |_| ms(40),
        |_| ms(125),
        |_| ms(500),
        |_| ms(1_250),
        |_| ms(2_000),
        |_| ms(9_000),
    ];
    for time in steady {
        for start in STARTS {
            let worker = Worker::steady(time);
            let seen = play(worker, ms(start), 1, 10_000);
            let name = format!("{:?} from {start} ms", time(0));
            assert_eq!(off(worker, &seen[10..]), 0, "{name}: {:?}", &seen[..14]);
            assert!(polls(&seen) <= 1.3, "{name}: {}", polls(&seen));
        }
    }
}

/// The rule made every wait two seconds once enough batches were in flight.
#[test]
fn batches_beside_one_another_do_not_make_each_other_late() {
    for (time, most) in [(ms(0), ms(25)), (ms(500), ms(75)), (ms(2_000), ms(250))] {
        for in_flight in IN_FLIGHT {
            let worker = Worker::steady(match time.as_millis() {
                0 => |_| ms(0),
                500 => |_| ms(500),
                _ => |_| ms(2_000),
            });
            let seen = play(worker, ms(100), in_flight, 10_000);
            let late: Duration = seen.iter().map(|one| ago(one.found, one.took)).sum();
            let late = late / 10_000;
            assert!(
                late <= most,
                "{time:?}, {in_flight} in flight: {late:?} late"
            );
            assert!(polls(&seen) <= 1.4, "{}", polls(&seen));
        }
    }
}

#[test]
fn few_polls_are_enough_for_workers_of_every_character() {
    let serial = |time| Worker {
        at_once: 1,
        ..Worker::steady(time)
    };
    let four = |time| Worker {
        at_once: 4,
        ..Worker::steady(time)
    };
    let stalling: fn(u64) -> Duration = |n| ms(if chance(n) < 0.02 { 3_100 } else { 100 });
    let varying: fn(u64) -> Duration = |n| ms(20).mul_f64(1.0 + 10.0 * chance(n));
    let workers = [
        ("serial, 5 ms", serial(|_| ms(5))),
        ("serial, 500 ms", serial(|_| ms(500))),
        ("serial, varying", serial(varying)),
        ("four workers", four(|_| ms(100))),
        ("four that stall", four(stalling)),
        ("parallel, varying", Worker::steady(varying)),
        ("parallel that stall", Worker::steady(stalling)),
        ("slow start", serial(|n| ms(if n < 5 { 3_000 } else { 50 }))),
    ];
    for (name, worker) in workers {
        for in_flight in IN_FLIGHT {
            for start in STARTS {
                let seen = play(worker, ms(start), in_flight, 10_000);
                let polls = polls(&seen);
                assert!(
                    polls <= 1.6,
                    "{name}, {in_flight} in flight, from {start} ms: {polls}"
                );
            }
        }
    }
}

/// While the batches in flight become more, a queue makes each take longer than the one before it.
#[test]
fn few_polls_are_enough_while_a_queue_grows() {
    let serial = |time| Worker {
        at_once: 1,
        ..Worker::steady(time)
    };
    let four: fn(u64) -> Duration = |n| ms(if chance(n) < 0.02 { 3_100 } else { 100 });
    let stalling = Worker {
        at_once: 4,
        ..Worker::steady(four)
    };
    let workers = [
        ("serial, 5 ms", serial(|_| ms(5))),
        ("serial, 500 ms", serial(|_| ms(500))),
        ("four that stall", stalling),
        (
            "serial, varying",
            serial(|n| ms(5).mul_f64(1.0 + 40.0 * chance(n))),
        ),
    ];
    for (name, worker) in workers {
        for (batches, most) in [(300, 1.85), (1_000, 1.5)] {
            for start in [5, 50, 500] {
                let seen = play_growing(worker, ms(start), (4, 64), batches);
                let polls = polls(&seen);
                let case = format!("{name}, {batches} batches from {start} ms");
                assert!(polls <= most, "{case}: {polls} polls");
                let late: Duration = seen.iter().map(|one| ago(one.found, one.took)).sum();
                let took: Duration = seen.iter().map(|one| one.took).sum();
                assert!(
                    late <= took.mul_f64(1.6),
                    "{case}: {late:?} late of {took:?}"
                );
            }
        }
    }
}

/// Batches that were in flight together halved the first wait once each, although they had been looked at by one wait: after
/// four of two seconds, pages were looked at from 280 ms on, six times each.
#[test]
fn batches_that_were_looked_at_by_one_wait_shorten_it_once() {
    for time in STEADY {
        for too_long in [1.1, 2.0, 4.0] {
            for in_flight in [4, 16] {
                let start = time(0).mul_f64(too_long);
                let seen = play(Worker::steady(time), start, in_flight, 4 * in_flight as u64);
                let case = format!("{:?} from {start:?}, {in_flight} in flight", time(0));
                assert!(polls(&seen) <= 2.0, "{case}: {} polls", polls(&seen));
            }
        }
    }
}

/// The looks of a start from far below made later looks so rare that batches of two seconds were found done after twelve.
#[test]
fn a_batch_is_found_soon_however_many_looks_others_took() {
    for time in STEADY {
        for start in STARTS {
            for in_flight in IN_FLIGHT {
                let seen = play(Worker::steady(time), ms(start), in_flight, 320);
                let settled = seen.iter().filter(|seen| seen.at >= 10 * in_flight);
                let latest = settled.map(|seen| seen.found).max();
                let case = format!("{:?} from {start} ms, {in_flight} in flight", time(0));
                let most = time(0).mul_f64(1.5) + ms(100);
                assert!(latest <= Some(most), "{case}: {latest:?}");
            }
        }
    }
}

#[test]
fn a_stall_moves_the_wait_little_and_a_slow_start_is_forgotten() {
    let stalling = Worker::steady(|n| ms(if chance(n) < 0.02 { 3_200 } else { 200 }));
    let seen = play(stalling, ms(100), 1, 10_000);
    let usual = |one: &&Seen| one.took < ms(1_000);
    let usual: Vec<Seen> = seen[10..].iter().filter(usual).copied().collect();
    let off_share = off(stalling, &usual) * 100 / usual.len();
    assert!(off_share <= 12, "{off_share} %");
    let slow = Worker::steady(|n| ms(if n < 5 { 3_000 } else { 200 }));
    for start in STARTS {
        let seen = play(slow, ms(start), 1, 10_000);
        assert_eq!(off(slow, &seen[30..]), 0, "from {start} ms");
    }
    // A worker that stands still for a while and recovers.
    let recovering = Worker::steady(|n| ms(if (500..530).contains(&n) { 8_000 } else { 200 }));
    let seen = play(recovering, ms(100), 1, 2_000);
    assert_eq!(off(recovering, &seen[510..530]), 0, "it follows");
    assert_eq!(off(recovering, &seen[550..]), 0, "and comes back");
}
