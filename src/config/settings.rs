//! Typed settings: what remains of a configuration once it is known to make sense.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;

use crate::domain::{Guid, Kind, Locale, Secret};
use crate::store::{BlobsUrl, StateUrl};

use super::{HostInfo, TokenRenewal};
use crate::agility;
use crate::engine::{
    Adopt, Gates, Maps, Policies, Publish, ReadLimits, Schedule, UnknownOutcome, UploadLimits,
};

/// Everything that a run needs to know, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The instance to read from.
    pub source: Instance,
    /// The folder that is read in its place.
    pub source_folder: Option<PathBuf>,
    /// The instance to write to.
    pub target: Instance,
    /// What to migrate, and how to decide.
    pub sync: Sync,
    /// Bounds of a plan.
    pub gates: Gates,
    /// When entities start.
    pub schedule: Schedule,
    /// Requests per second and in flight.
    pub pace: Pace,
    /// Content items per batch, 1 to 250.
    pub batch_size: usize,
    /// How long to wait for answers.
    pub timeouts: Timeouts,
    /// How often to try.
    pub retry: Retry,
    /// How much is read.
    pub limits: Limits,
    /// Hosts that files may be downloaded from besides those of the instances: `HOST` or `HOST:PORT`.
    pub asset_hosts: Vec<String>,
    /// How much one upload takes of what goes to the same folder and gallery.
    pub upload: UploadLimits,
    /// What to show.
    pub output: Output,
    /// Where things are.
    pub paths: Paths,
    /// Kinds and name patterns whose uploads must not overlap, as written: `asset`, `asset:brochures/*`.
    pub sequential: Vec<String>,
    /// Who runs this, and where.
    pub host_info: HostInfo,
    /// What the user should know before the run starts, one sentence each.
    pub warnings: Vec<String>,
}

/// An instance and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name in `[targets]`, where it has one.
    pub name: Option<String>,
    /// Its GUID, in lower case.
    pub guid: Guid,
    /// The base URL of both its APIs without a slash at the end; `None`: the GUID tells the hosts.
    pub url: Option<String>,
    /// The access token.
    pub token: Secret,
    /// What gives the next one, where something does.
    pub renewal: Option<TokenRenewal>,
}

impl Instance {
    /// Its name, or its GUID where it has none.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.guid.as_str())
    }
}

/// What to migrate, and how to decide.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the user"
)]
pub struct Sync {
    /// Empty: all of the source.
    pub locales: Vec<Locale>,
    /// Names of digital channels; empty: all of the source.
    pub channels: Vec<String>,
    /// What the source is called otherwise on the target, and what the target does not get.
    pub maps: Arc<Maps>,
    /// The kinds to migrate, with those that the named ones build on.
    pub elements: BTreeSet<Kind>,
    /// Reference names of models; these, and the models that they refer to, are then all there is.
    pub models: Vec<String>,
    /// Reference names of models whose surroundings are migrated; `models` is empty when this is not.
    pub models_with_deps: Vec<String>,
    /// Content ids of the source; empty: all.
    pub content: Vec<i64>,
    /// Containers, or containers and titles, by name or pattern; empty: all.
    pub items: Vec<String>,
    /// Page ids of the source; empty: all.
    pub pages: Vec<i64>,
    /// Paths of pages, by name or pattern; empty: all.
    pub paths: Vec<String>,
    /// Of all that only what was changed since.
    pub changed_since: Option<DateTime>,
    /// Of all that only what these users changed last, by number, name or pattern; empty: any user.
    pub changed_by: Vec<String>,
    /// Reference names of containers; empty: all.
    pub containers: Vec<String>,
    /// Which side wins conflicts, and what is never written.
    pub policies: Policies,
    /// When to ask before writing.
    pub ask: Ask,
    /// How much evidence makes an item of the target the counterpart of one of the source.
    pub adopt: Adopt,
    /// Whether unrecognised items are created beside content of unknown origin.
    pub create_unmatched: bool,
    /// Whether the mapping folder of the official CLI counts as evidence.
    pub official_mappings: bool,
    /// What to publish.
    pub publish: Publish,
    /// Whether what the source no longer has is deleted on the target.
    pub prune: bool,
    /// Of how many readings of an instance one is full.
    pub full_read_every: u32,
    /// Whether the webhooks of the target are switched off while a run writes.
    pub pause_webhooks: bool,
    /// How writes with an unknown outcome are treated.
    pub unknown_outcome: UnknownOutcome,
    /// Whether the first failure ends the run.
    pub fail_fast: bool,
    /// Whether the target is read back and compared at the end.
    pub verify: bool,
    /// Whether nothing real is written.
    pub dry_run: bool,
}

