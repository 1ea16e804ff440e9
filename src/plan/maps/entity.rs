//! One entity, mapped for the target.

use serde_json::{Map, Value};

use super::rules::{FieldRule, Maps};
use crate::domain::{Body, Entity, Kind, Locale, SourceId, same_name};
use crate::plan::references::{Answer, Occurrence, UrlAt, Visitor, walk, with_other_hosts};
use crate::plan::schema::{FieldKind, ModelSchema, field_key};
use crate::plan::{AssetIndex, Context, Pointer, Schema};

/// What maps are applied with.
pub(super) struct Mapper<'a> {
    pub(super) maps: &'a Maps,
    /// The models of the source.
    pub(super) schema: &'a Schema,
    /// The assets of the source, whose URLs are references.
    pub(super) assets: &'a AssetIndex,
}

/// How often each rule was used, in the order of [`Maps`].
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    pub(super) folders: Vec<u32>,
    /// URLs.
    pub(super) hosts: Vec<u32>,
    pub(super) set: Vec<u32>,
    pub(super) dropped: Vec<u32>,
    pub(super) exclude: Vec<u32>,
}

impl Uses {
    pub(super) fn of(maps: &Maps) -> Self {
        Self {
            folders: vec![0; maps.folders.len()],
            hosts: vec![0; maps.hosts.len()],
            set: vec![0; maps.set.len()],
            dropped: vec![0; maps.dropped.len()],
            exclude: vec![0; maps.exclude.len()],
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (all, more) in [
            (&mut self.folders, &other.folders),
            (&mut self.hosts, &other.hosts),
            (&mut self.set, &other.set),
            (&mut self.dropped, &other.dropped),
            (&mut self.exclude, &other.exclude),
        ] {
            all.iter_mut()
                .zip(more)
                .for_each(|(all, more)| *all += more);
        }
    }
}

impl Maps {
    /// The path of an asset on the target with the position of the map; `None` where it is its own.
    pub(super) fn path(&self, path: &str) -> Option<(usize, String)> {
        let below = |folder: &str| -> Option<String> {
            if folder.is_empty() {
                return Some(path.to_owned());
            }
            let depth = folder.split('/').count();
            let parts: Vec<&str> = path.split('/').collect();
            let above = parts.get(..depth)?.join("/");
            let rest = parts.get(depth..)?;
            (same_name(&above, folder) && !rest.is_empty()).then(|| rest.join("/"))
        };
        let maps = self.folders.iter().enumerate();
        let fits = maps.filter_map(|(at, (from, to))| Some((at, from, to, below(from)?)));
        let (at, _, to, rest) = fits.max_by_key(|(_, from, ..)| from.len())?;
        let new = if to.is_empty() {
            rest
        } else {
            format!("{to}/{rest}")
        };
        (new != path).then_some((at, new))
    }
}

impl Mapper<'_> {
    /// The entity, mapped for the target; `None` where it stays as it was read.
    pub(super) fn entity(
        &self,
        read: &Entity<SourceId>,
        uses: &mut Uses,
    ) -> Option<Entity<SourceId>> {
        let mut entity = read.clone();
        if let Some(locale) = &read.key.locale {
            entity.key.locale = Some(self.maps.locale(locale));
        }
        let has_key = entity.key != read.key;
        let has_body = self.has_body(read.key.kind);
        let changed = has_body.then(|| {
            let mut body = read.body.parse_exact();
            let name = self.body(read, &mut body, uses)?;
            entity.body = Body::of_answer(&body);
            entity.name = name;
            Some(())
        });
        (has_key || changed.flatten().is_some()).then_some(entity)
    }

