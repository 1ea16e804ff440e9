//! The list of all files of a folder, which proves that it is complete and unaltered.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::error::FolderError;
use super::layout::indented;
use crate::domain::{ContentHash, Guid, Kind, Locale, SourceId, read_file};

/// Its name, below the folder of the instance.
pub(super) const FILE: &str = "lockgate.json";

/// The form that this program writes. A higher one is refused: what it means is not known.
pub(super) const FORM: u32 = 1;

/// What a folder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub form: u32,
    /// The instance that was read.
    pub instance: Guid,
    /// When the folder was last changed by a pull; one that finds nothing new leaves it as it is.
    pub pulled_at: String,
    /// The locales that were read, in the order of the instance.
    pub locales: Vec<Locale>,
    /// How many entities there are of each kind.
    pub counts: BTreeMap<Kind, usize>,
    /// Assets whose bytes the instance did not give.
    #[serde(default)]
    pub missing: Vec<MissingAsset>,
    /// Every file by its path with slashes.
    pub files: BTreeMap<String, FileEntry>,
}

/// A file as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its length.
    pub bytes: u64,
    /// The hash of its bytes.
    pub hash: ContentHash,
    /// Of a file of an asset, what it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetFile>,
}

/// What the instance says of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetFile {
    /// The asset.
    pub id: SourceId,
    /// Its `originUrl`.
    pub url: String,
    /// Its `dateModified`.
    pub modified: Option<String>,
    /// `agility-focal-x` and `agility-focal-y`, as sent with the bytes.
    #[serde(default, skip_serializing_if = "is_without_focal")]
    pub focal: (Option<String>, Option<String>),
}

fn is_without_focal(focal: &(Option<String>, Option<String>)) -> bool {
    *focal == (None, None)
}

/// An asset without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingAsset {
    /// The asset.
    pub id: SourceId,
    /// Its `originUrl`.
    pub url: String,
    /// Why the instance did not give them.
    pub why: String,
}

/// What of a manifest is looked at before the rest.
#[derive(Deserialize)]
struct Head {
    form: u32,
}

impl Manifest {
    /// Reads the manifest at `path`; `None` when there is none.
    ///
    /// # Errors
    /// [`FolderError`] when it cannot be read, is cut, is of a newer form, or lists a path that leads out of its folder.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, FolderError> {
        let text = match read_file(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FolderError::io(path, source)),
        };
        let invalid = |reason: String| FolderError::Manifest {
            path: path.to_owned(),
            reason,
        };
        let head: Head =
            serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        if head.form > FORM {
            return Err(FolderError::Newer {
                path: path.to_owned(),
                form: head.form,
                known: FORM,
            });
        }
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        match manifest.files.keys().find(|path| !is_inside(path)) {
            Some(path) => Err(invalid(format!("{path:?} leads out of the folder"))),
            None => Ok(Some(manifest)),
        }
    }

    /// The text of the file: one line a file, so that a version control shows which files changed.
    pub(super) fn text(&self) -> String {
        let head = Self {
            files: BTreeMap::new(),
            ..self.clone()
        };
        let head = indented(&json(&head));
        let mut text = head
            .trim_end()
            .trim_end_matches("\"files\": {}\n}")
            .to_owned();
        text.push_str("\"files\": {");
        let mut mark = "";
        for (path, entry) in &self.files {
            // Writing to a string does not fail.
            let _written = write!(text, "{mark}\n    {}: {}", json(path), json(entry));
            mark = ",";
        }
        text.push_str("\n  }\n}\n");
        text
    }

    /// The same but for the moment.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let moment = other.pulled_at.clone();
        *other
            == Self {
                pulled_at: moment,
                ..self.clone()
            }
    }
}

/// Strings, numbers and lists of these cannot fail to be JSON.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Whether a path stays below its folder, whatever system reads it.
fn is_inside(path: &str) -> bool {
    let parts = || Path::new(path).components();
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    !path.is_empty() && !path.contains(['\\', ':', '\0']) && parts().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Id;

    fn manifest() -> Manifest {
        let entry = |asset| FileEntry {
            bytes: 3,
            hash: ContentHash::of_bytes(b"abc"),
            asset,
        };
        let asset = AssetFile {
            id: SourceId::new(7),
            url: "https://cdn.example/a.png".to_owned(),
            modified: None,
            focal: (Some("0.5".to_owned()), None),
        };
        Manifest {
            form: FORM,
            instance: Guid::new("1a2b3c4d-u"),
            pulled_at: "2026-01-01T00:00:00Z".to_owned(),
            locales: vec![Locale::new("en-us")],
            counts: BTreeMap::from([(Kind::Model, 1), (Kind::Asset, 1)]),
            missing: Vec::new(),
            files: BTreeMap::from([
                ("models/1.json".to_owned(), entry(None)),
                ("assets/a.png".to_owned(), entry(Some(asset))),
            ]),
        }
    }

    fn read(text: &str) -> Result<Option<Manifest>, FolderError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, text).unwrap();
        Manifest::read(&path)
    }

    #[test]
    fn a_manifest_has_a_line_a_file_and_reads_back() {
        let text = manifest().text();
        insta::assert_snapshot!(text, @r#"
        {
          "form": 1,
          "instance": "1a2b3c4d-u",
          "pulled_at": "2026-01-01T00:00:00Z",
          "locales": [
            "en-us"
          ],
          "counts": {
            "model": 1,
            "asset": 1
          },
          "missing": [],
          "files": {
            "assets/a.png": {"bytes":3,"hash":"6437b3ac38465133ffb63b75273a8db5","asset":{"id":7,"url":"https://cdn.example/a.png","modified":null,"focal":["0.5",null]}},
            "models/1.json": {"bytes":3,"hash":"6437b3ac38465133ffb63b75273a8db5"}
          }
        }
        "#);
        assert_eq!(read(&text).unwrap(), Some(manifest()));
        assert!(matches!(
            read(&text[..text.len() / 2]),
            Err(FolderError::Manifest { .. })
        ));
    }

    #[test]
    fn a_newer_form_is_refused_whatever_else_it_has() {
        let newer = read(r#"{"form": 2, "files": 7}"#);
        assert!(matches!(newer, Err(FolderError::Newer { form: 2, .. })));
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in [
            "../x",
            "/etc/passwd",
            "a/../../b",
            "",
            "c:x",
            "a\\..\\b",
            "./x",
        ] {
            let mut odd = manifest();
            let entry = odd.files["models/1.json"].clone();
            odd.files.insert(path.to_owned(), entry);
            let found = read(&odd.text());
            assert!(
                matches!(found, Err(FolderError::Manifest { .. })),
                "{path:?}"
            );
        }
    }
}
