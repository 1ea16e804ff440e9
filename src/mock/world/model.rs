//! Models: saved at once, fields as a complete list.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::failure::Refusal;
use super::fields::Definition;
use super::ids::IdKind;
use super::text::{field_key, is_since, now};
use super::{World, builtin, gone, row};
use crate::mock::file::Row;

/// `contentDefinitionTypeID` of a component model.
const COMPONENT: i64 = 2;

pub(super) fn is_component(row: &Row) -> bool {
    row::int(row, "contentDefinitionTypeID") == Some(COMPONENT)
}

/// Gives a model row the members that the server computes, where they are missing.
pub(super) fn complete(row: &mut Row) {
    let kind = match row::int(row, "contentDefinitionTypeID").unwrap_or(1) {
        0 => "Item",
        COMPONENT => "Module",
        _ => "List",
    };
    row::fill(row, "contentDefinitionTypeID", 1);
    row::set(row, "contentDefinitionTypeName", kind);
    row::fill(row, "lastModifiedDate", now());
    row::fill(row, "lastModifiedBy", "Mock User");
    row::fill(row, "lastModifiedAuthorID", 12);
    row::fill(row, "isPublished", true);
    row::fill(row, "wasUnpublished", false);
    row::fill(row, "allowTagging", false);
    row::fill(row, "fields", json!([]));
}

/// Which models a list has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Models {
    /// Built-in ones.
    pub(crate) defaults: bool,
    /// Those of content.
    pub(crate) contents: bool,
    /// Those of components.
    pub(crate) components: bool,
}

impl World {
    /// Summaries, without `fields`. Built-in models only with `defaults`, with `contents` those of both types; component
    /// models only with `components`, content models only with `contents`.
    pub(crate) fn model_list(&self, wanted: Models, since: Option<Timestamp>) -> Vec<Value> {
        self.models_of(wanted)
            .filter(|row| is_since(row, "lastModifiedDate", since))
            .map(|row| summary(row, "fields"))
            .collect()
    }

    fn models_of(&self, wanted: Models) -> impl Iterator<Item = &Row> {
        let rows = self.models.iter().map(|(_, row)| row);
        rows.filter(move |row| {
            if builtin::is_model(row) {
                wanted.defaults && (wanted.contents || is_component(row))
            } else if is_component(row) {
                wanted.components
            } else {
                wanted.contents
            }
        })
    }

    /// The types of the fields of these models, each once, by name.
    pub(crate) fn used_field_types(&self, wanted: Models) -> Vec<&str> {
        let fields = self
            .models_of(wanted)
            .flat_map(|row| row::objects(row, "fields"));
        let types: BTreeSet<&str> = fields
            .filter_map(|field| row::filled(field, "type"))
            .collect();
        types.into_iter().collect()
    }

    pub(crate) fn model(&self, id: i64) -> Option<&Row> {
        self.models.get(id)
    }

    /// By reference name, a content model before a component model.
    pub(crate) fn model_named(&self, name: &str) -> Option<&Row> {
        let rows = self
            .models
            .named(name)
            .iter()
            .filter_map(|id| self.models.get(*id));
        rows.min_by_key(|row| is_component(row))
    }

    /// Creates or replaces a model.
    ///
    /// # Errors
    /// 404 for an unknown id or a field whose `ContentDefinition` names no model, 409 for the name of a
    /// model of the other type, 500 for a name in use.
    pub(crate) fn save_model(&mut self, mut posted: Row) -> Result<Value, Refusal> {
        self.receive("model", &mut posted);
        let id = row::id(&posted, "id");
        let name = row::filled(&posted, "referenceName");
        let id = id.or_else(|| self.replaced(&self.models, name));
        let old = id
            .map(|id| {
                self.models
                    .get(id)
                    .cloned()
                    .ok_or_else(|| gone("Model", id))
            })
            .transpose()?;
        if let Some(old) = &old {
            // The type of a model cannot be changed; what a save says about it is passed over.
            row::set(
                &mut posted,
                "contentDefinitionTypeID",
                old.get("contentDefinitionTypeID").cloned(),
            );
        }
        self.check_model_name(id, &posted)?;
        if let Some(missing) =
            row::objects(&posted, "fields").find_map(|field| self.missing_definition(field))
        {
            let text = format!("Definition for setting ContentDefinition not found: {missing}");
            return Err(Refusal::new(404, text));
        }
        let id = id.unwrap_or_else(|| self.next_id(IdKind::Model));
        self.settle_model_fields(id, old.as_ref(), &mut posted);
        self.make_companions(&mut posted);
        row::set(&mut posted, "id", id);
        row::set(&mut posted, "lastModifiedDate", now());
        complete(&mut posted);
        self.put_model(id, posted.clone());
        Ok(Value::Object(posted))
    }

