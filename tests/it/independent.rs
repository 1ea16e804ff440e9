//! Whether two instances that a run calls in sync really say the same, told without anything of the program but its id
//! map: rows of the two dumps are compared member by member, plain texts as they are and ids through the map.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use lockgate::domain::{Guid, Id, Kind};
use lockgate::mock::file::{InstanceFile, Row, StateFile};
use lockgate::store::{Mapping, Pair, StateUrl, Store};
use serde_json::Value;

use crate::support::{SOURCE, TARGET, http};

/// Members that belong to an instance, tell when something was saved, or are computed from others.
const OWN: [&str; 40] = [
    "state",
    "modified",
    "modifiedby",
    "modifiedon",
    "modifiedbyname",
    "versionid",
    "lastmodifieddate",
    "lastmodifiedon",
    "lastmodifiedby",
    "lastmodifiedauthorid",
    "datemodified",
    "createddate",
    "fieldid",
    "path",
    "hasrows",
    "ispublished",
    "contentdefinitiontype",
    "contentdefinitionname",
    "contentdefinitiontypename",
    "containername",
    "mediagroupingname",
    "itemorder",
    "originurl",
    "edgeurl",
    "containeroriginurl",
    "containeredgeurl",
    "url",
    "haschildren",
    "usagecount",
    "fullsyncmoddate",
    "contentviewcategoryname",
    "contentviewcategoryreferencename",
    "guid",
    "users",
    "teams",
    "sortids",
    "fulllist",
    "redirect",
    "properties/referencename",
    "isdynamicpagelist",
];

/// The plain texts of a row by where they stand, in lower case. What holds an id, a URL or JSON is left out.
fn texts(row: &Row) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (name, value) in row {
        collect(&name.to_lowercase(), value, &mut out);
    }
    out
}

fn collect(at: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    let name = at.rsplit('/').next().unwrap_or_default();
    if OWN.contains(&name)
        || OWN.contains(&at)
        || name.ends_with("id")
        || name.starts_with("currentusercan")
        || at.starts_with("content/")
    {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                collect(&format!("{at}/{}", name.to_lowercase()), value, out);
            }
        }
        Value::Array(rows) => {
            for (position, value) in rows.iter().enumerate() {
                collect(&format!("{at}/{position}"), value, out);
            }
        }
        Value::String(text) if is_plain(text) => {
            // Names are the same in any case, and follow the model's or the container's.
            let text = text.trim().to_lowercase();
            out.insert(at.to_owned(), text);
        }
        Value::Bool(true) => drop(out.insert(at.to_owned(), "true".to_owned())),
        Value::Null | Value::Bool(false) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_plain(text: &str) -> bool {
    let text = &*text.trim().to_lowercase();
    let is_ids = text
        .chars()
        .all(|sign| sign.is_ascii_digit() || ",. ".contains(sign));
    let is_date = text.len() >= 19 && text.as_bytes().get(10) == Some(&b'T');
    !text.is_empty()
        && !is_ids
        && !is_date
        && !text.contains("//")
        && !["%2f", "%252f", "\\/", "u002f"]
            .iter()
            .any(|slash| text.contains(slash))
        && !text.contains("~/")
        && !text.starts_with(['{', '['])
        && !["true", "false"].contains(&text.to_lowercase().as_str())
}

/// The ids that the members of pages and items named so carry.
fn ids(value: &Value, out: &mut Vec<i64>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name.eq_ignore_ascii_case("contentid") {
                    out.extend(value.as_i64().filter(|id| *id > 0));
                }
                ids(value, out);
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| ids(row, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An entity as a dump addresses it.
type Address = (i64, String);

/// Pages without the zones that no template of the source has: those lead nowhere, and are not sent.
fn within_zones(kind: Kind, rows: &[Row], templates: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for row in rows.iter_mut().filter(|_| kind == Kind::Page) {
        let name = row["templateName"].clone();
        let template = templates.iter().find(|one| one["pageTemplateName"] == name);
        let defined = template.and_then(|one| one["contentSectionDefinitions"].as_array());
        let (Some(defined), Some(zones)) = (defined, row["zones"].as_object_mut()) else {
            continue;
        };
        let name_of = |zone: &Value| {
            zone["pageItemTemplateReferenceName"]
                .as_str()
                .map(str::to_lowercase)
        };
        let names: BTreeSet<String> = defined.iter().filter_map(name_of).collect();
        zones.retain(|zone, _| names.contains(&zone.to_lowercase()));
    }
    rows
}

/// Items without what they say in fields that the source's own model does not have: a server shows nothing of it.
fn within_fields(kind: Kind, rows: Vec<Row>, models: &[Row]) -> Vec<Row> {
    let lower = |name: &Value| name.as_str().unwrap_or_default().to_lowercase();
    let mut rows = rows;
    for row in rows.iter_mut().filter(|_| kind == Kind::Content) {
        let name = lower(&row["properties"]["definitionName"]);
        let model = models
            .iter()
            .find(|one| lower(&one["referenceName"]) == name);
        let defined = model.and_then(|one| one["fields"].as_array());
        let (Some(defined), Some(fields)) = (defined, row["fields"].as_object_mut()) else {
            continue;
        };
        let names: BTreeSet<String> = defined.iter().map(|field| lower(&field["name"])).collect();
        fields.retain(|field, _| names.contains(&field.to_lowercase()));
    }
    rows
}

fn by_id<'f>(rows: &'f [Row], id: &str) -> HashMap<Address, &'f Row> {
    let address = |row: &Row| {
        (
            row[id].as_i64().unwrap_or(0),
            row.get("locale")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        )
    };
    rows.iter().map(|row| (address(row), row)).collect()
}

