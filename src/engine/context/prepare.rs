//! Entities in the target's terms.

use std::io;
use std::sync::Arc;

use serde_json::Value;

use super::plan_view::PlanView;
use crate::domain::{ContentHash, Entity, Id as _, Kind, Locale, SourceId, TargetId, TargetKey};
use crate::engine::open_intents::Signature;
use crate::engine::state::Step;
use crate::instance::{Fingerprint, Save};
use crate::plan::{
    Action, Difference, LeaveOut, Node, Schema, container_of, differences, expected_hash,
    fields_hash, normal, payload,
};
use crate::planted::{self, Bug};
use crate::store::{IntentDetail, Mapping, Operation, PriorBytes};

/// An entity in the target's terms, ready to be sent.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Prepared {
    /// The entity.
    pub(in crate::engine) node: Node,
    /// Which save.
    pub(in crate::engine) step: Step,
    /// What is sent.
    pub(in crate::engine) save: Save,
    /// The length of its body as JSON.
    pub(in crate::engine) bytes: u64,
    /// The hash that the target will have.
    pub(in crate::engine) target_hash: ContentHash,
    /// The same without the place of a page.
    pub(in crate::engine) fields_hash: ContentHash,
    /// Whether it is a page that was published, and is saved as it was, at another place.
    pub(in crate::engine) was_published: bool,
    /// The bytes of the asset that it replaces, when it replaces one.
    pub(in crate::engine) replaced: Option<PriorBytes>,
    /// The bytes of an asset, once they were sent.
    pub(in crate::engine) sent: Option<Fingerprint>,
}

impl Prepared {
    /// How the normal form of what the target has differs from that of what was sent.
    pub(in crate::engine) fn differences(
        &self,
        stored: &Value,
        schema: &Schema,
    ) -> Vec<Difference> {
        let form = |body| normal(self.save.kind, body, schema);
        differences(&form(&self.save.body), &form(stored))
    }
}

impl PlanView {
    /// Writes an entity in the target's terms.
    ///
    /// # Errors
    /// A sentence that names the reference which has no counterpart. That is our mistake: nothing
    /// becomes ready before everything that it refers to is there.
    pub(in crate::engine) fn prepare(&self, node: Node, step: Step) -> Result<Prepared, String> {
        self.prepare_version(node, step, self.entity(node))
    }

    /// The same of an item in the version that the source shows to the public.
    ///
    /// # Errors
    /// A sentence that names a reference of that version which has no counterpart.
    pub(in crate::engine) fn prepare_public(&self, node: Node) -> Result<Prepared, String> {
        let public = self.public.get(&self.entity(node).key);
        let public = public.ok_or_else(|| "its published version was not read".to_owned())?;
        self.prepare_version(node, Step::Patch, public)
    }

    fn prepare_version(
        &self,
        node: Node,
        step: Step,
        entity: &Entity<SourceId>,
    ) -> Result<Prepared, String> {
        let planned = self.planned(node);
        let id = self.counterpart(node);
        let left_out = match step {
            Step::Patch if !planted::has(Bug::PatchesNothing) => LeaveOut::default(),
            Step::Save | Step::Patch => planned
                .left_out
                .iter()
                .map(|(referent, _)| referent.clone())
                .collect(),
        };
        let existing = self.existing(entity, id);
        let written = payload(
            entity,
            &self.rewriting(),
            &self.ids,
            &left_out,
            existing.as_ref(),
        )
        .map_err(|unresolved| unresolved.to_string())?;
        let mut body = written.body;
        if let (Step::Save, Some(name)) = (step, &planned.temporary) {
            set_name(entity.key.kind, &mut body, name);
        }
        if let Some(number) = planned.keeps_number {
            body["properties"]["itemOrder"] = number.into();
        }
        let kind = entity.key.kind;
        let parent = self.home_parent(node)?;
        let target_hash = expected_hash(kind, &body, parent, &self.schema);
        let fields_hash = match parent {
            Some(_) => fields_hash(kind, &body, &self.schema),
            None => target_hash,
        };
        let locale = entity.key.locale.clone().or_else(|| self.any_locale());
        let bytes = json_bytes(&body);
        let save = Save {
            kind: entity.key.kind,
            name: entity.name.clone(),
            id,
            locale,
            body: Arc::new(body),
            numbers: entity.body.numbers(),
        };
        Ok(Prepared {
            node,
            step,
            save,
            bytes,
            target_hash,
            fields_hash,
            was_published: false,
            replaced: None,
            sent: None,
        })
    }