    /// Whether any map is about bodies of a kind.
    fn has_body(&self, kind: Kind) -> bool {
        let maps = self.maps;
        let (lists, hosts) = (!maps.containers.is_empty(), !maps.hosts.is_empty());
        match kind {
            Kind::Model | Kind::Template | Kind::Container => lists,
            Kind::Gallery => false,
            Kind::Asset => !maps.folders.is_empty(),
            Kind::Content => lists || hosts || !maps.set.is_empty() || !maps.dropped.is_empty(),
            Kind::Page => lists || hosts,
            Kind::Redirection => lists || hosts || !maps.locales.is_empty(),
        }
    }

    /// Edits a body. The name that the entity has then; `None` where nothing in it is mapped.
    fn body(&self, read: &Entity<SourceId>, body: &mut Value, uses: &mut Uses) -> Option<Box<str>> {
        let mut name = read.name.clone();
        let mut changed = self.hosts(read.key.kind, body, uses);
        changed |= self.lists(read, body);
        match read.key.kind {
            Kind::Container => {
                if let Some(new) = self.maps.container(&read.name) {
                    body["referenceName"] = new.into();
                    name = new.into();
                    changed = true;
                }
            }
            Kind::Asset => {
                if let Some((at, new)) = self.maps.path(&read.name) {
                    uses.folders[at] += 1;
                    body["originKey"] = new.as_str().into();
                    name = new.into();
                    changed = true;
                }
            }
            Kind::Content => changed |= self.fields(read, body, uses),
            Kind::Redirection => {
                changed |= self.locales(body);
                if let Some(origin) = body["originUrl"].as_str().filter(|_| changed) {
                    name = origin.into();
                }
            }
            Kind::Model | Kind::Template | Kind::Gallery | Kind::Page => {}
        }
        changed.then_some(name)
    }

    /// The locales that a redirection names.
    fn locales(&self, body: &mut Value) -> bool {
        let mut changed = false;
        let mut map = |value: &mut Value| {
            let Some(text) = value.as_str() else { return };
            let locale = Locale::new(text);
            let mapped = self.maps.locale(&locale);
            if mapped != locale {
                *value = mapped.as_str().into();
                changed = true;
            }
        };
        if let Some(only) = body.get_mut("destinationLocale") {
            map(only);
        }
        if let Some(Value::Array(origins)) = body.get_mut("originLocales") {
            origins.iter_mut().for_each(&mut map);
        }
        changed
    }

    /// The hosts of URLs in the text of a body.
    fn hosts(&self, kind: Kind, body: &mut Value, uses: &mut Uses) -> bool {
        let members: &[&str] = match kind {
            Kind::Content => &["fields", "seo", "scripts"],
            Kind::Page => &["redirectUrl", "redirect", "seo", "scripts"],
            Kind::Redirection => &["originUrl", "destinationUrl", "content"],
            Kind::Model | Kind::Container | Kind::Template | Kind::Gallery | Kind::Asset => &[],
        };
        let mut changed = false;
        for member in members.iter().filter(|_| !self.maps.hosts.is_empty()) {
            if let Some(value) = body.get_mut(*member) {
                changed |= self.hosts_in(value, uses);
            }
        }
        changed
    }

