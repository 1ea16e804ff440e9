//! Writes a folder so that it is, at any moment, the former instance or the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::contents::{AssetBytes, Contents};
use super::error::{Flaw, FlawKind, FolderError};
use super::manifest;
use super::manifest::{AssetFile, FORM, FileEntry, Manifest, MissingAsset};
use super::open::{files_in, hash_of_file};
use crate::domain::{ContentHash, Guid, SourceId, check_link, read_file};

/// What a folder of this name is followed by is the work of a pull.
const SUFFIX: &str = ".pull";
const LOCK: &str = "lock";
const COMMIT: &str = "commit.json";
const TREE: &str = "tree";
const FILES: &str = "files";
const FETCHED: &str = "fetched.ndjson";

/// A folder in the making.
#[derive(Debug)]
pub struct Staging {
    root: PathBuf,
    /// Where new files are until they are all there.
    work: PathBuf,
    former: Option<Manifest>,
    files: BTreeMap<String, FileEntry>,
    /// Bytes of assets that have arrived, in this pull or in one that was interrupted.
    arrived: BTreeMap<SourceId, Arrived>,
    fetched: File,
    /// Files that are new or changed.
    staged: BTreeSet<String>,
    /// Held until the end.
    _lock: File,
}

/// A row of the list of what has arrived.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Arrived {
    asset: AssetFile,
    bytes: u64,
    hash: ContentHash,
}

/// What a pull did to the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Files that are new or have other bytes.
    pub written: usize,
    /// Files that are gone with their entities.
    pub removed: usize,
    /// Files that were left as they are.
    pub unchanged: usize,
}

