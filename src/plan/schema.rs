//! Field definitions of the models of one side.
//!
//! Value, sort and text fields beside a link are plain text: only the model shows that `WriterID` holds
//! content ids and not a number. Keys of items and names of fields are compared without regard to case and
//! spaces, because the Fetch API camel-cases names and the Management API does not.

mod field;

use std::collections::HashSet;

use hashbrown::HashMap;
use serde_json::Value;

use crate::domain::{ByName, Entity, Id, Inventory, Kind, same_name};

pub(crate) use crate::domain::name_key;
pub use field::{FieldKind, FieldSchema, LinkKind, LinkSchema};
pub(crate) use field::{asks_for_companion, field_key, is_companion_setting, is_private_container};

/// `contentDefinitionTypeID` of component models in every version of the vendor's enumerations.
const COMPONENT: i64 = 2;
/// Reference names of models that every instance has and that are never created.
const BUILT_IN_MODELS: [&str; 6] = [
    "richtextarea",
    "formbuilder",
    "agilityformbuilder",
    "agilitycss",
    "agilityjavascript",
    "agilitycodetemplate",
];
/// Reference names of containers that every instance has and that are never moved.
const BUILT_IN_CONTAINERS: [&str; 5] = [
    "agilitycssfiles",
    "agilityjavascriptfiles",
    "agilityglobalcodetemplates",
    "agilitymodulecodetemplates",
    "agilitypagecodetemplates",
];
/// The id of the `RichTextArea` model in every instance (container upload of the official CLI).
pub(crate) const RICH_TEXT_MODEL: i64 = 1;

/// Whether `name` is a model that every instance has, in any case.
pub(crate) fn is_built_in_model(name: &str) -> bool {
    BUILT_IN_MODELS
        .iter()
        .any(|one| one.eq_ignore_ascii_case(name.trim()))
}

/// Whether `name` is a container that every instance has, in any case.
pub(crate) fn is_built_in_container(name: &str) -> bool {
    BUILT_IN_CONTAINERS
        .iter()
        .any(|one| one.eq_ignore_ascii_case(name.trim()))
}

/// The models of one side.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    models: Vec<ModelSchema>,
    by_name: ByName<usize>,
    by_id: HashMap<i64, usize>,
    /// Per template, by name: its zones. Of a template that lists none, nothing is known.
    zones: HashMap<Box<str>, HashSet<Box<str>>>,
    /// What there is of the kinds that soft relations lead to.
    ids: hashbrown::HashSet<(Kind, i64)>,
}

impl Schema {
    /// Reads the models of an instance. Built-in models are known without fields.
    pub fn of<I: Id>(inventory: &Inventory<I>) -> Self {
        let built_in = inventory
            .passed
            .iter()
            .filter(|row| row.kind == Kind::Model);
        let mut schema = Self::default();
        for row in built_in {
            schema.add(ModelSchema {
                id: row.id,
                name: row.name.clone(),
                ..ModelSchema::default()
            });
        }
        for model in inventory.of_kind(Kind::Model) {
            schema.add(ModelSchema::of(model));
        }
        for template in inventory.of_kind(Kind::Template) {
            let zones = zones_of(&template.body.parse());
            schema
                .zones
                .extend(zones.map(|zones| (name_key(&template.name), zones)));
        }
        let ids = inventory.entities().iter();
        schema.ids = ids
            .map(|entity| (entity.key.kind, entity.key.id.raw()))
            .collect();
        schema
    }

    /// The zones of a template of this name, in lower case; `None` where it is not known which it has.
    pub(crate) fn zones(&self, template: &str) -> Option<&HashSet<Box<str>>> {
        self.zones.get(&name_key(template))
    }

    /// Whether there is an entity of this kind and id, in any locale.
    pub(crate) fn has(&self, kind: Kind, id: i64) -> bool {
        self.ids.contains(&(kind, id))
    }

    fn add(&mut self, model: ModelSchema) {
        self.by_name
            .insert(Kind::Model, &model.name, self.models.len());
        self.by_id.insert(model.id, self.models.len());
        self.models.push(model);
    }

    /// The model of a reference name in any case.
    pub fn model(&self, name: &str) -> Option<&ModelSchema> {
        self.by_name
            .get(Kind::Model, name)
            .map(|&at| &self.models[at])
    }

    /// The model of an id of this side.
    pub fn model_by_id(&self, id: i64) -> Option<&ModelSchema> {
        self.by_id.get(&id).map(|&at| &self.models[at])
    }
}

