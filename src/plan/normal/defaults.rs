//! Default values of the server for members that a save leaves out.
//!
//! They are not documented. So they are learnt from what was written: a member that a save left out and that the counterpart
//! has when it is read back came from the server. It is stored with the entity, because a default may depend on other
//! members; and it counts for every entity of the kind, so that entities of other origin do not differ because of it. A
//! value in the body, even `false`, is never a default, and neither is a reference.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::differences::{Difference, differences};
use crate::domain::{EntityKey, Filled, Inventory, Kind, SourceId};
use crate::plan::Schema;
use crate::plan::action::Agreements;
use crate::plan::json_pointer::unescaped;
use crate::plan::schema::{field_key, name_key};

/// The defaults of a server, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// By kind and place.
    known: HashMap<(Kind, String), HashSet<String>>,
}

/// Whether a part of a JSON pointer is the position of a row.
fn is_position(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a member stands in all entities of its kind: of content in its model, of models in any field, in lists anywhere.
fn place(kind: Kind, at: &str, model: &str) -> String {
    let mut out = model.to_owned();
    let mut is_field = false;
    for part in at.split('/').skip(1) {
        let any = is_field || is_position(part);
        out.push('/');
        out.push_str(if any { "*" } else { part });
        is_field = kind == Kind::Model && part == "fields";
    }
    out
}

impl Defaults {
    /// Gathers what the store has of the entities of a pair.
    pub fn of(agreements: &Agreements, source: &Inventory<SourceId>) -> Self {
        let mut defaults = Self::default();
        for (key, agreement) in agreements {
            if agreement.filled.is_empty() {
                continue;
            }
            let model = model_of(key, source);
            for (at, value) in &agreement.filled {
                defaults.learn(key.kind, at, &model, value);
            }
        }
        defaults
    }

    /// Notes that the server gives `value`.
    fn learn(&mut self, kind: Kind, at: &str, model: &str, value: &Value) {
        let values = self
            .known
            .entry((kind, place(kind, at, model)))
            .or_default();
        values.insert(value.to_string());
    }

    /// Notes what was filled in at an entity of this normal form.
    pub fn learn_from(&mut self, kind: Kind, form: &Value, filled: &Filled) {
        for (at, value) in filled {
            self.learn(kind, at, model_in(form), value);
        }
    }

    fn knows(&self, kind: Kind, at: &str, form: &Value, value: &Value) -> bool {
        // Nothing to count, wherever a setting counts something.
        (kind != Kind::Content && value.as_str() == Some("0"))
            || self
                .known
                .get(&(kind, place(kind, at, model_in(form))))
                .is_some_and(|values| values.contains(&value.to_string()))
    }
}

/// The model of an item, as [`model_in`] gives it.
fn model_of(key: &EntityKey, source: &Inventory<SourceId>) -> String {
    let item = source.get(key).filter(|_| key.kind == Kind::Content);
    let body = item.map(|item| item.body.parse());
    let name = body
        .as_ref()
        .and_then(|body| body["properties"]["definitionName"].as_str());
    name_key(name.unwrap_or_default()).into()
}

fn model_in(form: &Value) -> &str {
    form["model"]["@model"].as_str().unwrap_or_default()
}

/// Which members that only the counterpart has are taken for the server's.
#[derive(Clone, Copy, Debug)]
pub enum Learns<'a> {
    /// Known ones only.
    Nothing,
    /// All of them: there was nothing before the save.
    Everything,
    /// Those that were not there, or otherwise, in this normal form of what the save replaced.
    Changed(&'a Value),
}

/// What two normal forms are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// The kind.
    pub kind: Kind,
    /// What would be sent.
    pub written: &'a Value,
    /// What the server filled in at this entity before.
    pub own: &'a Filled,
    /// What it fills in at others.
    pub defaults: &'a Defaults,
    /// What it may be learnt from this entity.
    pub learns: Learns<'a>,
    /// The models of the source.
    pub schema: &'a Schema,
}

/// How two normal forms stand to each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// What differs.
    pub different: Vec<Difference>,
    /// What the server filled in.
    pub filled: Filled,
    /// Keys of fields that have a value on the source and that the model does not know. The server does not keep them.
    pub unknown: Vec<String>,
}

impl Judge<'_> {
    /// Compares what was expected with what was found.
    pub fn judge(&self, expected: &Value, found: &Value) -> Judged {
        let mut judged = Judged::default();
        for difference in differences(expected, found) {
            if let Some(value) = difference
                .added
                .as_ref()
                .filter(|_| self.is_filled(&difference, expected))
            {
                judged.filled.insert(difference.at.clone(), value.clone());
            } else if let Some(key) = difference
                .at
                .strip_prefix("/fields/")
                .filter(|key| difference.lost && self.is_unknown(key, expected))
            {
                judged.unknown.push(key.to_owned());
            } else {
                judged.different.push(difference);
            }
        }
        judged
    }

    fn is_filled(&self, difference: &Difference, expected: &Value) -> bool {
        let at = &difference.at;
        let Some(value) = difference
            .added
            .as_ref()
            .filter(|_| !difference.is_reference)
        else {
            return false;
        };
        let is_row = at.rsplit('/').next().is_some_and(is_position);
        if is_row || says(self.written, at, value) {
            return false;
        }
        let is_learnt = match self.learns {
            Learns::Nothing => false,
            Learns::Everything => true,
            Learns::Changed(prior) => prior.pointer(at) != Some(value),
        };
        is_learnt
            || self.own.get(at) == Some(value)
            || self.defaults.knows(self.kind, at, expected, value)
    }

    fn is_unknown(&self, key: &str, expected: &Value) -> bool {
        self.kind == Kind::Content
            && self
                .schema
                .model(model_in(expected))
                .is_some_and(|model| !model.knows(key))
    }
}

