//! A plan in a file, to be reviewed, approved and applied later: `lockgate plan --out`, `lockgate apply`.
//!
//! One JSON document. Its checksum covers every member, so a file that was edited or truncated is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::approved::{Approval, Deletion, Intended};
use crate::domain::{ContentHash, Guid};

/// The form of the file. Raised when a member changes its meaning, and when one comes without which a plan is not the same.
/// Form 2 has deletions and what is unpublished, form 3 files; a plan without any is written in the form before, which earlier
/// versions read.
pub const FORM: u32 = 3;

/// A plan as a file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The form of the file; see [`FORM`].
    pub form: u32,
    /// The version of the program that made it.
    pub lockgate: String,
    /// Names this plan; it is applied once.
    pub id: String,
    /// When it was made, in UTC (RFC 3339).
    pub made_at: String,
    /// The instance read from.
    pub source: Guid,
    /// The instance written to.
    pub target: Guid,
    /// The selection and the policies, as the configuration names them below `sync`.
    pub settings: Map<String, Value>,
    /// Whether there is something to apply.
    pub applyable: bool,
    /// Whether everything is in sync once it is applied: no conflict, nothing that is certain to fail.
    pub complete: bool,
    /// Entities by action.
    pub counts: BTreeMap<Intended, u32>,
    /// Every entity that is not left out, in the order of the plan.
    pub entities: Vec<Approval>,
    /// What is deleted on the target; absent where nothing is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletions: Vec<Deletion>,
    /// Over all other members.
    pub checksum: String,
}

/// Why a file is no plan that can be applied.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It is not JSON, or not of this form.
    #[error("it is not a plan file: {0}")]
    Shape(serde_json::Error),
    /// It is of a newer form.
    #[error("it has form {found}, and this version of lockgate knows forms up to {FORM}")]
    Newer {
        /// The form that it names.
        found: u64,
    },
    /// It does not say what it said when it was written.
    #[error("its checksum does not match: it was changed or cut off after it was made")]
    Changed,
}

impl PlanFile {
    /// Counts the actions, and closes the document with its checksum.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.counts.clear();
        for one in &self.entities {
            *self.counts.entry(one.action).or_default() += 1;
        }
        let unpublishes = self.entities.iter().any(|one| one.unpublish);
        let has_files = self.entities.iter().any(|one| one.file.is_some());
        self.form = match (has_files, unpublishes || !self.deletions.is_empty()) {
            (true, _) => FORM,
            (false, true) => 2,
            (false, false) => 1,
        };
        if let Ok(deleted @ 1..) = u32::try_from(self.deletions.len()) {
            self.counts.insert(Intended::Delete, deleted);
        }
        let publishes = unpublishes || self.entities.iter().any(|one| one.publish);
        self.applyable = publishes || self.counts.keys().any(|action| action.is_change());
        self.complete = !self.counts.keys().any(|action| action.is_open());
        self.checksum = self.sum();
        self
    }

    /// The document.
    ///
    /// # Errors
    /// [`serde_json::Error`], of which there is none for these members.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// [`PlanFileError`]
    pub fn parse(text: &[u8]) -> Result<Self, PlanFileError> {
        /// What every form has.
        #[derive(Deserialize)]
        struct Face {
            form: u64,
        }
        let face: Face = serde_json::from_slice(text).map_err(PlanFileError::Shape)?;
        if face.form > FORM.into() {
            return Err(PlanFileError::Newer { found: face.form });
        }
        let plan: Self = serde_json::from_slice(text).map_err(PlanFileError::Shape)?;
        if plan.checksum != plan.sum() {
            return Err(PlanFileError::Changed);
        }
        Ok(plan)
    }

    fn sum(&self) -> String {
        let open = Self {
            checksum: String::new(),
            ..self.clone()
        };
        // Members keep their order, so the same document has the same text.
        let text = serde_json::to_vec(&open).unwrap_or_default();
        ContentHash::of_bytes(&text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EntityKey, Id as _, Kind, TargetId};
    use crate::plan::AgreedFile;

    fn plan() -> PlanFile {
        let approval = Approval {
            key: EntityKey::global(Kind::Gallery, 61),
            name: "One \u{e9}".to_owned(),
            action: Intended::Update,
            target: Some(TargetId::new(71)),
            because: "the source changed".to_owned(),
            source: ContentHash::of_bytes(b"here"),
            counterpart: Some(ContentHash::of_bytes(b"there")),
            publish: false,
            unpublish: false,
            file: None,
        };
        PlanFile {
            form: FORM,
            lockgate: "0.1.0".to_owned(),
            id: "20260101-000000-0001".to_owned(),
            made_at: "2026-01-01T00:00:00Z".to_owned(),
            source: Guid::new("1a2b3c4d-u"),
            target: Guid::new("5e6f7a8b-u"),
            settings: Map::from_iter([("sync.overwrite".to_owned(), false.into())]),
            applyable: false,
            complete: false,
            counts: BTreeMap::new(),
            entities: vec![approval],
            deletions: Vec::new(),
            checksum: String::new(),
        }
        .sealed()
    }

    #[test]
    fn it_reads_what_it_wrote() {
        let text = plan().to_text().unwrap();
        assert_eq!(PlanFile::parse(text.as_bytes()).unwrap(), plan());
    }

    #[test]
    fn earlier_versions_read_a_plan_that_has_nothing_else() {
        let with = |change: fn(&mut Approval)| {
            let mut plan = plan();
            plan.entities.iter_mut().for_each(change);
            plan.sealed().form
        };
        let file = AgreedFile {
            was: None,
            becomes: "img/a.png, 3 bytes".to_owned(),
        };
        assert_eq!(with(|_| ()), 1);
        assert_eq!(with(|one| one.unpublish = true), 2);
        let mut plan = plan();
        plan.entities[0].file = Some(file);
        let plan = plan.sealed();
        assert_eq!(plan.form, 3);
        let text = plan.to_text().unwrap();
        assert_eq!(PlanFile::parse(text.as_bytes()).unwrap(), plan);
    }

    /// Every bit of the document: what is accepted all the same says the same.
    #[test]
    fn what_was_changed_is_refused_or_harmless() {
        let text = plan().to_text().unwrap().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                if let Ok(read) = PlanFile::parse(&changed) {
                    assert_eq!(read, plan(), "bit {bit} of byte {at}");
                }
            }
        }
    }

    /// Each action by itself, as plans call it.
    #[test]
    fn a_plan_is_complete_when_nothing_in_it_fails_or_is_in_conflict() {
        for (action, applyable, complete) in [
            ("create", true, true),
            ("update", true, true),
            ("adopt", true, true),
            ("unchanged", false, true),
            ("left-alone", false, true),
            ("conflict", false, false),
            ("failed", false, false),
            ("blocked", false, false),
        ] {
            let mut text = serde_json::to_value(plan()).unwrap();
            text["entities"][0]["action"] = action.into();
            let plan: PlanFile = serde_json::from_value(text).unwrap();
            let plan = plan.sealed();
            assert_eq!(
                (plan.applyable, plan.complete),
                (applyable, complete),
                "{action}"
            );
        }
    }

    #[test]
    fn a_newer_form_is_named() {
        let text = plan().to_text().unwrap();
        let newer = text.replacen("\"form\": 1", "\"form\": 4", 1);
        let error = PlanFile::parse(newer.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("form 4"), "{error}");
    }
}
