//! Validation: turns raw values into settings, or says what is wrong with which value of which layer.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;

use crate::agility;
use crate::domain::{Guid, Kind, Locale};
use crate::engine::{
    Adopt, Publish, ReadLimits, Schedule, UnknownOutcome, UploadLimits, changed_since,
};
use crate::store::{BlobsUrl, StateUrl};

use super::credentials::{SOURCE_TOKEN, TARGET_TOKEN, TokenKeys};
use super::layers::presets;
use super::targets::{Names, TABLE_KEYS};
use super::{
    Ask, ColorChoice, Config, ConfigError, HostInfo, Instance, KEYS, Limits, MissingValue, Output,
    OutputMode, Pace, Paths, Retry, Settings, StoredLogin, Sync, Timeouts, TokenRenewal,
};

impl Config {
    /// Checks everything.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that is missing or cannot be.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        self.of_one_target()?.settings_in_place()
    }

    /// The settings where tables are in the place of names.
    fn settings_in_place(&self) -> Result<Settings, ConfigError> {
        self.check_permissions()?;
        self.check_complete(&[&SOURCE, &TARGET])?;
        let ends = (self.source()?, self.instance(&TARGET)?);
        refuse_same(self.settings_of(ends)?)
    }

    /// Checks everything, for a command that only reads the source. The target is the source then.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that is missing or cannot be.
    pub fn settings_of_source(&self) -> Result<Settings, ConfigError> {
        self.check_permissions()?;
        self.check_complete(&[&SOURCE])?;
        let source = self.instance(&SOURCE)?;
        self.settings_of((source.clone(), source))
    }

    /// Checks everything, for a command that is about the target only. The source is the target then.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that is missing or cannot be.
    pub fn settings_of_target(&self) -> Result<Settings, ConfigError> {
        self.check_permissions()?;
        self.check_complete(&[&TARGET])?;
        let target = self.instance(&TARGET)?;
        self.settings_of((target.clone(), target))
    }

    fn settings_of(&self, (source, target): (Instance, Instance)) -> Result<Settings, ConfigError> {
        let mut warnings = self.token_warnings();
        let logins = [&source, &target].into_iter().filter_map(Instance::login);
        warnings.extend(logins.filter_map(StoredLogin::warning));
        warnings.dedup();
        Ok(Settings {
            source,
            source_folder: self.folder.as_ref().map(|(folder, _)| folder.clone()),
            target,
            sync: self.sync(&mut warnings)?,
            gates: self.gates()?,
            schedule: self.choice("lanes.schedule", &SCHEDULES)?,
            pace: self.pace()?,
            batch_size: self.count("batch.size", BATCH_MAX)?,
            timeouts: self.timeouts()?,
            retry: self.retry()?,
            limits: self.limits()?,
            asset_hosts: self.list("assets.hosts")?,
            upload: self.upload()?,
            output: self.output()?,
            paths: self.paths()?,
            sequential: self.list("work_classes.sequential")?,
            host_info: HostInfo::of(&self.environment),
            warnings,
        })
    }

    /// The folder that stands for the source, as `source.guid` names it: `folder:DIR`, or a folder that is there and is not
    /// called like an instance.
    ///
    /// # Errors
    /// [`ConfigError`] for a value that cannot be.
    pub fn source_folder(&self) -> Result<Option<PathBuf>, ConfigError> {
        let Some(text) = self.text(SOURCE.guid)? else {
            return Ok(None);
        };
        // A name of a target goes before a folder of that name.
        let is_name = || self.target_names().contains(&text);
        let is_folder = || !is_guid(&text) && !is_name() && self.directory.join(&text).is_dir();
        let named = text.strip_prefix(FOLDER);
        Ok(named
            .or_else(|| is_folder().then_some(&*text))
            .map(PathBuf::from))
    }

    /// The source; one in a folder needs no credential of its own.
    fn source(&self) -> Result<Instance, ConfigError> {
        match &self.folder {
            Some((_, guid)) => Ok(Instance {
                name: None,
                guid: guid.clone(),
                url: None,
                ..self.instance(&TARGET)?
            }),
            None => self.instance(&SOURCE),
        }
    }

    /// Checks every value that is set, and does not ask for those that are missing.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that cannot be.
    pub fn check(&self) -> Result<(), ConfigError> {
        for config in self.of_each_target()? {
            config.check_in_place()?;
        }
        self.check_tables()
    }

    fn check_in_place(&self) -> Result<(), ConfigError> {
        match self.settings_in_place() {
            Ok(_) | Err(ConfigError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        // Instances come first there, so a missing one hides what follows.
        self.check_permissions()?;
        for side in [&SOURCE, &TARGET] {
            self.check_side(side)?;
            self.host(side)?;
        }
        self.sync(&mut Vec::new())?;
        self.gates()?;
        self.choice("lanes.schedule", &SCHEDULES)?;
        self.count("batch.size", BATCH_MAX)?;
        self.list("work_classes.sequential")?;
        self.pace()?;
        self.timeouts()?;
        self.retry()?;
        self.limits()?;
        self.list("assets.hosts")?;
        self.upload()?;
        self.output()?;
        self.paths()?;
        Ok(())
    }

    /// Who runs this, and where, for commands that need no instances.
    pub fn host_info(&self) -> HostInfo {
        HostInfo::of(&self.environment)
    }

    /// What to show, for commands that need no instances.
    ///
    /// # Errors
    /// [`ConfigError`] for a value that cannot be.
    pub fn output(&self) -> Result<Output, ConfigError> {
        let output = Output {
            mode: self.choice("output.mode", &MODES)?,
            color: self.choice("output.color", &COLORS)?,
            quiet: self.truth("output.quiet")?,
            verbose: self.truth("output.verbose")?,
            junit: self.text("output.junit")?.map(Into::into),
        };
        if output.quiet && output.verbose {
            let told = |key| format!("{key} ({})", self.described(key).1);
            return Err(ConfigError::Contradiction {
                first: told("output.quiet"),
                second: told("output.verbose"),
            });
        }
        Ok(output)
    }

    /// Where things are, for commands that need no instances.
    ///
    /// # Errors
    /// [`ConfigError`] for a value that cannot be.
    pub fn paths(&self) -> Result<Paths, ConfigError> {
        let text = |key, expected: &str| self.text(key)?.ok_or_else(|| self.wrong(key, expected));
        let state = text("paths.state", "sqlite:PATH, a path or a PostgreSQL URL")?;
        Ok(Paths {
            state: StateUrl::parse(&state).map_err(|error| ConfigError::State {
                origin: self.described("paths.state").1,
                source: error,
            })?,
            blobs: self.blobs()?,
            runs: text("paths.runs", "a path")?.into(),
            keep_runs: self.count("paths.keep_runs", 10_000)?,
            keep_days: self.whole("paths.keep_days", 1..=3_650)?,
        })
    }

    fn blobs(&self) -> Result<Option<BlobsUrl>, ConfigError> {
        let Some(url) = self.text("paths.blobs")? else {
            return Ok(None);
        };
        let parsed = BlobsUrl::parse(&url, self.environment.all());
        parsed.map(Some).map_err(|error| ConfigError::Blobs {
            origin: self.described("paths.blobs").1,
            source: error,
        })
    }

    /// The GUIDs of source and target, as far as they are set, for commands that find the rest in the state.
    ///
    /// # Errors
    /// [`ConfigError`] for a value that cannot be.
    pub fn guids(&self) -> Result<(Option<Guid>, Option<Guid>), ConfigError> {
        let one = self.of_one_target()?;
        Ok((one.guid(&SOURCE)?, one.guid(&TARGET)?))
    }

    /// Checks what is said of one instance, as far as no permission is needed for it.
    pub(super) fn check_side(&self, side: &SideKeys) -> Result<(), ConfigError> {
        self.guid(side)?;
        self.url(side.url)?;
        self.locales().map(drop)
    }

    pub(super) fn guid(&self, side: &SideKeys) -> Result<Option<Guid>, ConfigError> {
        if let Some((_, guid)) = self.folder.as_ref().filter(|_| side.guid == SOURCE.guid) {
            return Ok(Some(guid.clone()));
        }
        let Some(guid) = self.guid_text(side)? else {
            return Ok(None);
        };
        if !is_guid(&guid) {
            return Err(self.unknown_instance(side, &guid));
        }
        // Where the address is given, the region says nothing.
        if self.text(side.url)?.is_none() && !agility::is_of_known_region(&guid) {
            return Err(self.wrong(side.guid, regions()));
        }
        Ok(Some(Guid::new(&guid.to_ascii_lowercase())))
    }

    /// The GUID of a side as it was given. A table that stands there has to have one.
    fn guid_text(&self, side: &SideKeys) -> Result<Option<String>, ConfigError> {
        match (self.text(side.guid)?, side.name_of(&self.names)) {
            (None, Some(name)) => Err(ConfigError::TargetGuid { name: name.clone() }),
            (text, _) => Ok(text),
        }
    }

    /// Asks for everything at once that has no default and was not given.
    fn check_complete(&self, sides: &[&SideKeys]) -> Result<(), ConfigError> {
        let mut values = Vec::new();
        let mut tokenless = Vec::new();
        for side in sides {
            if self.folder.is_some() && side.guid == SOURCE.guid {
                continue;
            }
            if self.guid_text(side)?.is_none() {
                values.push(missing(side.what, side.guid));
            }
            if !self.has_token(&side.token)? && !self.has_login(side)? {
                tokenless.push(side.what_token);
            }
        }
        match tokenless.as_slice() {
            [] => {}
            [one] => values.push(missing(one, "token")),
            _ => values.push(missing("the access token", "token")),
        }
        if values.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Missing { values })
    }

    fn instance(&self, side: &SideKeys) -> Result<Instance, ConfigError> {
        let missing = |what, key| ConfigError::Missing {
            values: vec![missing(what, key)],
        };
        let guid = self
            .guid(side)?
            .ok_or_else(|| missing(side.what, side.guid))?;
        let url = self.host(side)?;
        let (token, renewal) = match self.token(&side.token)? {
            Some((token, source)) => (token, source.map(TokenRenewal::Source)),
            None => self
                .login(&guid, url.as_deref())?
                .map(|(token, login)| (token, Some(TokenRenewal::Login(login))))
                .ok_or_else(|| missing(side.what_token, "token"))?,
        };
        Ok(Instance {
            name: side.name_of(&self.names).cloned(),
            guid,
            url,
            token,
            renewal,
        })
    }

    /// The base URL of a side, to which its token may be sent. Every command that sends a token gets its URL here.
    pub(super) fn host(&self, side: &SideKeys) -> Result<Option<String>, ConfigError> {
        let url = self.url(side.url)?;
        if let Some(url) = &url {
            self.check_host(side.url, url)?;
        }
        Ok(url)
    }

    pub(super) fn url(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let is_base = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        match url::Url::parse(&text) {
            Ok(url) if is_base(&url) => Ok(Some(text.trim_end_matches('/').to_owned())),
            Ok(_) | Err(_) => Err(self.wrong(key, "a base URL, such as http://127.0.0.1:8080")),
        }
    }

    fn sync(&self, warnings: &mut Vec<String>) -> Result<Sync, ConfigError> {
        let mut models = self.names("sync.models")?;
        let models_with_deps = self.names("sync.models_with_deps")?;
        let is_path = |text: &str| text.starts_with('/');
        let (content, items) =
            self.ids_and_names("sync.content", "articles", |text| !is_path(text))?;
        let (pages, paths) = self.ids_and_names("sync.pages", "/news/**", is_path)?;
        if !models.is_empty() && !models_with_deps.is_empty() {
            models.clear();
            warnings.push("sync.models_with_deps is given, so sync.models is ignored".to_owned());
        }
        self.elements_alone()?;
        Ok(Sync {
            locales: self.locales()?,
            channels: self.list("sync.channels")?,
            maps: Arc::new(self.maps()?),
            elements: self.elements()?,
            models,
            models_with_deps,
            content,
            items,
            pages,
            paths,
            containers: self.names("sync.containers")?,
            changed_since: self.changed_since()?,
            changed_by: self.names("sync.changed_by")?,
            policies: self.policies()?,
            ask: self.choice("sync.ask", &ASK)?,
            adopt: self.choice("sync.adopt", &ADOPT)?,
            create_unmatched: self.truth("sync.create_unmatched")?,
            official_mappings: self.truth("sync.official_mappings")?,
            publish: self.choice("sync.publish", &PUBLISH)?,
            prune: self.truth("sync.prune")?,
            full_read_every: self.whole("sync.full_read_every", 1..=FULL_READ_MAX)?,
            pause_webhooks: self.truth("sync.pause_webhooks")?,
            unknown_outcome: self.choice("sync.unknown_outcome", &UNKNOWN_OUTCOME)?,
            fail_fast: self.truth("sync.fail_fast")?,
            verify: self.truth("sync.verify")?,
            dry_run: self.truth("sync.dry_run")?,
        })
    }

    fn locales(&self) -> Result<Vec<Locale>, ConfigError> {
        let words = self.words("sync.locales")?;
        let is_code = |word: &String| {
            word.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !words.iter().all(is_code) {
            return Err(self.wrong("sync.locales", "locale codes, such as en-us"));
        }
        let mut locales: Vec<Locale> = Vec::new();
        for locale in words.iter().map(|word| Locale::new(word)) {
            if !locales.contains(&locale) {
                locales.push(locale);
            }
        }
        Ok(locales)
    }

    /// Kinds and names are two ways to say what is meant: names bring the kinds that they need.
    fn elements_alone(&self) -> Result<(), ConfigError> {
        const NAMES: [&str; 5] = [
            "sync.models",
            "sync.models_with_deps",
            "sync.content",
            "sync.pages",
            "sync.containers",
        ];
        if self.elements()?.len() == Kind::ALL.len() {
            return Ok(());
        }
        for key in NAMES {
            if !self.words(key)?.is_empty() {
                return Err(ConfigError::Contradiction {
                    first: self.with_origin("sync.elements"),
                    second: self.with_origin(key),
                });
            }
        }
        Ok(())
    }

    fn changed_since(&self) -> Result<Option<DateTime>, ConfigError> {
        let Some(text) = self.text("sync.changed_since")? else {
            return Ok(None);
        };
        let moment = changed_since(&text).ok_or_else(|| {
            let expected = "a day (2026-12-19) or a moment (2026-12-24T18:00:00Z)";
            self.wrong("sync.changed_since", expected)
        })?;
        Ok(Some(moment))
    }

    fn with_origin(&self, key: &'static str) -> String {
        let (value, origin) = self.described(key);
        format!("{key} = {value} ({origin})")
    }

    fn elements(&self) -> Result<BTreeSet<Kind>, ConfigError> {
        let words = self.words("sync.elements")?;
        if words.is_empty() {
            return Ok(Kind::ALL.into());
        }
        let mut kinds = BTreeSet::new();
        for word in &words {
            let (_, element) = ELEMENTS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(word))
                .ok_or_else(|| {
                    let names = ELEMENTS.iter().map(|(name, _)| *name);
                    self.unknown_word("sync.elements", word, names)
                })?;
            kinds.extend(*element);
        }
        Ok(kinds)
    }

    fn pace(&self) -> Result<Pace, ConfigError> {
        let concurrency = self.count("pace.concurrency", CONCURRENCY_MAX)?;
        let class = |key| Ok::<_, ConfigError>(self.count(key, CONCURRENCY_MAX)?.min(concurrency));
        Ok(Pace {
            per_second_max: self.rate("pace.per_second_max")?,
            concurrency,
            reads: class("pace.reads")?,
            writes: class("pace.writes")?,
            assets: class("pace.assets")?,
            batches: self.count("pace.batches", 64)?,
            retry_after_max: Duration::from_secs(
                self.whole("pace.retry_after_max_s", 1..=86_400)?.into(),
            ),
        })
    }

    /// How long to wait for answers, for commands that need no settings.
    ///
    /// # Errors
    /// [`ConfigError`] for a value that cannot be.
    pub fn timeouts(&self) -> Result<Timeouts, ConfigError> {
        let seconds = |key, most| {
            Ok::<_, ConfigError>(Duration::from_secs(self.whole(key, 1..=most)?.into()))
        };
        Ok(Timeouts {
            connect: seconds("timeouts.connect_s", 300)?,
            request: seconds("timeouts.request_s", 3600)?,
            batch: seconds("timeouts.batch_s", 86_400)?,
            busy: seconds("timeouts.busy_s", 86_400)?,
            settle: Duration::from_millis(self.whole("timeouts.settle_ms", 1..=600_000)?.into()),
            drain: seconds("timeouts.drain_s", 3600)?,
            reader: seconds("timeouts.reader_s", 3600)?,
            lease: seconds("timeouts.lease_s", 3600)?,
        })
    }

    fn retry(&self) -> Result<Retry, ConfigError> {
        let first_delay =
            Duration::from_millis(self.whole("retry.first_delay_ms", 1..=60_000)?.into());
        let max_delay = Duration::from_secs(self.whole("retry.max_delay_s", 1..=3600)?.into());
        if first_delay > max_delay {
            return Err(self.wrong("retry.first_delay_ms", "no more than retry.max_delay_s"));
        }
        Ok(Retry {
            attempts: self.whole("retry.attempts", 1..=20)?,
            first_delay,
            max_delay,
        })
    }

    fn upload(&self) -> Result<UploadLimits, ConfigError> {
        Ok(UploadLimits {
            files: self.count("assets.batch_files", UPLOAD_FILES_MAX)?,
            bytes: self.whole("assets.batch_bytes", 1..=1 << 30)?.into(),
        })
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        let bytes = |key, most| Ok::<_, ConfigError>(u64::from(self.whole(key, 1..=most)?) << 20);
        let pages = self.whole("limits.pages", 1..=1_000_000)?;
        Ok(Limits {
            answers: agility::Limits {
                answer_bytes: bytes("limits.answer_mb", 16_384)?,
                file_bytes: bytes("limits.file_mb", 1 << 20)?,
                pages,
            },
            reading: ReadLimits {
                pages,
                entities: self.count("limits.entities", 100_000_000)?,
            },
        })
    }

    /// A number from 1 to `most`.
    fn count(&self, key: &'static str, most: u32) -> Result<usize, ConfigError> {
        Ok(self.whole(key, 1..=most)? as usize)
    }
}

