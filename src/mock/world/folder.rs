//! Folders of assets: a folder is there when it has a row or when something is below it.
//!
//! The vendor names the calls and not what becomes of the files. Read here as in a file system: what is in a folder goes with
//! it when it is renamed, and is gone when it is deleted.

use serde_json::{Value, json};

use super::asset::Asset;
use super::failure::Refusal;
use super::ids::IdKind;
use super::{World, gone, row};
use crate::mock::file::Row;

fn key_of(row: &Row) -> String {
    row::text(row, "originKey").unwrap_or_default().to_owned()
}

fn joined(folder: &str, name: &str) -> String {
    match folder.trim_matches('/') {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

impl World {
    /// Moves a file to another folder; its id and its bytes stay.
    ///
    /// # Errors
    /// 404 for an unknown id, 400 where the folder has a file of that name.
    pub(crate) fn move_asset(&mut self, id: i64, folder: &str) -> Result<Value, Refusal> {
        let old = key_of(self.asset(id).ok_or_else(|| gone("Asset", id))?);
        let key = joined(folder, old.rsplit('/').next().unwrap_or_default());
        if self.assets.at(&key).is_some_and(|other| other != id) {
            return Err(Refusal::new(400, format!("{key} exists already.")));
        }
        let moved = self.take_to(id, key);
        Ok(moved.map_or(Value::Null, Value::Object))
    }

    /// Gives an asset another key, with the members that follow from it.
    fn take_to(&mut self, id: i64, key: String) -> Option<Row> {
        let Asset { mut row, blob } = self.assets.remove(id)?;
        let old = key_of(&row);
        let size = row::int(&row, "size").and_then(|size| u64::try_from(size).ok());
        row::set(&mut row, "originKey", key);
        for computed in ["originUrl", "edgeUrl", "dateModified"] {
            row.remove(computed);
        }
        self.complete_asset(&mut row, size.unwrap_or(0));
        let blob = blob.map(|blob| blob.moved(&old));
        self.assets.put(id, row.clone(), blob);
        Some(row)
    }

    /// Makes a folder row, or gives the one that is there.
    pub(crate) fn create_folder(&mut self, key: &str) -> Value {
        let key = key.trim_matches('/');
        if let Some(found) = self.assets.at(key).and_then(|id| self.asset(id)) {
            return Value::Object(found.clone());
        }
        let id = self.next_id(IdKind::Asset);
        let mut row = row::row(json!({ "mediaID": id, "originKey": key, "isFolder": true }));
        self.complete_asset(&mut row, 0);
        self.assets.put(id, row.clone(), None);
        Value::Object(row)
    }

    /// Makes the rows of a folder and of those that it is in.
    pub(super) fn create_folders(&mut self, folder: &str) {
        let ends = folder.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([folder.len()]).filter(|end| *end > 0) {
            self.create_folder(&folder[..end]);
        }
    }

    /// The ids of what a folder consists of.
    fn folder(&self, key: &str) -> Result<Vec<i64>, Refusal> {
        let ids = match key.trim_matches('/') {
            "" => Vec::new(),
            key => self.assets.in_folder(key),
        };
        if ids.is_empty() {
            return Err(Refusal::not_found("The folder"));
        }
        Ok(ids)
    }

    /// Gives a folder another name; with a slash in it, another path.
    ///
    /// # Errors
    /// 404 for a folder that is not there, 400 for a blank name or one that is in use.
    pub(crate) fn rename_folder(&mut self, folder: &str, name: &str) -> Result<(), Refusal> {
        let ids = self.folder(folder)?;
        let (folder, name) = (folder.trim_matches('/'), name.trim_matches('/'));
        if name.is_empty() {
            return Err(Refusal::invalid(
                "newFolderName",
                "The newFolderName field is required.",
            ));
        }
        let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        let key = if name.contains('/') {
            name.to_owned()
        } else {
            joined(parent, name)
        };
        if self.assets.at(&key).is_some() || !self.assets.in_folder(&key).is_empty() {
            return Err(Refusal::new(400, format!("{key} exists already.")));
        }
        for id in ids {
            let own = self.asset(id).map(key_of).unwrap_or_default();
            let below = own.get(folder.len()..).unwrap_or_default();
            let moved = self.take_to(id, format!("{key}{below}"));
            let is_it = below.is_empty();
            if let Some(mut row) = moved.filter(|_| is_it) {
                // The name of a folder is in a member of its own.
                row::set(&mut row, "fileName", key.rsplit('/').next());
                self.assets.put(id, row, None);
            }
        }
        Ok(())
    }

    /// Removes a folder with everything in it.
    ///
    /// # Errors
    /// 404 for a folder that is not there.
    pub(crate) fn delete_folder(&mut self, key: &str) -> Result<(), Refusal> {
        for id in self.folder(key)? {
            self.delete_asset(id)?;
        }
        Ok(())
    }
}
