//! Groups of flags that several commands share.

use std::path::PathBuf;

use clap::Args;

use super::ends::with_folder;
use crate::config::{Config, ConfigError, Environment, Given, GivenValue, Inputs, KEYS, Settings};
use crate::domain::RunId;
use crate::error::Error;

/// Collects what the command line sets.
#[derive(Default)]
pub(super) struct Collected(Vec<Given>);

impl Collected {
    /// Takes the text of a flag, if it was given.
    pub(super) fn text(mut self, key: &'static str, value: Option<&String>) -> Self {
        if let Some(text) = value {
            self.push(key, GivenValue::Text(text.clone()));
        }
        self
    }

    /// Takes the values of a flag that may be repeated.
    pub(super) fn list(mut self, key: &'static str, values: &[String]) -> Self {
        if !values.is_empty() {
            self.push(key, GivenValue::List(values.to_vec()));
        }
        self
    }

    /// Takes the values of a flag that is usually given once.
    fn one_or_more(self, key: &'static str, values: &[String]) -> Self {
        match values {
            [one] => self.text(key, Some(one)),
            all => self.list(key, all),
        }
    }

    /// Takes a switch that sets `key` to `value`.
    pub(super) fn switch(mut self, key: &'static str, is_given: bool, value: bool) -> Self {
        if is_given {
            self.push(key, GivenValue::Truth(value));
        }
        self
    }

    /// What was given, as the strongest layer.
    pub(super) fn given(self) -> Vec<Given> {
        self.0
    }

    /// What a run before was given, as the layer that says so.
    pub(super) fn of_run(self, run: &RunId) -> Vec<Given> {
        let mut given = self.0;
        for one in &mut given {
            one.origin = format!("run {run}");
        }
        given
    }

    fn push(&mut self, key: &'static str, value: GivenValue) {
        let flag = KEYS
            .iter()
            .find(|info| info.key == key)
            .and_then(|info| info.flag);
        let origin = format!("flag {}", flag.unwrap_or(key));
        self.0.push(Given { key, origin, value });
    }
}

/// Which configuration is read
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct FileArgs {
    /// Configuration file [default: lockgate.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Named set of defaults: ci or gentle
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// State database with ID mappings and run history: a path, sqlite:PATH or a PostgreSQL URL
    #[arg(long, value_name = "URL")]
    state: Option<String>,
    /// Where files of assets that runs replace are kept for undo: a path, or the URL of an S3 bucket
    #[arg(long, value_name = "URL")]
    blobs: Option<String>,
    /// Directory for the reports of runs
    #[arg(long, value_name = "DIR")]
    run_dir: Option<String>,
}

impl FileArgs {
    /// That of a command with a configuration file of its own.
    pub(super) fn of_config(path: PathBuf) -> Self {
        Self {
            config: Some(path),
            ..Self::default()
        }
    }

    /// That of a command with a place for files of assets.
    pub(super) fn of_blobs(blobs: Option<String>) -> Self {
        Self {
            blobs,
            ..Self::default()
        }
    }

    /// Merges all layers, with `collected` and the paths of this group on top.
    pub(super) fn load(&self, collected: Collected) -> Result<Config, Error> {
        let collected = collected
            .text("paths.state", self.state.as_ref())
            .text("paths.blobs", self.blobs.as_ref())
            .text("paths.runs", self.run_dir.as_ref());
        let config = Config::load(&Inputs {
            directory: std::env::current_dir().map_err(|source| ConfigError::File {
                path: ".".into(),
                source,
            })?,
            environment: Environment::of_process(),
            file: self.config.clone(),
            preset: self.preset.clone(),
            given: collected.given(),
        })?;
        with_folder(config)
    }
}

/// The instance that is read
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Instances")]
pub(super) struct SourceArgs {
    /// Instance to read from: a GUID, a name in [targets], or a folder that `lockgate pull` wrote (DIR or folder:DIR)
    #[arg(long, value_name = "GUID|NAME|DIR")]
    source: Option<String>,
    /// Base URL of the source's APIs, for mock servers and proxies
    #[arg(long, value_name = "URL")]
    source_url: Option<String>,
    /// Access token for the source alone
    #[arg(long, value_name = "TOKEN")]
    source_token: Option<String>,
}

impl SourceArgs {
    pub(super) fn collect(&self, collected: Collected) -> Collected {
        collected
            .text("source.guid", self.source.as_ref())
            .text("source.url", self.source_url.as_ref())
            .text("source.token", self.source_token.as_ref())
    }
}

