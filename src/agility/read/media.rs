//! Galleries, assets and the asset container.

use serde_json::{Map, Value};

use crate::domain::{AssetContainer, Id, Kind};
use crate::instance::{ReadRequest, ReadResponse, Record};

use super::super::shape::{self, ShapeError};
use super::{passed, plain};

const GALLERY_MEMBERS: [&str; 8] = [
    "mediaGroupingID",
    "groupingTypeID",
    "name",
    "description",
    "modifiedOn",
    "isDeleted",
    "isFolder",
    "metaData",
];

const ASSET_MEMBERS: [&str; 16] = [
    "mediaID",
    "fileName",
    "originKey",
    "originUrl",
    "edgeUrl",
    "containerID",
    "containerOriginUrl",
    "containerEdgeUrl",
    "size",
    "contentType",
    "isFolder",
    "isDeleted",
    "mediaGroupingID",
    "mediaGroupingName",
    "mediaGroupingSortOrder",
    "dateModified",
];

/// `GET asset/galleries`: `{ totalCount, assetMediaGroupings }`.
pub(super) fn galleries<I: Id>(
    offset: usize,
    mut value: Value,
) -> Result<ReadResponse<I>, ShapeError> {
    let rows = shape::member_rows(&mut value, "assetMediaGroupings")?;
    let next = |offset| ReadRequest::Galleries { offset };
    let found = shape::each("assetMediaGroupings", rows, gallery)?;
    page(Kind::Gallery, offset, &value, found, next)
}

/// `GET asset/list`: `{ totalCount, assetMedias }`, folders included.
pub(super) fn assets<I: Id>(
    offset: usize,
    mut value: Value,
) -> Result<ReadResponse<I>, ShapeError> {
    let rows = shape::member_rows(&mut value, "assetMedias")?;
    let next = |offset| ReadRequest::Assets { offset };
    let found = shape::each("assetMedias", rows, asset)?;
    page(Kind::Asset, offset, &value, found, next)
}

/// One page of a list. The first page asks for all others at once, so that they can be read side by side;
/// they begin where the server's own page length puts them, should it be shorter than was asked for.
fn page<I>(
    kind: Kind,
    offset: usize,
    value: &Value,
    rows: Vec<Record<I>>,
    next: fn(usize) -> ReadRequest,
) -> Result<ReadResponse<I>, ShapeError> {
    let total = shape::int(value, "totalCount").and_then(|total| usize::try_from(total).ok());
    let total = total.ok_or_else(|| ShapeError("the answer has no totalCount".to_owned()))?;
    let follow_ups = if offset == 0 && !rows.is_empty() {
        (rows.len()..total).step_by(rows.len()).map(next).collect()
    } else {
        Vec::new()
    };
    let mut found = vec![Record::Expected { kind, rows: total }];
    found.extend(rows);
    Ok(ReadResponse { found, follow_ups })
}

/// One gallery.
pub(super) fn gallery<I: Id>(mut row: Value) -> Result<Record<I>, ShapeError> {
    shape::rename_members(shape::object(&mut row)?, &GALLERY_MEMBERS);
    let id = shape::id(&row, "mediaGroupingID")?;
    let name = shape::text(&row, "name");
    if shape::flag(&row, "isDeleted") {
        return Ok(passed(Kind::Gallery, id, name));
    }
    plain(Kind::Gallery, ("mediaGroupingID", "name"), &row)
}

/// One asset or folder.
pub(super) fn asset<I: Id>(mut row: Value) -> Result<Record<I>, ShapeError> {
    let map = shape::object(&mut row)?;
    shape::rename_members(map, &ASSET_MEMBERS);
    take_size(map);
    let id = shape::id(&row, "mediaID")?;
    let is_told = |member: &&str| shape::text(&row, member).is_some();
    let member = ["originKey", "fileName"].into_iter().find(is_told);
    let member = member.unwrap_or("originKey");
    if shape::flag(&row, "isFolder") || shape::flag(&row, "isDeleted") {
        return Ok(passed(Kind::Asset, id, shape::text(&row, member)));
    }
    plain(Kind::Asset, ("mediaID", member), &row)
}

/// Keeps a size that can be one, as a number. Any other is as good as none: the length comes with the file.
fn take_size(asset: &mut Map<String, Value>) {
    let size = asset.get("size").and_then(shape::as_int);
    match size.filter(|size| *size >= 0) {
        Some(size) => drop(asset.insert("size".to_owned(), size.into())),
        None => drop(asset.shift_remove("size")),
    }
}

/// `GET asset/container`: the default container.
pub(super) fn asset_container<I>(row: &Value) -> Result<Record<I>, ShapeError> {
    container_urls(row).map(Record::AssetContainer)
}

/// The URLs of a container.
pub(super) fn container_urls(row: &Value) -> Result<AssetContainer, ShapeError> {
    let url = |name| shape::text(row, name).map(|url| url.trim().trim_end_matches('/'));
    let origin = url("originUrl").or_else(|| url("edgeUrl"));
    let origin = origin.ok_or_else(|| ShapeError("the asset container has no URL".to_owned()))?;
    Ok(AssetContainer {
        origin_url: origin.into(),
        edge_url: url("edgeUrl").unwrap_or(origin).into(),
    })
}
