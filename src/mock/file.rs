//! The file form of the mock's state: what `--state` loads, what the admin path dumps, what fixtures
//! and the generator are written in.
//!
//! Rows are wire JSON, kept as maps, because the mock must be able to hold members that were not foreseen. URLs of the
//! mock's own asset host are written with [`BASE_PLACEHOLDER`], so a file does not depend on the port that a server happens
//! to get.
//!
//! Models, containers, templates, galleries and assets that say `isDeleted` are left out when a file is
//! loaded, as the real server leaves them out of its lists. Built-in models and containers need not be
//! written down: every instance has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Stands in files for the base URL of the server that loads them, such as `http://127.0.0.1:8400`.
pub const BASE_PLACEHOLDER: &str = "http://mock.invalid";

/// The version of [`StateFile`] that this program writes. A higher one is refused.
pub const SCHEMA: u32 = 1;

/// One row in wire shape.
pub type Row = Map<String, Value>;

/// Every instance that a server plays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFile {
    /// The version of this format.
    pub schema: u32,
    /// The instances, in the order in which they are listed to a user.
    pub instances: Vec<InstanceFile>,
}

/// One instance. Lists that are left out are empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceFile {
    /// The GUID that addresses it, such as `1a2b3c4d-u`.
    pub guid: String,
    /// Its display name; the GUID when empty.
    #[serde(default)]
    pub name: String,
    /// Locale codes, the first being the default one.
    pub locales: Vec<String>,
    /// Locale codes that are switched off; what they hold is kept, and neither read nor written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disabled_locales: Vec<String>,
    /// Digital channels; one called `Website` with id 1 when left out.
    #[serde(default)]
    pub channels: Vec<ChannelFile>,
    /// The name of its asset container, a path segment of asset URLs:
    /// `{base}/origin/{name}/{originKey}` and `{base}/cdn/{name}/{originKey}`. The GUID when empty.
    #[serde(default)]
    pub asset_container: String,
    /// `originUrl` and `edgeUrl` of its asset container, where they are not those of the server: a copy of a
    /// real instance keeps the real addresses, so that its content reads the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_urls: Option<ContainerUrls>,
    /// What it does beyond the rules.
    #[serde(default, skip_serializing_if = "Habits::is_none")]
    pub habits: Habits,
    /// The lowest id that this instance hands out next, for every kind; higher ids in use are skipped.
    #[serde(default)]
    pub first_id: Option<i64>,
    /// `Model` rows with their complete field lists.
    #[serde(default)]
    pub models: Vec<Row>,
    /// `Container` rows.
    #[serde(default)]
    pub containers: Vec<Row>,
    /// `PageModel` rows with their zones.
    #[serde(default)]
    pub templates: Vec<Row>,
    /// `AssetMediaGrouping` rows.
    #[serde(default)]
    pub galleries: Vec<Row>,
    /// `Media` rows, each with an additional `content` of the bytes: `{"text": …}`, `{"base64": …}` or
    /// `{"filler": length}` (bytes derived from the origin key). URLs, `size` and
    /// `contentType` are computed when left out; `focalX` and `focalY` become download headers.
    #[serde(default)]
    pub assets: Vec<Row>,
    /// `ContentItem` rows in the encodings that the Fetch API reads them in, each with an additional
    /// `locale`. `state` defaults to 2; a row in state 2 is also its published snapshot.
    #[serde(default)]
    pub content: Vec<Row>,
    /// `PageItem` rows, each with an additional `locale`; `parentPageID` and the order in this list
    /// make the tree.
    #[serde(default)]
    pub pages: Vec<Row>,
    /// `UrlRedirection` rows in the shape of the Management API.
    #[serde(default)]
    pub redirections: Vec<Row>,
    /// `Webhook` rows; they fire nothing. A row without `rowKey` gets one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Row>,
}

/// What an instance does beyond the rules; the default does nothing. Kinds go by their names, such as `container`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Habits {
    /// By kind, the members that a save is given where it leaves them out. They may be nested; in a list they are
    /// given to each of its rows.
    pub fill_in: BTreeMap<String, Row>,
    /// By kind, the members that a save loses, as paths whose parts are parted by `.`.
    pub drop: BTreeMap<String, Vec<String>>,
    /// Whether a file that is replaced keeps its `dateModified`.
    pub keeps_dates: bool,
    /// What a save of a webhook does to its signing secret.
    pub secret_on_save: SecretOnSave,
    /// Whether signing secrets are masked, as for a token without full control.
    pub masks_secrets: bool,
}

/// What a save of a webhook does to its signing secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretOnSave {
    /// It stays, as the vendor describes it.
    #[default]
    Keeps,
    /// Each save of a signed webhook makes a new one.
    Mints,
    /// It is lost.
    Drops,
}

impl Habits {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Where the assets of an instance are said to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerUrls {
    /// `originUrl`, without a slash at the end.
    pub origin: String,
    /// `edgeUrl`, without a slash at the end.
    pub edge: String,
}

/// A digital channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelFile {
    /// `digitalChannelID`.
    pub id: i64,
    /// Display name; the Fetch API addresses it in lower case.
    pub name: String,
}