/// Whether `body` has something to say where `value` was found: anything but nothing, `false` too.
fn says(body: &Value, at: &str, value: &Value) -> bool {
    let mut here = body;
    for part in at.split('/').skip(1) {
        let Some(inner) = member(here, &unescaped(part)) else {
            return false;
        };
        here = inner;
    }
    says_any(here, value)
}

fn says_any(here: &Value, value: &Value) -> bool {
    match (here, value) {
        (Value::Object(_), Value::Object(members)) => members
            .iter()
            .any(|(name, value)| member(here, name).is_some_and(|here| says_any(here, value))),
        (_, _) => says_something(here),
    }
}

/// Whether a value is more than nothing; `false` and 0 are.
pub(in crate::plan) fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A member by the name that it has in a normal form; a row of a list by its own name.
pub(super) fn member<'v>(here: &'v Value, part: &str) -> Option<&'v Value> {
    match here {
        Value::Object(members) => {
            let is_it = |name: &&String| field_key(name) == part;
            members
                .keys()
                .find(is_it)
                .and_then(|name| members.get(name))
        }
        Value::Array(rows) => rows
            .iter()
            .find(|row| {
                row["name"]
                    .as_str()
                    .is_some_and(|name| field_key(name) == part)
            })
            .or_else(|| rows.get(part.parse::<usize>().ok()?)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Takes out of a normal form what the server filled in.
pub fn without(mut form: Value, filled: &Filled) -> Value {
    for (at, value) in filled {
        if form.pointer(at) == Some(value) {
            take_out(&mut form, at);
        }
    }
    form
}

/// Takes out the member at `at`, and what is empty then.
fn take_out(form: &mut Value, at: &str) {
    let Some((parent, name)) = at.rsplit_once('/') else {
        return;
    };
    let Some(Value::Object(members)) = form.pointer_mut(parent) else {
        return;
    };
    members.remove(&unescaped(name));
    if members.is_empty() && !parent.is_empty() {
        take_out(form, parent);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(written: &Value, expected: &Value, found: &Value, learns: Learns<'_>) -> Judged {
        let judge = Judge {
            kind: Kind::Container,
            written,
            own: &Filled::new(),
            defaults: &Defaults::default(),
            learns,
            schema: &Schema::default(),
        };
        judge.judge(expected, found)
    }

    #[test]
    fn a_member_that_was_left_out_is_the_servers_after_a_create_only() {
        let (written, expected, found) = (json!({}), json!({}), json!({ "rows": "7" }));
        let create = judged(&written, &expected, &found, Learns::Everything);
        assert!(create.different.is_empty() && create.filled["/rows"] == "7");
        let known = judged(&written, &expected, &found, Learns::Nothing);
        assert_eq!(known.different.len(), 1);
        let kept = judged(&written, &expected, &found, Learns::Changed(&found));
        assert_eq!(
            kept.different.len(),
            1,
            "an update may not have taken it away"
        );
        let given = judged(
            &written,
            &expected,
            &found,
            Learns::Changed(&json!({ "rows": "8" })),
        );
        assert!(given.different.is_empty());
    }

    #[test]
    fn what_the_body_says_is_no_default() {
        let written = json!({ "visible": { "Menu": false }, "note": null });
        let found = json!({ "visible": { "menu": "true" }, "note": "a", "more": { "@page": "7" } });
        let judged = judged(&written, &json!({}), &found, Learns::Everything);
        assert_eq!(judged.filled.keys().collect::<Vec<_>>(), ["/note"]);
        assert_eq!(judged.different.len(), 2);
    }

    #[test]
    fn what_is_filled_in_at_one_is_known_at_all_of_the_kind() {
        let mut defaults = Defaults::default();
        let filled = Filled::from([("/fields/title/settings/length".to_owned(), json!("255"))]);
        defaults.learn_from(Kind::Model, &json!({}), &filled);
        assert!(defaults.knows(
            Kind::Model,
            "/fields/body/settings/length",
            &json!({}),
            &json!("255")
        ));
        assert!(!defaults.knows(
            Kind::Model,
            "/fields/body/settings/length",
            &json!({}),
            &json!("80")
        ));
        assert!(!defaults.knows(
            Kind::Container,
            "/fields/body/settings/length",
            &json!({}),
            &json!("255")
        ));
    }

    #[test]
    fn a_form_without_what_was_filled_in_has_no_empty_members() {
        let filled = Filled::from([
            ("/seo/a".to_owned(), json!("1")),
            ("/b".to_owned(), json!("2")),
        ]);
        let form = json!({ "seo": { "a": "1" }, "b": "3", "c": "4" });
        assert_eq!(without(form, &filled), json!({ "b": "3", "c": "4" }));
    }
}
