//! What the fold makes of scripted runs.

use std::time::Duration;

use proptest::prelude::*;

use super::script::{Script, key, place};
use super::*;
use crate::domain::{Kind, Outcome, WorkClass};
use crate::event::{Bottleneck, Event, Gate, Lane, Phase, Side, Stamped};

const ONE: Lane = Lane::IndependentEntities;

fn row(kind: Kind) -> RowKey {
    let (lane, class) = place(kind);
    RowKey { lane, kind, class }
}

#[test]
fn an_upload_goes_from_waiting_over_in_flight_to_its_outcome() {
    let script = Script::uploading(&[(Kind::Model, 3)])
        .leave(Kind::Model, 1)
        .leave(Kind::Model, 2);
    let progress = script.fold();
    let models = &progress.rows()[&row(Kind::Model)];
    assert_eq!(
        (models.planned, models.waiting, models.in_flight),
        (3, 1, 2)
    );

    let progress = script.settle(Kind::Model, 1, Outcome::Created).fold();
    let models = &progress.rows()[&row(Kind::Model)];
    assert_eq!(
        (models.waiting, models.in_flight, models.settled.total()),
        (1, 1, 1)
    );
    assert_eq!(models.bytes, 512);
    assert!(progress.in_flight().contains_key(&key(Kind::Model, 2)));
}

#[test]
fn blocked_entities_settle_without_having_left() {
    let by = key(Kind::Model, 1);
    let progress = Script::uploading(&[(Kind::Model, 1), (Kind::Content, 2)])
        .fail(Kind::Model, 1, "refused")
        .settle(Kind::Content, 8, Outcome::Blocked { by: by.clone() })
        .settle(Kind::Content, 9, Outcome::Blocked { by: by.clone() })
        .fold();
    assert_eq!(progress.uploads().waiting, 0);
    assert_eq!(progress.blocked_by()[&by], 2);
    assert_eq!(progress.class(WorkClass::Sequential).settled.failed(), 1);
    assert_eq!(progress.class(WorkClass::Parallel).settled.blocked(), 2);
}

#[test]
fn an_entity_of_a_split_batch_that_leaves_again_is_counted_once() {
    let progress = Script::uploading(&[(Kind::Content, 2)])
        .leave(Kind::Content, 1)
        .leave(Kind::Content, 1)
        .fold();
    assert_eq!(progress.uploads().in_flight, 1);
    assert_eq!(progress.uploads().waiting, 1);
}

#[test]
fn an_upload_that_was_not_planned_shows() {
    let progress = Script::uploading(&[(Kind::Model, 1)])
        .create(Kind::Model, 0..3, 10)
        .fold();
    assert_eq!(progress.uploads().planned, 3);
    assert_eq!(progress.uploads().unplanned, 2);
}

#[test]
fn totals_include_entities_that_needed_no_upload() {
    let progress = Script::uploading(&[(Kind::Model, 1)])
        .unchanged(Kind::Model, 7)
        .create(Kind::Model, 1..2, 10)
        .fold();
    assert_eq!(progress.total().total(), 2);
    assert_eq!(progress.standing_of(Kind::Model).in_sync, 1);
    assert_eq!(progress.uploads().settled.total(), 1);
}

#[test]
fn gates_count_their_own_arrivals_and_settle() {
    let script = Script::uploading(&[(Kind::Model, 2), (Kind::Asset, 1)])
        .create(Kind::Model, 0..1, 100)
        .fail(Kind::Model, 1, "refused")
        .create(Kind::Asset, 5..6, 100);
    let state = |progress: &Progress, gate| {
        let found = progress
            .gates()
            .iter()
            .find(|known| known.plan.gate == gate);
        found.map(|known| known.state.clone())
    };
    let closed = |arrived| Some(GateState::Closed { arrived });
    let progress = script.fold();
    assert_eq!(state(&progress, Gate::ModelsComplete), closed(1));
    assert_eq!(state(&progress, Gate::AllEntitiesComplete), closed(2));
    assert_eq!(state(&progress, Gate::ContentLevelComplete(0)), closed(0));

    let by = key(Kind::Model, 1);
    let failed = Event::GateFailed {
        gate: Gate::ModelsComplete,
        by: by.clone(),
    };
    let assets = Gate::IndependentAssetsComplete;
    let progress = script
        .event(failed)
        .open(assets, Some(key(Kind::Asset, 5)))
        .fold();
    let at_ms = 3_400;
    assert_eq!(
        state(&progress, Gate::ModelsComplete),
        Some(GateState::Failed { at_ms, by })
    );
    let by = Some(key(Kind::Asset, 5));
    assert_eq!(
        state(&progress, assets),
        Some(GateState::Open { at_ms, by })
    );
    let before: Vec<_> = progress
        .closed_gates_before(Lane::BatchedContent)
        .map(|gate| gate.plan.gate)
        .collect();
    assert!(!before.contains(&Gate::ModelsComplete) && before.contains(&Gate::GalleriesComplete));
}

