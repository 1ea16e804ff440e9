//! Field values of content items: what a save makes of what was posted.
//!
//! The result is the form in which later reads show the value, so the rules about links live here and
//! nowhere else:
//!
//! | posted for a `Content` field | read back as |
//! |---|---|
//! | an id as text or number | `{contentid, fulllist: false}`, and the companion holds the id |
//! | nothing, beside a companion with ids | the object that follows from the companion |
//! | `{contentid, fulllist: false}` without list name and order | **empty**: the name of the list, or null |
//! | the reference name of a list, `{referencename, …}`, `{contentid}` alone | as posted |
//!
//! The third row is the trap that the real server sets: it reads the column as text, finds an object, and
//! answers with success. A companion that was posted beside it keeps its text. [`Links`] tries servers that do otherwise.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::failure::Failure;
use super::row::{self, as_int, id_list};
use super::rules::{Links, Rules};
use super::text::{camel, field_key};
use crate::mock::file::Row;

/// What a save must be able to ask about the rest of the instance.
pub(crate) trait Known {
    /// Whether a content item with this id exists in any locale.
    fn content(&self, id: i64) -> bool;
    /// Whether a container has this reference name.
    fn container(&self, name: &str) -> bool;
    /// Whether a gallery has this id.
    fn gallery(&self, id: i64) -> bool;
    /// What the instance does that callers cannot know.
    fn rules(&self) -> Rules;
}

/// Turns posted fields into stored ones: keys in the model's spelling, unknown keys dropped, links
/// checked and brought into their read form.
///
/// # Errors
/// The first value that the server would refuse.
pub(crate) fn settle(
    definition: &Definition,
    posted: &Row,
    known: &impl Known,
) -> Result<Row, Failure> {
    let mut values = definition.values(posted);
    for field in &definition.fields {
        field.check_limits(&values)?;
        match field.kind.as_str() {
            "content" => settle_link(field, &mut values, known)?,
            "photogallery" => settle_gallery(field, &mut values, known)?,
            _ => {}
        }
    }
    values
        .values()
        .try_for_each(|value| check_links(value, known))?;
    Ok(definition.in_order(values))
}

/// Gives keys the model's spelling and keeps those that it does not know, for rows out of a state file.
pub(crate) fn adopt(definition: &Definition, fields: Row) -> Row {
    let names = &definition.names;
    let spelled = |key: String| names.get(&field_key(&key)).cloned().unwrap_or(key);
    fields
        .into_iter()
        .map(|(key, value)| (spelled(key), value))
        .collect()
}

/// The fields as the Fetch API shows them.
pub(crate) fn for_fetch(fields: Row) -> Row {
    let fields = fields.into_iter();
    fields.map(|(key, value)| (camel(&key), value)).collect()
}

/// The selections of an item that hold the name of a list beside a value field, with the name of the field.
pub(crate) fn named_lists<'a>(
    definition: &'a Definition,
    fields: &'a Row,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let links = definition.fields.iter();
    let links = links.filter(|field| field.kind == "content" && field.value_key.is_some());
    links.filter_map(|field| {
        let name = definition.names.get(&field.key)?;
        Some((name.as_str(), row::filled(fields, name)?))
    })
}

/// The part of a model that decides about values.
#[derive(Debug)]
pub(crate) struct Definition {
    fields: Vec<Field>,
    /// Names in the model's spelling by comparison key, in the order of reading; companions that are no
    /// fields of their own come last.
    names: HashMap<String, String>,
    order: Vec<String>,
}

#[derive(Debug)]
struct Field {
    key: String,
    label: String,
    /// Lower case.
    kind: String,
    required: bool,
    length: Option<usize>,
    render_as: String,
    list: Option<String>,
    value_key: Option<String>,
    sort_key: Option<String>,
}

impl Definition {
    /// Of a `Model` row with its fields.
    pub(crate) fn of(model: &Row) -> Self {
        let mut out = Self {
            fields: Vec::new(),
            names: HashMap::new(),
            order: Vec::new(),
        };
        let mut companions = Vec::new();
        for field in row::objects(model, "fields") {
            let name = row::text(field, "name").unwrap_or_default();
            out.name(name);
            out.fields.push(Field::of(name, field));
            let settings = row::object(field, "settings");
            companions.extend(settings.into_iter().flat_map(companion_names));
        }
        for name in &companions {
            out.name(name);
        }
        out
    }

