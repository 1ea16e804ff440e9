//! Screens of scripted runs.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::course::Course;
use super::draw::draw;
use super::log::LogLine;
use super::view::{View, look};
use crate::domain::{Kind, Outcome, Secret, Token, WorkClass};
use crate::event::{Event, Gate, Lane, Phase, Side, Stamped};
use crate::progress::script::{Script, key};
use crate::progress::{History, Progress};
use crate::report::Watch;
use crate::report::note::note;

const UPLOADS: [(Kind, u32); 8] = [
    (Kind::Model, 24),
    (Kind::Container, 36),
    (Kind::Template, 6),
    (Kind::Asset, 120),
    (Kind::Redirection, 40),
    (Kind::Content, 2_400),
    (Kind::Gallery, 4),
    (Kind::Page, 90),
];

/// Progress, log and course of a script, as the dashboard has them.
pub(super) fn shown(script: &Script, view: &mut View) -> Progress {
    let (mut progress, mut history) = (Progress::new(), History::default());
    for stamped in script.events() {
        progress.apply(stamped);
        history.apply(stamped);
        let Stamped { at_ms, event } = stamped;
        if let Some(note) = note(event, &progress) {
            let at_ms = *at_ms;
            view.log.push(LogLine { at_ms, note });
        }
    }
    view.now_ms = script.now_ms();
    view.course = Course::of(&history);
    progress
}

/// The screen of a script at its end, as text.
fn screen(script: &Script, size: (u16, u16), mut view: View) -> String {
    let progress = shown(script, &mut view);
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal
        .draw(|frame| draw(frame, &progress, &view))
        .unwrap();
    terminal.backend().to_string()
}

pub(super) fn view() -> View {
    View::new(look(true, false), Watch::Run)
}

fn pulling() -> Script {
    Script::start()
        .phase(Phase::Pull)
        .wait(1_200)
        .read(Side::Source, Kind::Model, 24, Some(24))
        .read(Side::Source, Kind::Asset, 80, Some(120))
        .read(Side::Source, Kind::Content, 750, None)
        .read(Side::Target, Kind::Model, 3, Some(9))
}

fn waiting() -> Script {
    Script::uploading(&UPLOADS)
        .lane(Lane::IndependentEntities)
        .create(Kind::Model, 0..10, 120)
        .leave(Kind::Model, 10)
        .pace(8.2, 1, 41.0)
}

/// Everything of lane 1 has crossed but an asset, and content is under way.
pub(super) fn running() -> Script {
    let [one, two, three] = Lane::ALL;
    let mut script = Script::uploading(&UPLOADS).forecast(90_000).lane(one);
    for (kind, number, gate) in [
        (Kind::Model, 24, Gate::ModelsComplete),
        (Kind::Container, 36, Gate::ContainersComplete),
        (Kind::Template, 6, Gate::TemplatesComplete),
        (Kind::Redirection, 40, Gate::RedirectionsComplete),
    ] {
        script = script.create(kind, 0..number, 60).pace(9.1, 4, 38.0);
        script = script.open(gate, Some(key(kind, number - 1)));
    }
    script = script.create(Kind::Asset, 0..119, 50).pace(9.7, 8, 52.0);
    script = script.fail(Kind::Asset, 119, "the server refused \"logo.png\" (413)");
    script = script
        .event(Event::GateFailed {
            gate: Gate::IndependentAssetsComplete,
            by: key(Kind::Asset, 119),
        })
        .event(Event::LaneFinished { lane: one })
        .lane(three)
        .create(Kind::Gallery, 0..4, 100)
        .open(Gate::GalleriesComplete, Some(key(Kind::Gallery, 3)))
        .lane(two);
    for step in 0..8_u8 {
        let first = i64::from(step) * 100;
        script = script.create(Kind::Content, first..first + 100, 10);
        script = script.pace(
            6.0 + f64::from(step) * 0.5,
            12,
            30.0 + f64::from(step * step),
        );
    }
    for id in 800..803 {
        script = script.fail(
            Kind::Content,
            id,
            &format!("field \"Title\" of item {id} is required"),
        );
    }
    for id in 803..850 {
        script = script.leave(Kind::Content, id);
    }
    let by = key(Kind::Content, 800);
    script
        .settle(Kind::Page, 1, Outcome::Blocked { by })
        .batch(4_711, Kind::Content, 25, 17)
        .forecast(41_000)
        .batch(4_712, Kind::Content, 22, 0)
        .wait(1_000)
        .forecast(44_000)
        .wait(400)
}

