//! Galleries, assets and their URLs, URL redirections.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rand::RngExt;
use serde_json::{Value, json};

use super::instance::{Dice, Ids, row};
use super::text::{Moment, slug, words};
use crate::mock::file::{BASE_PLACEHOLDER, Row};

/// What a path of a URL must not hold as it is (RFC 3986, section 3.3).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

const FOLDERS: [&str; 6] = ["img", "img/team", "img/news", "docs", "docs/plans", "media"];

/// A gallery.
pub(super) struct Gallery {
    pub(super) id: i64,
    name: String,
}

/// An asset.
pub(super) struct Asset {
    pub(super) id: i64,
    /// Its path within the asset container.
    key: String,
    /// The same as a path of a URL.
    path: String,
    gallery: Option<usize>,
    bytes: usize,
}

/// Every asset, and the name of the asset container that their URLs begin with.
pub(super) struct Library {
    pub(super) container: String,
    pub(super) assets: Vec<Asset>,
}

impl Library {
    /// Any asset and its URL; `None` when there are no assets.
    pub(super) fn url(&self, dice: &mut Dice) -> Option<(&Asset, String)> {
        if self.assets.is_empty() {
            return None;
        }
        let asset = &self.assets[dice.random_range(0..self.assets.len())];
        Some((asset, self.address(asset, dice)))
    }

    /// The URL of an asset: on the delivery host, or on the origin for one in five.
    pub(super) fn address(&self, asset: &Asset, dice: &mut Dice) -> String {
        let host = if dice.random_ratio(1, 5) {
            "origin"
        } else {
            "cdn"
        };
        [
            BASE_PLACEHOLDER,
            "/",
            host,
            "/",
            &self.container,
            "/",
            &asset.path,
        ]
        .concat()
    }

    /// An image value (read encoding R9), also an element of an attachment list.
    pub(super) fn image(&self, dice: &mut Dice) -> Option<Value> {
        let (asset, url) = self.url(dice)?;
        let label = slug(&asset.key);
        Some(
            json!({ "url": url, "label": label, "target": null, "filesize": asset.bytes,
            "height": 600, "width": 900 }),
        )
    }
}

/// Makes `count` galleries with different names.
pub(super) fn galleries(count: usize, dice: &mut Dice) -> Vec<Gallery> {
    let mut ids = Ids::from(3);
    (0..count)
        .map(|n| Gallery {
            id: ids.next(dice),
            name: format!("{} photos", words("en-us").title(n)),
        })
        .collect()
}

/// Makes `count` assets, about a third of them in galleries. Every seventeenth has a name that a URL must encode.
pub(super) fn assets(count: usize, galleries: usize, dice: &mut Dice) -> Vec<Asset> {
    let mut ids = Ids::from(300);
    (0..count)
        .map(|n| {
            let folder = FOLDERS[n % FOLDERS.len()];
            let title = words("en-us").title(n);
            let ending = if folder.starts_with("docs") {
                "pdf"
            } else {
                ["jpg", "png", "svg", "webp"][n % 4]
            };
            let key = match n % 17 {
                5 => format!("{folder}/{title} (final).{ending}"),
                11 => format!("{folder}/Été {title}.{ending}"),
                16 => format!("{}.{ending}", slug(&title)),
                _ => format!("{folder}/{}.{ending}", slug(&title)),
            };
            let in_gallery = galleries > 0 && ending != "pdf" && dice.random_ratio(1, 2);
            Asset {
                id: ids.next(dice),
                path: utf8_percent_encode(&key, PATH).to_string(),
                key,
                gallery: in_gallery.then(|| dice.random_range(0..galleries)),
                bytes: length(dice),
            }
        })
        .collect()
}

/// Mostly 1 to 20 kB, one in a hundred ten times that.
fn length(dice: &mut Dice) -> usize {
    let bytes = dice.random_range(1_000..20_000);
    if dice.random_ratio(1, 100) {
        bytes * 10
    } else {
        bytes
    }
}

/// The `AssetMediaGrouping` rows.
pub(super) fn gallery_rows(galleries: &[Gallery], dice: &mut Dice) -> Vec<Row> {
    galleries
        .iter()
        .map(|gallery| {
            row(json!({
                "mediaGroupingID": gallery.id, "groupingTypeID": 1, "name": gallery.name, "description": null,
                "modifiedBy": 12, "modifiedByName": "Rosa Vega", "modifiedOn": Moment::draw(dice).iso(),
                "isDeleted": false, "isFolder": false, "metaData": {}
            }))
        })
        .collect()
}

/// The `Media` rows: the folders, then the assets with the length of their bytes.
pub(super) fn asset_rows(assets: &[Asset], galleries: &[Gallery], dice: &mut Dice) -> Vec<Row> {
    let mut rows = folder_rows(dice);
    rows.extend(assets.iter().enumerate().map(|(order, asset)| {
        let gallery = asset.gallery.map(|g| &galleries[g]);
        let file_name = asset.key.rsplit('/').next().unwrap_or_default();
        let mut row = row(json!({
            "mediaID": asset.id, "fileName": file_name, "originKey": asset.key,
            "isFolder": false, "isDeleted": false,
            "mediaGroupingID": gallery.map_or(-1, |g| g.id), "mediaGroupingName": gallery.map(|g| &g.name),
            "mediaGroupingSortOrder": order, "dateModified": Moment::draw(dice).iso(),
            "modifiedBy": 12, "modifiedByName": "Rosa Vega", "content": { "filler": asset.bytes }
        }));
        if order % 40 == 7 {
            row.insert("focalX".to_owned(), json!(0.25));
            row.insert("focalY".to_owned(), json!(0.75));
        }
        row
    }));
    rows
}

fn folder_rows(dice: &mut Dice) -> Vec<Row> {
    FOLDERS
        .iter()
        .zip(1..)
        .map(|(folder, id)| {
            let name = folder.rsplit('/').next().unwrap_or_default();
            row(json!({
                "mediaID": id, "fileName": name, "originKey": folder, "isFolder": true, "hasChildren": true,
                "isDeleted": false, "mediaGroupingID": 0, "mediaGroupingName": name, "size": 0,
                "dateModified": Moment::draw(dice).iso()
            }))
        })
        .collect()
}

/// The `UrlRedirection` rows.
pub(super) fn redirection_rows(count: usize, locales: &[String], dice: &mut Dice) -> Vec<Row> {
    let mut ids = Ids::from(7);
    (0..count)
        .map(|n| {
            let from = slug(&words("en-us").title(n));
            let to = slug(&words("en-us").title(n + 17));
            let only = (n % 6 == 4).then(|| locales[n % locales.len()].as_str());
            let origins: Vec<&str> = only.into_iter().collect();
            row(json!({
                "urlRedirectionID": ids.next(dice), "originUrl": format!("~/old/{from}"),
                "destinationUrl": format!("~/{to}"), "httpCode": if n % 5 == 3 { 302 } else { 301 },
                "destinationLocale": only, "originLocales": origins, "content": null
            }))
        })
        .collect()
}
