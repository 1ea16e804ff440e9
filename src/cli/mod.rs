//! The command line: arguments, one file per command, and the wiring behind them.
//!
//! Flags that have a key in the configuration are kept as the text that the user typed. The configuration
//! reads them as it reads files and variables, so a complaint is the same wherever a value came from.

mod agree;
mod apply;
mod args;
mod completions;
mod config;
mod dispatch;
mod doctor;
mod ends;
mod explain;
mod front;
mod graph;
mod guard;
mod help;
mod init;
pub mod login;
mod man;
mod mappings;
#[cfg(feature = "mock")]
pub mod mocked;
#[cfg(not(feature = "mock"))]
mod not_mocked;
mod official;
mod overview;
mod pace;
mod pager;
mod pairs;
mod plain;
mod plan;
mod plan_file;
mod planning;
mod probe;
mod promote;
mod pull;
mod push;
mod records;
mod replay;
mod retry;
mod run_lookup;
mod runs;
mod screen;
mod session;
mod state;
mod stop;
mod sync;
mod table;
mod targets;
#[cfg(feature = "mock")]
#[cfg(test)]
mod tests;
mod together;
mod undo;
mod undo_plan;
mod verify;
mod webhooks;
mod why;
mod wiring;

use std::ffi::OsString;
use std::io::Write;

use clap::{FromArgMatches, Parser};

use self::dispatch::Command;
use crate::config::{self as settings, Environment, KEYS};
use crate::domain::{Secret, shown_lines};
use crate::error::{Error, ExitStatus};

pub use help::command;
pub use screen::stdout;

/// Moves a whole CMS instance into another one.
///
/// Every entity arrives once, with every reference pointing at the counterpart of what it pointed at. A run
/// may be interrupted at any moment and started again: nothing is lost, and nothing arrives twice.
#[derive(Debug, Parser)]
#[command(
    name = "lockgate",
    version = VERSION,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 110,
    after_help = after_help(),
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The version with the commit and the platform that it was built from and for.
const VERSION: &str = env!("VERSION_AND_BUILD");

/// First steps and exit codes.
fn after_help() -> String {
    let demo = if cfg!(feature = "mock") {
        "\n  lockgate demo                a migration between two mock instances, nothing real"
    } else {
        ""
    };
    format!("First steps:{demo}{FIRST_STEPS}")
}

const FIRST_STEPS: &str = "
  export LOCKGATE_TOKEN=…      a personal access token for both instances; or lockgate login
  lockgate init                writes lockgate.toml with the two instances
  lockgate doctor              checks access, locales, state and this machine
  lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u --dry-run
  lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u

Exit codes:
  0  nothing failed, nothing owed       4  state locked or damaged
  1  some entities failed or differ     5  conflicts skipped
  2  usage or configuration             6  changes, with plan --detailed-exitcode
  3  an instance unreachable,           70 a bug
     incomplete, or access refused      130 interrupted";

/// Reads the command line. Help, version and complaints are printed here.
///
/// # Errors
/// The status to end with when there is nothing to run: [`ExitStatus::Agreed`] after help and version,
/// [`ExitStatus::Usage`] after a complaint.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, ExitStatus> {
    let Some(arguments) = completions::unless_asked(arguments.into_iter().collect()) else {
        return Err(ExitStatus::Agreed);
    };
    let arguments = arguments.into_iter().map(plain::plain).collect();
    let command = help::command();
    let arguments = front::behind_the_command(&command, arguments);
    settings::learn_credentials(&Environment::of_process());
    learn_flags(&arguments);
    let matches = command.try_get_matches_from(arguments);
    matches
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .map_err(|error| {
            // A closed pipe is no reason to complain: the exit code says what happened.
            drop(complain(&error));
            if error.use_stderr() {
                ExitStatus::Usage
            } else {
                ExitStatus::Agreed
            }
        })
}

/// Makes the credentials on a command line known, of which the rest may be wrong.
fn learn_flags(arguments: &[OsString]) {
    let flags = KEYS
        .iter()
        .filter(|info| info.secret)
        .filter_map(|info| info.flag);
    for flag in flags {
        for (at, word) in arguments.iter().enumerate() {
            let word = word.to_string_lossy();
            let next = || arguments.get(at + 1).map(|next| next.to_string_lossy());
            let value = match word.strip_prefix(flag) {
                Some("") => next(),
                Some(rest) => rest.strip_prefix('=').map(Into::into),
                None => None,
            };
            drop(value.map(|value| Secret::new(&value)));
        }
    }
}

/// Prints help, or what is wrong with the command line. A token that was put in a wrong place is not repeated, and foreign
/// text that is quoted is made fit to be shown; such a complaint goes without colours.
fn complain(error: &clap::Error) -> std::io::Result<()> {
    let text = error.render().to_string();
    let clean = settings::shown(&text);
    let safe = shown_lines(&clean);
    if !error.use_stderr() || safe == text {
        return error.print();
    }
    std::io::stderr().write_all(safe.as_bytes())
}

/// Carries out a command. `out` is standard output, which gets data only.
///
/// # Errors
/// [`Error`], to be printed and turned into an exit code by the caller.
pub async fn run(arguments: Arguments, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    guard::guarded(Box::pin(dispatch::carry_out(arguments.command, out))).await
}
