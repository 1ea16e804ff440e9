//! Content items: fields by what their model says about them.

use serde_json::{Map, Value, json};

use super::Referent;
use super::link::Link;
use super::shapes::{as_id, is_id_list, is_list_name};
use super::walk::{Answer, Place, Walker, set};
use crate::domain::Kind;
use crate::plan::schema::{FieldKind, LinkSchema, ModelSchema, Role, field_key};
use crate::plan::{Encoding, LinkForm};

impl Walker<'_> {
    pub(super) fn content(&mut self, body: &mut Map<String, Value>) {
        let root = Place::ROOT;
        let mut model = None;
        if let Some(Value::Object(properties)) = body.get_mut("properties") {
            let place = root.member("properties");
            if let Some(name) = properties.get_mut("definitionName") {
                model = name
                    .as_str()
                    .and_then(|name| self.context.schema.model(name));
                self.name_slot(
                    name,
                    place.member("definitionName"),
                    Kind::Model,
                    Encoding::ItemModel,
                );
            }
            if let Some(name) = properties.get_mut("referenceName") {
                self.name_slot(
                    name,
                    place.member("referenceName"),
                    Kind::Container,
                    Encoding::ItemContainer,
                );
            }
        }
        if let Some(Value::Object(fields)) = body.get_mut("fields") {
            let place = root.member("fields");
            if let Some(model) = model {
                self.name_lists(model, fields);
            }
            for (key, value) in fields.iter_mut() {
                self.field(model, key, value, place.member(key));
            }
        }
        self.seo_and_scripts(body);
    }

    /// Puts the name of the list where an item is selected whose id is in the value field, for targets that need it.
    fn name_lists(&self, model: &ModelSchema, fields: &mut Map<String, Value>) {
        if self.context.links.with_value != LinkForm::ListName {
            return;
        }
        let links = model.fields().iter().filter_map(|field| {
            let link = field.link()?;
            Some((
                &*field.key,
                link.container.as_deref()?,
                link.value_field.as_deref()?,
            ))
        });
        for (main, list, holder) in links {
            let has_id = fields
                .iter()
                .any(|(key, value)| *field_key(key) == *holder && as_id(value).is_some());
            let selected = fields
                .iter_mut()
                .find(|(key, _)| *field_key(key) == *main)
                .map(|(_, value)| value);
            if let Some(value) = selected.filter(|value| has_id && selects_one(value)) {
                set(value, list);
            }
        }
    }

    /// The form of a selection of one item in a content field.
    const fn form(&self, link: &LinkSchema) -> LinkForm {
        if link.value_field.is_some() {
            self.context.links.with_value
        } else {
            self.context.links.alone
        }
    }

    /// Free text beside the fields, of content and pages.
    pub(super) fn seo_and_scripts(&mut self, body: &mut Map<String, Value>) {
        for name in ["seo", "scripts"] {
            if let Some(value) = body.get_mut(name) {
                self.any(value, Place::ROOT.member(name));
            }
        }
    }

    fn field(
        &mut self,
        model: Option<&ModelSchema>,
        key: &str,
        value: &mut Value,
        place: Place<'_>,
    ) {
        let role = model.and_then(|model| model.role(key));
        let knows_fields = model.is_some_and(|model| !model.fields().is_empty());
        let place = Place {
            unstored: role.is_none() && knows_fields,
            ..place
        };
        let required = |required| Place { required, ..place };
        match role {
            Some(Role::ValueOf(main)) => {
                let own = model
                    .and_then(|model| model.field(key))
                    .is_some_and(|field| field.required);
                let place = required(main.required || own);
                self.ids(value, place, Encoding::ValueField, Encoding::ValueFieldList);
            }
            Some(Role::SortOf) => {
                let own = model
                    .and_then(|model| model.field(key))
                    .is_some_and(|field| field.required);
                self.ids(
                    value,
                    required(own),
                    Encoding::SortField,
                    Encoding::SortField,
                );
            }
            Some(Role::Field(field)) => {
                let place = required(field.required);
                match &field.kind {
                    FieldKind::Content(link) => self.link_field(value, place, self.form(link)),
                    FieldKind::Gallery if !value.is_object() => {
                        self.id_slot(value, place, Referent::Gallery, Encoding::Gallery);
                    }
                    FieldKind::Gallery | FieldKind::Attachment | FieldKind::Other => {
                        self.any(value, place);
                    }
                    FieldKind::Number | FieldKind::Boolean | FieldKind::Date => {}
                }
            }
            // Without a model's word, an object with `fulllist` is what the Fetch API makes of content fields.
            None if Link::of(value).is_some_and(Link::is_single) => {
                self.link_field(value, place, self.context.links.alone);
            }
            None => self.any(value, place),
        }
    }

    /// The value of a content field.
    fn link_field(&mut self, value: &mut Value, place: Place<'_>, form: LinkForm) {
        collapse(value);
        if form == LinkForm::Object
            && !value.is_object()
            && let Some(id) = as_id(value)
        {
            *value = single(id);
        }
        match value {
            Value::Number(_) => self.ids(value, place, Encoding::ScalarLink, Encoding::ScalarLink),
            Value::String(text) if is_id_list(text) => {
                self.ids(value, place, Encoding::ScalarLink, Encoding::ScalarLink);
            }
            Value::String(text) if is_list_name(text) => {
                self.name_slot(value, place, Kind::Container, Encoding::ListName);
            }
            Value::Object(_) if Link::of(value).is_some_and(Link::is_single) => {
                self.single_link(value, place, form);
            }
            Value::Null
            | Value::Bool(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {
                self.any(value, place);
            }
        }
    }

    /// A single selection becomes a scalar, unless the target needs the object; nothing selected becomes blank text.
    fn single_link(&mut self, value: &mut Value, place: Place<'_>, form: LinkForm) {
        let selected = Link::of(value).and_then(|link| link.id);
        match selected.map(|id| self.ask(Referent::Content(id), Encoding::SingleLink, place, false))
        {
            Some(Answer::Id(new)) if form == LinkForm::Object => *value = single(new),
            Some(Answer::Id(new)) => set(value, new.to_string()),
            Some(Answer::Empty) | None => set(value, ""),
            Some(Answer::Keep | Answer::Name(_)) => {}
        }
    }

    /// One id or a comma list, as text, number or array. Parts that are no ids stay as they are; emptied ids
    /// go.
    pub(super) fn ids(
        &mut self,
        value: &mut Value,
        place: Place<'_>,
        single: Encoding,
        list: Encoding,
    ) {
        match value {
            Value::String(text) => {
                if let Some(new) = self.id_text(text, place, single, list) {
                    set(value, new);
                }
            }
            Value::Number(_) => {
                let Some(id) = as_id(value) else { return };
                match self.ask(Referent::Content(id), single, place, false) {
                    // A content field is a text column; companions keep the type they were read with.
                    Answer::Id(new) if single == Encoding::ScalarLink => {
                        set(value, new.to_string());
                    }
                    Answer::Id(new) => set(value, new),
                    Answer::Empty => set(value, ""),
                    Answer::Keep | Answer::Name(_) => {}
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    if item.is_object() {
                        self.any(item, place.item(at));
                    } else {
                        self.ids(item, place.item(at), list, list);
                    }
                }
                items.retain(|item| item.as_str() != Some(""));
            }
            Value::Object(_) => self.any(value, place),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The new text of a list of ids; `None` when nothing in it changes. Spaces between them are kept inside JSON only:
    /// the server takes lists without.
    fn id_text(
        &mut self,
        text: &str,
        place: Place<'_>,
        single: Encoding,
        list: Encoding,
    ) -> Option<String> {
        if !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let in_list = text.contains(',');
        let is_inside = place.path.texts() > 0;
        let encoding = if in_list { list } else { single };
        let mut changed = false;
        let mut parts: Vec<String> = Vec::new();
        for spelled in text.split(',') {
            let part = spelled.trim();
            let answer = super::shapes::text_id(part).map_or(Answer::Keep, |id| {
                self.ask(Referent::Content(id), encoding, place, in_list)
            });
            changed |= !matches!(answer, Answer::Keep);
            let new = match answer {
                Answer::Keep | Answer::Name(_) => part.to_owned(),
                Answer::Id(new) => new.to_string(),
                Answer::Empty => continue,
            };
            if is_inside {
                parts.push(spelled.replacen(part, &new, 1));
            } else if !new.is_empty() {
                parts.push(new);
            }
        }
        changed.then(|| parts.join(","))
    }
}

/// A selection of one item as an object.
fn single(id: i64) -> Value {
    json!({ "contentid": id, "fulllist": false })
}

/// Whether the value of a content field is a selection of one item.
fn selects_one(value: &Value) -> bool {
    let is_link = Link::of(value).is_some_and(|link| link.is_single() && link.id.is_some());
    is_link || as_id(value).is_some()
}

/// Replaces whole items, as reads with a link depth show them, by the forms that a plain read has.
fn collapse(value: &mut Value) {
    let expanded = |value: &Value| {
        let is_item = super::member(value, "fields").is_some_and(Value::is_object);
        is_item.then(|| Link::of(value)?.id).flatten()
    };
    if let Some(id) = expanded(value) {
        *value = single(id);
    } else if let Value::Array(items) = value
        && let Some(ids) = items.iter().map(expanded).collect::<Option<Vec<_>>>()
        && let Some(first) = items.first()
    {
        let list = first.pointer("/properties/referenceName").cloned();
        let ids: Vec<_> = ids.iter().map(i64::to_string).collect();
        let mut picked = json!({ "sortids": ids.join(","), "fulllist": false });
        if let Some(list) = list {
            picked["referencename"] = list;
        }
        *value = picked;
    }
}
