//! What the target should hold, without anything of the planner: ids of the two sides and of all kinds lie in ranges of
//! their own, so any of them is found and replaced wherever it stands.

use std::collections::{BTreeMap, BTreeSet};

use lockgate::domain::{EntityKey, Id, Kind, Locale};
use lockgate::store::Mapping;
use serde_json::{Map, Value};

use crate::double::{IDS_OF_KIND, Row, RowKey, SOURCE_IDS, TARGET_IDS, World, id};

/// The counterparts that entities have had so far.
pub(crate) type Former = BTreeMap<(Kind, i64), BTreeSet<i64>>;

/// Which row of the target stands for which entity.
pub(super) struct Pairs {
    ids: BTreeMap<(Kind, i64), i64>,
    keys: BTreeMap<RowKey, i64>,
    /// Counterparts that were replaced, with those that stand for the same entities now.
    replaced: BTreeMap<i64, i64>,
}

impl Pairs {
    pub(super) fn of(mappings: &[Mapping]) -> Self {
        let id = |row: &Mapping| ((row.key.kind, row.key.id.raw()), row.target.raw());
        let key = |row: &Mapping| {
            let key = (row.key.kind, row.key.id.raw(), row.key.locale.clone());
            (key, row.target.raw())
        };
        Self {
            ids: mappings.iter().map(id).collect(),
            keys: mappings.iter().map(key).collect(),
            replaced: BTreeMap::new(),
        }
    }

    /// What refers to a counterpart that was replaced since counts as referring to the one of now: it agreed when it was
    /// compared, and is written again by the next run that gets so far.
    pub(super) fn with_replaced(mut self, former: &Former) -> Self {
        for ((kind, id), targets) in former {
            let now = self.get(*kind, *id);
            let replaced = targets.iter().filter_map(|target| Some((*target, now?)));
            self.replaced.extend(replaced);
        }
        self
    }

    pub(super) fn get(&self, kind: Kind, id: i64) -> Option<i64> {
        self.ids.get(&(kind, id)).copied()
    }

    /// Whether an entity has a counterpart in its locale.
    pub(super) fn has(&self, key: &EntityKey) -> bool {
        self.keys
            .contains_key(&(key.kind, key.id.raw(), key.locale.clone()))
    }

    /// The counterpart of a row in its locale.
    pub(super) fn row(&self, row: &Row) -> Option<RowKey> {
        let there = self.keys.get(&row.key())?;
        Some((row.kind, *there, row.locale.clone()))
    }

    /// A number in the target's terms; what is no id of the source is none of the target's either.
    fn number(&self, number: i64) -> i64 {
        if !(SOURCE_IDS..TARGET_IDS).contains(&number) {
            return number;
        }
        let at = usize::try_from((number - SOURCE_IDS) / IDS_OF_KIND).unwrap();
        let kind = Kind::ALL.get(at);
        kind.and_then(|kind| self.get(*kind, number))
            .unwrap_or(number)
    }

    /// A body of the target, with counterparts that were replaced as those of now.
    fn renewed(&self, body: &Value) -> Value {
        let renew = |number| self.replaced.get(&number).copied().unwrap_or(number);
        serde_json::from_str(&with_numbers(&body.to_string(), renew)).unwrap()
    }

    fn text(&self, text: &str) -> String {
        with_numbers(text, |number| self.number(number)).replace("source.test", "target.test")
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::Number(number) => number
                .as_i64()
                .map_or_else(|| value.clone(), |number| self.number(number).into()),
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.value(value)));
                Value::Object(members.collect())
            }
        }
    }
}

/// A text in which every number is replaced.
fn with_numbers(text: &str, replace: impl Fn(i64) -> i64) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        replaced.push_str(&rest[..at]);
        let digits = &rest[at..];
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let number = digits[..end].parse().ok();
        match number.map(|number| (number, replace(number))) {
            Some((number, other)) if other != number => replaced.push_str(&other.to_string()),
            Some(_) | None => replaced.push_str(&digits[..end]),
        }
        rest = &digits[end..];
    }
    replaced.push_str(rest);
    replaced
}

/// What a body says apart from what a server gives to every entity by itself.
pub(super) fn bare(kind: Kind, body: &Value) -> Value {
    let mut body = body.clone();
    let own: &[&str] = match kind {
        Kind::Model => &["id"],
        Kind::Container => &["contentViewID"],
        Kind::Template => &["pageTemplateID"],
        Kind::Gallery => &["mediaGroupingID", "isDeleted"],
        Kind::Asset => &["mediaID"],
        Kind::Content => &["contentID"],
        Kind::Page => &["pageID", "path"],
        Kind::Redirection => &["urlRedirectionID"],
    };
    for member in own {
        body.as_object_mut().unwrap().remove(*member);
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("versionID");
        for name in ["referenceName", "definitionName"] {
            if let Some(Value::String(text)) = properties.get_mut(name) {
                *text = text.to_lowercase();
            }
        }
    }
    for zone in body["contentSectionDefinitions"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        let zone = zone.as_object_mut().unwrap();
        zone.remove("pageItemTemplateID");
        zone.remove("pageTemplateID");
    }
    let mut body = without_nothing(body);
    leave_empty_boxes(&mut body);
    body
}

