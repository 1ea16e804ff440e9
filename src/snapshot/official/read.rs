//! Reads the files of one direction of a pair.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::contradictions;
use super::defect::{Defect, DefectKind};
use super::layout::{FILE, GLOBAL, GUIDS, LOCALISED, Layout};
use crate::domain::{EntityKey, Guid, Id, Locale, SourceId, TargetId, Version, read_file};

/// How much of a wrong value a message shows, in characters.
const SHOWN: usize = 60;

/// What the folder of one direction says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfficialFolder {
    /// Rows that contradict nothing, in the order of the files; each side stands there once per kind and locale.
    pub rows: Vec<OfficialRow>,
    /// What is not used.
    pub defects: Vec<Defect>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct OfficialRow {
    /// The entity of the source.
    pub key: EntityKey,
    /// Its counterpart.
    pub target: TargetId,
    /// The versions of content and pages when the row was written, source first.
    pub versions: [Option<Version>; 2],
    /// Its file, below the folder of the pair.
    pub file: PathBuf,
    /// Its number in the file, counted from 1.
    pub row: usize,
    /// The name that no other entity of the source has, where the kind has one.
    pub(super) name: Option<String>,
}

impl OfficialRow {
    /// A defect of this row.
    pub fn defect(&self, kind: DefectKind) -> Defect {
        Defect {
            file: self.file.clone(),
            row: Some(self.row),
            kind,
        }
    }
}

/// The folder of one direction of a pair below the root folder of the official CLI, which is `agility-files` as a rule.
pub fn official_folder(root: &Path, source: &Guid, target: &Guid) -> PathBuf {
    root.join("mappings").join(format!("{source}-{target}"))
}

/// The folders of pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairFolders {
    /// Source and target of each, sorted.
    pub pairs: Vec<(Guid, Guid)>,
    /// Names of folders that are not those of a pair.
    pub odd: Vec<String>,
}

/// The folders below that of all mappings.
///
/// # Errors
/// [`io::Error`] when `root` has no folder `mappings` that can be listed.
pub fn pairs_of(root: &Path) -> io::Result<PairFolders> {
    let mut found = PairFolders::default();
    for entry in std::fs::read_dir(root.join("mappings"))? {
        let entry = entry?;
        if !entry.path().is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        // `13a8b394-u`: two dash-joined parts for each instance.
        match *name.split('-').collect::<Vec<_>>() {
            [a, b, c, d] if ![a, b, c, d].contains(&"") => {
                found.pairs.push((
                    Guid::new(&format!("{a}-{b}")),
                    Guid::new(&format!("{c}-{d}")),
                ));
            }
            _ => found.odd.push(name),
        }
    }
    found.pairs.sort_unstable();
    found.odd.sort_unstable();
    Ok(found)
}

/// Reads the folder of one direction. One that does not exist holds nothing.
pub fn read_pair(folder: &Path, source: &Guid, target: &Guid) -> OfficialFolder {
    let reader = Reader {
        folder,
        pair: [source, target],
    };
    let mut found = OfficialFolder::default();
    reader.read(&mut found);
    contradictions::set_aside(&mut found);
    found
        .defects
        .sort_by(|one, other| (&one.file, one.row).cmp(&(&other.file, other.row)));
    found
}

struct Reader<'a> {
    folder: &'a Path,
    pair: [&'a Guid; 2],
}