    fn name(&mut self, name: &str) {
        let key = field_key(name);
        if !self.names.contains_key(&key) {
            self.names.insert(key.clone(), name.to_owned());
            self.order.push(key);
        }
    }

    fn values(&self, posted: &Row) -> HashMap<String, Value> {
        let keyed = posted
            .iter()
            .map(|(name, value)| (field_key(name), value.clone()));
        keyed
            .filter(|(key, _)| self.names.contains_key(key))
            .collect()
    }

    fn in_order(&self, mut values: HashMap<String, Value>) -> Row {
        let mut out = Row::new();
        for key in &self.order {
            if let (Some(name), Some(value)) = (self.names.get(key), values.remove(key)) {
                out.insert(name.clone(), value);
            }
        }
        out
    }
}

/// The sentinel that means "a nested container of its own".
const PRIVATE_LIST: &str = "_newcontent_agility_";

fn setting<'a>(settings: &'a Row, key: &str) -> Option<&'a str> {
    row::filled(settings, key)
}

/// A companion's name, with either spelling of the setting; the sentinel names none.
fn companion<'a>(settings: &'a Row, suffix: &str) -> Option<&'a str> {
    let name = setting(settings, &format!("LinkeContentDropdown{suffix}"))
        .or_else(|| setting(settings, &format!("LinkedContentDropdown{suffix}")));
    name.filter(|name| !name.eq_ignore_ascii_case("CREATENEW"))
}

fn sort_field(settings: &Row) -> Option<&str> {
    setting(settings, "SortIDFieldName").filter(|name| !name.eq_ignore_ascii_case("CREATENEW"))
}

fn companion_names(settings: &Row) -> Vec<String> {
    let names = [
        companion(settings, "ValueField"),
        companion(settings, "TextField"),
        sort_field(settings),
    ];
    names.into_iter().flatten().map(str::to_owned).collect()
}

impl Field {
    fn of(name: &str, field: &Row) -> Self {
        let empty = Row::new();
        let settings = row::object(field, "settings").unwrap_or(&empty);
        let key = field_key(name);
        let list = [
            setting(settings, "ContentView"),
            setting(settings, "SharedContent"),
        ];
        let other = |name: Option<&str>| name.map(field_key).filter(|other| *other != key);
        Self {
            label: row::filled(field, "label").unwrap_or(name).to_owned(),
            kind: row::text(field, "type").unwrap_or_default().to_lowercase(),
            required: setting(settings, "Required")
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
            length: setting(settings, "Length")
                .and_then(|text| text.trim().parse().ok())
                .filter(|length| *length > 0),
            render_as: setting(settings, "RenderAs")
                .unwrap_or_default()
                .to_lowercase(),
            list: list
                .into_iter()
                .flatten()
                .find(|name| !name.eq_ignore_ascii_case(PRIVATE_LIST))
                .map(str::to_owned),
            value_key: other(companion(settings, "ValueField")),
            sort_key: other(sort_field(settings)),
            key,
        }
    }

    fn check_limits(&self, values: &HashMap<String, Value>) -> Result<(), Failure> {
        let value = values.get(&self.key);
        let label = &self.label;
        let chosen = self.value_key.as_ref().and_then(|key| values.get(key));
        if self.required && is_empty(value) && is_empty(chosen) {
            return Err(Failure::Validation(format!(
                "The {label} field is required."
            )));
        }
        let text = value
            .and_then(Value::as_str)
            .filter(|_| matches!(self.kind.as_str(), "text" | "longtext"));
        match (self.length, text) {
            (Some(most), Some(text)) if text.chars().count() > most => Err(Failure::Validation(
                format!("The maximum length for the {label} field is {most} characters."),
            )),
            _ => Ok(()),
        }
    }