const fn missing(what: &'static str, key: &'static str) -> MissingValue {
    MissingValue { what, key }
}

/// The endings of GUIDs whose hosts are known.
fn regions() -> String {
    let known = agility::REGIONS.map(|region| format!("-{} ({})", region.suffix, region.name));
    format!(
        "a GUID of a known region: {}; for another one give its URL",
        known.join(", ")
    )
}

/// The keys of one side.
pub(super) struct SideKeys {
    side: Side,
    what: &'static str,
    what_token: &'static str,
    pub(super) guid: &'static str,
    pub(super) url: &'static str,
    token: TokenKeys,
}

#[derive(Clone, Copy)]
enum Side {
    Source,
    Target,
}

impl SideKeys {
    /// The key whose place a key of `[targets.NAME]` takes; `None` where it says nothing of this side.
    pub(super) fn key_of(&self, leaf: &str) -> Option<&'static str> {
        Some(match (leaf, self.side) {
            ("guid", _) => self.guid,
            ("url", _) => self.url,
            ("token", _) => self.token.given,
            ("token_file", _) => self.token.file,
            ("token_command", _) => self.token.command,
            (_, Side::Target) => {
                let mut keys = TABLE_KEYS.iter();
                keys.find(|(known, _)| *known == leaf)?.1
            }
            (_, Side::Source) => return None,
        })
    }

    /// The name of this side in `[targets]`.
    pub(super) fn name_of<'n>(&self, names: &'n Names) -> Option<&'n String> {
        match self.side {
            Side::Source => names.source.as_ref(),
            Side::Target => names.target.as_ref(),
        }
    }

    pub(super) fn name_in<'n>(&self, names: &'n mut Names) -> &'n mut Option<String> {
        match self.side {
            Side::Source => &mut names.source,
            Side::Target => &mut names.target,
        }
    }
}

