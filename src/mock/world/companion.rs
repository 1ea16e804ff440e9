//! Companion fields that a model asks for: `CREATENEW` where the name of one could stand.

use serde_json::{Value, json};

use super::{World, row};
use crate::mock::file::Row;

/// Stands for the name of a field that is to be made.
const CREATE: &str = "CREATENEW";

/// The settings that name a companion, and the end of its name: `Writer_ValueField` (the vendor's usual names).
const COMPANIONS: [(&str, &str); 3] = [
    ("LinkeContentDropdownValueField", "ValueField"),
    ("LinkeContentDropdownTextField", "TextField"),
    ("SortIDFieldName", "SortIdField"),
];

impl World {
    /// Makes the fields that a saved model asks for, behind its own, and names them where they were asked for.
    pub(super) fn make_companions(&mut self, model: &mut Row) {
        if !self.rules.makes_companions {
            return;
        }
        let Some(fields) = model.get_mut("fields").and_then(Value::as_array_mut) else {
            return;
        };
        let asking = fields.iter_mut().filter_map(Value::as_object_mut);
        let wanted: Vec<String> = asking.flat_map(name_companions).collect();
        for name in wanted {
            let has_name = |field: &Value| field["name"].as_str() == Some(&*name);
            if fields.iter().any(has_name) {
                continue;
            }
            fields.push(json!({
                "name": name, "label": name, "type": "Text", "settings": {}, "labelHelpDescription": null,
                "itemOrder": fields.len(), "designerOnly": false, "isDataField": true, "editable": true, "hiddenField": true,
                "fieldID": self.new_field_id(), "description": null
            }));
        }
    }
}

/// The names of the fields that a field asks for, which are in its settings from now on.
fn name_companions(field: &mut Row) -> Vec<String> {
    let own = row::text(field, "name").unwrap_or_default().to_owned();
    let mut names = Vec::new();
    let settings = field.get_mut("settings").and_then(Value::as_object_mut);
    let Some(settings) = settings else {
        return names;
    };
    for (setting, end) in COMPANIONS {
        let asks = row::text(settings, setting)
            .is_some_and(|name| name.trim().eq_ignore_ascii_case(CREATE));
        if asks {
            let name = format!("{own}_{end}");
            row::set(settings, setting, name.as_str());
            names.push(name);
        }
    }
    names
}
