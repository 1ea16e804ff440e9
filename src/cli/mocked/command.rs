//! `lockgate mock`: its commands.

use std::io::Write;

use clap::Subcommand;

use super::{generate, serve};
use crate::cli::stop;
use crate::error::{Error, ExitStatus};

/// Runs a local mock of the CMS APIs for dry runs and tests
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct MockArgs {
    #[command(subcommand)]
    command: MockCommand,
}

/// What the mock can do.
#[derive(Debug, Subcommand)]
enum MockCommand {
    Serve(Box<serve::ServeArgs>),
    Generate(generate::GenerateArgs),
}

/// Carries one of them out.
///
/// # Errors
/// [`Error`] when the server could not start or save its state, or an instance not be written.
pub(in crate::cli) async fn play(
    args: MockArgs,
    mut out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    match args.command {
        MockCommand::Serve(args) => serve::serve(*args, &mut out, stop::asked()).await?,
        MockCommand::Generate(args) => generate::run(&args, &mut out)?,
    }
    Ok(ExitStatus::Agreed)
}
