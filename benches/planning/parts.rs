//! The id map under contention, the fold of events, and a frame of the dashboard.

use std::time::Duration;

use lockgate::domain::{
    BatchId, EntityKey, Failure, Guid, Id, Kind, Locale, Outcome as Became, RunId, SourceId,
    TargetId, WorkClass,
};
use lockgate::event::{Event, Gate, GatePlan, Lane, LanePlan, Phase, SCHEMA, Stamped};
use lockgate::id_map::{Counterpart, IdMap};
use lockgate::progress::Progress;
use lockgate::report::Still;
use tokio::time::Instant;

use crate::Outcome;
use crate::table::{Table, number};

/// Entities in the id map and in the scripted run.
const ENTITIES: i64 = 24_164;

/// Lookups per entity that arrives: an item refers to some others, and each is looked up when it is sent, when it is
/// compared, and when it is verified.
const LOOKUPS: i64 = 16;

/// The second table; `divisor` leaves out most repetitions.
pub(crate) fn table(divisor: u32) -> Outcome<Table> {
    let mut table = Table::new(&["what", "figure"], 1);
    for threads in [1, 2, 4, 8] {
        let millions = id_map(threads, i64::from(40 / divisor));
        table.put(vec![
            format!(
                "id map, {threads} threads, one write to {LOOKUPS} reads, million operations /s"
            ),
            number(Some(millions), 1),
        ]);
    }
    let events = script();
    let millions = fold(&events, 40 / divisor);
    table.put(vec![
        "fold of events into progress, million events /s".to_owned(),
        number(Some(millions), 2),
    ]);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let (median, slowest) = frames(&events, (width, height), 1000 / divisor)?;
        table.put(vec![
            format!("frame of the dashboard at {width} by {height}, ms, median and slowest"),
            format!("{:.2}, {:.2}", millis(median), millis(slowest)),
        ]);
    }
    Ok(table)
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn key(id: i64, locale: &Locale) -> EntityKey {
    EntityKey::localised(Kind::Content, id, locale)
}

/// Threads that record their own entities and look up those of all threads, `rounds` times from an empty map. Returns
/// million operations per second of all together.
fn id_map(threads: i64, rounds: i64) -> f64 {
    let locale = Locale::new("en-us");
    let mut busy = Duration::ZERO;
    for _ in 0..rounds {
        let map = IdMap::default();
        let started = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (map, locale) = (&map, &locale);
                scope.spawn(move || share(map, locale, thread, threads));
            }
        });
        busy += started.elapsed();
    }
    let operations = u32::try_from(rounds * ENTITIES * (LOOKUPS + 1)).unwrap_or(u32::MAX);
    f64::from(operations) / busy.as_secs_f64() / 1e6
}

/// What one of `threads` does.
fn share(map: &IdMap, locale: &Locale, thread: i64, threads: i64) {
    let mut found = 0;
    let own = (0..ENTITIES).filter(|id| id % threads == thread);
    for id in own {
        let counterpart = Counterpart {
            id: TargetId::new(id + 500_000),
            version: None,
        };
        // Every id is recorded once, so nothing can contradict it.
        drop(map.record(&key(id, locale), counterpart));
        for step in 1..=LOOKUPS {
            let other = SourceId::new(id * step * 7919 % ENTITIES);
            found += i64::from(map.shared(Kind::Content, other).is_some());
        }
    }
    std::hint::black_box(found);
}

/// Million events per second.
fn fold(events: &[Stamped], rounds: u32) -> f64 {
    let started = Instant::now();
    for _ in 0..rounds {
        let mut progress = Progress::new();
        for event in events {
            progress.apply(event);
        }
        std::hint::black_box(progress.total());
    }
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX) * rounds;
    f64::from(count) / started.elapsed().as_secs_f64() / 1e6
}

