//! Bytes on their way into their place.

use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::folder::{failed, stage};
use super::place::Place;
use crate::domain::ContentHash;
use crate::store::{Store, StoreError};

/// Bytes that are to be kept. Dropped before [`Keeping::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Keeping {
    store: Store,
    path: TempPath,
    file: File,
    hasher: blake3::Hasher,
    length: u64,
}

impl Store {
    /// Begins to keep bytes; `None` for a state in memory.
    ///
    /// # Errors
    /// [`StoreError::Create`] when the temporary file cannot be made.
    pub async fn keep_bytes(&self) -> Result<Option<Keeping>, StoreError> {
        let (file, path) = match self.new_bytes() {
            // Where it becomes one of the files.
            Some(Place::Folder(folder)) => folder.stage().await?,
            Some(Place::Table | Place::Bucket(_)) => stage(&std::env::temp_dir())?,
            None => return Ok(None),
        };
        Ok(Some(Keeping {
            store: self.clone(),
            path,
            file,
            hasher: blake3::Hasher::new(),
            length: 0,
        }))
    }
}

impl Keeping {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::Create`] when they cannot be written.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| failed(&self.path, error))
    }

    /// Makes the bytes durable under their hash, and returns it with their number.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be; then there is no part of them at their place.
    pub async fn finish(mut self) -> Result<(ContentHash, u64), StoreError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| failed(&self.path, error))?;
        let hash = ContentHash::finish(&self.hasher);
        if let Some(place) = self.store.new_bytes() {
            let staged = (&mut self.file, self.path);
            place.put(&self.store, hash, staged).await?;
        }
        Ok((hash, self.length))
    }
}
