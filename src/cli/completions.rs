//! `lockgate completions`: scripts for shells.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use crate::error::{Error, ExitStatus};

/// Prints a script that completes commands and flags in a shell
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate completions bash > ~/.local/share/bash-completion/completions/lockgate
  lockgate completions zsh > ~/.zfunc/_lockgate
  lockgate completions fish > ~/.config/fish/completions/lockgate.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// [`Error::Output`] when standard output is closed.
pub(super) fn run(
    args: &CompletionsArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut super::help::command(),
        "lockgate",
        &mut script,
    );
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitStatus::Agreed)
}
