//! Assets: rows by id, by origin key, with their bytes.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::blob::Blob;
use super::failure::Refusal;
use super::ids::IdKind;
use super::names::Names;
use super::received::Received;
use super::rules::{AssetUrls, FileDigests};
use super::text::{is_since, now};
use super::{Window, World, gone, row};
use crate::mock::file::Row;

/// What a URL path must escape, the slash excepted.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'^')
    .add(b'|')
    .add(b'\\');

#[derive(Clone, Debug)]
pub(super) struct Asset {
    pub(super) row: Row,
    /// `None` for a folder.
    pub(super) blob: Option<Blob>,
}

/// The assets of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    rows: BTreeMap<i64, Asset>,
    keys: HashMap<String, i64>,
    names: Names,
}

/// A file that is uploaded.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Received,
}

/// Where uploaded files go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destination {
    /// Without leading and trailing slash; empty for the root.
    pub(crate) folder: String,
    pub(crate) gallery: Option<i64>,
    pub(crate) focal: Option<(String, String)>,
}

/// A file as it is served.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) key: String,
    pub(crate) blob: Blob,
    pub(crate) content_type: String,
    pub(crate) focal: Option<(String, String)>,
    /// What is said of the bytes.
    pub(crate) md5: Option<[u8; 16]>,
}

impl Assets {
    pub(super) fn new(names: Names) -> Self {
        Self {
            rows: BTreeMap::new(),
            keys: HashMap::new(),
            names,
        }
    }

    /// What stands at an origin key.
    pub(super) fn at(&self, key: &str) -> Option<i64> {
        self.keys.get(&self.names.path(key)).copied()
    }

    pub(crate) fn contains(&self, id: i64) -> bool {
        self.rows.contains_key(&id)
    }

    pub(super) fn put(&mut self, id: i64, row: Row, blob: Option<Blob>) {
        let key = row::text(&row, "originKey").unwrap_or_default();
        self.keys.insert(self.names.path(key), id);
        self.rows.insert(id, Asset { row, blob });
    }

    pub(super) fn remove(&mut self, id: i64) -> Option<Asset> {
        let old = self.rows.remove(&id)?;
        let key = row::text(&old.row, "originKey").unwrap_or_default();
        self.keys.remove(&self.names.path(key));
        Some(old)
    }

    /// The ids of a folder's row, if it has one, and of everything below it.
    pub(super) fn in_folder(&self, folder: &str) -> Vec<i64> {
        let folder = self.names.path(folder);
        let is_folder = |id: &i64| self.rows.get(id).is_some_and(|asset| asset.blob.is_none());
        let is_in = |key: &str, id: &i64| match key.strip_prefix(&folder) {
            Some("") => is_folder(id),
            Some(below) => below.starts_with('/'),
            None => false,
        };
        let keys = self.keys.iter().filter(|(key, id)| is_in(key, id));
        let mut ids: Vec<i64> = keys.map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn of_gallery(&self, gallery: i64) -> impl Iterator<Item = &Row> {
        self.rows
            .values()
            .map(|asset| &asset.row)
            .filter(move |row| row::id(row, "mediaGroupingID") == Some(gallery))
    }

    pub(super) fn leave_gallery(&mut self, gallery: i64) {
        for asset in self.rows.values_mut() {
            if row::id(&asset.row, "mediaGroupingID") == Some(gallery) {
                row::set(&mut asset.row, "mediaGroupingID", -1);
                row::set(&mut asset.row, "mediaGroupingName", Value::Null);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Row, Option<&Blob>)> {
        self.rows
            .values()
            .map(|asset| (&asset.row, asset.blob.as_ref()))
    }
}

/// The MIME type that follows from a file name.
fn guess(name: &str) -> &'static str {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_lowercase());
    match extension.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        Some("webp") => "image/webp",
        Some("avif") => "image/avif",
        Some("pdf") => "application/pdf",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("txt") => "text/plain",
        Some("html") => "text/html",
        Some("json") => "application/json",
        Some("mp4") => "video/mp4",
        Some(_) | None => "application/octet-stream",
    }
}

fn is_image(name: &str) -> bool {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_lowercase());
    extension.is_some_and(|known| {
        ["jpg", "jpeg", "gif", "png", "bmp", "svg", "avif", "webp"].contains(&known.as_str())
    })
}

