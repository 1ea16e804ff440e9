//! Compares what entities say, but for what the server filled in.

use serde_json::Value;

use super::compare::{Verifier, there_of};
use super::difference::{DifferenceKind, Scope};
use crate::domain::{
    ContentHash, Entity, FieldHashes, Filled, ItemState, Kind, SourceId, TargetId, Version,
};
use crate::engine::context::PlanView;
use crate::plan::{
    self, Judge, Judged, Learns, Node, field_hashes, lost_companions, normal, whole_payload,
    without,
};

/// What is known of a counterpart that this run wrote and that was read back.
#[derive(Debug)]
pub(in crate::engine) struct Compared {
    pub(in crate::engine) node: Node,
    pub(in crate::engine) target: TargetId,
    pub(in crate::engine) name: String,
    pub(in crate::engine) version: Option<Version>,
    /// The hash of what it says without what the server filled in.
    pub(in crate::engine) hash: ContentHash,
    pub(in crate::engine) filled: Filled,
    /// What each field says; of items and pages only.
    pub(in crate::engine) fields: Option<FieldHashes>,
    pub(in crate::engine) bytes_date: Option<String>,
    pub(in crate::engine) is_equal: bool,
}

/// A counterpart with members that may turn out to be filled in, because they are at others.
#[derive(Debug)]
pub(super) struct Open {
    node: Node,
    written: Value,
    expected: Value,
    found: Found,
}

/// What was read back of a counterpart.
#[derive(Debug)]
struct Found {
    target: TargetId,
    name: String,
    version: Option<Version>,
    state: ItemState,
    form: Value,
    /// What the source says where the target keeps something of its own: that is agreed upon, and nothing else.
    agreed: Option<Value>,
    /// Companions of links that the normal form does not show to be missing.
    lost: Vec<plan::Difference>,
    bytes_date: Option<String>,
}

