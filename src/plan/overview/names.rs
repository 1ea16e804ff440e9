//! References by name, and other values as text.

use serde_json::{Map, Value};

use crate::domain::{Entity, Id, Inventory, Kind, Locale, SourceId, TargetId, TargetKey, redact};
use crate::plan::decide::predicted_ids::provisional;
use crate::plan::{ModelSchema, container_of};

/// What the values of one entity are called.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) source: &'a Inventory<SourceId>,
    pub(super) target: &'a Inventory<TargetId>,
    pub(super) locale: Option<&'a Locale>,
    /// The model of an item, for the names of its fields.
    pub(super) model: Option<&'a ModelSchema>,
}

impl Names<'_> {
    /// The name of a member: of a field as its model writes it, else with what it is a part of.
    pub(super) fn below(&self, at: &str, name: &str) -> String {
        if at == "fields" {
            let field = self.model.and_then(|model| model.field(name));
            return field.map_or(name, |field| &field.name).to_owned();
        }
        match at {
            "" => name.to_owned(),
            at => format!("{at}.{name}"),
        }
    }

    /// The entries of a list; a selection is one of the items that it selects. Nothing is an empty list.
    pub(super) fn list(&self, value: Option<&Value>) -> Option<Vec<String>> {
        match value {
            None => Some(Vec::new()),
            Some(Value::Array(entries)) => {
                Some(entries.iter().map(|entry| self.text(entry)).collect())
            }
            Some(Value::Object(object)) if object.len() == 1 => {
                let ids = object.get("@ids")?.as_str()?;
                Some(
                    ids.split(',')
                        .map(|id| self.of_id(Kind::Content, id))
                        .collect(),
                )
            }
            Some(_) => None,
        }
    }

    /// A value as text, whole.
    pub(super) fn text(&self, value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => redact(text).into_owned(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(entries) => {
                let entries = entries.iter().map(|entry| self.text(entry));
                entries.collect::<Vec<_>>().join(", ")
            }
            Value::Object(object) => self.members(object),
        }
    }

    fn members(&self, object: &Map<String, Value>) -> String {
        let parts = object.iter().map(|(name, value)| {
            let text = self.text(value);
            match name.as_str() {
                "@ids" | "@ids-in-order-field" | "@ids-in-field" => self.all(Kind::Content, &text),
                "@page" => self.all(Kind::Page, &text),
                "@gallery" => self.all(Kind::Gallery, &text),
                "@asset" => self.all(Kind::Asset, &text),
                "@model" => self.all(Kind::Model, &text),
                "@container" => self.all(Kind::Container, &text),
                "@list" => format!("all of {text}"),
                name if name.starts_with('@') || object.len() == 1 => text,
                "module" | "item" => text,
                name => format!("{name} {text}"),
            }
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn all(&self, kind: Kind, ids: &str) -> String {
        let ids = ids.split(',').map(|id| self.of_id(kind, id));
        ids.collect::<Vec<_>>().join(", ")
    }

    /// An entity of the target by its id, or what is called by a name already.
    fn of_id(&self, kind: Kind, text: &str) -> String {
        let Ok(id) = text.trim().parse::<i64>() else {
            return text.to_owned();
        };
        if let Some(node) = provisional(id) {
            let new = self.source.entities().get(node as usize);
            return new.map_or_else(|| format!("new {kind}"), called);
        }
        let key = TargetKey {
            kind,
            id: TargetId::new(id),
            locale: self.locale.filter(|_| kind.is_localised()).cloned(),
        };
        let found = self.target.get(&key).or_else(|| {
            // In another locale it has the same id.
            let mut all = self.target.of_kind(kind).iter();
            all.find(|one| one.key.id == key.id)
        });
        found.map_or_else(|| format!("{kind} {id}"), called)
    }
}

/// What a person calls an entity: an item by its title and container, anything else by its name or path.
pub(super) fn called<I>(entity: &Entity<I>) -> String
where
    I: Id,
{
    let name = redact(&entity.name);
    if entity.key.kind != Kind::Content {
        return name.into_owned();
    }
    let body = entity.body.parse();
    match container_of(&body) {
        "" => format!("{name:?}"),
        container => format!("{name:?} in {container}"),
    }
}
