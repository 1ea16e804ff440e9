//! Blocks items and pages that need fields or zones which the target lacks.
//!
//! The target drops values of fields that its model lacks and modules of zones that its template lacks, and reports
//! success. That cannot happen where the run migrates the model or template. Where it does not, because they are in
//! conflict, were changed on the target only, or are not selected, an item or page that needs more than is there is not
//! sent.

use serde_json::Value;

use super::make::Inputs;
use super::matching::Match;
use crate::domain::{Entity, EntityKey, Id, Inventory, Kind, SourceId, TargetId, name_key};
use crate::plan::Schema;
use crate::plan::action::{Action, Planned};
use crate::plan::graph::{Graph, Node};
use crate::plan::normal::says_something;
use crate::plan::schema::ModelSchema;

pub(super) struct Shapes<'a> {
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
    matches: &'a [Match],
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
    pub(super) const fn of(
        inputs: &Inputs<'a>,
        matches: &'a [Match],
        (here, there): (&'a Schema, &'a Schema),
    ) -> Self {
        Self {
            source: inputs.source,
            target: inputs.target,
            matches,
            here,
            there,
        }
    }

    /// Blocks every entity that would be written and lose something.
    /// Gives those that have no counterpart because of it, with the root cause.
    pub(super) fn block(&self, entities: &mut [Planned], graph: &Graph) -> Vec<(Node, EntityKey)> {
        let mut absent = Vec::new();
        for (node, entity) in (0..).zip(self.source.entities()) {
            if !entities[node as usize].action.is_work() {
                continue;
            }
            let needs = graph.needs(node).iter().map(|need| need.on);
            let mut shapes = needs
                .filter(|on| *on != node && is_left(&entities[*on as usize].action))
                .filter(|on| is_shape_of(entity.key.kind, self.entity(*on).key.kind))
                .peekable();
            if shapes.peek().is_none() {
                continue;
            }
            let body = entity.body.parse();
            if let Some(loss) = shapes.find_map(|on| self.loss(&body, on)) {
                let planned = &mut entities[node as usize];
                if matches!(planned.action, Action::Create { .. }) {
                    absent.push((node, loss.by.clone()));
                }
                planned.because =
                    format!("{}; the run leaves {} as it is", loss.what, loss.by).into();
                planned.action = Action::Block { by: loss.by };
            }
        }
        absent
    }

    fn entity(&self, node: Node) -> &'a Entity<SourceId> {
        &self.source.entities()[node as usize]
    }

    /// What an item or page with this body would lose by `on`.
    fn loss(&self, body: &Value, on: Node) -> Option<Loss> {
        let shape = self.entity(on);
        let what = match shape.key.kind {
            Kind::Model => self.lacks_fields(body, on),
            Kind::Container => self.has_other_model(body, on),
            _ => self.lacks_zones(body, on),
        }?;
        Some(Loss {
            by: shape.key.clone(),
            what,
        })
    }

    /// The counterpart that the target has now.
    fn counterpart(&self, node: Node) -> Option<&'a Entity<TargetId>> {
        self.matches[node as usize].entity(&self.entity(node).key, self.target)
    }

    fn lacks_fields(&self, item: &Value, model: Node) -> Option<String> {
        let name = &self.entity(model).name;
        let own = item["properties"]["definitionName"]
            .as_str()
            .unwrap_or_default();
        if name_key(own) != name_key(name) {
            return None;
        }
        let (here, there) = (self.here.model(own)?, self.model_there(model)?);
        let lost = |(key, value): &(&String, &Value)| {
            says_something(value) && here.knows(key) && !there.knows(key)
        };
        let keys = names(item["fields"].as_object()?.iter().filter(lost))?;
        Some(format!("the target's model {name} has no field for {keys}"))
    }

    fn has_other_model(&self, item: &Value, list: Node) -> Option<String> {
        let name = &self.entity(list).name;
        let properties = &item["properties"];
        if name_key(properties["referenceName"].as_str()?) != name_key(name) {
            return None;
        }
        let there = self.counterpart(list)?.body.parse();
        let found = self
            .there
            .model_by_id(there["contentDefinitionID"].as_i64()?)?;
        let model = self.here.model(properties["definitionName"].as_str()?)?;
        let model = EntityKey::global(Kind::Model, model.id);
        let own = self.model_there(self.source.position(&model)?)?;
        (found.id != own.id).then(|| {
            let other = &found.name;
            format!("the target's container {name} holds items of the model {other}")
        })
    }

    fn model_there(&self, model: Node) -> Option<&'a ModelSchema> {
        self.there
            .model_by_id(self.counterpart(model)?.key.id.raw())
    }

    fn lacks_zones(&self, page: &Value, template: Node) -> Option<String> {
        let name = &self.entity(template).name;
        let here = self.here.zones(name)?;
        let there = self.there.zones(&self.counterpart(template)?.name);
        let lost = |(zone, modules): &(&String, &Value)| {
            let zone = name_key(zone);
            modules
                .as_array()
                .is_some_and(|modules| !modules.is_empty())
                && here.contains(&zone)
                && !there.is_some_and(|there| there.contains(&zone))
        };
        let zones = names(page["zones"].as_object()?.iter().filter(lost))?;
        Some(format!("the target's template {name} has no zone {zones}"))
    }
}

/// The names of members, listed; `None` of none.
fn names<'v>(members: impl Iterator<Item = (&'v String, &'v Value)>) -> Option<String> {
    let names: Vec<&str> = members.map(|(name, _)| &**name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Whether what an entity of `kind` can hold depends on one of the kind `shape`.
const fn is_shape_of(kind: Kind, shape: Kind) -> bool {
    matches!(
        (kind, shape),
        (Kind::Content, Kind::Model | Kind::Container) | (Kind::Page, Kind::Template)
    )
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
