//! Screens of what is opened, searched and clicked on.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;

use super::draw::{anchors, draw};
use super::requests::exchange;
use super::sheet::Open;
use super::tests::{running, shown, view};
use super::view::{Pane, View, look};
use crate::domain::{Kind, RequestLog, RunId};
use crate::event::{Gate, Lane};
use crate::progress::Progress;
use crate::progress::script::key;
use crate::report::Watch;
use crate::report::lookup::{Answer, Found, Link, Listed, Question};

/// A screen in a test: what is seen, what has happened, and what was pressed.
struct Desk {
    view: View,
    progress: Progress,
    size: (u16, u16),
}

impl Desk {
    fn new(size: (u16, u16)) -> Self {
        Self::of(view(), size)
    }

    fn of(mut view: View, size: (u16, u16)) -> Self {
        let progress = shown(&running(), &mut view);
        Self {
            view,
            progress,
            size,
        }
    }

    fn press(&mut self, codes: &[KeyCode]) -> &mut Self {
        for code in codes {
            let command = self.view.key(KeyEvent::from(*code), &self.progress);
            assert_eq!(command, None, "{code:?}");
        }
        self
    }

    fn typed(&mut self, text: &str) -> &mut Self {
        let codes: Vec<_> = text.chars().map(KeyCode::Char).collect();
        self.press(&codes)
    }

    fn screen(&self) -> String {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        let (view, progress) = (&self.view, &self.progress);
        terminal.draw(|frame| draw(frame, progress, view)).unwrap();
        terminal.backend().to_string()
    }

    fn area(&self) -> Rect {
        Rect::new(0, 0, self.size.0, self.size.1)
    }

    /// Does at a place of the screen what the mouse does.
    fn mouse(&mut self, kind: MouseEventKind, (column, row): (u16, u16)) {
        let event = MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        let area = self.area();
        self.view.mouse(event, area, &self.progress);
    }

    /// Clicks on the first place where a text stands.
    fn click(&mut self, text: &str) {
        let screen = self.screen();
        let mut rows = (0..).zip(screen.lines());
        let found = rows.find_map(|(row, line)| {
            let at = line.find(text)?;
            // The first character of a line is the quotation mark of the picture.
            let column = line[..at].chars().count() - 1;
            Some((u16::try_from(column).unwrap(), row))
        });
        let place = found.unwrap_or_else(|| panic!("no {text:?} in\n{screen}"));
        self.mouse(MouseEventKind::Down(MouseButton::Left), place);
    }

    /// Answers what is asked as the records of the run would.
    fn answer(&mut self) {
        let question = self.view.question().unwrap();
        let answer = match &question {
            Question::Entities => Answer::Entities(entities()),
            Question::Entity(_) => Answer::Found(Found {
                text: HISTORY.to_owned(),
                links: vec![Link {
                    name: "source",
                    url: "https://example.org/content/801".to_owned(),
                }],
            }),
            Question::Batch(_) => Answer::Found(Found {
                text: "create: open\n  content:803@en-us  Third\n".to_owned(),
                links: Vec::new(),
            }),
        };
        self.view.learn(&question, answer);
    }

    fn top(&self) -> Option<&Open> {
        self.view.sheets.top().map(|sheet| &sheet.of)
    }
}

const HISTORY: &str = "\
content:801@en-us \"content 801\"
  target      unknown (no mapping in the local state)

run 20260731-101500-0a1b (sync, no end recorded)
  failed      field \"Title\" of item 801 is required
  attempt 1   2026-07-31T10:15:23Z  create, batch 4711, with 24 others: failed
              the server refused it (HTTP 422)

plan of run 20260731-101500-0a1b
  create      not on the target yet
  needs       model:3 \"Post\" (create; hard)
  needed by   page:7@en-us \"/blog\" (create; hard)
";

