//! The terminal while the dashboard has it.
//!
//! Whatever happens, the user gets the terminal back as it was: when the guard is dropped, and before a panic is
//! printed. Each step of giving it back is tried even if another failed. A panic anywhere in the
//! program takes the terminal from the dashboard, because its message would otherwise be lost behind the screen.

use std::io::{self, BufWriter, Stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};

use super::sheet::Anchor;

/// Whether the dashboard has the terminal.
static HELD: AtomicBool = AtomicBool::new(false);

/// Columns and rows of the terminal; `None` where that is not known.
pub fn screen_size() -> Option<(u16, u16)> {
    crossterm::terminal::size().ok()
}

/// Holds the terminal on standard error until dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    screen: ratatui::Terminal<CrosstermBackend<BufWriter<Stderr>>>,
}

impl Terminal {
    /// Takes the terminal: raw mode, alternate screen, no cursor.
    ///
    /// # Errors
    /// When a step fails; those before it are undone.
    pub(crate) fn take() -> io::Result<Self> {
        give_back_on_panic();
        HELD.store(true, Ordering::SeqCst);
        Self::prepare().inspect_err(|_| drop(give_back()))
    }

    fn prepare() -> io::Result<Self> {
        enable_raw_mode()?;
        enter(&mut io::stderr())?;
        let backend = CrosstermBackend::new(BufWriter::new(io::stderr()));
        let screen = ratatui::Terminal::new(backend)?;
        Ok(Self { screen })
    }

    /// Draws; only what changed is sent.
    ///
    /// # Errors
    /// When the terminal is gone, or was given back because of a panic.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if !HELD.load(Ordering::SeqCst) {
            return Err(io::Error::other("the screen was given back"));
        }
        self.screen.draw(draw)?;
        Ok(())
    }

    /// The size of the screen.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn area(&self) -> io::Result<Rect> {
        Ok(Rect::from((Position::ORIGIN, self.screen.size()?)))
    }

    /// Writes addresses that were drawn once more, as links (OSC 8). A terminal that has no links shows the text alone.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn link(&mut self, anchors: &[Anchor]) -> io::Result<()> {
        if anchors.is_empty() || !HELD.load(Ordering::SeqCst) {
            return Ok(());
        }
        link(self.screen.backend_mut(), anchors)
    }
}

fn link(out: &mut impl io::Write, anchors: &[Anchor]) -> io::Result<()> {
    // A locale comes from a server: in an address of anything but plain characters it could steer the terminal.
    let is_plain = |anchor: &&Anchor| anchor.url.bytes().all(|byte| byte.is_ascii_graphic());
    for Anchor { at, url } in anchors.iter().filter(is_plain) {
        let start = format!("\u{1b}]8;;{url}\u{1b}\\");
        queue!(
            out,
            MoveTo(at.0, at.1),
            Print(start),
            SetAttribute(Attribute::Underlined),
            Print(url),
            SetAttribute(Attribute::NoUnderline),
            Print("\u{1b}]8;;\u{1b}\\")
        )?;
    }
    out.flush()
}

/// Goes to the alternate screen and wipes it: the first drawing leaves out what is blank, and some terminals show there
/// what was on it before.
fn enter(out: &mut impl io::Write) -> io::Result<()> {
    execute!(
        out,
        EnterAlternateScreen,
        Clear(ClearType::All),
        EnableMouseCapture,
        Hide
    )
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(give_back());
    }
}

/// Gives the terminal back if the dashboard has it. Every step is tried; the first error is returned.
fn give_back() -> io::Result<()> {
    if !HELD.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let mouse = execute!(io::stderr(), DisableMouseCapture);
    let screen = execute!(io::stderr(), LeaveAlternateScreen);
    let cursor = execute!(io::stderr(), Show);
    let mode = disable_raw_mode();
    mouse.and(screen).and(cursor).and(mode)
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            drop(give_back());
            previous(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remains of what had been on the alternate screen stood between the columns.
    #[test]
    fn the_screen_is_wiped_before_anything_is_drawn_on_it() {
        let mut sent = Vec::new();
        enter(&mut sent).unwrap();
        let sent = String::from_utf8(sent).unwrap();
        let place = |code: &str| sent.find(code);
        assert!(place("\u{1b}[?1049h").is_some(), "{sent:?}");
        assert!(place("\u{1b}[?1049h") < place("\u{1b}[2J"), "{sent:?}");
    }

    #[test]
    fn an_address_cannot_steer_the_terminal() {
        let mut sent = Vec::new();
        let url = "https://example.org/en\u{1b}[2J/1".to_owned();
        link(&mut sent, &[Anchor { at: (0, 0), url }]).unwrap();
        assert_eq!(sent, b"");
    }

    #[test]
    fn an_address_is_written_where_it_stands_and_opens_itself() {
        let mut sent = Vec::new();
        let anchor = Anchor {
            at: (8, 4),
            url: "https://example.org/1".to_owned(),
        };
        link(&mut sent, &[anchor]).unwrap();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.starts_with("\u{1b}[5;9H"), "{sent:?}");
        let start = sent.find("\u{1b}]8;;https://example.org/1\u{1b}\\");
        let end = sent.find("\u{1b}]8;;\u{1b}\\");
        assert!(start.is_some() && start < end, "{sent:?}");
    }
}