impl Reader<'_> {
    fn read(&self, found: &mut OfficialFolder) {
        for layout in &GLOBAL {
            self.file(&PathBuf::from(layout.folder), layout, None, found);
        }
        let Ok(entries) = std::fs::read_dir(self.folder) else {
            return;
        };
        let mut locales: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| GLOBAL.iter().all(|layout| layout.folder != name))
            .collect();
        locales.sort_unstable();
        for locale in locales {
            for layout in &LOCALISED {
                let folder = Path::new(&locale).join(layout.folder);
                self.file(&folder, layout, Some(&Locale::new(&locale)), found);
            }
        }
    }

    fn file(
        &self,
        below: &Path,
        layout: &Layout,
        locale: Option<&Locale>,
        found: &mut OfficialFolder,
    ) {
        let file = below.join(FILE);
        let whole = |kind| Defect {
            file: file.clone(),
            row: None,
            kind,
        };
        let text = match read_file(&self.folder.join(&file)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                let defect = whole(DefectKind::Unreadable(error.to_string()));
                return found.defects.push(defect);
            }
        };
        let rows = match serde_json::from_slice::<Vec<Value>>(&text) {
            Ok(rows) => rows,
            Err(error) => {
                let defect = whole(DefectKind::Torn(error.to_string()));
                return found.defects.push(defect);
            }
        };
        for (number, row) in (1..).zip(&rows) {
            match self.row(row, layout, locale) {
                Ok((key, target)) => found.rows.push(OfficialRow {
                    versions: versions(row, layout),
                    name: name(row, layout),
                    file: file.clone(),
                    row: number,
                    key,
                    target,
                }),
                Err(kind) => found.defects.push(Defect {
                    file: file.clone(),
                    row: Some(number),
                    kind,
                }),
            }
        }
    }

    fn row(
        &self,
        row: &Value,
        layout: &Layout,
        locale: Option<&Locale>,
    ) -> Result<(EntityKey, TargetId), DefectKind> {
        let row = row
            .as_object()
            .ok_or_else(|| wrong("", "an object", Some(row)))?;
        for (member, expected) in GUIDS.into_iter().zip(self.pair) {
            match row.get(member) {
                // A row without it counts as one of its folder.
                None => {}
                Some(Value::String(guid)) if guid.eq_ignore_ascii_case(expected.as_str()) => {}
                Some(Value::String(found)) => {
                    return Err(DefectKind::OtherInstance {
                        member,
                        found: found.chars().take(SHOWN).collect(),
                        expected: expected.clone(),
                    });
                }
                found => return Err(wrong(member, "a string", found)),
            }
        }
        for member in layout.name.iter().chain(layout.versions.iter().flatten()) {
            check_optional(row, member, layout)?;
        }
        let [here, there] = layout.ids;
        let key = EntityKey {
            kind: layout.kind,
            id: SourceId::new(id(row, here)?),
            locale: locale.cloned(),
        };
        Ok((key, TargetId::new(id(row, there)?)))
    }
}

/// Checks the type of a member that older files lack.
fn check_optional(
    row: &Map<String, Value>,
    member: &'static str,
    layout: &Layout,
) -> Result<(), DefectKind> {
    let is_version = layout
        .versions
        .is_some_and(|versions| versions.contains(&member));
    match (row.get(member), is_version) {
        (None | Some(Value::Null), _) | (Some(Value::String(_)), false) => Ok(()),
        (Some(Value::Number(number)), true) if number.is_i64() => Ok(()),
        (found, true) => Err(wrong(member, "a number", found)),
        (found, false) => Err(wrong(member, "a string", found)),
    }
}

fn id(row: &Map<String, Value>, member: &'static str) -> Result<i64, DefectKind> {
    let found = row.get(member);
    let id = found.and_then(Value::as_i64).filter(|id| *id > 0);
    id.ok_or_else(|| wrong(member, "a positive number", found))
}

fn wrong(member: &'static str, expected: &'static str, found: Option<&Value>) -> DefectKind {
    let found = found.map_or_else(
        || "missing".to_owned(),
        |found| {
            let text = found.to_string();
            let cut = text.char_indices().nth(SHOWN).map(|(at, _)| at);
            cut.map_or(text.clone(), |at| format!("{}…", &text[..at]))
        },
    );
    DefectKind::WrongType {
        member,
        expected,
        found,
    }
}

fn versions(row: &Value, layout: &Layout) -> [Option<Version>; 2] {
    let Some(members) = layout.versions else {
        return [None, None];
    };
    // 0 stands for a version that was not known.
    members.map(|member| {
        row[member]
            .as_i64()
            .filter(|version| *version > 0)
            .map(Version)
    })
}

