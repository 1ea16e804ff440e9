//! Rows of the table `blobs` of a state on a server, in parts of a size that any server takes.

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::folder::{failed, temporary};
use crate::domain::ContentHash;
use crate::store::beside::connected;
use crate::store::connection::{Connection, query};
use crate::store::{Store, StoreError};

/// How many bytes are one row.
const PART: usize = 1 << 20;

/// Makes bytes durable, all parts or none.
pub(super) async fn put(
    store: &Store,
    hash: ContentHash,
    file: &mut File,
) -> Result<(), StoreError> {
    let rewound = file.rewind().await;
    rewound.map_err(|error| failed(&std::env::temp_dir(), error))?;
    let mut blobs = store.beside().blobs.lock().await;
    let connection = connected(&mut blobs, store).await?;
    connection.begin().await?;
    let sent = put_parts(connection, hash, file).await;
    connection.end(sent).await
}

async fn put_parts(
    connection: &mut Connection,
    hash: ContentHash,
    file: &mut File,
) -> Result<(), StoreError> {
    let hash = hash.to_string();
    for number in 0_i64.. {
        let part = next_part(file, PART).await?;
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

/// The next bytes of a file, so many or up to its end.
pub(super) async fn next_part(file: &mut File, length: usize) -> Result<Vec<u8>, StoreError> {
    let mut part = Vec::with_capacity(length);
    let read = file.take(length as u64).read_to_end(&mut part).await;
    read.map_err(|error| failed(&std::env::temp_dir(), error))?;
    Ok(part)
}

pub(super) async fn get(store: &Store, hash: ContentHash) -> Result<Option<File>, StoreError> {
    let path = std::env::temp_dir();
    let mut file = temporary()?;
    let mut blobs = store.beside().blobs.lock().await;
    let connection = connected(&mut blobs, store).await?;
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
    rewound(file).await.map(Some)
}

/// A file that was written, at its beginning.
pub(super) async fn rewound(mut file: File) -> Result<File, StoreError> {
    let rewound = async {
        file.flush().await?;
        file.rewind().await
    };
    let rewound = rewound.await;
    rewound.map_err(|error| failed(&std::env::temp_dir(), error))?;
    Ok(file)
}

pub(super) async fn hashes(store: &Store) -> Result<Vec<ContentHash>, StoreError> {
    let asked = query("SELECT DISTINCT hash FROM blobs ORDER BY hash");
    let mut blobs = store.beside().blobs.lock().await;
    let connection = connected(&mut blobs, store).await?;
    let hashes = connection.column::<String>(&asked, "hash").await?;
    let hashes = hashes.iter().filter_map(|hash| ContentHash::parse(hash));
    Ok(hashes.collect())
}