    fn hosts_in(&self, value: &mut Value, uses: &mut Uses) -> bool {
        match value {
            Value::String(text) => {
                let count = |at: usize| uses.hosts[at] += 1;
                let new = with_other_hosts(text, &self.maps.hosts, self.assets, count);
                let changed = new.is_some();
                if let Some(new) = new {
                    *text = new;
                }
                changed
            }
            Value::Array(items) => items
                .iter_mut()
                .fold(false, |changed, item| self.hosts_in(item, uses) | changed),
            Value::Object(members) => members.iter_mut().fold(false, |changed, (_, item)| {
                self.hosts_in(item, uses) | changed
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// The names of containers, wherever the walker meets them.
    fn lists(&self, read: &Entity<SourceId>, body: &mut Value) -> bool {
        if self.maps.containers.is_empty() {
            return false;
        }
        let mut names = Names {
            maps: self.maps,
            changed: false,
        };
        let assets = AssetIndex::default();
        let context = Context::of(self.schema, &assets);
        let mut with_names = body.clone();
        walk(read, &mut with_names, &context, &mut names);
        if names.changed {
            *body = with_names;
        }
        names.changed
    }

    /// Fields with a value of their own, and fields that the target does not get.
    fn fields(&self, read: &Entity<SourceId>, body: &mut Value, uses: &mut Uses) -> bool {
        let model = body["properties"]["definitionName"].as_str();
        let Some(model) = model.and_then(|name| self.schema.model(name)) else {
            return false;
        };
        let mut changed = false;
        for (at, rule) in self.maps.dropped.iter().enumerate() {
            let is_its = model.field(&rule.key()).is_some() && rule.of.matches(read);
            if is_its && drop_field(model, &rule.key(), body) {
                uses.dropped[at] += 1;
                changed = true;
            }
        }
        for (at, rule) in self.maps.set.iter().enumerate() {
            if model.field(&rule.key()).is_some() && rule.of.matches(read) {
                uses.set[at] += 1;
                changed |= set_field(model, rule, body);
            }
        }
        changed
    }
}

/// Answers the walker with the names that containers have on the target.
struct Names<'a> {
    maps: &'a Maps,
    changed: bool,
}

impl Names<'_> {
    fn name(&mut self, kind: Kind, name: &str) -> Option<Box<str>> {
        let new = self
            .maps
            .container(name)
            .filter(|_| kind == Kind::Container)?;
        self.changed = true;
        Some(new.into())
    }
}

impl Visitor for Names<'_> {
    fn meet(&mut self, occurrence: Occurrence<'_>) -> Answer {
        match occurrence.to.pointer() {
            Pointer::Name(kind, _) => {
                let name = self.name(kind, occurrence.name);
                name.map_or(Answer::Keep, Answer::Name)
            }
            Pointer::Id(..) => Answer::Keep,
        }
    }

    fn known_name(&mut self, kind: Kind, name: &str) -> Option<Box<str>> {
        self.name(kind, name)
    }

    fn url(&mut self, _: Option<Occurrence<'_>>, _: &str, _: &UrlAt) -> Option<String> {
        None
    }
}

/// The fields of the body of an item.
fn fields_of(body: &mut Value) -> Option<&mut Map<String, Value>> {
    body.get_mut("fields")?.as_object_mut()
}

/// Takes out a field with what belongs to it. Returns whether there was anything.
fn drop_field(model: &ModelSchema, key: &str, body: &mut Value) -> bool {
    let gone = model.with_companions(key);
    let Some(fields) = fields_of(body) else {
        return false;
    };
    let before = fields.len();
    fields.retain(|name, _| !gone.contains(&&*field_key(name)));
    fields.len() < before
}

/// Gives a field its value, in the form that a value there has. Returns whether it had another one.
fn set_field(model: &ModelSchema, rule: &FieldRule, body: &mut Value) -> bool {
    let (key, Some(text)) = (rule.key(), &rule.value) else {
        return false;
    };
    let Some(field) = model.field(&key) else {
        return false;
    };
    let name = field.name.to_string();
    let Some(fields) = fields_of(body) else {
        return false;
    };
    let own = fields.keys().find(|name| *field_key(name) == *key).cloned();
    let name = own.unwrap_or(name);
    let is_text = fields.get(&name).is_some_and(Value::is_string);
    let value = match field.kind {
        FieldKind::Number if !is_text => {
            serde_json::from_str(text).unwrap_or_else(|_| (&**text).into())
        }
        FieldKind::Boolean if !is_text => Value::Bool(text.eq_ignore_ascii_case("true")),
        FieldKind::Boolean => text.to_ascii_lowercase().into(),
        FieldKind::Content(_)
        | FieldKind::Gallery
        | FieldKind::Attachment
        | FieldKind::Number
        | FieldKind::Date
        | FieldKind::Other => (&**text).into(),
    };
    let before = fields.insert(name, value.clone());
    before != Some(value)
}
