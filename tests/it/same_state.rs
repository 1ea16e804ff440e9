//! Whether two targets hold the same, whatever ids they happened to give.
//!
//! Ids of the mock server are numbers above a million, in ranges of their own per kind, so an id can be told
//! wherever it stands: as a number, as a text, in a list within a text. Each is replaced by a colour that follows
//! from the content of the entity it belongs to, references included; colours are refined until they say all that
//! can be said. Two targets are the same when they hold equally many of every coloured row, and their pages in
//! the same order.

use std::collections::BTreeMap;

use lockgate::mock::file::{InstanceFile, Row};
use serde_json::{Map, Value};

/// Rounds of refinement: a difference at this distance along references is still seen.
const ROUNDS: usize = 12;

/// Members that tell when or how often something was saved, not what; and ids that nothing refers to.
const VOLATILE: [&str; 11] = [
    "fieldid",
    "versionid",
    "modified",
    "modifiedon",
    "modifiedby",
    "lastmodifieddate",
    "lastmodifiedby",
    "lastmodifiedon",
    "datemodified",
    "createddate",
    "itemorder",
];

type Colours = BTreeMap<i64, String>;

/// What one target has and the other has not, one line each; empty when they hold the same.
pub(crate) fn differences(expected: &InstanceFile, found: &InstanceFile) -> Vec<String> {
    let (expected, found) = (portrait(expected), portrait(found));
    let mut lines = Vec::new();
    for (row, count) in &expected.0 {
        let there = found.0.get(row).copied().unwrap_or(0);
        if there < *count {
            lines.push(format!("{there} instead of {count} of {row}"));
        }
    }
    for (row, count) in &found.0 {
        let wanted = expected.0.get(row).copied().unwrap_or(0);
        if wanted < *count {
            lines.push(format!("{count} instead of {wanted} of {row}"));
        }
    }
    if lines.is_empty() && expected.1 != found.1 {
        lines.push(format!(
            "the pages stand in another order: {:?} instead of {:?}",
            found.1, expected.1
        ));
    }
    lines
}

/// How often every coloured row is there, and the pages in order.
fn portrait(instance: &InstanceFile) -> (BTreeMap<String, usize>, Vec<String>) {
    let rows = rows(instance);
    let mut colours: Colours = rows
        .iter()
        .map(|(kind, id, _)| (*id, (*kind).to_owned()))
        .collect();
    for _ in 0..ROUNDS {
        let mut next: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (kind, id, row) in &rows {
            next.entry(*id)
                .or_default()
                .push(format!("{kind} {}", coloured(row, &colours)));
        }
        colours = next
            .into_iter()
            .map(|(id, mut rows)| {
                rows.sort_unstable();
                let hash = blake3::hash(rows.join("\n").as_bytes());
                (id, format!("#{}", &hash.to_hex()[..10]))
            })
            .collect();
    }
    let mut counts = BTreeMap::new();
    let mut pages = Vec::new();
    for (kind, _, row) in &rows {
        let row = format!("{kind} {}", coloured(row, &colours));
        if *kind == "page" {
            pages.push(row.clone());
        }
        *counts.entry(row).or_insert(0) += 1;
    }
    (counts, pages)
}

fn rows(instance: &InstanceFile) -> Vec<(&'static str, i64, &Row)> {
    let kinds: [(&'static str, &str, &Vec<Row>); 8] = [
        ("model", "id", &instance.models),
        ("container", "contentViewID", &instance.containers),
        ("template", "pageTemplateID", &instance.templates),
        ("gallery", "mediaGroupingID", &instance.galleries),
        ("asset", "mediaID", &instance.assets),
        ("content", "contentID", &instance.content),
        ("page", "pageID", &instance.pages),
        ("redirection", "urlRedirectionID", &instance.redirections),
    ];
    let mut all = Vec::new();
    for (kind, member, rows) in kinds {
        for row in rows {
            let id = row
                .get(member)
                .or_else(|| row.get("id"))
                .and_then(Value::as_i64);
            all.push((kind, id.unwrap_or(0), row));
        }
    }
    all
}

fn coloured(row: &Row, colours: &Colours) -> String {
    object(row, colours).to_string()
}

fn object(row: &Map<String, Value>, colours: &Colours) -> Value {
    let kept = row
        .iter()
        .filter(|(name, _)| !VOLATILE.contains(&name.to_lowercase().as_str()));
    // In the order of their names: what was saved a second time has its members in another one.
    let kept: BTreeMap<_, _> = kept
        .map(|(name, value)| (name.clone(), recoloured(value, colours)))
        .collect();
    Value::Object(kept.into_iter().collect())
}

fn recoloured(value: &Value, colours: &Colours) -> Value {
    match value {
        Value::Object(row) => object(row, colours),
        Value::Array(values) => values
            .iter()
            .map(|value| recoloured(value, colours))
            .collect(),
        Value::Number(number) => Value::String(text(&number.to_string(), colours)),
        Value::String(string) => Value::String(text(string, colours)),
        Value::Bool(_) | Value::Null => value.clone(),
    }
}

/// Replaces every number of seven to ten digits that stands alone.
fn text(text: &str, colours: &Colours) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if !digits.is_empty() {
            out.push_str(&number(&digits, colours));
            digits.clear();
        }
        if letter != '\0' {
            out.push(letter);
        }
    }
    out
}

fn number(digits: &str, colours: &Colours) -> String {
    match digits.parse::<i64>() {
        Ok(id) if (7..=10).contains(&digits.len()) => colours
            .get(&id)
            .cloned()
            .unwrap_or_else(|| "#elsewhere".to_owned()),
        _ => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(content: &Value) -> InstanceFile {
        let rows = content.as_array().unwrap().iter();
        InstanceFile {
            content: rows.map(|row| row.as_object().unwrap().clone()).collect(),
            ..InstanceFile::default()
        }
    }

    #[test]
    fn only_ids_may_differ() {
        let one = target(&json!([
            {"contentID": 5_000_001, "fields": {"title": "a", "next": "5000002"}},
            {"contentID": 5_000_002, "fields": {"title": "b", "next": "5000001"}},
        ]));
        let same = target(&json!([
            {"contentID": 7_000_009, "fields": {"title": "b", "next": "7000003"}},
            {"contentID": 7_000_003, "fields": {"title": "a", "next": "7000009"}},
        ]));
        assert_eq!(differences(&one, &same), Vec::<String>::new());
        let crossed = target(&json!([
            {"contentID": 5_000_001, "fields": {"title": "a", "next": "5000001"}},
            {"contentID": 5_000_002, "fields": {"title": "b", "next": "5000002"}},
        ]));
        assert_eq!(differences(&one, &crossed).len(), 4);
        let twice = target(&json!([
            {"contentID": 5_000_001, "fields": {"title": "a", "next": "5000002"}},
            {"contentID": 5_000_002, "fields": {"title": "b", "next": "5000001"}},
            {"contentID": 5_000_003, "fields": {"title": "a", "next": "5000002"}},
        ]));
        assert!(!differences(&one, &twice).is_empty());
    }
}