fn entities() -> Vec<Listed> {
    let content = (800..850).map(|id| (key(Kind::Content, id), format!("Post number {id}")));
    let others = [
        (key(Kind::Model, 3), "Post".to_owned()),
        (key(Kind::Page, 7), "/blog".to_owned()),
        (key(Kind::Asset, 119), "MediaFolder/logo.png".to_owned()),
    ];
    let all = others.into_iter().chain(content);
    all.map(|(key, name)| Listed { key, name }).collect()
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn name(what: &str, (width, height): (u16, u16)) -> String {
    format!("{what}_{width}x{height}")
}

#[test]
fn enter_opens_a_failure_its_entity_and_what_that_needs() {
    for size in SIZES {
        let mut desk = Desk::new(size);
        desk.press(&[KeyCode::Tab, KeyCode::Enter]);
        insta::assert_snapshot!(name("opened_failure", size), desk.screen());
        desk.typed("G").press(&[KeyCode::Up, KeyCode::Enter]);
        assert!(
            matches!(desk.top(), Some(Open::Entity(_))),
            "{}",
            desk.screen()
        );
        assert!(desk.screen().contains("reading the records"));
        desk.answer();
        assert_eq!(desk.view.question(), None, "it was answered just now");
        insta::assert_snapshot!(name("opened_entity", size), desk.screen());
        // From the history on to what it needs.
        while !desk.screen().contains("▸  needs") && !desk.screen().contains("▸ needs") {
            let before = desk.screen();
            desk.press(&[KeyCode::Down]);
            assert_ne!(before, desk.screen(), "the row was never selected");
        }
        desk.press(&[KeyCode::Enter]);
        assert_eq!(desk.top(), Some(&Open::Entity(key(Kind::Model, 3))));
        desk.press(&[KeyCode::Esc, KeyCode::Esc, KeyCode::Esc]);
        assert_eq!(desk.top(), None);
        desk.press(&[KeyCode::Esc]);
        assert!(desk.screen().contains("Gates"));
    }
}

#[test]
fn enter_opens_a_lane_a_gate_and_a_batch() {
    let mut desk = Desk::new((80, 24));
    desk.view.focus = Pane::Lanes;
    desk.press(&[KeyCode::Down, KeyCode::Enter]);
    assert_eq!(desk.top(), Some(&Open::Lane(Lane::BatchedContent)));
    insta::assert_snapshot!("opened_lane_80x24", desk.screen());
    desk.press(&[KeyCode::Esc]);
    desk.view.focus = Pane::Gates;
    desk.press(&[KeyCode::Enter]);
    // The first that is not open: there a look is worth most.
    assert_eq!(desk.top(), Some(&Open::Gate(Gate::ContentLevelComplete(0))));
    insta::assert_snapshot!("opened_gate_80x24", desk.screen());
    desk.press(&[KeyCode::Esc]);
    desk.view.focus = Pane::Batches;
    desk.press(&[KeyCode::Enter]);
    desk.answer();
    let screen = desk.screen();
    assert!(screen.contains("17 of 25 items processed"), "{screen}");
    assert!(screen.contains("content:803@en-us  Third"), "{screen}");
}

#[test]
fn entities_are_searched_and_n_goes_on() {
    for size in SIZES {
        let mut desk = Desk::new(size);
        desk.typed("/");
        desk.answer();
        desk.typed("number 80");
        insta::assert_snapshot!(name("search", size), desk.screen());
        desk.press(&[KeyCode::Down, KeyCode::Enter]);
        assert_eq!(desk.top(), Some(&Open::Entity(key(Kind::Content, 801))));
        desk.typed("n");
        assert_eq!(desk.top(), Some(&Open::Entity(key(Kind::Content, 802))));
        desk.typed("NN");
        assert_eq!(desk.top(), Some(&Open::Entity(key(Kind::Content, 800))));
        // All of them were one step.
        desk.press(&[KeyCode::Esc]);
        assert_eq!(desk.top(), None);
    }
}

#[test]
fn a_path_is_found_and_a_key_is_jumped_to() {
    let mut desk = Desk::new((80, 24));
    desk.typed("/");
    desk.answer();
    desk.typed("logo.PNG").press(&[KeyCode::Enter]);
    assert_eq!(desk.top(), Some(&Open::Entity(key(Kind::Asset, 119))));
    desk.typed(":page:7@en-us").press(&[KeyCode::Enter]);
    assert_eq!(desk.top(), Some(&Open::Entity(key(Kind::Page, 7))));
    desk.typed(":nothing");
    assert!(desk.screen().contains(":nothing_"), "{}", desk.screen());
    desk.press(&[KeyCode::Enter]);
    let screen = desk.screen();
    assert!(screen.contains("no entity matches \"nothing\""), "{screen}");
}

/// `q` and `p` are letters while something is typed, and Ctrl-C ends the run all the same.
#[test]
fn typed_letters_command_nothing() {
    let mut desk = Desk::new((80, 24));
    desk.typed("/qp+ ");
    assert!(desk.screen().contains("/qp+ _"), "{}", desk.screen());
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    let command = desk.view.key(interrupt, &desk.progress);
    assert_eq!(command, Some(crate::event::Command::Drain));
}

fn with_requests(mut view: View) -> View {
    let log = RequestLog::default();
    log.push(exchange(
        "2026-07-31T10:15:21Z",
        "GET model/list/false",
        None,
    ));
    let refused = "the server refused it (HTTP 422): \"Title is required\"";
    log.push(exchange(
        "2026-07-31T10:15:22Z",
        "POST en-us/item/multi",
        Some((422, refused)),
    ));
    view.requests.follow(&[log]);
    view.focus = Pane::Requests;
    view
}

#[test]
fn the_requests_are_a_list_and_each_can_be_opened() {
    for size in SIZES {
        let mut desk = Desk::of(with_requests(view()), size);
        insta::assert_snapshot!(name("requests", size), desk.screen());
        desk.press(&[KeyCode::Enter]);
        let screen = desk.screen();
        assert!(screen.contains("POST en-us/item/multi -> 422"), "{screen}");
        assert!(screen.contains("Title is required"), "{screen}");
    }
}

#[test]
fn a_replay_is_walked_into_like_a_run() {
    for size in SIZES {
        let replay = View::new(look(true, false), Watch::Replay { speed: 10.0 });
        let mut desk = Desk::of(replay, size);
        desk.press(&[KeyCode::Tab, KeyCode::Enter]);
        insta::assert_snapshot!(name("replay_opened", size), desk.screen());
        desk.press(&[KeyCode::Esc]);
        desk.view.focus = Pane::Requests;
        assert!(desk.screen().contains("not recorded"), "{}", desk.screen());
    }
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    for size in SIZES {
        let mut desk = Desk::new(size);
        desk.click("2 batched-content");
        assert_eq!((desk.view.focus, desk.top()), (Pane::Lanes, None));
        desk.click("2 batched-content");
        assert_eq!(desk.top(), Some(&Open::Lane(Lane::BatchedContent)));
        desk.click("content-complete");
        desk.click("content-complete");
        assert_eq!(desk.top(), Some(&Open::Gate(Gate::ContentComplete)));
        desk.press(&[KeyCode::Esc, KeyCode::Esc]);
        desk.click("Requests");
        assert_eq!(desk.view.focus, Pane::Requests);
        desk.click("Log");
        assert_eq!(desk.view.focus, Pane::Log);
    }
}

#[test]
fn the_wheel_moves_in_the_list_under_the_pointer() {
    let mut desk = Desk::new((80, 24));
    desk.view.focus = Pane::Lanes;
    desk.mouse(MouseEventKind::ScrollDown, (5, 21));
    assert_eq!(desk.view.focus, Pane::Log);
    assert_eq!(desk.view.selected(Pane::Log, 100, 0), Some(3));
    desk.mouse(MouseEventKind::ScrollUp, (5, 21));
    assert_eq!(desk.view.selected(Pane::Log, 100, 0), Some(0));
}

/// A link stands where its address is drawn, and only while that is seen.
#[test]
fn an_address_of_an_editor_is_a_link() {
    let mut desk = Desk::new((80, 24));
    desk.typed(":content:801@en-us").press(&[KeyCode::Enter]);
    assert!(anchors(desk.area(), &desk.progress, &desk.view).is_empty());
    desk.answer();
    let found = anchors(desk.area(), &desk.progress, &desk.view);
    let [anchor] = &found[..] else {
        panic!("{found:?}");
    };
    let screen = desk.screen();
    let line = screen.lines().nth(anchor.at.1.into()).unwrap();
    let drawn: String = line.chars().skip(1 + usize::from(anchor.at.0)).collect();
    assert!(drawn.starts_with(&anchor.url), "{drawn:?}");
    desk.typed("?");
    assert!(anchors(desk.area(), &desk.progress, &desk.view).is_empty());
}

#[test]
fn every_size_shows_what_is_opened() {
    let mut desk = Desk::new((80, 24));
    desk.typed(":content:801@en-us").press(&[KeyCode::Enter]);
    desk.answer();
    for width in (1..220).step_by(9) {
        for height in (1..64).step_by(5) {
            desk.size = (width, height);
            desk.screen();
            anchors(desk.area(), &desk.progress, &desk.view);
            desk.mouse(
                MouseEventKind::Down(MouseButton::Left),
                (width / 2, height / 2),
            );
            desk.view.sheets.close();
            desk.mouse(
                MouseEventKind::Down(MouseButton::Left),
                (width / 2, height / 2),
            );
            desk.view.sheets.close();
            desk.typed(":content:801@en-us").press(&[KeyCode::Enter]);
        }
    }
}

/// An answer that comes when the question is not on the screen any more changes nothing.
#[test]
fn the_records_are_asked_once_and_again_after_a_second() {
    let run = RunId("20260731-101500-0a1b".to_owned());
    let (records, mut asked) = tokio::sync::mpsc::channel(1);
    let mut clerk = super::clerk::Clerk::new(Some(records));
    let mut desk = Desk::new((80, 24));
    desk.typed(":content:801@en-us").press(&[KeyCode::Enter]);
    clerk.serve(&mut desk.view, Some(&run));
    let first = asked.try_recv().unwrap();
    clerk.serve(&mut desk.view, Some(&run));
    assert!(asked.try_recv().is_err(), "it waits for the first answer");
    let found = Found {
        text: HISTORY.to_owned(),
        links: Vec::new(),
    };
    first.answer.send(Answer::Found(found)).unwrap();
    clerk.serve(&mut desk.view, Some(&run));
    assert!(desk.screen().contains("needed by"), "{}", desk.screen());
    assert!(asked.try_recv().is_err());
    desk.view.now_ms += 1_000;
    clerk.serve(&mut desk.view, Some(&run));
    let again = asked.try_recv().unwrap();
    desk.press(&[KeyCode::Esc]);
    drop(again);
    clerk.serve(&mut desk.view, Some(&run));
    assert_eq!(desk.top(), None);
}