/// The instance that is written to
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Instances")]
pub(super) struct TargetArgs {
    /// Instance to write to: a GUID, or a name in [targets]; sync, plan and verify take several
    #[arg(long, value_name = "GUID|NAME", value_delimiter = ',')]
    target: Vec<String>,
    /// Base URL of the target's APIs, for mock servers and proxies
    #[arg(long, value_name = "URL")]
    target_url: Option<String>,
    /// Access token for the target alone
    #[arg(long, value_name = "TOKEN")]
    target_token: Option<String>,
}

impl TargetArgs {
    pub(super) fn collect(&self, collected: Collected) -> Collected {
        collected
            .one_or_more("target.guid", &self.target)
            .text("target.url", self.target_url.as_ref())
            .text("target.token", self.target_token.as_ref())
    }
}

/// How an instance is accessed
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Instances")]
pub(super) struct AccessArgs {
    /// Access token for all instances; prefer the environment variable
    #[arg(long)]
    token: Option<String>,
    /// Host that may receive the token although only lockgate.toml or an earlier run names it
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    allow_host: Vec<String>,
    /// Send the token unencrypted where a base URL begins with http://
    #[arg(long)]
    allow_http: bool,
}

impl AccessArgs {
    pub(super) fn collect(&self, collected: Collected) -> Collected {
        collected
            .text("token", self.token.as_ref())
            .list("hosts.allow", &self.allow_host)
            .switch("hosts.allow_http", self.allow_http, true)
    }
}

/// The two instances
#[derive(Clone, Debug, Default, Args)]
pub(super) struct InstanceArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    access: AccessArgs,
}

impl InstanceArgs {
    /// The instances that were named: the source, and the targets.
    pub(super) fn named(&self) -> (Option<&str>, &[String]) {
        (self.source.source.as_deref(), &self.target.target)
    }

    /// The same ways to other instances.
    pub(super) fn between(&self, source: &str, target: &str) -> Self {
        let mut other = self.clone();
        other.source.source = Some(source.to_owned());
        other.target.target = vec![target.to_owned()];
        other
    }

    pub(super) fn collect(&self, collected: Collected) -> Collected {
        let collected = self.target.collect(self.source.collect(collected));
        self.access.collect(collected)
    }
}

/// Flags of commands about targets alone.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct TargetOnlyArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl TargetOnlyArgs {
    pub(super) fn config(&self) -> Result<Config, Error> {
        let collected = self.target.collect(Collected::default());
        let collected = self.output.collect(self.access.collect(collected));
        self.file.load(collected)
    }

    /// The settings of each target.
    pub(super) fn each(&self) -> Result<Vec<Settings>, Error> {
        let each = self.config()?.of_each_target()?;
        let settings = each.iter().map(Config::settings_of_target);
        Ok(settings.collect::<Result<_, _>>()?)
    }
}

/// Flags of commands that name instances, and set nothing of what is done with them.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct InstancesOnlyArgs {
    #[command(flatten)]
    instances: InstanceArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

impl InstancesOnlyArgs {
    /// Those of a command that goes by a configuration file alone.
    pub(super) fn of_config(path: PathBuf) -> Self {
        Self {
            file: FileArgs::of_config(path),
            ..Self::default()
        }
    }

    pub(super) fn config(&self) -> Result<Config, Error> {
        let collected = self.instances.collect(Collected::default());
        self.file.load(self.output.collect(collected))
    }
}

/// What is migrated
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Selection (dependencies are included automatically)")]
pub(super) struct SelectionArgs {
    /// Locales [default: all of the source]
    #[arg(long, alias = "locales", value_name = "LOCALE", value_delimiter = ',')]
    locale: Vec<String>,
    /// Digital channels, by name [default: all of the source]
    #[arg(long, alias = "channels", value_name = "NAME", value_delimiter = ',')]
    channel: Vec<String>,
    /// Channels that have another name on the target
    #[arg(long, value_name = "SOURCE=TARGET", value_delimiter = ',')]
    channel_map: Vec<String>,
    /// Locales that have another name on the target
    #[arg(long, value_name = "SOURCE=TARGET", value_delimiter = ',')]
    locale_map: Vec<String>,
    /// Kinds: models, galleries, assets, containers, content, templates, pages, sitemaps, urlredirections
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    elements: Vec<String>,
    /// Only these models and the models that they refer to; a name or a glob (Post*), here and below
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    models: Vec<String>,
    /// These models with everything around them: containers, content, templates, pages, assets
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    models_with_deps: Vec<String>,
    /// Only these content items: ids of the source, containers (articles), or containers and titles (articles/Old*)
    #[arg(long, value_name = "ID|NAME", value_delimiter = ',')]
    content: Vec<String>,
    /// Only these pages: ids of the source or paths; /news/** is a page with all below it
    #[arg(long, value_name = "ID|PATH", value_delimiter = ',')]
    pages: Vec<String>,
    /// Only the content of these containers, by reference name
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    containers: Vec<String>,
    /// Of all that only what was changed since this day (2026-12-19) or moment, as the source says; what it needs comes along
    #[arg(long, value_name = "DATE")]
    changed_since: Option<String>,
    /// Of all that only what these users changed last, by name (Rosa*) or number, as the source says; what it needs comes along
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    changed_by: Vec<String>,
}

