//! What the models of one side say about the fields of their items.
//!
//! Value, sort and text fields beside a link are plain text: only the model tells that `WriterID` holds
//! content ids and not a number. Keys of items and names of fields are compared without regard to case and
//! spaces, because the Fetch API camel-cases names and the Management API does not.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::domain::{Entity, Id, Inventory, Kind};

/// Stands where a container could be named: every item gets a private one.
const PRIVATE_CONTAINER: &str = "_newcontent_agility_";
/// Stands where a companion field could be named: the server is to make one.
const MAKE_COMPANION: &str = "CREATENEW";
/// `contentDefinitionTypeID` of component models in every version of the vendor's enumerations.
const COMPONENT: i64 = 2;
/// Reference names of models that every instance has and that nobody creates.
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

/// A field name or key as it is compared: lower case, without white space.
pub(crate) fn field_key(name: &str) -> Cow<'_, str> {
    let is_plain =
        |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase() && !byte.is_ascii_whitespace();
    if name.bytes().all(is_plain) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(
        name.chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect(),
    )
}

/// A reference name as it is compared: trimmed, lower case.
pub(crate) fn name_key(name: &str) -> Box<str> {
    name.trim().to_lowercase().into()
}

/// The models of one side.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    models: Vec<ModelSchema>,
    by_name: HashMap<Box<str>, usize>,
    by_id: HashMap<i64, usize>,
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
        schema
    }

    fn add(&mut self, model: ModelSchema) {
        self.by_name
            .insert(name_key(&model.name), self.models.len());
        self.by_id.insert(model.id, self.models.len());
        self.models.push(model);
    }

    /// The model of a reference name in any case.
    pub fn model(&self, name: &str) -> Option<&ModelSchema> {
        self.by_name
            .get(&name_key(name))
            .map(|&at| &self.models[at])
    }

    /// The model of an id of this side.
    pub fn model_by_id(&self, id: i64) -> Option<&ModelSchema> {
        self.by_id.get(&id).map(|&at| &self.models[at])
    }
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

    /// Whether one of its fields links to items of this very model.
    pub fn refers_to_itself(&self) -> bool {
        self.fields
            .iter()
            .filter_map(FieldSchema::link)
            .any(|link| {
                let model = link.model.as_deref().unwrap_or_default();
                model.eq_ignore_ascii_case(self.name.trim()) || model.parse() == Ok(self.id)
            })
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

/// What a model says about one field.
#[derive(Clone, Debug)]
pub struct FieldSchema {
    /// Its name as the model writes it.
    pub name: Box<str>,
    /// The name in lower case without spaces, as keys are compared.
    pub key: Box<str>,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether the server refuses an item that leaves it empty (`Required` = `True`).
    pub required: bool,
    /// The most characters that the server takes (`Length`).
    pub length: Option<usize>,
}

/// What a field holds, as far as that matters to a migration. Types compare without regard to case.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// `Content`: links to items.
    Content(Box<LinkSchema>),
    /// `PhotoGallery`.
    Gallery,
    /// `ImageAttachment`, `FileAttachment` and `AttachmentList`.
    Attachment,
    /// `Integer` and `Decimal`.
    Number,
    /// `Boolean`.
    Boolean,
    /// `Date`.
    Date,
    /// Text of any kind, URLs, choices, custom fields.
    Other,
}

/// How a content field links.
#[derive(Clone, Debug)]
pub struct LinkSchema {
    /// The reference name of the linked model (`ContentDefinition`), now and then its id.
    pub model: Option<Box<str>>,
    /// How editors choose.
    pub kind: LinkKind,
    /// The shared container that is linked to; `None` for private ones.
    pub container: Option<Box<str>>,
    /// Key of the field that holds the selected ids (`LinkeContentDropdownValueField`).
    pub value_field: Option<Box<str>>,
    /// Key of the field that holds the display text (`LinkeContentDropdownTextField`).
    pub text_field: Option<Box<str>>,
    /// Key of the field that holds the order (`SortIDFieldName`).
    pub sort_field: Option<Box<str>>,
}

