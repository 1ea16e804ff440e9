//! A server that makes the companion fields that a model asks for with `CREATENEW`, between models that keep the word.

use lockgate::mock::file::{InstanceFile, Row};
use lockgate::mock::{self, Rules};
use serde_json::{Value, json};

use crate::binary::{Workspace, end_of};
use crate::support::{TARGET, fixture, instances, put_state, serve_with};

/// A model with what it asks for, and the field that the server makes of that.
const CASES: [(&str, &str, &str); 2] = [
    (
        "dropdown-and-searchlist",
        "Photographer",
        "Photographer_ValueField",
    ),
    ("sort-fields", "Rest", "Rest_SortIdField"),
];

fn with_field<'r>(rows: &'r mut [Row], name: &str) -> &'r mut Row {
    let has = |row: &&mut Row| {
        let mut fields = row["fields"].as_array().into_iter().flatten();
        fields.any(|field| field["name"] == name)
    };
    rows.iter_mut().find(has).unwrap()
}

/// The rows of the fields of the model that has a field of this name.
fn fields(instance: &mut InstanceFile, name: &str) -> Value {
    with_field(&mut instance.models, name)["fields"].clone()
}

/// What the items have in a field.
fn values(instance: &InstanceFile, name: &str) -> Vec<Value> {
    let values = instance
        .content
        .iter()
        .map(|item| item["fields"][name].clone());
    values.filter(|value| !value.is_null()).collect()
}

/// Each run found the name of the field where the word stood, and a field more: it wrote the model anew, which took the field away with
/// its values and had it made again.
#[tokio::test]
async fn what_the_server_makes_of_a_model_is_in_sync_and_stays_when_the_model_changes() {
    for (name, asking, made) in CASES {
        let rules = Rules {
            makes_companions: true,
            ..Rules::default()
        };
        let server = serve_with(mock::Options {
            state: instances(&fixture(name)),
            rules,
            ..mock::Options::default()
        });
        let (server, workspace) = (server.await, Workspace::new());
        let target = || {
            let all = server.state().instances;
            all.into_iter().find(|one| one.guid == TARGET).unwrap()
        };
        // The look at both instances compares models to the letter, and is left out with `--json`.
        let first = end_of(workspace.sync(&server, &["--json"])).await;
        assert_eq!(first.code, Some(0), "{name}: {}", first.stderr);
        let before = (fields(&mut target(), made), values(&target(), made));
        let writes = server.writes(TARGET).len();
        let second = end_of(workspace.sync(&server, &["--json"])).await;
        assert_eq!(second.code, Some(0), "{name}: {}", second.stderr);
        assert_eq!(
            server.writes(TARGET).len(),
            writes,
            "{name}: {}",
            second.stderr
        );
        let verified = workspace.between("verify", &server.base_url(), &[]);
        let verified = end_of(verified).await;
        assert_eq!(verified.code, Some(0), "{name}: {}", verified.stderr);

        let mut state = server.state();
        let model = with_field(&mut state.instances[0].models, asking);
        model.insert("displayName".to_owned(), json!("Another name"));
        model.insert("lastModifiedDate".to_owned(), json!("2027-01-01T00:00:00"));
        put_state(&server.base_url(), &state).await;
        let third = end_of(workspace.sync(&server, &["--json"])).await;
        assert_eq!(third.code, Some(0), "{name}: {}", third.stderr);
        assert!(
            !third.stdout.contains("takes away"),
            "{name}: {}",
            third.stderr
        );
        let mut after = target();
        let model = with_field(&mut after.models, made);
        assert_eq!(model["displayName"], "Another name");
        let ids = |fields: &Value| -> Vec<(Value, Value)> {
            let rows = fields.as_array().unwrap().iter();
            rows.map(|row| (row["name"].clone(), row["fieldID"].clone()))
                .collect()
        };
        assert_eq!(ids(&fields(&mut after, made)), ids(&before.0), "{name}");
        assert_eq!(values(&after, made), before.1, "{name}");
        // Without the state as well.
        let lost = end_of(Workspace::new().sync(&server, &["--json", "--dry-run"])).await;
        assert_eq!(lost.code, Some(0), "{name}: {}", lost.stderr);
        server.stop().await;
    }
}
