//! What every instance has from its birth: built-in models and containers.
//!
//! Clients find them by name and never create them; only the rich-text model has the same id everywhere.

use serde_json::{Value, json};

use super::ids::IdKind;
use super::text::fold;
use super::{World, model, row};
use crate::mock::file::Row;

/// Reference name, display name and type of the built-in models.
const MODELS: [(&str, &str, i64); 6] = [
    ("RichTextArea", "Rich Text Area", 2),
    ("FormBuilder", "Form Builder", 2),
    ("AgilityFormBuilder", "Agility Form Builder", 2),
    ("AgilityCSS", "Agility CSS", 1),
    ("AgilityJavascript", "Agility Javascript", 1),
    ("AgilityCodeTemplate", "Agility Code Template", 1),
];

/// Reference name and model of the built-in containers.
const CONTAINERS: [(&str, &str); 5] = [
    ("AgilityCSSFiles", "AgilityCSS"),
    ("AgilityJavascriptFiles", "AgilityJavascript"),
    ("AgilityGlobalCodeTemplates", "AgilityCodeTemplate"),
    ("AgilityModuleCodeTemplates", "AgilityCodeTemplate"),
    ("AgilityPageCodeTemplates", "AgilityCodeTemplate"),
];

/// The id of the rich-text model in every instance.
const RICH_TEXT: i64 = 1;

pub(super) fn is_model(row: &Row) -> bool {
    let name = fold(row::text(row, "referenceName").unwrap_or_default());
    MODELS.iter().any(|(known, _, _)| fold(known) == name)
}

pub(super) fn is_container(row: &Row) -> bool {
    let name = fold(row::text(row, "referenceName").unwrap_or_default());
    CONTAINERS.iter().any(|(known, _)| fold(known) == name)
}

/// Adds those that the state file does not have.
pub(super) fn add_models(world: &mut World) {
    for (name, display, kind) in MODELS {
        if world.has_model(name) {
            continue;
        }
        let rich = name == "RichTextArea" && !world.models.contains(RICH_TEXT);
        let id = if rich {
            RICH_TEXT
        } else {
            world
                .ids
                .next(IdKind::BuiltIn, |id| world.models.contains(id))
        };
        let field = if rich {
            ("TextBlob", "Html")
        } else {
            ("Name", "Text")
        };
        let mut row = row::row(json!({
            "id": id, "displayName": display, "referenceName": name, "contentDefinitionTypeID": kind, "description": "",
            "lastModifiedDate": "2020-01-01T00:00:00", "fields": [built_in_field(field.0, field.1)]
        }));
        model::complete(&mut row);
        world.models.put(id, row);
    }
}

/// Adds those that the state file does not have; the models must be there.
pub(super) fn add_containers(world: &mut World) {
    for (name, model) in CONTAINERS {
        if world.containers.by_name(name).is_some() {
            continue;
        }
        let id = world
            .ids
            .next(IdKind::BuiltIn, |id| world.containers.contains(id));
        let mut row = row::row(json!({
            "contentViewID": id, "referenceName": name, "contentDefinitionID": world.models.by_name(model),
            "lastModifiedOn": "2020-01-01T00:00:00", "lastModifiedDate": "01/01/2020 12:00AM"
        }));
        world.complete_container(&mut row);
        world.containers.put(id, row);
    }
}

fn built_in_field(name: &str, kind: &str) -> Value {
    json!({
        "name": name, "label": name, "type": kind, "settings": {}, "labelHelpDescription": null, "itemOrder": 0,
        "designerOnly": false, "isDataField": true, "editable": true, "hiddenField": false, "fieldID": "f1", "description": null
    })
}
