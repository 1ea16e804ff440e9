//! How values stand in columns, and back.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    FormerLive, IntentDetail, IntentState, MappingOrigin, Operation, PriorState, PublishState,
    Publishing, StoreError,
};
use crate::domain::{
    AgreedNumber, AgreedPlace, ContentHash, EntityKey, Filled, Id, Key, Kind, Locale, Outcome,
    Proof, RunEnd, SourceId,
};

/// Gives an enum its words in the database.
macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word for it in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(super) fn from_name(name: &str) -> Option<Self> {
                match name { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(MappingOrigin {
    Created => "created", Adopted => "adopted", Updated => "updated",
    Imported => "imported", Recovered => "recovered",
});
words!(Operation {
    Create => "create", Update => "update", Patch => "patch",
    Upload => "upload", Publish => "publish", Delete => "delete", Restore => "restore",
});
words!(RunEnd {
    Complete => "complete", FailFast => "fail-fast", Stopped => "stopped",
    Interrupted => "interrupted", LeaseLost => "lease-lost", Stalled => "stalled",
});
words!(Proof { Equal => "equal", Sent => "sent", Owed => "owed" });
words!(PublishState {
    Open => "open", Published => "published", Refused => "refused", Withdrawn => "withdrawn",
});
words!(IntentState { Open => "open", Done => "done", Failed => "failed", InDoubt => "in-doubt" });

/// The locale column of a key: empty where there is none, because a primary key column cannot be null.
pub(super) fn locale_column<I>(key: &Key<I>) -> &str {
    key.locale.as_ref().map_or("", Locale::as_str)
}

/// Reads the columns of one table and complains with its name.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// Where the database is, for messages.
    pub(super) place: &'a str,
    /// The table.
    pub(super) table: &'static str,
}

impl Reader<'_> {
    /// The complaint that `value` cannot stand in `column`.
    pub(super) fn wrong(self, column: &str, value: impl Display) -> StoreError {
        StoreError::Unreadable {
            place: self.place.to_owned(),
            what: format!(
                "{column} {value:?} in {}",
                self.table,
                value = value.to_string()
            ),
        }
    }

    pub(super) fn key<I: Id>(
        self,
        kind: &str,
        id: i64,
        locale: &str,
    ) -> Result<Key<I>, StoreError> {
        let kind: Kind = kind.parse().map_err(|_| self.wrong("kind", kind))?;
        let locale = (!locale.is_empty()).then(|| Locale::new(locale));
        Ok(Key {
            kind,
            id: I::new(id),
            locale,
        })
    }

    pub(super) fn word<T>(
        self,
        column: &str,
        word: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        read(word).ok_or_else(|| self.wrong(column, word))
    }

    pub(super) fn hash(
        self,
        column: &str,
        text: Option<&str>,
    ) -> Result<Option<ContentHash>, StoreError> {
        text.map(|text| self.word(column, text, ContentHash::parse))
            .transpose()
    }

    pub(super) fn number<T: TryFrom<i64>>(
        self,
        column: &str,
        number: i64,
    ) -> Result<T, StoreError> {
        T::try_from(number).map_err(|_| self.wrong(column, number))
    }

    pub(super) fn json(self, column: &str, text: &str) -> Result<Value, StoreError> {
        serde_json::from_str(text).map_err(|_| self.wrong(column, text))
    }

    pub(super) fn keys(self, text: &str) -> Result<Vec<EntityKey>, StoreError> {
        serde_json::from_str(text).map_err(|_| self.wrong("keys", text))
    }

    pub(super) fn hashes(self, text: &str) -> Result<Vec<ContentHash>, StoreError> {
        let words: Vec<String> =
            serde_json::from_str(text).map_err(|_| self.wrong("payload_hash", text))?;
        words
            .iter()
            .map(|word| self.word("payload_hash", word, ContentHash::parse))
            .collect()
    }

    pub(super) fn filled(self, text: Option<&str>) -> Result<Filled, StoreError> {
        let read = |text| serde_json::from_str(text).map_err(|_| self.wrong("filled", text));
        text.map_or_else(|| Ok(Filled::new()), read)
    }

    pub(super) fn details(self, text: &str) -> Result<Vec<IntentDetail>, StoreError> {
        serde_json::from_str(text).map_err(|_| self.wrong("details", text))
    }

    pub(super) fn prior(self, text: &str) -> Result<PriorState, StoreError> {
        // The text may be long, and it is the content of an instance.
        serde_json::from_str(text).map_err(|_| self.wrong("body", "of a pre-image"))
    }

    /// What the public saw, and the hash of the version that it was to see, where one was noted.
    pub(super) fn live(self, text: &str) -> Result<(FormerLive, Option<ContentHash>), StoreError> {
        let column: LiveColumn<FormerLive> =
            serde_json::from_str(text).map_err(|_| self.wrong("live", "of a publication"))?;
        Ok((column.live, column.version))
    }

    pub(super) fn place(self, text: &str) -> Result<AgreedPlace, StoreError> {
        serde_json::from_str(text).map_err(|_| self.wrong("place", text))
    }

    pub(super) fn numbers(
        self,
        text: &str,
    ) -> Result<BTreeMap<SourceId, AgreedNumber>, StoreError> {
        serde_json::from_str(text).map_err(|_| self.wrong("numbers", text))
    }

    pub(super) fn sentences(self, column: &str, text: &str) -> Result<Vec<String>, StoreError> {
        serde_json::from_str(text).map_err(|_| self.wrong(column, text))
    }

    /// Puts an outcome together from its name and its detail.
    pub(super) fn outcome(self, name: &str, detail: Option<String>) -> Result<Outcome, StoreError> {
        Ok(match (name, detail) {
            ("created", None) => Outcome::Created,
            ("adopted", None) => Outcome::Adopted,
            ("updated", None) => Outcome::Updated,
            ("unchanged", None) => Outcome::Unchanged,
            ("conflict", None) => Outcome::Conflict,
            ("left-alone", None) => Outcome::LeftAlone,
            ("out-of-scope", None) => Outcome::OutOfScope,
            ("deleted", None) => Outcome::Deleted,
            ("restored", None) => Outcome::Restored,
            ("kept", Some(reason)) => Outcome::Kept { reason },
            ("failed", Some(reason)) => Outcome::Failed { reason },
            ("blocked", Some(by)) => Outcome::Blocked {
                by: by.parse().map_err(|_| self.wrong("detail", by))?,
            },
            (_, _) => return Err(self.wrong("outcome", name)),
        })
    }
}

