//! The assets of one side by their URLs.
//!
//! An asset has two addresses, on the origin and on the edge, and content holds either. URLs are compared
//! without scheme and query and percent-decoded, because editors and importers spell them in every way.

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::HashMap;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::{AssetContainer, AssetUrls, Id, Inventory, Kind};

/// Which of an asset's two addresses a URL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The content delivery network.
    Edge,
    /// The storage behind it.
    Origin,
}

impl Side {
    /// That address of an asset.
    pub(crate) fn of(self, urls: &AssetUrls) -> &str {
        match self {
            Self::Edge => &urls.edge,
            Self::Origin => &urls.origin,
        }
    }

    /// That prefix of a container's assets.
    pub(crate) fn prefix(self, container: &AssetContainer) -> &str {
        match self {
            Self::Edge => &container.edge_url,
            Self::Origin => &container.origin_url,
        }
    }
}

/// An asset URL in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlAt {
    /// From the scheme to the end of the path; query and fragment are left outside.
    pub range: Range<usize>,
    /// The part of it after the prefix, slash included, spelled as in the text.
    pub path: Range<usize>,
    /// Which prefix it begins with.
    pub side: Side,
    /// The asset; `None` when the prefix is known and no asset has that path.
    pub asset: Option<i64>,
    /// How often it is percent-encoded, as a part of other URLs.
    pub percent: u8,
    /// Whether it begins with `//`.
    pub schemeless: bool,
}

/// What an URL of a known asset or container begins with.
#[derive(Clone, Debug)]
pub(super) struct Prefix {
    /// Host and path without a slash at the end.
    pub(super) text: Box<str>,
    pub(super) side: Side,
    /// Into [`AssetIndex::paths`].
    pub(super) group: usize,
    /// Whether everything below it belongs to the instance; otherwise only known assets do.
    pub(super) is_container: bool,
}

/// The assets of one side by their URLs.
#[derive(Clone, Debug, Default)]
pub struct AssetIndex {
    /// Longest first, edge before origin.
    pub(super) prefixes: Vec<Prefix>,
    /// Per container: decoded path below the prefix, without a slash in front.
    paths: Vec<HashMap<Box<str>, i64>>,
}

/// The part of a `Media` that states where it is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Addresses<'a> {
    #[serde(rename = "originUrl")]
    origin: Option<Cow<'a, str>>,
    #[serde(rename = "edgeUrl")]
    edge: Option<Cow<'a, str>>,
    #[serde(rename = "containerOriginUrl")]
    container_origin: Option<Cow<'a, str>>,
    #[serde(rename = "containerEdgeUrl")]
    container_edge: Option<Cow<'a, str>>,
}

/// The addresses that a `Media` states; `None` without an origin URL. The edge URL falls back to it.
pub fn asset_urls(media: &Value) -> Option<AssetUrls> {
    let text = |name| {
        media
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let origin = text("originUrl").or_else(|| text("edgeUrl"))?;
    Some(AssetUrls {
        origin: origin.into(),
        edge: text("edgeUrl").unwrap_or(origin).into(),
    })
}

impl AssetIndex {
    /// Reads the assets of an instance and the prefixes of its containers.
    pub fn of<I: Id>(inventory: &Inventory<I>) -> Self {
        let mut index = Self::default();
        let default = &inventory.asset_container;
        index.container(&default.edge_url, &default.origin_url);
        for asset in inventory.of_kind(Kind::Asset) {
            if let Ok(urls) = serde_json::from_str::<Addresses<'_>>(&asset.body.text()) {
                index.asset(asset.key.id.raw(), &urls);
            }
        }
        index.prefixes.sort_by(|left, right| {
            right
                .text
                .len()
                .cmp(&left.text.len())
                .then(left.side.cmp(&right.side))
        });
        index
    }

    fn container(&mut self, edge: &str, origin: &str) -> Option<usize> {
        let known = [(origin, Side::Origin), (edge, Side::Edge)];
        let group = known
            .iter()
            .find_map(|(url, _)| self.group_of(url))
            .unwrap_or(self.paths.len());
        for (url, side) in known {
            self.prefix(url, side, group, true);
        }
        (group < self.paths.len()).then_some(group)
    }

    fn group_of(&self, url: &str) -> Option<usize> {
        let bare = without_scheme(url)?;
        self.prefixes
            .iter()
            .find(|prefix| prefix.text.eq_ignore_ascii_case(bare))
            .map(|prefix| prefix.group)
    }

    /// Where both addresses are one, it counts as the edge.
    fn prefix(&mut self, url: &str, side: Side, group: usize, is_container: bool) {
        let Some(bare) = without_scheme(url) else {
            return;
        };
        let known = self
            .prefixes
            .iter_mut()
            .find(|prefix| prefix.text.eq_ignore_ascii_case(bare));
        match known {
            Some(prefix) => prefix.side = prefix.side.min(side),
            None => self.prefixes.push(Prefix {
                text: bare.into(),
                side,
                group,
                is_container,
            }),
        }
        if group == self.paths.len() {
            self.paths.push(HashMap::new());
        }
    }

    fn asset(&mut self, id: i64, urls: &Addresses<'_>) {
        let edge = urls.container_edge.as_deref().unwrap_or_default();
        let origin = urls.container_origin.as_deref().unwrap_or_default();
        if !edge.is_empty() || !origin.is_empty() {
            self.container(edge, origin);
        }
        let addresses = [(&urls.edge, Side::Edge), (&urls.origin, Side::Origin)];
        for (url, side) in addresses {
            if let Some(url) = url.as_deref() {
                self.address(id, url, side);
            }
        }
    }

    /// Notes one address of an asset, and its folder as a prefix where no known one fits.
    fn address(&mut self, id: i64, url: &str, side: Side) {
        let Some(bare) = without_scheme(url) else {
            return;
        };
        let prefixes = self.prefixes.iter();
        let fits = prefixes.filter_map(|prefix| Some((prefix.group, below(bare, &prefix.text)?)));
        let (group, path) = fits.min_by_key(|(_, path)| path.len()).unwrap_or_else(|| {
            let folder = bare.rfind('/').unwrap_or(0);
            let group = self.paths.len();
            self.prefix(&format!("//{}", &bare[..folder]), side, group, false);
            (group, &bare[folder..])
        });
        if let Some(paths) = self.paths.get_mut(group) {
            paths.insert(decoded(path.trim_start_matches('/')).into(), id);
        }
    }

    /// The asset at a path below a prefix, in any spelling.
    pub(super) fn at_path(&self, group: usize, path: &str) -> Option<i64> {
        let paths = self.paths.get(group)?;
        let path = path.trim_start_matches('/');
        paths.get(&*decoded(path)).copied()
    }
}

/// Host and path of an absolute URL, without slashes at the end.
fn without_scheme(url: &str) -> Option<&str> {
    let bare = url.split_once("//")?.1.trim_end_matches('/');
    (!bare.is_empty()).then_some(bare)
}

/// What follows a prefix that ends at a slash.
fn below<'u>(bare: &'u str, prefix: &str) -> Option<&'u str> {
    let head = bare.get(..prefix.len())?;
    let rest = &bare[prefix.len()..];
    (head.eq_ignore_ascii_case(prefix) && rest.starts_with('/')).then_some(rest)
}

/// Percent-decoded, when that gives text.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    percent_decode_str(text)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(text))
}
