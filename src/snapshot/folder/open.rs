//! Opens a folder as a source: complete and unaltered, or not at all.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::error::{Flaw, FlawKind, FolderError};
use super::layout;
use super::manifest::{self, FileEntry, Manifest};
use super::staging::{finish_interrupted, folder_of_staging};
use crate::domain::{ContentHash, Guid, Kind, Locale, read_text};

/// Files that are checked between two reports of progress.
const AT_ONCE: usize = 256;

/// An instance in a folder. Clones share it.
#[derive(Clone, Debug)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    manifest: Manifest,
    /// Files of assets by their URL.
    assets: HashMap<String, String>,
    /// Why the bytes of an asset are not there, by its URL.
    missing: HashMap<String, String>,
}

/// Finds the instance in `dir`, which is its folder or holds that, and its GUID. A pull that was interrupted when it was
/// complete is finished.
///
/// # Errors
/// [`FolderError`] when there is none, or more than one.
pub fn find_folder(dir: &Path) -> Result<(PathBuf, Guid), FolderError> {
    let full = fs::canonicalize(dir).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => FolderError::NoManifest {
            path: dir.to_owned(),
        },
        _ => FolderError::io(dir, source),
    })?;
    finish_interrupted(&full)?;
    if let Some(manifest) = Manifest::read(&full.join(manifest::FILE))? {
        return Ok((dir.to_owned(), manifest.instance));
    }
    let mut found: BTreeMap<String, Guid> = BTreeMap::new();
    let entries = fs::read_dir(&full).map_err(|source| FolderError::io(dir, source))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = folder_of_staging(&name).unwrap_or(&name).to_owned();
        let root = full.join(&name);
        finish_interrupted(&root)?;
        if !root.is_dir() {
            continue;
        }
        if let Some(manifest) = Manifest::read(&root.join(manifest::FILE))? {
            found.insert(name, manifest.instance);
        }
    }
    if found.len() > 1 {
        return Err(FolderError::Several {
            path: dir.to_owned(),
            names: found.into_keys().collect(),
        });
    }
    let only = found.into_iter().next();
    let only = only.map(|(name, instance)| (dir.join(name), instance));
    only.ok_or_else(|| FolderError::NoManifest {
        path: dir.to_owned(),
    })
}

impl Folder {
    /// Opens the folder of an instance and checks every file. `progress` gets how many files of how many were checked.
    ///
    /// # Errors
    /// [`FolderError`] naming the first file that is not as it was written.
    pub fn open(root: &Path, progress: &mut dyn FnMut(usize, usize)) -> Result<Self, FolderError> {
        finish_interrupted(root)?;
        let manifest = Manifest::read(&root.join(manifest::FILE))?;
        let manifest = manifest.ok_or_else(|| FolderError::NoManifest {
            path: root.to_owned(),
        })?;
        let mut flaws = flaws(root, &manifest, progress)?;
        flaws.sort_by(|one, other| one.path.cmp(&other.path));
        let more = flaws.len().saturating_sub(1);
        if let Some(first) = flaws.into_iter().next() {
            let path = root.to_owned();
            return Err(FolderError::Damaged { path, first, more });
        }
        let files = manifest.files.iter();
        let assets = files.filter_map(|(path, entry)| {
            let asset = entry.asset.as_ref()?;
            Some((asset.url.clone(), path.clone()))
        });
        let assets = assets.collect();
        let missing = manifest.missing.iter();
        let missing = missing.map(|asset| (asset.url.clone(), asset.why.clone()));
        let missing = missing.collect();
        Ok(Self(Arc::new(Inner {
            root: root.to_owned(),
            assets,
            missing,
            manifest,
        })))
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The files that hold the entities of a kind, of content and pages in one locale.
    pub fn files_of(&self, kind: Kind, locale: Option<&Locale>) -> Vec<&str> {
        let redirections = || locale.or(self.0.manifest.locales.first());
        let Some(folder) = layout::folder_of(kind, locale) else {
            let file = redirections().map(layout::redirections);
            let known = file.and_then(|file| self.0.manifest.files.get_key_value(&file));
            return known.into_iter().map(|(path, _)| &**path).collect();
        };
        let files = self.0.manifest.files.range(folder.clone()..);
        let files = files.map(|(path, _)| &**path);
        files.take_while(|path| path.starts_with(&folder)).collect()
    }

    /// The file that holds the pages of a locale as they stand in their trees.
    pub fn sitemap(&self, locale: &Locale) -> String {
        layout::sitemap(locale)
    }

    /// The file that holds what belongs to the instance and is no entity.
    pub const fn instance_file(&self) -> &'static str {
        layout::INSTANCE
    }

