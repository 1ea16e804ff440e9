//! Hashes the bytes of assets that a plan cannot judge by their lists.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};

use super::files::bytes_hash;
use super::pace::Class;
use super::pull::Reader;
use crate::domain::{ContentHash, SourceId};
use crate::instance::{Effect, RequestError, Source, Target};
use crate::plan::{AssetLook, ByteQuestion};

/// What the bytes of assets show.
#[derive(Debug, Default)]
pub(super) struct AssetBytes {
    /// The assets that have the same bytes on both sides, with their hash.
    pub(super) equal: HashMap<SourceId, ContentHash>,
    /// The assets whose bytes on the target are not those of the last agreement any more.
    pub(super) replaced: HashSet<SourceId>,
}

/// What the bytes of one asset show.
enum Found {
    Equal(ContentHash),
    Replaced,
    Nothing,
}

/// Looks at what has to be looked at, as many at a time.
pub(super) async fn look<S: Source, T: Target>(
    (source, target): (&Reader<S>, &Reader<T>),
    looks: Vec<AssetLook>,
    at_once: usize,
) -> AssetBytes {
    let found: Vec<(SourceId, Found)> = stream::iter(looks)
        .map(|look| async move {
            let here = hash(source, &look.source_url);
            let there = hash(target, &look.target_url);
            (look.source, answer(look.question, here, there).await)
        })
        .buffer_unordered(at_once)
        .collect()
        .await;
    let mut bytes = AssetBytes::default();
    for (asset, found) in found {
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
    here: impl Future<Output = Result<ContentHash, RequestError>>,
    there: impl Future<Output = Result<ContentHash, RequestError>>,
) -> Found {
    match question {
        ByteQuestion::Same { is_news } => match tokio::join!(here, there) {
            (Ok(here), Ok(there)) if here == there => Found::Equal(here),
            (Ok(_), Ok(_)) if is_news => Found::Replaced,
            (_, _) => Found::Nothing,
        },
        ByteQuestion::Still(before) => match there.await {
            Ok(there) if there == before => Found::Nothing,
            Ok(there) if here.await.ok() == Some(there) => Found::Equal(there),
            Ok(_) => Found::Replaced,
            Err(_) => Found::Nothing,
        },
    }
}

/// The hash of the bytes at `url`, at the pace of the instance, and asked for again where that may help.
///
/// # Errors
/// [`RequestError`] when they cannot be read to their end.
pub(super) async fn hash<I: Source>(
    reader: &Reader<I>,
    url: &str,
) -> Result<ContentHash, RequestError> {
    let read = || bytes_hash(&reader.instance, url);
    let sender = reader.sender();
    sender.send_as(Class::Download, Effect::Read, read).await
}
