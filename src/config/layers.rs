//! Builds the layers and merges them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::hidden;
use super::keys::{CHOOSERS, PREFIX, nearest, nearest_key, nearest_variable};
use super::targets::{Names, TABLE_KEYS, TABLES, check_table, names_in};
use super::token_source::TokenSource;
use super::validate::is_guid;
use super::{ConfigError, DEFAULT_FILE, Environment, KEYS, KeyInfo, dotenv};
use crate::domain::{Guid, Secret, read_text, redact_message};
use crate::store::BLOB_CREDENTIALS;

/// The embedded presets.
const PRESETS: [(&str, &str); 2] = [
    ("ci", include_str!("../../config/ci.toml")),
    ("gentle", include_str!("../../config/gentle.toml")),
];

/// The names of the embedded presets.
pub(super) fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// Variables with our prefix that belong to the mock server's own command line.
const OTHER_PREFIX: &str = "LOCKGATE_MOCK_";

/// The file that is read from the working directory when no other is named, and from the user's own configuration.
const FILE: &str = "lockgate.toml";

/// What marks a layer that comes from the user and not from a working folder.
const USERS: &str = "user";

/// What the layers are made of.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The working directory: `lockgate.toml` and `.env` are looked for here.
    pub directory: PathBuf,
    /// The variables of the process.
    pub environment: Environment,
    /// The file that was named with `--config`.
    pub file: Option<PathBuf>,
    /// The preset that was named with `--preset`.
    pub preset: Option<String>,
    /// What the command line sets.
    pub given: Vec<Given>,
}

/// A value from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The key that it sets.
    pub key: &'static str,
    /// Where it comes from, such as `flag --rate`.
    pub origin: String,
    /// The value.
    pub value: GivenValue,
}

/// A value as a flag gives it.
#[derive(Clone, PartialEq, Eq)]
pub enum GivenValue {
    /// Text that is read like that of a variable.
    Text(String),
    /// Parts that are not split any further.
    List(Vec<String>),
    /// A switch.
    Truth(bool),
}

impl std::fmt::Debug for GivenValue {
    /// Keeps text to itself, as it may be a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::List(parts) => f.debug_tuple("List").field(parts).finish(),
            Self::Truth(truth) => f.debug_tuple("Truth").field(truth).finish(),
        }
    }
}

/// The name of the weakest layer.
const DEFAULTS: &str = "default";

/// All layers merged: raw values with their origins.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) figment: Figment,
    /// What was merged, the weakest first.
    pub(super) layers: Vec<Layer>,
    pub(super) environment: Environment,
    /// The working directory; empty where only the defaults count.
    pub(super) directory: PathBuf,
    /// Tokens of files and commands, so that each is read once.
    pub(super) read_tokens: Arc<Mutex<BTreeMap<TokenSource, Secret>>>,
    /// The line of each key, counted from 1, by the name of its file.
    pub(super) lines: BTreeMap<(String, String), usize>,
    /// The names of source and target in `[targets]`, where they have been put in the place of the two.
    pub(super) names: Names,
    /// The folder that stands for the source, and the instance in it.
    pub(super) folder: Option<(PathBuf, Guid)>,
}

/// A key as `lockgate config` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub key: Cow<'static, str>,
    /// Its value as TOML, `[redacted]` when secret; `None` when it is not set.
    pub value: Option<String>,
    /// The layer that set it.
    pub origin: Option<String>,
}