    fn check_model_name(&self, id: Option<i64>, posted: &Row) -> Result<(), Refusal> {
        let name = row::filled(posted, "referenceName");
        let name = name.ok_or_else(|| {
            Refusal::invalid("referenceName", "The referenceName field is required.")
        })?;
        let others = self.models.rivals(name).filter(|other| Some(*other) != id);
        let types: Vec<bool> = others
            .filter_map(|other| self.models.get(other))
            .map(is_component)
            .collect();
        if types.contains(&is_component(posted)) {
            let text = format!("A model with the reference name {name} already exists.");
            return Err(Refusal::new(500, text));
        }
        if types.is_empty() {
            return Ok(());
        }
        let text = format!("The reference name {name} is used by a model of another type.");
        Err(Refusal::new(409, text))
    }

    fn missing_definition(&self, field: &Row) -> Option<String> {
        let wanted = row::object(field, "settings")
            .and_then(|settings| row::filled(settings, "ContentDefinition"))?;
        let by_id = wanted
            .trim()
            .parse()
            .is_ok_and(|id| self.models.contains(id));
        let known = by_id || self.models.by_name(wanted).is_some();
        (!known).then(|| wanted.to_owned())
    }

    /// Keeps the fields when none are sent, gives new fields new ids, and drops the values of removed ones.
    fn settle_model_fields(&mut self, id: i64, old: Option<&Row>, posted: &mut Row) {
        let old_ids: HashMap<String, Value> = old
            .into_iter()
            .flat_map(|old| row::objects(old, "fields"))
            .map(name_and_id)
            .collect();
        if row::get(posted, "fields").is_none() {
            let kept = old
                .and_then(|old| old.get("fields"))
                .cloned()
                .unwrap_or_else(|| json!([]));
            row::set(posted, "fields", kept);
            return;
        }
        let mut kept = Vec::new();
        for field in posted
            .get_mut("fields")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let Some(field) = field.as_object_mut() else {
                continue;
            };
            let key = field_key(row::text(field, "name").unwrap_or_default());
            let number = old_ids
                .get(&key)
                .cloned()
                .unwrap_or_else(|| self.new_field_id());
            row::set(field, "fieldID", number);
            kept.push(key);
        }
        let removed: Vec<String> = old_ids
            .into_keys()
            .filter(|key| !kept.contains(key))
            .collect();
        if !removed.is_empty() {
            self.drop_fields(id, &removed);
        }
    }

    /// Puts a model in, together with what content saves need to know of it.
    pub(super) fn put_model(&mut self, id: i64, row: Row) {
        self.definitions.insert(id, Arc::new(Definition::of(&row)));
        self.models.put(id, row);
    }

    pub(super) fn definition(&self, model: i64) -> Option<Arc<Definition>> {
        self.definitions.get(&model).cloned()
    }

    pub(super) fn new_field_id(&mut self) -> Value {
        format!("f{:x}", self.next_id(IdKind::Field)).into()
    }

    /// Deletes a model that no container uses.
    ///
    /// # Errors
    /// 404 for an unknown id, 400 while a container uses it.
    pub(crate) fn delete_model(&mut self, id: i64) -> Result<String, Refusal> {
        if self
            .containers
            .iter()
            .any(|(_, row)| row::id(row, "contentDefinitionID") == Some(id))
        {
            return Err(Refusal::new(400, "The model is used by a container."));
        }
        let row = self.models.remove(id).ok_or_else(|| gone("Model", id))?;
        self.definitions.remove(&id);
        Ok(format!(
            "Model {} was deleted.",
            row::text(&row, "referenceName").unwrap_or_default()
        ))
    }

    /// Whether a model of this name, of any type, is there.
    pub(super) fn has_model(&self, name: &str) -> bool {
        self.models.by_name(name).is_some()
    }
}

fn name_and_id(field: &Row) -> (String, Value) {
    let id = row::get(field, "fieldID").cloned().unwrap_or(Value::Null);
    (field_key(row::text(field, "name").unwrap_or_default()), id)
}

/// A row of a list, without its long member.
pub(super) fn summary(row: &Row, without: &str) -> Value {
    let kept = row.iter().filter(|(key, _)| *key != without);
    Value::Object(
        kept.map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}
