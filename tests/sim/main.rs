//! Whole histories of runs in virtual time: the real engine, planner, pacer and store between two instances in memory, in
//! one thread, drawn from a seed.
//!
//! ```text
//!   seed ──▶ history ──▶ stage: runs, crashes, commands, edits, takeovers ──▶ calm runs to the end
//!                                        │                                        │
//!                                        └──────────────▶ oracle ◀────────────────┘
//! ```
//!
//! The same seed gives the same history and the same trace, byte for byte: time is tokio's paused clock, the store works in
//! place, and nothing is drawn but from the seed. That is all that tools such as turmoil or madsim would bring for one
//! process without sockets, and they would replace the runtime that the program runs on.
//!
//! | file | holds |
//! |---|---|
//! | `args` | the command line |
//! | `history`, `edits`, `cut` | what happens, and what is taken out of it |
//! | `stage`, `play`, `process` | how it is played |
//! | `oracle` | the rules, checked against both instances and the store |
//! | `table`, `shrink`, `progress` | many seeds, and a smaller history that still fails |
//! | `planted` | bugs that have to be found |
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the table is what it is run for")]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../common/accounts.rs"]
mod accounts;
mod args;
mod cut;
#[expect(dead_code, unused_imports, reason = "other tests use the rest")]
#[path = "../common/double/mod.rs"]
mod double;
mod edits;
mod history;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../common/instances.rs"]
mod instances;
mod oracle;
#[cfg(feature = "planted-bugs")]
mod planted;
mod play;
mod process;
mod progress;
mod shrink;
mod stage;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    if args.is_left_out() {
        return ExitCode::SUCCESS;
    }
    if args.planted {
        return exit(measure(&args));
    }
    let is_fine = match args.seed {
        Some(seed) => table::replay(seed, &args),
        None => table::play_all(&args),
    };
    exit(is_fine)
}

#[cfg(feature = "planted-bugs")]
use planted::measure;

#[cfg(not(feature = "planted-bugs"))]
fn measure(_: &args::Args) -> bool {
    println!("no bug can be planted; add --features planted-bugs");
    false
}

fn exit(is_fine: bool) -> ExitCode {
    if is_fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
