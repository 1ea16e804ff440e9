//! What hosts state of their files, and whether it can be believed.
//!
//! An entity tag says nothing of the bytes, and is not looked at. `Content-MD5` is kept with a file by its store, which need
//! not have computed it: so a host is believed only after what it stated was right for files that were read.

use dashmap::DashMap;
use url::Url;

use super::files::Fetched;
use super::pace::Class;
use super::retry::Sender;
use crate::instance::{Cause, Effect, FileDigest, Source};

/// What is known of the digests that hosts give for files.
///
/// A host is trusted once some files that were downloaded whole had the digests that it gave, and none had another one.
#[derive(Debug, Default)]
pub(super) struct Digests(DashMap<String, Agreement>);

/// How often a host gave the digest of a file.
#[derive(Clone, Copy, Debug, Default)]
struct Agreement {
    right: u32,
    is_doubtful: bool,
}

/// Downloads that prove the digests of a host.
pub(super) const PROOFS: u32 = 3;

impl Digests {
    /// How many more files have to be downloaded before the host of `url` is trusted; `None` where it never will be.
    pub(super) fn missing(&self, url: &str) -> Option<u32> {
        let known = self.0.get(&Self::host(url)).map(|known| *known);
        let known = known.unwrap_or_default();
        (!known.is_doubtful).then(|| PROOFS.saturating_sub(known.right))
    }

    fn host(url: &str) -> String {
        let url = Url::parse(url).ok();
        let host = url.as_ref().and_then(|url| url.host_str());
        host.unwrap_or_default().to_owned()
    }

    pub(super) fn are_right(&self, url: &str) -> bool {
        self.missing(url) == Some(0)
    }

    /// Takes a file that was downloaded whole.
    pub(super) fn note(&self, url: &str, fetched: &Fetched) {
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

/// What the host of `url` states of its bytes, asked with HEAD; `None` where that is nothing, or cannot be believed. A host that
/// refuses to answer is not asked again.
pub(super) async fn digest<I: Source>(
    digests: &Digests,
    (instance, sender): (&I, &Sender<'_>),
    url: &str,
) -> Option<FileDigest> {
    if !digests.are_right(url) {
        return None;
    }
    let ask = || instance.digest(url);
    match sender.send_as(Class::Download, Effect::Read, ask).await {
        Ok(stated) => stated,
        // That says something of this file only.
        Err(error) if matches!(error.cause, Cause::NotFound) => None,
        Err(_) => {
            digests.doubt(url);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ContentHash;
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
