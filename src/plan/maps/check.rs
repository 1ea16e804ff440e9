//! Whether the source has what maps name, and whether its names stay apart.

use std::collections::{BTreeSet, HashMap};

use super::rules::{FieldRule, Maps};
use crate::domain::{Entity, Inventory, Kind, SourceId, folder_and_name, name_key, same_name};
use crate::plan::UnknownName;
use crate::plan::policy::Pattern;
use crate::plan::schema::{FieldKind, FieldSchema, ModelSchema, Role, Schema};

/// Why maps cannot be applied to a source. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct MapError {
    /// The setting.
    pub key: &'static str,
    /// What is wrong with it.
    pub what: String,
    /// What can be done about it.
    pub hint: String,
}

impl MapError {
    /// A name that the source does not have.
    pub(super) fn unknown(key: &'static str, kind: &str, name: &str, known: &[&str]) -> Self {
        let unknown = UnknownName::named(kind, name, known);
        Self {
            key,
            what: unknown.to_string(),
            hint: unknown.hint,
        }
    }

    /// Two names of the source that become one.
    pub(super) fn both(key: &'static str, (one, other): (&str, &str), becomes: &str) -> Self {
        Self {
            key,
            what: format!("{one:?} and {other:?} of the source both become {becomes:?}"),
            hint: "give each a name of its own".to_owned(),
        }
    }
}

/// The folders of the source's assets, those above them included.
fn folders(read: &Inventory<SourceId>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for asset in read.of_kind(Kind::Asset) {
        let (mut folder, _) = folder_and_name(&asset.name);
        while !folder.is_empty() && all.insert(folder.to_owned()) {
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
    all
}

impl Maps {
    /// Checks every name.
    ///
    /// # Errors
    /// [`MapError`] for the first one that the source does not have or that cannot be mapped so.
    pub(super) fn check(
        &self,
        read: &Inventory<SourceId>,
        schema: &Schema,
    ) -> Result<(), MapError> {
        self.check_containers(read)?;
        self.check_folders(read)?;
        for (key, rules) in [("sync.set", &self.set), ("sync.drop", &self.dropped)] {
            for rule in rules {
                check_pattern(key, &rule.of, read)?;
                check_field(key, rule, (read, schema))?;
            }
        }
        let mut exclude = self.exclude.iter();
        exclude.try_for_each(|pattern| check_pattern("sync.exclude", pattern, read))
    }

    fn check_containers(&self, read: &Inventory<SourceId>) -> Result<(), MapError> {
        const KEY: &str = "sync.container_map";
        let all = read.of_kind(Kind::Container);
        let names: Vec<&str> = all.iter().map(|one| &*one.name).collect();
        for (from, _) in &self.containers {
            if !names.iter().any(|name| same_name(name, from)) {
                return Err(MapError::unknown(KEY, "container", from, &names));
            }
        }
        let becomes = |name: &str| self.container(name).map(str::to_owned);
        apart(KEY, names.into_iter(), becomes, !self.containers.is_empty())
    }

    fn check_folders(&self, read: &Inventory<SourceId>) -> Result<(), MapError> {
        const KEY: &str = "sync.folder_map";
        if self.folders.is_empty() {
            return Ok(());
        }
        let known = folders(read);
        for (from, _) in &self.folders {
            if !from.is_empty() && !known.iter().any(|folder| same_name(folder, from)) {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Err(MapError::unknown(KEY, "folder", from, &known));
            }
        }
        let paths = read.of_kind(Kind::Asset).iter().map(|one| &*one.name);
        apart(
            KEY,
            paths,
            |path| self.path(path).map(|(_, path)| path),
            true,
        )
    }
}

/// Refuses two names that become one, where at least one of them is mapped.
fn apart<'a>(
    key: &'static str,
    names: impl Iterator<Item = &'a str>,
    becomes: impl Fn(&str) -> Option<String>,
    is_mapped: bool,
) -> Result<(), MapError> {
    let mut taken: HashMap<Box<str>, (&str, bool)> = HashMap::new();
    for name in names.filter(|_| is_mapped) {
        let new = becomes(name);
        let mapped = new.is_some();
        let new = new.unwrap_or_else(|| name.to_owned());
        match taken.get(&name_key(&new)) {
            Some((other, was_mapped)) if mapped || *was_mapped => {
                return Err(MapError::both(key, (other, name), &new));
            }
            Some(_) => {}
            None => drop(taken.insert(name_key(&new), (name, mapped))),
        }
    }
    Ok(())
}

/// Checks the name in a pattern; a glob may mean nothing.
fn check_pattern(
    key: &'static str,
    pattern: &Pattern,
    read: &Inventory<SourceId>,
) -> Result<(), MapError> {
    let Some(name) = pattern.literal() else {
        return Ok(());
    };
    let (kind, name) = match pattern.kind() {
        // Of an item its container: titles come and go.
        Kind::Content => (Kind::Container, name.split('/').next().unwrap_or(name)),
        kind => (kind, name),
    };
    let names: Vec<&str> = read.of_kind(kind).iter().map(|one| &*one.name).collect();
    if names.iter().any(|known| same_name(known, name)) {
        return Ok(());
    }
    Err(MapError::unknown(key, kind.name(), name, &names))
}

/// The models of the items that a pattern means; of a container without items its own.
fn models_of<'s>(
    pattern: &Pattern,
    read: &Inventory<SourceId>,
    schema: &'s Schema,
) -> Vec<&'s ModelSchema> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for item in read.of_kind(Kind::Content) {
        if pattern.matches(item) {
            let body = item.body.parse();
            let name = body["properties"]["definitionName"].as_str();
            names.extend(name.map(str::to_owned));
        }
    }
    let found: Vec<_> = names.iter().filter_map(|name| schema.model(name)).collect();
    if !found.is_empty() {
        return found;
    }
    let list = pattern
        .literal()
        .map(|name| name.split('/').next().unwrap_or(name));
    let containers = read.of_kind(Kind::Container).iter();
    let is_it =
        |container: &&Entity<SourceId>| list.is_some_and(|list| same_name(list, &container.name));
    let model = |container: &Entity<SourceId>| {
        let id = container.body.parse()["contentDefinitionID"].as_i64()?;
        schema.model_by_id(id)
    };
    containers.filter(is_it).filter_map(model).collect()
}

