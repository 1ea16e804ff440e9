//! `lockgate demo`: the real thing between two mock instances.

use std::io::Write;

use clap::Args;

use super::args::{Collected, EngineArgs, FileArgs, OutputArgs};
use crate::config::Config;
use crate::error::{Error, ExitStatus};

/// Shows a migration between two mock instances on this machine; nothing real is touched
///
/// Starts a mock server with a filled and an empty instance, and runs the same code between them that
/// `lockgate sync` runs between real ones, verification included.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate demo
  lockgate demo --latency-ms 80 --item-ms 40     slowly enough to watch
  lockgate demo --output json")]
pub(super) struct DemoArgs {
    /// How long the mock server waits before each answer
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub(super) latency_ms: u32,
    /// How long the mock server takes for each item of a batch
    #[arg(long, value_name = "MS", default_value_t = 2)]
    pub(super) item_ms: u32,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl DemoArgs {
    /// All layers, these flags on top. The instances come later, once the mock server tells its address.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let collected = self.engine.collect(Collected::default());
        self.file.load(self.output.collect(collected))
    }
}

/// Runs the demonstration.
///
/// # Errors
/// [`Error`] when it could not start or could not go on.
#[expect(
    clippy::unused_async,
    reason = "the mock server that it waits for is wired in here"
)]
pub(super) async fn run(
    args: DemoArgs,
    config: Config,
    _out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    drop(config);
    Err(Error::Internal(format!(
        "the mock server ({} ms latency, {} ms per item) is not wired into this build",
        args.latency_ms, args.item_ms
    )))
}
