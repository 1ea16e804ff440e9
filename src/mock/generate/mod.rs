//! Makes instances of any size: the same shape always gives the same instance.
//!
//! An instance has two parts. The kit, a small magazine site, holds every encoding of a reference that
//! the vendor's pages know at least once, so that the smallest full instance exercises all of them. What is left
//! of the requested size then fills up with more of the same in the proportions of a real site.
//!
//! Nothing dangles, and nothing is impossible to migrate: ids form layers, links go to a lower layer, and the few links
//! that go up (cycles of one, two and five items) sit in optional fields, so that every cycle can be cut.
//!
//! ```text
//! Budget ─▶ models ─▶ containers ─▶ galleries, assets ─▶ pages ─▶ items ─▶ rows
//! how many            kit first, then more of the same            links, text, encodings
//! ```

mod budget;
mod containers;
mod fields;
mod instance;
mod items;
mod media;
mod models;
mod pages;
mod text;

#[cfg(test)]
mod check;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use budget::MINIMUM;
pub use instance::generate;

/// What instance to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many entities it has. Counted are models, templates, containers, galleries, assets and redirections, and each
    /// pair of a content item or page with a locale; built-in rows and asset folders are not. An
    /// instance of less than [`MINIMUM`] entities holds assets only.
    pub entities: usize,
    /// Random seed.
    pub seed: u64,
    /// The GUID of the instance.
    pub guid: String,
    /// Its locales, the default one first; `en-us` when empty.
    pub locales: Vec<String>,
}

impl Shape {
    /// A shape with the usual GUID, `1a2b3c4d-u`, and the locales `en-us` and `fr-ca`.
    pub fn new(entities: usize, seed: u64) -> Self {
        Self {
            entities,
            seed,
            guid: "1a2b3c4d-u".to_owned(),
            locales: vec!["en-us".to_owned(), "fr-ca".to_owned()],
        }
    }
}

/// Named size. The first three are instances that were really migrated, the fourth is all three together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// 3,619 entities.
    Small,
    /// 6,064 entities.
    Medium,
    /// 14,481 entities.
    Large,
    /// 24,164 entities.
    All,
    /// 1,000,000 entities.
    Million,
}

impl Preset {
    /// Every preset, smallest first.
    pub const EVERY: [Self; 5] = [
        Self::Small,
        Self::Medium,
        Self::Large,
        Self::All,
        Self::Million,
    ];

    /// The number of entities.
    pub const fn entities(self) -> usize {
        match self {
            Self::Small => 3_619,
            Self::Medium => 6_064,
            Self::Large => 14_481,
            Self::All => 24_164,
            Self::Million => 1_000_000,
        }
    }

    /// The name that a user types.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::All => "all",
            Self::Million => "million",
        }
    }

    /// The preset of a name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY
            .into_iter()
            .find(|preset| preset.name().eq_ignore_ascii_case(name))
    }
}