impl World {
    pub(crate) fn asset_container_name(&self) -> &str {
        &self.asset_container
    }

    fn container_url(&self, side: &str) -> String {
        match (&self.container_urls, side) {
            (Some(urls), "origin") => urls.origin.clone(),
            (Some(urls), _) => urls.edge.clone(),
            (None, _) => match self.rules.asset_urls {
                AssetUrls::Split => format!("{}/{side}/{}", self.base, self.asset_container),
                AssetUrls::Plain => format!("{}/{}", self.base, self.asset_container),
            },
        }
    }

    /// The `AssetContainer` row.
    pub(crate) fn asset_container_row(&self) -> Value {
        json!({
            "containerID": self.asset_container_id, "isDefault": true, "isAzureStorage": true, "containerName": self.asset_container,
            "originUrl": self.container_url("origin"), "edgeUrl": self.container_url("cdn"), "cdnType": null, "cdnMetaData": null
        })
    }

    /// Gives a media row the members that the server computes. URLs that are there stay.
    pub(super) fn complete_asset(&self, row: &mut Row, size: u64) {
        let key = row::text(row, "originKey").unwrap_or_default().to_owned();
        let folder = row::flag(row, "isFolder");
        let name = key.rsplit('/').next().unwrap_or_default().to_owned();
        let path = utf8_percent_encode(&key, ESCAPED).to_string();
        row::fill(row, "fileName", name.as_str());
        row::set(row, "containerID", self.asset_container_id);
        row::fill(row, "containerOriginUrl", self.container_url("origin"));
        row::fill(row, "containerEdgeUrl", self.container_url("cdn"));
        // Nothing is at the address of a folder.
        for (name, side) in [("originUrl", "origin"), ("edgeUrl", "cdn")] {
            let url = || format!("{}/{path}", self.container_url(side)).into();
            row::fill(row, name, if folder { Value::Null } else { url() });
        }
        row::set(row, "size", size);
        row::fill(
            row,
            "contentType",
            if folder {
                Value::Null
            } else {
                guess(&name).into()
            },
        );
        for flag in ["isFolder", "hasChildren"] {
            row::fill(row, flag, false);
        }
        row::set(row, "isDeleted", false);
        row::fill(row, "mediaGroupingID", -1);
        row::fill(row, "mediaGroupingSortOrder", 0);
        row::fill(row, "dateModified", now());
        row::fill(row, "modifiedBy", 12);
        row::fill(row, "modifiedByName", "Mock User");
        row::set(row, "isImage", !folder && is_image(&name));
        row::set(row, "isSvg", name.to_lowercase().ends_with(".svg"));
        let gallery = row::id(row, "mediaGroupingID").and_then(|id| self.galleries.get(id));
        if let Some(gallery) = gallery {
            row::set(row, "mediaGroupingName", gallery.get("name").cloned());
        }
    }

    /// A page of the assets by id, folders among them, with the number of all that fit.
    pub(crate) fn asset_page(&self, window: Window, since: Option<Timestamp>) -> Value {
        let rows = self.assets.rows.values().map(|asset| &asset.row);
        let rows: Vec<&Row> = rows
            .filter(|row| is_since(row, "dateModified", since))
            .collect();
        let page: Vec<&&Row> = rows.iter().skip(window.skip).take(window.take).collect();
        json!({ "assetMedias": page, "totalCount": rows.len() })
    }

    pub(crate) fn asset(&self, id: i64) -> Option<&Row> {
        self.assets.rows.get(&id).map(|asset| &asset.row)
    }

