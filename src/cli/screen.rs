//! Standard output, which gets no credential and nothing that steers a terminal.

use std::io::{self, Stdout};

use crate::domain::{Redacting, Screen};

/// Standard output; credentials are taken out of what is written to it, and the rest is made fit to be shown.
pub fn stdout() -> Redacting<Screen<Stdout>> {
    Redacting::new(Screen::new(io::stdout()))
}
