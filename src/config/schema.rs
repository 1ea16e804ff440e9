//! The JSON schema of a configuration file, for editors.
//!
//! Made from the documented default file and the table of keys, so that it cannot lag behind them: descriptions are the
//! comments, types are those of the values, and bounds are the ones that the comments name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::targets::{TABLE_KEYS, TABLES};
use super::validate::choices_of;
use super::{DEFAULT_FILE, KEYS, KeyInfo};

/// What the default file says about one key.
#[derive(Clone, Debug, Default, PartialEq)]
struct Documented {
    /// The comments above it, as one text.
    text: String,
    /// Its default, or the example of a key without one.
    value: Option<toml::Value>,
    has_default: bool,
}

/// The schema, in the form of JSON Schema 2020-12.
pub fn schema() -> Value {
    let (documented, tables) = documented();
    let mut root = Map::new();
    for info in KEYS {
        let found = documented.get(info.key).cloned().unwrap_or_default();
        let property = property(info, &found);
        match info.key.split_once('.') {
            None => drop(root.insert(info.key.to_owned(), property)),
            Some((table, key)) => {
                let entry = root.entry(table).or_insert_with(
                    || json!({ "type": "object", "additionalProperties": false, "properties": {} }),
                );
                if let Some(text) = tables.get(table) {
                    entry["description"] = text.as_str().into();
                }
                entry["properties"][key] = property;
            }
        }
    }
    let table: Map<String, Value> = TABLE_KEYS
        .iter()
        .filter_map(|(leaf, key)| {
            let (table, key) = key.split_once('.')?;
            Some(((*leaf).to_owned(), root[table]["properties"][key].clone()))
        })
        .collect();
    root.insert(
        TABLES.to_owned(),
        json!({
            "type": "object",
            "description": "Instances with a name, for --target NAME, --source NAME and `lockgate promote`.",
            "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$" },
            "additionalProperties": {
                "type": "object",
                "additionalProperties": false,
                "properties": table
            }
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of lockgate",
        "type": "object",
        "additionalProperties": false,
        "properties": root
    })
}

/// Keys by their path, and the comments above tables.
fn documented() -> (BTreeMap<String, Documented>, BTreeMap<String, String>) {
    let (mut keys, mut tables) = (BTreeMap::new(), BTreeMap::new());
    let (mut table, mut text) = (String::new(), Vec::new());
    for line in DEFAULT_FILE.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            name.clone_into(&mut table);
            if !text.is_empty() {
                tables.insert(table.clone(), std::mem::take(&mut text).join(" "));
            }
            continue;
        }
        let is_example = line.starts_with("# ");
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some((key, value)) = assigned(bare, &table) {
            let text = std::mem::take(&mut text).join(" ");
            let has_default = !is_example;
            let documented = Documented {
                text,
                value,
                has_default,
            };
            keys.insert(key, documented);
        } else if line.is_empty() {
            text.clear();
        } else if is_example && !bare.starts_with("  ") {
            text.push(bare.to_owned());
        }
    }
    (keys, tables)
}

/// The path and value of a line that sets a key.
fn assigned(line: &str, table: &str) -> Option<(String, Option<toml::Value>)> {
    let (name, value) = line.split_once(" = ")?;
    let key = if table.is_empty() {
        name.to_owned()
    } else {
        format!("{table}.{name}")
    };
    KeyInfo::find(&key)?;
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {value}"));
    Some((
        key,
        parsed.ok().and_then(|mut parsed| parsed.remove("value")),
    ))
}

fn property(info: &KeyInfo, found: &Documented) -> Value {
    let mut property = match &found.value {
        Some(toml::Value::Boolean(_)) => json!({ "type": "boolean" }),
        Some(toml::Value::Integer(_)) if info.key == "pace.per_second_max" => {
            json!({ "type": "number", "exclusiveMinimum": 0 })
        }
        Some(toml::Value::Integer(_)) => bounded(&found.text),
        Some(toml::Value::Float(_)) => json!({ "type": "number" }),
        Some(toml::Value::Array(parts)) => list(info, parts),
        Some(toml::Value::String(_) | toml::Value::Datetime(_) | toml::Value::Table(_)) | None => {
            match choices_of(info.key) {
                Some(choices) => json!({ "type": "string", "enum": choices }),
                None => json!({ "type": "string", "minLength": 1 }),
            }
        }
    };
    property["description"] = found.text.as_str().into();
    if found.has_default
        && let Some(value) = &found.value
    {
        property["default"] = serde_json::to_value(value).unwrap_or_default();
    }
    property
}

