//! Compares the bytes of assets.
//!
//! The host of a file may state its digest (`Content-MD5`). Once that was right for some downloaded files, the others are
//! compared by the stated digest, without a download. A difference is reported only for bytes that were read.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::difference::{Difference, DifferenceKind, Scope};
use crate::domain::{ContentHash, Id, Kind};
use crate::engine::context::{Ends, RunContext};
use crate::engine::digests::{Digests, PROOFS, digest};
use crate::engine::files::fetched;
use crate::engine::pace::Class;
use crate::engine::retry::Sender;
use crate::event::Event;
use crate::instance::{Effect, FileDigest, RequestError, Source};
use crate::plan::Node;

/// Compares the bytes of assets: after a run those that it sent, on request all.
pub(super) async fn compare_bytes<E: Ends>(
    context: Arc<RunContext<E>>,
    nodes: Vec<Node>,
    scope: Scope,
) -> Vec<Difference> {
    if !context.options.verify_bytes {
        return Vec::new();
    }
    let mut open: Vec<Node> = nodes
        .into_iter()
        .filter(|node| {
            let key = &context.view.entity(*node).key;
            key.kind == Kind::Asset
                && (scope == Scope::Everything || context.live.sent_bytes.contains_key(&key.id))
                && context.view.ids.resolve(key).is_some()
        })
        .collect();
    let digests = Arc::new(Digests::default());
    let (mut by_digest, mut downloaded) = (0, 0);
    let mut running = JoinSet::new();
    let mut differences = Vec::new();
    loop {
        // The first ones show whether the others have to be downloaded.
        let at_once = match downloaded {
            0..PROOFS => PROOFS as usize,
            _ => context.options.downloads_in_flight(),
        };
        while running.len() < at_once
            && let Some(node) = open.pop()
        {
            let (context, digests) = (Arc::clone(&context), Arc::clone(&digests));
            running.spawn(async move { (node, compared(&context, &digests, node).await) });
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        let (node, compared) =
            joined.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
        by_digest += u32::from(compared.by_digest);
        downloaded += u32::from(!compared.by_digest);
        let entity = context.view.entity(node);
        differences.extend(compared.detail.map(|detail| Difference {
            key: entity.key.clone(),
            name: entity.name.to_string(),
            difference: DifferenceKind::DifferentBytes,
            detail,
            left_alone: context.view.leaves(node, DifferenceKind::DifferentBytes),
        }));
    }
    if by_digest + downloaded > 0 {
        let compared = Event::FilesCompared {
            by_digest,
            downloaded,
        };
        context.sink.emit(compared).await;
    }
    differences.sort_by(|left, right| left.key.cmp(&right.key));
    differences
}

/// What came of the comparison of a file.
struct Compared {
    /// What differs.
    detail: Option<String>,
    /// Whether the digest of the host was enough.
    by_digest: bool,
}

async fn compared<E: Ends>(context: &RunContext<E>, digests: &Digests, node: Node) -> Compared {
    let entity = context.view.entity(node);
    let urls = crate::plan::Counterparts::asset_urls(&context.view.ids, entity.key.id.raw());
    let Some(urls) = urls else {
        return Compared {
            detail: None,
            by_digest: false,
        };
    };
    let sent = context
        .live
        .sent_bytes
        .get(&entity.key.id)
        .map(|sent| *sent);
    let body = entity.body.parse();
    let source = End {
        instance: &context.instances.source,
        sender: context.instances.to_source(),
        url: body["originUrl"].as_str().unwrap_or_default(),
        digests,
    };
    let target = End {
        instance: &context.instances.target,
        sender: context.instances.to_target(),
        url: &urls.origin,
        digests,
    };
    let expected = match sent {
        Some(sent) => Some(sent.digest),
        None => source.digest().await,
    };
    if expected.is_some() && expected == target.digest().await {
        return Compared {
            detail: None,
            by_digest: true,
        };
    }
    let expected = match sent {
        Some(sent) => Ok(sent.hash),
        None => source.hash().await,
    };
    Compared {
        detail: difference(expected, target.hash().await),
        by_digest: false,
    }
}

fn difference(
    expected: Result<ContentHash, RequestError>,
    found: Result<ContentHash, RequestError>,
) -> Option<String> {
    match (expected, found) {
        (Ok(expected), Ok(found)) if expected == found => None,
        (Ok(_), Ok(_)) => Some("the bytes on the target are not those of the source".to_owned()),
        (Err(error), _) => Some(format!("the source's bytes could not be read: {error}")),
        (_, Err(error)) => Some(format!("the target's bytes could not be read: {error}")),
    }
}

/// A file at one of the two instances.
struct End<'a, I> {
    instance: &'a I,
    sender: Sender<'a>,
    url: &'a str,
    digests: &'a Digests,
}

impl<I: Source> End<'_, I> {
    /// What its host states of it, where that has been proven to be right.
    async fn digest(&self) -> Option<FileDigest> {
        digest(self.digests, (self.instance, &self.sender), self.url).await
    }

    /// The hash of its bytes.
    async fn hash(&self) -> Result<ContentHash, RequestError> {
        let read = || fetched(self.instance, self.url);
        let fetched = self
            .sender
            .send_as(Class::Download, Effect::Read, read)
            .await?;
        self.digests.note(self.url, &fetched);
        Ok(fetched.bytes.hash)
    }
}
