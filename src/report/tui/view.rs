//! What the user has set on the screen, and what the keys do.

use crossterm::event::{KeyCode, KeyEvent};

use super::course::Course;
use super::keys::{self, Act, INTERRUPT, On};
use super::lists;
use super::log::{Log, LogLine};
use super::prompt::Prompt;
use super::requests::Requests;
use super::search::{Search, Typed};
use super::sheet::{Open, Sheets};
use super::theme::{Look, Theme};
use crate::event::{Command, Playback};
use crate::progress::Progress;
use crate::report::Watch;
use crate::report::lookup::Question;
use crate::report::note::Weight;

/// The slowest and the fastest replay.
pub(crate) const SPEEDS: (f64, f64) = (0.01, 100_000.0);

/// A part of the screen that can have the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    /// The event log.
    Log,
    /// Failures by cause.
    Failures,
    /// Batches that the target works off.
    Batches,
    /// The latest requests.
    Requests,
    /// The gates.
    Gates,
    /// The lanes.
    Lanes,
}

impl Pane {
    /// In the order of the Tab key.
    pub(crate) const ALL: [Self; 6] = [
        Self::Log,
        Self::Failures,
        Self::Batches,
        Self::Requests,
        Self::Gates,
        Self::Lanes,
    ];

    fn next(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::ALL.len()]
    }
}

/// Which lines of the log are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// What a user needs to know.
    Normal,
    /// What went wrong or needs attention.
    Problems,
    /// Everything.
    Everything,
}

impl Filter {
    const fn next(self) -> Self {
        match self {
            Self::Normal => Self::Problems,
            Self::Problems => Self::Everything,
            Self::Everything => Self::Normal,
        }
    }

    /// The name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Problems => "problems",
            Self::Everything => "everything",
        }
    }

    const fn lightest(self) -> Weight {
        match self {
            Self::Normal => Weight::Info,
            Self::Problems => Weight::Caution,
            Self::Everything => Weight::Detail,
        }
    }
}

/// How far the user has asked the run to end; it only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    NotAsked,
    Drain,
    Abort,
}

/// Everything on the screen that is not progress.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The name of the run, where it is one of several.
    pub(crate) name: Option<String>,
    /// How it is drawn.
    pub(crate) look: Look,
    /// The present moment in milliseconds since the start of the run.
    pub(crate) now_ms: u64,
    /// Whether the help is over everything else.
    pub(crate) help: bool,
    /// The pane that the arrow keys move in.
    pub(crate) focus: Pane,
    /// The filter of the log.
    pub(crate) filter: Filter,
    /// What the user asked for.
    pub(crate) ending: Ending,
    /// The cap on requests per second that the user asked for.
    pub(crate) rate: Option<f64>,
    /// What is watched. The speed is that which the user asked for.
    pub(crate) watch: Watch,
    /// Whether a replay is paused.
    pub(crate) is_held: bool,
    /// The question for a token.
    pub(crate) prompt: Prompt,
    /// The selected row of each pane; `None` as long as none was.
    selected: [Option<usize>; Pane::ALL.len()],
    /// What was opened over the lists.
    pub(crate) sheets: Sheets,
    /// The entities and what is typed to find one.
    pub(crate) search: Search,
    /// The log.
    pub(crate) log: Log,
    /// The latest requests.
    pub(crate) requests: Requests,
    /// How the run went over time.
    pub(crate) course: Course,
}

impl View {
    /// A screen on which nothing was touched.
    pub(crate) fn new(look: Look, watch: Watch) -> Self {
        Self {
            name: None,
            look,
            watch,
            is_held: false,
            now_ms: 0,
            help: false,
            focus: Pane::Log,
            filter: Filter::Normal,
            ending: Ending::NotAsked,
            rate: None,
            prompt: Prompt::default(),
            selected: [None; Pane::ALL.len()],
            sheets: Sheets::default(),
            search: Search::default(),
            log: Log::default(),
            requests: Requests::default(),
            course: Course::default(),
        }
    }

    /// The lines that the filter lets pass, newest first.
    pub(crate) fn shown_log(&self) -> Vec<&LogLine> {
        self.log.newest_first(self.filter.lightest())
    }

    /// The selected row of a pane of so many, unless there are none; without a choice of the user it is `first`.
    pub(crate) fn selected(&self, pane: Pane, rows: usize, first: usize) -> Option<usize> {
        let last = rows.checked_sub(1)?;
        Some(self.selected[pane as usize].unwrap_or(first).min(last))
    }

    /// Gives the focus to a pane, and selects a row of it.
    pub(crate) const fn select(&mut self, pane: Pane, row: usize) {
        self.focus = pane;
        self.selected[pane as usize] = Some(row);
    }

