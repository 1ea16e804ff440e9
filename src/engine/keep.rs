//! Reads an instance into a folder: everything that a run reads of a source, and the bytes of its assets.
//!
//! An asset whose bytes cannot be had is named, and the others are kept: one lost file must not prevent a backup. An error
//! that shows that the instance is unreachable ends the pull, and the next pull resumes with what has arrived.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use super::pace::Class;
use super::pull::{PullError, Reader};
use crate::domain::{ContentHash, Inventory, Locale, SourceId};
use crate::instance::{Cause, Effect, RequestError, Source};
use crate::snapshot::{AssetBytes, Contents, FolderError, MissingAsset, PullOutcome, Staging};

/// Why an instance is not in a folder.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It could not be read.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// It could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// How a pull is carried out.
#[derive(Debug)]
pub struct KeepOptions {
    /// Whether the bytes of all assets are fetched again.
    pub anew: bool,
    /// Files that are fetched at one time.
    pub at_once: usize,
    /// The moment that the folder notes.
    pub pulled_at: String,
}

/// How far the files of assets have come.
#[derive(Debug, Default)]
pub struct FetchProgress {
    /// Files that have to be fetched.
    pub files: AtomicU64,
    /// Files that have been.
    pub done: AtomicU64,
    /// Bytes that have arrived.
    pub bytes: AtomicU64,
}

/// What a pull has done.
#[derive(Debug)]
pub struct Kept {
    /// What the instance holds.
    pub inventory: Arc<Inventory<SourceId>>,
    /// The outcome of the files.
    pub outcome: PullOutcome,
    /// Assets whose bytes were fetched.
    pub fetched: u64,
    /// Bytes of these.
    pub fetched_bytes: u64,
    /// Assets whose bytes the instance did not give.
    pub missing: Vec<MissingAsset>,
}

/// The bytes of one asset, all of which have arrived.
#[derive(Debug)]
struct Fetched {
    bytes: u64,
    hash: ContentHash,
    focal: (Option<String>, Option<String>),
}

impl<S: Source> Reader<S> {
    /// Reads everything in `locales` and makes it the folder that `staging` is about.
    ///
    /// # Errors
    /// [`KeepError`]; the folder is as it was then, and what has arrived serves the next pull.
    pub async fn keep(
        self: &Arc<Self>,
        locales: &[Locale],
        staging: Staging,
        options: KeepOptions,
        progress: &Arc<FetchProgress>,
    ) -> Result<Kept, KeepError> {
        let inventory = Arc::new(self.pull::<SourceId>(locales).await?);
        let (read, mut staging, anew) = (Arc::clone(&inventory), staging, options.anew);
        let (mut staging, open) = blocking(move || {
            let open = staging.write(&Contents::of(&read)?, anew)?;
            Ok((staging, open))
        })
        .await?;
        progress.files.store(open.len() as u64, Ordering::Relaxed);
        let missing = self
            .fetch(open, &mut staging, options.at_once, progress)
            .await?;
        let (read, lost) = (Arc::clone(&inventory), missing.clone());
        let outcome =
            blocking(move || staging.commit(&Contents::of(&read)?, lost, options.pulled_at))
                .await?;
        let fetched = progress.done.load(Ordering::Relaxed) - missing.len() as u64;
        Ok(Kept {
            inventory,
            outcome,
            fetched,
            fetched_bytes: progress.bytes.load(Ordering::Relaxed),
            missing,
        })
    }

    /// Fetches the bytes of assets. Returns those that the instance did not give.
    async fn fetch(
        self: &Arc<Self>,
        mut open: Vec<AssetBytes>,
        staging: &mut Staging,
        at_once: usize,
        progress: &Arc<FetchProgress>,
    ) -> Result<Vec<MissingAsset>, KeepError> {
        open.reverse();
        let mut missing = Vec::new();
        let mut running = JoinSet::new();
        loop {
            while running.len() < at_once.max(1)
                && let Some(asset) = open.pop()
            {
                let (reader, progress) = (Arc::clone(self), Arc::clone(progress));
                let place = staging.place_of(asset.id);
                running.spawn(async move {
                    let fetched = reader.fetch_one(&asset, &place, &progress).await;
                    (asset, place, fetched)
                });
            }
            let Some(joined) = running.join_next().await else {
                missing.sort_by_key(|asset: &MissingAsset| asset.id);
                return Ok(missing);
            };
            let (asset, place, fetched) =
                joined.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
            progress.done.fetch_add(1, Ordering::Relaxed);
            match fetched {
                Ok(Ok(Fetched { bytes, hash, focal })) => {
                    staging.arrived(&asset, (bytes, hash), focal)?;
                }
                Ok(Err(error)) => return Err(FolderError::io(&place, error).into()),
                Err(error) if is_of_file(&error.cause) => missing.push(MissingAsset {
                    id: asset.id,
                    url: asset.url,
                    why: error.to_string(),
                }),
                Err(error) => return Err(self.failed(error).into()),
            }
        }
    }

    /// Fetches one file, again if need be. The inner error is of this machine.
    async fn fetch_one(
        &self,
        asset: &AssetBytes,
        place: &Path,
        progress: &FetchProgress,
    ) -> Result<io::Result<Fetched>, RequestError> {
        let attempt = || download(&self.instance, asset, place, progress);
        let sender = self.sender();
        sender.send_as(Class::Download, Effect::Read, attempt).await
    }
}

/// Whether a failure concerns one file only. A server out of reach fails for all of them.
const fn is_of_file(cause: &Cause) -> bool {
    match cause {
        Cause::NotFound
        | Cause::Forbidden
        | Cause::Refused { .. }
        | Cause::Content(_)
        | Cause::Misplaced(_)
        | Cause::TooLarge(_) => true,
        Cause::Connect { .. }
        | Cause::TimedOut(_)
        | Cause::Broken(_)
        | Cause::Throttled { .. }
        | Cause::ServerFailed { .. }
        | Cause::Unauthorised
        | Cause::Renewed
        | Cause::NotRenewed(_)
        | Cause::Malformed(_)
        | Cause::Busy
        | Cause::Halted => false,
    }
}

/// One attempt to fetch a file to its end.
async fn download<S: Source>(
    instance: &S,
    asset: &AssetBytes,
    place: &Path,
    progress: &FetchProgress,
) -> Result<io::Result<Fetched>, RequestError> {
    let mut download = instance.download(&asset.url).await?;
    let mut file = match tokio::fs::File::create(place).await {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0_u64;
    while let Some(piece) = download.bytes.next().await {
        let piece = piece?;
        hasher.update(&piece);
        bytes += piece.len() as u64;
        progress
            .bytes
            .fetch_add(piece.len() as u64, Ordering::Relaxed);
        if let Err(error) = file.write_all(&piece).await {
            return Ok(Err(error));
        }
    }
    if let Err(error) = file.flush().await {
        return Ok(Err(error));
    }
    if let Some(size) = asset.size.filter(|size| *size != bytes) {
        let why = format!("the source lists {size} bytes and sends {bytes}");
        let operation = format!("downloading {}", asset.url);
        return Err(RequestError::new(operation, Cause::Content(why)));
    }
    let hash = ContentHash::finish(&hasher);
    let focal = download.focal;
    Ok(Ok(Fetched { bytes, hash, focal }))
}

/// Does what waits for the disk where it stops nothing else.
async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, FolderError> + Send + 'static,
) -> Result<R, FolderError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(broken) => std::panic::resume_unwind(broken.into_panic()),
    }
}
