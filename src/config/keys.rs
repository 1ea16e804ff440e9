//! The table of all keys: the one list that files, variables, flags and messages go by.

use std::sync::LazyLock;

use super::DEFAULT_FILE;

/// The default file, read once; a test keeps it valid.
static DEFAULTS: LazyLock<toml::Table> =
    LazyLock::new(|| toml::from_str(DEFAULT_FILE).unwrap_or_default());

/// What is known about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its path in the file: `pace.concurrency`.
    pub key: &'static str,
    /// The flag of the command line that sets it, with its dashes.
    pub flag: Option<&'static str>,
    /// Our own variable.
    pub variable: &'static str,
    /// The variable of the vendor's tool that sets it as well; ours wins over it.
    pub official: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
}

impl KeyInfo {
    const fn new(key: &'static str, flag: &'static str, variable: &'static str) -> Self {
        Self {
            key,
            flag: Some(flag),
            variable,
            official: None,
            secret: false,
        }
    }

    /// A key that only files and the environment set.
    const fn without_flag(key: &'static str, variable: &'static str) -> Self {
        Self {
            key,
            flag: None,
            variable,
            official: None,
            secret: false,
        }
    }

    const fn official(mut self, variable: &'static str) -> Self {
        self.official = Some(variable);
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The default of this key in plain text; `None` for lists, switches and keys without one.
    pub fn default_text(&self) -> Option<String> {
        let mut parts = self.key.split('.');
        let first = DEFAULTS.get(parts.next()?)?;
        match parts.try_fold(first, |table, part| table.get(part))? {
            toml::Value::String(text) => Some(text.clone()),
            toml::Value::Integer(number) => Some(number.to_string()),
            toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => None,
        }
    }

    /// The entry of a key.
    pub fn find(key: &str) -> Option<&'static Self> {
        KEYS.iter().find(|info| info.key == key)
    }
}