    /// What the target has of a template, whose zones keep their ids, of an asset, which keeps the spelling of its path, of a
    /// model, which keeps the companion fields that the server made for it, or of an item or page with fields that stay as they
    /// are.
    fn existing(&self, entity: &Entity<SourceId>, id: Option<TargetId>) -> Option<Value> {
        let key: TargetKey = entity.key.with_id(id?);
        let is_needed = match key.kind {
            Kind::Template | Kind::Asset | Kind::Model => true,
            Kind::Content | Kind::Page => {
                self.merged.kept(&entity.key).is_some()
                    || self.policies.has_read_only_fields(entity)
            }
            Kind::Container | Kind::Gallery | Kind::Redirection => false,
        };
        let there = is_needed.then(|| self.target_inventory.get(&key));
        there.flatten().map(|there| there.body.parse())
    }

    /// A locale of the target for paths that need one and do not care which.
    fn any_locale(&self) -> Option<Locale> {
        self.target_inventory.locales.first().cloned()
    }

    /// What equal items have in common, and only they.
    pub(in crate::engine) fn signature(&self, item: &Prepared) -> Signature {
        let key = &self.entity(item.node).key;
        (key.kind, key.locale.clone(), item.target_hash)
    }

    /// What recovery needs of an item that is about to leave.
    pub(in crate::engine) fn detail(&self, operation: Operation, item: &Prepared) -> IntentDetail {
        let entity = self.entity(item.node);
        let planned = self.planned(item.node);
        let operation = match (operation, item.step, &planned.action) {
            (Operation::Upload, ..) => Operation::Upload,
            (_, Step::Patch, _) => Operation::Patch,
            (_, Step::Save, Action::Update { .. }) => Operation::Update,
            (_, Step::Save, _) => Operation::Create,
        };
        let of_kind = self.target_inventory.of_kind(entity.key.kind);
        IntentDetail {
            operation,
            merged: planned.merge.is_some(),
            name: entity.name.to_string(),
            source_hash: planned.source_hash,
            source_version: entity.version,
            // A page has its id in another locale before it is saved in this one.
            target: item
                .save
                .id
                .or_else(|| self.ids.shared(entity.key.kind, entity.key.id)),
            container: container_of(&item.save.body).to_owned(),
            // No page is sent before its parent is known.
            parent: self.home_parent(item.node).unwrap_or_default(),
            newest: of_kind.last().map_or(0, |newest| newest.key.id.raw()),
            unmatched: self.unmatched_near(&item.save),
            place: self.place_sent(item),
        }
    }

    /// What a save of the place alone leaves agreed about the fields: what was. A merged save as well: what the target has
    /// of its own is no agreement, and what was written is one once it is read back.
    pub(in crate::engine) fn unless_place_only(
        &self,
        item: &Prepared,
        mapping: Mapping,
    ) -> Mapping {
        let known = self
            .pre_images
            .mapping(&mapping.key.with_id(mapping.target));
        let planned = self.planned(item.node);
        match known.filter(|_| planned.is_place_only() || planned.merge.is_some()) {
            Some(known) => Mapping {
                source_version: known.source_version,
                // What the target edited came after the version that is agreed upon, and stays so.
                target_version: if planned.left_alone {
                    known.target_version
                } else {
                    mapping.target_version
                },
                source_hash: known.source_hash,
                target_hash: known.target_hash,
                proof: known.proof,
                filled: known.filled.clone(),
                fields: known.fields.clone(),
                ..mapping
            },
            None => mapping,
        }
    }
}

/// Writes a name into a body in the place where its kind has it.
fn set_name(kind: Kind, body: &mut Value, name: &str) {
    let member = match kind {
        Kind::Model | Kind::Container => "referenceName",
        Kind::Template => "pageTemplateName",
        Kind::Gallery | Kind::Page => "name",
        Kind::Redirection => "originUrl",
        // Its path is where an asset is, and content has no name.
        Kind::Asset | Kind::Content => return,
    };
    body[member] = name.into();
}

/// The length of `value` as JSON text.
pub(in crate::engine) fn json_bytes(value: &Value) -> u64 {
    struct Count(u64);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("counting never fails");
    count.0
}
