//! What people and programs get to see of a run.
//!
//! ```text
//!  engine ─ events ─▶ run ─▶ Progress ─┬─▶ RunFolder   files of the run
//!    ▲                                 ├─▶ JsonLines   one event a line, standard output
//!    │                                 ├─▶ Plain       lines for people, standard error
//!    └───────── commands ──────────────┴── Dashboard   the screen; its keys become commands
//! ```
//!
//! [`run()`] owns the one [`Progress`](crate::progress::Progress) and hands each event to every reporter, in order and after
//! it has been folded in, so that all of them show the same numbers. No reporter calls the engine: what a user wants goes
//! back as a [`Command`](crate::event::Command). A reporter that fails, such as one whose pipe was closed, drains the run,
//! since no user can follow it any more; only the run folder, and lines whose reader takes no more, may fail without that.

/// Appends formatted text to a string.
macro_rules! append {
    ($text:expr, $($format:tt)*) => {
        std::fmt::Write::write_fmt(&mut $text, format_args!($($format)*))
            .expect("a string takes every write")
    };
}

mod advice;
mod annotations;
mod closing;
mod deferred_dashboard;
mod fan_out;
pub mod graph;
mod html;
mod json_lines;
mod junit;
mod labelled;
mod lists;
pub mod lookup;
mod note;
mod options;
pub mod overview;
mod patient;
mod plain;
mod run_folder;
mod step_summary;
mod table;
mod text;
mod tui;

#[cfg(test)]
mod tests;

pub use advice::{FAILURE_CODES, UNPUBLISHED_CODE};
pub use annotations::Annotations;
pub use deferred_dashboard::Later;
pub use fan_out::{Reporter, WhenFailing, run};
pub use json_lines::JsonLines;
pub use labelled::{Label, labels};
pub(crate) use note::reading;
pub use options::{Detail, Mode, Options, Watch, reporters, result};
pub use patient::{last_words, tell};
pub use plain::{Plain, Style};
pub(crate) use run_folder::write_whole_at;
pub use run_folder::{
    Keep, Recorded, RunFolder, add_plan, is_abandoned, newest_run, newest_unfinished_run, recorded,
};
pub(crate) use text::{bytes, count_of};
pub use tui::{Dashboard, Place, Screen, Still, screen_size};
