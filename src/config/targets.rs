//! Instances with a name: `[targets.NAME]`.
//!
//! A table takes the place of `[target]` where its name is given as the target, and of `[source]` where it is given as the
//! source. What files and variables say of the one target belongs to that one, so a table inherits none of it: a token must not
//! go to another instance than the one that it was given for. Flags hold for whatever the command line names, and the common
//! token for every instance without one of its own.
//!
//! ```text
//!   layers ─▶ a copy for each target, its table in the place of [target] ─▶ Settings, as of one target
//! ```

use std::borrow::Cow;
use std::collections::BTreeSet;

use figment::value::{Dict, Value};

use super::keys::nearest;
use super::layers::Layer;
use super::validate::{SOURCE, SideKeys, TARGET};
use super::{Config, ConfigError, Settings, hidden};

/// The table that holds the others.
pub(super) const TABLES: &str = "targets";

/// The keys of a table, and those whose place they take where it is the target.
pub(super) const TABLE_KEYS: [(&str, &str); 14] = [
    ("guid", "target.guid"),
    ("url", "target.url"),
    ("token", "target.token"),
    ("token_file", "target.token_file"),
    ("token_command", "target.token_command"),
    ("locales", "sync.locales"),
    ("locale_map", "sync.locale_map"),
    ("channel_map", "sync.channel_map"),
    ("container_map", "sync.container_map"),
    ("folder_map", "sync.folder_map"),
    ("host_map", "sync.host_map"),
    ("set", "sync.set"),
    ("drop", "sync.drop"),
    ("exclude", "sync.exclude"),
];

/// Which tables stand for source and target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) source: Option<String>,
    pub(super) target: Option<String>,
}

impl Config {
    /// The names in `[targets]`, sorted.
    pub fn target_names(&self) -> BTreeSet<String> {
        let names = self.layers.iter().flat_map(|layer| names_in(&layer.values));
        names.map(str::to_owned).collect()
    }

    /// One configuration for each target, in the order in which they are named, with tables in the place of names. Without a
    /// target it is one that has none.
    ///
    /// # Errors
    /// [`ConfigError`] for a list that cannot be, and where two name one instance.
    pub fn of_each_target(&self) -> Result<Vec<Self>, ConfigError> {
        let source = self.single(&SOURCE)?;
        let config = self.in_place(&SOURCE, source.as_deref());
        let targets = self.list(TARGET.guid)?;
        let ([] | [_]) = targets.as_slice() else {
            let each = targets.iter().map(|target| {
                let (_, origin) = self.described(TARGET.guid);
                let mut one = config.clone().into_owned();
                let layer = Layer::single(origin, TARGET.guid, target.as_str());
                let is_users = self.is_users(TARGET.guid);
                one.push(Layer { is_users, ..layer });
                one.in_place(&TARGET, Some(target)).into_owned()
            });
            let each: Vec<Self> = each.collect();
            return each_once(each);
        };
        let target = self.single(&TARGET)?;
        let one = config.in_place(&TARGET, target.as_deref());
        Ok(vec![one.into_owned()])
    }

    /// Every table as the target, sorted by name.
    ///
    /// # Errors
    /// [`ConfigError`] for a source that cannot be.
    pub fn of_each_table(&self) -> Result<Vec<Self>, ConfigError> {
        let source = self.single(&SOURCE)?;
        let config = self.in_place(&SOURCE, source.as_deref());
        let names = self.target_names();
        Ok(names
            .iter()
            .map(|name| config.in_place(&TARGET, Some(name)).into_owned())
            .collect())
    }

    /// From one instance to another one; each is a name in `[targets]`, or a GUID, which inherits nothing of `[source]` and
    /// `[target]`.
    #[must_use]
    pub fn between(&self, source: &str, target: &str) -> Self {
        let ends = [(&SOURCE, source), (&TARGET, target)];
        ends.into_iter()
            .fold(self.clone(), |config, (side, given)| {
                let name = config.table_of(given);
                let mut one = config.with_table(side, name.as_deref());
                if name.is_none() {
                    let layer = Layer::single("the chain", side.guid, given);
                    let is_users = true;
                    one.push(Layer { is_users, ..layer });
                }
                one
            })
    }