/// Takes search list boxes out of the fields of an item in which nothing is picked: the list that they name is where one
/// could pick from, and shows nothing.
fn leave_empty_boxes(body: &mut Value) {
    let Some(fields) = body.get_mut("fields").and_then(Value::as_object_mut) else {
        return;
    };
    let picked: BTreeSet<String> = fields
        .keys()
        .filter_map(|name| name.strip_suffix("id"))
        .map(str::to_owned)
        .collect();
    let is_empty_box = |name: &str| {
        name.starts_with("searchlist") && !name.ends_with("id") && !picked.contains(name)
    };
    fields.retain(|name, _| !is_empty_box(name));
}

/// What says nothing, an empty text included, is the same as what is absent, and a link the same in either of its
/// encodings.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter();
            let members =
                members.map(|(name, value)| (name.to_lowercase(), without_nothing(value)));
            let says = |(_, value): &(String, Value)| !is_nothing(value);
            let sorted: BTreeMap<String, Value> = members.filter(says).collect();
            let is_link = sorted
                .keys()
                .all(|name| name == "contentid" || name == "fulllist");
            match sorted.get("contentid") {
                Some(id) if is_link => id.to_string().into(),
                Some(_) | None => Value::Object(sorted.into_iter().collect::<Map<_, _>>()),
            }
        }
        Value::Array(items) => items.into_iter().map(without_nothing).collect(),
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value == "" || value.as_object().is_some_and(Map::is_empty)
}

/// Every entity of the source that has a counterpart which is not what it should be.
pub(super) fn differences(
    source: &World,
    target: &World,
    pairs: &Pairs,
) -> BTreeMap<EntityKey, String> {
    let mut found = BTreeMap::new();
    for here in source.rows.values() {
        let Some(key) = pairs.row(here) else { continue };
        if dangles(source, here) {
            continue;
        }
        let difference = match target.rows.get(&key) {
            None => Some("it is not there".to_owned()),
            Some(there) => difference(here, there, pairs),
        };
        if let Some(difference) = difference {
            found.insert(entity_key(here), difference);
        }
    }
    found
}

/// Which of some items the public does not see on the target as the source shows them.
pub(super) fn shown_otherwise(
    source: &World,
    target: &World,
    (pairs, items): (&Pairs, &BTreeSet<EntityKey>),
) -> BTreeMap<EntityKey, String> {
    let mut found = BTreeMap::new();
    let shown = |row: &Row| {
        let body = row.live.clone()?;
        Some(Row {
            body,
            ..row.clone()
        })
    };
    for row in source.of_kind(Kind::Content) {
        let Some(here) = shown(row).filter(|_| items.contains(&entity_key(row))) else {
            continue;
        };
        if dangles(source, &here) || dangles(source, row) {
            continue;
        }
        let there = pairs.row(row).and_then(|key| target.rows.get(&key));
        let difference = match there.and_then(shown) {
            None => Some("the public sees nothing of it".to_owned()),
            Some(there) => difference(&here, &there, pairs),
        };
        if let Some(difference) = difference {
            found.insert(entity_key(row), difference);
        }
    }
    found
}

/// Whether a row refers to an item that the source does not have; what becomes of that is a matter of its own.
fn dangles(source: &World, row: &Row) -> bool {
    let text = row.body.to_string();
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    let items = id(SOURCE_IDS, Kind::Content, 0)..id(SOURCE_IDS, Kind::Content, IDS_OF_KIND);
    let mut numbers = numbers.filter_map(|number| number.parse::<i64>().ok());
    numbers.any(|number| items.contains(&number) && !source.has(Kind::Content, number))
}

pub(super) fn entity_key(row: &Row) -> EntityKey {
    match &row.locale {
        Some(locale) => EntityKey::localised(row.kind, row.id, locale),
        None => EntityKey::global(row.kind, row.id),
    }
}

fn difference(here: &Row, there: &Row, pairs: &Pairs) -> Option<String> {
    if here.bytes != there.bytes {
        return Some("its bytes differ".to_owned());
    }
    let expected = bare(here.kind, &pairs.value(&here.body));
    let mut found = bare(there.kind, &pairs.renewed(&there.body));
    if here.kind == Kind::Asset {
        // What a file is called and where it lies is part of its address.
        let gallery = |body: &Value| body["mediagroupingid"].as_i64().filter(|id| *id > 0);
        return (gallery(&expected) != gallery(&found)).then(|| "its gallery differs".to_owned());
    }
    if here.kind == Kind::Page {
        let parent = here.parent.map(|parent| pairs.number(parent));
        if parent != there.parent {
            return Some(format!("it is below {:?} and not {parent:?}", there.parent));
        }
    }
    if found == expected {
        return None;
    }
    found["expected"] = expected;
    Some(found.to_string())
}

/// Rows of siblings that do not stand in the order of the source; each with all its pages.
pub(super) fn disordered(source: &World, target: &World, pairs: &Pairs) -> Vec<Vec<EntityKey>> {
    let mut rows: BTreeMap<(Option<Locale>, Option<i64>), Vec<&Row>> = BTreeMap::new();
    for page in source.of_kind(Kind::Page) {
        let row = (page.locale.clone(), page.parent);
        rows.entry(row).or_default().push(page);
    }
    let mut found = Vec::new();
    for ((_, parent), mut pages) in rows {
        pages.sort_by_key(|page| (page.position, page.id));
        let parent = parent.map(|parent| pairs.number(parent));
        let there = pages
            .iter()
            .filter_map(|page| target.rows.get(&pairs.row(page)?));
        let there = there.filter(|page| page.parent == parent);
        let positions: Vec<(u32, i64)> = there.map(|page| (page.position, page.id)).collect();
        if !positions.is_sorted() {
            found.push(pages.into_iter().map(entity_key).collect());
        }
    }
    found
}