    /// What has to be known for what is shown and is not, or not as of now.
    pub(crate) fn question(&self) -> Option<Question> {
        self.search
            .question()
            .or_else(|| self.sheets.question(self.now_ms))
    }

    /// What a key does; a command is what it asks of the run.
    pub(crate) fn key(&mut self, key: KeyEvent, progress: &Progress) -> Option<Command> {
        let code = keys::pressed(key)?;
        if code != INTERRUPT {
            if self.watch == Watch::Run && self.asks_for_token(progress) {
                return self.prompt.key(code).then_some(Command::Resume);
            }
            if self.search.is_typed() {
                self.typed(code);
                return None;
            }
        }
        self.act(keys::act(code, On::of(self.watch))?, progress)
    }

    /// Whether Esc would close nothing.
    pub(crate) fn has_nothing_open(&self, progress: &Progress) -> bool {
        let is_typed = self.search.is_typed() || self.search.is_list();
        !(is_typed || self.help || self.sheets.top().is_some() || self.asks_for_token(progress))
    }

    fn act(&mut self, act: Act, progress: &Progress) -> Option<Command> {
        self.search.notice = None;
        match act {
            Act::Help => self.help = !self.help,
            Act::Pause => return self.pause(progress),
            Act::Quit => return self.quit(progress),
            Act::Up => return self.change(progress, Change::Up),
            Act::Down => return self.change(progress, Change::Down),
            Act::Seek(ms) => return Some(Command::Play(Playback::Seek(ms))),
            Act::Focus(steps) => self.focus = self.focus.next(steps),
            Act::Move(rows) => self.move_by(rows, progress),
            Act::First => self.move_to(0),
            Act::Last => self.move_to(usize::MAX),
            Act::Open => self.open(progress),
            Act::Back => self.back(),
            Act::Search => self.search.begin(Typed::Search),
            Act::Jump => self.search.begin(Typed::Jump),
            Act::Hit(steps) => self.sheets.show_hit(self.search.hit(steps)),
            Act::Filter => self.filter = self.filter.next(),
            Act::Theme => self.look.theme = self.look.theme.next(),
        }
        None
    }

    /// Takes a key into what is typed, and opens what was found.
    fn typed(&mut self, code: KeyCode) {
        if let Some(key) = self.search.key(code) {
            self.sheets.open(Open::Entity(key));
        }
    }

    /// Opens what is selected: in a sheet, or in the list with the focus.
    pub(crate) fn open(&mut self, progress: &Progress) {
        let open = match self.sheets.top() {
            Some(_) => self.sheets.selected(progress, self),
            None => lists::selected(progress, self),
        };
        if let Some(open) = open {
            self.sheets.open(open);
        }
    }

    /// Takes away the help, or what was opened last.
    fn back(&mut self) {
        if self.help {
            self.help = false;
        } else {
            self.sheets.close();
        }
    }

    /// Down is away from the first row, which in the log is the newest.
    pub(crate) fn move_by(&mut self, rows: isize, progress: &Progress) {
        let count = match self.sheets.top() {
            Some(_) => self.sheets.rows(progress, self),
            None => lists::length(self.focus, progress, self),
        };
        let Some(last) = count.checked_sub(1) else {
            return;
        };
        let now = match self.sheets.top() {
            Some(sheet) => sheet.row.min(last),
            None => lists::selected_row(self.focus, progress, self).unwrap_or(0),
        };
        self.move_to(now.saturating_add_signed(rows).min(last));
    }

    fn move_to(&mut self, row: usize) {
        match self.sheets.top_mut() {
            Some(sheet) => sheet.row = row,
            None => self.select(self.focus, row),
        }
    }

    fn pause(&mut self, progress: &Progress) -> Option<Command> {
        match self.watch {
            Watch::Run | Watch::Attached => pause(progress),
            Watch::Replay { .. } => {
                self.is_held = !self.is_held;
                Some(if self.is_held {
                    Command::Pause
                } else {
                    Command::Resume
                })
            }
        }
    }

    fn quit(&mut self, progress: &Progress) -> Option<Command> {
        match self.watch {
            Watch::Run => self.end(progress),
            Watch::Attached | Watch::Replay { .. } => Some(Command::Drain),
        }
    }

    /// Changes the cap of a run, or the speed of a replay.
    fn change(&mut self, progress: &Progress, change: Change) -> Option<Command> {
        match (self.watch, change) {
            (Watch::Run | Watch::Attached, change) => self.change_rate(progress, change),
            (Watch::Replay { speed }, Change::Up) => Some(self.change_speed(speed * 2.0)),
            (Watch::Replay { speed }, Change::Down) => Some(self.change_speed(speed / 2.0)),
        }
    }