impl Config {
    /// Reads and merges all layers.
    ///
    /// # Errors
    /// [`ConfigError`] when a file cannot be read, or a key, variable or preset does not exist.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        learn_credentials(&inputs.environment);
        for one in &inputs.given {
            learn_of(&Layer::given(one).values);
        }
        let mut lines = BTreeMap::new();
        let mut layers = vec![toml_layer(DEFAULTS, DEFAULT_FILE)?.of_user()];
        let preset = chosen(inputs.preset.as_deref(), inputs, &CHOOSERS[1])?;
        if let Some(name) = preset {
            layers.push(preset_layer(name)?.of_user());
        }
        let users = users_file(&inputs.environment);
        let files = [
            users_layer(users.as_deref())?,
            file_layer(inputs, users.as_deref())?,
        ];
        for (layer, text) in files.into_iter().flatten() {
            lines_of(&layer.name, &text, &mut lines);
            layers.push(layer.in_general());
        }
        if let Some((file, variables)) = dotenv::find(&inputs.directory)? {
            learn_credentials(&variables);
            let name = |variable: &str| (format!("{variable} in {file}"), false);
            layers.extend(of_variables(&variables, false, name));
        }
        check_variables(&inputs.environment)?;
        for (variable, color) in colors(&inputs.environment) {
            let name = format!("environment variable {variable}");
            layers.push(Layer::single(&name, "output.color", color));
        }
        let name = |variable: &str| (format!("environment variable {variable}"), true);
        layers.extend(of_variables(&inputs.environment, true, name));
        let config = Self {
            environment: inputs.environment.clone(),
            directory: inputs.directory.clone(),
            lines,
            ..Self::of_layers(layers)
        };
        Ok(config.with(&inputs.given))
    }

    /// The defaults alone, with `given` on top: what a value means that no file holds yet.
    ///
    /// # Errors
    /// [`ConfigError`] when the documented defaults cannot be read, which is a bug.
    pub fn of_defaults(given: &[Given]) -> Result<Self, ConfigError> {
        let config = Self::of_layers(vec![toml_layer(DEFAULTS, DEFAULT_FILE)?.of_user()]);
        Ok(config.with(given))
    }

    /// Layers, the weakest first, and nothing else.
    pub(super) fn of_layers(layers: Vec<Layer>) -> Self {
        let merge = |figment: Figment, layer: &Layer| figment.merge(layer.clone());
        Self {
            figment: layers.iter().fold(Figment::new(), merge),
            layers,
            environment: Environment::default(),
            directory: PathBuf::new(),
            read_tokens: Arc::default(),
            lines: BTreeMap::new(),
            names: Names::default(),
            folder: None,
        }
    }

    pub(super) fn push(&mut self, layer: Layer) {
        self.figment = std::mem::take(&mut self.figment).merge(layer.clone());
        self.layers.push(layer);
    }

    /// Puts one more layer on top.
    #[must_use]
    pub fn with(mut self, given: &[Given]) -> Self {
        for one in given {
            self.push(Layer::given(one).of_user());
        }
        self
    }

    /// Puts one more layer right above the defaults: what a run before was given holds where no other layer says
    /// anything. It comes from the state, which lies in the working folder, and not from the user.
    #[must_use]
    pub fn unless_set(mut self, given: &[Given]) -> Self {
        for one in given {
            let is_set = |(_, origin): (Value, String)| origin != DEFAULTS;
            if !self.find(one.key).is_some_and(is_set) {
                self.push(Layer::given(one).in_general());
            }
        }
        self
    }

    /// Takes a folder with this instance for the source.
    #[must_use]
    pub fn with_source_folder(mut self, folder: PathBuf, instance: Guid) -> Self {
        self.folder = Some((folder, instance));
        self
    }

    /// The values of the keys below a table, such as `sync`, as JSON. No credential is among them.
    pub fn values(&self, table: &str) -> serde_json::Map<String, serde_json::Value> {
        let is_below = |info: &&KeyInfo| {
            let rest = info.key.strip_prefix(table);
            !info.secret && rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let value = |info: &KeyInfo| {
            let (value, _) = self.find(info.key)?;
            Some((info.key.to_owned(), serde_json::to_value(value).ok()?))
        };
        KEYS.iter().filter(is_below).filter_map(value).collect()
    }

    /// Puts values that [`Self::values`] gave on top of all layers. `origin` names where they were kept.
    ///
    /// # Errors
    /// The first key that does not exist.
    pub fn with_values(
        mut self,
        values: &serde_json::Map<String, serde_json::Value>,
        origin: &str,
    ) -> Result<Self, String> {
        for (key, value) in values {
            let info = KeyInfo::find(key).ok_or_else(|| key.clone())?;
            let value = Value::serialize(value).map_err(|_| key.clone())?;
            self.push(Layer::single(origin, info.key, value));
        }
        Ok(self)
    }

    /// Every key with its value and origin, and after them those of `[targets]` that are set.
    pub fn rows(&self) -> Vec<Row> {
        let keyed = KEYS.iter().map(|info| self.row(info, info.key.into()));
        let tables = self.target_names().into_iter().flat_map(|name| {
            TABLE_KEYS.iter().filter_map(move |(leaf, key)| {
                let row = self.row(KeyInfo::find(key)?, format!("targets.{name}.{leaf}").into());
                row.value.is_some().then_some(row)
            })
        });
        keyed.chain(tables).collect()
    }

    fn row(&self, info: &KeyInfo, key: Cow<'static, str>) -> Row {
        let found = self.find(&key);
        Row {
            key,
            value: found.as_ref().map(|(value, _)| row_value(info, value)),
            origin: found.map(|(_, origin)| origin),
        }
    }

    /// The strongest value of a key with the layer that set it.
    pub(super) fn find(&self, key: &str) -> Option<(Value, String)> {
        let value = self.figment.find_value(key).ok()?;
        let origin = self
            .figment
            .get_metadata(value.tag())
            .map(|layer| layer.name.to_string());
        Some((value, origin.unwrap_or_default()))
    }

    /// Whether the strongest value of a key comes from the user: the command line, the environment of the process, or
    /// the user's own configuration.
    pub(super) fn is_users(&self, key: &str) -> bool {
        let value = self.figment.find_value(key).ok();
        let layer = value.and_then(|value| self.figment.get_metadata(value.tag()));
        let source = layer.and_then(|layer| layer.source.as_ref());
        matches!(source, Some(Source::Custom(mark)) if mark == USERS)
    }

    /// The layer that set a key, with the line where it is a file.
    pub(super) fn place_of(&self, key: &str) -> String {
        let origin = self.find(key).map(|(_, origin)| origin).unwrap_or_default();
        match self.lines.get(&(origin.clone(), key.to_owned())) {
            Some(line) => format!("{origin}, line {line}"),
            None => origin,
        }
    }
}

