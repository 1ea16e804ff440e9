//! What stands at the place of the state, looked at before anything of it is opened for writing.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bytes::directory_beside;
use super::location::beside;
use super::schema::APPLICATION_ID;
use super::{StateUrl, StoreError};
use crate::domain::{check_link, check_regular, is_open_to_all};

/// How every `SQLite` file begins (<https://www.sqlite.org/fileformat.html>, "The Database Header").
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What `SQLite` may keep beside a database ends in these.
const ENDINGS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Refuses links of other users, pipes and devices, and databases of other programs; none of them is changed.
///
/// # Errors
/// [`StoreError::Create`] and [`StoreError::Foreign`].
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |error| StoreError::Create {
            path,
            source: Arc::new(error),
        }
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let bytes = directory_beside(path);
    for place in folder.into_iter().chain([path, &bytes]) {
        check_link(place).map_err(refused(place))?;
    }
    let files = ENDINGS.map(|ending| beside(path, ending));
    for place in files.into_iter().chain([path.to_owned()]) {
        check_link(&place).map_err(refused(&place))?;
        match check_regular(&place) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(refused(&place)(error));
            }
            // Whatever else is wrong shows when it is opened.
            Ok(()) | Err(_) => {}
        }
    }
    if is_foreign(path) {
        return Err(StoreError::Foreign {
            place: path.display().to_string(),
        });
    }
    Ok(())
}

/// Whether it is a database with tables and without our mark. A fresh one of ours has neither until its first transaction
/// is folded in, and what cannot be read shows when it is opened.
fn is_foreign(path: &Path) -> bool {
    let mut header = [0; 100];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    let number = |at: usize| {
        let bytes = header[at..at + 4].try_into().unwrap_or_default();
        i64::from(u32::from_be_bytes(bytes))
    };
    let (schema_cookie, application) = (number(40), number(68));
    read.is_ok()
        && header.starts_with(MAGIC)
        && application != APPLICATION_ID
        && (application != 0 || schema_cookie != 0)
}

/// The places of the state that every user of the machine may write to: another user may change the mappings there.
pub fn open_to_all(url: &StateUrl) -> Vec<PathBuf> {
    let Some(path) = url.file() else {
        return Vec::new();
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut places = vec![path.to_owned(), directory_beside(path)];
    places.extend(folder.map(Path::to_owned));
    places.retain(|place| is_open_to_all(place));
    places
}
