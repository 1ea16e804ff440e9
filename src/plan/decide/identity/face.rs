//! One locale of an item, in a form that is comparable between both sides.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::super::predicted_ids::PredictedIds;
use crate::domain::{
    AssetContainer, AssetUrls, ContentHash, Entity, Id, Kind, Locale, SourceId, TargetId,
};
use crate::plan::normal::by_shape;
use crate::plan::references::parse_nested;
use crate::plan::schema::{FieldKind, ModelSchema};
use crate::plan::{Context, Counterparts, Schema, normal, whole_payload};

/// Members of normal forms that hold ids of items.
const ID_MEMBERS: [&str; 3] = ["@ids", "@ids-in-order-field", "@ids-in-field"];
/// Fields that name an item in URLs, by their usual names.
const URL_FIELDS: [&str; 8] = [
    "slug",
    "urlslug",
    "urlname",
    "urltitle",
    "url",
    "permalink",
    "pagename",
    "handle",
];
/// Fields that name an item for people, by their usual names.
const TITLE_FIELDS: [&str; 8] = [
    "title",
    "name",
    "heading",
    "headline",
    "label",
    "question",
    "subject",
    "displayname",
];
/// The longest value that is looked at as a name, in bytes.
const KEY_MAX: usize = 250;

/// A value that may identify an item within its container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FieldValue {
    /// 0 is the best.
    pub(super) rank: u8,
    pub(super) field: Box<str>,
    /// In lower case.
    pub(super) value: Box<str>,
}

/// The ids that one place of a body selects.
pub(super) type Selected = (u64, Vec<i64>);

/// What one locale of an item says, in the target's terms but for the ids of items.
#[derive(Clone, Debug)]
pub(super) struct Face {
    /// The hash of everything but the ids of items.
    pub(super) skeleton: u64,
    /// The ids of items by their place, in a fixed order.
    pub(super) selected: Vec<Selected>,
    pub(super) names: Vec<FieldValue>,
    /// `itemOrder`.
    pub(super) order: i64,
}

impl Face {
    /// Of a source entity; `None` when it refers to something that does not exist.
    pub(super) fn of_source(
        entity: &Entity<SourceId>,
        context: &Context<'_>,
        map: &PredictedIds<'_>,
    ) -> Option<Self> {
        let written = whole_payload(entity, context, &OwnItems(map), None).ok()?;
        Some(Self::of(entity.key.kind, &written.body, context.schema))
    }

    /// Of an entity of the target.
    pub(super) fn of_target(entity: &Entity<TargetId>, schema: &Schema) -> Self {
        Self::of(entity.key.kind, &entity.body.parse(), schema)
    }

    fn of(kind: Kind, body: &Value, schema: &Schema) -> Self {
        let mut form = normal(kind, body, schema);
        let properties = &body["properties"];
        let model = properties["definitionName"].as_str();
        let names = model
            .and_then(|name| schema.model(name))
            .map_or_else(Vec::new, |model| names(&form["fields"], model));
        let mut selected = Vec::new();
        take_ids(&mut form, 0, &mut selected);
        selected.sort_unstable();
        let mut hasher = DefaultHasher::new();
        ContentHash::of(&form).hash(&mut hasher);
        Self {
            skeleton: hasher.finish(),
            selected,
            names,
            order: properties["itemOrder"].as_i64().unwrap_or(i64::MAX),
        }
    }
}

/// Takes the ids of items out of a normal form.
fn take_ids(value: &mut Value, path: u64, selected: &mut Vec<Selected>) {
    if let Value::String(text) = value
        && let Some(inside) = parse_nested(text)
    {
        // Texts compare to the byte, but an id in one is another id on the other side.
        *value = by_shape(&inside).unwrap_or_default();
    }
    let below = |part: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        part(&mut hasher);
        hasher.finish()
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let path = below(&|hasher| name.hash(hasher));
                if ID_MEMBERS.contains(&name.as_str())
                    && let Some(text) = member.as_str()
                {
                    let ids = text.split(',').filter_map(|id| id.trim().parse().ok());
                    selected.push((path, ids.collect()));
                    *member = Value::Null;
                } else {
                    take_ids(member, path, selected);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                take_ids(item, below(&|hasher| at.hash(hasher)), selected);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The values of `fields` that may name the item, the best first.
fn names(fields: &Value, model: &ModelSchema) -> Vec<FieldValue> {
    let first_text = model
        .fields()
        .iter()
        .find(|field| matches!(field.kind, FieldKind::Other));
    let mut names: Vec<FieldValue> = model
        .fields()
        .iter()
        .filter_map(|field| {
            let key = &*field.key;
            let rank = if field.unique {
                0
            } else if URL_FIELDS.contains(&key) {
                1
            } else if TITLE_FIELDS.contains(&key) {
                2
            } else if first_text.is_some_and(|first| first.key == field.key) {
                3
            } else {
                return None;
            };
            let text = fields[key].as_str()?.trim();
            let is_name = !text.is_empty()
                && text.len() <= KEY_MAX
                && !text.contains('\n')
                && !text.starts_with('<');
            is_name.then(|| FieldValue {
                rank,
                field: field.name.clone(),
                value: text.to_lowercase().into(),
            })
        })
        .collect();
    names.sort_unstable();
    names
}

/// Items stand for themselves; everything else for its counterpart.
struct OwnItems<'a>(&'a PredictedIds<'a>);

impl Counterparts for OwnItems<'_> {
    fn id(&self, kind: Kind, id: i64, locale: Option<&Locale>) -> Option<TargetId> {
        match kind {
            Kind::Content => Some(TargetId::new(id)),
            Kind::Model
            | Kind::Container
            | Kind::Template
            | Kind::Gallery
            | Kind::Asset
            | Kind::Page
            | Kind::Redirection => self.0.id(kind, id, locale),
        }
    }

    fn name(&self, kind: Kind, source_name: &str) -> Option<Box<str>> {
        self.0.name(kind, source_name)
    }

    fn asset_urls(&self, id: i64) -> Option<AssetUrls> {
        self.0.asset_urls(id)
    }

    fn asset_container(&self) -> &AssetContainer {
        self.0.asset_container()
    }
}
