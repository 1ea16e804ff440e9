//! What a failure blocks, and what it does not.

use super::script::{SOFT, Script};
use crate::domain::Failure;
use crate::engine::end::{End, StopCause};
use crate::engine::options::Schedule::{Phased, Pipelined};
use crate::engine::state::Work as _;
use crate::event::Command;
use crate::plan::Action;
use crate::plan::Strength::{Hard, Order, Whole};

const MODEL: &str = "model:1";
const LIST: &str = "container:2";
const OTHER: &str = "container:3";
const ONE: &str = "content:11@en-us";
const TWO: &str = "content:12@en-us";
const PAGES: [&str; 4] = [
    "page:21@en-us",
    "page:22@en-us",
    "page:23@en-us",
    "page:24@en-us",
];

#[test]
fn a_failure_blocks_at_any_distance_and_names_its_root() {
    for schedule in [Pipelined, Phased] {
        let mut run = Script::new(&[MODEL, LIST, OTHER, ONE, TWO, PAGES[0]])
            .needs(LIST, MODEL, Hard)
            .needs(ONE, LIST, Hard)
            .needs(TWO, OTHER, Hard)
            .needs(PAGES[0], ONE, Hard)
            .run(schedule);
        run.fail(MODEL);
        for blocked in [LIST, ONE, PAGES[0]] {
            assert_eq!(run.outcome(blocked), format!("blocked by {MODEL}"));
        }
        run.save_all();
        assert_eq!(run.outcome(TWO), "created", "it needs nothing that failed");
        assert!(run.state.is_over());
    }
}

#[test]
fn who_needs_two_failures_is_blocked_once() {
    let mut run = Script::new(&[LIST, OTHER, ONE])
        .needs(ONE, LIST, Hard)
        .needs(ONE, OTHER, SOFT)
        .run(Pipelined);
    run.fail(OTHER);
    run.fail(LIST);
    assert_eq!(run.outcome(ONE), format!("blocked by {OTHER}"));
    assert!(run.state.is_over());
}

#[test]
fn an_update_that_fails_blocks_nobody() {
    let mut run = Script::new(&[LIST, ONE])
        .updates(LIST)
        .needs(ONE, LIST, Hard)
        .run(Pipelined);
    assert_eq!(run.away(), [LIST, ONE], "the container exists");
    run.fail(LIST);
    run.save(ONE);
    assert_eq!(run.outcome(ONE), "created");
    assert_eq!(run.outcome(LIST), "failed");
}

/// An item that filled a new field of a model left while the model was still being updated, and the server dropped what
/// it said there.
#[test]
fn an_item_waits_for_the_update_of_its_model_and_is_not_sent_without_it() {
    for schedule in [Pipelined, Phased] {
        for blocked in [false, true] {
            let mut run = Script::new(&[MODEL, "model:9", ONE])
                .updates("model:9")
                .needs("model:9", MODEL, Hard)
                .needs(ONE, "model:9", Whole)
                .run(schedule);
            if blocked {
                run.fail(MODEL);
                assert_eq!(run.outcome("model:9"), format!("blocked by {MODEL}"));
            } else {
                run.save(MODEL);
                assert_eq!(run.away(), ["model:9"]);
                run.fail("model:9");
            }
            let root = if blocked { MODEL } else { "model:9" };
            assert_eq!(run.outcome(ONE), format!("blocked by {root}"));
            assert!(run.state.is_over());
        }
    }
}

#[test]
fn what_the_plan_gave_up_settles_at_once_and_fails_its_gate() {
    let by = LIST.parse().unwrap();
    let run = Script::new(&[LIST, ONE])
        .needs(ONE, LIST, Hard)
        .action(
            LIST,
            Action::Fail {
                cause: Failure::Reference,
            },
        )
        .action(ONE, Action::Block { by })
        .run(Pipelined);
    assert!(run.state.is_over());
    assert_eq!(run.outcome(LIST), "failed");
    assert_eq!(run.outcome(ONE), format!("blocked by {LIST}"));
    assert!(run.has(&format!("lost content-complete by {LIST}")));
}

#[test]
fn fail_fast_lets_nothing_leave_after_the_first_failure() {
    let mut run = Script::new(&[LIST, OTHER, ONE, TWO])
        .needs(ONE, LIST, Hard)
        .needs(TWO, OTHER, Hard)
        .run_with(Pipelined, true);
    run.fail(LIST);
    assert!(!run.state.is_over(), "one is in flight");
    run.save(OTHER);
    assert!(run.state.is_over() && run.away().is_empty());
    assert!(matches!(run.state.end(), End::FailFast));
    assert_eq!(run.outcome(OTHER), "created");
    assert_eq!(run.outcome(TWO), "", "it was never sent");
}