fn list(info: &KeyInfo, parts: &[toml::Value]) -> Value {
    let text = || json!({ "type": "string", "minLength": 1 });
    let number = || json!({ "type": "integer" });
    let items = match choices_of(info.key) {
        Some(choices) => json!({ "enum": choices }),
        None if parts.iter().all(toml::Value::is_integer) => number(),
        None if parts.iter().any(toml::Value::is_integer) => json!({ "anyOf": [number(), text()] }),
        None => text(),
    };
    json!({ "type": "array", "minItems": 1, "items": items })
}

/// A whole number, with the bounds that the text names: `1 to 250`.
fn bounded(text: &str) -> Value {
    let mut property = json!({ "type": "integer" });
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &str| word.trim_end_matches(['.', ',', ';']).parse::<i64>().ok();
    let bounds = words.windows(3).find_map(|three| match three {
        [least, "to", most] => number(least).zip(number(most)),
        _ => None,
    });
    if let Some((least, most)) = bounds {
        property["minimum"] = least.into();
        property["maximum"] = most.into();
    }
    property
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, Inputs};

    fn at<'a>(schema: &'a Value, key: &str) -> &'a Value {
        let path = key.replace('.', "/properties/");
        schema.pointer(&format!("/properties/{path}")).unwrap()
    }

    fn accepts(schema: &Value, text: &str) -> bool {
        let mut compiler = boon::Compiler::new();
        let mut schemas = boon::Schemas::new();
        compiler.add_resource("s.json", schema.clone()).unwrap();
        let index = compiler.compile("s.json", &mut schemas).unwrap();
        let values: toml::Table = toml::from_str(text).unwrap();
        schemas
            .validate(&serde_json::to_value(values).unwrap(), index)
            .is_ok()
    }

    /// Whether the program takes a file.
    fn is_taken(text: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lockgate.toml"), text).unwrap();
        let loaded = Config::load(&Inputs {
            directory: folder.path().to_owned(),
            environment: Environment::default(),
            file: None,
            preset: None,
            given: Vec::new(),
        });
        loaded.is_ok_and(|config| config.check().is_ok())
    }

    #[test]
    fn the_default_file_and_all_its_examples_fit() {
        let schema = schema();
        assert!(accepts(&schema, DEFAULT_FILE));
        let (documented, _) = documented();
        for info in KEYS {
            let found = &documented[info.key];
            let value = found
                .value
                .as_ref()
                .unwrap_or_else(|| panic!("{} has no value", info.key));
            assert!(!found.text.is_empty(), "{} has no description", info.key);
            let (table, key) = info.key.split_once('.').unwrap_or(("", info.key));
            let head = if table.is_empty() {
                String::new()
            } else {
                format!("[{table}]\n")
            };
            let text = format!("{head}{key} = {value}\n");
            assert!(accepts(&schema, &text), "{text}");
        }
    }

    #[test]
    fn what_the_program_refuses_the_schema_refuses() {
        let schema = schema();
        for text in [
            "[sync]\nadpot = \"key\"",
            "[sync]\nadopt = \"all\"",
            "[sync]\nask = \"sometimes\"",
            "[sync]\noverwrite = \"maybe\"",
            "[sync]\nelements = [\"sites\"]",
            "[output]\nmode = \"xml\"",
            "[nothing]\nat = 1",
            "[pace]\nconcurrency = 0",
        ] {
            assert!(!accepts(&schema, text), "{text}");
            assert!(!is_taken(text), "{text}");
        }
    }

    #[test]
    fn bounds_are_those_of_the_program() {
        let schema = schema();
        let mut checked = 0;
        for info in KEYS {
            let property = at(&schema, info.key);
            let (Some(least), Some(most)) =
                (property["minimum"].as_i64(), property["maximum"].as_i64())
            else {
                assert_ne!(property["type"], "integer", "{} has no bounds", info.key);
                continue;
            };
            let (table, key) = info.key.split_once('.').unwrap();
            let file = |number: i64| {
                // A first delay is at most the longest one.
                let mut file: toml::Table = toml::from_str("[retry]\nmax_delay_s = 3600").unwrap();
                let entry = file.entry(table).or_insert(toml::Table::new().into());
                entry
                    .as_table_mut()
                    .unwrap()
                    .insert(key.to_owned(), number.into());
                file.to_string()
            };
            for (number, is_right) in [
                (least - 1, false),
                (least, true),
                (most, true),
                (most + 1, false),
            ] {
                assert_eq!(is_taken(&file(number)), is_right, "{} = {number}", info.key);
            }
            checked += 1;
        }
        assert!(checked > 15, "{checked}");
    }
}
