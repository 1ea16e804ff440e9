//! Which new files share an upload.
//!
//! An upload names one folder and one gallery, and takes several files. So new files share one where both are the same, up
//! to a count and a number of bytes. Every other file has an upload of its own:
//!
//! | file | why |
//! |---|---|
//! | with a focal point | an upload has one for all of its files |
//! | that replaces another | what was there is kept for an undo, and may have to be moved first, both for this file alone |
//! | of unknown size | it would not be known when the upload is full |
//! | that must not overlap with others | the user has configured it |

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Plan;
use super::action::{Action, Planned};
use super::graph::Node;
use super::selection::gallery_of;
use crate::domain::{Entity, Inventory, Kind, SourceId, WorkClass, folder_and_name};

/// How much one upload takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// Files, at least 1.
    pub files: usize,
    /// Bytes of all files together. A larger file leaves alone.
    pub bytes: u64,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            files: 20,
            bytes: 8 << 20,
        }
    }
}

/// Files that leave together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Together {
    /// What they have in common and others have not.
    pub upload: u32,
    /// The greatest weight of them.
    pub weight: u32,
}

/// The uploads of a plan.
#[derive(Clone, Debug, Default)]
pub struct Uploads {
    of: HashMap<Node, Together>,
    /// Uploads, those of lone files included.
    pub requests: usize,
    /// Files in all of them.
    pub files: usize,
}

impl Uploads {
    /// What leaves together of what `plan` uploads. The same plan and limits give the same uploads.
    pub fn of(plan: &Plan, source: &Inventory<SourceId>, limits: UploadLimits) -> Self {
        let mut uploads = Self::default();
        let mut places: BTreeMap<Place, Vec<File>> = BTreeMap::new();
        let nodes = (0..).zip(plan.entities.iter().zip(source.entities()));
        for (node, (planned, entity)) in nodes {
            if entity.key.kind != Kind::Asset || !planned.action.is_work() {
                continue;
            }
            uploads.files += 1;
            match shareable(planned, entity).filter(|(_, bytes)| *bytes <= limits.bytes) {
                Some((place, bytes)) => places.entry(place).or_default().push(File {
                    weight: planned.remaining_ms,
                    node,
                    bytes,
                }),
                None => uploads.requests += 1,
            }
        }
        for files in places.into_values() {
            uploads.pack(files, limits);
        }
        uploads
    }

    /// The files that a file leaves with; `None` where it leaves alone.
    pub fn together(&self, node: Node) -> Option<Together> {
        self.of.get(&node).copied()
    }

    /// Fills one upload after another with files of one place, those first that most work waits for.
    fn pack(&mut self, mut files: Vec<File>, limits: UploadLimits) {
        files.sort_by_key(|file| (std::cmp::Reverse(file.weight), file.node));
        let mut open: Vec<File> = Vec::new();
        let mut bytes = 0;
        for file in files {
            if open.len() >= limits.files.max(1) || bytes + file.bytes > limits.bytes {
                self.close(&mut open);
                bytes = 0;
            }
            bytes += file.bytes;
            open.push(file);
        }
        self.close(&mut open);
    }

    fn close(&mut self, open: &mut Vec<File>) {
        let Some(weight) = open.iter().map(|file| file.weight).max() else {
            return;
        };
        let together = Together {
            upload: u32::try_from(self.requests).unwrap_or(u32::MAX),
            weight,
        };
        self.requests += 1;
        if open.len() > 1 {
            self.of
                .extend(open.iter().map(|file| (file.node, together)));
        }
        open.clear();
    }
}

/// A folder, and the gallery if there is one.
type Place = (Box<str>, Option<i64>);

/// A file that may share an upload.
struct File {
    weight: u32,
    node: Node,
    bytes: u64,
}