impl SelectionArgs {
    pub(super) fn collect(&self, collected: Collected) -> Collected {
        collected
            .list("sync.locales", &self.locale)
            .list("sync.channels", &self.channel)
            .list("sync.channel_map", &self.channel_map)
            .list("sync.locale_map", &self.locale_map)
            .list("sync.elements", &self.elements)
            .list("sync.models", &self.models)
            .list("sync.models_with_deps", &self.models_with_deps)
            .list("sync.content", &self.content)
            .list("sync.pages", &self.pages)
            .list("sync.containers", &self.containers)
            .text("sync.changed_since", self.changed_since.as_ref())
            .list("sync.changed_by", &self.changed_by)
    }
}

/// How fast it goes
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Engine")]
pub(super) struct EngineArgs {
    /// Scheduling: pipelined (start as soon as dependencies exist) or phased (start when a whole phase is complete)
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Maximum number of concurrent requests
    #[arg(long, value_name = "N")]
    concurrency: Option<String>,
    /// Maximum requests per second [default: adaptive]
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    /// Maximum number of content items per batch, 1 to 250; a run begins with 50
    #[arg(long, value_name = "N")]
    batch_size: Option<String>,
    /// Files per asset upload, 1 to 100
    #[arg(long, value_name = "N")]
    asset_batch_files: Option<String>,
    /// Bytes of all files per asset upload; a larger file is uploaded alone
    #[arg(long, value_name = "N")]
    asset_batch_bytes: Option<String>,
    /// Seconds until a request must be answered
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<String>,
}

impl EngineArgs {
    pub(super) fn collect(&self, collected: Collected) -> Collected {
        collected
            .text("lanes.schedule", self.schedule.as_ref())
            .text("pace.concurrency", self.concurrency.as_ref())
            .text("pace.per_second_max", self.rate.as_ref())
            .text("batch.size", self.batch_size.as_ref())
            .text("assets.batch_files", self.asset_batch_files.as_ref())
            .text("assets.batch_bytes", self.asset_batch_bytes.as_ref())
            .text("timeouts.request_s", self.timeout.as_ref())
    }
}

/// What is shown
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch on the command line"
)]
pub(super) struct OutputArgs {
    /// auto, tui (dashboard), plain (lines) or json (one event per line)
    #[arg(long, value_name = "MODE")]
    output: Option<String>,
    /// JSON, like --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// Lines instead of the dashboard, like --output plain
    #[arg(long)]
    no_tui: bool,
    /// auto, always or never
    #[arg(long, value_name = "WHEN")]
    color: Option<String>,
    /// Show failures and the result only
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,
    /// Show every entity
    #[arg(long, short)]
    verbose: bool,
    /// File that gets the result as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<String>,
}

impl OutputArgs {
    /// The form that the flags ask for together.
    fn mode(&self) -> Option<String> {
        match (self.json, self.no_tui, self.output.as_deref()) {
            (true, _, _) => Some("json".to_owned()),
            (false, true, None | Some("auto" | "tui")) => Some("plain".to_owned()),
            (false, _, output) => output.map(str::to_owned),
        }
    }

    pub(super) fn collect(&self, collected: Collected) -> Collected {
        // A flag answers the opposite one of a weaker layer.
        collected
            .text("output.mode", self.mode().as_ref())
            .text("output.junit", self.junit.as_ref())
            .text("output.color", self.color.as_ref())
            .switch("output.quiet", self.quiet || self.verbose, self.quiet)
            .switch("output.verbose", self.quiet || self.verbose, self.verbose)
    }
}