/// When to ask before writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// On a terminal; without one, a first run into a target that is not empty is refused.
    #[default]
    Auto,
    /// Every run.
    Always,
    /// No run.
    Never,
}

/// Requests per second and in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Maximum requests per second; `None`: the server alone decides.
    pub per_second_max: Option<f64>,
    /// Maximum number in flight altogether, 1 to 256.
    pub concurrency: usize,
    /// Maximum number of reads; never above `concurrency`, like the other classes.
    pub reads: usize,
    /// Maximum number of saves of single entities.
    pub writes: usize,
    /// Maximum number of asset uploads.
    pub assets: usize,
    /// Maximum number of batches in progress at once.
    pub batches: usize,
    /// The longest `Retry-After` that is waited for.
    pub retry_after_max: Duration,
}

/// How long to wait for answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the answer to a request, from its start.
    pub request: Duration,
    /// For a batch that makes no progress.
    pub batch: Duration,
    /// For a feed that says that it is busy.
    pub busy: Duration,
    /// For a target to stay the same before something in doubt counts as absent.
    pub settle: Duration,
    /// How long a drain waits for what is in flight.
    pub drain: Duration,
    /// How long a reader of the output may take nothing.
    pub reader: Duration,
    /// How long the lease of a run that died blocks others, at most.
    pub lease: Duration,
}

/// How much is read, whatever a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of single answers.
    pub answers: agility::Limits,
    /// Of an instance.
    pub reading: ReadLimits,
}

/// How often to try, and how long to wait in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first one included.
    pub attempts: u32,
    /// Before the second attempt, without jitter.
    pub first_delay: Duration,
    /// The longest wait, unless the server asks for more.
    pub max_delay: Duration,
}

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// In which form.
    pub mode: OutputMode,
    /// Whether in colour.
    pub color: ColorChoice,
    /// Only failures and the result.
    pub quiet: bool,
    /// Every entity.
    pub verbose: bool,
    /// The file that gets the result as JUnit XML.
    pub junit: Option<PathBuf>,
}

impl Output {
    /// Whether lines about what goes on are printed beside the data.
    pub fn has_lines(&self) -> bool {
        !self.quiet && (self.mode != OutputMode::Json || self.verbose)
    }
}

/// The form in which a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// A dashboard on a terminal, lines elsewhere.
    Auto,
    /// The dashboard.
    Tui,
    /// Lines on standard error.
    Plain,
    /// One JSON event per line on standard output.
    Json,
}

/// Whether to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

/// Where things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The durable state.
    pub state: StateUrl,
    /// Where bytes of assets are kept that runs replace; `None`: beside the state.
    pub blobs: Option<BlobsUrl>,
    /// The directory of the run folders.
    pub runs: PathBuf,
    /// How many run folders stay as they are; older ones are archived.
    pub keep_runs: usize,
    /// How many days a run folder stays as it is at most.
    pub keep_days: u32,
}

impl Paths {
    /// The folder for what a workspace keeps on this machine beside its state: the one of the state's file or, where the state is
    /// on a server, the one of the run folders.
    pub fn folder(&self) -> Option<&Path> {
        self.state.file().unwrap_or(&self.runs).parent()
    }
}
