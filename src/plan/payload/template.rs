//! Templates: zones have the same names on both sides and different ids.

use serde_json::Value;

use super::shape::{Object, leave};
use crate::domain::name_key;
use crate::plan::references::as_id;

/// Members of a template zone that point into the source and have no counterpart.
const ZONE_LEFT: [&str; 5] = [
    "sharedModules",
    "publishContentItemID",
    "moduleID",
    "contentTemplateID",
    "state",
];
pub(super) fn prepare(body: &mut Object) {
    leave(body, &["pageTemplateID"]);
    let zones = body
        .get_mut("contentSectionDefinitions")
        .and_then(Value::as_array_mut);
    for zone in zones.into_iter().flatten().filter_map(Value::as_object_mut) {
        leave(zone, &ZONE_LEFT);
    }
}

/// Zones are matched by reference name; without a counterpart they are new.
pub(super) fn zone_ids(body: &mut Value, existing: Option<&Value>) {
    let known = |template: &Value| {
        template
            .get("contentSectionDefinitions")
            .and_then(Value::as_array)
            .cloned()
    };
    let known = existing.and_then(known).unwrap_or_default();
    let owner = existing
        .and_then(|template| as_id(template.get("pageTemplateID")?))
        .unwrap_or(-1);
    let zones = body
        .get_mut("contentSectionDefinitions")
        .and_then(Value::as_array_mut);
    for zone in zones.into_iter().flatten().filter_map(Value::as_object_mut) {
        let name = zone_name(zone.get("pageItemTemplateReferenceName"));
        let there = known
            .iter()
            .find(|zone| zone_name(zone.get("pageItemTemplateReferenceName")) == name);
        let id = there
            .and_then(|zone| as_id(zone.get("pageItemTemplateID")?))
            .unwrap_or(-1);
        zone.insert("pageItemTemplateID".to_owned(), id.into());
        zone.insert("pageTemplateID".to_owned(), owner.into());
        let modules = zone.get_mut("defaultModules").and_then(Value::as_array_mut);
        for module in modules
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            module.insert("pageItemTemplateDefaultModuleID".to_owned(), (-1).into());
            module.insert("pageItemTemplateID".to_owned(), id.into());
        }
    }
}

fn zone_name(name: Option<&Value>) -> Box<str> {
    name.and_then(Value::as_str)
        .map(name_key)
        .unwrap_or_default()
}