#[test]
fn an_encoding_that_was_stored_wrong_ends_the_run() {
    let mut run = Script::new(&[LIST, ONE])
        .needs(ONE, LIST, Hard)
        .run(Pipelined);
    run.save_wrong(LIST);
    assert!(run.state.is_over() && run.away().is_empty());
    let End::Stopped(StopCause::Reference(why)) = run.state.end() else {
        panic!("{:?}", run.state.end());
    };
    assert_eq!(why, "a link was stored empty");
}

/// Two that need each other, and a plan that forgot to cut: nothing was in flight, nothing was ready, and the run waited
/// for ever.
#[test]
fn entities_that_wait_for_each_other_are_named() {
    for schedule in [Pipelined, Phased] {
        let mut run = Script::new(&[MODEL, ONE, TWO])
            .needs(ONE, TWO, Hard)
            .needs(TWO, ONE, Hard)
            .run(schedule);
        assert!(!run.state.is_stalled(), "the model is in flight");
        run.save(MODEL);
        assert!(run.state.is_stalled() && run.away().is_empty());
        let End::Stalled(dump) = run.state.end() else {
            panic!("{:?}", run.state.end());
        };
        for part in [
            "2 entities",
            &format!("{ONE} (Waiting) waits for 1 of [{TWO}]"),
        ] {
            assert!(dump.contains(part), "{dump}");
        }
    }
}

#[test]
fn a_run_that_somebody_paused_is_not_stalled() {
    let mut run = Script::new(&[LIST, ONE])
        .needs(ONE, LIST, Hard)
        .run(Pipelined);
    run.command(Command::Pause);
    run.save(LIST);
    assert!(!run.state.is_stalled() && !run.state.is_over());
    run.command(Command::Resume);
    run.save(ONE);
    assert!(run.state.end().is_complete());
}

#[test]
fn a_sibling_that_fails_does_not_hold_up_its_row() {
    let mut run = Script::new(&PAGES[..2])
        .needs(PAGES[0], PAGES[1], Order)
        .run(Pipelined);
    run.fail(PAGES[1]);
    run.save(PAGES[0]);
    assert_eq!(run.outcome(PAGES[0]), "created");
}

/// A page that was blocked let the sibling before it go at once, while the one behind it was still on its way: the two
/// were in flight together, and whichever the target took last stood in the wrong place.
#[test]
fn a_blocked_sibling_passes_on_its_turn_and_not_before_it_comes() {
    let mut run = Script::new(&[ONE, PAGES[0], PAGES[1], PAGES[2], PAGES[3]])
        .needs(PAGES[0], PAGES[1], Order)
        .needs(PAGES[1], PAGES[2], Order)
        .needs(PAGES[2], PAGES[3], Order)
        .needs(PAGES[1], ONE, Hard)
        .needs(PAGES[2], ONE, Hard)
        .run(Pipelined);
    run.fail(ONE);
    assert_eq!(run.outcome(PAGES[1]), format!("blocked by {ONE}"));
    assert_eq!(
        run.away(),
        [PAGES[3]],
        "the first must not overlap with the last"
    );
    run.save(PAGES[3]);
    assert_eq!(run.away(), [PAGES[0]]);
    run.save(PAGES[0]);
    assert!(run.state.is_over());
}

/// As above, but the turn has come already when the page in the middle is lost.
#[test]
fn a_sibling_that_is_blocked_late_passes_on_its_turn_at_once() {
    let mut run = Script::new(&[ONE, PAGES[0], PAGES[1], PAGES[2]])
        .needs(PAGES[0], PAGES[1], Order)
        .needs(PAGES[1], PAGES[2], Order)
        .needs(PAGES[1], ONE, Hard)
        .run(Pipelined);
    run.save(PAGES[2]);
    assert_eq!(run.away(), [ONE]);
    run.fail(ONE);
    assert_eq!(run.away(), [PAGES[0]]);
}

/// A link page whose patch failed let its sibling go a second time, which counted as one of the other things that the
/// sibling waited for: it left before its content was there.
#[test]
fn a_patch_that_fails_frees_no_sibling_twice() {
    let mut run = Script::new(&[LIST, PAGES[0], PAGES[1], PAGES[2]])
        .needs(PAGES[0], PAGES[1], Order)
        .needs(PAGES[0], LIST, Hard)
        .cuts(PAGES[1], PAGES[2])
        .run(Pipelined);
    run.save(PAGES[2]);
    run.save(PAGES[1]);
    run.fail(&format!("patch {}", PAGES[1]));
    assert_eq!(run.away(), [LIST], "the container is not there yet");
    run.save(LIST);
    assert_eq!(run.away(), [PAGES[0]]);
}
