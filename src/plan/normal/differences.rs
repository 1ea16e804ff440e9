//! Where two normal forms differ.

use serde_json::Value;

use crate::plan::json_pointer::escaped;

/// Maximum number of characters of a value that a message shows.
const SHOWN: usize = 80;

/// One place where two normal forms say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// JSON pointer into the normal form.
    pub at: String,
    /// What should stand there, cut to a readable length; `nothing` when nothing should.
    pub expected: String,
    /// What stands there, in the same way.
    pub found: String,
    /// Whether it is a reference that differs.
    pub is_reference: bool,
    /// What stands where nothing should.
    pub added: Option<Value>,
    /// Whether nothing stands where something should.
    pub lost: bool,
}

/// Lists where `found` differs from `expected`, both in normal form; empty when they agree.
pub fn differences(expected: &Value, found: &Value) -> Vec<Difference> {
    let mut out = Vec::new();
    compare(Some(expected), Some(found), String::new(), &mut out);
    out
}

fn compare(expected: Option<&Value>, found: Option<&Value>, at: String, out: &mut Vec<Difference>) {
    if expected == found {
        return;
    }
    match (expected, found) {
        (Some(Value::Object(expected)), Some(Value::Object(found)))
            if !marks_reference(expected, found) =>
        {
            let unexpected = found.keys().filter(|name| !expected.contains_key(*name));
            for name in expected.keys().chain(unexpected) {
                let at = format!("{at}/{}", escaped(name));
                compare(expected.get(name), found.get(name), at, out);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(found))) => {
            for position in 0..expected.len().max(found.len()) {
                compare(
                    expected.get(position),
                    found.get(position),
                    format!("{at}/{position}"),
                    out,
                );
            }
        }
        (expected, found) => out.push(Difference {
            is_reference: [expected, found].into_iter().flatten().any(is_reference)
                || (found.is_none() && expected.is_some_and(holds_reference)),
            added: found.filter(|_| expected.is_none()).cloned(),
            lost: found.is_none(),
            expected: shown(expected),
            found: shown(found),
            at,
        }),
    }
}

fn marks_reference(
    expected: &serde_json::Map<String, Value>,
    found: &serde_json::Map<String, Value>,
) -> bool {
    expected
        .keys()
        .chain(found.keys())
        .any(|name| name.starts_with('@'))
}

fn is_reference(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.keys().any(|name| name.starts_with('@')))
}

/// Whether a reference goes with it, at any depth.
fn holds_reference(value: &Value) -> bool {
    match value {
        Value::Object(object) => is_reference(value) || object.values().any(holds_reference),
        Value::Array(rows) => rows.iter().any(holds_reference),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None => return "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(object)) if value.is_some_and(is_reference) => {
            let parts = object.iter().map(|(name, value)| {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                format!("{} {value}", name.trim_start_matches('@'))
            });
            parts.collect::<Vec<_>>().join(", ")
        }
        Some(value) => value.to_string(),
    };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