fn check_field(
    key: &'static str,
    rule: &FieldRule,
    (read, schema): (&Inventory<SourceId>, &Schema),
) -> Result<(), MapError> {
    let models = models_of(&rule.of, read, schema);
    let own = rule.key();
    let mut found: Vec<(&ModelSchema, &FieldSchema)> = Vec::new();
    for model in &models {
        found.extend(model.field(&own).map(|field| (*model, field)));
    }
    if found.is_empty() && !models.is_empty() {
        let names = models.iter().flat_map(|model| model.fields());
        let names: Vec<&str> = names.map(|field| &*field.name).collect();
        return Err(MapError::unknown(key, "field", &rule.field, &names));
    }
    let refused = |what: String, hint: &str| {
        Err(MapError {
            key,
            what: format!("{} {what}", rule.name()),
            hint: hint.to_owned(),
        })
    };
    for (model, field) in found {
        if matches!(model.role(&own), Some(Role::ValueOf(_) | Role::SortOf)) {
            return refused("belongs to a field of links".to_owned(), "name that field");
        }
        let Some(value) = &rule.value else {
            if field.required {
                return refused(
                    "is required by its model".to_owned(),
                    "give it a value with sync.set instead",
                );
            }
            continue;
        };
        if !is_plain(model, &own) {
            return refused(
                "holds links or files, which no text stands for".to_owned(),
                "name a field of text, a number, a date or a switch",
            );
        }
        if let Some(expected) = unfit(&field.kind, value) {
            return refused(format!("takes {expected}"), "correct the value");
        }
    }
    Ok(())
}

/// What a field takes, where a text is none of that.
fn unfit(kind: &FieldKind, text: &str) -> Option<&'static str> {
    let is_date =
        || text.parse::<jiff::civil::DateTime>().is_ok() || text.parse::<jiff::Timestamp>().is_ok();
    let is_switch = || {
        ["true", "false"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(text))
    };
    let (fits, expected) = match kind {
        FieldKind::Number => (text.parse::<serde_json::Number>().is_ok(), "a number"),
        FieldKind::Boolean => (is_switch(), "true or false"),
        FieldKind::Date => (is_date(), "a date, such as 2026-12-19T00:00:00"),
        FieldKind::Other | FieldKind::Content(_) | FieldKind::Gallery | FieldKind::Attachment => {
            return None;
        }
    };
    (!fits).then_some(expected)
}

/// Whether a field of a model holds a value of its own.
fn is_plain(model: &ModelSchema, key: &str) -> bool {
    match model.role(key) {
        Some(Role::ValueOf(_) | Role::SortOf) => false,
        Some(Role::Field(field)) => match field.kind {
            FieldKind::Number | FieldKind::Boolean | FieldKind::Date | FieldKind::Other => true,
            FieldKind::Content(_) | FieldKind::Gallery | FieldKind::Attachment => false,
        },
        None => true,
    }
}