/// A value as TOML would write it, without credentials.
pub(super) fn show(info: &KeyInfo, value: &Value) -> String {
    if info.secret {
        return "[redacted]".to_owned();
    }
    let shown = toml::Value::try_from(value)
        .map_or_else(|_| format!("{value:?}"), |value| value.to_string());
    redact_message(&shown)
}

/// A value as `lockgate config` shows it: like in an error, but a GUID may look like a credential.
fn row_value(info: &KeyInfo, value: &Value) -> String {
    let is_guid =
        info.key.rsplit('.').next() == Some("guid") && value.as_str().is_some_and(is_guid);
    if is_guid {
        show(info, value)
    } else {
        show_wrong(info, value)
    }
}

/// A value as an error shows it: the same without words that look like a credential, where a setting that is wrong may be one.
pub(super) fn show_wrong(info: &KeyInfo, value: &Value) -> String {
    hidden::shown(&show(info, value))
}

/// One layer for figment: its values and the name by which messages call it.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) values: Dict,
    /// Whether it comes from the user and not from a working folder.
    pub(super) is_users: bool,
    /// Whether what it says of source and target holds only where these have no table of their own.
    pub(super) is_general: bool,
}

impl Layer {
    fn given(Given { key, origin, value }: &Given) -> Self {
        let value: Value = match value {
            GivenValue::Text(text) => text.as_str().into(),
            GivenValue::List(parts) => parts.clone().into(),
            GivenValue::Truth(truth) => (*truth).into(),
        };
        Self::single(origin, key, value)
    }

    pub(super) fn single(name: impl Into<String>, key: &str, value: impl Into<Value>) -> Self {
        let nested = figment::util::nest(key, value.into());
        Self {
            name: name.into(),
            values: nested.into_dict().unwrap_or_default(),
            is_users: false,
            is_general: false,
        }
    }

    fn in_general(mut self) -> Self {
        self.is_general = true;
        self
    }