pub(super) const SOURCE: SideKeys = SideKeys {
    side: Side::Source,
    what: "the instance to read from",
    what_token: "the access token for the source",
    guid: "source.guid",
    url: "source.url",
    token: SOURCE_TOKEN,
};

pub(super) const TARGET: SideKeys = SideKeys {
    side: Side::Target,
    what: "the instance to write to",
    what_token: "the access token for the target",
    guid: "target.guid",
    url: "target.url",
    token: TARGET_TOKEN,
};

/// What a folder that stands for the source is marked with.
pub const FOLDER: &str = "folder:";

/// Maximum number of content items that the API takes in one request.
const BATCH_MAX: u32 = 250;
const FULL_READ_MAX: u32 = 1_000;

/// All files of an upload are open at one time, and each is a connection.
const UPLOAD_FILES_MAX: u32 = 100;

const CONCURRENCY_MAX: u32 = 256;

const SCHEDULES: [(&str, Schedule); 2] = [
    ("pipelined", Schedule::Pipelined),
    ("phased", Schedule::Phased),
];

const MODES: [(&str, OutputMode); 4] = [
    ("auto", OutputMode::Auto),
    ("tui", OutputMode::Tui),
    ("plain", OutputMode::Plain),
    ("json", OutputMode::Json),
];

