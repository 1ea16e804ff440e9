//! Writes the files of one direction of a pair, as the official CLI does.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::layout::{self, FILE, GLOBAL, GUIDS, LOCALISED};
use crate::domain::{
    AssetContainer, Entity, EntityKey, Guid, Id, Inventory, Kind, SourceId, TargetId, Version,
    read_file,
};

/// A mapping as it is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The entity of the source.
    pub key: EntityKey,
    /// Its counterpart.
    pub target: TargetId,
    /// The counterpart's name as the state has it, for where the target is not read.
    pub target_name: Option<String>,
    /// The versions of the last agreement, source first.
    pub versions: [Option<Version>; 2],
    /// Whether each side is as it was at the last agreement, source first: its date is that of the agreement then.
    pub is_agreed: [bool; 2],
}

/// Why a folder was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The system refused.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is there and is not a JSON array, so its rows cannot be kept.
    #[error("{} is there and is not a JSON array of rows: {reason}", path.display())]
    Torn {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: usize,
    /// Rows of the files before that no mapping stands for; they are gone.
    pub dropped: usize,
}

/// Writes `mappings` below `folder`, each file whole or not at all. Members of a row that was there before and stands for
/// the same pair of entities are kept where nothing newer is known of them. `sides` are both instances, where they were read.
///
/// # Errors
/// [`WriteError`]; files that were written before stay.
pub fn write_pair(
    folder: &Path,
    (source, target): (&Guid, &Guid),
    mappings: &[Exported],
    sides: Option<(&Inventory<SourceId>, &Inventory<TargetId>)>,
) -> Result<Written, WriteError> {
    let mut files: BTreeMap<PathBuf, Vec<&Exported>> = BTreeMap::new();
    for path in present(folder) {
        files.insert(path, Vec::new());
    }
    for mapping in mappings {
        let below = layout::of_kind(mapping.key.kind).folder;
        let locale = mapping.key.locale.as_ref();
        let below = locale.map_or_else(
            || PathBuf::from(below),
            |locale| Path::new(locale.as_str()).join(below),
        );
        files.entry(below.join(FILE)).or_default().push(mapping);
    }
    let mut written = Written::default();
    for (file, mut mappings) in files {
        let path = folder.join(file);
        let mut former = former(&path)?;
        mappings.sort_unstable_by_key(|mapping| mapping.key.id);
        let rows: Vec<Value> = mappings
            .iter()
            .map(|mapping| {
                let layout = layout::of_kind(mapping.key.kind);
                let before = former.remove(&ids_of(mapping)).unwrap_or_default();
                let mut row = Row::of(mapping, sides, before);
                row.set(GUIDS[0], Some(json!(source)));
                row.set(GUIDS[1], Some(json!(target)));
                row.set(layout.ids[0], Some(json!(mapping.key.id)));
                row.set(layout.ids[1], Some(json!(mapping.target)));
                row.fill();
                Value::Object(row.members)
            })
            .collect();
        written.rows += rows.len();
        written.dropped += former.len();
        put(&path, &rows).map_err(|source| WriteError::Io { path, source })?;
    }
    Ok(written)
}

/// The files of a folder that has been written before.
fn present(folder: &Path) -> Vec<PathBuf> {
    let global = GLOBAL
        .iter()
        .map(|layout| Path::new(layout.folder).join(FILE));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let locales = entries.map(|entry| PathBuf::from(entry.file_name()));
    let localised = locales.flat_map(|locale| {
        LOCALISED
            .iter()
            .map(move |layout| locale.join(layout.folder).join(FILE))
    });
    let all = global.chain(localised);
    all.filter(|file| folder.join(file).exists()).collect()
}

type Ids = (i64, i64);

fn ids_of(mapping: &Exported) -> Ids {
    (mapping.key.id.raw(), mapping.target.raw())
}

