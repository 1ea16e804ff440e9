//! Merges what both sides changed, where the policy says so.

use super::compare::{Comparer, has_lost_companions};
use crate::domain::{Entity, Filled, Proof, SourceId, TargetId};
use crate::plan::action::Agreement;
use crate::plan::merge::{self, Merge};
use crate::plan::policy::OnConflict;
use crate::plan::{Judge, Learns, normal, whole_payload, without};

/// What is said of a conflict that could not be merged without an agreement by field.
const NO_BASE: &str = "changed on both source and target since the last sync, and the state does not know the fields of that sync; \
     use --overwrite to keep the source version";

impl Comparer<'_> {
    /// Merges an item or page that both sides changed since they agreed. `None` where that is not wanted, and the reason
    /// where it cannot be done.
    pub(super) fn merge(
        &self,
        entity: &Entity<SourceId>,
        there: &Entity<TargetId>,
        agreement: &Agreement,
    ) -> Option<Result<Merge, String>> {
        let kind = entity.key.kind;
        let is_wanted = self.policies.on_conflict(entity) == OnConflict::Merge;
        if !is_wanted || !kind.is_localised() || agreement.proof != Proof::Equal {
            return None;
        }
        let Some(agreed) = &agreement.fields else {
            return Some(Err(NO_BASE.to_owned()));
        };
        let existing = there.body.parse();
        let written = whole_payload(entity, &self.context, self.counterparts, Some(&existing));
        let written = written.ok()?.body;
        let expected = normal(kind, &written, self.context.schema);
        let found = normal(kind, &existing, self.target_schema);
        let judge = Judge {
            kind,
            written: &written,
            own: &agreement.filled,
            defaults: self.defaults,
            learns: Learns::Nothing,
            schema: self.context.schema,
        };
        let judged = judge.judge(&expected, &found);
        let mut filled: Filled = agreement.filled.clone();
        filled.extend(judged.filled);
        let found = without(found, &filled);
        let merged = merge::merge(kind, (&expected, &found), &judged.different, agreed);
        let has_lost = has_lost_companions(entity, (&written, &existing), self.context.schema);
        Some(match merged {
            Ok(merge) if merge.taken.is_empty() && has_lost => Err(format!(
                "a companion of a link is missing, and the target changed {}; use --overwrite to keep the source version",
                merge::names(&merge.kept)
            )),
            Ok(merge) => Ok(merge),
            Err(both) => Err(format!(
                "changed on both source and target since the last sync: {}; use --overwrite to keep the source version",
                merge::names(&both)
            )),
        })
    }
}

/// Why a merged entity is written.
pub(super) fn because(merge: &Merge) -> String {
    let taken = merge::names(&merge.taken);
    match &*merge.kept {
        [] => format!("merged: {taken} from the source"),
        kept => format!(
            "merged: {taken} from the source; the target keeps {}",
            merge::names(kept)
        ),
    }
}