fn zones_of(template: &Value) -> Option<HashSet<Box<str>>> {
    let zones = template["contentSectionDefinitions"].as_array()?;
    let names = zones
        .iter()
        .filter_map(|zone| zone["pageItemTemplateReferenceName"].as_str());
    Some(names.map(name_key).collect())
}

/// What one model says about its items.
#[derive(Clone, Debug, Default)]
pub struct ModelSchema {
    /// Its id on its own side.
    pub id: i64,
    /// Its reference name as written.
    pub name: Box<str>,
    /// Whether its items stand in zones of pages.
    pub is_component: bool,
    fields: Vec<FieldSchema>,
    roles: HashMap<Box<str>, (Part, usize)>,
}

/// What a key of an item's `fields` is to its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Itself,
    Value,
    Sort,
}

/// What a key of an item's `fields` is to its model, with the field that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role<'s> {
    /// A field in its own right.
    Field(&'s FieldSchema),
    /// Holds the ids that are selected in this content field.
    ValueOf(&'s FieldSchema),
    /// Holds the order of a content field.
    SortOf,
}

impl ModelSchema {
    fn of<I: Id>(model: &Entity<I>) -> Self {
        let body = model.body.parse();
        let rows = body.get("fields").and_then(Value::as_array);
        let fields: Vec<_> = rows
            .into_iter()
            .flatten()
            .filter_map(FieldSchema::of)
            .collect();
        let name = body
            .get("referenceName")
            .and_then(Value::as_str)
            .unwrap_or(&model.name);
        Self {
            id: model.key.id.raw(),
            name: name.into(),
            is_component: body.get("contentDefinitionTypeID").and_then(Value::as_i64)
                == Some(COMPONENT),
            roles: roles(&fields),
            fields,
        }
    }

    /// The fields in the order of the model.
    pub fn fields(&self) -> &[FieldSchema] {
        &self.fields
    }

    /// The field that a key of an item belongs to.
    pub fn field(&self, key: &str) -> Option<&FieldSchema> {
        let key = field_key(key);
        self.fields.iter().find(|field| *field.key == *key)
    }

    /// A key of an item, and those of the companions of its field.
    pub(super) fn with_companions<'k>(&'k self, key: &'k str) -> Vec<&'k str> {
        let link = self.field(key).and_then(FieldSchema::link);
        let companions = link.map(|link| [&link.value_field, &link.text_field, &link.sort_field]);
        let companions = companions.into_iter().flatten().flatten();
        companions.map(|key| &**key).chain([key]).collect()
    }

    /// Whether one of its fields links to items of this very model.
    pub fn refers_to_itself(&self) -> bool {
        self.fields
            .iter()
            .filter_map(FieldSchema::link)
            .any(|link| {
                let model = link.model.as_deref().unwrap_or_default();
                same_name(model, &self.name) || model.parse() == Ok(self.id)
            })
    }

    /// Whether `key` of an item is one of its fields, or belongs to one.
    pub fn knows(&self, key: &str) -> bool {
        let key = field_key(key);
        let is_text = |field: &FieldSchema| {
            field.link().and_then(|link| link.text_field.as_deref()) == Some(&*key)
        };
        self.role(&key).is_some() || self.fields.iter().any(is_text)
    }

    pub(crate) fn role(&self, key: &str) -> Option<Role<'_>> {
        let &(part, at) = self.roles.get(&*field_key(key))?;
        let field = &self.fields[at];
        Some(match part {
            Part::Itself => Role::Field(field),
            Part::Value => Role::ValueOf(field),
            Part::Sort => Role::SortOf,
        })
    }
}

/// Content fields speak for themselves; a companion role outweighs what else the field is.
fn roles(fields: &[FieldSchema]) -> HashMap<Box<str>, (Part, usize)> {
    let links = || {
        fields
            .iter()
            .enumerate()
            .filter_map(|(at, field)| Some((at, field.link()?)))
    };
    let mut roles = HashMap::new();
    for (at, field) in fields.iter().enumerate() {
        roles.insert(field.key.clone(), (Part::Itself, at));
    }
    for (at, link) in links() {
        roles.extend(link.sort_field.clone().map(|key| (key, (Part::Sort, at))));
    }
    for (at, link) in links() {
        roles.extend(link.value_field.clone().map(|key| (key, (Part::Value, at))));
    }
    for (at, _) in links() {
        roles.insert(fields[at].key.clone(), (Part::Itself, at));
    }
    roles
}
