//! `lockgate demo`: the real thing between two mock instances.

use std::time::Duration;

use clap::Args;

use super::serve::ServeError;
use crate::cli::args::{Collected, EngineArgs, FileArgs, OutputArgs};
use crate::cli::ends::Ends;
use crate::cli::pairs;
use crate::cli::session::Work;
use crate::config::{Config, Given, GivenValue};
use crate::error::{Error, ExitStatus};
use crate::mock::file::{InstanceFile, StateFile};
use crate::mock::{self, BatchWork, Profile, Server};
use crate::store::Store;

/// Shows a migration between two mock instances on this machine; nothing outside this machine is changed
///
/// Starts a mock server with a filled and an empty instance, and runs the same code between them that
/// `lockgate sync` runs between real ones, verification included.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate demo
  lockgate demo --latency-ms 80 --item-ms 40     slowly enough to watch
  lockgate demo --output json")]
pub(in crate::cli) struct DemoArgs {
    /// How long the mock server waits before each answer
    #[arg(long, value_name = "MS", default_value_t = 20)]
    latency_ms: u32,
    /// How long the mock server takes for each item of a batch [default: 2]
    #[arg(long, value_name = "MS")]
    item_ms: Option<u32>,
    /// Mock server of a known character, such as parallel-instant; see `lockgate mock serve --help`
    #[arg(long, value_name = "NAME")]
    profile: Option<Profile>,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl DemoArgs {
    /// All layers, these flags on top. The instances come later, once the mock server reports its address.
    fn config(&self) -> Result<Config, Error> {
        let collected = self.engine.collect(Collected::default());
        self.file.load(self.output.collect(collected))
    }
}

/// The site that crosses in a demonstration.
const SITE: &str = include_str!("../../../fixtures/starter-site/source.json");
/// The instance that it crosses to.
const TARGET: &str = "5e6f7a8b-u";

/// Runs the demonstration.
///
/// # Errors
/// [`Error`] when it could not start or could not continue.
pub(in crate::cli) async fn run(args: DemoArgs) -> Result<ExitStatus, Error> {
    let config = args.config()?;
    let mut state: StateFile = serde_json::from_str(SITE)
        .map_err(|error| Error::Internal(format!("the built-in site is damaged: {error}")))?;
    let source = state.instances[0].guid.clone();
    let locales = state.instances[0].locales.clone();
    state.instances.push(InstanceFile {
        guid: TARGET.to_owned(),
        name: "Demo target".to_owned(),
        locales,
        ..InstanceFile::default()
    });
    let limit = args.profile.and_then(Profile::limit);
    let server = Server::start(mock::Options {
        state,
        latency: Duration::from_millis(args.latency_ms.into()),
        batches: batches(&args),
        rate_limit: limit.map(|(limit, _)| limit),
        rate_limit_kind: limit.map(|(_, kind)| kind).unwrap_or_default(),
        ..mock::Options::default()
    })
    .await
    .map_err(ServeError::from)?;
    let settings = config
        .with(&instances(&source, &server.base_url()))
        .settings()?;
    let ends = Ends::of(&settings)?;
    // A demonstration leaves no mappings behind: its target is gone when it ends.
    let store = Store::open_in_memory().await?;
    let work = Work::Sync {
        command: "demo",
        is_agreed: true,
    };
    let status = pairs::run(&settings, ends, store, work).await;
    server.stop().await;
    status.map(|(status, _)| status)
}

/// How the mock server processes batches.
fn batches(args: &DemoArgs) -> BatchWork {
    let usual = args.profile.map_or_else(
        || BatchWork {
            item_time: Duration::from_millis(2),
            ..BatchWork::default()
        },
        Profile::work,
    );
    let item = args.item_ms.map(|ms| Duration::from_millis(ms.into()));
    BatchWork {
        item_time: item.unwrap_or(usual.item_time),
        ..usual
    }
}

fn instances(source: &str, url: &str) -> Vec<Given> {
    let values = [
        ("source.guid", source),
        ("source.url", url),
        ("target.guid", TARGET),
        ("target.url", url),
        ("token", "demo-token-of-no-value"),
    ];
    let given = |(key, value): (&'static str, &str)| Given {
        key,
        origin: "the demonstration".to_owned(),
        value: GivenValue::Text(value.to_owned()),
    };
    values.map(given).to_vec()
}
