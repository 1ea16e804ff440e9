//! An entity in the target's terms.
//!
//! A save replaces the stored object, so a body is sent as it was read, with three exceptions: references
//! are rewritten, members that belong to the source instance are left out, and where the server needs a form that
//! it does not show on reads, that form is made. The adapter adds the id that a save is addressed to.

mod companions;
mod keep;
mod rewrite;
mod shape;
mod template;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use super::references::walk;
use super::{Context, Encoding, Reference, Referent};
use crate::domain::{AssetContainer, AssetUrls, Entity, Kind, Locale, SourceId, TargetId};
use rewrite::Rewriter;

/// Where the counterparts of source entities are. `None` always means: not known, or not yet.
pub trait Counterparts {
    /// The target id of an entity. The locale is that of the entity that refers to it, for content and pages.
    fn id(&self, kind: Kind, id: i64, locale: Option<&Locale>) -> Option<TargetId>;

    /// The target's name of a model, container or template; `source_name` comes in any case.
    fn name(&self, kind: Kind, source_name: &str) -> Option<Box<str>>;

    /// Where the counterpart of an asset can be had.
    fn asset_urls(&self, id: i64) -> Option<AssetUrls>;

    /// The asset container of the target.
    fn asset_container(&self) -> &AssetContainer;
}

/// References that a payload does without, so that a cycle of entities can be saved in two steps. What they
/// leave is blank text for a single selection, a list without the id, and a model without the field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaveOut(HashSet<Referent>);

impl LeaveOut {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether references to `referent` are left out.
    pub fn contains(&self, referent: &Referent) -> bool {
        self.0.contains(referent)
    }
}

impl FromIterator<Referent> for LeaveOut {
    fn from_iter<T: IntoIterator<Item = Referent>>(referents: T) -> Self {
        Self(referents.into_iter().collect())
    }
}

/// A body that can be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// The body without the id members that the adapter writes.
    pub body: Value,
    /// The encodings it holds, each with the JSON pointer of its first reference.
    pub encodings: Vec<(Encoding, String)>,
}

/// References without a counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// All of them, in the order of the body.
    pub references: Vec<Reference>,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        f.write_str("without a counterpart on the target: ")?;
        for (at, reference) in self.references.iter().take(SHOWN).enumerate() {
            write!(f, "{}{reference}", if at == 0 { "" } else { ", " })?;
        }
        match self.references.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl std::error::Error for Unresolved {}

/// Writes `entity` whole: with all of its references, as the last of its saves does. See [`payload`].
///
/// # Errors
/// [`Unresolved`] when a reference has no counterpart.
pub fn whole_payload(
    entity: &Entity<SourceId>,
    context: &Context<'_>,
    to: &dyn Counterparts,
    existing: Option<&Value>,
) -> Result<Payload, Unresolved> {
    payload(entity, context, to, &LeaveOut::default(), existing)
}

/// Writes `entity` for the target. `existing` is the counterpart's body where there is one; a template takes the
/// ids of its zones from it, so that a save does not replace the zones that pages hang on, and an item the values of fields
/// that are never written; a merged item or page the fields that only the target changed; a model the companion fields that it asked for
/// and that the server made.
///
/// An asset gives what its upload says besides the bytes: `originKey`, `fileName`, `contentType`, `size`, focal
/// point and `mediaGroupingID`.
///
/// # Errors
/// [`Unresolved`] when a reference that is not left out has no counterpart.
pub fn payload(
    entity: &Entity<SourceId>,
    context: &Context<'_>,
    to: &dyn Counterparts,
    leave_out: &LeaveOut,
    existing: Option<&Value>,
) -> Result<Payload, Unresolved> {
    let mut body = entity.body.parse();
    shape::leave_hidden_zones(entity.key.kind, &mut body, context.schema);
    shape::prepare(entity.key.kind, &mut body);
    let mut rewriter = Rewriter::new(entity, (to, Some(context.schema)), leave_out);
    walk(entity, &mut body, context, &mut rewriter);
    if !rewriter.unresolved.is_empty() {
        return Err(Unresolved {
            references: rewriter.unresolved,
        });
    }
    let encodings = rewriter.encodings;
    shape::address(entity.key.kind, &mut body, existing);
    shape::spell(entity.key.kind, &mut body, existing);
    if let (Kind::Model, Some(existing)) = (entity.key.kind, existing) {
        companions::keep_companions(&mut body, existing);
    }
    keep::keep(entity, (&mut body, existing), context);
    Ok(Payload { body, encodings })
}

/// Writes something that was read from an instance for that same instance, as it was. `own` answers every reference
/// with what it points at already; what is rewritten is the encoding, because the server shows some references in
/// another form than it takes. `existing` is what stands there now.
///
/// Unlike in [`payload`], members that belong to the instance stay: it is the same instance.
///
/// # Errors
/// [`Unresolved`] when `own` does not know a reference.
pub fn put_back(
    entity: &Entity<SourceId>,
    context: &Context<'_>,
    own: &dyn Counterparts,
    existing: Option<&Value>,
) -> Result<Value, Unresolved> {
    let mut body = entity.body.parse();
    if !matches!(entity.key.kind, Kind::Container | Kind::Template) {
        shape::prepare(entity.key.kind, &mut body);
    }
    let nothing = LeaveOut::default();
    let mut rewriter = Rewriter::new(entity, (own, None), &nothing);
    walk(entity, &mut body, context, &mut rewriter);
    if !rewriter.unresolved.is_empty() {
        return Err(Unresolved {
            references: rewriter.unresolved,
        });
    }
    shape::address(entity.key.kind, &mut body, existing);
    Ok(body)
}