    /// The text of a file, with the hash that it was checked for.
    ///
    /// # Errors
    /// [`FolderError`] when it is not there, or changed since.
    pub fn text(&self, path: &str) -> Result<String, FolderError> {
        let full = self.0.root.join(path);
        let text = read_text(&full).map_err(|source| FolderError::io(&full, source))?;
        let entry = self.0.manifest.files.get(path);
        if entry.is_some_and(|entry| entry.hash == ContentHash::of_bytes(text.as_bytes())) {
            return Ok(text);
        }
        Err(FolderError::Changed { path: full })
    }

    /// The file of the asset at `url`, with what is known of it.
    pub fn asset(&self, url: &str) -> Option<(PathBuf, &FileEntry)> {
        let path = self.0.assets.get(url)?;
        let entry = self.0.manifest.files.get(path)?;
        Some((self.0.root.join(path), entry))
    }

    /// Why the instance did not give the bytes of the asset at `url`, where it did not.
    pub fn why_missing(&self, url: &str) -> Option<&str> {
        self.0.missing.get(url).map(String::as_str)
    }
}

/// What is wrong with the files of a folder.
fn flaws(
    root: &Path,
    manifest: &Manifest,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Flaw>, FolderError> {
    let found = files_in(root)?;
    let flaw = |path: &str, kind| Flaw {
        path: path.to_owned(),
        kind,
    };
    let foreign = found
        .keys()
        .filter(|path| !manifest.files.contains_key(*path));
    let mut flaws: Vec<Flaw> = foreign.map(|path| flaw(path, FlawKind::Foreign)).collect();
    let listed: Vec<(&String, &FileEntry)> = manifest.files.iter().collect();
    let mut checked = 0;
    for some in listed.chunks(AT_ONCE) {
        let of_some = some.par_iter().filter_map(|(path, entry)| {
            let kind = match found.get(*path) {
                None => FlawKind::Missing,
                Some(false) => FlawKind::Unreadable("not a regular file".to_owned()),
                Some(true) => altered(&root.join(path), entry)?,
            };
            Some(flaw(path, kind))
        });
        flaws.par_extend(of_some);
        checked += some.len();
        progress(checked, listed.len());
    }
    Ok(flaws)
}

/// What is wrong with the bytes of a file; `None` when they are those that were written.
fn altered(path: &Path, entry: &FileEntry) -> Option<FlawKind> {
    match hash_of_file(path) {
        Ok(found) if found == (entry.bytes, entry.hash) => None,
        Ok(_) if path.extension().is_some_and(|ending| ending == "json") => {
            let text = read_text(path).unwrap_or_default();
            let parsed = serde_json::from_str::<serde::de::IgnoredAny>(&text);
            Some(parsed.err().map_or(FlawKind::Altered, |error| {
                FlawKind::NotJson(error.to_string())
            }))
        }
        Ok(_) => Some(FlawKind::Altered),
        Err(error) => Some(FlawKind::Unreadable(error.to_string())),
    }
}

/// The length and hash of a file.
pub(super) fn hash_of_file(path: &Path) -> io::Result<(u64, ContentHash)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((hasher.count(), ContentHash::finish(&hasher)))
}

/// All files below `root` but its manifest and hidden ones, each with whether it is a regular file. Links are not followed.
pub(super) fn files_in(root: &Path) -> Result<BTreeMap<String, bool>, FolderError> {
    let mut found = BTreeMap::new();
    let mut open = vec![(root.to_owned(), String::new())];
    while let Some((folder, below)) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if below.is_empty() && error.kind() == io::ErrorKind::NotFound => break,
            Err(source) => return Err(FolderError::io(&folder, source)),
        };
        for entry in entries {
            let entry = entry.map_err(|source| FolderError::io(&folder, source))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{below}{name}");
            if name.starts_with('.') || path == manifest::FILE {
                continue;
            }
            let kind = entry.file_type();
            let kind = kind.map_err(|source| FolderError::io(&entry.path(), source))?;
            if kind.is_dir() {
                open.push((entry.path(), format!("{path}/")));
            } else {
                found.insert(path, kind.is_file());
            }
        }
    }
    Ok(found)
}
