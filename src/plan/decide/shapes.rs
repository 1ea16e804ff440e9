//! Blocks what would be sent into a shape that cannot hold it.
//!
//! The target drops values of fields that its model lacks and modules of zones that its template lacks, and answers
//! success. Where the run brings the model or template along that cannot happen. Where it leaves them as they are, because
//! they are in conflict, were changed on the target only, or are not selected, an item or page that needs more than is
//! there is not sent; one that needs no more is.

use serde_json::Value;

use super::make::Inputs;
use crate::domain::{Entity, EntityKey, Id, Inventory, Key, Kind, SourceId, TargetId, name_key};
use crate::plan::Schema;
use crate::plan::action::{Action, Agreements, Planned};
use crate::plan::graph::{Graph, Node};
use crate::plan::schema::ModelSchema;

/// The members of a template's zones.
const ZONES: &str = "contentSectionDefinitions";

pub(super) struct Shapes<'a> {
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
    agreements: &'a Agreements,
    here: &'a Schema,
    there: &'a Schema,
}

/// What an entity would lose, and by what.
struct Loss {
    by: EntityKey,
    what: String,
}

impl<'a> Shapes<'a> {
    /// What the two sides can hold; `here` and `there` are their models.
    pub(super) const fn of(inputs: &Inputs<'a>, (here, there): (&'a Schema, &'a Schema)) -> Self {
        Self {
            source: inputs.source,
            target: inputs.target,
            agreements: inputs.agreements,
            here,
            there,
        }
    }

    /// Blocks every entity that would be written and lose something.
    pub(super) fn block(&self, entities: &mut [Planned], graph: &Graph) {
        for (node, entity) in (0..).zip(self.source.entities()) {
            if !entities[node as usize].action.is_work() {
                continue;
            }
            let losses = graph.needs(node).iter().filter(|need| need.on != node);
            let loss = losses
                .filter(|need| is_left(&entities[need.on as usize].action))
                .find_map(|need| self.loss(entity, need.on));
            if let Some(loss) = loss {
                let planned = &mut entities[node as usize];
                planned.because =
                    format!("{}; the run leaves {} as it is", loss.what, loss.by).into();
                planned.action = Action::Block { by: loss.by };
            }
        }
    }

    fn loss(&self, entity: &Entity<SourceId>, on: Node) -> Option<Loss> {
        let shape = &self.source.entities()[on as usize];
        let what = match (entity.key.kind, shape.key.kind) {
            (Kind::Content, Kind::Model) => self.lacks_fields(entity, shape),
            (Kind::Content, Kind::Container) => self.has_other_model(entity, shape),
            (Kind::Page, Kind::Template) => self.lacks_zones(entity, shape),
            (_, _) => None,
        }?;
        Some(Loss {
            by: shape.key.clone(),
            what,
        })
    }

    /// The counterpart that the target has now: the one that is remembered, else its namesake.
    fn counterpart(&self, shape: &Entity<SourceId>) -> Option<&Entity<TargetId>> {
        let remembered = self.agreements.get(&shape.key).and_then(|agreement| {
            self.target.get(&Key {
                kind: shape.key.kind,
                id: agreement.target,
                locale: None,
            })
        });
        let is_namesake =
            |there: &&Entity<TargetId>| name_key(&there.name) == name_key(&shape.name);
        remembered.or_else(|| self.target.of_kind(shape.key.kind).iter().find(is_namesake))
    }

    fn lacks_fields(&self, item: &Entity<SourceId>, model: &Entity<SourceId>) -> Option<String> {
        let body = item.body.parse();
        let own = body["properties"]["definitionName"]
            .as_str()
            .unwrap_or_default();
        if name_key(own) != name_key(&model.name) {
            return None;
        }
        let here = self.here.model(own)?;
        let there = self
            .there
            .model_by_id(self.counterpart(model)?.key.id.raw())?;
        let lost = |(key, value): &(&String, &Value)| {
            says_something(value) && here.knows(key) && !there.knows(key)
        };
        let keys: Vec<&str> = body["fields"]
            .as_object()?
            .iter()
            .filter(lost)
            .map(|(key, _)| &**key)
            .collect();
        (!keys.is_empty()).then(|| {
            format!(
                "the target's model {} has no field for {}",
                model.name,
                keys.join(", ")
            )
        })
    }

    fn has_other_model(&self, item: &Entity<SourceId>, list: &Entity<SourceId>) -> Option<String> {
        let body = item.body.parse();
        let properties = &body["properties"];
        let is_own = name_key(properties["referenceName"].as_str()?) == name_key(&list.name);
        let there = self.counterpart(list).filter(|_| is_own)?;
        let found = self
            .there
            .model_by_id(there.body.parse()["contentDefinitionID"].as_i64()?)?;
        let own = self.model_there(properties["definitionName"].as_str()?)?;
        (found.id != own.id).then(|| {
            format!(
                "the target's container {} holds items of the model {}",
                list.name, found.name
            )
        })
    }

    fn model_there(&self, name: &str) -> Option<&ModelSchema> {
        let models = self.source.of_kind(Kind::Model);
        let model = models
            .iter()
            .find(|model| name_key(&model.name) == name_key(name))?;
        self.there
            .model_by_id(self.counterpart(model)?.key.id.raw())
    }

    fn lacks_zones(&self, page: &Entity<SourceId>, template: &Entity<SourceId>) -> Option<String> {
        let body = page.body.parse();
        let (here, there) = (
            template.body.parse(),
            self.counterpart(template)?.body.parse(),
        );
        let lost = |(zone, modules): &(&String, &Value)| {
            modules
                .as_array()
                .is_some_and(|modules| !modules.is_empty())
                && has_zone(&here, zone)
                && !has_zone(&there, zone)
        };
        let zones: Vec<&str> = body["zones"]
            .as_object()?
            .iter()
            .filter(lost)
            .map(|(zone, _)| &**zone)
            .collect();
        (!zones.is_empty()).then(|| {
            format!(
                "the target's template {} has no zone {}",
                template.name,
                zones.join(", ")
            )
        })
    }
}

/// Whether the run does not write it, though it is there.
const fn is_left(action: &Action) -> bool {
    match action {
        Action::Adopt { .. }
        | Action::Unchanged { .. }
        | Action::Conflict { target: Some(_) }
        | Action::OutOfScope => true,
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Conflict { target: None }
        | Action::Fail { .. }
        | Action::Block { .. } => false,
    }
}

fn has_zone(template: &Value, zone: &str) -> bool {
    let zones = template[ZONES].as_array().into_iter().flatten();
    let mut names = zones.filter_map(|zone| zone["pageItemTemplateReferenceName"].as_str());
    names.any(|name| name_key(name) == name_key(zone))
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