/// The rows of a file that is there, by their two ids.
fn former(path: &Path) -> Result<HashMap<Ids, Map<String, Value>>, WriteError> {
    let text = match read_file(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(source) => {
            let path = path.to_owned();
            return Err(WriteError::Io { path, source });
        }
    };
    let rows: Vec<Map<String, Value>> =
        serde_json::from_slice(&text).map_err(|error| WriteError::Torn {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    let layouts = || GLOBAL.iter().chain(&LOCALISED);
    let ids = |row: &Map<String, Value>| {
        let of = |layout: &layout::Layout| {
            let [here, there] = layout.ids.map(|member| row.get(member)?.as_i64());
            Some((here?, there?))
        };
        layouts().find_map(of)
    };
    let keyed = rows.into_iter().filter_map(|row| Some((ids(&row)?, row)));
    Ok(keyed.collect())
}

struct Row<'a> {
    mapping: &'a Exported,
    sides: Option<(&'a Inventory<SourceId>, &'a Inventory<TargetId>)>,
    /// What both say now, source first, where they were read.
    bodies: [Option<Value>; 2],
    members: Map<String, Value>,
}

impl<'a> Row<'a> {
    fn of(
        mapping: &'a Exported,
        sides: Option<(&'a Inventory<SourceId>, &'a Inventory<TargetId>)>,
        members: Map<String, Value>,
    ) -> Self {
        let bodies = sides.map_or([None, None], |(source, target)| {
            let there = target.get(&mapping.key.with_id(mapping.target));
            [source.get(&mapping.key).map(body_of), there.map(body_of)]
        });
        Self {
            mapping,
            sides,
            bodies,
            members,
        }
    }

    /// Sets a member, or keeps what was there before; a member that is not known at all is null.
    fn set(&mut self, member: &str, value: Option<Value>) {
        match value {
            Some(value) => drop(self.members.insert(member.to_owned(), value)),
            None => drop(self.members.entry(member).or_insert(Value::Null)),
        }
    }

    /// Both sides of a member of the body.
    fn both(&mut self, members: [&str; 2], of_body: &str) {
        for (member, value) in members.into_iter().zip(self.said(of_body)) {
            self.set(member, value);
        }
    }

    /// Both sides of a date: that of a side which changed since the last agreement is not the date of the agreement, and an
    /// older one is kept.
    fn dates(&mut self, members: [&str; 2], of_body: &str) {
        let dates = self.said(of_body).into_iter().zip(self.mapping.is_agreed);
        for (member, (date, is_agreed)) in members.into_iter().zip(dates) {
            self.set(member, date.filter(|_| is_agreed));
        }
    }

    /// What a member of both bodies is.
    fn said(&self, of_body: &str) -> [Option<Value>; 2] {
        self.bodies
            .each_ref()
            .map(|body| member(body.as_ref(), of_body))
    }

    fn fill(&mut self) {
        match self.mapping.key.kind {
            Kind::Model | Kind::Container => {
                self.both(
                    ["sourceReferenceName", "targetReferenceName"],
                    "referenceName",
                );
                self.target_name("targetReferenceName");
                self.dates(
                    ["sourceLastModifiedDate", "targetLastModifiedDate"],
                    "lastModifiedDate",
                );
            }
            Kind::Gallery => self.dates(["sourceModifiedOn", "targetModifiedOn"], "modifiedOn"),
            Kind::Asset => self.fill_asset(),
            Kind::Template => {
                self.both(
                    ["sourcePageTemplateName", "targetPageTemplateName"],
                    "pageTemplateName",
                );
                self.target_name("targetPageTemplateName");
            }
            Kind::Redirection => {
                let [here, _] = self.said("originUrl");
                self.set("originUrl", here);
            }
            Kind::Content => self.versions(),
            Kind::Page => {
                self.versions();
                self.both(
                    ["sourcePageTemplateName", "targetPageTemplateName"],
                    "templateName",
                );
            }
        }
    }

    /// The state has this name even where the target was not read.
    fn target_name(&mut self, member: &str) {
        if let (Some(Value::Null), Some(name)) =
            (self.members.get(member), &self.mapping.target_name)
        {
            self.members.insert(member.to_owned(), json!(name));
        }
    }

    fn versions(&mut self) {
        let [here, there] = self.mapping.versions;
        for (member, version) in [("sourceVersionID", here), ("targetVersionID", there)] {
            self.set(member, version.map(|version| json!(version.0)));
            // 0 counts as not known.
            if self.members[member].is_null() {
                self.members[member] = json!(0);
            }
        }
    }

    fn fill_asset(&mut self) {
        self.dates(["sourceDateModified", "targetDateModified"], "dateModified");
        self.both(["sourceUrl", "targetUrl"], "edgeUrl");
        let containers = self.sides.map(|(source, target)| {
            let urls = |one: &AssetContainer| [json!(one.edge_url), json!(one.origin_url)];
            (urls(&source.asset_container), urls(&target.asset_container))
        });
        let (here, there) =
            containers.map_or((None, None), |(here, there)| (Some(here), Some(there)));
        for (side, urls) in [("source", here), ("target", there)] {
            let [edge, origin] = urls.map_or([None, None], |urls| urls.map(Some));
            self.set(&format!("{side}ContainerEdgeUrl"), edge);
            self.set(&format!("{side}ContainerOriginUrl"), origin);
        }
    }
}

fn body_of<I>(entity: &Entity<I>) -> Value {
    entity.body.parse()
}

fn member(body: Option<&Value>, name: &str) -> Option<Value> {
    body?.get(name).filter(|value| !value.is_null()).cloned()
}

/// Writes rows with two blanks of indentation, beside the file first.
fn put(path: &Path, rows: &[Value]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(serde_json::to_string_pretty(rows)?.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Key, Locale};

    fn exported(key: EntityKey, target: i64) -> Exported {
        Exported {
            key,
            target: TargetId::new(target),
            target_name: Some("There".to_owned()),
            versions: [Some(Version(3)), None],
            is_agreed: [true, false],
        }
    }

    #[test]
    fn what_a_row_said_before_stays_and_rows_without_a_mapping_go() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        let before = r#"[{"sourceContentID":7,"targetContentID":3,"targetVersionID":12,"own":"kept"},
            {"sourceContentID":8,"targetContentID":4}]"#;
        std::fs::create_dir_all(folder.join("en-us/item")).unwrap();
        std::fs::write(folder.join("en-us/item/mappings.json"), before).unwrap();
        let pair = (&Guid::new("1a-u"), &Guid::new("2b-u"));
        let item = Key::localised(Kind::Content, 7, &Locale::new("en-us"));
        let mappings = [
            exported(item, 3),
            exported(Key::global(Kind::Model, 10), 50),
        ];
        let written = write_pair(folder, pair, &mappings, None).unwrap();
        let (rows, dropped) = (2, 1);
        assert_eq!(written, Written { rows, dropped });
        let text = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
        insta::assert_snapshot!(text("en-us/item/mappings.json"), @r#"
        [
          {
            "sourceContentID": 7,
            "targetContentID": 3,
            "targetVersionID": 12,
            "own": "kept",
            "sourceGuid": "1a-u",
            "targetGuid": "2b-u",
            "sourceVersionID": 3
          }
        ]
        "#);
        insta::assert_snapshot!(text("models/mappings.json"), @r#"
        [
          {
            "sourceGuid": "1a-u",
            "targetGuid": "2b-u",
            "sourceID": 10,
            "targetID": 50,
            "sourceReferenceName": null,
            "targetReferenceName": "There",
            "sourceLastModifiedDate": null,
            "targetLastModifiedDate": null
          }
        ]
        "#);
        let none = write_pair(folder, pair, &[], None).unwrap();
        assert_eq!(none.dropped, 2);
        assert_eq!(text("models/mappings.json"), "[]");
        std::fs::write(folder.join("models/mappings.json"), "[{").unwrap();
        let torn = write_pair(folder, pair, &mappings, None).unwrap_err();
        assert!(matches!(torn, WriteError::Torn { .. }), "{torn}");
    }
}