#[test]
fn lanes_wait_run_and_end() {
    let script = Script::uploading(&[(Kind::Model, 1), (Kind::Content, 1)]);
    let progress = script.fold();
    assert_eq!(progress.lane_state(ONE), LaneState::Waiting);
    assert_eq!(progress.lane_state(Lane::ComplexEntities), LaneState::Empty);
    let script = script.lane(ONE).create(Kind::Model, 0..1, 500);
    assert_eq!(script.fold().lane_state(ONE), LaneState::Running);
    let progress = script
        .event(Event::LaneFinished { lane: ONE })
        .wait(900)
        .phase(Phase::Verify)
        .fold();
    assert_eq!(progress.lane_state(ONE), LaneState::Done);
    assert_eq!(
        progress.lane_time(ONE, 99_999),
        Some(Duration::from_millis(500))
    );
    assert_eq!(progress.lane_time(Lane::BatchedContent, 99_999), None);
}

#[test]
fn batches_come_and_go() {
    let script = Script::uploading(&[(Kind::Content, 75)])
        .batch(7, Kind::Content, 50, 20)
        .batch(8, Kind::Content, 25, 0);
    let progress = script.fold();
    assert_eq!(
        progress
            .batches()
            .values()
            .map(|batch| batch.processed)
            .sum::<u32>(),
        20
    );
    let (batch, items) = (crate::domain::BatchId(8), 25);
    let progress = script
        .event(Event::BatchSplit { batch, items })
        .event(Event::BatchFinished {
            batch,
            succeeded: 0,
            failed: 25,
        })
        .fold();
    assert_eq!(progress.batches().len(), 1);
    assert_eq!(
        (progress.batches_split(), progress.batches_finished()),
        (1, 0)
    );
}

#[test]
fn status_follows_phase_pause_throttling_and_drain() {
    let script = Script::start();
    assert_eq!(script.fold().status(0), Status::Starting);
    let script = Script::uploading(&[(Kind::Model, 9)]).event(Event::Throttled { for_ms: 2_000 });
    let now = script.now_ms();
    assert_eq!(script.fold().status(now), Status::Throttled);
    assert_eq!(script.fold().status(now + 2_000), Status::Uploading);
    let script = script.event(Event::Paused);
    assert_eq!(script.fold().status(now), Status::Paused);
    let reason = "asked by the user".to_owned();
    let script = script.event(Event::DrainStarted {
        reason,
        in_flight: 0,
    });
    assert_eq!(script.fold().status(now), Status::Draining);
    let script = script.event(Event::Resumed).phase(Phase::Verify);
    assert_eq!(script.fold().status(now + 9_000), Status::Verifying);
    assert_eq!(
        script.finish(130).fold().status(now),
        Status::Finished { exit: 130 }
    );
}

#[test]
fn phases_and_the_run_have_their_times() {
    let script = Script::uploading(&[(Kind::Model, 1)])
        .wait(800)
        .phase(Phase::Verify)
        .wait(100);
    let times = |progress: &Progress, now| -> Vec<u128> {
        progress
            .phase_times(now)
            .iter()
            .map(|time| time.took.as_millis())
            .collect()
    };
    assert_eq!(times(&script.fold(), 4_050), [3_000, 200, 800, 50]);
    let progress = script.finish(0).fold();
    assert_eq!(times(&progress, 999_999), [3_000, 200, 800, 100]);
    assert_eq!(progress.elapsed(999_999), Duration::from_millis(4_100));
}

#[test]
fn the_estimate_leaves_out_a_pause() {
    let script = Script::uploading(&[(Kind::Model, 100)])
        .forecast(9)
        .create(Kind::Model, 0..50, 100)
        .forecast(5_500)
        .create(Kind::Model, 50..60, 100)
        .forecast(4_500);
    let before = script.fold().eta(script.now_ms()).unwrap();
    assert_eq!(before.likely, Duration::from_millis(5_500));
    assert_eq!(before.by, Bottleneck::Rate);

    let script = script.event(Event::Paused).wait(60_000);
    assert_eq!(script.fold().eta(script.now_ms()), None);
    let script = script.event(Event::Resumed);
    let progress = script.fold();
    assert_eq!(progress.eta(script.now_ms()), Some(before));
    assert_eq!(progress.paused(script.now_ms()), Duration::from_mins(1));
    let average = progress.average_per_second(script.now_ms()).unwrap();
    assert!((average - 10.0).abs() < 0.01, "{average}");
    let later = progress.eta(script.now_ms() + 2_000).unwrap();
    assert_eq!(later.likely, Duration::from_millis(3_500));
}

