//! The identity of an entity on one side.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Id, Kind, Locale, SourceId, TargetId};

/// Kind and id, plus the locale for content and pages. Written `content:912@en-us` or `model:41`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<I> {
    /// What kind of entity it is.
    pub kind: Kind,
    /// Its id on the side that `I` stands for.
    pub id: I,
    /// Present exactly for the kinds that exist once per locale.
    pub locale: Option<Locale>,
}

/// The identity of an entity on the source, which is its identity in a migration.
pub type EntityKey = Key<SourceId>;

/// The identity of an entity on the target.
pub type TargetKey = Key<TargetId>;

impl<I: Id> Key<I> {
    /// The key of an entity that exists once per instance.
    pub fn global(kind: Kind, id: i64) -> Self {
        Self {
            kind,
            id: I::new(id),
            locale: None,
        }
    }

    /// The key of a content item or page in one locale.
    pub fn localised(kind: Kind, id: i64, locale: &Locale) -> Self {
        Self {
            kind,
            id: I::new(id),
            locale: Some(locale.clone()),
        }
    }
}

impl<I> Key<I> {
    /// The key of the entity of the same kind and locale that has this id; of an id of the other side, a key of that side.
    pub fn with_id<J>(&self, id: J) -> Key<J> {
        Key {
            kind: self.kind,
            id,
            locale: self.locale.clone(),
        }
    }
}

impl<I: Id> fmt::Display for Key<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.locale {
            Some(locale) => write!(f, "{}:{}@{locale}", self.kind, self.id),
            None => write!(f, "{}:{}", self.kind, self.id),
        }
    }
}

impl<I: Id> FromStr for Key<I> {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let wrong = || ParseKeyError(text.to_owned());
        let (kind, rest) = text.trim().split_once(':').ok_or_else(wrong)?;
        let kind: Kind = kind.parse().map_err(|_| wrong())?;
        let (id, locale) = match rest.split_once('@') {
            Some((id, locale)) => (id, Some(Locale::new(locale))),
            None => (rest, None),
        };
        if kind.is_localised() != locale.is_some() {
            return Err(wrong());
        }
        Ok(Self {
            kind,
            id: I::new(id.parse().map_err(|_| wrong())?),
            locale,
        })
    }
}

impl<I: Id> Serialize for Key<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, I: Id> Deserialize<'de> for Key<I> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no entity key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an entity key; expected kind:id, with @locale for content and pages, such as model:41 or content:912@en-us"
)]
pub struct ParseKeyError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_what_they_write() {
        for text in [
            "model:41",
            "content:912@en-us",
            "page:7@fr-ca",
            "redirection:9",
        ] {
            let key: EntityKey = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn a_locale_belongs_to_content_and_pages_only() {
        for text in [
            "content:912",
            "model:41@en-us",
            "content:x@en-us",
            "thing:1",
            "912",
        ] {
            assert!(text.parse::<EntityKey>().is_err(), "{text}");
        }
    }
}