/// Every key, in the order of the default file.
pub const KEYS: &[KeyInfo] = &[
    KeyInfo::new("token", "--token", "LOCKGATE_TOKEN")
        .official("AGILITY_TOKEN")
        .secret(),
    KeyInfo::without_flag("token_file", "LOCKGATE_TOKEN_FILE"),
    KeyInfo::without_flag("token_command", "LOCKGATE_TOKEN_COMMAND"),
    KeyInfo::new("source.guid", "--source", "LOCKGATE_SOURCE").official("AGILITY_GUID"),
    KeyInfo::new("source.url", "--source-url", "LOCKGATE_SOURCE_URL"),
    KeyInfo::new("source.token", "--source-token", "LOCKGATE_SOURCE_TOKEN").secret(),
    KeyInfo::without_flag("source.token_file", "LOCKGATE_SOURCE_TOKEN_FILE"),
    KeyInfo::without_flag("source.token_command", "LOCKGATE_SOURCE_TOKEN_COMMAND"),
    KeyInfo::new("target.guid", "--target", "LOCKGATE_TARGET").official("AGILITY_TARGET_GUID"),
    KeyInfo::new("target.url", "--target-url", "LOCKGATE_TARGET_URL"),
    KeyInfo::new("target.token", "--target-token", "LOCKGATE_TARGET_TOKEN").secret(),
    KeyInfo::without_flag("target.token_file", "LOCKGATE_TARGET_TOKEN_FILE"),
    KeyInfo::without_flag("target.token_command", "LOCKGATE_TARGET_TOKEN_COMMAND"),
    KeyInfo::new("hosts.allow", "--allow-host", "LOCKGATE_ALLOW_HOSTS"),
    KeyInfo::new("hosts.allow_http", "--allow-http", "LOCKGATE_ALLOW_HTTP"),
    KeyInfo::new("sync.locales", "--locale", "LOCKGATE_LOCALE").official("AGILITY_LOCALES"),
    KeyInfo::new("sync.channels", "--channel", "LOCKGATE_CHANNEL").official("AGILITY_WEBSITE"),
    KeyInfo::new("sync.channel_map", "--channel-map", "LOCKGATE_CHANNEL_MAP"),
    KeyInfo::new("sync.locale_map", "--locale-map", "LOCKGATE_LOCALE_MAP"),
    KeyInfo::without_flag("sync.container_map", "LOCKGATE_CONTAINER_MAP"),
    KeyInfo::without_flag("sync.folder_map", "LOCKGATE_FOLDER_MAP"),
    KeyInfo::without_flag("sync.host_map", "LOCKGATE_HOST_MAP"),
    KeyInfo::without_flag("sync.set", "LOCKGATE_SET"),
    KeyInfo::without_flag("sync.drop", "LOCKGATE_DROP"),
    KeyInfo::without_flag("sync.exclude", "LOCKGATE_EXCLUDE"),
    KeyInfo::new("sync.elements", "--elements", "LOCKGATE_ELEMENTS").official("AGILITY_ELEMENTS"),
    KeyInfo::new("sync.models", "--models", "LOCKGATE_MODELS").official("AGILITY_MODELS"),
    KeyInfo::new(
        "sync.models_with_deps",
        "--models-with-deps",
        "LOCKGATE_MODELS_WITH_DEPS",
    ),
    KeyInfo::new("sync.content", "--content", "LOCKGATE_CONTENT"),
    KeyInfo::new("sync.pages", "--pages", "LOCKGATE_PAGES"),
    KeyInfo::new("sync.containers", "--containers", "LOCKGATE_CONTAINERS"),
    KeyInfo::new(
        "sync.changed_since",
        "--changed-since",
        "LOCKGATE_CHANGED_SINCE",
    ),
    KeyInfo::new("sync.changed_by", "--changed-by", "LOCKGATE_CHANGED_BY"),
    KeyInfo::new("sync.overwrite", "--overwrite", "LOCKGATE_OVERWRITE")
        .official("AGILITY_OVERWRITE"),
    KeyInfo::without_flag("sync.on_conflict", "LOCKGATE_ON_CONFLICT"),
    KeyInfo::without_flag("sync.read_only", "LOCKGATE_READ_ONLY"),
    // `--yes` sets it to never; an undo has a flag of that name, and does not go by this key.
    KeyInfo::without_flag("sync.ask", "LOCKGATE_ASK"),
    KeyInfo::new("sync.adopt", "--adopt", "LOCKGATE_ADOPT"),
    KeyInfo::new(
        "sync.create_unmatched",
        "--create-unmatched",
        "LOCKGATE_CREATE_UNMATCHED",
    ),
    KeyInfo::new(
        "sync.official_mappings",
        "--no-official-mappings",
        "LOCKGATE_OFFICIAL_MAPPINGS",
    ),
    KeyInfo::new("sync.publish", "--publish", "LOCKGATE_PUBLISH"),
    KeyInfo::new("sync.prune", "--prune", "LOCKGATE_PRUNE"),
    // `--full-read` sets it to 1.
    KeyInfo::without_flag("sync.full_read_every", "LOCKGATE_FULL_READ_EVERY"),
    KeyInfo::new(
        "sync.pause_webhooks",
        "--pause-webhooks",
        "LOCKGATE_PAUSE_WEBHOOKS",
    ),
    KeyInfo::new(
        "sync.unknown_outcome",
        "--unknown-outcome",
        "LOCKGATE_UNKNOWN_OUTCOME",
    ),
    KeyInfo::new("sync.fail_fast", "--fail-fast", "LOCKGATE_FAIL_FAST"),
    KeyInfo::new("sync.verify", "--no-verify", "LOCKGATE_VERIFY"),
    KeyInfo::new("sync.dry_run", "--dry-run", "LOCKGATE_DRY_RUN"),
    KeyInfo::without_flag("gates.targets", "LOCKGATE_GATES_TARGETS"),
    KeyInfo::without_flag("gates.max_change", "LOCKGATE_GATES_MAX_CHANGE"),
    KeyInfo::without_flag("gates.max_delete", "LOCKGATE_GATES_MAX_DELETE"),
    KeyInfo::without_flag("gates.deny", "LOCKGATE_GATES_DENY"),
    KeyInfo::without_flag("gates.freeze", "LOCKGATE_GATES_FREEZE"),
    KeyInfo::new("lanes.schedule", "--schedule", "LOCKGATE_SCHEDULE"),
    KeyInfo::new("pace.per_second_max", "--rate", "LOCKGATE_RATE"),
    KeyInfo::new("pace.concurrency", "--concurrency", "LOCKGATE_CONCURRENCY"),
    KeyInfo::without_flag("pace.reads", "LOCKGATE_PACE_READS"),
    KeyInfo::without_flag("pace.writes", "LOCKGATE_PACE_WRITES"),
    KeyInfo::without_flag("pace.assets", "LOCKGATE_PACE_ASSETS"),
    KeyInfo::without_flag("pace.batches", "LOCKGATE_PACE_BATCHES"),
    KeyInfo::without_flag("pace.retry_after_max_s", "LOCKGATE_PACE_RETRY_AFTER_MAX_S"),
    KeyInfo::new("batch.size", "--batch-size", "LOCKGATE_BATCH_SIZE"),
    KeyInfo::without_flag("timeouts.connect_s", "LOCKGATE_TIMEOUTS_CONNECT_S"),
    KeyInfo::new("timeouts.request_s", "--timeout", "LOCKGATE_TIMEOUT"),
    KeyInfo::without_flag("timeouts.batch_s", "LOCKGATE_TIMEOUTS_BATCH_S"),
    KeyInfo::without_flag("timeouts.busy_s", "LOCKGATE_TIMEOUTS_BUSY_S"),
    KeyInfo::without_flag("timeouts.settle_ms", "LOCKGATE_TIMEOUTS_SETTLE_MS"),
    KeyInfo::without_flag("timeouts.drain_s", "LOCKGATE_TIMEOUTS_DRAIN_S"),
    KeyInfo::without_flag("timeouts.reader_s", "LOCKGATE_TIMEOUTS_READER_S"),
    KeyInfo::without_flag("timeouts.lease_s", "LOCKGATE_TIMEOUTS_LEASE_S"),
    KeyInfo::without_flag("retry.attempts", "LOCKGATE_RETRY_ATTEMPTS"),
    KeyInfo::without_flag("retry.first_delay_ms", "LOCKGATE_RETRY_FIRST_DELAY_MS"),
    KeyInfo::without_flag("retry.max_delay_s", "LOCKGATE_RETRY_MAX_DELAY_S"),
    KeyInfo::without_flag("limits.answer_mb", "LOCKGATE_LIMITS_ANSWER_MB"),
    KeyInfo::without_flag("limits.pages", "LOCKGATE_LIMITS_PAGES"),
    KeyInfo::without_flag("limits.entities", "LOCKGATE_LIMITS_ENTITIES"),
    KeyInfo::without_flag("limits.file_mb", "LOCKGATE_LIMITS_FILE_MB"),
    KeyInfo::without_flag("assets.hosts", "LOCKGATE_ASSETS_HOSTS"),
    KeyInfo::new(
        "assets.batch_files",
        "--asset-batch-files",
        "LOCKGATE_ASSETS_BATCH_FILES",
    ),
    KeyInfo::new(
        "assets.batch_bytes",
        "--asset-batch-bytes",
        "LOCKGATE_ASSETS_BATCH_BYTES",
    ),
    KeyInfo::new("output.mode", "--output", "LOCKGATE_OUTPUT"),
    KeyInfo::new("output.color", "--color", "LOCKGATE_COLOR"),
    KeyInfo::new("output.quiet", "--quiet", "LOCKGATE_QUIET"),
    KeyInfo::new("output.verbose", "--verbose", "LOCKGATE_VERBOSE"),
    KeyInfo::new("output.junit", "--junit", "LOCKGATE_JUNIT"),
    KeyInfo::new("paths.state", "--state", "LOCKGATE_STATE"),
    KeyInfo::new("paths.blobs", "--blobs", "LOCKGATE_BLOBS"),
    KeyInfo::new("paths.runs", "--run-dir", "LOCKGATE_RUN_DIR"),
    KeyInfo::without_flag("paths.keep_runs", "LOCKGATE_PATHS_KEEP_RUNS"),
    KeyInfo::without_flag("paths.keep_days", "LOCKGATE_PATHS_KEEP_DAYS"),
    KeyInfo::without_flag(
        "work_classes.sequential",
        "LOCKGATE_WORK_CLASSES_SEQUENTIAL",
    ),
];