    /// What a read shows for these chosen ids.
    fn selection(&self, ids: &[i64]) -> Value {
        let several = matches!(
            self.render_as.as_str(),
            "searchlistbox" | "checkbox" | "grid"
        );
        match ids {
            [id] if !several => json!({ "contentid": id, "fulllist": false }),
            _ => {
                let sort_ids = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
                let mut object = Row::new();
                if let Some(list) = &self.list {
                    row::set(&mut object, "referencename", list.as_str());
                }
                row::set(&mut object, "sortids", sort_ids);
                row::set(&mut object, "fulllist", false);
                Value::Object(object)
            }
        }
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(values)) => values.is_empty(),
        Some(Value::Object(object)) => {
            object.is_empty() || matches!(Posted::of_object(object), Posted::Nothing)
        }
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

/// The forms in which a link is posted.
enum Posted<'a> {
    /// Absent, null, blank, or an object that selects nothing.
    Nothing,
    /// A scalar id.
    Id(i64),
    /// A bare object for one item: lost by the server.
    BareSingle(i64),
    /// A form that is not kept, and takes the value field along.
    Lost(i64),
    /// The reference name of a list.
    List(&'a str),
    /// Any other form; stored as it came.
    Verbatim,
}

impl<'a> Posted<'a> {
    fn of(value: Option<&'a Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Nothing,
            Some(Value::Object(object)) => Self::of_object(object),
            Some(Value::String(text)) if text.trim().is_empty() => Self::Nothing,
            Some(value) => match (as_int(value), value.as_str()) {
                (Some(id), _) if id > 0 => Self::Id(id),
                (Some(_), _) => Self::Nothing,
                (None, Some(text)) if text.contains(',') && !id_list(text).is_empty() => {
                    Self::Verbatim
                }
                (None, Some(text)) => Self::List(text.trim()),
                (None, None) => Self::Verbatim,
            },
        }
    }

    /// The same to a server of these rules; `has_value` says that the field names a value field.
    fn under(self, links: Links, has_value: bool) -> Self {
        match (links, self) {
            (Links::Object, Self::Id(id)) => Self::BareSingle(id),
            (Links::Object, Self::BareSingle(id)) => Self::Id(id),
            (Links::Name, Self::Id(id) | Self::BareSingle(id)) if has_value => Self::Lost(id),
            (Links::Scalar | Links::Object | Links::Name, posted) => posted,
        }
    }

    fn of_object(object: &Row) -> Self {
        let lists = row::filled(object, "referencename").is_some()
            || row::filled(object, "sortids").is_some();
        let id = row::int(object, "contentid");
        let whole = row::get(object, "fulllist");
        match (id, whole) {
            _ if lists => Self::Verbatim,
            (None, Some(_)) => Self::Nothing,
            (Some(id), _) if id <= 0 => Self::Nothing,
            (Some(id), Some(Value::Bool(false))) => Self::BareSingle(id),
            (Some(_) | None, _) => Self::Verbatim,
        }
    }
}

fn settle_link(
    field: &Field,
    values: &mut HashMap<String, Value>,
    known: &impl Known,
) -> Result<(), Failure> {
    for key in [&field.value_key, &field.sort_key].into_iter().flatten() {
        settle_companion(key, values, known)?;
    }
    let chosen = field
        .value_key
        .as_ref()
        .and_then(|key| values.get(key))
        .and_then(Value::as_str);
    let chosen = chosen.map(id_list).unwrap_or_default();
    let posted = Posted::of(values.get(&field.key));
    let posted = posted.under(known.rules().links, field.value_key.is_some());
    let read = match posted {
        Posted::Nothing if chosen.is_empty() => values.get(&field.key).map(nothing),
        Posted::Nothing => Some(field.selection(&chosen)),
        Posted::Id(id) => {
            must_exist(id, known)?;
            let ids = if chosen.is_empty() { vec![id] } else { chosen };
            if let Some(key) = &field.value_key {
                values
                    .entry(key.clone())
                    .and_modify(|text| fill_blank(text, id))
                    .or_insert_with(|| id.to_string().into());
            }
            Some(field.selection(&ids))
        }
        Posted::BareSingle(id) => {
            must_exist(id, known)?;
            Some(field.list.as_deref().map_or(Value::Null, Value::from))
        }
        Posted::Lost(id) => {
            must_exist(id, known)?;
            if let Some(key) = &field.value_key {
                values.insert(key.clone(), "".into());
            }
            Some(Value::Null)
        }
        Posted::List(name) if !known.container(name) => {
            return Err(Failure::NoSuchList(name.to_owned()));
        }
        Posted::List(_) | Posted::Verbatim => None,
    };
    if let Some(read) = read {
        values.insert(field.key.clone(), read);
    }
    Ok(())
}