fn paused() -> Script {
    running().event(Event::Paused).wait(9_000)
}

fn throttled() -> Script {
    running()
        .event(Event::Throttled { for_ms: 4_000 })
        .wait(500)
}

fn draining() -> Script {
    let reason = "asked by the user".to_owned();
    running().event(Event::DrainStarted {
        reason,
        in_flight: 47,
    })
}

fn verifying() -> Script {
    running()
        .phase(Phase::Verify)
        .wait(2_000)
        .event(Event::VerifyProgressed {
            checked: 1_000,
            total: 2_720,
        })
}

fn failed() -> Script {
    verifying().finish(1)
}

fn done() -> Script {
    Script::uploading(&[(Kind::Model, 3), (Kind::Content, 6)])
        .lane(Lane::IndependentEntities)
        .open(Gate::TemplatesComplete, None)
        .create(Kind::Model, 0..3, 100)
        .open(Gate::ModelsComplete, Some(key(Kind::Model, 2)))
        .event(Event::LaneFinished {
            lane: Lane::IndependentEntities,
        })
        .lane(Lane::BatchedContent)
        .create(Kind::Content, 0..6, 100)
        .event(Event::LaneFinished {
            lane: Lane::BatchedContent,
        })
        .phase(Phase::Verify)
        .wait(300)
        .event(Event::VerifyFinished {
            checked: 9,
            differences: 0,
        })
        .finish(0)
}

/// Pages are gone, some content could not go, and models and what is above them wait.
fn undoing() -> Script {
    let kept = |kind, id| Event::EntitySettled {
        key: key(kind, id),
        name: format!("{} {id}", kind.name()),
        lane: None,
        class: WorkClass::Parallel,
        outcome: Outcome::Kept {
            reason: "it was changed on the target since".to_owned(),
        },
        cause: None,
        status: None,
        level: None,
        target: None,
        because: "it was changed on the target since".to_owned(),
        bytes: 0,
    };
    let mut script = Script::start().wait(2_000).undo(&[
        (Kind::Model, 3),
        (Kind::Asset, 20),
        (Kind::Content, 400),
        (Kind::Page, 12),
    ]);
    script = script.phase(Phase::Upload).forecast(60_000);
    for id in 900..904 {
        script = script.event(kept(Kind::Content, id));
    }
    for lane in Lane::ALL {
        script = script.lane(lane);
    }
    for id in 0..9 {
        script = script.leave(Kind::Page, id).wait(100);
        script = script.settle(Kind::Page, id, Outcome::Deleted);
    }
    for id in 9..12 {
        script = script.settle(Kind::Page, id, Outcome::Restored);
    }
    for id in 0..150 {
        script = script.leave(Kind::Content, id).wait(20);
        script = script.settle(Kind::Content, id, Outcome::Deleted);
    }
    script
        .fail(
            Kind::Content,
            150,
            "the server refused it: \"item is in use\"",
        )
        .leave(Kind::Content, 151)
        .pace(9.5, 1, 41.0)
        .forecast(24_000)
        .wait(900)
}

macro_rules! screens {
    ($($name:ident: $script:expr, $size:expr;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(screen(&$script, $size, view()));
        })*
    };
}

screens! {
    starting_80x24: Script::start(), (80, 24);
    pulling_80x24: pulling(), (80, 24);
    waiting_80x24: waiting(), (80, 24);
    running_80x24: running(), (80, 24);
    paused_80x24: paused(), (80, 24);
    throttled_80x24: throttled(), (80, 24);
    draining_80x24: draining(), (80, 24);
    verifying_80x24: verifying(), (80, 24);
    failed_80x24: failed(), (80, 24);
    done_80x24: done(), (80, 24);
    undoing_80x24: undoing(), (80, 24);
    undone_80x24: undoing().phase(Phase::Verify).finish(1), (80, 24);
    pulling_120x40: pulling(), (120, 40);
    waiting_120x40: waiting(), (120, 40);
    running_120x40: running(), (120, 40);
    done_120x40: done(), (120, 40);
    undoing_120x40: undoing(), (120, 40);
    running_200x60: running(), (200, 60);
    failed_200x60: failed(), (200, 60);
    running_40x10: running(), (40, 10);
    too_small_20x5: running(), (20, 5);
    too_small_39x24: draining(), (39, 24);
}