/// What the names of our variables begin with.
pub(super) const PREFIX: &str = "LOCKGATE_";

/// Flags that choose layers instead of setting a key, with their variables.
pub const CHOOSERS: [(&str, &str); 2] = [
    ("--config", "LOCKGATE_CONFIG"),
    ("--preset", "LOCKGATE_PRESET"),
];

/// The known key that `key` was probably meant to be: the same flag name, or a similar spelling.
pub(super) fn nearest_key(key: &str) -> Option<&'static str> {
    let leaf = key.rsplit('.').next().unwrap_or(key);
    let as_flag = format!("--{}", leaf.replace('_', "-"));
    KEYS.iter()
        .find(|info| info.flag == Some(&as_flag) || info.key.rsplit('.').next() == Some(leaf))
        .map(|info| info.key)
        .or_else(|| nearest(key, KEYS.iter().map(|info| info.key)))
}

/// The variable of ours that `name` was probably meant to be. All share the prefix, so it does not count.
pub(super) fn nearest_variable(name: &str) -> Option<&'static str> {
    let bare = |name: &'static str| name.strip_prefix(PREFIX).unwrap_or(name);
    let variables = || {
        let keyed = KEYS.iter().map(|info| info.variable);
        keyed.chain(CHOOSERS.iter().map(|(_, variable)| *variable))
    };
    let found = nearest(name.strip_prefix(PREFIX)?, variables().map(bare))?;
    variables().find(|variable| bare(variable) == found)
}

/// The most similar of `known`, if any is similar enough to be a slip of the finger.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Two wrong letters in a short name still count as a slip, two different words do not.
    const SIMILAR: f64 = 0.6;
    known
        .map(|name| (strsim::normalized_damerau_levenshtein(word, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}
