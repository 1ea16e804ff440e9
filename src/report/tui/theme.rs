//! Colours and signs.
//!
//! Colour only repeats what a sign, a word or a number already says. The colours are the sixteen that every
//! terminal has, so they follow the user's own palette.

use ratatui::style::{Color, Modifier, Style};

/// A set of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// Without colours.
    Mono,
}

impl Theme {
    /// The one that comes after this.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Mono,
            Self::Mono => Self::Dark,
        }
    }
}

/// What a text is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// To be read.
    Text,
    /// To be read first.
    Strong,
    /// To be there without drawing the eye.
    Dim,
    /// To show what is active.
    Accent,
    /// For a good end.
    Good,
    /// For something that a person should know.
    Caution,
    /// For something that went wrong.
    Bad,
}

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Waiting,
    Running,
    Done,
    Failed,
    Paused,
    Slowed,
    Draining,
    Arrow,
    Focus,
    Nothing,
    Rule,
    BarDone,
    BarFlight,
    BarRest,
    Dash,
    Ellipsis,
}

/// How everything is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// The colours.
    pub(crate) theme: Theme,
    /// Whether only ASCII characters are used.
    pub(crate) ascii: bool,
}

impl Look {
    /// The style for a role.
    pub(crate) fn style(self, role: Role) -> Style {
        let plain = Style::new();
        match (self.theme, role) {
            (_, Role::Text) | (Theme::Mono, Role::Good | Role::Caution) => plain,
            (_, Role::Strong) | (Theme::Mono, Role::Accent | Role::Bad) => {
                plain.add_modifier(Modifier::BOLD)
            }
            (Theme::Mono, Role::Dim) => plain.add_modifier(Modifier::DIM),
            (Theme::Dark | Theme::Light, Role::Dim) => plain.fg(Color::DarkGray),
            (Theme::Dark, Role::Accent) => plain.fg(Color::Cyan),
            (Theme::Light, Role::Accent) => plain.fg(Color::Blue),
            (Theme::Dark | Theme::Light, Role::Good) => plain.fg(Color::Green),
            (Theme::Dark, Role::Caution) => plain.fg(Color::Yellow),
            (Theme::Light, Role::Caution) => plain.fg(Color::Magenta),
            (Theme::Dark, Role::Bad) => plain.fg(Color::LightRed),
            (Theme::Light, Role::Bad) => plain.fg(Color::Red),
        }
    }

    /// A sign as text.
    pub(crate) const fn sign(self, sign: Sign) -> &'static str {
        let (drawn, ascii) = match sign {
            Sign::Waiting => ("○", "o"),
            Sign::Running => ("●", "*"),
            Sign::Done => ("✓", "+"),
            Sign::Failed => ("✗", "x"),
            Sign::Paused => ("‖", "="),
            Sign::Slowed => ("◌", "~"),
            Sign::Draining => ("▽", "v"),
            Sign::Arrow => ("→", "->"),
            Sign::Focus => ("▸", ">"),
            Sign::Nothing => ("·", "."),
            Sign::Rule | Sign::BarRest => ("─", "-"),
            Sign::BarDone => ("━", "="),
            Sign::BarFlight => ("╍", ">"),
            Sign::Dash => ("–", "-"),
            Sign::Ellipsis => ("…", "~"),
        };
        if self.ascii { ascii } else { drawn }
    }

    /// The levels of a sparkline, lowest first.
    pub(crate) const fn levels(self) -> [&'static str; 8] {
        if self.ascii {
            ["_", ".", ",", "-", "=", "+", "*", "#"]
        } else {
            ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        }
    }
}
