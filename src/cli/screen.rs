//! Standard output, which gets nothing that steers a terminal.

use std::io::{self, Stdout};

use crate::domain::Screen;

/// Standard output; what is written to it is made fit to be shown.
pub fn stdout() -> Screen<Stdout> {
    Screen::new(io::stdout())
}