/// What an outcome says beyond its name.
pub(super) fn outcome_detail(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::LeftAlone
        | Outcome::Conflict
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored => None,
        Outcome::Failed { reason } | Outcome::Kept { reason } => Some(reason.clone()),
        Outcome::Blocked { by } => Some(by.to_string()),
    }
}

/// A JSON array of keys.
pub(super) fn keys_column(keys: &[EntityKey]) -> String {
    json_array(keys.iter())
}

/// A JSON array of hashes.
pub(super) fn hashes_column(hashes: &[ContentHash]) -> String {
    json_array(hashes.iter())
}

/// A JSON array of sentences.
pub(super) fn sentences_column(sentences: &[String]) -> String {
    json_array(sentences.iter())
}

/// A JSON array of objects.
pub(super) fn details_column(details: &[IntentDetail]) -> String {
    // Nothing in a detail can fail to become JSON; an empty list would cost recovery some knowledge, no more.
    serde_json::to_string(details).unwrap_or_else(|_| "[]".to_owned())
}

/// A JSON object; `None` when it is empty.
pub(super) fn filled_column(filled: &Filled) -> Option<String> {
    // Texts and values: nothing in it can fail to become JSON.
    (!filled.is_empty()).then(|| serde_json::to_string(filled).ok())?
}

/// A JSON object.
pub(super) fn place_column(place: &AgreedPlace) -> String {
    // As above; an empty object would be refused when it is read.
    serde_json::to_string(place).unwrap_or_else(|_| "{}".to_owned())
}

/// A JSON object.
pub(super) fn numbers_column(numbers: &BTreeMap<SourceId, AgreedNumber>) -> String {
    // As above; nothing is known of a list whose numbers are missing.
    serde_json::to_string(numbers).unwrap_or_else(|_| "{}".to_owned())
}

/// A JSON object.
pub(super) fn former_column(prior: &PriorState) -> String {
    // As above; an empty object would be refused when it is read, never taken for content.
    serde_json::to_string(prior).unwrap_or_else(|_| "{}".to_owned())
}

/// A JSON object.
pub(super) fn live_column(publishing: &Publishing) -> String {
    let column = LiveColumn {
        live: &publishing.live,
        version: publishing.version,
    };
    // As above.
    serde_json::to_string(&column).unwrap_or_else(|_| "{}".to_owned())
}

/// What the public saw, and beside it the version that it was to see: earlier programs ignore members that they do not know.
#[derive(Serialize, Deserialize)]
struct LiveColumn<L> {
    #[serde(flatten)]
    live: L,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<ContentHash>,
}

fn json_array(parts: impl Iterator<Item = impl Display>) -> String {
    Value::from(parts.map(|part| part.to_string()).collect::<Vec<_>>()).to_string()
}