    /// The settings for each target, in the order in which they are named.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that is missing or cannot be.
    pub fn settings_of_each(&self) -> Result<Vec<Settings>, ConfigError> {
        let each = self.of_each_target()?;
        each.iter().map(Self::settings).collect()
    }

    /// The GUID of the table with this name; without one, what was given.
    pub fn guid_of(&self, given: &str) -> String {
        let key = format!("{TABLES}.{given}.guid");
        let found = self.target_names().contains(given).then(|| self.find(&key));
        let found = found.flatten();
        let guid = found.as_ref().and_then(|(value, _)| value.as_str());
        guid.unwrap_or(given).to_owned()
    }

    /// What the target is called: its name, or what was given as its GUID; `None` where there is none.
    pub fn target_label(&self) -> Option<String> {
        let given = || self.text(TARGET.guid).ok().flatten();
        self.names.target.clone().or_else(given)
    }

    /// This configuration where there is one target, with tables in the place of names.
    pub(super) fn of_one_target(&self) -> Result<Self, ConfigError> {
        let mut each = self.of_each_target()?;
        match (each.pop(), each.is_empty()) {
            (Some(one), true) => Ok(one),
            (_, _) => Err(self.wrong(
                TARGET.guid,
                "one target, of which this command takes no more",
            )),
        }
    }

    /// What one side is called by; `None` where it is not named.
    fn single(&self, side: &SideKeys) -> Result<Option<String>, ConfigError> {
        if self.list(side.guid)?.len() > 1 {
            return Err(self.wrong(side.guid, "one instance"));
        }
        self.text(side.guid)
    }

    /// With a table in the place of a side, where `given` is its name or its GUID.
    fn in_place(&self, side: &SideKeys, given: Option<&str>) -> Cow<'_, Self> {
        if side.name_of(&self.names).is_some() {
            // It stands there already.
            return Cow::Borrowed(self);
        }
        match given.and_then(|given| self.table_of(given)) {
            Some(name) => Cow::Owned(self.with_table(side, Some(&name))),
            None => Cow::Borrowed(self),
        }
    }

    /// The table with this name; without one, the first with this GUID.
    fn table_of(&self, given: &str) -> Option<String> {
        let names = self.target_names();
        if names.contains(given) {
            return Some(given.to_owned());
        }
        let has_guid = |name: &String| {
            let guid = self.find(&format!("{TABLES}.{name}.guid"));
            let guid = guid.as_ref().and_then(|(value, _)| value.as_str());
            guid.is_some_and(|guid| guid.trim().eq_ignore_ascii_case(given))
        };
        names.into_iter().find(has_guid)
    }

    /// With a table in the place of a side, or with nothing there.
    fn with_table(&self, side: &SideKeys, name: Option<&str>) -> Self {
        let (table, leaf) = side.guid.split_once('.').unwrap_or((side.guid, "guid"));
        let (mut layers, mut lines) = (Vec::new(), self.lines.clone());
        for layer in &self.layers {
            let mut own = layer.clone();
            if own.is_general {
                own.values.remove(table);
            } else if let Some(Value::Dict(_, values)) = own.values.get_mut(table) {
                values.remove(leaf);
            }
            let table = name.and_then(|name| Some((name, table_in(&layer.values, name)?)));
            let named = table.map(|(name, values)| {
                let origin = format!("{} [{TABLES}.{name}]", layer.name);
                for (leaf, _) in TABLE_KEYS {
                    let line = (layer.name.clone(), format!("{TABLES}.{name}.{leaf}"));
                    if let (Some(line), Some(key)) = (self.lines.get(&line), side.key_of(leaf)) {
                        lines.insert((origin.clone(), key.to_owned()), *line);
                    }
                }
                Layer {
                    name: origin,
                    values: placed(side, values),
                    is_users: layer.is_users,
                    is_general: false,
                }
            });
            layers.push(own);
            layers.extend(named);
        }
        let mut names = self.names.clone();
        *side.name_in(&mut names) = name.map(str::to_owned);
        Self {
            environment: self.environment.clone(),
            directory: self.directory.clone(),
            read_tokens: self.read_tokens.clone(),
            lines,
            names,
            folder: self.folder.clone().filter(|_| side.guid != SOURCE.guid),
            ..Self::of_layers(layers)
        }
    }

    /// The complaint about a word that is neither a name nor a GUID.
    pub(super) fn unknown_instance(&self, side: &SideKeys, word: &str) -> ConfigError {
        let guid = if side.guid == SOURCE.guid {
            "the GUID of an instance, such as 1a2b3c4d-u, or a folder that lockgate pull wrote"
        } else {
            "the GUID of an instance, such as 1a2b3c4d-u"
        };
        let names = self.target_names();
        let error = self.wrong(side.guid, guid);
        let ConfigError::Value {
            key, value, origin, ..
        } = error
        else {
            return error;
        };
        let list: Vec<&str> = names.iter().map(String::as_str).collect();
        let expected = match list.as_slice() {
            [] => guid.to_owned(),
            some => format!("a name in [{TABLES}] ({}) or {guid}", some.join(", ")),
        };
        ConfigError::Value {
            key,
            value,
            origin,
            expected,
            nearest: nearest(word, list.into_iter()).map(str::to_owned),
        }
    }

    /// Checks every table, whether it is a target of this run or not.
    pub(super) fn check_tables(&self) -> Result<(), ConfigError> {
        for table in self.of_each_table()? {
            table.check_side(&TARGET)?;
            table.maps()?;
        }
        Ok(())
    }
}

