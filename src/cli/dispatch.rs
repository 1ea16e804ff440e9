//! The commands, and which file carries out which.

use std::io::Write;

use clap::Subcommand;

use super::{
    apply, completions, config, demo, doctor, explain, generate, graph, init, man, mappings, mock,
    plan, retry, runs, stop, sync, undo, verify, why,
};
use crate::error::{Error, ExitStatus};

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Sync(sync::SyncArgs),
    Retry(retry::RetryArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Verify(verify::VerifyArgs),
    Undo(undo::UndoArgs),
    Graph(graph::GraphArgs),
    Demo(demo::DemoArgs),
    Mock(MockArgs),
    Init(init::InitArgs),
    Doctor(Box<doctor::DoctorArgs>),
    Config(config::ConfigArgs),
    Mappings(mappings::MappingsArgs),
    Runs(runs::RunsArgs),
    Why(why::WhyArgs),
    Explain(explain::ExplainArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Runs a local mock of the CMS APIs for dry runs and tests
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct MockArgs {
    #[command(subcommand)]
    command: MockCommand,
}

/// What the mock can do.
#[derive(Debug, Subcommand)]
pub(super) enum MockCommand {
    Serve(Box<mock::ServeArgs>),
    Generate(generate::GenerateArgs),
}

/// Carries out a command.
///
/// # Errors
/// [`Error`] of that command.
pub(super) async fn carry_out(
    command: Command,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    match command {
        Command::Sync(args) => sync::run(args.config()?.settings()?, out).await,
        Command::Retry(args) => retry::run(&args, out).await,
        Command::Verify(args) => verify::run(args.config()?.settings()?, out).await,
        Command::Undo(args) => undo::run(&args, out).await,
        Command::Plan(args) => plan::run(&args, out).await,
        Command::Apply(args) => apply::run(&args).await,
        Command::Graph(args) => graph::run(&args, &args.settings()?, out).await,
        Command::Demo(args) => {
            let config = args.config()?;
            demo::run(args, config).await
        }
        Command::Mock(args) => play(args.command, out).await,
        Command::Init(args) => init::run(&args),
        Command::Doctor(args) => doctor::run(&args, out).await,
        Command::Config(args) => config::run(&args, out),
        Command::Mappings(args) => mappings::run(args, out).await,
        Command::Runs(args) => runs::run(&args, out).await,
        Command::Why(args) => why::run(&args, out).await,
        Command::Explain(args) => explain::run(&args, out),
        Command::Completions(args) => completions::run(&args, out),
        Command::Man(args) => man::run(&args, out),
    }
}

async fn play(command: MockCommand, mut out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    match command {
        MockCommand::Serve(args) => mock::serve(*args, &mut out, stop::asked()).await?,
        MockCommand::Generate(args) => generate::run(&args, &mut out)?,
    }
    Ok(ExitStatus::Agreed)
}
