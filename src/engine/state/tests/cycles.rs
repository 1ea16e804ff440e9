//! Entities that are saved in two steps.

use super::script::Script;
use crate::domain::Failure;
use crate::engine::options::Schedule::{Phased, Pipelined};
use crate::engine::state::Work as _;
use crate::plan::Strength::{Hard, Whole};

const ONE: &str = "content:11@en-us";
const TWO: &str = "content:12@en-us";
const THREE: &str = "content:13@en-us";
const PAGE: &str = "page:21@en-us";
const MODELS: [&str; 2] = ["model:1", "model:2"];
const LIST: &str = "container:3";

fn cycle() -> Script {
    Script::new(&[ONE, TWO, PAGE])
        .cuts(ONE, TWO)
        .needs(TWO, ONE, super::script::SOFT)
        .needs(PAGE, ONE, Hard)
        .level(TWO, 1)
}

#[test]
fn the_cut_is_closed_once_both_are_there() {
    for schedule in [Pipelined, Phased] {
        let mut run = cycle().run(schedule);
        run.save(ONE);
        assert_eq!(run.outcome(ONE), "", "it lacks a reference");
        assert!(
            run.has("open content-level-0-complete"),
            "whoever refers to it may go on"
        );
        run.save(TWO);
        run.save(&format!("patch {ONE}"));
        assert_eq!(run.outcome(ONE), "created");
        run.save_all();
        assert!(run.state.is_over());
        assert!(run.when(&format!("launch patch {ONE}")) < run.when("open content-complete"));
    }
}

#[test]
fn pages_of_the_phased_schedule_wait_for_the_patches() {
    let mut run = cycle().run(Phased);
    run.save(ONE);
    run.save(TWO);
    assert_eq!(run.away(), [format!("patch {ONE}")]);
    run.save(&format!("patch {ONE}"));
    assert_eq!(run.away(), [PAGE]);
}

#[test]
fn an_entity_that_refers_to_itself_is_patched_right_away() {
    let mut run = Script::new(&[ONE]).cuts(ONE, ONE).run(Pipelined);
    run.save(ONE);
    assert_eq!(run.away(), [format!("patch {ONE}")]);
    run.save_all();
    assert_eq!(run.outcome(ONE), "created");
}

#[test]
fn what_was_saved_without_a_reference_that_failed_is_blocked() {
    let mut run = cycle().run(Pipelined);
    run.save(ONE);
    run.fail(TWO);
    assert_eq!(run.outcome(ONE), format!("blocked by {TWO}"));
    run.save(PAGE);
    assert_eq!(
        run.outcome(PAGE),
        "created",
        "the item that it shows is there"
    );
    assert!(run.state.is_over());
}

/// The failure comes while the first save of the other one is on its way.
#[test]
fn what_is_in_flight_is_blocked_when_it_is_back() {
    let mut run = Script::new(&[ONE, TWO, THREE])
        .cuts(ONE, TWO)
        .needs(THREE, ONE, Hard)
        .run(Pipelined);
    run.fail(TWO);
    assert_eq!(run.outcome(ONE), "");
    run.save(ONE);
    assert_eq!(run.outcome(ONE), format!("blocked by {TWO}"));
    run.save(THREE);
    assert!(run.state.is_over());
}

#[test]
fn a_cycle_that_the_server_refuses_is_named() {
    let mut run = cycle().run(Pipelined);
    run.fail(ONE);
    assert_eq!(run.outcome(ONE), "failed");
    assert_eq!(run.outcome(TWO), format!("blocked by {ONE}"));
    assert_eq!(run.outcome(PAGE), format!("blocked by {ONE}"));
    assert!(run.state.is_over());
}

/// A model was refused for a name that was taken, and the advice was to make a field optional, because it referred to
/// another one that refers to it.
#[test]
fn a_plain_refusal_is_not_one_of_its_cycle() {
    let mut run = models().run(Pipelined);
    run.refuse(MODELS[0]);
    assert_eq!(run.cause(MODELS[0]), Some(Failure::Refused));
}

/// Only what the server may ask for is worth the advice: a required field that the first save lacks.
#[test]
fn a_refusal_of_an_item_without_a_required_field_is_one_of_its_cycle() {
    let mut run = Script::new(&[ONE, TWO])
        .cuts_required(ONE, TWO)
        .needs(TWO, ONE, super::script::SOFT)
        .run(Pipelined);
    run.refuse(ONE);
    assert_eq!(run.cause(ONE), Some(Failure::Cycle));
    let mut run = cycle().run(Pipelined);
    run.refuse(ONE);
    assert_eq!(run.cause(ONE), Some(Failure::Refused));
}

fn models() -> Script {
    Script::new(&[MODELS[0], MODELS[1], LIST, ONE])
        .cuts(MODELS[0], MODELS[1])
        .needs(MODELS[1], MODELS[0], super::script::SOFT)
        .needs(LIST, MODELS[0], Hard)
        .needs(ONE, MODELS[0], Whole)
        .needs(ONE, LIST, Hard)
}

/// Of two models that refer to each other, one is saved without its field at first. An item of that model left before
/// the patch, and the server dropped its value in the field.
#[test]
fn an_item_waits_for_all_fields_of_its_model() {
    let mut run = models().run(Pipelined);
    run.save(MODELS[0]);
    run.save(LIST);
    assert_eq!(
        run.away(),
        [MODELS[1]],
        "a container needs no fields, an item does"
    );
    run.save(MODELS[1]);
    assert_eq!(run.away(), [format!("patch {}", MODELS[0])]);
    run.save(&format!("patch {}", MODELS[0]));
    assert_eq!(run.away(), [ONE]);
    run.save(ONE);
    assert!(run.state.is_over());
}

#[test]
fn a_model_that_stays_half_blocks_its_items_and_not_its_containers() {
    for schedule in [Pipelined, Phased] {
        let mut run = models().run(schedule);
        run.save(MODELS[0]);
        run.save(MODELS[1]);
        run.fail(&format!("patch {}", MODELS[0]));
        assert_eq!(run.outcome(ONE), format!("blocked by {}", MODELS[0]));
        run.save(LIST);
        assert_eq!(run.outcome(LIST), "created");
        assert!(run.state.is_over());
    }
}

#[test]
fn a_model_whose_other_half_fails_blocks_its_items() {
    let mut run = models().run(Pipelined);
    run.save(MODELS[0]);
    run.fail(MODELS[1]);
    assert_eq!(run.outcome(MODELS[0]), format!("blocked by {}", MODELS[1]));
    assert_eq!(run.outcome(ONE), format!("blocked by {}", MODELS[1]));
    run.save_all();
    assert!(run.state.is_over());
}
