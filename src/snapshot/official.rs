//! The mapping files of the official CLI, read as evidence.
//!
//! `agility-files/mappings/{source}-{target}` in the working directory holds one JSON array of rows per kind, and per
//! locale for items and pages; the two ids of a row are all that is taken. What contradicts itself is reported and not
//! used: an id that two rows name on either side, a row of other instances, a file that is no such array.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::{EntityKey, Guid, Id, Kind, Locale, SourceId, TargetId, read_file};

/// Where the official CLI keeps mappings, below its working directory.
const FOLDER: &str = "agility-files/mappings";

/// What the files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfficialMappings {
    /// Pairs of entities; each side stands there once per kind and locale.
    pub rows: Vec<(EntityKey, TargetId)>,
    /// What could not be used, one sentence each.
    pub problems: Vec<String>,
}

/// A kind with its folder and the members of its rows that hold the two ids.
struct Layout {
    kind: Kind,
    folder: &'static str,
    ids: [&'static str; 2],
}

const fn layout(kind: Kind, folder: &'static str, ids: [&'static str; 2]) -> Layout {
    Layout { kind, folder, ids }
}

/// Kinds that exist once per instance.
const GLOBAL: [Layout; 6] = [
    layout(Kind::Model, "models", ["sourceID", "targetID"]),
    layout(
        Kind::Container,
        "containers",
        ["sourceContentViewID", "targetContentViewID"],
    ),
    layout(
        Kind::Gallery,
        "galleries",
        ["sourceMediaGroupingID", "targetMediaGroupingID"],
    ),
    layout(Kind::Asset, "assets", ["sourceMediaID", "targetMediaID"]),
    layout(
        Kind::Template,
        "templates",
        ["sourcePageTemplateID", "targetPageTemplateID"],
    ),
    layout(
        Kind::Redirection,
        "urlredirections",
        ["sourceUrlRedirectionID", "targetUrlRedirectionID"],
    ),
];

/// Kinds that exist once per locale.
const LOCALISED: [Layout; 2] = [
    layout(
        Kind::Content,
        "item",
        ["sourceContentID", "targetContentID"],
    ),
    layout(Kind::Page, "page", ["sourcePageID", "targetPageID"]),
];

/// Reads the mappings of a pair, and those of the way back, below `directory`. Where there are none, nothing is found.
pub fn official_mappings(directory: &Path, source: &Guid, target: &Guid) -> OfficialMappings {
    let mut found = OfficialMappings::default();
    let mappings = directory.join(FOLDER);
    for (from, to, reversed) in [(source, target, false), (target, source, true)] {
        let reader = Reader {
            folder: mappings.join(format!("{from}-{to}")),
            pair: [from, to],
            reversed,
        };
        reader.read(&mut found);
    }
    found.rows = without_contradictions(found.rows, &mut found.problems);
    found
}

struct Reader<'a> {
    folder: PathBuf,
    pair: [&'a Guid; 2],
    reversed: bool,
}

impl Reader<'_> {
    fn read(&self, found: &mut OfficialMappings) {
        for layout in &GLOBAL {
            self.file(&self.folder.join(layout.folder), layout, None, found);
        }
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        let mut locales: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| GLOBAL.iter().all(|layout| layout.folder != name))
            .collect();
        locales.sort_unstable();
        for locale in locales {
            for layout in &LOCALISED {
                let folder = self.folder.join(&locale).join(layout.folder);
                self.file(&folder, layout, Some(&Locale::new(&locale)), found);
            }
        }
    }

    fn file(
        &self,
        folder: &Path,
        layout: &Layout,
        locale: Option<&Locale>,
        found: &mut OfficialMappings,
    ) {
        let path = folder.join("mappings.json");
        let text = match read_file(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return found.problem(&path, &error.to_string()),
        };
        let rows = match serde_json::from_slice::<Vec<Value>>(&text) {
            Ok(rows) => rows,
            Err(error) => return found.problem(&path, &format!("not an array of rows: {error}")),
        };
        for (at, row) in rows.iter().enumerate() {
            match self.row(row, layout, locale) {
                Ok(row) => found.rows.push(row),
                Err(problem) => found.problem(&path, &format!("/{at}: {problem}")),
            }
        }
    }

    fn row(
        &self,
        row: &Value,
        layout: &Layout,
        locale: Option<&Locale>,
    ) -> Result<(EntityKey, TargetId), String> {
        for (member, guid) in ["sourceGuid", "targetGuid"].iter().zip(self.pair) {
            let other = row[*member]
                .as_str()
                .filter(|named| *named != guid.as_str());
            if let Some(other) = other {
                return Err(format!("{member} is {other:?}, expected {guid}"));
            }
        }
        let id = |member: &str| {
            let id = row[member].as_i64().filter(|id| *id > 0);
            id.ok_or_else(|| format!("{member} is not a positive number"))
        };
        let [mut here, mut there] = [id(layout.ids[0])?, id(layout.ids[1])?];
        if self.reversed {
            std::mem::swap(&mut here, &mut there);
        }
        let key = EntityKey {
            kind: layout.kind,
            id: SourceId::new(here),
            locale: locale.cloned(),
        };
        Ok((key, TargetId::new(there)))
    }
}

