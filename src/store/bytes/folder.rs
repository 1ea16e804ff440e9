//! Files of a directory, each named by its hash: a file appears whole or not at all, after its bytes are on the disk, and is the
//! user's alone (file 0600, directory 0700).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::domain::ContentHash;
use crate::store::StoreError;
use crate::store::location::beside;

/// The directory.
#[derive(Debug)]
pub(in crate::store) struct Folder(pub(super) PathBuf);

impl Folder {
    /// The one beside the file of a state.
    pub(super) fn beside(state: &Path) -> Self {
        Self(directory_beside(state))
    }

    /// A new file in it, which becomes one of its own or is removed.
    pub(super) async fn stage(&self) -> Result<(File, TempPath), StoreError> {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        let made = builder.create(&self.0).await;
        made.map_err(|error| failed(&self.0, error))?;
        stage(&self.0)
    }

    pub(super) async fn put(
        &self,
        hash: ContentHash,
        file: &mut File,
        path: TempPath,
    ) -> Result<(), StoreError> {
        let synced = async {
            file.flush().await?;
            file.sync_all().await
        };
        synced.await.map_err(|error| failed(&self.0, error))?;
        let kept = self.0.join(hash.to_string());
        path.persist(&kept)
            .map_err(|error| failed(&kept, error.error))
    }

    pub(super) async fn get(&self, hash: ContentHash) -> Result<Option<File>, StoreError> {
        let path = self.0.join(hash.to_string());
        match File::open(&path).await {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, error)),
        }
    }

    pub(super) fn hashes(&self) -> Result<Vec<ContentHash>, StoreError> {
        let names = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&self.0, error)),
        };
        let hashes = names.filter_map(|name| ContentHash::parse(name.to_str()?));
        Ok(hashes.collect())
    }

    /// Whether a file can be made in it.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        self.stage().await.map(drop)
    }
}

/// A new file that is removed unless it is made another one.
pub(super) fn stage(folder: &Path) -> Result<(File, TempPath), StoreError> {
    let file = tempfile::NamedTempFile::new_in(folder);
    let (file, path) = file.map_err(|error| failed(folder, error))?.into_parts();
    Ok((File::from_std(file), path))
}

/// A file that no other process can open and that ends with its handle.
pub(super) fn temporary() -> Result<File, StoreError> {
    let file = tempfile::tempfile().map_err(|error| failed(&std::env::temp_dir(), error))?;
    Ok(File::from_std(file))
}

/// `state.db.bytes` beside `state.db`.
pub(in crate::store) fn directory_beside(state: &Path) -> PathBuf {
    beside(state, ".bytes")
}

pub(super) fn failed(path: &Path, error: io::Error) -> StoreError {
    StoreError::Create {
        path: path.to_owned(),
        source: Arc::new(error),
    }
}