    /// By origin or edge URL, whatever its escapes and query.
    pub(crate) fn asset_by_url(&self, url: &str) -> Option<&Row> {
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let key = ["origin", "cdn"]
            .iter()
            .find_map(|side| url.strip_prefix(&format!("{}/", self.container_url(side))))?;
        let key = percent_decode_str(key).decode_utf8().ok()?;
        self.assets.at(key.as_ref()).and_then(|id| self.asset(id))
    }

    /// The bytes under an origin key.
    pub(crate) fn download(&self, key: &str) -> Option<Download> {
        let asset = self.assets.rows.get(&self.assets.at(key)?)?;
        let focal = |name: &str| {
            row::get(&asset.row, name).map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
        };
        let blob = asset.blob.clone()?;
        let md5 = match self.rules.digests {
            FileDigests::Right => blob.md5(key),
            FileDigests::None => None,
            FileDigests::Wrong => Some([0; 16]),
        };
        Some(Download {
            key: key.to_owned(),
            blob,
            md5,
            content_type: row::text(&asset.row, "contentType")
                .unwrap_or("application/octet-stream")
                .to_owned(),
            focal: focal("focalX").zip(focal("focalY")),
        })
    }

    /// Stores files. One at a key that is in use replaces it, and keeps its id unless the rules say otherwise.
    ///
    /// # Errors
    /// 400 for an unknown gallery.
    pub(crate) fn upload(
        &mut self,
        destination: &Destination,
        files: Vec<Upload>,
    ) -> Result<Value, Refusal> {
        let unknown = destination
            .gallery
            .filter(|id| self.rules.refuses.galleries && !self.galleries.contains(*id));
        if let Some(unknown) = unknown {
            return Err(Refusal::new(
                400,
                format!("Media grouping {unknown} does not exist."),
            ));
        }
        if self.rules.folder_rows {
            self.create_folders(&destination.folder);
        }
        Ok(files
            .into_iter()
            .map(|file| Value::Object(self.store(destination, file)))
            .collect())
    }

    fn store(&mut self, destination: &Destination, file: Upload) -> Row {
        let folder = &destination.folder;
        let key = if folder.is_empty() {
            file.name.clone()
        } else {
            format!("{folder}/{}", file.name)
        };
        // What is there keeps its path, as in a file system that does not distinguish the two.
        let there = self.assets.at(&key).and_then(|id| self.asset(id));
        let there =
            there.and_then(|row| Some((row::id(row, "mediaID")?, row::text(row, "originKey")?)));
        let there = there.map(|(id, key)| (id, key.to_owned()));
        let (id, key) = match there {
            Some((old, key)) if self.rules.new_media_ids => {
                self.assets.remove(old);
                (self.next_id(IdKind::Asset), key)
            }
            Some(kept) => kept,
            None => (self.next_id(IdKind::Asset), key),
        };
        let mut row = row::row(json!({
            "mediaID": id, "fileName": key.rsplit('/').next(), "originKey": key, "contentType": file.content_type,
            "mediaGroupingID": destination.gallery.unwrap_or(-1)
        }));
        if let Some((x, y)) = &destination.focal {
            row::set(&mut row, "focalX", x.as_str());
            row::set(&mut row, "focalY", y.as_str());
        }
        let date = self
            .asset(id)
            .and_then(|old| old.get("dateModified").cloned());
        row::set(
            &mut row,
            "dateModified",
            date.filter(|_| self.habits.keeps_dates),
        );
        self.receive("asset", &mut row);
        self.complete_asset(&mut row, file.bytes.len());
        self.assets
            .put(id, row.clone(), Some(Blob::of(&key, file.bytes)));
        row
    }

    /// Removes a file or folder row.
    ///
    /// # Errors
    /// 404 for an unknown id.
    pub(crate) fn delete_asset(&mut self, id: i64) -> Result<String, Refusal> {
        self.assets.remove(id).ok_or_else(|| gone("Asset", id))?;
        Ok(format!("Asset {id} was deleted."))
    }
}
