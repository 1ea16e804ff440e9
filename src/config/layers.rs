//! Builds the layers and merges them.

use std::io;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::keys::{CHOOSERS, PREFIX, nearest, nearest_key, nearest_variable};
use super::{ConfigError, DEFAULT_FILE, Environment, KEYS, KeyInfo, dotenv};
use crate::domain::read_text;

/// The embedded presets.
const PRESETS: [(&str, &str); 2] = [
    ("ci", include_str!("../../config/ci.toml")),
    ("gentle", include_str!("../../config/gentle.toml")),
];

/// Variables with our prefix that belong to the mock server's own command line.
const OTHER_PREFIX: &str = "LOCKGATE_MOCK_";

/// The file that is read from the working directory when no other is named.
const FILE: &str = "lockgate.toml";

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
    pub(super) environment: Environment,
}

/// A key as `lockgate config` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub key: &'static str,
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
        let mut figment = Figment::from(toml_layer(DEFAULTS, DEFAULT_FILE)?);
        let preset = chosen(inputs.preset.as_deref(), inputs, &CHOOSERS[1])?;
        if let Some(name) = preset {
            figment = figment.merge(preset_layer(name)?);
        }
        if let Some(layer) = file_layer(inputs)? {
            figment = figment.merge(layer);
        }
        if let Some((file, variables)) = dotenv::find(&inputs.directory)? {
            let name = |variable: &str| format!("{variable} in {file}");
            figment = merge_variables(figment, &variables, false, name);
        }
        check_variables(&inputs.environment)?;
        if inputs.environment.get("NO_COLOR").is_some() {
            figment = figment.merge(Layer::single(
                "environment variable NO_COLOR",
                "output.color",
                "never",
            ));
        }
        let name = |variable: &str| format!("environment variable {variable}");
        figment = merge_variables(figment, &inputs.environment, true, name);
        let config = Self {
            figment,
            environment: inputs.environment.clone(),
        };
        Ok(config.with(&inputs.given))
    }

    /// Puts one more layer on top.
    #[must_use]
    pub fn with(mut self, given: &[Given]) -> Self {
        for one in given {
            self.figment = self.figment.merge(Layer::given(one));
        }
        self
    }

    /// Puts one more layer right above the defaults: what is given holds where nobody has said anything.
    #[must_use]
    pub fn unless_set(mut self, given: &[Given]) -> Self {
        for one in given {
            let is_set = |(_, origin): (Value, String)| origin != DEFAULTS;
            if !self.find(one.key).is_some_and(is_set) {
                self.figment = self.figment.merge(Layer::given(one));
            }
        }
        self
    }

    /// Every key with its value and origin.
    pub fn rows(&self) -> Vec<Row> {
        KEYS.iter().map(|info| self.row(info)).collect()
    }

    fn row(&self, info: &KeyInfo) -> Row {
        let found = self.find(info.key);
        Row {
            key: info.key,
            value: found.as_ref().map(|(value, _)| show(info, value)),
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
}

/// A value as TOML would write it, without credentials.
pub(super) fn show(info: &KeyInfo, value: &Value) -> String {
    if info.secret {
        return "[redacted]".to_owned();
    }
    let shown = toml::Value::try_from(value)
        .map_or_else(|_| format!("{value:?}"), |value| value.to_string());
    without_user(&shown)
}

/// Hides what stands before the host of a URL: `http://[redacted]@host`.
fn without_user(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        let (_, host) = rest.rsplit_once('@')?;
        Some(format!("{scheme}://[redacted]@{host}"))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

/// One layer for figment: its values and the name by which messages call it.
struct Layer {
    name: String,
    values: Dict,
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

    fn single(name: impl Into<String>, key: &str, value: impl Into<Value>) -> Self {
        let nested = figment::util::nest(key, value.into());
        Self {
            name: name.into(),
            values: nested.into_dict().unwrap_or_default(),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
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
            name: name.to_owned(),
            nearest: nearest(name.trim(), PRESETS.iter().map(|(known, _)| *known)),
        })?;
    toml_layer(&format!("preset {name}"), text)
}

/// The file that was named, or else the one in the working directory if there is one.
fn file_layer(inputs: &Inputs) -> Result<Option<Layer>, ConfigError> {
    let named = inputs.file.as_ref().map(|path| path.to_string_lossy());
    let named = chosen(named.as_deref(), inputs, &CHOOSERS[0])?
        .map(|name| inputs.file.clone().unwrap_or_else(|| name.into()));
    let path = named.as_deref().unwrap_or(Path::new(FILE));
    match read_text(&inputs.directory.join(path)) {
        Ok(text) => toml_layer(&path.display().to_string(), &text).map(Some),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

fn toml_layer(name: &str, text: &str) -> Result<Layer, ConfigError> {
    let table: toml::Table = toml::from_str(text).map_err(|error| ConfigError::Syntax {
        origin: name.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        problem: error.message().trim().replace('\n', ", "),
    })?;
    check_keys(name, "", &table)?;
    let values = Value::serialize(&table)
        .ok()
        .and_then(Value::into_dict)
        .unwrap_or_default();
    Ok(Layer {
        name: name.to_owned(),
        values,
    })
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
            Some(inner) => check_keys(origin, &key, inner)?,
            None if KeyInfo::find(&key).is_some() => {}
            None => {
                let nearest = nearest_key(&key);
                return Err(ConfigError::UnknownKey {
                    key,
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

/// Merges the variables of the vendor's tool and, where `own` says so, ours above them.
fn merge_variables(
    mut figment: Figment,
    environment: &Environment,
    own: bool,
    name: impl Fn(&str) -> String,
) -> Figment {
    for info in KEYS {
        let ours = own.then_some(info.variable);
        for variable in info.official.into_iter().chain(ours) {
            if let Some(value) = environment.set(variable) {
                figment = figment.merge(Layer::single(name(variable), info.key, value));
            }
        }
    }
    figment
}
