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
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
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
        execute!(io::stderr(), EnterAlternateScreen, Hide)?;
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
