//! Whatever the instance, the schedule and the moment: nothing leaves before what it needs, no id of the source leaves at
//! all, and every count adds up.

use std::sync::Arc;
use std::time::Duration;

use lockgate::domain::{Guid, Outcome, RunId};
use lockgate::engine::pace::Pacer;
use lockgate::engine::retry::Retries;
use lockgate::engine::{
    EVENTS_IN_FLIGHT, End, Matching, Options, ReadOnce, Reader, Schedule, Session, Sink,
};
use lockgate::event::{Event, Side};
use lockgate::plan::{Policies, Selection};
use lockgate::store::{LeaseOwner, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::sync::mpsc;

use crate::accounts::{
    Ran, counts_add_up, gates_hold, gates_settle_last, one_outcome_each, outcomes,
};
use crate::double::{Double, Limits, World};
use crate::instances::{Shape, locales};

/// An instance, and what happens to it.
#[derive(Clone, Copy, Debug)]
struct Case {
    shape: Shape,
    schedule: Schedule,
    /// How many requests of a hundred go wrong.
    faults: u32,
}

fn cases() -> impl Strategy<Value = Case> {
    let counts = (
        1..5_i64,
        1..5_i64,
        1..4_i64,
        1..7_i64,
        1..26_i64,
        1..3_i64,
        1..14_i64,
        0..4_i64,
    );
    let luck = prop_oneof![
        Just((0, 0, 0)),
        Just((0, 0, 0)),
        Just((8, 2, 0)),
        Just((3, 1, 4))
    ];
    let schedule = prop_oneof![Just(Schedule::Pipelined), Just(Schedule::Phased)];
    (any::<u64>(), counts, luck, schedule).prop_map(|(seed, counts, luck, schedule)| {
        let (models, containers, galleries, assets, items, templates, pages, redirections) = counts;
        let (refused, orphans, faults) = luck;
        let shape = Shape {
            seed,
            models,
            containers,
            galleries,
            assets,
            items,
            templates,
            pages,
            redirections,
            refused,
            orphans,
            twins: 0,
            published: 0,
            edition: 0,
        };
        Case {
            shape,
            schedule,
            faults,
        }
    })
}

fn options(schedule: Schedule) -> Options {
    Options {
        schedule,
        concurrency: 6,
        assets_in_flight: 2,
        batches_in_flight: 2,
        batch_items: 4,
        // While the store works, the paused clock runs ahead.
        batch_timeout: LONG,
        lease_ttl: LONG,
        ..Options::default()
    }
}

const LIMITS: Limits = Limits {
    requests: 6,
    saves: 3,
    assets: 2,
    batches: 2,
    pages: 6,
    files: 8,
};

/// Longer than any run, even on a clock that runs ahead. A busy machine lets it run ahead by a few hundred times this, and the
/// quota counts up to 584 years.
const LONG: Duration = Duration::from_hours(10_000);

fn reader(double: &Double, side: Side, options: &Options, sink: &Sink) -> Arc<Reader<Double>> {
    Arc::new(Reader {
        instance: double.clone(),
        guid: Guid::new(if side == Side::Source {
            "1a2b3c4d-u"
        } else {
            "5e6f7a8b-u"
        }),
        side,
        pacer: Arc::new(Pacer::with(options.ceilings(), options.per_second_max)),
        retries: Retries::new(options),
        concurrency: options.concurrency,
        limits: options.reading,
        sink: sink.clone(),
        bodies: None,
        former: None,
        once: ReadOnce::default(),
    })
}

/// A whole run of the real engine between two doubles.
async fn sync(
    source: &Double,
    target: &Double,
    store: &Store,
    schedule: Schedule,
    number: u8,
) -> Ran {
    let (events, mut received) = mpsc::channel(EVENTS_IN_FLIGHT);
    let (_commands, mut commanded) = mpsc::channel(1);
    let options = options(schedule);
    let sink = Sink::new(events);
    let run = RunId(format!("20250101-000000-{number:04x}"));
    let session = Session {
        source: reader(source, Side::Source, &options, &sink),
        target: reader(target, Side::Target, &options, &sink),
        store: store.clone(),
        run: run.clone(),
        owner: LeaseOwner {
            owner: "tester".to_owned(),
            host: "desk".to_owned(),
            process: std::process::id(),
            run,
        },
        locales: Vec::new(),
        selection: Selection::default(),
        policies: Policies {
            overwrite: true,
            ..Policies::default()
        },
        webhooks: None,
        review: None,
        approved: None,
        matching: Matching {
            create_unmatched: true,
            ..Matching::default()
        },
        options,
        sink,
        planned: tokio::sync::watch::Sender::new(None),
    };
    let run = async {
        let report = session.sync(&mut commanded).await;
        drop(session);
        report.unwrap()
    };
    tokio::pin!(run);
    let mut events = Vec::new();
    let mut idle = Idle::default();
    let report = loop {
        tokio::select! {
            report = &mut run => break report,
            Some(stamped) = received.recv() => {
                assert!(!idle.stands_still(&stamped.event), "the run stands still");
                events.push(stamped);
            }
        }
    };
    while let Some(stamped) = received.recv().await {
        events.push(stamped);
    }
    Ran { report, events }
}

/// Tells a run that waits for the store from one that waits for nothing. The clock is paused, so it jumps to the next sample
/// of the pace whenever everybody waits for the store, which works in real time.
#[derive(Default)]
struct Idle {
    requests: u64,
    samples: u32,
}

impl Idle {
    /// So many samples without a request are seconds of real time.
    const MOST: u32 = 200_000;

    fn stands_still(&mut self, event: &Event) -> bool {
        match event {
            Event::PaceSampled {
                requests,
                in_flight: 0,
                ..
            } if *requests == self.requests => {
                self.samples += 1;
            }
            Event::PaceSampled { requests, .. } => {
                *self = Self {
                    requests: *requests,
                    samples: 0,
                };
            }
            _ => self.samples = 0,
        }
        self.samples > Self::MOST
    }
}

/// What is wrong with a run, one line each.
fn problems(ran: &Ran, target: &Double, schedule: Schedule) -> Vec<String> {
    let mut problems = target.problems();
    problems.extend(one_outcome_each(ran));
    problems.extend(gates_settle_last(ran));
    problems.extend(counts_add_up(&ran.events));
    if schedule == Schedule::Phased {
        problems.extend(gates_hold(ran));
    }
    if let End::Stopped(why) = &ran.report.end {
        problems.push(format!("stopped: {why:?}"));
    }
    if matches!(ran.report.end, End::Interrupted | End::Stalled(_)) {
        problems.push(format!("{:?}", ran.report.end));
    }
    problems
}

/// With nothing refused and nothing lost, everything that could cross has crossed, and the target shows it.
fn is_perfect(ran: &Ran) -> Vec<String> {
    let mut problems: Vec<String> = ran
        .report
        .differences
        .iter()
        .flatten()
        .map(|found| {
            format!(
                "{} {}: {}",
                found.key,
                found.difference.name(),
                found.detail
            )
        })
        .collect();
    let lost = outcomes(ran)
        .into_iter()
        .filter(|(_, outcome)| !outcome.has_counterpart());
    problems.extend(lost.map(|(key, outcome)| format!("{key}: {outcome:?}")));
    problems
}

async fn play(case: Case) -> Vec<String> {
    let Case {
        shape,
        schedule,
        faults,
    } = case;
    let store = Store::open_in_memory().await.unwrap();
    tokio::time::pause();
    let source = Double::new(shape.build(), shape.seed, faults);
    let target = Double::new(World::target(&locales()), shape.seed ^ 1, faults);
    let is_quiet = faults == 0 && shape.refused == 0 && shape.orphans == 0;
    let mut found = Vec::new();
    for (number, edition) in [(1, shape), (2, shape.later())] {
        source.replace(edition.build());
        target.expect(
            LIMITS,
            if is_quiet {
                edition.field_counts()
            } else {
                Vec::new()
            },
        );
        let ran = sync(&source, &target, &store, schedule, number).await;
        let mut problems = problems(&ran, &target, schedule);
        if is_quiet {
            problems.extend(is_perfect(&ran));
        }
        found.extend(
            problems
                .into_iter()
                .map(|problem| format!("run {number}: {problem}")),
        );
    }
    if is_quiet && found.is_empty() {
        let before = target.writes();
        sync(&source, &target, &store, schedule, 3).await;
        if target.writes() > before {
            found.push(format!(
                "the third run wrote {} entities",
                target.writes() - before
            ));
        }
        let fresh = Store::open_in_memory().await.unwrap();
        let ran = sync(&source, &target, &fresh, schedule, 4).await;
        if target.writes() > before {
            let unknown = outcomes(&ran).into_iter();
            let unknown = unknown.filter(|(_, outcome)| *outcome != Outcome::Adopted);
            found.push(format!(
                "without its state a run wrote {} entities: {:?}",
                target.writes() - before,
                unknown.collect::<Vec<_>>()
            ));
        }
    }
    found
}

fn run(case: Case) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let problems = runtime.block_on(play(case));
    prop_assert!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// The same cases every time; `PROPTEST_CASES` makes it more.
#[test]
fn nothing_leaves_before_what_it_needs() {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if config.cases == Config::with_cases(256).cases {
        config.cases = 32;
    }
    let dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    if let Err(broken) = TestRunner::new_with_rng(config, dice).run(&cases(), run) {
        panic!("{broken}");
    }
}