#[test]
fn a_token_that_is_refused_is_asked_for() {
    let script = running()
        .event(Event::TokenRefused)
        .event(Event::Paused)
        .wait(2_000);
    let mut view = view();
    view.prompt.tokens = vec![Token::new(Secret::new("the-old-token"))];
    for sign in "secret".chars() {
        view.prompt.key(KeyCode::Char(sign));
    }
    let screen = screen(&script, (80, 24), view);
    assert!(!screen.contains("secret"), "{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn ascii_80x24() {
    let screen = screen(
        &draining(),
        (80, 24),
        View::new(look(false, true), Watch::Run),
    );
    assert!(screen.is_ascii(), "{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn every_screen_can_be_drawn_in_ascii() {
    for script in [
        pulling(),
        waiting(),
        paused(),
        throttled(),
        failed(),
        done(),
        undoing(),
    ] {
        for size in [(20, 5), (80, 24), (120, 40), (200, 60)] {
            let screen = screen(&script, size, View::new(look(false, true), Watch::Run));
            assert!(screen.is_ascii(), "{screen}");
        }
    }
}

#[test]
fn help_80x24() {
    let mut view = view();
    view.key(KeyEvent::from(KeyCode::F(1)), &Progress::new());
    insta::assert_snapshot!(screen(&running(), (80, 24), view));
}

#[test]
fn failures_with_focus_80x24() {
    let mut view = view();
    view.key(KeyEvent::from(KeyCode::Tab), &Progress::new());
    insta::assert_snapshot!(screen(&running(), (80, 24), view));
}

#[test]
fn every_size_can_be_drawn() {
    let mut view = view();
    let progress = shown(&running(), &mut view);
    view.help = true;
    for width in (1..220).step_by(7) {
        for height in (1..64).step_by(3) {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal
                .draw(|frame| draw(frame, &progress, &view))
                .unwrap();
        }
    }
}

#[test]
fn without_colours_nothing_is_coloured_and_nothing_is_lost() {
    let script = running();
    let colours = |color: bool| {
        let mut view = View::new(look(color, false), Watch::Run);
        let progress = shown(&script, &mut view);
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal
            .draw(|frame| draw(frame, &progress, &view))
            .unwrap();
        let buffer = terminal.backend().buffer().clone();
        let reset = ratatui::style::Color::Reset;
        let coloured = buffer
            .content
            .iter()
            .filter(|cell| cell.fg != reset)
            .count();
        let text: String = buffer
            .content
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        (coloured, text)
    };
    let (plain, coloured) = (colours(false), colours(true));
    assert_eq!(plain.0, 0);
    assert!(coloured.0 > 0);
    assert_eq!(plain.1, coloured.1);
}

/// Both causes of the run have the same code and no status, so they are one; the screen shows a real one of them.
#[test]
fn the_failures_show_a_real_one_and_no_masks() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let mut view = view();
        view.focus = super::view::Pane::Failures;
        let screen = screen(&running(), size, view);
        assert!(
            !screen.contains("(#)") && !screen.contains("item #"),
            "{screen}"
        );
        assert!(screen.contains("and 3 more"), "{screen}");
    }
}

/// `independent-assets-completefailed 0:15` stood there.
#[test]
fn a_gate_and_its_state_do_not_run_together() {
    for width in 60..=100 {
        let mut view = view();
        view.focus = super::view::Pane::Gates;
        let screen = screen(&running(), (width, 40), view);
        assert!(screen.contains("independent-assets"), "{screen}");
        let state = ["failed 0:15", "open 0:0", "open 0:1"];
        let place = |line: &str| state.iter().find_map(|state| line.find(state));
        for line in screen.lines().filter(|line| line.contains("-assets")) {
            let before = place(line).and_then(|at| line[..at].chars().last());
            assert!(matches!(before, None | Some(' ')), "{width}: {line}");
        }
        assert!(
            width < 72 || screen.contains("failed 0:15"),
            "{width}: {screen}"
        );
    }
}

#[test]
fn a_replay_has_a_badge_its_own_keys_and_a_pause_that_shows() {
    let mut view = View::new(look(true, false), Watch::Replay { speed: 10.0 });
    view.is_held = true;
    insta::assert_snapshot!(
        "replay_paused_80x24",
        screen(&running(), (80, 24), view.clone())
    );
    view.help = true;
    insta::assert_snapshot!("replay_help_120x40", screen(&running(), (120, 40), view));
    let attached = View::new(look(true, false), Watch::Attached);
    let screen = screen(&running(), (200, 60), attached);
    assert!(
        screen.contains("WATCHING") && screen.contains("q close"),
        "{screen}"
    );
}
