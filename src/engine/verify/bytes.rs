//! Compares the bytes of assets.
//!
//! The host of a file may state its digest (`Content-MD5`). Once that was right for some downloaded files, the others are
//! compared by the stated digest, without a download. A difference is reported only for bytes that were read.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::task::JoinSet;
use url::Url;

use super::difference::{Difference, DifferenceKind, Scope};
use crate::domain::{ContentHash, Id, Kind};
use crate::engine::context::{Ends, RunContext};
use crate::engine::files::{Fetched, fetched};
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
        if !self.digests.are_right(self.url) {
            return None;
        }
        let ask = || self.instance.digest(self.url);
        let said = self
            .sender
            .send_as(Class::Download, Effect::Read, ask)
            .await;
        if said.is_err() {
            self.digests.doubt(self.url);
        }
        said.ok().flatten()
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

/// What is known of the digests that hosts give for files.
///
/// A host is trusted once some files that were downloaded whole had the digests that it gave, and none had another one.
#[derive(Debug, Default)]
struct Digests(DashMap<String, Agreement>);

/// How often a host gave the digest of a file.
#[derive(Clone, Copy, Debug, Default)]
struct Agreement {
    right: u32,
    is_doubtful: bool,
}

/// Downloads that prove the digests of a host.
const PROOFS: u32 = 3;

impl Digests {
    fn host(url: &str) -> String {
        let url = Url::parse(url).ok();
        let host = url.as_ref().and_then(|url| url.host_str());
        host.unwrap_or_default().to_owned()
    }

    fn are_right(&self, url: &str) -> bool {
        let known = self.0.get(&Self::host(url));
        known.is_some_and(|known| known.right >= PROOFS && !known.is_doubtful)
    }

    /// Takes a file that was downloaded whole.
    fn note(&self, url: &str, fetched: &Fetched) {
        match fetched.said {
            Some(said) if said == fetched.bytes.digest => {
                self.0.entry(Self::host(url)).or_default().right += 1;
            }
            Some(_) => self.doubt(url),
            None => {}
        }
    }

    /// Trusts a host no longer.
    fn doubt(&self, url: &str) {
        self.0.entry(Self::host(url)).or_default().is_doubtful = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Fingerprint;

    const URL: &str = "https://files.example/a.png";

    fn file(md5: u8, said: Option<u8>) -> Fetched {
        let digest = |md5| FileDigest {
            bytes: 3,
            md5: [md5; 16],
        };
        Fetched {
            bytes: Fingerprint {
                hash: ContentHash::of_bytes(b"abc"),
                digest: digest(md5),
            },
            said: said.map(digest),
        }
    }

    #[test]
    fn a_host_is_believed_after_some_right_digests_and_never_after_a_wrong_one() {
        let digests = Digests::default();
        for _ in 0..PROOFS {
            assert!(!digests.are_right(URL));
            digests.note(URL, &file(1, None));
            digests.note(URL, &file(1, Some(1)));
        }
        assert!(digests.are_right("https://files.example/b.png"));
        assert!(!digests.are_right("https://other.example/a.png"));
        digests.note(URL, &file(1, Some(2)));
        digests.note(URL, &file(1, Some(1)));
        assert!(!digests.are_right(URL));
    }
}