/// Refuses a target that is named twice, under whatever names.
fn each_once(each: Vec<Config>) -> Result<Vec<Config>, ConfigError> {
    let mut seen = BTreeSet::new();
    for config in &each {
        let guid = config.text(TARGET.guid)?;
        // The state knows instances by their GUIDs.
        if guid.is_some_and(|guid| !seen.insert(guid.to_ascii_lowercase())) {
            return Err(config.wrong(TARGET.guid, "each target once"));
        }
    }
    Ok(each)
}

/// The names of the tables of a layer.
pub(super) fn names_in(values: &Dict) -> impl Iterator<Item = &str> {
    let tables = values.get(TABLES).and_then(Value::as_dict);
    tables
        .into_iter()
        .flat_map(|tables| tables.keys().map(String::as_str))
}

fn table_in<'v>(values: &'v Dict, name: &str) -> Option<&'v Dict> {
    values.get(TABLES)?.as_dict()?.get(name)?.as_dict()
}

/// The values of a table under the keys of a side.
fn placed(side: &SideKeys, table: &Dict) -> Dict {
    let mut placed = Dict::new();
    for (leaf, value) in table {
        let Some((table, leaf)) = side.key_of(leaf).and_then(|key| key.split_once('.')) else {
            continue;
        };
        let entry = placed
            .entry(table.to_owned())
            .or_insert_with(|| Dict::new().into());
        if let Value::Dict(_, values) = entry {
            values.insert(leaf.to_owned(), value.clone());
        }
    }
    placed
}

/// Refuses a name that a chain or a list could not hold, keys that do not exist, and a table that names no instance.
pub(super) fn check_table(
    origin: &str,
    name: &str,
    table: &toml::Table,
) -> Result<(), ConfigError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(ConfigError::TargetName {
            name: hidden::shown(name),
            origin: origin.to_owned(),
        });
    }
    let leaves = || TABLE_KEYS.iter().map(|(leaf, _)| *leaf);
    match table
        .iter()
        .find(|(key, _)| !leaves().any(|leaf| leaf == *key))
    {
        Some((key, _)) => Err(ConfigError::UnknownKey {
            key: hidden::shown(&format!("{TABLES}.{name}.{key}")),
            origin: origin.to_owned(),
            nearest: nearest(key, leaves()),
        }),
        None => Ok(()),
    }
}