impl Staging {
    /// Begins to write `instance` below `dir`. Finishes a pull that was interrupted when it was complete, and keeps the
    /// bytes of assets of one that was not.
    ///
    /// # Errors
    /// [`FolderError`] when another process writes there, or what is there was not written by a pull.
    pub fn begin(dir: &Path, instance: &Guid) -> Result<Self, FolderError> {
        let root = dir.join(instance.as_str());
        let staging = staging_of(&root);
        for path in [&root, &staging] {
            check_link(path).map_err(|source| FolderError::io(path, source))?;
        }
        finish_interrupted(&root)?;
        make(&staging)?;
        let lock = hold(&staging)?;
        let former = former(&root)?;
        let tree = staging.join(TREE);
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(|source| FolderError::io(&tree, source))?;
        }
        make(&tree)?;
        make(&staging.join(FILES))?;
        let journal = staging.join(FETCHED);
        let arrived = arrivals(&journal);
        let fetched = OpenOptions::new().create(true).append(true).open(&journal);
        Ok(Self {
            former,
            files: BTreeMap::new(),
            arrived,
            fetched: fetched.map_err(|source| FolderError::io(&journal, source))?,
            staged: BTreeSet::new(),
            root,
            work: staging,
            _lock: lock,
        })
    }

    /// What the folder held before; `None` where there was none.
    pub const fn former(&self) -> Option<&Manifest> {
        self.former.as_ref()
    }

    /// The folder of the instance.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes everything but the bytes of assets, and returns the assets whose bytes have to be fetched: those that neither the
    /// folder has nor an interrupted pull has fetched. With `anew`, all.
    ///
    /// # Errors
    /// [`FolderError`] when something cannot be written.
    pub fn write(
        &mut self,
        contents: &Contents<'_>,
        anew: bool,
    ) -> Result<Vec<AssetBytes>, FolderError> {
        contents.each(&mut |path, text| self.put(path, text.as_bytes()))?;
        let assets = contents.assets();
        let known: Vec<_> = assets
            .par_iter()
            .map(|asset| self.kept(asset).filter(|_| !anew))
            .collect();
        let mut open = Vec::new();
        for (asset, kept) in assets.into_iter().zip(known) {
            if let Some(entry) = kept {
                self.files.insert(asset.file, entry);
            } else if !self.has_arrived(&asset) {
                open.push(asset);
            }
        }
        Ok(open)
    }

    /// The file of an asset that the folder has, if it is whole and the instance does not say that it changed since.
    fn kept(&self, asset: &AssetBytes) -> Option<FileEntry> {
        let entry = self.former.as_ref()?.files.get(&asset.file)?;
        let known = entry.asset.as_ref()?;
        let is_same = known.id == asset.id
            && known.url == asset.url
            && known.modified == asset.modified
            && asset.size.is_none_or(|size| size == entry.bytes);
        let is_whole = || {
            let found = hash_of_file(&self.root.join(&asset.file)).ok();
            found == Some((entry.bytes, entry.hash))
        };
        (is_same && is_whole()).then(|| entry.clone())
    }

    /// Whether an interrupted pull has fetched the file of an asset.
    fn has_arrived(&self, asset: &AssetBytes) -> bool {
        self.arrived.get(&asset.id).is_some_and(|arrived| {
            let of = &arrived.asset;
            let is_same = of.url == asset.url
                && of.modified == asset.modified
                && asset.size.is_none_or(|size| size == arrived.bytes);
            let found = || hash_of_file(&self.place_of(asset.id)).ok();
            is_same && found() == Some((arrived.bytes, arrived.hash))
        })
    }

    /// Where the bytes of an asset go.
    pub fn place_of(&self, asset: SourceId) -> PathBuf {
        self.work.join(FILES).join(asset.to_string())
    }

    /// Notes that all bytes of an asset are at [`Staging::place_of`].
    ///
    /// # Errors
    /// [`FolderError`] when that cannot be noted.
    pub fn arrived(
        &mut self,
        asset: &AssetBytes,
        (bytes, hash): (u64, ContentHash),
        focal: (Option<String>, Option<String>),
    ) -> Result<(), FolderError> {
        let row = Arrived {
            asset: AssetFile {
                id: asset.id,
                url: asset.url.clone(),
                modified: asset.modified.clone(),
                focal,
            },
            bytes,
            hash,
        };
        let line = serde_json::to_string(&row).unwrap_or_default() + "\n";
        self.fetched
            .write_all(line.as_bytes())
            .map_err(|source| FolderError::io(&self.work.join(FETCHED), source))?;
        self.arrived.insert(asset.id, row);
        Ok(())
    }

    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let entry = FileEntry {
            bytes: bytes.len() as u64,
            hash: ContentHash::of_bytes(bytes),
            asset: None,
        };
        self.files.insert(path.to_owned(), entry);
        let is_there = read_file(&self.root.join(path)).is_ok_and(|there| there == bytes);
        if is_there {
            return Ok(());
        }
        let staged = self.work.join(TREE).join(path);
        make(staged.parent().unwrap_or(&self.work))?;
        fs::write(&staged, bytes).map_err(|source| FolderError::io(&staged, source))?;
        self.staged.insert(path.to_owned());
        Ok(())
    }

    /// Makes all that was written the folder. `pulled_at` is noted where anything changed.
    ///
    /// # Errors
    /// [`FolderError`]; the folder is the former one then, or the next one that opens it makes it the new one.
    pub fn commit(
        mut self,
        contents: &Contents<'_>,
        missing: Vec<MissingAsset>,
        pulled_at: String,
    ) -> Result<Outcome, FolderError> {
        self.take_arrived(contents, &missing)?;
        let mut new = Manifest {
            form: FORM,
            instance: contents.instance().clone(),
            pulled_at,
            locales: contents.locales().to_vec(),
            counts: contents.counts(),
            missing,
            files: std::mem::take(&mut self.files),
        };
        let none = BTreeMap::new();
        let before = self.former.as_ref().map_or(&none, |former| &former.files);
        let removed = before.keys().filter(|path| !new.files.contains_key(*path));
        let outcome = Outcome {
            written: self.staged.len(),
            removed: removed.count(),
            unchanged: new.files.len() - self.staged.len(),
        };
        if let Some(former) = self.former.as_ref().filter(|former| former.is_as(&new)) {
            new.pulled_at.clone_from(&former.pulled_at);
        }
        if self.former.as_ref() == Some(&new) && self.staged.is_empty() {
            remove(&self.work)?;
            return Ok(outcome);
        }
        sync_all(&self.work.join(TREE), &self.staged)?;
        write_durably(&self.work.join(COMMIT), new.text().as_bytes())?;
        finish(&self.root, &self.work)?;
        Ok(outcome)
    }

    /// Takes the bytes that have arrived for assets that the instance has.
    fn take_arrived(
        &mut self,
        contents: &Contents<'_>,
        missing: &[MissingAsset],
    ) -> Result<(), FolderError> {
        let is_missing = |id| missing.iter().any(|one: &MissingAsset| one.id == id);
        for asset in contents.assets() {
            if self.files.contains_key(&asset.file) || is_missing(asset.id) {
                continue;
            }
            let Some(arrived) = self.arrived.remove(&asset.id) else {
                continue;
            };
            let entry = FileEntry {
                bytes: arrived.bytes,
                hash: arrived.hash,
                asset: Some(arrived.asset),
            };
            let there = hash_of_file(&self.root.join(&asset.file)).ok();
            if there != Some((entry.bytes, entry.hash)) {
                let staged = self.work.join(TREE).join(&asset.file);
                make(staged.parent().unwrap_or(&self.work))?;
                rename(&self.place_of(asset.id), &staged)?;
                self.staged.insert(asset.file.clone());
            }
            self.files.insert(asset.file, entry);
        }
        Ok(())
    }
}

/// Where the work of a pull of a folder is.
pub(super) fn staging_of(root: &Path) -> PathBuf {
    let mut name = root.file_name().unwrap_or_default().to_owned();
    name.push(SUFFIX);
    root.with_file_name(name)
}

/// The name of the folder that some work belongs to, of the name of the folder with the work.
pub(super) fn folder_of_staging(name: &str) -> Option<&str> {
    name.strip_suffix(SUFFIX)
}

/// Finishes a pull that was complete when it was interrupted.
///
/// # Errors
/// [`FolderError`] when another process is about to, or the system refuses.
pub(super) fn finish_interrupted(root: &Path) -> Result<(), FolderError> {
    let staging = staging_of(root);
    if !staging.join(COMMIT).exists() {
        return Ok(());
    }
    let _lock = hold(&staging)?;
    finish(root, &staging)
}

