//! Hashes the bytes of assets that a plan cannot judge by their lists.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};

use super::files::{Fetched, fetched};
use super::pace::Class;
use super::pull::Reader;
use crate::domain::{ContentHash, EntityKey, Inventory, Kind, SourceId, TargetId};
use crate::instance::{Effect, RequestError, Source, Target};
use crate::plan::{AssetLook, ByteQuestion, Files, KnownBytes};
use crate::store::Mapping;

/// What the bytes of assets show.
#[derive(Debug, Default)]
pub(super) struct AssetBytes {
    /// The assets that have the same bytes on both sides, with their hash.
    pub(super) equal: HashMap<SourceId, ContentHash>,
    /// The assets whose bytes on the target are not those of the last agreement any more.
    pub(super) replaced: HashSet<SourceId>,
    /// What was read.
    pub(super) looked: HashMap<SourceId, Looked>,
}

/// What was read of an asset.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    /// On the source.
    pub(super) here: Option<Fetched>,
    /// On the target.
    pub(super) there: Option<Fetched>,
}

/// What the bytes of one asset show.
enum Found {
    Equal(ContentHash),
    Replaced,
    Nothing,
}

/// What is known of the bytes of assets without reading more: what was read, and what the state has of those that are `shown`, if
/// the date of the file is the same as then.
pub(super) fn known(
    looked: &HashMap<SourceId, Looked>,
    mappings: &[Mapping],
    target: &Inventory<TargetId>,
    shown: impl Fn(&EntityKey) -> bool,
) -> Files {
    let mut files = Files::new();
    let is_shown = |row: &&Mapping| row.key.kind == Kind::Asset && shown(&row.key);
    for row in mappings.iter().filter(is_shown) {
        let is_unmoved = || {
            let there = target.get(&row.key.with_id(row.target))?.body.parse();
            let before = row.bytes_date.as_deref();
            Some(before.is_none() || before == there["dateModified"].as_str())
        };
        if row.bytes_hash.is_some() && is_unmoved() == Some(true) {
            files.entry(row.key.id).or_default().was.blake3 = row.bytes_hash;
        }
    }
    for (asset, looked) in looked {
        let known = files.entry(*asset).or_default();
        if let Some(there) = looked.there {
            known.was = of_read(&there);
        }
        if let Some(here) = looked.here {
            known.becomes = of_read(&here);
        }
    }
    files
}

/// The hashes of a file that was read.
pub(super) fn of_read(read: &Fetched) -> KnownBytes {
    KnownBytes {
        md5: Some(read.bytes.digest.md5),
        blake3: Some(read.bytes.hash),
        unknown: None,
    }
}

/// Looks at what has to be looked at, as many at a time.
pub(super) async fn look<S: Source, T: Target>(
    (source, target): (&Reader<S>, &Reader<T>),
    looks: Vec<AssetLook>,
    at_once: usize,
) -> AssetBytes {
    let found: Vec<(SourceId, Found, Looked)> = stream::iter(looks)
        .map(|look| async move {
            let here = read(source, &look.source_url);
            let there = read(target, &look.target_url);
            let (found, looked) = answer(look.question, here, there).await;
            (look.source, found, looked)
        })
        .buffer_unordered(at_once)
        .collect()
        .await;
    let mut bytes = AssetBytes::default();
    for (asset, found, looked) in found {
        bytes.looked.insert(asset, looked);
        match found {
            Found::Equal(hash) => drop(bytes.equal.insert(asset, hash)),
            Found::Replaced => drop(bytes.replaced.insert(asset)),
            Found::Nothing => {}
        }
    }
    bytes
}

/// Bytes that cannot be read count as different where a counterpart is looked for, and as unchanged where one is known:
/// what cannot be read cannot be lost.
async fn answer(
    question: ByteQuestion,
    here: impl Future<Output = Result<Fetched, RequestError>>,
    there: impl Future<Output = Result<Fetched, RequestError>>,
) -> (Found, Looked) {
    let hash = |read: Option<Fetched>| read.map(|read| read.bytes.hash);
    let mut looked = Looked::default();
    let found = match question {
        ByteQuestion::Same { is_news } => {
            let (here, there) = tokio::join!(here, there);
            (looked.here, looked.there) = (here.ok(), there.ok());
            match (hash(looked.here), hash(looked.there)) {
                (Some(here), Some(there)) if here == there => Found::Equal(here),
                (Some(_), Some(_)) if is_news => Found::Replaced,
                (_, _) => Found::Nothing,
            }
        }
        ByteQuestion::Still(before) => {
            looked.there = there.await.ok();
            match hash(looked.there) {
                Some(there) if there == before => Found::Nothing,
                Some(there) => {
                    looked.here = here.await.ok();
                    if hash(looked.here) == Some(there) {
                        Found::Equal(there)
                    } else {
                        Found::Replaced
                    }
                }
                None => Found::Nothing,
            }
        }
    };
    (found, looked)
}

/// The hash of the bytes at `url`, at the pace of the instance, and asked for again where that may help.
///
/// # Errors
/// [`RequestError`] when they cannot be read to their end.
pub(super) async fn hash<I: Source>(
    reader: &Reader<I>,
    url: &str,
) -> Result<ContentHash, RequestError> {
    read(reader, url).await.map(|read| read.bytes.hash)
}

/// Reads the bytes at `url`, at the pace of the instance, and again where that may help.
///
/// # Errors
/// [`RequestError`] when they cannot be read to their end.
async fn read<I: Source>(reader: &Reader<I>, url: &str) -> Result<Fetched, RequestError> {
    let read = || fetched(&reader.instance, url);
    let sender = reader.sender();
    sender.send_as(Class::Download, Effect::Read, read).await
}
