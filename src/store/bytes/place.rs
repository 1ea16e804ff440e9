//! The places at which bytes are kept, and what a state does with them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::bucket::Bucket;
use super::folder::Folder;
use super::location::BlobsUrl;
use super::{Keeping, table};
use crate::domain::ContentHash;
use crate::store::{Store, StoreError};

/// How many bytes are read at once.
const READ: usize = 1 << 20;

/// A place at which bytes are kept.
#[derive(Debug)]
pub(super) enum Place {
    /// Files of a directory.
    Folder(Folder),
    /// Rows of the state itself, which is on a server.
    Table,
    /// Objects of a bucket.
    Bucket(Bucket),
}

impl Place {
    /// The place that a URL names.
    pub(super) fn of(url: &BlobsUrl) -> Self {
        match url {
            BlobsUrl::Folder(path) => Self::Folder(Folder(path.clone())),
            BlobsUrl::Bucket(bucket) => Self::Bucket(Bucket::new(bucket.clone())),
        }
    }

    /// The one beside a state, which is in `file` or on a server; `None` in memory.
    fn beside(file: Option<&Path>, is_on_server: bool) -> Option<Self> {
        match file {
            Some(file) => Some(Self::Folder(Folder::beside(file))),
            None => is_on_server.then_some(Self::Table),
        }
    }

    /// Keeps what is in `staged` under its hash, whole or not at all.
    pub(super) async fn put(
        &self,
        store: &Store,
        hash: ContentHash,
        staged: (&mut File, tempfile::TempPath),
    ) -> Result<(), StoreError> {
        let (file, path) = staged;
        match self {
            Self::Folder(folder) => folder.put(hash, file, path).await,
            Self::Table => table::put(store, hash, file).await,
            Self::Bucket(bucket) => bucket.put(hash, file).await,
        }
    }

    async fn get(&self, store: &Store, hash: ContentHash) -> Result<Option<File>, StoreError> {
        match self {
            Self::Folder(folder) => folder.get(hash).await,
            Self::Table => table::get(store, hash).await,
            Self::Bucket(bucket) => bucket.get(hash).await,
        }
    }

    async fn hashes(&self, store: &Store) -> Result<Vec<ContentHash>, StoreError> {
        match self {
            Self::Folder(folder) => folder.hashes(),
            Self::Table => table::hashes(store).await,
            Self::Bucket(bucket) => bucket.hashes().await,
        }
    }

    /// Writes a few bytes and reads them back. A table is as good as the state that it is in.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Folder(folder) => folder.check().await,
            Self::Table => Ok(()),
            Self::Bucket(bucket) => bucket.check().await,
        }
    }

    fn name(&self, store: &Store) -> String {
        match self {
            Self::Folder(folder) => folder.0.display().to_string(),
            Self::Table => store.place().to_string(),
            Self::Bucket(bucket) => bucket.to_string(),
        }
    }
}

/// The places of a state.
#[derive(Debug)]
pub(in crate::store) struct Places {
    /// The one beside the state; `None` in memory.
    own: Option<Place>,
    chosen: OnceLock<Place>,
}

impl Places {
    /// That of a state which is in `file` or on a server; none in memory.
    pub(in crate::store) fn beside(file: Option<&Path>, is_on_server: bool) -> Self {
        Self {
            own: Place::beside(file, is_on_server),
            chosen: OnceLock::new(),
        }
    }

    /// The place that was chosen. What nothing outlives is not kept elsewhere either.
    fn chosen(&self) -> Option<&Place> {
        self.chosen.get().filter(|_| self.own.is_some())
    }

    /// The chosen place first, then the one beside the state.
    fn all(&self) -> impl Iterator<Item = &Place> {
        self.chosen().into_iter().chain(&self.own)
    }
}

impl Store {
    /// Keeps bytes of assets at `url` from now on, and reads them there first. The first call counts.
    #[must_use]
    pub fn with_blobs(self, url: Option<&BlobsUrl>) -> Self {
        if let Some(url) = url {
            self.places().chosen.get_or_init(|| Place::of(url));
        }
        self
    }