/// Takes the right to write. It ends with the process.
fn hold(staging: &Path) -> Result<File, FolderError> {
    let path = staging.join(LOCK);
    let busy = || FolderError::Busy {
        path: staging.with_extension(""),
    };
    let mut options = OpenOptions::new();
    let file = options.create(true).write(true).truncate(false).open(&path);
    let file = file.map_err(|source| FolderError::io(&path, source))?;
    match file.try_lock() {
        Ok(()) if path.exists() => Ok(file),
        // The pull that had it has ended and taken it away.
        Ok(()) | Err(TryLockError::WouldBlock) => Err(busy()),
        Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(source)) => Err(FolderError::io(&path, source)),
    }
}

/// The manifest of what is there, which is all that is there.
fn former(root: &Path) -> Result<Option<Manifest>, FolderError> {
    let former = Manifest::read(&root.join(manifest::FILE))?;
    let found = files_in(root)?;
    match &former {
        None => match found.into_iter().next() {
            Some((example, _)) => Err(FolderError::Other {
                path: root.to_owned(),
                example,
            }),
            None => Ok(None),
        },
        Some(known) => {
            let is_foreign = |path: &&String| !known.files.contains_key(*path);
            let mut foreign = found.keys().filter(is_foreign);
            match foreign.next() {
                Some(path) => Err(FolderError::Damaged {
                    path: root.to_owned(),
                    first: Flaw {
                        path: path.clone(),
                        kind: FlawKind::Foreign,
                    },
                    more: foreign.count(),
                }),
                None => Ok(former),
            }
        }
    }
}

/// What an interrupted pull has fetched; a line that was cut is nothing.
fn arrivals(journal: &Path) -> BTreeMap<SourceId, Arrived> {
    let text = read_file(journal).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n');
    let rows = lines.filter_map(|line| serde_json::from_slice::<Arrived>(line).ok());
    rows.map(|row| (row.asset.id, row)).collect()
}

/// Puts everything in its place. What was done before an interruption is not done again.
fn finish(root: &Path, staging: &Path) -> Result<(), FolderError> {
    let commit = staging.join(COMMIT);
    let Some(new) = Manifest::read(&commit)? else {
        return Ok(());
    };
    let tree = staging.join(TREE);
    if root.exists() {
        let manifest = root.join(manifest::FILE);
        // A manifest of a newer form, or a damaged one, is none of a folder that was begun.
        let former = Manifest::read(&manifest)?;
        for path in former.iter().flat_map(|former| former.files.keys()) {
            if !new.files.contains_key(path) {
                take_away(root, path)?;
            }
        }
        for path in new.files.keys() {
            let staged = tree.join(path);
            if staged.exists() {
                let place = root.join(path);
                make(place.parent().unwrap_or(root))?;
                rename(&staged, &place)?;
            }
        }
        sync_folders(root, new.files.keys());
    } else {
        rename(&tree, root)?;
    }
    rename(&commit, &root.join(manifest::FILE))?;
    sync_folder(root);
    sync_folder(root.parent().unwrap_or(root));
    remove(staging)
}

/// Removes a file, and the folders that hold nothing without it.
fn take_away(root: &Path, path: &str) -> Result<(), FolderError> {
    let full = root.join(path);
    match fs::remove_file(&full) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(FolderError::io(&full, source)),
    }
    let mut folder = full.parent();
    while let Some(empty) =
        folder.filter(|folder| *folder != root && fs::remove_dir(folder).is_ok())
    {
        folder = empty.parent();
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), FolderError> {
    fs::create_dir_all(folder).map_err(|source| FolderError::io(folder, source))
}

fn remove(folder: &Path) -> Result<(), FolderError> {
    fs::remove_dir_all(folder).map_err(|source| FolderError::io(folder, source))
}

fn rename(from: &Path, to: &Path) -> Result<(), FolderError> {
    fs::rename(from, to).map_err(|source| FolderError::io(to, source))
}

/// Makes files durable that were written before, and that they are there.
fn sync_all(tree: &Path, files: &BTreeSet<String>) -> Result<(), FolderError> {
    files.par_iter().try_for_each(|path| {
        let path = tree.join(path);
        let synced = File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(|source| FolderError::io(&path, source))
    })?;
    sync_folders(tree, files.iter());
    Ok(())
}

fn sync_folders<'a>(root: &Path, files: impl Iterator<Item = &'a String>) {
    let folders = files.filter_map(|path| Some(path.rsplit_once('/')?.0));
    for folder in folders.collect::<BTreeSet<&str>>() {
        sync_folder(&root.join(folder));
    }
}

/// Makes the names in a folder durable, on systems that can.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    // Without it the names become durable a little later.
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    #[cfg(not(unix))]
    let _nothing_to_do = folder;
}

/// Writes a file that appears whole or not at all.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let aside = path.with_extension("new");
    let written = || {
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    written().map_err(|source| FolderError::io(path, source))?;
    sync_folder(folder);
    Ok(())
}
