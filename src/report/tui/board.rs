//! The runs that share the screen: which of them is looked at, and what is seen of all.
//!
//! One run alone is always looked at. Of several there is an overview, with the lanes of each, from which each can be opened.

use crossterm::event::{
    Event as Input, KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use super::cells::{Cells, simple_bar};
use super::draw::{anchors, draw, is_too_small, keys_line, put, too_small};
use super::keys::{self, Act, INTERRUPT, On};
use super::lists::marked;
use super::sheet::Anchor;
use super::theme::{Look, Role, Sign};
use super::view::View;
use super::{header, help, lanes, layout};
use crate::event::Command;
use crate::progress::{Progress, Status};
use crate::report::text::{self, count, counted};

/// Lines of a run with its lanes, and without.
const WITH_LANES: usize = 5;
const WITHOUT_LANES: usize = 2;

/// What is seen of one run.
#[derive(Debug)]
pub(crate) struct Tile {
    /// How far it is.
    pub(crate) progress: Progress,
    /// Its screen.
    pub(crate) view: View,
}

/// All runs on the screen.
#[derive(Debug)]
pub(crate) struct Board {
    /// In the order in which the user named them.
    pub(crate) tiles: Vec<Tile>,
    look: Look,
    selected: usize,
    /// The one that is looked at; `None` shows the overview.
    opened: Option<usize>,
    has_help: bool,
}

/// A command of the user to one of the runs.
pub(crate) type ToRun = (usize, Command);

impl Board {
    /// A screen with these runs, of which nothing is known yet.
    pub(crate) fn new(look: Look, views: Vec<View>) -> Self {
        let tile = |view| Tile {
            progress: Progress::new(),
            view,
        };
        Self {
            opened: (views.len() == 1).then_some(0),
            tiles: views.into_iter().map(tile).collect(),
            look,
            selected: 0,
            has_help: false,
        }
    }

    /// Takes what the user did on a screen of this size, and gives the commands that follow from it.
    pub(crate) fn input(&mut self, input: &Input, screen: Rect) -> Vec<ToRun> {
        match input {
            Input::Key(key) => self.key(*key),
            Input::Mouse(mouse) => {
                match self.opened.and_then(|at| self.tiles.get_mut(at)) {
                    Some(tile) => tile.view.mouse(*mouse, screen, &tile.progress),
                    None => self.mouse(*mouse, screen),
                }
                Vec::new()
            }
            Input::FocusGained | Input::FocusLost | Input::Paste(_) | Input::Resize(..) => {
                Vec::new()
            }
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<ToRun> {
        let Some(code) = keys::pressed(key) else {
            return Vec::new();
        };
        let several = self.tiles.len() > 1;
        if code != INTERRUPT
            && let Some(at) = self.asking()
        {
            return self.key_of_question(at, key);
        }
        let Some((at, tile)) = self
            .opened
            .and_then(|at| Some((at, self.tiles.get_mut(at)?)))
        else {
            return self.act(code, key);
        };
        // It ends the command, whatever is looked at.
        if several && code == INTERRUPT {
            return self.key_of_all(key);
        }
        if several && code == KeyCode::Esc && tile.view.has_nothing_open(&tile.progress) {
            let look = tile.view.look;
            self.opened = None;
            self.take_look(look);
            return Vec::new();
        }
        let command = tile.view.key(key, &tile.progress);
        command.map(|command| (at, command)).into_iter().collect()
    }

    /// The run that the question for a token on the screen is about: the one that is looked at, in the overview the first.
    fn asking(&self) -> Option<usize> {
        let asks = |at: &usize| {
            let tile = self.tiles.get(*at);
            tile.is_some_and(|tile| tile.view.asks_for_token(&tile.progress))
        };
        match self.opened {
            Some(at) => Some(at).filter(asks),
            None => (0..self.tiles.len()).find(asks),
        }
    }

    /// Gives a key to the question of a run. An answer holds for every run that has the same token.
    fn key_of_question(&mut self, at: usize, key: KeyEvent) -> Vec<ToRun> {
        let tile = &mut self.tiles[at];
        let former = tile.view.prompt.token();
        let Some(command) = tile.view.key(key, &tile.progress) else {
            return Vec::new();
        };
        let mut commands = vec![(at, command)];
        let Some(token) = tile.view.prompt.token() else {
            return commands;
        };
        for (other, tile) in self.tiles.iter_mut().enumerate() {
            if other == at || tile.view.prompt.token() != former {
                continue;
            }
            let asks = tile.progress.needs_token();
            tile.view.prompt.answer(&token);
            commands.extend(asks.then_some((other, Command::Resume)));
        }
        commands
    }

    /// Gives a key to the screen of each run.
    fn key_of_all(&mut self, key: KeyEvent) -> Vec<ToRun> {
        let tiles = self.tiles.iter_mut().enumerate();
        tiles
            .filter_map(|(at, tile)| Some((at, tile.view.key(key, &tile.progress)?)))
            .collect()
    }

    /// What a key does in the overview.
    fn act(&mut self, code: KeyCode, key: KeyEvent) -> Vec<ToRun> {
        let last = self.tiles.len().saturating_sub(1);
        match keys::act(code, On::Targets) {
            Some(Act::Quit) => return self.key_of_all(key),
            Some(Act::Pause) => return self.pause(),
            Some(Act::Theme) => {
                let theme = self.look.theme.next();
                self.take_look(Look { theme, ..self.look });
            }
            Some(Act::Help) => self.has_help = !self.has_help,
            Some(Act::Back) => self.has_help = false,
            Some(Act::Open) => self.opened = Some(self.selected),
            Some(Act::Move(rows)) => {
                self.selected = self.selected.saturating_add_signed(rows).min(last);
            }
            Some(Act::First) => self.selected = 0,
            Some(Act::Last) => self.selected = last,
            Some(
                Act::Up
                | Act::Down
                | Act::Seek(_)
                | Act::Focus(_)
                | Act::Search
                | Act::Jump
                | Act::Hit(_)
                | Act::Filter,
            )
            | None => {}
        }
        Vec::new()
    }

    fn take_look(&mut self, look: Look) {
        self.look = look;
        for tile in &mut self.tiles {
            tile.view.look = look;
        }
    }

    /// Pauses every run in progress; when there is none, resumes all that are paused.
    fn pause(&self) -> Vec<ToRun> {
        let open = || {
            let tiles = self.tiles.iter().enumerate();
            tiles.filter(|(_, tile)| tile.progress.exit().is_none())
        };
        let is_any_running = open().any(|(_, tile)| !tile.progress.is_paused());
        let command = if is_any_running {
            Command::Pause
        } else {
            Command::Resume
        };
        open()
            .filter(|(_, tile)| tile.progress.is_paused() != is_any_running)
            .map(|(at, _)| (at, command))
            .collect()
    }

    fn mouse(&mut self, mouse: MouseEvent, screen: Rect) {
        let last = self.tiles.len().saturating_sub(1);
        match mouse.kind {
            MouseEventKind::ScrollDown => self.selected = (self.selected + 1).min(last),
            MouseEventKind::ScrollUp => self.selected = self.selected.saturating_sub(1),
            MouseEventKind::Down(MouseButton::Left) => {
                let [_, body, _] = layout::bands(screen);
                if !body.contains(Position::new(mouse.column, mouse.row)) {
                    return;
                }
                let (lines, first) = self.window(body.height);
                let line = usize::from(mouse.row - body.y).checked_sub(1);
                if let Some(at) = line.map(|line| first + line / lines)
                    && at <= last
                {
                    if self.selected == at {
                        self.opened = Some(at);
                    }
                    self.selected = at;
                }
            }
            _ => {}
        }
    }

    /// The lines of a run in a body of this height, and the first run that is seen, below the title.
    fn window(&self, height: u16) -> (usize, usize) {
        let height = usize::from(height.saturating_sub(1));
        let fits = |lines: &usize| self.tiles.len() * lines <= height;
        let lines = [WITH_LANES + 1, WITH_LANES, WITHOUT_LANES + 1];
        let lines = lines.into_iter().find(fits).unwrap_or(WITHOUT_LANES);
        let seen = (height / lines).max(1);
        (lines, (self.selected + 1).saturating_sub(seen))
    }

    /// Draws the whole screen.
    pub(crate) fn draw(&self, frame: &mut Frame<'_>) {
        match self.opened.and_then(|at| self.tiles.get(at)) {
            Some(tile) => draw(frame, &tile.progress, &tile.view),
            None => self.draw_overview(frame),
        }
    }

    /// The addresses on the screen that a terminal can open.
    pub(crate) fn anchors(&self, area: Rect) -> Vec<Anchor> {
        match self.opened.and_then(|at| self.tiles.get(at)) {
            Some(tile) => anchors(area, &tile.progress, &tile.view),
            None => Vec::new(),
        }
    }

    fn draw_overview(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let states = self.states();
        if is_too_small(area) {
            too_small(frame, area, self.look, &states);
            return;
        }
        let [top, body, bottom] = layout::bands(area);
        put(frame, top, self.head(&states, top.width.into()));
        let (lines, first) = self.window(body.height);
        let tiles = self.tiles.iter().enumerate().skip(first);
        let title = lanes::title_of_all(self.look, body.width.into());
        let body_lines = std::iter::once(title).chain(tiles.flat_map(|(at, tile)| {
            let mut own = self.tile_lines((at, tile), lines, body.width.into());
            own.resize(lines, Line::default());
            own
        }));
        put(frame, body, body_lines.take(body.height.into()).collect());
        put(frame, bottom, vec![self.foot(bottom.width.into())]);
        if let Some(tile) = self.asking().map(|at| &self.tiles[at]) {
            let name = tile.view.name.as_deref();
            tile.view.prompt.draw(frame, area, (self.look, name));
        } else if self.has_help {
            help::draw(frame, area, (self.look, On::Targets));
        }
    }

    /// How many runs are in which state: `2 uploading, 1 done`.
    fn states(&self) -> String {
        let mut states: Vec<(String, usize)> = Vec::new();
        for tile in &self.tiles {
            let words = match tile.progress.status(tile.view.now_ms) {
                Status::Throttled => "throttled".to_owned(),
                Status::Draining => "draining".to_owned(),
                _ => header::status_words(&tile.progress, &tile.view),
            };
            match states.iter_mut().find(|(known, _)| *known == words) {
                Some((_, count)) => *count += 1,
                None => states.push((words, 1)),
            }
        }
        let states = states
            .iter()
            .map(|(words, count)| format!("{count} {words}"));
        states.collect::<Vec<_>>().join(", ")
    }

    /// What runs, and how far all of it is.
    fn head(&self, states: &str, width: usize) -> Vec<Line<'static>> {
        let look = self.look;
        let mut cells = Cells::new(look)
            .gap(1)
            .text("lockgate", Role::Strong)
            .gap(2);
        if let Some(run) = self.tiles.iter().find_map(|tile| tile.progress.run()) {
            let arrow = format!(" {} ", look.sign(Sign::Arrow));
            cells = cells
                .text(run.source.as_str(), Role::Text)
                .text(&arrow, Role::Dim);
        }
        let targets = u32::try_from(self.tiles.len()).unwrap_or(u32::MAX);
        cells = cells.text(&counted(targets, "target"), Role::Text);
        let states = Cells::new(look).text(states, Role::Accent).gap(1);
        let uploads = self.tiles.iter().map(|tile| tile.progress.uploads());
        let (done, all) = uploads.fold((0, 0), |(done, all), row| {
            (done + row.settled.total(), all + row.planned)
        });
        let words = Cells::new(look)
            .right(&text::percent(done, all), 6, Role::Strong)
            .right(
                &format!("{} of {}", count(done), count(all)),
                20,
                Role::Text,
            )
            .right(&self.left().unwrap_or_default(), 22, Role::Strong)
            .gap(1)
            .line();
        let room = width.saturating_sub(words.width() + 1);
        let bar = simple_bar(look, room, done, all.max(1));
        vec![
            cells.tail(states, width).line(),
            Cells::new(look).gap(1).spans(bar).spans(words.spans).line(),
        ]
    }

    /// The time that is left of the run that takes longest.
    fn left(&self) -> Option<String> {
        let etas = self
            .tiles
            .iter()
            .filter_map(|tile| tile.progress.eta(tile.view.now_ms));
        let longest = etas.max_by_key(|eta| eta.likely)?;
        Some(format!(
            "{} left",
            text::eta(&longest, self.look.sign(Sign::Dash))
        ))
    }

    /// The lines of one run, its lanes among them where there is room.
    fn tile_lines(
        &self,
        (at, tile): (usize, &Tile),
        lines: usize,
        width: usize,
    ) -> Vec<Line<'static>> {
        let Tile { progress, view } = tile;
        let look = self.look;
        let (sign, role) = header::status_sign(progress, view);
        let name = view.name.as_deref().unwrap_or_default();
        let mut cells = Cells::new(look).gap(1).text(name, Role::Strong).gap(2);
        if let Some(run) = progress.run() {
            cells = cells.text(run.target.as_str(), Role::Dim);
        }
        let failed = progress.total().failed();
        let mut status = Cells::new(look);
        if failed > 0 {
            status = status
                .text(&format!("{} failed", count(failed)), Role::Bad)
                .gap(2);
        }
        let words = format!(
            "{} {}",
            look.sign(sign),
            header::status_words(progress, view)
        );
        let status = status.text(&words, role).gap(1);
        let first = marked(cells.tail(status, width).line(), at == self.selected, look);
        let mut all = vec![first, header::second(progress, view, width)];
        if lines >= WITH_LANES {
            all.extend(lanes::alone(progress, view, width));
        }
        all
    }

    fn foot(&self, width: usize) -> Line<'static> {
        let all = [
            ("Enter", "open"),
            ("q", "drain all"),
            ("p", "pause all"),
            ("?", "help"),
        ];
        keys_line(self.look, all.into_iter(), width)
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::tests::{running, shown, view};
    use super::*;
    use crate::domain::{Secret, Token};
    use crate::event::Event;
    use crate::progress::script::Script;

    /// Targets with these names, each as far as its script.
    fn board(targets: &[(&str, Script)]) -> Board {
        let views = targets.iter().map(|(name, _)| {
            let mut view = view();
            view.name = Some((*name).to_owned());
            view
        });
        let mut board = Board::new(view().look, views.collect());
        for (tile, (_, script)) in board.tiles.iter_mut().zip(targets) {
            tile.progress = shown(script, &mut tile.view);
        }
        board
    }

    fn three() -> Board {
        let done = Script::start().finish(0);
        board(&[
            ("qa", running()),
            ("prod", Script::start()),
            ("client-a", done),
        ])
    }

    fn screen(board: &Board, size: (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        terminal.draw(|frame| board.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn press(board: &mut Board, code: KeyCode) -> Vec<ToRun> {
        let area = Rect::new(0, 0, 80, 24);
        board.input(&Input::Key(KeyEvent::from(code)), area)
    }

    #[test]
    fn all_targets_are_seen_with_their_lanes() {
        insta::assert_snapshot!("targets_80", screen(&three(), (80, 24)));
        insta::assert_snapshot!("targets_120", screen(&three(), (120, 40)));
    }

    #[test]
    fn the_selected_one_stays_in_sight_where_there_is_no_room_for_all() {
        let names: Vec<String> = (0..30).map(|at| format!("client-{at:02}")).collect();
        let targets: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), running()))
            .collect();
        let mut board = board(&targets);
        assert!(screen(&board, (80, 24)).contains("▸client-00"));
        press(&mut board, KeyCode::Char('G'));
        let last = screen(&board, (80, 24));
        assert!(
            last.contains("▸client-29") && !last.contains("client-00"),
            "{last}"
        );
        let small = screen(&board, (39, 9));
        assert!(small.contains("window too small"), "{small}");
    }

    #[test]
    fn a_target_is_opened_and_left_again() {
        let mut board = three();
        press(&mut board, KeyCode::Down);
        press(&mut board, KeyCode::Enter);
        let one = screen(&board, (100, 30));
        assert!(
            one.contains("lockgate  prod") && one.contains("Esc all targets"),
            "{one}"
        );
        press(&mut board, KeyCode::Char('?'));
        press(&mut board, KeyCode::Esc);
        assert_eq!(board.opened, Some(1), "it closed the help");
        press(&mut board, KeyCode::Esc);
        assert!(screen(&board, (100, 30)).contains("3 targets"));
    }

    #[test]
    fn keys_of_the_overview_reach_every_run_and_those_of_a_target_only_its_own() {
        let mut board = three();
        let quit = KeyCode::Char('q');
        let drained = press(&mut board, quit);
        assert_eq!(drained, [0, 1, 2].map(|at| (at, Command::Drain)));
        let mut board = three();
        press(&mut board, KeyCode::Enter);
        assert_eq!(press(&mut board, quit), [(0, Command::Drain)]);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        let all = board.input(&Input::Key(interrupt), Rect::new(0, 0, 80, 24));
        let expected = [Command::Abort, Command::Drain, Command::Drain];
        assert_eq!(all, expected.into_iter().enumerate().collect::<Vec<_>>());
    }

    #[test]
    fn pause_pauses_what_goes_on_and_then_resumes_all() {
        let done = || ("client-a", Script::start().finish(0));
        let paused = || running().event(Event::Paused);
        let space = KeyCode::Char(' ');
        let mut one = board(&[("qa", paused()), ("prod", running()), done()]);
        assert_eq!(press(&mut one, space), [(1, Command::Pause)]);
        let mut both = board(&[("qa", paused()), ("prod", paused()), done()]);
        let resumed = press(&mut both, space);
        assert_eq!(resumed, [(0, Command::Resume), (1, Command::Resume)]);
    }

    #[test]
    fn a_click_selects_and_a_second_one_opens() {
        let mut board = three();
        let click = |board: &mut Board| {
            let mouse = MouseEvent {
                kind: MouseEventKind::Down(MouseButton::Left),
                column: 5,
                row: 2 + 1 + 6 + 1,
                modifiers: KeyModifiers::NONE,
            };
            board.input(&Input::Mouse(mouse), Rect::new(0, 0, 80, 24));
        };
        click(&mut board);
        assert_eq!((board.selected, board.opened), (1, None));
        click(&mut board);
        assert_eq!(board.opened, Some(1));
    }

    /// In the overview the question was not asked: runs whose token had expired waited without a word.
    #[test]
    fn a_token_that_is_refused_is_asked_for_once_for_all_targets_that_have_it() {
        let refused = || {
            running()
                .event(Event::TokenRefused)
                .event(Event::Paused)
                .wait(2_000)
        };
        let mut board = board(&[
            ("qa", running()),
            ("prod", refused()),
            ("client-a", refused()),
            ("own", refused()),
        ]);
        let tokens: Vec<Token> = ["old", "old", "old", "other"]
            .map(|text| Token::new(Secret::new(text)))
            .to_vec();
        for (tile, token) in board.tiles.iter_mut().zip(&tokens) {
            tile.view.prompt.tokens = vec![token.clone()];
        }
        let asked = screen(&board, (80, 24));
        assert!(asked.contains("Target prod refuses the token"), "{asked}");
        for sign in "fresh".chars() {
            assert_eq!(press(&mut board, KeyCode::Char(sign)), []);
        }
        assert!(!screen(&board, (80, 24)).contains("fresh"));
        let commands = press(&mut board, KeyCode::Enter);
        assert_eq!(commands, [(1, Command::Resume), (2, Command::Resume)]);
        let held = |at: usize| tokens[at].current();
        assert_eq!([0, 1, 2].map(held), [0; 3].map(|_| Secret::new("fresh")));
        assert_eq!(held(3), Secret::new("other"));
        let next = screen(&board, (80, 24));
        assert!(next.contains("Target own refuses the token"), "{next}");
        // Put aside, the keys are those of the overview again, and Ctrl-C ends all runs at any time.
        press(&mut board, KeyCode::Esc);
        assert!(!screen(&board, (80, 24)).contains("refuses the token"));
        assert_eq!(press(&mut board, KeyCode::Char('q')).len(), 4);
    }
}
