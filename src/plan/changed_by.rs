//! The user that changed an entity last, as the source records it.
//!
//! Items and pages have the number of that user, containers the name, models, galleries and assets both; templates and
//! redirections have neither. What has both says which number goes with which name.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::wanted::Wanted;
use crate::domain::{Entity, Inventory, Kind, SourceId, name_key};

/// Users by number and by name.
#[derive(Debug, Default)]
pub(super) struct Users {
    numbers: HashSet<i64>,
    names: HashSet<Box<str>>,
}

impl Users {
    /// Those that are asked for: numbers, names in any case, or patterns of names.
    pub(super) fn of(asked: &[String], source: &Inventory<SourceId>) -> Self {
        let mut users = Self::default();
        if asked.is_empty() {
            return users;
        }
        let wanted = Wanted::of(asked);
        for (number, name) in source.entities().iter().map(changed_by) {
            let is_number = number.is_some_and(|number| wanted.takes(&number.to_string()));
            let is_name = name.as_deref().is_some_and(|name| wanted.takes(name));
            if is_number || is_name {
                users.numbers.extend(number);
                users.names.extend(name.as_deref().map(name_key));
            }
        }
        users
    }

    /// Whether one of them changed an entity last.
    pub(super) fn changed(&self, entity: &Entity<SourceId>) -> bool {
        let (number, name) = changed_by(entity);
        number.is_some_and(|number| self.numbers.contains(&number))
            || name.is_some_and(|name| self.names.contains(&name_key(&name)))
    }
}

/// The number and the name of every user that changed something last, in order.
pub(super) fn known(source: &Inventory<SourceId>) -> Vec<String> {
    let mut all = BTreeSet::new();
    for (number, name) in source.entities().iter().map(changed_by) {
        all.extend(name);
        all.extend(number.map(|number| number.to_string()));
    }
    // Names first.
    all.into_iter().rev().collect()
}

/// The number and the name of the user that changed an entity last ("Entity shapes").
fn changed_by(entity: &Entity<SourceId>) -> (Option<i64>, Option<String>) {
    let body = entity.body.parse();
    let (number, name) = match entity.key.kind {
        Kind::Content | Kind::Page => (&body["properties"]["modifiedBy"], &Value::Null),
        Kind::Model => (&body["lastModifiedAuthorID"], &body["lastModifiedBy"]),
        Kind::Container => (&Value::Null, &body["lastModifiedBy"]),
        Kind::Gallery | Kind::Asset => (&body["modifiedBy"], &body["modifiedByName"]),
        Kind::Template | Kind::Redirection => (&Value::Null, &Value::Null),
    };
    (number.as_i64(), name.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Guid;
    use crate::plan::testing::entity;

    #[test]
    fn a_name_means_the_number_that_goes_with_it_and_the_other_way_round() {
        let bodies = [
            (
                Kind::Model,
                json!({ "lastModifiedAuthorID": 12, "lastModifiedBy": "Rosa Vega" }),
            ),
            (Kind::Container, json!({ "lastModifiedBy": "rosa vega" })),
            (
                Kind::Gallery,
                json!({ "modifiedBy": 13, "modifiedByName": "Max Ott" }),
            ),
            (
                Kind::Asset,
                json!({ "modifiedBy": null, "modifiedByName": null }),
            ),
            (Kind::Content, json!({ "properties": { "modifiedBy": 12 } })),
            (Kind::Page, json!({ "properties": { "modifiedBy": 14 } })),
            (Kind::Template, json!({})),
        ];
        let all = bodies.map(|(kind, body)| entity(kind, 1, &body));
        let source = Inventory::empty(Guid::new("1a2b3c4d-u")).with_entities(Vec::from(all));
        let taken = |asked: &str| -> Vec<Kind> {
            let users = Users::of(&[asked.to_owned()], &source);
            let all = source.entities().iter();
            all.filter(|one| users.changed(one))
                .map(|one| one.key.kind)
                .collect()
        };
        for of_rosa in ["Rosa Vega", "ROSA*", "12"] {
            assert_eq!(
                taken(of_rosa),
                [Kind::Model, Kind::Container, Kind::Content],
                "{of_rosa}"
            );
        }
        assert_eq!(taken("14"), [Kind::Page]);
        assert_eq!(taken("Max Ott"), [Kind::Gallery]);
        assert!(taken("Eva").is_empty());
        assert_eq!(
            known(&source),
            ["rosa vega", "Rosa Vega", "Max Ott", "14", "13", "12"]
        );
    }
}
