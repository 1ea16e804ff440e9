//! What is sent for a save, and what is accepted of its answer.

use serde_json::json;

use crate::domain::Locale;

use super::*;

fn new(kind: Kind, body: Value) -> Save {
    Save {
        kind,
        name: "x".into(),
        id: None,
        locale: None,
        body: body.into(),
        numbers: crate::domain::Exact::default(),
    }
}

#[test]
fn the_id_stands_in_the_member_of_the_kind() {
    let created = |kind| {
        let body = json!({"id": 1, "contentViewID": 1, "pageTemplateID": 1, "mediaGroupingID": 1, "contentID": 1, "pageID": 1, "urlRedirectionID": 1});
        let (member, _) = id_member(kind);
        body_with_id(&new(kind, body)).unwrap()[member].clone()
    };
    assert_eq!(created(Kind::Model), json!(0));
    assert_eq!(created(Kind::Container), json!(-1));
    assert_eq!(created(Kind::Template), json!(-1));
    assert_eq!(created(Kind::Gallery), json!(0));
    assert_eq!(created(Kind::Content), json!(-1));
    assert_eq!(created(Kind::Page), json!(-1));
    assert_eq!(created(Kind::Redirection), json!(0));
}

#[test]
fn a_source_id_in_another_spelling_does_not_slip_through() {
    let mut save = new(Kind::Content, json!({"contentid": 912, "fields": {}}));
    save.id = Some(TargetId::new(2011));
    let body = Value::Object(body_with_id(&save).unwrap());
    assert_eq!(body, json!({"contentID": 2011, "fields": {}}));
}

#[test]
fn a_container_keeps_its_name_and_a_template_needs_a_locale() {
    let container = new(Kind::Container, json!({}));
    assert_eq!(
        save_path(&container).unwrap(),
        "container?forceReferenceName=true"
    );
    let mut template = new(Kind::Template, json!({}));
    assert!(save_path(&template).is_err());
    template.locale = Some(Locale::new("en-us"));
    assert_eq!(save_path(&template).unwrap(), "en-us/page/template");
    assert!(save_path(&new(Kind::Content, json!({}))).is_err());
}

#[test]
fn a_save_without_an_id_in_the_answer_is_in_doubt() {
    let stored = saved(Kind::Model, &json!({"ID": 50, "ReferenceName": "Article"})).unwrap();
    assert_eq!(stored.id, TargetId::new(50));
    assert_eq!(stored.name.as_deref(), Some("Article"));
    for nothing in [json!({}), json!({"id": 0}), json!("ok"), Value::Null] {
        assert!(saved(Kind::Model, &nothing).is_err(), "{nothing}");
    }
}
