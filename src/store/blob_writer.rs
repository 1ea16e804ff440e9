//! Bytes that are kept beside the state: what assets held before a run replaced them.
//!
//! One file per content, named by its hash, in a directory beside the database: the same bytes are kept once. A
//! file appears whole or not at all, and is the user's alone (file 0600, directory 0700). The store keeps none in memory,
//! so a state in memory has no place for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::location::beside;
use super::{Store, StoreError};
use crate::domain::ContentHash;

/// Bytes on their way into a file. Dropped before [`Keeping::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Keeping {
    directory: PathBuf,
    path: TempPath,
    file: File,
    hasher: blake3::Hasher,
    length: u64,
}

impl Store {
    /// Begins to keep bytes; `None` for a state in memory.
    ///
    /// # Errors
    /// [`StoreError::Create`] when the file cannot be made.
    pub async fn keep_bytes(&self) -> Result<Option<Keeping>, StoreError> {
        let Some(directory) = self.file().map(directory_beside) else {
            return Ok(None);
        };
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        let made = builder.create(&directory).await;
        made.map_err(|error| failed(&directory, error))?;
        let file = tempfile::NamedTempFile::new_in(&directory);
        let (file, path) = file
            .map_err(|error| failed(&directory, error))?
            .into_parts();
        Ok(Some(Keeping {
            directory,
            path,
            file: File::from_std(file),
            hasher: blake3::Hasher::new(),
            length: 0,
        }))
    }

    /// Opens bytes that were kept; `None` when there are none of this hash.
    ///
    /// # Errors
    /// [`StoreError::Create`] when there is a file that cannot be opened.
    pub async fn kept_bytes(&self, hash: ContentHash) -> Result<Option<File>, StoreError> {
        let Some(directory) = self.file().map(directory_beside) else {
            return Ok(None);
        };
        let path = directory.join(hash.to_string());
        match File::open(&path).await {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, error)),
        }
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

    /// Makes the bytes durable under their hash, and tells it with their number.
    ///
    /// # Errors
    /// [`StoreError::Create`] when they cannot be.
    pub async fn finish(mut self) -> Result<(ContentHash, u64), StoreError> {
        let synced = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        let synced = synced.await;
        synced.map_err(|error| failed(&self.directory, error))?;
        let hash = ContentHash::finish(&self.hasher);
        let path = self.directory.join(hash.to_string());
        self.path
            .persist(&path)
            .map_err(|error| failed(&path, error.error))?;
        Ok((hash, self.length))
    }
}

/// `state.db.bytes` beside `state.db`.
pub(super) fn directory_beside(state: &Path) -> PathBuf {
    beside(state, ".bytes")
}

fn failed(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::Create {
        path: path.to_owned(),
        source: Arc::new(error),
    }
}