/// An empty selection: blank text stays blank, everything else becomes null.
fn nothing(posted: &Value) -> Value {
    posted
        .as_str()
        .filter(|text| text.trim().is_empty())
        .map_or(Value::Null, Value::from)
}

fn fill_blank(text: &mut Value, id: i64) {
    if text.as_str().is_none_or(|text| text.trim().is_empty()) {
        *text = id.to_string().into();
    }
}

/// A companion is a text column: numbers become text, and the ids in it must exist.
fn settle_companion(
    key: &str,
    values: &mut HashMap<String, Value>,
    known: &impl Known,
) -> Result<(), Failure> {
    let Some(value) = values.get_mut(key) else {
        return Ok(());
    };
    if let Value::Number(number) = value {
        *value = number.to_string().into();
    }
    if !known.rules().refuses.sort_ids {
        return Ok(());
    }
    let ids = value.as_str().map(id_list).unwrap_or_default();
    ids.into_iter().try_for_each(|id| must_exist(id, known))
}

fn must_exist(id: i64, known: &impl Known) -> Result<(), Failure> {
    if known.content(id) {
        Ok(())
    } else {
        Err(Failure::NullReference)
    }
}

fn settle_gallery(
    field: &Field,
    values: &mut HashMap<String, Value>,
    known: &impl Known,
) -> Result<(), Failure> {
    let Some(value) = values.get_mut(&field.key) else {
        return Ok(());
    };
    let id = match &*value {
        Value::Object(object) => {
            row::int(object, "galleryid").or_else(|| row::int(object, "mediaGroupingID"))
        }
        scalar => as_int(scalar),
    };
    match id {
        Some(id) if id > 0 && known.rules().refuses.galleries && !known.gallery(id) => {
            return Err(Failure::NullReference);
        }
        Some(id) if id > 0 => *value = json!({ "galleryid": id, "fulllist": true }),
        Some(_) => *value = Value::Null,
        None => {}
    }
    Ok(())
}