fn name(row: &Value, layout: &Layout) -> Option<String> {
    let name = row[layout.name?].as_str()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODELS: &str = "models/mappings.json";
    const ITEMS: &str = "en-us/item/mappings.json";

    fn write(directory: &Path, path: &str, text: &str) {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(directory: &Path) -> OfficialFolder {
        read_pair(directory, &Guid::new("1a-u"), &Guid::new("2b-u"))
    }

    fn listed(found: &OfficialFolder) -> Vec<String> {
        let rows = found.rows.iter();
        rows.map(|row| format!("{} {}", row.key, row.target))
            .collect()
    }

    fn defects(found: &OfficialFolder) -> Vec<String> {
        let defects = found.defects.iter().map(|defect| {
            let file = defect.file.display().to_string().replace('\\', "/");
            let row = defect.row.map(|row| format!(":{row}")).unwrap_or_default();
            format!("{file}{row}: {}: {}", defect.kind.code(), defect.kind)
        });
        defects.collect()
    }

    #[test]
    fn an_absent_folder_is_empty_and_rows_of_both_ages_are_read() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()), OfficialFolder::default());
        let models = r#"[{"sourceGuid":"1A-U","targetGuid":"2b-u","sourceID":10,"targetID":50}]"#;
        write(directory.path(), MODELS, models);
        let items = r#"[{"sourceContentID":7,"targetContentID":3,"sourceVersionID":0,"targetVersionID":9,"more":1}]"#;
        write(directory.path(), ITEMS, items);
        let found = read(directory.path());
        assert_eq!(listed(&found), ["model:10 50", "content:7@en-us 3"]);
        assert_eq!(found.rows[1].versions, [None, Some(Version(9))]);
        assert_eq!(defects(&found), Vec::<String>::new());
    }

    #[test]
    fn each_defect_is_reported_with_its_row_and_nothing_of_it_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let items = r#"[
            {"sourceContentID":1,"targetContentID":11},
            {"sourceContentID":1,"targetContentID":12},
            {"sourceContentID":2,"targetContentID":13},
            {"sourceContentID":3,"targetContentID":13},
            {"sourceContentID":4,"targetContentID":14},
            {"sourceContentID":0,"targetContentID":15},
            {"sourceGuid":"other","sourceContentID":5,"targetContentID":16},
            {"sourceContentID":6,"targetContentID":"17"},
            {"sourceContentID":7,"targetContentID":18,"targetVersionID":"9"},
            7,
            {"sourceContentID":8,"targetContentID":19},
            {"sourceContentID":4,"targetContentID":14}
        ]"#;
        write(directory.path(), ITEMS, items);
        let french = r#"[{"sourceContentID":8,"targetContentID":20},{"sourceContentID":4,"targetContentID":14}]"#;
        write(directory.path(), "fr-ca/item/mappings.json", french);
        let models = r#"[
            {"sourceID":1,"targetID":2,"sourceReferenceName":"Post"},
            {"sourceID":3,"targetID":4,"sourceReferenceName":"post"},
            {"sourceID":5,"targetID":6,"sourceReferenceName":"Author"}
        ]"#;
        write(directory.path(), MODELS, models);
        write(
            directory.path(),
            "assets/mappings.json",
            "[{\"sourceMediaID\":",
        );
        let found = read(directory.path());
        assert_eq!(
            listed(&found),
            ["model:5 6", "content:4@en-us 14", "content:4@fr-ca 14"]
        );
        insta::assert_snapshot!(defects(&found).join("\n"), @r#"
        assets/mappings.json: torn: not a JSON array of rows: EOF while parsing a value at line 1 column 18
        en-us/item/mappings.json:1: source-twice: content:1@en-us is also in row 2
        en-us/item/mappings.json:2: source-twice: content:1@en-us is also in row 1
        en-us/item/mappings.json:3: target-twice: 13 on the target is also in row 4
        en-us/item/mappings.json:4: target-twice: 13 on the target is also in row 3
        en-us/item/mappings.json:6: wrong-type: sourceContentID is 0, expected a positive number
        en-us/item/mappings.json:7: other-instance: sourceGuid is "other", and the folder is of 1a-u
        en-us/item/mappings.json:8: wrong-type: targetContentID is "17", expected a positive number
        en-us/item/mappings.json:9: wrong-type: targetVersionID is "9", expected a number
        en-us/item/mappings.json:10: wrong-type: the row is 7, expected an object
        en-us/item/mappings.json:11: locales-disagree: content:8@en-us and its counterpart have one id in all locales, and another one in row 1 of fr-ca/item/mappings.json
        en-us/item/mappings.json:12: source-twice: content:4@en-us is also in row 5
        fr-ca/item/mappings.json:1: locales-disagree: content:8@fr-ca and its counterpart have one id in all locales, and another one in row 11 of en-us/item/mappings.json
        models/mappings.json:1: name-twice: "Post" has another source id in row 2
        models/mappings.json:2: name-twice: "post" has another source id in row 1
        "#);
    }

    #[test]
    fn pairs_are_found_by_the_names_of_their_folders() {
        let root = tempfile::tempdir().unwrap();
        assert!(pairs_of(root.path()).is_err());
        for name in ["1a-u-2b-u", "1a-u-2b-us2", "notes", "1a-u"] {
            std::fs::create_dir_all(root.path().join("mappings").join(name)).unwrap();
        }
        let PairFolders { pairs, odd } = pairs_of(root.path()).unwrap();
        let (one, two, three) = (Guid::new("1a-u"), Guid::new("2b-u"), Guid::new("2b-us2"));
        assert_eq!(pairs, [(one.clone(), two), (one, three)]);
        assert_eq!(odd, ["1a-u", "notes"]);
    }
}