/// How editors choose in a content field; the first that fits, as in the official CLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// One shared item out of a list.
    Dropdown,
    /// Several items out of a list.
    SearchList,
    /// A list of its own, edited in place.
    Grid,
    /// One item of its own, edited in place.
    Nested,
    /// A whole shared list.
    Shared,
    /// Any other combination of settings.
    Other,
}

impl FieldSchema {
    fn of(row: &Value) -> Option<Self> {
        let name = row.get("name")?.as_str()?;
        let key: Box<str> = field_key(name).into();
        let empty = Map::new();
        let settings = Settings(
            row.get("settings")
                .and_then(Value::as_object)
                .unwrap_or(&empty),
        );
        let field_type = row.get("type").and_then(Value::as_str).unwrap_or_default();
        Some(Self {
            kind: FieldKind::of(field_type, &settings, &key),
            required: settings
                .text("Required")
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
            length: settings
                .text("Length")
                .and_then(|text| text.parse().ok())
                .filter(|&length| length > 0),
            name: name.into(),
            key,
        })
    }

    /// How it links, of a content field.
    pub fn link(&self) -> Option<&LinkSchema> {
        match &self.kind {
            FieldKind::Content(link) => Some(link),
            FieldKind::Gallery
            | FieldKind::Attachment
            | FieldKind::Number
            | FieldKind::Boolean
            | FieldKind::Date
            | FieldKind::Other => None,
        }
    }
}

impl FieldKind {
    fn of(field_type: &str, settings: &Settings<'_>, key: &str) -> Self {
        match field_type.trim().to_ascii_lowercase().as_str() {
            "content" => Self::Content(Box::new(LinkSchema::of(settings, key))),
            "photogallery" => Self::Gallery,
            "imageattachment" | "fileattachment" | "attachmentlist" => Self::Attachment,
            "integer" | "decimal" => Self::Number,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            _ => Self::Other,
        }
    }
}

impl LinkSchema {
    fn of(settings: &Settings<'_>, own_key: &str) -> Self {
        let companion = |names: &[&str]| {
            let name = names.iter().find_map(|name| settings.text(name))?;
            let key = field_key(name);
            let names_none = name.eq_ignore_ascii_case(MAKE_COMPANION) || *key == *own_key;
            (!names_none).then(|| key.into())
        };
        let shared = |name| {
            settings
                .text(name)
                .filter(|name| !is_private_container(name))
        };
        Self {
            model: settings.text("ContentDefinition").map(Into::into),
            kind: LinkKind::of(settings),
            container: shared("SharedContent")
                .or_else(|| shared("ContentView"))
                .map(Into::into),
            value_field: companion(&[
                "LinkeContentDropdownValueField",
                "LinkedContentDropdownValueField",
            ]),
            text_field: companion(&[
                "LinkeContentDropdownTextField",
                "LinkedContentDropdownTextField",
            ]),
            sort_field: companion(&["SortIDFieldName"]),
        }
    }
}

/// Whether a container setting stands for a private container per item.
pub(crate) fn is_private_container(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case(PRIVATE_CONTAINER)
}

impl LinkKind {
    fn of(settings: &Settings<'_>) -> Self {
        let is = |name, wanted: &str| {
            settings
                .text(name)
                .unwrap_or_default()
                .eq_ignore_ascii_case(wanted)
        };
        let names_list = |name| {
            settings
                .text(name)
                .is_some_and(|list| !is_private_container(list))
        };
        if is("RenderAs", "dropdown") && !is("SharedContent", PRIVATE_CONTAINER) {
            Self::Dropdown
        } else if is("RenderAs", "searchlistbox") {
            Self::SearchList
        } else if is("RenderAs", "grid") && is("LinkedContentNestedTypeID", "1") {
            Self::Grid
        } else if is("RenderAs", "") && is("LinkedContentNestedTypeID", "0") {
            Self::Nested
        } else if names_list("ContentView") && names_list("SharedContent") {
            Self::Shared
        } else {
            Self::Other
        }
    }
}

/// The settings of a field: names in any case, blank values as absent ones.
struct Settings<'a>(&'a Map<String, Value>);

impl<'a> Settings<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.0.get(name).or_else(|| {
            self.0
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        })?;
        value
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }
}
