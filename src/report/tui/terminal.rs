//! The terminal while the dashboard has it.
//!
//! Whatever happens, the user gets the terminal back as it was: when the guard is dropped, and before a panic is
//! printed. Each step of giving it back is tried even if another failed. A panic anywhere in the
//! program takes the terminal from the dashboard, because its message would otherwise be lost behind the screen.

use std::io::{self, BufWriter, Stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;

/// Whether the dashboard has the terminal.
static HELD: AtomicBool = AtomicBool::new(false);

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
}

/// Goes to the alternate screen and wipes it: the first drawing leaves out what is blank, and some terminals show there
/// what was on it before.
fn enter(out: &mut impl io::Write) -> io::Result<()> {
    execute!(out, EnterAlternateScreen, Clear(ClearType::All), Hide)
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
    let screen = execute!(io::stderr(), LeaveAlternateScreen);
    let cursor = execute!(io::stderr(), Show);
    let mode = disable_raw_mode();
    screen.and(cursor).and(mode)
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
}
