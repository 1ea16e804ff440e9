//! What leaves when nothing goes wrong, and what the user can do about it.

use super::script::{SOFT, Script};
use crate::engine::options::Schedule::{Phased, Pipelined};
use crate::engine::state::Work as _;
use crate::event::Command;
use crate::plan::Strength::{Hard, Order};

const MODEL: &str = "model:1";
const LIST: &str = "container:2";
const ASSET: &str = "asset:3";
const ONE: &str = "content:11@en-us";
const TWO: &str = "content:12@en-us";
const PAGE: &str = "page:21@en-us";

fn chain() -> Script {
    Script::new(&[MODEL, LIST, ASSET, ONE, TWO, PAGE])
        .needs(LIST, MODEL, Hard)
        .needs(ONE, LIST, Hard)
        .needs(TWO, LIST, Hard)
        .needs(TWO, ONE, SOFT)
        .needs(PAGE, TWO, Hard)
        .level(TWO, 1)
}

#[test]
fn everything_leaves_after_what_it_needs_and_not_later() {
    let mut run = chain().run(Pipelined);
    assert_eq!(run.away(), [ASSET, MODEL]);
    run.save(MODEL);
    assert_eq!(run.away(), [ASSET, LIST]);
    run.save(LIST);
    assert_eq!(run.away(), [ASSET, ONE], "two refers to one");
    run.save(ONE);
    run.save(TWO);
    assert_eq!(run.away(), [ASSET, PAGE], "the asset holds nobody back");
    run.save_all();
    assert!(run.state.is_over());
    assert_eq!(run.state.unsettled(), 0);
}

#[test]
fn gates_hold_whole_lanes_in_the_phased_schedule() {
    let mut run = chain().run(Phased);
    run.save(MODEL);
    run.save(LIST);
    assert_eq!(run.away(), [ASSET], "content waits for the assets");
    run.save(ASSET);
    assert_eq!(run.away(), [ONE]);
    run.save(ONE);
    run.save(TWO);
    run.save(PAGE);
    assert!(run.when("open content-complete") < run.when(&format!("launch {PAGE}")));
    let first_level = run.when("open content-level-0-complete");
    assert!(first_level < run.when(&format!("launch {TWO}")));
    assert!(run.state.is_over());
}

/// A level holds back the next one even where nothing refers to it.
#[test]
fn a_level_waits_for_all_of_the_one_before() {
    let mut run = Script::new(&[ONE, TWO, "content:13@en-us"])
        .needs(TWO, ONE, SOFT)
        .level(TWO, 1)
        .run(Phased);
    run.save(ONE);
    assert_eq!(run.away(), ["content:13@en-us"]);
    run.save("content:13@en-us");
    assert_eq!(run.away(), [TWO]);
}

#[test]
fn a_gate_that_failed_holds_nobody_back() {
    let mut run = Script::new(&[ASSET, ONE, PAGE]).run(Phased);
    run.fail(ASSET);
    assert!(run.has(&format!("lost independent-assets-complete by {ASSET}")));
    assert_eq!(run.away(), [ONE]);
    run.fail(ONE);
    assert_eq!(run.away(), [PAGE]);
    run.save(PAGE);
    assert!(run.has(&format!("lost all-entities-complete by {ASSET}")));
}

#[test]
fn gates_settle_once_and_lanes_start_before_they_finish() {
    let mut run = chain().run(Pipelined);
    run.save_all();
    for gate in run.state.gates().plan() {
        run.when(&format!("open {}", gate.gate));
    }
    for lane in [
        "independent-entities",
        "batched-content",
        "complex-entities",
    ] {
        assert!(run.when(&format!("start {lane}")) < run.when(&format!("finish {lane}")));
    }
}

#[test]
fn the_longest_way_to_go_leaves_first() {
    let run = Script::new(&[ONE, TWO, "content:13@en-us"])
        .weight(ONE, 1)
        .weight(TWO, 9)
        .weight("content:13@en-us", 5)
        .run(Pipelined);
    let launched: Vec<_> = run
        .log
        .iter()
        .filter(|line| line.starts_with("launch"))
        .collect();
    assert_eq!(
        launched,
        [
            &format!("launch {TWO}"),
            "launch content:13@en-us",
            &format!("launch {ONE}")
        ]
    );
}

#[test]
fn a_pause_lets_what_is_away_come_back_and_nothing_leave() {
    let mut run = chain().run(Pipelined);
    run.command(Command::Pause);
    run.command(Command::Pause);
    run.save(MODEL);
    assert_eq!(run.away(), [ASSET]);
    run.save(ASSET);
    assert!(!run.state.is_over(), "a pause is no end");
    run.command(Command::Resume);
    assert_eq!(run.away(), [LIST]);
    assert!(run.when("paused") < run.when("resumed"));
    run.command(Command::Resume);
    run.save_all();
    assert_eq!(run.state.unsettled(), 0);
}

#[test]
fn a_drain_ends_when_everything_is_back() {
    let mut run = chain().run(Pipelined);
    run.command(Command::Drain);
    run.command(Command::Resume);
    assert!(!run.state.is_over(), "two are in flight");
    run.save(MODEL);
    run.save(ASSET);
    assert!(run.state.is_over());
    assert_eq!(run.outcome(MODEL), "created");
    assert_eq!(run.outcome(LIST), "");
    assert_eq!(run.state.unsettled(), 4);
}

#[test]
fn a_pause_can_be_drained() {
    let mut run = chain().run(Pipelined);
    run.command(Command::Pause);
    run.command(Command::Drain);
    run.save_all();
    assert!(run.state.is_over() && run.state.is_draining());
}

#[test]
fn siblings_leave_one_after_another_from_the_last() {
    let pages = ["page:1@en-us", "page:2@en-us", "page:3@en-us"];
    let mut run = Script::new(&pages)
        .needs(pages[0], pages[1], Order)
        .needs(pages[1], pages[2], Order)
        .run(Pipelined);
    for page in pages.iter().rev() {
        assert_eq!(run.away(), [*page]);
        run.save(page);
    }
}
