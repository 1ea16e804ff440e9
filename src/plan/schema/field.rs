//! The definition of one field.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Stands where a container could be named: every item gets a private one.
const PRIVATE_CONTAINER: &str = "_newcontent_agility_";
/// Stands where a companion field could be named: the server is to make one.
const MAKE_COMPANION: &str = "CREATENEW";
/// The fields that hold the selected ids, in both spellings.
const VALUE_FIELD: [&str; 2] = [
    "LinkeContentDropdownValueField",
    "LinkedContentDropdownValueField",
];
/// Those that hold the display text.
const TEXT_FIELD: [&str; 2] = [
    "LinkeContentDropdownTextField",
    "LinkedContentDropdownTextField",
];
/// The field that holds the order.
const SORT_FIELD: &str = "SortIDFieldName";

/// Whether a setting of this name names a companion field.
pub(crate) fn is_companion_setting(name: &str) -> bool {
    let mut all = VALUE_FIELD.iter().chain(&TEXT_FIELD).chain([&SORT_FIELD]);
    all.any(|one| one.eq_ignore_ascii_case(name))
}

/// Whether the value of such a setting asks the server to make the field.
pub(crate) fn asks_for_companion(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case(MAKE_COMPANION)
}

/// A field name or key as it is compared: lower case, without white space.
pub(crate) fn field_key(name: &str) -> Cow<'_, str> {
    let is_plain =
        |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase() && !byte.is_ascii_whitespace();
    if name.bytes().all(is_plain) {
        return Cow::Borrowed(name);
    }
    if name.is_ascii() {
        let bytes = name.bytes().map(char::from);
        let kept = bytes.filter(|c| !c.is_whitespace());
        return Cow::Owned(kept.map(|c| c.to_ascii_lowercase()).collect());
    }
    Cow::Owned(
        name.chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect(),
    )
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
    /// Whether the server refuses a value that another item has (`Unique` = `True`).
    pub unique: bool,
    /// Maximum number of characters that the server takes (`Length`).
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
    pub(super) fn of(row: &Value) -> Option<Self> {
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
            required: settings.is_set("Required"),
            unique: settings.is_set("Unique"),
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
            let names_none = asks_for_companion(name) || *key == *own_key;
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
            value_field: companion(&VALUE_FIELD),
            text_field: companion(&TEXT_FIELD),
            sort_field: companion(&[SORT_FIELD]),
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
    fn is_set(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

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
