//! Events, from the schema that every recorded run is checked against.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use super::cell;
use crate::pages::root;

const SCHEMA: &str = "docs/schema/event.schema.json";

fn schema() -> Value {
    serde_json::from_slice(&fs::read(root().join(SCHEMA)).unwrap()).unwrap()
}

/// The page.
pub(super) fn page() -> String {
    let schema = schema();
    let mut page = format!(
        "# Events\n\n{}\n\n\
         The [JSON schema](../schema/event.schema.json) has the same for programs, and recorded runs of the tests are checked\n\
         against it. Every event has `at_ms`, the milliseconds since the run started, and `type`, its name below.\n",
        schema["description"].as_str().unwrap_or_default()
    );
    for event in schema["oneOf"].as_array().unwrap() {
        let name = event["title"].as_str().unwrap();
        let about = event["description"].as_str().unwrap_or_default();
        write!(page, "\n## {name}\n\n{about}\n").unwrap();
        page.push_str(&members(event));
    }
    page.push_str("\n## Types\n");
    for (name, shape) in schema["$defs"].as_object().unwrap() {
        write!(page, "\n### {name}\n").unwrap();
        if let Some(about) = shape["description"].as_str() {
            write!(page, "\n{about}\n").unwrap();
        }
        page.push_str(&members(shape));
        if shape.get("properties").is_none() {
            writeln!(page, "\n{}.", kind(shape)).unwrap();
        }
    }
    page
}

/// The members of an object, but for those that every event has.
fn members(object: &Value) -> String {
    let Some(properties) = object["properties"].as_object() else {
        return String::new();
    };
    let required: BTreeSet<&str> = object["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut rows = String::new();
    for (name, shape) in properties {
        if name == "at_ms" || (name == "type" && object.get("title").is_some()) {
            continue;
        }
        let may_lack = if required.contains(name.as_str()) {
            ""
        } else {
            ", may be left out"
        };
        let about = shape["description"].as_str().unwrap_or_default();
        writeln!(
            rows,
            "| `{name}` | {}{may_lack} | {} |",
            kind(shape),
            cell(about)
        )
        .unwrap();
    }
    if rows.is_empty() {
        return rows;
    }
    format!("\n| member | type | meaning |\n|---|---|---|\n{rows}")
}

/// What a member holds.
fn kind(shape: &Value) -> String {
    if let Some(name) = shape["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        return format!("[{name}](#{name})");
    }
    if let Some(value) = shape.get("const") {
        return format!("`{}`", value.to_string().trim_matches('"'));
    }
    let names = |values: &Value, separator: &str| {
        let values = values.as_array().into_iter().flatten();
        let names: Vec<String> = values
            .map(|value| format!("`{}`", value.to_string().trim_matches('"')))
            .collect();
        names.join(separator)
    };
    if shape.get("enum").is_some() {
        return names(&shape["enum"], ", ");
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(shapes) = shape[several].as_array() {
            return shapes.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(parts) = shape["prefixItems"].as_array() {
        let parts: Vec<String> = parts.iter().map(kind).collect();
        return format!("pair of {}", parts.join(" and "));
    }
    if let Some(members) = shape["properties"].as_object() {
        let members = members
            .iter()
            .map(|(name, shape)| format!("`{name}` ({})", kind(shape)));
        let members: Vec<String> = members.collect();
        return format!("object of {}", members.join(", "));
    }
    match (&shape["type"], shape.get("items")) {
        (Value::String(name), Some(items)) if name == "array" => {
            format!("array of {}", kind(items))
        }
        (Value::String(name), _) => name.clone(),
        (several @ Value::Array(_), _) => names(several, " or ").replace('`', ""),
        _ => "any".to_owned(),
    }
}

/// `EntitySettled` as `entity-settled`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

/// The variants of the enum that the program writes, read as text.
#[test]
fn every_event_of_the_program_is_in_the_schema() {
    let source = fs::read_to_string(root().join("src/event.rs")).unwrap();
    let body = source.split("pub enum Event {").nth(1).unwrap();
    let body = body.split("\n}").next().unwrap();
    let variants = body.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        let starts = line
            .chars()
            .next()
            .is_some_and(|letter| letter.is_ascii_uppercase());
        let name: String = line
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        starts.then(|| kebab(&name))
    });
    // What a command writes of several runs, when all of them have ended.
    let of_several = ["targets-finished", "chain-finished"].map(str::to_owned);
    let variants: BTreeSet<String> = variants.chain(of_several).collect();
    let schema = schema();
    let events = schema["oneOf"].as_array().unwrap().iter();
    let named: BTreeSet<String> = events
        .map(|event| event["title"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(variants, named);
}
