//! What happens in one history, drawn from a seed.

use std::collections::BTreeMap;

use lockgate::engine::{Publish, Schedule};
use lockgate::event::Command;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::double::{Fault, Ids, Nature};
use crate::edits::Edit;
use crate::instances::Shape;

/// A history: two instances, and what is done to them.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) source: Nature,
    pub(crate) target: Nature,
    pub(crate) manner: Manner,
    pub(crate) acts: Vec<Act>,
}

/// How the runs of a history are carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) schedule: Schedule,
    pub(crate) publish: Publish,
    pub(crate) overwrite: bool,
    pub(crate) concurrency: usize,
    pub(crate) batch_items: usize,
    pub(crate) batches_in_flight: usize,
    pub(crate) attempts: u32,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Run(Run),
    /// The source becomes a later edition of itself.
    Later,
    Edit(Edit),
    /// Time passes.
    Wait(u64),
}

/// One run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) end: End,
    pub(crate) fail_fast: bool,
    /// After how many milliseconds each is given.
    pub(crate) commands: Vec<(u64, Command)>,
    /// After how many milliseconds others edit.
    pub(crate) edits: Vec<(u64, Edit)>,
    /// The run stands still from some moment on, and another one takes over.
    pub(crate) frozen: Option<Frozen>,
}

/// A process that is stopped and goes on later.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the unit is part of the name")]
pub(crate) struct Frozen {
    pub(crate) after_ms: u64,
    /// After how long the other run begins, seen from the end of the lease, and this one goes on, seen from there.
    pub(crate) thaws_ms: u64,
    /// How much later than the network its disk answers again.
    pub(crate) disk_ms: u64,
}

/// How a run comes to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    #[default]
    Natural,
    /// It is dropped with everything in flight after it was polled this often; what the store had accepted is kept, or lost
    /// with it.
    Crash { polls: u32, loses_queue: bool },
    /// The disk takes this many transactions and no more.
    FullDisk(u32),
}

impl History {
    /// The history of a seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let shape = shape(&mut dice);
        let (source, target) = (nature(&mut dice, false), nature(&mut dice, true));
        let manner = manner(&mut dice);
        let runs = dice.random_range(1..5);
        let mut acts = Vec::new();
        for at in 0..runs {
            acts.push(Act::Run(run(&mut dice)));
            if at + 1 < runs {
                between(&mut dice, &mut acts);
            }
        }
        Self {
            seed,
            shape,
            source,
            target,
            manner,
            acts,
        }
    }

    /// After how many milliseconds of a run others ask for its lease. The dice of the history are not asked: it stays
    /// what it was.
    pub(crate) fn others_ask_ms(&self, run: u32) -> u64 {
        ChaCha8Rng::seed_from_u64(self.seed ^ u64::from(run)).random_range(0..20_000)
    }
}

fn shape(dice: &mut ChaCha8Rng) -> Shape {
    let most = *[3, 8, 20].choose(dice).unwrap();
    let is_refusing = dice.random_ratio(1, 8);
    Shape {
        seed: dice.random(),
        models: dice.random_range(1..4),
        containers: dice.random_range(1..4),
        galleries: dice.random_range(1..3),
        assets: dice.random_range(1..5),
        items: dice.random_range(1..=most),
        templates: dice.random_range(1..3),
        pages: dice.random_range(1..8),
        redirections: dice.random_range(0..3),
        refused: if is_refusing { 6 } else { 0 },
        orphans: if is_refusing { 4 } else { 0 },
        twins: if dice.random_ratio(1, 2) { 40 } else { 0 },
        published: dice.random_range(0..100),
        edition: 0,
    }
}

fn nature(dice: &mut ChaCha8Rng, is_target: bool) -> Nature {
    let mut faults = BTreeMap::new();
    let is_calm = dice.random_ratio(1, 4);
    for fault in Fault::ALL {
        let share = *[0, 0, 5, 20, 60].choose(dice).unwrap();
        let is_of_batch = matches!(fault, Fault::Aborted | Fault::Spoilt);
        if !is_calm && share > 0 && (is_target || !is_of_batch) {
            faults.insert(fault, share);
        }
    }
    Nature {
        way_ms: *[3, 40, 400].choose(dice).unwrap(),
        batch_ms: *[20, 800, 4_000].choose(dice).unwrap(),
        one_worker: dice.random(),
        ids: *[Ids::Rising, Ids::Falling, Ids::Scattered]
            .choose(dice)
            .unwrap(),
        faults,
        faults_left: None,
    }
}

fn manner(dice: &mut ChaCha8Rng) -> Manner {
    Manner {
        schedule: *[Schedule::Pipelined, Schedule::Phased]
            .choose(dice)
            .unwrap(),
        publish: *[Publish::Off, Publish::Content, Publish::Both]
            .choose(dice)
            .unwrap(),
        overwrite: dice.random_ratio(3, 4),
        concurrency: dice.random_range(1..9),
        batch_items: dice.random_range(1..7),
        batches_in_flight: dice.random_range(1..4),
        attempts: dice.random_range(1..6),
    }
}

fn run(dice: &mut ChaCha8Rng) -> Run {
    let mut run = Run {
        end: match dice.random_range(0..10) {
            0..5 => End::Natural,
            5..9 => End::Crash {
                // Early moments are as likely as late ones.
                polls: 2_u32.pow(dice.random_range(2..10)) + dice.random_range(0..64),
                loses_queue: dice.random(),
            },
            _ => End::FullDisk(dice.random_range(0..40)),
        },
        fail_fast: dice.random_ratio(1, 8),
        ..Run::default()
    };
    if dice.random_ratio(1, 4) {
        commands(dice, &mut run.commands);
    }
    if dice.random_ratio(1, 6) {
        for _ in 0..dice.random_range(1..4) {
            run.edits
                .push((dice.random_range(0..6_000), Edit::draw(dice)));
        }
        run.edits.sort_by_key(|(after, _)| *after);
    }
    if run.end == End::Natural && dice.random_ratio(1, 6) {
        let after_ms = dice.random_range(10..8_000);
        run.frozen = Some(Frozen {
            after_ms,
            thaws_ms: dice.random_range(0..8_000),
            disk_ms: after_ms % 1_000,
        });
    }
    run
}

/// A pause always ends.
fn commands(dice: &mut ChaCha8Rng, commands: &mut Vec<(u64, Command)>) {
    let mut at = dice.random_range(0..4_000);
    for _ in 0..dice.random_range(1..4) {
        match dice.random_range(0..4) {
            0 => {
                commands.push((at, Command::Pause));
                at += dice.random_range(0..5_000);
                commands.push((at, Command::Resume));
            }
            1 => commands.push((at, Command::SetRate(Some(dice.random_range(2.0..50.0))))),
            2 => commands.push((at, Command::Drain)),
            _ => commands.push((at, Command::Abort)),
        }
        at += dice.random_range(0..3_000);
    }
}

fn between(dice: &mut ChaCha8Rng, acts: &mut Vec<Act>) {
    match dice.random_range(0..6) {
        0 => acts.push(Act::Later),
        1..3 => {
            let edits = dice.random_range(1..5);
            acts.extend((0..edits).map(|_| Act::Edit(Edit::draw(dice))));
        }
        _ => {}
    }
    // Often the next run begins before the lease of one that died is over, or while its requests are on their way.
    acts.push(Act::Wait(*[0, 500, 40_000].choose(dice).unwrap()));
}