#[test]
fn there_is_no_estimate_without_forecasts_or_while_draining() {
    let script = Script::uploading(&[(Kind::Model, 100)])
        .forecast(9)
        .wait(5_000);
    assert_eq!(script.fold().eta(script.now_ms()), None);
    let script = script.forecast(7_000);
    assert!(script.fold().eta(script.now_ms()).is_some());
    let reason = "interrupted".to_owned();
    let script = script.event(Event::DrainStarted {
        reason,
        in_flight: 2,
    });
    assert_eq!(script.fold().eta(script.now_ms()), None);
}

#[test]
fn the_rate_is_that_of_the_last_ten_seconds() {
    let script = Script::uploading(&[(Kind::Model, 900)])
        .lane(ONE)
        .create(Kind::Model, 0..100, 100)
        .create(Kind::Model, 100..300, 50);
    let progress = script.fold();
    let rate = progress.per_second(script.now_ms());
    assert!((19.5..=20.5).contains(&rate), "{rate}");
    assert!((progress.lane_per_second(ONE, script.now_ms()) - rate).abs() < 0.1);
}

#[test]
fn differences_are_counted_and_kept() {
    let progress = Script::start()
        .phase(Phase::Verify)
        .event(Event::VerifyProgressed {
            checked: 1,
            total: 2,
        })
        .event(Event::DifferenceFound {
            key: key(Kind::Page, 3),
            difference: "missing".to_owned(),
            detail: "not on the target".to_owned(),
            left_alone: false,
        })
        .event(Event::VerifyFinished {
            checked: 2,
            differences: 1,
        })
        .fold();
    let verification = progress.verification().unwrap();
    assert_eq!((verification.checked, verification.differences), (2, 1));
    assert!(verification.finished);
    assert_eq!(progress.differences()[0].difference, "missing");
}

#[test]
fn reads_keep_the_last_count() {
    let progress = Script::start()
        .read(Side::Source, Kind::Content, 250, None)
        .read(Side::Source, Kind::Content, 500, Some(800))
        .fold();
    let read = progress.reads()[&(Side::Source, Kind::Content)];
    assert_eq!((read.read, read.expected), (500, Some(800)));
}

/// At its own rate so far, and no longer than the run.
#[test]
fn a_lane_is_left_as_long_as_its_rate_says() {
    let lane = Lane::BatchedContent;
    let left = |likely_ms: u64| {
        let script = Script::uploading(&[(Kind::Content, 100)])
            .forecast(likely_ms)
            .lane(lane)
            .create(Kind::Content, 0..20, 100)
            .forecast(likely_ms)
            .wait(1_000)
            .forecast(likely_ms);
        script.fold().lane_left(lane, script.now_ms())
    };
    assert_eq!(left(60_000), Some(Duration::from_secs(12)));
    assert_eq!(
        left(5_000),
        Some(Duration::from_secs(6)),
        "one of them verifies"
    );
    let script = Script::uploading(&[(Kind::Content, 100)]).lane(lane);
    assert_eq!(script.fold().lane_left(lane, 9_000), None);
}

proptest! {
    /// Whatever order events come in, doubled and unplanned ones included, the counts add up after each.
    #[test]
    fn counts_add_up_after_every_event(steps in prop::collection::vec((0..5_u8, 0..8_usize, 0..6_i64), 0..200)) {
        let mut script = Script::uploading(&[(Kind::Model, 4), (Kind::Content, 6), (Kind::Page, 2)]);
        for (step, kind, id) in steps {
            let kind = Kind::ALL[kind];
            script = match step {
                0 | 1 => script.leave(kind, id),
                2 => script.settle(kind, id, Outcome::Created),
                3 => script.fail(kind, id, "refused"),
                _ => script.unchanged(kind, id),
            }.wait(7);
        }
        let progress = script.fold();
        let settled = script.events().iter().filter(|stamped| is_settled(stamped)).count();
        prop_assert_eq!(progress.total().total() as usize, settled);
    }
}

fn is_settled(stamped: &Stamped) -> bool {
    matches!(stamped.event, Event::EntitySettled { .. })
}
