//! Finds out the hashes of the files that a plan shows.
//!
//! What the host of a file states (`Content-MD5`) costs one HEAD, and is believed once it was right for some files that were
//! read; see [`super::digests`]. A file whose host states nothing is read, and not kept, as far as the limits go: a plan is
//! to cost little. Nothing that goes wrong here is an error: the plan says why it has no hash.
//!
//! A file that is on both sides has a hash of the same kind on both, for which the target may be asked as well.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::asset_bytes::of_read;
use super::digests::{Digests, digest};
use super::files::fetched_within;
use super::pace::Class;
use super::pull::Reader;
use super::retry::Sender;
use super::review::Decided;
use super::session::Session;
use crate::domain::{Entity, Id, Kind, SourceId};
use crate::instance::{Effect, Source, Target};
use crate::plan::{BothBytes, Files, HashUnknown, KnownBytes, ShownFile, shown_files};

/// Attempts at one request: nothing depends on its answer.
const ATTEMPTS: u32 = 2;

/// The largest file that is read for no other reason than to find out whether its host can be believed, in bytes.
const PROOF_BYTES: u64 = 1 << 20;

/// What may be done to show hashes.
#[derive(Clone, Copy, Debug)]
pub struct HashLimits {
    /// Bytes of a file that is read, at most.
    pub file_bytes: u64,
    /// Files that are read, at most.
    pub files: u32,
    /// Bytes of all files that are read, at most.
    pub bytes: u64,
    /// How long all of it may take.
    pub time: Duration,
}

impl Default for HashLimits {
    fn default() -> Self {
        Self {
            file_bytes: 8 << 20,
            files: 200,
            bytes: 64 << 20,
            time: Duration::from_secs(30),
        }
    }
}

impl<S: Source, T: Target> Session<S, T> {
    /// Finds out the hashes of the files that the plan shows. `progress` is called with how many are done, and how many there are.
    pub async fn hash_files(
        &self,
        decided: &mut Decided,
        limits: HashLimits,
        progress: &mut (dyn FnMut(usize, usize) + Send),
    ) {
        let mut files = decided.files();
        let search = Search {
            source: &self.source,
            target: &self.target,
            digests: Digests::default(),
            left: Mutex::new((limits.files, limits.bytes)),
            limits,
        };
        let wanted = search.wanted(decided, &files);
        let at_once = self.options.downloads_in_flight().max(1);
        let searching = async {
            search.prove(&wanted, decided, &mut files).await;
            let known = |wanted: &Wanted| files.get(&wanted.asset).cloned().unwrap_or_default();
            let open: Vec<_> = wanted.iter().map(|one| (one.clone(), known(one))).collect();
            let each = stream::iter(open).map(|(wanted, known)| search.find(wanted, known));
            let mut found = each.buffer_unordered(at_once);
            let mut done = 0;
            while let Some((asset, known)) = found.next().await {
                done += 1;
                files.insert(asset, known);
                progress(done, wanted.len());
            }
        };
        // What is not found by then is said to be unknown.
        drop(tokio::time::timeout(limits.time, searching).await);
        for wanted in &wanted {
            let becomes = &mut files.entry(wanted.asset).or_default().becomes;
            if !becomes.is_known() && becomes.unknown.is_none() {
                becomes.unknown = Some(HashUnknown::Late);
            }
        }
        decided.hashed = Some(files);
    }
}

/// A file as a side lists it.
#[derive(Clone, Debug)]
struct Listed {
    url: String,
    bytes: Option<u64>,
}

impl Listed {
    fn of<I: Id>(entity: &Entity<I>) -> Self {
        let body = entity.body.parse();
        let url = ["originUrl", "edgeUrl"].iter().find_map(|name| {
            let url = body[*name].as_str();
            url.filter(|url| !url.is_empty())
        });
        Self {
            url: url.unwrap_or_default().to_owned(),
            bytes: size(&body),
        }
    }
}