/// Looks for links at any depth, so that those inside custom fields count too.
fn check_links(value: &Value, known: &impl Known) -> Result<(), Failure> {
    match value {
        Value::Object(object) => {
            if let Some(id) = row::id(object, "contentid") {
                must_exist(id, known)?;
            }
            let sort_ids = row::text(object, "sortids");
            if known.rules().refuses.sort_ids {
                let ids = sort_ids.map(id_list).unwrap_or_default();
                ids.into_iter().try_for_each(|id| must_exist(id, known))?;
            }
            let is_list = sort_ids.is_some() || row::get(object, "fulllist").is_some();
            match row::filled(object, "referencename") {
                Some(name) if is_list && !known.container(name) => {
                    return Err(Failure::NoSuchList(name.to_owned()));
                }
                Some(_) | None => {}
            }
            object
                .values()
                .try_for_each(|inner| check_links(inner, known))
        }
        Value::Array(values) => values
            .iter()
            .try_for_each(|inner| check_links(inner, known)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Few;

    impl Known for Few {
        fn content(&self, id: i64) -> bool {
            (640..650).contains(&id)
        }
        fn container(&self, name: &str) -> bool {
            ["people", "tags"].contains(&name.to_lowercase().as_str())
        }
        fn gallery(&self, id: i64) -> bool {
            id == 4
        }
        fn rules(&self) -> Rules {
            Rules::default().strict()
        }
    }

    /// The same with other rules.
    struct Under(Rules);

    impl Known for Under {
        fn content(&self, id: i64) -> bool {
            Few.content(id)
        }
        fn container(&self, name: &str) -> bool {
            Few.container(name)
        }
        fn gallery(&self, id: i64) -> bool {
            Few.gallery(id)
        }
        fn rules(&self) -> Rules {
            self.0
        }
    }

    fn model() -> Row {
        row::row(json!({ "fields": [
            { "name": "Headline", "label": "Head", "type": "Text", "settings": { "Length": "5", "Required": "True" } },
            { "name": "Hero Image", "type": "ImageAttachment", "settings": {} },
            { "name": "Writer", "type": "Content", "settings": { "ContentView": "people", "RenderAs": "dropdown",
                "LinkeContentDropdownValueField": "WriterID", "LinkeContentDropdownTextField": "WriterName" } },
            { "name": "Tags", "type": "Content", "settings": { "ContentView": "tags", "RenderAs": "searchlistbox",
                "LinkeContentDropdownValueField": "Tags_Value", "SortIDFieldName": "CREATENEW" } },
            { "name": "Card", "type": "Content", "settings": { "ContentView": "_newcontent_agility_", "LinkedContentNestedTypeID": "0" } },
            { "name": "Photos", "type": "PhotoGallery", "settings": {} },
            { "name": "Extra", "type": "Custom", "settings": {} }
        ] }))
    }

    fn saved(mut fields: Value) -> Result<Value, Failure> {
        fields
            .as_object_mut()
            .unwrap()
            .entry("headline")
            .or_insert("Hi".into());
        settle(&Definition::of(&model()), fields.as_object().unwrap(), &Few).map(Value::Object)
    }

    fn read(fields: Value, key: &str) -> Value {
        saved(fields).unwrap()[key].clone()
    }

    #[test]
    fn keys_take_the_models_spelling_and_unknown_ones_are_dropped() {
        let out =
            saved(json!({ "heroimage": { "url": "u" }, "HEADLINE": "Hello", "bogus": 1 })).unwrap();
        assert_eq!(
            out,
            json!({ "Headline": "Hi", "Hero Image": { "url": "u" } })
        );
        assert_eq!(
            for_fetch(out.as_object().unwrap().clone())
                .keys()
                .collect::<Vec<_>>(),
            ["headline", "heroImage"]
        );
    }

    #[test]
    fn a_scalar_selection_is_stored_and_fills_its_companion() {
        let out = saved(json!({ "writer": "640" })).unwrap();
        assert_eq!(
            out["Writer"],
            json!({ "contentid": 640, "fulllist": false })
        );
        assert_eq!(out["WriterID"], json!("640"));
        assert_eq!(
            read(json!({ "card": 641 }), "Card"),
            json!({ "contentid": 641, "fulllist": false })
        );
    }

    #[test]
    fn the_companion_is_the_truth() {
        let out = saved(json!({ "writer": "640", "writerID": "641" })).unwrap();
        assert_eq!(out["Writer"]["contentid"], 641);
        assert_eq!(read(json!({ "writerID": 642 }), "Writer")["contentid"], 642);
        let tags = read(json!({ "tags_value": "641, 640" }), "Tags");
        assert_eq!(
            tags,
            json!({ "referencename": "tags", "sortids": "641,640", "fulllist": false })
        );
    }

    #[test]
    fn a_selection_posted_as_a_bare_object_is_lost() {
        let out =
            saved(json!({ "writer": { "contentid": 640, "fulllist": false }, "writerID": "640" }))
                .unwrap();
        assert_eq!(
            (&out["Writer"], &out["WriterID"]),
            (&json!("people"), &json!("640"))
        );
        assert_eq!(
            read(
                json!({ "card": { "contentID": 640, "fullList": false } }),
                "Card"
            ),
            Value::Null
        );
        assert_eq!(
            read(json!({ "card": { "contentid": 640 } }), "Card"),
            json!({ "contentid": 640 })
        );
    }

    #[test]
    fn other_servers_keep_other_forms() {
        let stored = |links, writer: Value| {
            let posted =
                json!({ "headline": "Hi", "writer": writer, "writerID": "640", "card": "641" });
            let posted = posted.as_object().unwrap();
            let rules = Rules {
                links,
                ..Rules::default()
            };
            let out = settle(&Definition::of(&model()), posted, &Under(rules)).unwrap();
            (
                out["Writer"].clone(),
                out["WriterID"].clone(),
                out["Card"].clone(),
            )
        };
        let link = |id| json!({ "contentid": id, "fulllist": false });
        assert_eq!(
            stored(Links::Object, link(640)),
            (link(640), json!("640"), Value::Null)
        );
        assert_eq!(
            stored(Links::Object, json!("640")),
            (json!("people"), json!("640"), Value::Null)
        );
        for lost in [json!("640"), link(640)] {
            assert_eq!(
                stored(Links::Name, lost),
                (Value::Null, json!(""), link(641))
            );
        }
        assert_eq!(
            stored(Links::Name, json!("people")),
            (json!("people"), json!("640"), link(641))
        );
    }

    #[test]
    fn lists_are_stored_as_posted_and_their_ids_checked() {
        let picked = json!({ "referencename": "Tags", "sortids": "641,640", "fulllist": true });
        assert_eq!(read(json!({ "tags": picked }), "Tags"), picked);
        assert_eq!(read(json!({ "tags": "tags" }), "Tags"), json!("tags"));
        let wrong =
            json!({ "tags": { "referencename": "tags", "sortids": "640,9", "fulllist": false } });
        assert_eq!(saved(wrong), Err(Failure::NullReference));
        let gone = json!({ "tags": { "referencename": "gone", "fulllist": true } });
        assert_eq!(saved(gone), Err(Failure::NoSuchList("gone".into())));
        assert_eq!(
            saved(json!({ "tags": "gone" })),
            Err(Failure::NoSuchList("gone".into()))
        );
    }

    #[test]
    fn without_strict_rules_ids_of_lists_and_galleries_are_stored_as_they_come() {
        let usual = Under(Rules::default());
        for (key, value) in [
            (
                "Tags",
                json!({ "referencename": "tags", "sortids": "640,9", "fulllist": false }),
            ),
            ("Photos", json!({ "galleryid": 9, "fulllist": true })),
        ] {
            let posted = json!({ "headline": "Hi", key: value });
            let posted = posted.as_object().unwrap();
            let out = settle(&Definition::of(&model()), posted, &usual).unwrap();
            assert_eq!(out[key], value, "{key}");
        }
        let posted = json!({ "headline": "Hi", "writer": "9" });
        let posted = posted.as_object().unwrap();
        let refused = settle(&Definition::of(&model()), posted, &usual);
        assert_eq!(refused, Err(Failure::NullReference), "a link is evident");
    }

    #[test]
    fn an_unknown_linked_id_fails_wherever_it_is() {
        for fields in [
            json!({ "writer": "9" }),
            json!({ "writer": { "contentid": 9, "fulllist": false } }),
            json!({ "writerID": "9" }),
            json!({ "extra": [{ "deep": { "contentID": 9 } }] }),
            json!({ "photos": 9 }),
        ] {
            assert_eq!(
                saved(fields.clone()),
                Err(Failure::NullReference),
                "{fields}"
            );
        }
        assert!(saved(json!({ "writer": { "contentid": -1, "fulllist": false } })).is_ok());
    }

    #[test]
    fn gallery_ids_have_one_read_form() {
        for posted in [
            json!("4"),
            json!(4),
            json!({ "galleryid": 4 }),
            json!({ "galleryID": 4, "fulllist": true }),
        ] {
            assert_eq!(
                read(json!({ "photos": posted }), "Photos"),
                json!({ "galleryid": 4, "fulllist": true })
            );
        }
    }

    #[test]
    fn limits_of_the_model_hold() {
        let long = saved(json!({ "headline": "too long" }));
        assert_eq!(
            long,
            Err(Failure::Validation(
                "The maximum length for the Head field is 5 characters.".into()
            ))
        );
        let blank = saved(json!({ "headline": " " }));
        assert_eq!(
            blank,
            Err(Failure::Validation("The Head field is required.".into()))
        );
    }
}