    fn of_user(mut self) -> Self {
        self.is_users = true;
        self
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let named = Metadata::named(self.name.clone());
        if self.is_users {
            named.source(Source::Custom(USERS.to_owned()))
        } else {
            named
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// What a flag or its variable names; refused where it is set and empty.
fn chosen<'a>(
    flag: Option<&'a str>,
    inputs: &'a Inputs,
    (name, variable): &(&'static str, &'static str),
) -> Result<Option<&'a str>, ConfigError> {
    let given = flag.map(|text| (text, format!("flag {name}")));
    let set = || {
        let text = inputs.environment.set(variable)?;
        Some((text, format!("environment variable {variable}")))
    };
    match given.or_else(set) {
        Some((text, origin)) if text.trim().is_empty() => {
            Err(ConfigError::Empty { key: name, origin })
        }
        given => Ok(given.map(|(text, _)| text)),
    }
}

fn preset_layer(name: &str) -> Result<Layer, ConfigError> {
    let (name, text) = PRESETS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name.trim()))
        .ok_or_else(|| ConfigError::UnknownPreset {
            name: hidden::shown(name),
            nearest: nearest(name.trim(), PRESETS.iter().map(|(known, _)| *known)),
        })?;
    toml_layer(&format!("preset {name}"), text)
}

/// A layer with the text of its file.
type FileLayer = (Layer, String);

/// The file that was named, or else the one in the working directory if there is one.
fn file_layer(inputs: &Inputs, users: Option<&Path>) -> Result<Option<FileLayer>, ConfigError> {
    let named = inputs.file.as_ref().map(|path| path.to_string_lossy());
    let named = chosen(named.as_deref(), inputs, &CHOOSERS[0])?
        .map(|name| inputs.file.clone().unwrap_or_else(|| name.into()));
    let path = named.as_deref().unwrap_or(Path::new(FILE));
    let full = inputs.directory.join(path);
    let is_users = users.is_some_and(|users| lies_beside(&full, users));
    read_layer(&full, path, is_users, named.is_some())
}

/// The user's own file, if there is one.
fn users_layer(file: Option<&Path>) -> Result<Option<FileLayer>, ConfigError> {
    match file {
        Some(path) => read_layer(path, path, true, false),
        None => Ok(None),
    }
}

/// Where the user's own file would be.
fn users_file(environment: &Environment) -> Option<PathBuf> {
    environment.user_folder().map(|folder| folder.join(FILE))
}

/// Whether a file lies in the folder of the user's own one, links followed.
fn lies_beside(file: &Path, users: &Path) -> bool {
    let folder = users.parent().and_then(|folder| folder.canonicalize().ok());
    let file = file.canonicalize().ok();
    file.zip(folder)
        .is_some_and(|(file, folder)| file.starts_with(folder))
}

/// Reads the file at `full`, which messages call `shown`. Without `is_needed` it may be absent.
fn read_layer(
    full: &Path,
    shown: &Path,
    is_users: bool,
    is_needed: bool,
) -> Result<Option<FileLayer>, ConfigError> {
    match read_text(full) {
        Ok(text) => {
            let layer = toml_layer(&shown.display().to_string(), &text)?;
            Ok(Some((Layer { is_users, ..layer }, text)))
        }
        Err(error) if !is_needed && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::File {
            path: hidden::shown(&shown.display().to_string()).into(),
            source,
        }),
    }
}

/// Makes every credential among some variables known before anything can go wrong, whichever of them will be used.
pub fn learn_credentials(environment: &Environment) {
    for info in KEYS.iter().filter(|info| info.secret) {
        let variables = info.official.into_iter().chain([info.variable]);
        for value in variables.filter_map(|name| environment.get(name)) {
            drop(Secret::new(value));
        }
    }
    for value in BLOB_CREDENTIALS
        .iter()
        .filter_map(|name| environment.get(name))
    {
        drop(Secret::new(value));
    }
}

/// Makes the credentials of a layer known.
fn learn_of(values: &Dict) {
    let all = Value::from(values.clone());
    let secret = KEYS.iter().filter(|info| info.secret);
    let secret = secret.map(|info| info.key.to_owned());
    let of_tables = names_in(values).map(|name| format!("targets.{name}.token"));
    for key in secret.chain(of_tables) {
        drop(all.find_ref(&key).and_then(Value::as_str).map(Secret::new));
    }
}