const COLORS: [(&str, ColorChoice); 3] = [
    ("auto", ColorChoice::Auto),
    ("always", ColorChoice::Always),
    ("never", ColorChoice::Never),
];

const ADOPT: [(&str, Adopt); 2] = [
    (Adopt::Equal.name(), Adopt::Equal),
    (Adopt::Key.name(), Adopt::Key),
];

const UNKNOWN_OUTCOME: [(&str, UnknownOutcome); 2] = [
    ("report", UnknownOutcome::Report),
    ("resend", UnknownOutcome::Resend),
];

const ASK: [(&str, Ask); 3] = [
    ("auto", Ask::Auto),
    ("always", Ask::Always),
    ("never", Ask::Never),
];

const PUBLISH: [(&str, Publish); 6] = [
    ("off", Publish::Off),
    ("content", Publish::Content),
    ("pages", Publish::Pages),
    ("both", Publish::Both),
    ("true", Publish::Both),
    ("false", Publish::Off),
];

/// What each name of the vendor's tool stands for, with the kinds that it builds on. Sitemaps are no
/// entities of their own: the name only adds what it needs.
const ELEMENTS: [(&str, &[Kind]); 10] = [
    ("models", &[Kind::Model]),
    ("galleries", &[Kind::Gallery]),
    ("assets", &[Kind::Asset, Kind::Gallery]),
    ("containers", &[Kind::Container, Kind::Model]),
    (
        "content",
        &[
            Kind::Content,
            Kind::Model,
            Kind::Container,
            Kind::Asset,
            Kind::Gallery,
            Kind::Template,
        ],
    ),
    ("templates", &[Kind::Template]),
    ("pages", &[Kind::Page]),
    (
        "sitemaps",
        &[
            Kind::Model,
            Kind::Container,
            Kind::Asset,
            Kind::Gallery,
            Kind::Template,
        ],
    ),
    ("urlredirections", &[Kind::Redirection]),
    ("redirections", &[Kind::Redirection]),
];