impl Verifier<'_> {
    pub(super) fn compare_bodies(
        &mut self,
        node: Node,
        entity: &Entity<SourceId>,
        found: &Entity<TargetId>,
    ) {
        let existing = found.body.parse();
        let written = whole_payload(
            entity,
            &self.view.rewriting(),
            &self.view.ids,
            Some(&existing),
        );
        let written = match written {
            Ok(written) => written.body,
            Err(unresolved) => {
                return self.report(node, DifferenceKind::Dangling, unresolved.to_string());
            }
        };
        let kind = entity.key.kind;
        let expected = normal(kind, &written, &self.view.schema);
        let found = Found {
            target: found.key.id,
            name: found.name.to_string(),
            version: found.version,
            state: found.state,
            form: normal(kind, &existing, &self.schema),
            agreed: self.note_merged_fields(node, entity, &existing),
            lost: if kind == Kind::Content {
                lost_companions(&written, &existing, &self.view.schema)
            } else {
                Vec::new()
            },
            bytes_date: (kind == Kind::Asset).then(|| date_of(&existing)).flatten(),
        };
        self.note_kept_fields(node, entity, &existing);
        let judged = self.judge(node, (&written, &expected), &found.form);
        self.defaults.learn_from(kind, &expected, &judged.filled);
        self.note_unknown(node, &judged.unknown);
        if judged
            .different
            .iter()
            .any(|difference| difference.added.is_some())
        {
            self.open.push(Open {
                node,
                written,
                expected,
                found,
            });
        } else {
            self.conclude(node, judged, found);
        }
    }

    /// Names the fields that are never written and say something else.
    fn note_kept_fields(&mut self, node: Node, entity: &Entity<SourceId>, existing: &Value) {
        let view = self.view;
        if !view.policies.has_read_only_fields(entity) {
            return;
        }
        let without_policies = plan::Context {
            policies: None,
            ..view.rewriting()
        };
        let own = whole_payload(entity, &without_policies, &view.ids, Some(existing));
        let Ok(own) = own else {
            return;
        };
        let own = normal(entity.key.kind, &own.body, &view.schema);
        let found = normal(entity.key.kind, existing, &self.schema);
        for key in view.policies.read_only_fields_of(entity) {
            if own["fields"][key] != found["fields"][key] {
                let detail =
                    format!("at /fields/{key}: kept as the target has it (sync.read_only)");
                self.report_as(node, (DifferenceKind::DifferentField, true), detail);
            }
        }
    }

    /// Names the fields of a merged entity that the target keeps, and gives what the source says.
    fn note_merged_fields(
        &mut self,
        node: Node,
        entity: &Entity<SourceId>,
        existing: &Value,
    ) -> Option<Value> {
        let view = self.view;
        let kept = view.merged.kept(&entity.key)?;
        let unmerged = plan::Context {
            merged: None,
            ..view.rewriting()
        };
        let own = whole_payload(entity, &unmerged, &view.ids, Some(existing)).ok()?;
        let own = normal(entity.key.kind, &own.body, &view.schema);
        for unit in kept {
            let detail = format!("at {unit}: kept as the target has it (merged)");
            self.report_as(node, (DifferenceKind::DifferentField, true), detail);
        }
        Some(own)
    }

    /// Compares once more what may be filled in, now that all has been seen.
    pub(super) fn conclude_open(&mut self) {
        for open in std::mem::take(&mut self.open) {
            let judged = self.judge(open.node, (&open.written, &open.expected), &open.found.form);
            self.conclude(open.node, judged, open.found);
        }
    }

    fn judge(&self, node: Node, (written, expected): (&Value, &Value), form: &Value) -> Judged {
        if expected == form {
            return Judged::default();
        }
        let kind = self.view.entity(node).key.kind;
        let prior = self.learns(node).then(|| self.prior(node));
        let learns = match &prior {
            None => Learns::Nothing,
            Some(Some(prior)) => Learns::Changed(prior),
            Some(None) => Learns::Everything,
        };
        let judge = Judge {
            kind,
            written,
            own: &self.view.planned(node).filled,
            defaults: &self.defaults,
            learns,
            schema: &self.view.schema,
        };
        let mut judged = judge.judge(expected, form);
        if kind == Kind::Page && !self.view.wrote(node) {
            judged.different.retain(|difference| !is_hidden(difference));
        }
        judged
    }

    /// Notes an item or page that was saved after the version that this run has. `is_as_sent`: whether it is as sent.
    fn note_saved(&self, node: Node, found: &Found, is_as_sent: bool) {
        let Some(version) = found.version else { return };
        let is_equal = |is_written| {
            if is_written {
                return is_as_sent;
            }
            let says_the_same = self.prior(node).is_none_or(|form| form == found.form);
            says_the_same
                && self
                    .before(node)
                    .is_none_or(|before| self.stays_below(before))
        };
        self.note_version(node, (version, found.state), is_equal);
    }

    /// Whether what is read back is the effect of a save of this run.
    fn learns(&self, node: Node) -> bool {
        self.scope == Scope::AfterRun && self.view.wrote(node)
    }

    /// The normal form of what was there before the run.
    fn prior(&self, node: Node) -> Option<Value> {
        let there = self.before(node)?;
        Some(normal(there.key.kind, &there.body.parse(), &self.schema))
    }

    /// The counterpart as it was before the run.
    fn before(&self, node: Node) -> Option<&Entity<TargetId>> {
        let key = &self.view.entity(node).key;
        self.view.target_inventory.get(&there_of(self.view, key)?)
    }

    fn conclude(&mut self, node: Node, judged: Judged, mut found: Found) {
        let kind = self.view.entity(node).key.kind;
        let different: Vec<_> = judged
            .different
            .into_iter()
            .chain(std::mem::take(&mut found.lost))
            .collect();
        let is_equal = different.is_empty();
        for difference in different {
            let (what, detail) = (kind_of(kind, &difference), told(&difference));
            self.report(node, what, detail);
        }
        self.note_saved(node, &found, is_equal);
        // Of a page that was only moved, what the target edited in it is no agreement.
        let planned = self.view.planned(node);
        let is_left = planned.is_place_only() && planned.left_alone;
        if !self.view.wrote(node) || is_left {
            return;
        }
        let mut filled = planned.filled.clone();
        filled.extend(judged.filled);
        let form = found.agreed.unwrap_or_else(|| without(found.form, &filled));
        self.compared.push(Compared {
            node,
            target: found.target,
            name: found.name,
            version: found.version,
            hash: ContentHash::of(&form),
            fields: kind.is_localised().then(|| field_hashes(kind, &form)),
            filled,
            bytes_date: found.bytes_date,
            is_equal,
        });
    }
}

/// Whether a difference is that the Management API shows the id of what a link page leads to. The feeds, from which sources are
/// read, show its URL only, so nothing is known of the source's. A page that this run wrote has no other id than was sent.
fn is_hidden(difference: &plan::Difference) -> bool {
    let member = difference.at.strip_prefix('/');
    difference.added.is_some() && member.is_some_and(plan::is_link_member)
}

/// When the bytes of an asset were changed last, as its row says.
pub(in crate::engine) fn date_of(media: &serde_json::Value) -> Option<String> {
    media["dateModified"].as_str().map(str::to_owned)
}

fn told(difference: &plan::Difference) -> String {
    format!(
        "at {}: expected {}, found {}",
        difference.at, difference.expected, difference.found
    )
}

fn kind_of(kind: Kind, difference: &plan::Difference) -> DifferenceKind {
    match (difference.is_reference, kind) {
        (true, _) => DifferenceKind::WrongReference,
        (false, Kind::Asset) if difference.at == "/size" => DifferenceKind::DifferentBytes,
        (false, _) => DifferenceKind::DifferentField,
    }
}

impl PlanView {
    /// Whether a difference of this kind is left as it is: the run was not to change the entity.
    pub(in crate::engine) fn leaves(&self, node: Node, what: DifferenceKind) -> bool {
        let planned = self.planned(node);
        let keeps_place = || !self.wrote(node) || planned.keeps_number.is_some();
        planned.left_alone || (matches!(what, DifferenceKind::WrongOrder) && keeps_place())
    }
}
