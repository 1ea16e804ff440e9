//! The normal form: what is compared of two entities.
//!
//! A body may come from the Fetch API or the Management API, or be about to be sent. The three spell one thing in
//! many ways: a selected item is an object, a scalar or the text of another field; `true` is a text; empty
//! is null, blank or absent. The normal form has one spelling for each, and leaves out what the server makes on its
//! own, so that equality of two normal forms means that a user sees no difference.
//!
//! References stand in it as objects with one member whose name begins with `@`: `@ids`, `@list`, `@gallery`,
//! `@model`, `@container`, `@page`, `@asset`, `@url`. So [`differences()`] can distinguish a wrong reference from
//! another text. Order among siblings, the path and parent of a page, `itemOrder` (which a server may renumber) and
//! the bytes of an asset are not in it; they are checked apart.

mod companions;
mod defaults;
mod differences;
mod fields;
mod page;
mod selection;
mod structure;
mod units;
mod value;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::Schema;
use crate::domain::Kind;

pub use companions::lost_companions;
pub(in crate::plan) use defaults::says_something;
pub use defaults::{Defaults, Judge, Judged, Learns, without};
pub use differences::{Difference, differences};
pub(in crate::plan) use fields::leave_unknown_fields;
pub use units::field_hashes;
pub(in crate::plan) use units::{unit_at, units};
pub(in crate::plan) use value::any as by_shape;

/// The normal form of a body of `kind`. `schema` is that of the side in whose terms the body is; for a
/// payload the source's serves, because the fields are the same.
pub fn normal(kind: Kind, body: &Value, schema: &Schema) -> Value {
    let empty = Map::new();
    let body = body.as_object().unwrap_or(&empty);
    Value::Object(match kind {
        Kind::Model => structure::model(body, schema),
        Kind::Container => structure::container(body),
        Kind::Template => structure::template(body),
        Kind::Gallery => structure::gallery(body),
        Kind::Asset => structure::asset(body),
        Kind::Content => fields::content(body, schema),
        Kind::Page => page::page(body),
        Kind::Redirection => structure::redirection(body),
    })
}