/// The lists of an instance with the member that holds the id of a row.
pub(crate) fn lists(file: &InstanceFile) -> [(Kind, &'static str, &[Row]); 8] {
    [
        (Kind::Model, "id", &file.models),
        (Kind::Container, "contentViewID", &file.containers),
        (Kind::Template, "pageTemplateID", &file.templates),
        (Kind::Gallery, "mediaGroupingID", &file.galleries),
        (Kind::Asset, "mediaID", &file.assets),
        (Kind::Content, "contentID", &file.content),
        (Kind::Page, "pageID", &file.pages),
        (Kind::Redirection, "urlRedirectionID", &file.redirections),
    ]
}

/// Where two instances that are said to be in sync say different things, one line each.
pub(crate) fn differences(state: &StateFile, mappings: &[Mapping]) -> Vec<String> {
    let find = |guid: &str| state.instances.iter().find(|one| one.guid == guid);
    let (Some(source), Some(target)) = (find(SOURCE), find(TARGET)) else {
        return Vec::new();
    };
    let content: HashMap<i64, i64> = mappings
        .iter()
        .filter(|mapping| mapping.key.kind == Kind::Content)
        .map(|mapping| (mapping.key.id.raw(), mapping.target.raw()))
        .collect();
    let mut lines = Vec::new();
    for ((kind, id, here), (_, _, there)) in lists(source).into_iter().zip(lists(target)) {
        let here = within_zones(kind, here, &source.templates);
        let here = within_fields(kind, here, &source.models);
        let (here, there) = (by_id(&here, id), by_id(there, id));
        let mapped: Vec<&Mapping> = mappings
            .iter()
            .filter(|mapping| mapping.key.kind == kind)
            .collect();
        let known: BTreeSet<Address> = mapped
            .iter()
            .map(|mapping| address(mapping, mapping.key.id.raw()))
            .collect();
        let unknown = here
            .iter()
            .filter(|(key, row)| !known.contains(key) && !is_passed(kind, row));
        lines.extend(unknown.map(|(key, _)| format!("{kind} {key:?} has no counterpart")));
        for mapping in mapped {
            let Some(one) = here.get(&address(mapping, mapping.key.id.raw())) else {
                continue;
            };
            let Some(other) = there.get(&address(mapping, mapping.target.raw())) else {
                lines.push(format!("the counterpart of {} is not there", mapping.key));
                continue;
            };
            lines.extend(compare(
                mapping,
                one,
                other,
                target.habits.fill_in.is_empty(),
            ));
            if kind == Kind::Page {
                let zones = |row: &Row| {
                    let mut out = Vec::new();
                    ids(&row["zones"], &mut out);
                    out
                };
                let expected: Vec<i64> = zones(one)
                    .iter()
                    .map(|id| content.get(id).copied().unwrap_or(0))
                    .collect();
                if expected != zones(other) {
                    lines.push(format!(
                        "{}: zones hold {:?} instead of {expected:?}",
                        mapping.key,
                        zones(other)
                    ));
                }
            }
        }
    }
    lines
}

fn address(mapping: &Mapping, id: i64) -> Address {
    let locale = mapping.key.locale.as_ref();
    (
        id,
        locale
            .map(|locale| locale.as_str().to_owned())
            .unwrap_or_default(),
    )
}

/// Folders come with their files.
fn is_passed(kind: Kind, row: &Row) -> bool {
    kind == Kind::Asset && row.get("isFolder") == Some(&Value::Bool(true))
}

fn compare(mapping: &Mapping, here: &Row, there: &Row, both_ways: bool) -> Vec<String> {
    let (here, there) = (texts(here), texts(there));
    let mut lines = Vec::new();
    for (at, text) in &here {
        if there.get(at) != Some(text) {
            lines.push(format!(
                "{} at {at}: {:?} instead of {text:?}",
                mapping.key,
                there.get(at)
            ));
        }
    }
    let added = there
        .iter()
        .filter(|(at, _)| both_ways && !here.contains_key(*at));
    lines.extend(
        added.map(|(at, text)| format!("{} at {at}: {text:?} instead of nothing", mapping.key)),
    );
    lines
}

/// The state that a mock server plays.
pub(crate) async fn dump(base_url: &str) -> StateFile {
    let url = format!("{base_url}/_mock/state");
    let answer = http().get(url).send().await.unwrap();
    answer.json().await.unwrap()
}

/// The mappings in the store of a workspace, read from a copy.
pub(crate) async fn mappings_in(workspace: &Path) -> Option<Vec<Mapping>> {
    let copy = tempfile::TempDir::new().unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let from = workspace.join(".lockgate").join(name);
        if from.exists() {
            std::fs::copy(from, copy.path().join(name)).unwrap();
        }
    }
    let file = copy.path().join("state.db");
    if !file.exists() {
        return None;
    }
    let store = Store::open(&StateUrl::Sqlite(file)).await.unwrap();
    let mappings = mappings_of(&store).await;
    store.close().await;
    Some(mappings)
}

/// The mappings of the pair that tests use.
pub(crate) async fn mappings_of(store: &Store) -> Vec<Mapping> {
    let pair = Pair {
        source: Guid::new(SOURCE),
        target: Guid::new(TARGET),
    };
    store.mappings(&pair).await.unwrap()
}