/// Where a file goes and how long it is, if it may share an upload.
fn shareable(planned: &Planned, entity: &Entity<SourceId>) -> Option<(Place, u64)> {
    let is_new = matches!(planned.action, Action::Create { .. });
    let is_plain = planned.temporary.is_none() && !planned.is_patched();
    if !is_new || !is_plain || planned.class != WorkClass::Parallel {
        return None;
    }
    let media = entity.body.parse();
    let has_focal = ["focalX", "focalY"]
        .iter()
        .any(|name| !matches!(&media[name], Value::Null));
    let bytes = media["size"].as_u64().filter(|bytes| *bytes > 0)?;
    let (folder, _) = folder_and_name(&entity.name);
    (!has_focal).then(|| ((folder.into(), gallery_of(&media)), bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Body, EntityKey, Guid, Id, ItemState, TargetId};
    use crate::plan::testing::planned;

    /// A file of a path, with what else its row says.
    fn asset(id: i64, path: &str, more: &Value) -> Entity<SourceId> {
        let mut body = json!({ "mediaID": id, "originKey": path, "size": 10 });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        Entity {
            key: EntityKey::global(Kind::Asset, id),
            name: path.into(),
            version: None,
            state: ItemState::None,
            placement: None,
            body: Body::new(&body),
        }
    }

    /// The files of each upload, and how many uploads there are.
    fn uploads(
        files: Vec<(Entity<SourceId>, Planned)>,
        limits: UploadLimits,
    ) -> (Vec<Vec<String>>, usize) {
        let (entities, planned): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let names: Vec<String> = entities.iter().map(|file| file.name.to_string()).collect();
        let source = Inventory::empty(Guid::new("1a2b3c4d-u")).with_entities(entities);
        let plan = Plan {
            entities: planned,
            ..Plan::default()
        };
        let uploads = Uploads::of(&plan, &source, limits);
        assert_eq!(uploads.files, names.len());
        let mut shared: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (node, name) in (0..).zip(names) {
            if let Some(together) = uploads.together(node) {
                shared.entry(together.upload).or_default().push(name);
            }
        }
        (shared.into_values().collect(), uploads.requests)
    }

    const FEW: UploadLimits = UploadLimits {
        files: 3,
        bytes: 100,
    };

    #[test]
    fn files_of_one_folder_and_gallery_share_uploads_up_to_their_limits() {
        let rows = [
            ("a/1", json!({})),
            ("a/2", json!({})),
            ("a/3", json!({})),
            ("a/4", json!({})),
            ("b/5", json!({ "mediaGroupingID": 7 })),
            ("b/6", json!({ "mediaGroupingID": 8 })),
            ("b/7", json!({ "mediaGroupingID": 7, "size": 60 })),
            ("b/8", json!({ "mediaGroupingID": 7, "size": 50 })),
            ("c/9", json!({ "size": 101 })),
            ("root", json!({ "mediaGroupingID": -1 })),
            ("trunk", json!({})),
        ];
        let files = (1..).zip(rows);
        let files = files.map(|(id, (path, more))| (asset(id, path, &more), planned()));
        let (shared, requests) = uploads(files.collect(), FEW);
        let expected: [&[&str]; 3] = [&["root", "trunk"], &["a/1", "a/2", "a/3"], &["b/5", "b/7"]];
        assert_eq!(shared, expected);
        assert_eq!(requests, 3 + 4, "a/4, b/6, b/8 and c/9 leave alone");
    }

    #[test]
    fn what_cannot_share_an_upload_leaves_alone() {
        let odd = |change: fn(&mut Planned)| {
            let mut odd = planned();
            change(&mut odd);
            odd
        };
        let files = vec![
            (asset(1, "a/one", &json!({})), planned()),
            (asset(2, "a/two", &json!({ "focalX": 0.5 })), planned()),
            (asset(3, "a/three", &json!({ "focalY": "0.5" })), planned()),
            (asset(4, "a/four", &json!({ "size": 0 })), planned()),
            (
                asset(5, "a/five", &json!({})),
                odd(|planned| {
                    planned.action = Action::Update {
                        target: TargetId::new(5),
                    }
                }),
            ),
            (
                asset(7, "a/seven", &json!({})),
                odd(|planned| planned.class = WorkClass::Sequential),
            ),
            (
                asset(8, "a/eight", &json!({})),
                odd(|planned| planned.temporary = Some("aside".into())),
            ),
            (asset(9, "a/nine", &json!({})), planned()),
        ];
        let count = files.len();
        let (shared, requests) = uploads(files, UploadLimits::default());
        assert_eq!(shared, [["a/one", "a/nine"]]);
        assert_eq!(requests, count - 1);
    }

    #[test]
    fn what_most_work_waits_for_leaves_first() {
        let heavy = Planned {
            remaining_ms: 9,
            ..planned()
        };
        let files = vec![
            (asset(1, "a/1", &json!({})), planned()),
            (asset(2, "a/2", &json!({})), planned()),
            (asset(3, "a/3", &json!({})), heavy),
        ];
        let two = UploadLimits { files: 2, ..FEW };
        assert_eq!(uploads(files, two).0, [["a/1", "a/3"]]);
    }
}
