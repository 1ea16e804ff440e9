//! The rest of scripted runs, played ahead: times that can be worked out by hand.

use std::time::Duration;

use super::script::Script;
use crate::engine::forecast::{Costs, Forecast, ahead};
use crate::engine::options::Schedule::{Phased, Pipelined};
use crate::engine::pace::{Outlook, PacerSnapshot, PerClass};
use crate::engine::poll::{BatchCosts, BatchKind};
use crate::event::Bottleneck;
use crate::plan::Strength::Hard;

const MODELS: [&str; 4] = ["model:1", "model:2", "model:3", "model:4"];

/// Answers take 100 ms, batches 40 ms, and there is no limit.
fn costs() -> Costs {
    Costs {
        target: PacerSnapshot {
            outlook: Outlook::default(),
            total: 16,
            windows: PerClass::of(|_| 16),
            times: PerClass::of(|_| Some(Duration::from_millis(100))),
        },
        download: None,
        batches: BatchCosts::unknown().with(BatchKind::Content, 1, Duration::from_millis(40)),
        commit: Duration::ZERO,
        gathers: true,
    }
}

fn play(script: Script, costs: &Costs) -> (u128, Bottleneck) {
    let (state, running) = script.run(Pipelined).rest();
    let Forecast { left, by, .. } = ahead(state, running, costs);
    (left.as_millis(), by)
}

#[test]
fn entities_that_need_one_another_take_one_answer_each() {
    let chain = Script::new(&MODELS)
        .needs("model:2", "model:1", Hard)
        .needs("model:3", "model:2", Hard)
        .needs("model:4", "model:3", Hard);
    assert_eq!(play(chain, &costs()), (400, Bottleneck::Chain));
    assert_eq!(
        play(Script::new(&MODELS), &costs()),
        (100, Bottleneck::Chain)
    );
}

#[test]
fn a_rate_lets_requests_go_one_by_one() {
    let mut costs = costs();
    costs.target.outlook.per_second = Some(2.0);
    let (left, by) = play(Script::new(&MODELS), &costs);
    assert_eq!((left, by), (3 * 500 + 100, Bottleneck::Rate));
}

#[test]
fn a_full_window_makes_requests_wait_for_answers() {
    let mut costs = costs();
    costs.target.windows = PerClass::of(|_| 1);
    let (left, by) = play(Script::new(&MODELS), &costs);
    assert_eq!((left, by), (400, Bottleneck::InFlight));
}

#[test]
fn items_take_what_batches_take_and_a_submit_and_a_poll() {
    let items = ["content:1@en-us", "content:2@en-us", "content:3@en-us"];
    let mut costs = costs();
    costs.batches = costs
        .batches
        .with(BatchKind::Content, 1, Duration::from_secs(4));
    // Each of these batches holds one item, and all are at the target at one time.
    let (left, by) = play(Script::new(&items), &costs);
    assert_eq!((left, by), (100 + 4_000 + 100, Bottleneck::Worker));
}

#[test]
fn gates_hold_lanes_in_the_play_too() {
    let script = || {
        Script::new(&["model:1", "asset:2", "content:3@en-us"]).needs(
            "content:3@en-us",
            "model:1",
            Hard,
        )
    };
    let mut costs = costs();
    *costs
        .target
        .times
        .get_mut(crate::engine::pace::Class::Asset) = Some(Duration::from_secs(9));
    let (state, running) = script().run(Phased).rest();
    let phased = ahead(state, running, &costs).left;
    let (state, running) = script().run(Pipelined).rest();
    let pipelined = ahead(state, running, &costs).left;
    assert_eq!(
        pipelined,
        Duration::from_secs(9),
        "the item crosses beside the asset"
    );
    assert!(phased > pipelined, "the item waits for the asset");
}