    fn change_speed(&mut self, speed: f64) -> Command {
        let speed = speed.clamp(SPEEDS.0, SPEEDS.1);
        self.watch = Watch::Replay { speed };
        Command::Play(Playback::Speed(speed))
    }

    /// Whether the keys go into the question for a token.
    pub(crate) fn asks_for_token(&self, progress: &Progress) -> bool {
        self.prompt.is_open(progress.needs_token()) && self.ending == Ending::NotAsked
    }

    /// Drains, or aborts when the run drains already, whatever the reason.
    fn end(&mut self, progress: &Progress) -> Option<Command> {
        if progress.draining().is_some() {
            self.ending = self.ending.max(Ending::Drain);
        }
        let (ending, command) = match self.ending {
            Ending::NotAsked => (Ending::Drain, Some(Command::Drain)),
            Ending::Drain => (Ending::Abort, Some(Command::Abort)),
            Ending::Abort => (Ending::Abort, None),
        };
        self.ending = ending;
        command
    }

    fn change_rate(&mut self, progress: &Progress, change: Change) -> Option<Command> {
        let known = progress.pace().back();
        let known = known.map(|pace| pace.limit_per_second.unwrap_or(pace.per_second));
        let base = self.rate.or(known)?.round();
        let rate = changed(base, change);
        self.rate = Some(rate);
        Some(Command::SetRate(Some(rate)))
    }
}

/// A step of the rate cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Up,
    Down,
}

/// The next cap: in steps of 1 below 10, of 5 below 50, then of 10; never below 1.
fn changed(base: f64, change: Change) -> f64 {
    let step = |below_ten: bool, below_fifty: bool| match (below_ten, below_fifty) {
        (true, _) => 1.0,
        (false, true) => 5.0,
        (false, false) => 10.0,
    };
    match change {
        Change::Up => base + step(base < 10.0, base < 50.0),
        Change::Down => (base - step(base <= 10.0, base <= 50.0)).max(1.0),
    }
}

fn pause(progress: &Progress) -> Option<Command> {
    if progress.exit().is_some() {
        return None;
    }
    Some(if progress.is_paused() {
        Command::Resume
    } else {
        Command::Pause
    })
}