/// Its length, where it is listed; 0 stands for one that is not.
fn size(body: &Value) -> Option<u64> {
    body["size"].as_u64().filter(|size| *size > 0)
}

/// A file of which a hash is to be shown.
#[derive(Clone, Debug)]
struct Wanted {
    asset: SourceId,
    here: Listed,
    /// Absent of a new file.
    there: Option<Listed>,
}

impl Wanted {
    fn of(shown: ShownFile<'_>) -> Self {
        Self {
            asset: shown.here.key.id,
            here: Listed::of(shown.here),
            there: shown.there.map(Listed::of),
        }
    }
}

/// Which kind of hash is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// The one that hosts state.
    Md5,
    /// The one that takes all bytes.
    Blake3,
}

struct Search<'a, S, T> {
    source: &'a Reader<S>,
    target: &'a Reader<T>,
    digests: Digests,
    /// Files and bytes that may still be read.
    left: Mutex<(u32, u64)>,
    limits: HashLimits,
}

impl<S: Source, T: Target> Search<'_, S, T> {
    /// The files of which a hash is to be shown: those that are on both sides first, and of these small ones before large
    /// ones. What was read to decide about them shows already what their hosts are worth.
    fn wanted(&self, decided: &Decided, files: &Files) -> Vec<Wanted> {
        let all = shown_files(&decided.plan, &decided.source, &decided.target).map(Wanted::of);
        let mut wanted: Vec<Wanted> = all.collect();
        for one in &wanted {
            let looked = decided.looked.get(&one.asset);
            let (here, there) = (
                looked.and_then(|looked| looked.here),
                looked.and_then(|looked| looked.there),
            );
            if let Some(here) = here {
                self.digests.note(&one.here.url, &here);
            }
            if let (Some(there), Some(listed)) = (there, &one.there) {
                self.digests.note(&listed.url, &there);
            }
        }
        let is_open = |one: &Wanted| {
            let known = files.get(&one.asset);
            let is_both = known.is_some_and(|known| known.comparable().is_some());
            !is_both
        };
        wanted.retain(is_open);
        wanted.sort_by_key(|one| (one.there.is_none(), one.here.bytes));
        wanted
    }

    /// Reads files of the source until its host is known to be right or not: of those that are wanted the smallest, and
    /// where these are too few and a larger one is wanted, others of the instance.
    async fn prove(&self, wanted: &[Wanted], decided: &Decided, files: &mut Files) {
        let Some(any) = wanted.first() else {
            return;
        };
        if self.source.instance.checked_hash(&any.here.url).is_some() {
            return;
        }
        let missing = self.digests.missing(&any.here.url).unwrap_or_default() as usize;
        let is_readable = |listed: &Listed| {
            let is_small = |bytes| bytes <= self.limits.file_bytes;
            listed.bytes.is_some_and(is_small)
        };
        let mut small: Vec<&Wanted> = wanted.iter().collect();
        small.retain(|one| is_readable(&one.here));
        let all_are_small = small.len() == wanted.len();
        small.sort_by_key(|one| one.here.bytes);
        small.truncate(missing);
        let read = small.iter().map(|one| self.read(self.source, &one.here));
        for (one, known) in small.iter().zip(join_all(read).await) {
            files.entry(one.asset).or_default().becomes = known;
        }
        if all_are_small {
            return;
        }
        let missing = self.digests.missing(&any.here.url).unwrap_or_default() as usize;
        let others = others(wanted, decided, missing);
        join_all(others.iter().map(|other| self.read(self.source, other))).await;
    }

    /// Finds out what is missing of a file.
    async fn find(&self, wanted: Wanted, mut known: BothBytes) -> (SourceId, BothBytes) {
        let is_tried = known.becomes.is_known() || known.becomes.unknown.is_some();
        if !is_tried {
            known.becomes = self.hashes(self.source, &wanted.here, Needs::Md5).await;
        }
        let needs = match known.becomes {
            KnownBytes { md5: Some(_), .. } => Some(Needs::Md5),
            KnownBytes {
                blake3: Some(_), ..
            } => Some(Needs::Blake3),
            KnownBytes { .. } if known.was.is_known() => None,
            KnownBytes { .. } => Some(Needs::Md5),
        };
        if let (Some(there), Some(needs), None) = (&wanted.there, needs, known.comparable()) {
            known
                .was
                .learn(self.hashes(self.target, there, needs).await);
        }
        (wanted.asset, known)
    }

    async fn hashes<I: Source>(
        &self,
        reader: &Reader<I>,
        listed: &Listed,
        needs: Needs,
    ) -> KnownBytes {
        if let Some(hash) = reader.instance.checked_hash(&listed.url) {
            return KnownBytes {
                blake3: Some(hash),
                ..KnownBytes::default()
            };
        }
        if needs == Needs::Md5 {
            let ends = (&reader.instance, &sender(reader));
            let stated = digest(&self.digests, ends, &listed.url).await;
            // Another length is that of another file, such as the one that was there before.
            let is_it = |bytes| listed.bytes.is_none_or(|listed| listed == bytes);
            if let Some(stated) = stated.filter(|stated| is_it(stated.bytes)) {
                return KnownBytes {
                    md5: Some(stated.md5),
                    ..KnownBytes::default()
                };
            }
        }
        self.read(reader, listed).await
    }

    /// Reads a file, as far as the limits allow it.
    async fn read<I: Source>(&self, reader: &Reader<I>, listed: &Listed) -> KnownBytes {
        let most = self.limits.file_bytes;
        let too_large = || unknown(HashUnknown::TooLarge(most));
        if listed.bytes.is_some_and(|bytes| bytes > most) {
            return too_large();
        }
        if !self.may_read(listed.bytes.unwrap_or(most)) {
            return unknown(HashUnknown::TooMany);
        }
        let read = || fetched_within(&reader.instance, &listed.url, most);
        let sender = sender(reader);
        match sender.send_as(Class::Download, Effect::Read, read).await {
            Ok(Some(read)) => {
                self.digests.note(&listed.url, &read);
                of_read(&read)
            }
            Ok(None) => too_large(),
            Err(error) => unknown(HashUnknown::Failed(error.cause.to_string())),
        }
    }

    /// Takes a file from what may still be read.
    fn may_read(&self, bytes: u64) -> bool {
        let mut left = self.left.lock().expect("no holder panics");
        let less = (left.0.checked_sub(1), left.1.checked_sub(bytes));
        let (Some(files), Some(bytes)) = less else {
            return false;
        };
        *left = (files, bytes);
        true
    }
}

fn unknown(why: HashUnknown) -> KnownBytes {
    KnownBytes {
        unknown: Some(why),
        ..KnownBytes::default()
    }
}

/// The sender of an instance, with less patience.
fn sender<I>(reader: &Reader<I>) -> Sender<'_> {
    let sender = reader.sender();
    Sender {
        retries: sender.retries.at_most(ATTEMPTS),
        ..sender
    }
}

/// The smallest files of the source that no hash is wanted of, at most `count`.
fn others(wanted: &[Wanted], decided: &Decided, count: usize) -> Vec<Listed> {
    if count == 0 {
        return Vec::new();
    }
    let wanted: HashSet<&str> = wanted.iter().map(|one| &*one.here.url).collect();
    let assets = decided.source.of_kind(Kind::Asset).iter().map(Listed::of);
    let is_small = |other: &Listed| other.bytes.is_some_and(|bytes| bytes <= PROOF_BYTES);
    let is_other = |other: &Listed| !other.url.is_empty() && !wanted.contains(&*other.url);
    let mut small: Vec<Listed> = assets
        .filter(|other| is_small(other) && is_other(other))
        .collect();
    small.sort_by_key(|other| other.bytes);
    small.truncate(count);
    small
}
