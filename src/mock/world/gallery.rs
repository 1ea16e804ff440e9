//! Galleries: saved at once; their members are the assets that name them.

use serde_json::{Value, json};

use super::failure::Refusal;
use super::ids::IdKind;
use super::text::{fold, now};
use super::{Window, World, gone, row};
use crate::mock::file::Row;

/// Gives a gallery row the members that the server computes.
pub(super) fn complete(row: &mut Row) {
    row::fill(row, "groupingTypeID", 1);
    row::fill(row, "modifiedBy", 12);
    row::fill(row, "modifiedByName", "Mock User");
    row::fill(row, "modifiedOn", now());
    row::set(row, "isDeleted", false);
    row::fill(row, "isFolder", false);
    row::fill(row, "metaData", json!({}));
}

impl World {
    /// A page of the galleries whose name contains `search`, with the number of all that fit.
    pub(crate) fn gallery_page(&self, window: Window, search: Option<&str>) -> Value {
        let wanted = search.map(fold).unwrap_or_default();
        let fits = |row: &Row| fold(row::text(row, "name").unwrap_or_default()).contains(&wanted);
        let rows: Vec<&Row> = self
            .galleries
            .iter()
            .map(|(_, row)| row)
            .filter(|row| fits(row))
            .collect();
        let page: Vec<&Row> = rows
            .iter()
            .skip(window.skip)
            .take(window.take)
            .copied()
            .collect();
        json!({ "totalCount": rows.len(), "assetMediaGroupings": page })
    }

    pub(crate) fn gallery(&self, id: i64) -> Option<&Row> {
        self.galleries.get(id)
    }

    pub(crate) fn gallery_named(&self, name: &str) -> Option<&Row> {
        self.galleries
            .by_name(name)
            .and_then(|id| self.galleries.get(id))
    }

    /// Creates or replaces a gallery.
    ///
    /// # Errors
    /// 404 for an unknown id, 400 for a missing name, 500 for a name in use.
    pub(crate) fn save_gallery(&mut self, mut posted: Row) -> Result<Value, Refusal> {
        self.receive("gallery", &mut posted);
        let id = row::id(&posted, "mediaGroupingID");
        let name = row::filled(&posted, "name");
        let id = id.or_else(|| self.replaced(&self.galleries, name));
        let old = id
            .map(|id| {
                self.galleries
                    .get(id)
                    .cloned()
                    .ok_or_else(|| gone("Gallery", id))
            })
            .transpose()?;
        let name = row::filled(&posted, "name")
            .ok_or_else(|| Refusal::invalid("name", "The name field is required."))?;
        if self.galleries.rivals(name).any(|other| Some(other) != id) {
            return Err(Refusal::new(
                500,
                format!("A gallery with the name {name} already exists."),
            ));
        }
        let id = id.unwrap_or_else(|| self.next_id(IdKind::Gallery));
        row::set(&mut posted, "mediaGroupingID", id);
        row::set(&mut posted, "modifiedOn", now());
        // `metaData` is read-only: what is sent is passed over.
        let meta = old
            .and_then(|old| old.get("metaData").cloned())
            .unwrap_or_else(|| json!({}));
        row::set(&mut posted, "metaData", meta);
        complete(&mut posted);
        self.galleries.put(id, posted.clone());
        Ok(Value::Object(posted))
    }

    /// Deletes a gallery; its assets stay, without a gallery.
    ///
    /// # Errors
    /// 404 for an unknown id.
    pub(crate) fn delete_gallery(&mut self, id: i64) -> Result<String, Refusal> {
        self.galleries
            .remove(id)
            .ok_or_else(|| gone("Gallery", id))?;
        self.assets.leave_gallery(id);
        Ok(format!("Gallery {id} was deleted."))
    }

    /// The gallery with its media, as the Fetch API gives it.
    pub(crate) fn gallery_for_fetch(&self, id: i64) -> Option<Value> {
        let gallery = self.galleries.get(id)?;
        let mut members: Vec<&Row> = self.assets.of_gallery(id).collect();
        members.sort_by_key(|row| row::int(row, "mediaGroupingSortOrder").unwrap_or(0));
        let media: Vec<Value> = members.into_iter().map(fetch_media).collect();
        Some(json!({
            "galleryID": id, "name": gallery.get("name"), "description": gallery.get("description"), "count": media.len(),
            "media": media
        }))
    }
}

/// The names in `metaData` are those of the vendor's client; the Management API writes none of them.
fn fetch_media(row: &Row) -> Value {
    let given = row::object(row, "metaData");
    let text = |name: &str| {
        let value = given.and_then(|given| row::get(given, name));
        value
            .or_else(|| row::get(row, name))
            .map_or_else(String::new, |value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
    };
    let names = [
        "Title",
        "Description",
        "LinkUrl",
        "pixelHeight",
        "pixelWidth",
    ];
    let meta: Row = names
        .map(|name| (name.to_owned(), text(name).into()))
        .into_iter()
        .collect();
    json!({
        "mediaID": row.get("mediaID"), "fileName": row.get("fileName"), "url": row.get("edgeUrl"), "size": row.get("size"),
        "modifiedOn": row.get("dateModified"), "metaData": meta
    })
}