/// The values that a flag takes, by the name of the flag with underscores; `None` where they are not a short list of names.
pub fn values_of(flag: &str) -> Option<Vec<&'static str>> {
    if flag == "preset" {
        return Some(presets().collect());
    }
    let flag = format!("--{}", flag.replace('_', "-"));
    let info = KEYS.iter().find(|info| info.flag == Some(&flag))?;
    choices_of(info.key)
}

/// The values of a key; `None` where they are not a short list of names.
pub(super) fn choices_of(key: &str) -> Option<Vec<&'static str>> {
    fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
        choices.iter().map(|(name, _)| *name).collect()
    }
    Some(match key {
        "output.mode" => names(&MODES),
        "output.color" => names(&COLORS),
        "lanes.schedule" => names(&SCHEDULES),
        "sync.elements" => names(&ELEMENTS),
        "sync.adopt" => names(&ADOPT),
        "sync.ask" => names(&ASK),
        "sync.unknown_outcome" => names(&UNKNOWN_OUTCOME),
        "sync.publish" => names(&PUBLISH[..4]),
        _ => return None,
    })
}

/// Eight hexadecimal digits and a region, or the long form of old instances.
pub(super) fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &&str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match parts.as_slice() {
        [first, region] => {
            is_hex(first, 8)
                && (1..=4).contains(&region.len())
                && region.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
        [_, _, _, _, _] => parts
            .iter()
            .zip([8, 4, 4, 4, 12])
            .all(|(part, length)| is_hex(part, length)),
        _ => false,
    }
}

/// A run from an instance into itself could only do harm. From a folder it restores the instance.
fn refuse_same(settings: Settings) -> Result<Settings, ConfigError> {
    let (source, target) = (&settings.source, &settings.target);
    let is_folder = settings.source_folder.is_some();
    if !is_folder && source.guid == target.guid && source.url == target.url {
        return Err(ConfigError::SameInstance {
            guid: source.guid.to_string(),
        });
    }
    Ok(settings)
}