fn toml_layer(name: &str, text: &str) -> Result<Layer, ConfigError> {
    let table: toml::Table = toml::from_str(text).map_err(|error| ConfigError::Syntax {
        origin: name.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        problem: error.message().trim().replace('\n', ", "),
    })?;
    let values = Value::serialize(&table)
        .ok()
        .and_then(Value::into_dict)
        .unwrap_or_default();
    learn_of(&values);
    check_keys(name, "", &table)?;
    Ok(Layer {
        name: name.to_owned(),
        values,
        is_users: false,
        is_general: false,
    })
}

/// Notes the line of each key of a file, which has been read as TOML before.
fn lines_of(name: &str, text: &str, lines: &mut BTreeMap<(String, String), usize>) {
    fn note(prefix: &str, table: &DeTable<'_>, found: &mut impl FnMut(String, usize)) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => note(&format!("{key}."), inner, found),
                _ => found(key, Spanned::span(name).start),
            }
        }
    }
    if let Ok(table) = DeTable::parse(text) {
        note("", table.get_ref(), &mut |key, start| {
            lines.insert((name.to_owned(), key), line_of(text, start));
        });
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

/// Refuses keys that do not exist, at any depth.
fn check_keys(origin: &str, prefix: &str, table: &toml::Table) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value.as_table() {
            Some(inner) if prefix == TABLES => check_table(origin, name, inner)?,
            Some(inner) => check_keys(origin, &key, inner)?,
            None if KeyInfo::find(&key).is_some() => {}
            None => {
                let nearest = nearest_key(&key);
                return Err(ConfigError::UnknownKey {
                    key: hidden::shown(&key),
                    origin: origin.to_owned(),
                    nearest,
                });
            }
        }
    }
    Ok(())
}

fn check_variables(environment: &Environment) -> Result<(), ConfigError> {
    let is_known = |name: &str| {
        CHOOSERS.iter().any(|(_, variable)| *variable == name)
            || name.starts_with(OTHER_PREFIX)
            || KEYS.iter().any(|info| info.variable == name)
    };
    match environment
        .names()
        .find(|name| name.starts_with(PREFIX) && !is_known(name))
    {
        Some(name) => Err(ConfigError::UnknownVariable {
            name: name.to_owned(),
            nearest: nearest_variable(name),
        }),
        None => Ok(()),
    }
}

/// The variables of the vendor's tool and, where `own` says so, ours above them. `name` gives the name of the
/// layer, and whether it is the user's.
fn of_variables(
    environment: &Environment,
    own: bool,
    name: impl Fn(&str) -> (String, bool),
) -> Vec<Layer> {
    let mut layers = Vec::new();
    for info in KEYS {
        let ours = own.then_some(info.variable);
        for variable in info.official.into_iter().chain(ours) {
            if let Some(value) = environment.set(variable) {
                let (name, is_users) = name(variable);
                let layer = Layer::single(name, info.key, value).in_general();
                layers.push(Layer { is_users, ..layer });
            }
        }
    }
    layers
}

/// What the variables that many programs share ask for, the strongest last (no-color.org, bixense.com/clicolors).
fn colors(environment: &Environment) -> Vec<(&'static str, &'static str)> {
    let is_set = |name| environment.get(name).is_some_and(|value| !value.is_empty());
    let is_on = |name| is_set(name) && !matches!(environment.get(name), Some("0" | "false"));
    [
        (
            "CLICOLOR",
            "never",
            environment.get("CLICOLOR") == Some("0"),
        ),
        ("CLICOLOR_FORCE", "always", is_on("CLICOLOR_FORCE")),
        ("FORCE_COLOR", "always", is_on("FORCE_COLOR")),
        ("NO_COLOR", "never", environment.get("NO_COLOR").is_some()),
    ]
    .into_iter()
    .filter(|(_, _, is_asked)| *is_asked)
    .map(|(name, color, _)| (name, color))
    .collect()
}
