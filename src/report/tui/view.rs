//! What the user has set on the screen, and what the keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::log::{LOG, Log, LogLine};
use super::prompt::Prompt;
use super::theme::{Look, Theme};
use crate::event::{Command, Playback};
use crate::progress::Progress;
use crate::report::Watch;
use crate::report::note::Weight;

/// How far the arrow keys go in a replay, in milliseconds of the run.
pub(crate) const STEP_MS: i64 = 10_000;

/// How far the brackets go.
pub(crate) const LEAP_MS: i64 = 60_000;

/// The slowest and the fastest replay.
pub(crate) const SPEEDS: (f64, f64) = (0.01, 100_000.0);

/// A part of the screen that can be scrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    /// The event log.
    Log,
    /// Failures by cause.
    Failures,
    /// Batches that the target works off.
    Batches,
    /// The gates.
    Gates,
}

impl Pane {
    /// In the order of the Tab key.
    const ALL: [Self; 4] = [Self::Log, Self::Failures, Self::Batches, Self::Gates];

    fn next(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::ALL.len()]
    }
}

/// Which lines of the log are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// What a person wants to know.
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
    /// How it is drawn.
    pub(crate) look: Look,
    /// The present moment in milliseconds since the start of the run.
    pub(crate) now_ms: u64,
    /// Whether the help is over everything else.
    pub(crate) help: bool,
    /// The pane that the arrow keys scroll.
    pub(crate) focus: Pane,
    /// The filter of the log.
    pub(crate) filter: Filter,
    /// What the user asked for.
    pub(crate) ending: Ending,
    /// The cap on requests per second that the user asked for.
    pub(crate) rate: Option<f64>,
    /// What is watched. The speed is that which the user asked for.
    pub(crate) watch: Watch,
    /// Whether a replay was told to stand still.
    pub(crate) is_held: bool,
    /// The question for a token.
    pub(crate) prompt: Prompt,
    scroll: [usize; Pane::ALL.len()],
    /// The log.
    pub(crate) log: Log,
}

impl View {
    /// A screen on which nothing was touched.
    pub(crate) fn new(look: Look, watch: Watch) -> Self {
        Self {
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
            scroll: [0; Pane::ALL.len()],
            log: Log::default(),
        }
    }

    /// The lines that the filter lets pass, newest first.
    pub(crate) fn shown_log(&self) -> Vec<&LogLine> {
        self.log.newest_first(self.filter.lightest())
    }

    /// How many rows of a pane are scrolled away, at most so many that `height` of `rows` remain.
    pub(crate) fn scrolled(&self, pane: Pane, rows: usize, height: usize) -> usize {
        self.scroll[pane as usize].min(rows.saturating_sub(height))
    }

    /// What a key does; a command is what it asks of the run.
    pub(crate) fn key(&mut self, key: KeyEvent, progress: &Progress) -> Option<Command> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match (key.code, self.watch) {
                (KeyCode::Char('c'), Watch::Run) => self.end(progress),
                (KeyCode::Char('c'), Watch::Attached | Watch::Replay { .. }) => {
                    Some(Command::Drain)
                }
                _ => None,
            };
        }
        match self.watch {
            Watch::Run => self.key_of_run(key.code, progress),
            Watch::Attached => self.key_of_view(key.code),
            Watch::Replay { speed } => self.key_of_replay(key.code, speed),
        }
    }

    fn key_of_run(&mut self, code: KeyCode, progress: &Progress) -> Option<Command> {
        if self.asks_for_token(progress) {
            return self.prompt.key(code).then_some(Command::Resume);
        }
        match code {
            KeyCode::Char('q') => self.end(progress),
            KeyCode::Char('p' | ' ') => pause(progress),
            KeyCode::Char('+' | '=') => self.change_rate(progress, Change::Up),
            KeyCode::Char('-' | '_') => self.change_rate(progress, Change::Down),
            code => self.key_of_view(code),
        }
    }

    fn key_of_replay(&mut self, code: KeyCode, speed: f64) -> Option<Command> {
        let seek = |ms| Some(Command::Play(Playback::Seek(ms)));
        match code {
            KeyCode::Char('p' | ' ') => {
                self.is_held = !self.is_held;
                Some(if self.is_held {
                    Command::Pause
                } else {
                    Command::Resume
                })
            }
            KeyCode::Char('+' | '=') => Some(self.change_speed(speed * 2.0)),
            KeyCode::Char('-' | '_') => Some(self.change_speed(speed / 2.0)),
            KeyCode::Left => seek(-STEP_MS),
            KeyCode::Right => seek(STEP_MS),
            KeyCode::Char('[') => seek(-LEAP_MS),
            KeyCode::Char(']') => seek(LEAP_MS),
            code => self.key_of_view(code),
        }
    }

    fn change_speed(&mut self, speed: f64) -> Command {
        let speed = speed.clamp(SPEEDS.0, SPEEDS.1);
        self.watch = Watch::Replay { speed };
        Command::Play(Playback::Speed(speed))
    }

    /// The keys that change what is on the screen, and the one that closes it where nothing else is at stake.
    fn key_of_view(&mut self, code: KeyCode) -> Option<Command> {
        match code {
            KeyCode::Char('q') => return Some(Command::Drain),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.help = !self.help,
            KeyCode::Esc => self.help = false,
            KeyCode::Char('t') => self.look.theme = self.look.theme.next(),
            KeyCode::Char('l') => self.filter = self.filter.next(),
            KeyCode::Tab => self.focus = self.focus.next(1),
            KeyCode::BackTab => self.focus = self.focus.next(Pane::ALL.len() - 1),
            KeyCode::Down => self.move_by(1),
            KeyCode::Up => self.move_by(-1),
            KeyCode::PageDown => self.move_by(10),
            KeyCode::PageUp => self.move_by(-10),
            KeyCode::Home | KeyCode::Char('g') => self.scroll[self.focus as usize] = 0,
            KeyCode::End | KeyCode::Char('G') => self.scroll[self.focus as usize] = LOG,
            _ => {}
        }
        None
    }

    /// Whether the keys go into the question for a token.
    pub(crate) fn asks_for_token(&self, progress: &Progress) -> bool {
        self.prompt.is_open(progress.needs_token()) && self.ending == Ending::NotAsked
    }

    /// Down is away from the first row, which in the log is the newest.
    fn move_by(&mut self, rows: isize) {
        let scroll = &mut self.scroll[self.focus as usize];
        *scroll = scroll.saturating_add_signed(rows).min(LOG);
    }

    /// Drains, or aborts when the run drains already, whoever asked for it.
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
    fn scrolling_stays_inside_the_rows() {
        let (mut view, script) = (view(), Script::start());
        press(&mut view, KeyCode::Up, &script);
        assert_eq!(view.scrolled(Pane::Log, 100, 10), 0);
        press(&mut view, KeyCode::PageDown, &script);
        press(&mut view, KeyCode::Down, &script);
        assert_eq!(view.scrolled(Pane::Log, 100, 10), 11);
        assert_eq!(view.scrolled(Pane::Log, 15, 10), 5);
        assert_eq!(view.scrolled(Pane::Log, 5, 10), 0);
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
