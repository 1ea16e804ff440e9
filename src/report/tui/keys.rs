//! What each key does: the one table that the keys and the help are read from.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::report::Watch;

/// How far the arrow keys go in a replay, in milliseconds of the run.
const STEP_MS: i64 = 10_000;

/// How far the brackets go.
const LEAP_MS: i64 = 60_000;

/// Ctrl-C, as the character that it is.
pub(crate) const INTERRUPT: KeyCode = KeyCode::Char('\u{3}');

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Shows the help, or hides it.
    Help,
    /// Pauses what is shown, or resumes it.
    Pause,
    /// Drains the run, then aborts it; closes a view that reaches no run.
    Quit,
    /// Raises the cap on requests per second, or the speed of a replay.
    Up,
    /// Lowers it.
    Down,
    /// Goes by so many milliseconds of a recording.
    Seek(i64),
    /// Gives the focus to the list so many places further.
    Focus(usize),
    /// Moves the selection by so many rows.
    Move(isize),
    /// Selects the first row.
    First,
    /// Selects the last row.
    Last,
    /// Opens what is selected.
    Open,
    /// Closes what was opened last.
    Back,
    /// Begins to search.
    Search,
    /// Begins to name an entity.
    Jump,
    /// Opens the match so many places further.
    Hit(isize),
    /// Shows other lines of the log.
    Filter,
    /// Takes other colours.
    Theme,
}

/// What is on the screen where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Run,
    Attached,
    Replay,
    /// Several runs of this process, of which none is looked at alone.
    Targets,
}

impl On {
    const EVERYWHERE: &'static [Self] = &[Self::Run, Self::Attached, Self::Replay];
    const TARGETS_TOO: &'static [Self] = &[Self::Run, Self::Attached, Self::Replay, Self::Targets];

    /// The screen of one run.
    pub(crate) const fn of(watch: Watch) -> Self {
        match watch {
            Watch::Run => Self::Run,
            Watch::Attached => Self::Attached,
            Watch::Replay { .. } => Self::Replay,
        }
    }
}

/// Keys that belong together: a row of the help.
struct Binding {
    keys: &'static [(KeyCode, Act)],
    /// Other keys for the same, which the help does not name.
    also: &'static [(KeyCode, Act)],
    what: &'static str,
    on: &'static [On],
}

const fn binding(
    on: &'static [On],
    keys: &'static [(KeyCode, Act)],
    also: &'static [(KeyCode, Act)],
    what: &'static str,
) -> Binding {
    Binding {
        keys,
        also,
        what,
        on,
    }
}

/// As many lists as can have the focus, less one: a step back.
pub(crate) const LISTS_BACK: usize = super::view::Pane::ALL.len() - 1;

const fn char(sign: char, act: Act) -> (KeyCode, Act) {
    (KeyCode::Char(sign), act)
}