/// The look at the start: `color` off leaves out colours.
pub(crate) const fn look(color: bool, ascii: bool) -> Look {
    let theme = if color { Theme::Dark } else { Theme::Mono };
    Look { theme, ascii }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyEventKind, KeyModifiers};

    use super::super::log::LOG;
    use super::*;
    use crate::domain::Kind;
    use crate::event::Event;
    use crate::progress::script::Script;
    use crate::report::note::Note;

    fn view() -> View {
        View::new(look(true, false), Watch::Run)
    }

    fn press(view: &mut View, code: KeyCode, script: &Script) -> Option<Command> {
        view.key(KeyEvent::from(code), &script.fold())
    }

    #[test]
    fn the_first_q_drains_and_the_second_aborts() {
        let (mut view, script) = (view(), Script::start());
        assert_eq!(
            press(&mut view, KeyCode::Char('q'), &script),
            Some(Command::Drain)
        );
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.key(interrupt, &script.fold()), Some(Command::Abort));
        assert_eq!(press(&mut view, KeyCode::Char('q'), &script), None);
        assert_eq!(press(&mut view, KeyCode::Char('c'), &script), None);
    }

    #[test]
    fn q_aborts_a_run_that_drains_already() {
        let reason = "terminated".to_owned();
        let script = Script::start().event(Event::DrainStarted {
            reason,
            in_flight: 1,
        });
        assert_eq!(
            press(&mut view(), KeyCode::Char('q'), &script),
            Some(Command::Abort)
        );
    }

    #[test]
    fn p_and_space_pause_and_resume() {
        let (mut view, script) = (view(), Script::uploading(&[(Kind::Model, 1)]));
        assert_eq!(
            press(&mut view, KeyCode::Char('p'), &script),
            Some(Command::Pause)
        );
        let script = script.event(Event::Paused);
        assert_eq!(
            press(&mut view, KeyCode::Char(' '), &script),
            Some(Command::Resume)
        );
        let script = script.finish(0);
        assert_eq!(press(&mut view, KeyCode::Char(' '), &script), None);
    }

    #[test]
    fn plus_and_minus_move_the_cap_from_where_it_is() {
        let (mut view, script) = (view(), Script::start());
        assert_eq!(press(&mut view, KeyCode::Char('+'), &script), None);
        let script = script.pace(9.0, 4, 30.0);
        let set = |rate| Some(Command::SetRate(Some(rate)));
        assert_eq!(press(&mut view, KeyCode::Char('+'), &script), set(15.0));
        assert_eq!(press(&mut view, KeyCode::Char('-'), &script), set(10.0));
        assert_eq!(press(&mut view, KeyCode::Char('-'), &script), set(9.0));
        view.rate = Some(1.0);
        assert_eq!(press(&mut view, KeyCode::Char('-'), &script), set(1.0));
    }

    #[test]
    fn a_replay_is_paused_sped_up_and_wound_by_its_keys() {
        let replay = Watch::Replay { speed: 10.0 };
        let (mut view, script) = (View::new(look(true, false), replay), Script::start());
        let mut press = |code| press(&mut view, code, &script);
        assert_eq!(press(KeyCode::Char(' ')), Some(Command::Pause));
        assert_eq!(press(KeyCode::Char('p')), Some(Command::Resume));
        let play = |play| Some(Command::Play(play));
        assert_eq!(press(KeyCode::Char('+')), play(Playback::Speed(20.0)));
        assert_eq!(press(KeyCode::Char('-')), play(Playback::Speed(10.0)));
        assert_eq!(press(KeyCode::Left), play(Playback::Seek(-10_000)));
        assert_eq!(press(KeyCode::Char(']')), play(Playback::Seek(60_000)));
        assert_eq!(press(KeyCode::Char('q')), Some(Command::Drain));
    }

    /// A key that would pause the run was answered by a warning in its log.
    #[test]
    fn a_run_of_another_process_is_only_watched() {
        let (mut view, script) = (
            View::new(look(true, false), Watch::Attached),
            Script::start(),
        );
        for key in ['p', '+', '-', ' '] {
            assert_eq!(press(&mut view, KeyCode::Char(key), &script), None);
        }
        assert_eq!(
            press(&mut view, KeyCode::Char('q'), &script),
            Some(Command::Drain)
        );
    }

    #[test]
    fn a_released_key_does_nothing() {
        let mut key = KeyEvent::from(KeyCode::Char('q'));
        key.kind = KeyEventKind::Release;
        assert_eq!(view().key(key, &Progress::new()), None);
    }

    #[test]
    fn the_selection_stays_inside_the_rows_and_goes_to_both_ends() {
        let (mut view, script) = (view(), Script::start());
        for at_ms in 0..100 {
            view.log.push(line(at_ms, Weight::Info));
        }
        let row = |view: &View| view.selected(Pane::Log, 100, 0);
        press(&mut view, KeyCode::Up, &script);
        assert_eq!(row(&view), Some(0));
        press(&mut view, KeyCode::PageDown, &script);
        press(&mut view, KeyCode::Char('j'), &script);
        assert_eq!(row(&view), Some(11));
        press(&mut view, KeyCode::Char('G'), &script);
        press(&mut view, KeyCode::Down, &script);
        assert_eq!(row(&view), Some(99));
        press(&mut view, KeyCode::Char('g'), &script);
        assert_eq!(row(&view), Some(0));
        assert_eq!(view.selected(Pane::Log, 0, 0), None);
        press(&mut view, KeyCode::Tab, &script);
        assert_eq!(view.focus, Pane::Failures);
        press(&mut view, KeyCode::BackTab, &script);
        assert_eq!(view.focus, Pane::Log);
    }

    fn line(at_ms: u64, weight: Weight) -> LogLine {
        let text = String::new();
        let note = Note { weight, text };
        LogLine { at_ms, note }
    }

    /// Details, which are not shown as a rule, had pushed out the lines that are.
    #[test]
    fn the_log_is_filtered_and_bounded_and_details_push_out_nothing_else() {
        let mut view = view();
        for at_ms in 0..6_000 {
            let weight = if at_ms % 60 == 0 {
                Weight::Bad
            } else {
                Weight::Detail
            };
            view.log.push(line(at_ms, weight));
        }
        assert_eq!(view.shown_log().len(), 100);
        assert_eq!(view.shown_log()[0].at_ms, 5_940);
        assert_eq!(view.shown_log()[99].at_ms, 0);
        press(&mut view, KeyCode::Char('l'), &Script::start());
        press(&mut view, KeyCode::Char('l'), &Script::start());
        assert_eq!(view.filter.name(), "everything");
        let all = view.shown_log();
        assert_eq!(all.len(), LOG + 100);
        assert_eq!((all[0].at_ms, all[59].at_ms), (5_999, 5_940));
    }

    #[test]
    fn lines_that_waited_come_after_those_that_are_there_and_in_order() {
        let (mut log, mut waited) = (Log::default(), Log::default());
        log.push(line(1, Weight::Info));
        for (at_ms, weight) in [(2, Weight::Detail), (3, Weight::Bad), (4, Weight::Detail)] {
            waited.push(line(at_ms, weight));
        }
        log.append(waited);
        let all = log.newest_first(Weight::Detail);
        let times: Vec<u64> = all.iter().map(|line| line.at_ms).collect();
        assert_eq!(times, [4, 3, 2, 1]);
    }
}