    /// Where new bytes go; `None` for a state in memory.
    pub(super) fn new_bytes(&self) -> Option<&Place> {
        self.places().all().next()
    }

    /// Where they are kept, for messages; `None` for a state in memory.
    pub fn blobs(&self) -> Option<String> {
        self.new_bytes().map(|place| place.name(self))
    }

    /// Writes a few bytes to the place that was chosen for those of assets, and reads them back. The one beside the state is as good
    /// as the state.
    ///
    /// # Errors
    /// [`StoreError::Bytes`] and [`StoreError::Create`].
    pub async fn check_blobs(&self) -> Result<(), StoreError> {
        match self.places().chosen() {
            Some(place) => place.check().await,
            None => Ok(()),
        }
    }

    /// Opens bytes that were kept, after comparing them with their hash; `None` when there are none of it.
    ///
    /// # Errors
    /// [`StoreError::BytesDamaged`] when they are others, and when a place cannot be read.
    pub async fn kept_bytes(&self, hash: ContentHash) -> Result<Option<File>, StoreError> {
        for place in self.places().all() {
            let Some(file) = place.get(self, hash).await? else {
                continue;
            };
            let name = place.name(self);
            let (file, found) = hashed(file).await.map_err(|error| unread(&name, &error))?;
            if found == hash {
                return Ok(Some(file));
            }
            return Err(StoreError::BytesDamaged { place: name, hash });
        }
        Ok(None)
    }

    /// The hashes of all bytes that are kept.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be listed.
    pub(in crate::store) async fn kept_hashes(&self) -> Result<Vec<ContentHash>, StoreError> {
        let mut all = BTreeSet::new();
        for place in self.places().all() {
            all.extend(place.hashes(self).await?);
        }
        Ok(all.into_iter().collect())
    }

    /// Copies the bytes that another state is to have into its place, and gives how many contents that are. Where both keep theirs
    /// at the same chosen place, those are there already.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read or kept.
    pub(in crate::store) async fn copy_bytes(&self, into: &Self) -> Result<u64, StoreError> {
        let (mine, theirs) = (self.blobs(), into.blobs());
        let is_both = mine == theirs && self.places().chosen().is_some();
        let is_there = |place: &Place| is_both && Some(place.name(self)) == mine;
        let mut hashes = BTreeSet::new();
        for place in self.places().all().filter(|place| !is_there(place)) {
            hashes.extend(place.hashes(self).await?);
        }
        let mut copied = 0;
        for hash in hashes {
            let (Some(file), Some(keeping)) =
                (self.kept_bytes(hash).await?, into.keep_bytes().await?)
            else {
                continue;
            };
            fill(keeping, file, mine.as_deref().unwrap_or_default()).await?;
            copied += 1;
        }
        Ok(copied)
    }
}

/// Hands on all of a file.
async fn fill(mut keeping: Keeping, mut file: File, from: &str) -> Result<(), StoreError> {
    let mut part = vec![0; READ];
    loop {
        let length = file.read(&mut part).await;
        let length = length.map_err(|error| unread(from, &error))?;
        if length == 0 {
            break;
        }
        keeping.write(&part[..length]).await?;
    }
    keeping.finish().await?;
    Ok(())
}

/// The hash of a file, which is at its beginning again afterwards.
async fn hashed(mut file: File) -> io::Result<(File, ContentHash)> {
    let mut hasher = blake3::Hasher::new();
    let mut part = vec![0; READ];
    loop {
        let length = file.read(&mut part).await?;
        if length == 0 {
            break;
        }
        hasher.update(&part[..length]);
    }
    file.rewind().await?;
    Ok((file, ContentHash::finish(&hasher)))
}

fn unread(place: &str, error: &io::Error) -> StoreError {
    StoreError::Bytes {
        place: place.to_owned(),
        trouble: super::Trouble::Unreachable,
        why: error.to_string(),
    }
}