const TABLE: &[Binding] = &[
    binding(
        On::TARGETS_TOO,
        &[char('?', Act::Help), (KeyCode::F(1), Act::Help)],
        &[char('h', Act::Help)],
        "this help",
    ),
    binding(
        &[On::Run, On::Replay, On::Targets],
        &[char('p', Act::Pause), char(' ', Act::Pause)],
        &[],
        "pause, resume",
    ),
    binding(
        &[On::Run, On::Targets],
        &[char('q', Act::Quit), (INTERRUPT, Act::Quit)],
        &[],
        "finish requests in flight, then exit; again: abort",
    ),
    binding(
        &[On::Attached],
        &[char('q', Act::Quit), (INTERRUPT, Act::Quit)],
        &[],
        "close the view; the run goes on",
    ),
    binding(
        &[On::Replay],
        &[char('q', Act::Quit), (INTERRUPT, Act::Quit)],
        &[],
        "close the replay",
    ),
    binding(
        &[On::Run],
        &[char('+', Act::Up), char('-', Act::Down)],
        &[char('=', Act::Up), char('_', Act::Down)],
        "raise or lower the cap on requests per second",
    ),
    binding(
        &[On::Replay],
        &[char('+', Act::Up), char('-', Act::Down)],
        &[char('=', Act::Up), char('_', Act::Down)],
        "twice or half as fast",
    ),
    binding(
        &[On::Replay],
        &[
            (KeyCode::Left, Act::Seek(-STEP_MS)),
            (KeyCode::Right, Act::Seek(STEP_MS)),
        ],
        &[],
        "ten seconds of the run back or on",
    ),
    binding(
        &[On::Replay],
        &[
            char('[', Act::Seek(-LEAP_MS)),
            char(']', Act::Seek(LEAP_MS)),
        ],
        &[],
        "a minute back or on",
    ),
    binding(
        On::EVERYWHERE,
        &[
            (KeyCode::Tab, Act::Focus(1)),
            (KeyCode::BackTab, Act::Focus(LISTS_BACK)),
        ],
        &[],
        "next list, previous list",
    ),
    binding(
        On::TARGETS_TOO,
        &[(KeyCode::Up, Act::Move(-1)), (KeyCode::Down, Act::Move(1))],
        &[char('k', Act::Move(-1)), char('j', Act::Move(1))],
        "select the row above or below",
    ),
    binding(
        On::EVERYWHERE,
        &[
            (KeyCode::PageUp, Act::Move(-10)),
            (KeyCode::PageDown, Act::Move(10)),
        ],
        &[],
        "ten rows up or down",
    ),
    binding(
        On::TARGETS_TOO,
        &[char('g', Act::First), char('G', Act::Last)],
        &[(KeyCode::Home, Act::First), (KeyCode::End, Act::Last)],
        "first row, last row",
    ),
    binding(
        On::TARGETS_TOO,
        &[(KeyCode::Enter, Act::Open), (KeyCode::Esc, Act::Back)],
        &[],
        "open what is selected, go back",
    ),
    binding(
        On::EVERYWHERE,
        &[char('/', Act::Search)],
        &[],
        "search entities by name, key or path",
    ),
    binding(
        On::EVERYWHERE,
        &[char(':', Act::Jump)],
        &[],
        "jump to an entity by key or name",
    ),
    binding(
        On::EVERYWHERE,
        &[char('n', Act::Hit(1)), char('N', Act::Hit(-1))],
        &[],
        "next match, previous match",
    ),
    binding(
        On::EVERYWHERE,
        &[char('l', Act::Filter)],
        &[],
        "log: normal, problems, everything",
    ),
    binding(
        On::TARGETS_TOO,
        &[char('t', Act::Theme)],
        &[],
        "colours: dark, light, none",
    ),
];

/// The key that was pressed; Ctrl-C is a character of its own. `None` of a key that was let go, and of others with Ctrl.
pub(crate) fn pressed(key: KeyEvent) -> Option<KeyCode> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match (key.modifiers.contains(KeyModifiers::CONTROL), key.code) {
        (true, KeyCode::Char('c')) => Some(INTERRUPT),
        (true, _) => None,
        (false, code) => Some(code),
    }
}

/// What a key does there; `None` when nothing.
pub(crate) fn act(code: KeyCode, on: On) -> Option<Act> {
    let bound = TABLE.iter().filter(|binding| binding.on.contains(&on));
    let mut keys = bound.flat_map(|binding| binding.keys.iter().chain(binding.also));
    keys.find(|(key, _)| *key == code).map(|(_, act)| *act)
}

/// The rows of the help: the names of the keys and what they do.
pub(crate) fn help(on: On) -> impl Iterator<Item = (String, &'static str)> {
    let bound = TABLE.iter().filter(move |binding| binding.on.contains(&on));
    bound.map(|binding| {
        let names: Vec<String> = binding.keys.iter().map(|(key, _)| name(*key)).collect();
        (names.join(" "), binding.what)
    })
}

/// What stands on a key.
fn name(key: KeyCode) -> String {
    match key {
        INTERRUPT => "Ctrl-C".to_owned(),
        KeyCode::Char(' ') => "Space".to_owned(),
        KeyCode::BackTab => "Shift-Tab".to_owned(),
        KeyCode::PageUp => "PgUp".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREENS: [On; 4] = [On::Run, On::Attached, On::Replay, On::Targets];

    #[test]
    fn no_key_has_two_meanings_on_one_screen() {
        for on in SCREENS {
            let bound = TABLE.iter().filter(|binding| binding.on.contains(&on));
            let keys = bound.flat_map(|binding| binding.keys.iter().chain(binding.also));
            let mut seen = Vec::new();
            for (key, _) in keys {
                assert!(!seen.contains(key), "{key:?} on {on:?}");
                seen.push(*key);
            }
        }
    }

    #[test]
    fn the_help_names_the_keys_that_work() {
        let rows = |on| -> Vec<String> { help(on).map(|(keys, _)| keys).collect() };
        assert!(rows(On::Run).contains(&"+ -".to_owned()));
        assert!(!rows(On::Attached).contains(&"+ -".to_owned()));
        assert!(!rows(On::Targets).contains(&"/".to_owned()));
        assert!(rows(On::Replay).contains(&"Left Right".to_owned()));
        assert_eq!(act(KeyCode::Char('+'), On::Attached), None);
        assert_eq!(act(KeyCode::Left, On::Run), None);
        assert_eq!(act(KeyCode::Esc, On::Run), Some(Act::Back));
    }
}