impl OfficialMappings {
    fn problem(&mut self, path: &Path, what: &str) {
        let path = path.display();
        self.problems.push(format!(
            "mapping of the official CLI not used: {path}: {what}"
        ));
    }
}

type Row = (EntityKey, TargetId);

/// Leaves out every row whose entity, or whose counterpart, another row names differently.
fn without_contradictions(rows: Vec<Row>, problems: &mut Vec<String>) -> Vec<Row> {
    let mut forth: HashMap<EntityKey, TargetId> = HashMap::new();
    let mut back: HashMap<(EntityKey, TargetId), SourceId> = HashMap::new();
    let mut odd: Vec<Row> = Vec::new();
    let slot = |(key, target): &Row| (key.with_id(SourceId::new(0)), *target);
    for row in &rows {
        let there = *forth.entry(row.0.clone()).or_insert(row.1);
        let here = *back.entry(slot(row)).or_insert(row.0.id);
        if there != row.1 || here != row.0.id {
            odd.push(row.clone());
        }
    }
    for (key, target) in &odd {
        problems.push(format!(
            "mapping of the official CLI not used: {key} and {target} on the target are named by several rows"
        ));
    }
    let is_clear = |(key, target): &Row| {
        odd.iter()
            .all(|(other, there)| other != key && (other.kind != key.kind || there != target))
    };
    let mut seen = std::collections::HashSet::new();
    rows.into_iter()
        .filter(|row| (odd.is_empty() || is_clear(row)) && seen.insert(row.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, path: &str, text: &str) {
        let path = directory.join(FOLDER).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(directory: &Path) -> OfficialMappings {
        official_mappings(directory, &Guid::new("1a-u"), &Guid::new("2b-u"))
    }

    fn listed(found: &OfficialMappings) -> Vec<String> {
        let rows = found.rows.iter();
        rows.map(|(key, target)| format!("{key} {target}"))
            .collect()
    }

    #[test]
    fn both_directions_are_read_and_an_absent_folder_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()), OfficialMappings::default());
        let models = r#"[{"sourceGuid":"1a-u","targetGuid":"2b-u","sourceID":10,"targetID":50}]"#;
        write(directory.path(), "1a-u-2b-u/models/mappings.json", models);
        let items = r#"[{"sourceContentID":7,"targetContentID":3}]"#;
        write(
            directory.path(),
            "2b-u-1a-u/en-us/item/mappings.json",
            items,
        );
        let found = read(directory.path());
        assert_eq!(listed(&found), ["model:10 50", "content:3@en-us 7"]);
        assert_eq!(found.problems, Vec::<String>::new());
    }

    #[test]
    fn what_contradicts_itself_is_reported_and_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let items = r#"[
            {"sourceContentID":1,"targetContentID":11},
            {"sourceContentID":1,"targetContentID":12},
            {"sourceContentID":2,"targetContentID":13},
            {"sourceContentID":3,"targetContentID":13},
            {"sourceContentID":4,"targetContentID":14},
            {"sourceContentID":0,"targetContentID":15},
            {"sourceGuid":"other","sourceContentID":5,"targetContentID":16}
        ]"#;
        write(
            directory.path(),
            "1a-u-2b-u/en-us/item/mappings.json",
            items,
        );
        write(directory.path(), "1a-u-2b-u/models/mappings.json", "{");
        let found = read(directory.path());
        assert_eq!(listed(&found), ["content:4@en-us 14"]);
        assert_eq!(found.problems.len(), 5, "{:?}", found.problems);
    }
}
