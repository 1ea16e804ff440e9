//! Reading: where each question goes, and what its answer means.

mod ask;
mod content;
mod download;
mod folder;
mod media;
mod pages;
mod redirections;
mod schema;
mod sitemap;

pub(crate) use ask::{answer, encoded};
use ask::{passed, plain};
pub(crate) use download::{digest, download};
