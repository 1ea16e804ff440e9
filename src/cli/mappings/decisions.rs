//! Decisions about items that cannot be recognised, in a file for the user.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::{Id, Key, Kind, Locale, SourceId, TargetId, read_file};
use crate::error::Error;
use crate::plan::{Hint, Recognition};
use crate::report;
use crate::store::Pair;

/// What the user is to do.
const HELP: &str = "set each target to the id of the counterpart, or to 0 where there is none; then run lockgate mappings \
                    rebuild --decisions with this file";

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Decisions {
    source: String,
    target: String,
    #[serde(default)]
    help: String,
    #[serde(rename = "decisions")]
    made: Vec<Decision>,
}

/// One item with all its locales.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Decision {
    pub(super) kind: Kind,
    /// The id on the source.
    pub(super) id: i64,
    /// In which locales; empty for kinds that exist once per instance.
    #[serde(default)]
    pub(super) locales: Vec<Locale>,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) container: String,
    /// The id of the counterpart, 0 for none; null while it is not decided.
    pub(super) target: Option<i64>,
    #[serde(default)]
    pub(super) candidates: Vec<Candidate>,
}

/// An item of the target that is the counterpart of none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) target: i64,
    pub(super) name: String,
}

impl Decisions {
    pub(super) fn new(pair: &Pair, made: Vec<Decision>) -> Self {
        Self {
            source: pair.source.to_string(),
            target: pair.target.to_string(),
            help: HELP.to_owned(),
            made,
        }
    }

    /// Reads the file of a pair.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, [`Error::Usage`] when it is not such a file, or is of another pair.
    pub(super) fn read(path: &Path, pair: &Pair) -> Result<Self, Error> {
        let text = read_file(path).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?;
        let refused = |message: String, hint: &str| Error::Usage {
            message,
            hint: Some(hint.to_owned()),
        };
        let found: Self = serde_json::from_slice(&text).map_err(|error| {
            let message = format!("{} is not a file of decisions: {error}", path.display());
            refused(message, "`lockgate mappings rebuild` writes one")
        })?;
        let is_of_pair = found.source.eq_ignore_ascii_case(pair.source.as_str())
            && found.target.eq_ignore_ascii_case(pair.target.as_str());
        if !is_of_pair {
            let message = format!(
                "{} decides about {} to {}, and the instances are {} and {}",
                path.display(),
                found.source,
                found.target,
                pair.source,
                pair.target
            );
            return Err(refused(message, "name the instances of the file"));
        }
        for one in &found.made {
            if one.kind.is_localised() == one.locales.is_empty()
                || one.target < Some(0) && one.target.is_some()
            {
                let message = format!(
                    "{}: the decision about {} {} needs a target id, and locales for content and pages only",
                    path.display(),
                    one.kind,
                    one.id
                );
                return Err(refused(message, "correct it, or delete it"));
            }
        }
        Ok(found)
    }

    /// Writes the file, and never over another one.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is one, [`Error::File`] when it cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        if path.exists() {
            return Err(Error::Usage {
                message: format!("{} is there already", path.display()),
                hint: Some(
                    "read it with --decisions, move it away, or name another file with --undecided"
                        .to_owned(),
                ),
            });
        }
        let failed = |source| Error::File {
            path: path.to_owned(),
            source,
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        report::write_whole_at(path, text.as_bytes()).map_err(failed)
    }

    /// What was decided, as evidence before all other.
    pub(super) fn hints(&self) -> Vec<Hint> {
        let decided = self.made.iter();
        decided
            .filter_map(|one| Some((one, one.target.filter(|target| *target > 0)?)))
            .flat_map(|(one, target)| {
                one.keys().into_iter().map(move |key| Hint {
                    key,
                    target: TargetId::new(target),
                    evidence: Recognition::Decision,
                    target_version: None,
                })
            })
            .collect()
    }

    /// Whether a decision was made about an item, be it that it has no counterpart.
    pub(super) fn is_decided(&self, kind: Kind, id: i64) -> bool {
        let mut decisions = self.made.iter();
        decisions.any(|one| one.kind == kind && one.id == id && one.target.is_some())
    }
}

impl Decision {
    fn keys(&self) -> Vec<Key<SourceId>> {
        if self.locales.is_empty() {
            return vec![Key::global(self.kind, self.id)];
        }
        let locales = self.locales.iter();
        locales
            .map(|locale| Key::localised(self.kind, self.id, locale))
            .collect()
    }
}
