//! Where the progress of an undo is shown: as when its entities were uploaded.

use crate::domain::{Kind, WorkClass};
use crate::event::Lane;

/// The lane of a kind.
pub(super) const fn lane(kind: Kind) -> Lane {
    match kind {
        Kind::Model | Kind::Container | Kind::Template | Kind::Asset | Kind::Redirection => {
            Lane::IndependentEntities
        }
        Kind::Content => Lane::BatchedContent,
        Kind::Gallery | Kind::Page => Lane::ComplexEntities,
    }
}

/// Pages go one after another, because each has its place among others.
pub(super) const fn class(kind: Kind) -> WorkClass {
    match kind {
        Kind::Page => WorkClass::Sequential,
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Content
        | Kind::Redirection => WorkClass::Parallel,
    }
}
