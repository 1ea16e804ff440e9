//! Bytes that are kept beside the state: what assets held before a run replaced them.
//!
//! One file per content, named by its hash, in a directory beside the database: the same bytes are kept once. A
//! file appears whole or not at all, and is the user's alone (file 0600, directory 0700). The store keeps none in memory,
//! so a state in memory has no place for them.
//!
//! Where the state is on a server, so are they, in parts of a size that any server takes, because the runner that undoes a run may be
//! another machine. They pass through a temporary file in both directions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::beside::connected;
use super::connection::{Connection, Opener, query};
use super::location::beside;
use super::{Store, StoreError};
use crate::domain::ContentHash;

/// How many bytes are one row on a server.
const PART: usize = 1 << 20;

/// Bytes on their way into a file. Dropped before [`Keeping::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Keeping {
    directory: PathBuf,
    /// The state, if it is on a server.
    server: Option<Store>,
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
        let server = self.is_on_server().then(|| self.clone());
        let directory = match self.file() {
            Some(file) => directory_beside(file),
            None if server.is_some() => std::env::temp_dir(),
            None => return Ok(None),
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
            server,
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
        if self.is_on_server() {
            return self.bytes_on_server(hash).await;
        }
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

    /// The hashes of all bytes that are kept.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be listed.
    pub(super) async fn kept_hashes(&self) -> Result<Vec<ContentHash>, StoreError> {
        if self.is_on_server() {
            let asked = query("SELECT DISTINCT hash FROM blobs ORDER BY hash");
            let mut blobs = self.beside().blobs.lock().await;
            let connection = connected(&mut blobs, self).await?;
            let hashes = connection.column::<String>(&asked, "hash").await?;
            let hashes = hashes.iter().filter_map(|hash| ContentHash::parse(hash));
            return Ok(hashes.collect());
        }
        let Some(directory) = self.file().map(directory_beside) else {
            return Ok(Vec::new());
        };
        let names = match std::fs::read_dir(&directory) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&directory, error)),
        };
        let hashes = names.filter_map(|name| ContentHash::parse(name.to_str()?));
        Ok(hashes.collect())
    }

    /// Copies bytes into another state; none where there are none of this hash.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read or kept.
    pub(super) async fn copy_bytes(
        &self,
        into: &Self,
        hash: ContentHash,
    ) -> Result<(), StoreError> {
        let Some(mut file) = self.kept_bytes(hash).await? else {
            return Ok(());
        };
        let Some(mut keeping) = into.keep_bytes().await? else {
            return Ok(());
        };
        let mut part = vec![0; PART];
        loop {
            let length = file.read(&mut part).await;
            let length = length.map_err(|error| failed(&keeping.path, error))?;
            if length == 0 {
                break;
            }
            keeping.write(&part[..length]).await?;
        }
        let (found, _) = keeping.finish().await?;
        if found == hash {
            return Ok(());
        }
        Err(StoreError::Damaged {
            place: self.place().to_string(),
            detail: format!("the bytes of {hash} are not as they were kept"),
        })
    }

    /// Whether it is on a server, where runs of other machines may use it at the same time.
    pub fn is_on_server(&self) -> bool {
        matches!(self.opener(), Opener::Server(_))
    }

    async fn bytes_on_server(&self, hash: ContentHash) -> Result<Option<File>, StoreError> {
        let path = std::env::temp_dir();
        let file = tempfile::tempfile().map_err(|error| failed(&path, error))?;
        let mut file = File::from_std(file);
        let mut blobs = self.beside().blobs.lock().await;
        let connection = connected(&mut blobs, self).await?;
        for number in 0_i64.. {
            let asked = query("SELECT bytes FROM blobs WHERE hash = ? AND part = ?")
                .bind(hash.to_string())
                .bind(number);
            let rows = connection.column::<Vec<u8>>(&asked, "bytes").await?;
            match rows.into_iter().next() {
                Some(bytes) => file
                    .write_all(&bytes)
                    .await
                    .map_err(|error| failed(&path, error))?,
                None if number == 0 => return Ok(None),
                None => break,
            }
        }
        let rewound = async {
            file.flush().await?;
            file.rewind().await
        };
        rewound.await.map_err(|error| failed(&path, error))?;
        Ok(Some(file))
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
    /// [`StoreError::Create`] when they cannot be.
    pub async fn finish(mut self) -> Result<(ContentHash, u64), StoreError> {
        let synced = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        let synced = synced.await;
        synced.map_err(|error| failed(&self.directory, error))?;
        let hash = ContentHash::finish(&self.hasher);
        if let Some(store) = self.server.take() {
            self.send(&store, hash).await?;
            return Ok((hash, self.length));
        }
        let path = self.directory.join(hash.to_string());
        self.path
            .persist(&path)
            .map_err(|error| failed(&path, error.error))?;
        Ok((hash, self.length))
    }
}

impl Keeping {
    /// Makes the bytes durable on the server, all parts or none.
    async fn send(&mut self, store: &Store, hash: ContentHash) -> Result<(), StoreError> {
        let rewound = self.file.rewind().await;
        rewound.map_err(|error| failed(&self.path, error))?;
        let mut blobs = store.beside().blobs.lock().await;
        let connection = connected(&mut blobs, store).await?;
        connection.begin().await?;
        let sent = self.send_parts(connection, hash).await;
        connection.end(sent).await
    }

    async fn send_parts(
        &mut self,
        connection: &mut Connection,
        hash: ContentHash,
    ) -> Result<(), StoreError> {
        let hash = hash.to_string();
        for number in 0_i64.. {
            let mut part = Vec::with_capacity(PART);
            let read = (&mut self.file)
                .take(PART as u64)
                .read_to_end(&mut part)
                .await;
            read.map_err(|error| failed(&self.path, error))?;
            // No bytes are bytes, too.
            if part.is_empty() && number > 0 {
                break;
            }
            let kept = query(
                "INSERT INTO blobs (hash, part, bytes) VALUES (?, ?, ?) ON CONFLICT (hash, part) DO NOTHING",
            );
            let kept = kept.bind(&hash).bind(number).bind(&*part);
            connection.execute(kept).await?;
        }
        Ok(())
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
