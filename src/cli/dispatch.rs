//! The commands, and which file carries out which.

use std::io::Write;

use clap::Subcommand;

#[cfg(feature = "mock")]
use super::mocked;
use super::{
    apply, completions, config, doctor, explain, graph, init, login, man, mappings, plan, probe,
    promote, pull, push, retry, runs, state, sync, undo, verify, webhooks, why,
};
use crate::error::{Error, ExitStatus};

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Sync(sync::SyncArgs),
    Promote(promote::PromoteArgs),
    Retry(retry::RetryArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Verify(verify::VerifyArgs),
    Pull(Box<pull::PullArgs>),
    Push(Box<push::PushArgs>),
    Undo(undo::UndoArgs),
    Graph(graph::GraphArgs),
    #[cfg(feature = "mock")]
    Demo(mocked::DemoArgs),
    #[cfg(feature = "mock")]
    Mock(mocked::MockArgs),
    Init(init::InitArgs),
    Login(Box<login::LoginArgs>),
    Logout(Box<login::LogoutArgs>),
    Doctor(Box<doctor::DoctorArgs>),
    Config(config::ConfigArgs),
    Mappings(mappings::MappingsArgs),
    Webhooks(webhooks::WebhooksArgs),
    State(state::StateArgs),
    Probe(Box<probe::ProbeArgs>),
    Runs(runs::RunsArgs),
    Why(why::WhyArgs),
    Explain(explain::ExplainArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
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
        Command::Sync(args) => sync::run(args.config()?.settings_of_each()?, out).await,
        Command::Promote(args) => promote::run(&args, out).await,
        Command::Retry(args) => retry::run(&args, out).await,
        Command::Verify(args) => verify::run(args.config()?.settings_of_each()?, out).await,
        Command::Pull(args) => pull::run(&args, out).await,
        Command::Push(args) => sync::run(args.config()?.settings_of_each()?, out).await,
        Command::Undo(args) => Box::pin(undo::run(&args, out)).await,
        Command::Plan(args) => plan::run(&args, out).await,
        Command::Apply(args) => Box::pin(apply::run(&args)).await,
        Command::Graph(args) => graph::run(&args, &args.settings()?, out).await,
        #[cfg(feature = "mock")]
        Command::Demo(args) => Box::pin(mocked::demo(args)).await,
        #[cfg(feature = "mock")]
        Command::Mock(args) => mocked::play(args, out).await,
        Command::Init(args) => Box::pin(init::run(&args, out)).await,
        Command::Login(args) => login::run(&args, out).await,
        Command::Logout(args) => login::run_logout(&args).await,
        Command::Doctor(args) => doctor::run(&args, out).await,
        Command::Config(args) => config::run(&args, out),
        Command::Mappings(args) => mappings::run(args, out).await,
        Command::Webhooks(args) => webhooks::run(args, out).await,
        Command::State(args) => state::run(args, out).await,
        Command::Probe(args) => probe::run(&args, out).await,
        Command::Runs(args) => runs::run(&args, out).await,
        Command::Why(args) => why::run(&args, out).await,
        Command::Explain(args) => explain::run(&args, out),
        Command::Completions(args) => completions::run(&args, out),
        Command::Man(args) => man::run(&args, out),
    }
}
