//! The dashboard: what a run does, on one screen.
//!
//! [`draw`](draw::draw) is a function of progress and view and of nothing else, so every screen can be tested without a terminal; the
//! terminal itself, its thread and its keys are in `dashboard` and `terminal`. There are three layouts, for 80 by 24,
//! 100 by 30 and 150 by 40 and more; below 40 by 10 there is only a line of text.
//!
//! A row of each list can be opened ([`sheet`]): what is known of it comes from the progress, and of entities and batches from
//! the records of the run, which `clerk` asks the command for.

mod board;
mod cells;
mod clerk;
mod course;
mod dashboard;
mod details;
mod draw;
mod header;
mod help;
mod keys;
mod lanes;
mod layout;
mod lists;
mod log;
mod mouse;
mod outcomes;
mod pace;
mod popup;
mod prompt;
mod requests;
mod search;
mod sheet;
mod still;
mod terminal;
mod theme;
mod view;

#[cfg(test)]
mod open_tests;
#[cfg(test)]
mod tests;

pub use dashboard::{Dashboard, Place, Screen};
pub use still::Still;
pub use terminal::screen_size;