/// The median and the slowest of so many frames, drawn in the middle of a run while events come in.
fn frames(events: &[Stamped], size: (u16, u16), count: u32) -> Outcome<(Duration, Duration)> {
    let mut progress = Progress::new();
    let mut still = Still::new(size)?;
    let middle = events.len() / 2;
    let see = |event: &Stamped, progress: &mut Progress, still: &mut Still| {
        progress.apply(event);
        still.see(event, progress);
    };
    for event in &events[..middle] {
        see(event, &mut progress, &mut still);
    }
    let mut times = Vec::new();
    for event in events[middle..].iter().take(count as usize) {
        see(event, &mut progress, &mut still);
        let started = Instant::now();
        still.draw(&progress, event.at_ms)?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let slowest = times.last().copied().unwrap_or_default();
    Ok((
        times.get(times.len() / 2).copied().unwrap_or_default(),
        slowest,
    ))
}

/// A run of [`ENTITIES`] content items in batches of fifty, three at once.
fn script() -> Vec<Stamped> {
    let locale = Locale::new("en-us");
    let mut events = opening();
    let mut at_ms = 2_000;
    let mut push = |at_ms: u64, event: Event| events.push(Stamped { at_ms, event });
    for (number, first) in (0..ENTITIES).step_by(50).enumerate() {
        let ids = first..(first + 50).min(ENTITIES);
        let batch = BatchId(i64::try_from(number).unwrap_or(i64::MAX));
        let items = u32::try_from(ids.end - ids.start).unwrap_or(u32::MAX);
        for id in ids.clone() {
            let (lane, class) = (Lane::BatchedContent, WorkClass::Parallel);
            push(
                at_ms,
                Event::EntityStarted {
                    key: key(id, &locale),
                    lane,
                    class,
                },
            );
        }
        let (kind, locale_of) = (Kind::Content, locale.clone());
        push(
            at_ms,
            Event::BatchSubmitted {
                batch,
                locale: locale_of,
                kind,
                items,
            },
        );
        push(
            at_ms + 100,
            Event::BatchProgressed {
                batch,
                processed: items / 2,
            },
        );
        push(
            at_ms + 250,
            Event::BatchFinished {
                batch,
                succeeded: items,
                failed: 0,
            },
        );
        for id in ids {
            push(at_ms + 250, settled(id, &locale));
        }
        if number % 4 == 0 {
            push(at_ms + 250, pace(number as u64 * 12));
        }
        at_ms += 250;
    }
    events
}

fn settled(id: i64, locale: &Locale) -> Event {
    let outcome = if id % 500 == 0 {
        Became::Failed {
            reason: format!("the server refused it: field Title of item {id} is missing"),
        }
    } else {
        Became::Created
    };
    Event::EntitySettled {
        key: key(id, locale),
        name: format!("Northern tram {id}"),
        lane: Some(Lane::BatchedContent),
        class: WorkClass::Parallel,
        target: outcome
            .has_counterpart()
            .then(|| TargetId::new(id + 500_000)),
        cause: matches!(outcome, Became::Failed { .. }).then_some(Failure::Refused),
        status: None,
        level: Some(0),
        outcome,
        because: "not on the target yet".to_owned(),
        bytes: 900,
    }
}

fn pace(requests: u64) -> Event {
    Event::PaceSampled {
        per_second: 48.0,
        limit_per_second: Some(50.0),
        in_flight: 6,
        concurrency: 16,
        latency_ms: 41.0,
        requests,
        refused: 3,
    }
}

fn opening() -> Vec<Stamped> {
    let entities = u32::try_from(ENTITIES).unwrap_or(u32::MAX);
    let gate = |gate| GatePlan {
        gate,
        lane: Lane::BatchedContent,
        entities,
        waited_for_by: vec![Lane::ComplexEntities],
    };
    let events = [
        Event::RunStarted {
            schema: SCHEMA,
            run: RunId("20260731-101500-0a1b".to_owned()),
            source: Guid::new("1a2b3c4d-u"),
            target: Guid::new("5e6f7a8b-u"),
            started_at: "2026-07-31T10:15:00Z".to_owned(),
            dry_run: false,
            command: None,
        },
        Event::PhaseStarted { phase: Phase::Plan },
        Event::PlanMade {
            entities: vec![(Kind::Content, entities)],
            lanes: vec![LanePlan {
                lane: Lane::BatchedContent,
                kind: Kind::Content,
                class: WorkClass::Parallel,
                entities,
            }],
            gates: vec![gate(Gate::ContentComplete), gate(Gate::AllEntitiesComplete)],
            levels: 1,
            cycles: 0,
            cuts: 0,
        },
        Event::PhaseStarted {
            phase: Phase::Upload,
        },
        Event::LaneStarted {
            lane: Lane::BatchedContent,
        },
    ];
    events
        .into_iter()
        .map(|event| Stamped {
            at_ms: 1_000,
            event,
        })
        .collect()
}
