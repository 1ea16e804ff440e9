//! Handing in what the target works off later: content, pages, publishing.

use serde_json::{Map, Value};

use crate::domain::{BatchId, Id, Kind, Locale, TargetId};
use crate::instance::{PageSave, RequestError, Save, Workflow};

use super::super::client::{Call, Client, Payload};
use super::super::read::encoded;
use super::super::shape::{self, ShapeError};
use super::{body_with_id, list, one, unsendable};

/// "No parent", "no sibling", "no other page" in the query of a page save.
const NONE: i64 = -1;

/// `POST {locale}/item/multi`: one batch with one batch item per element.
pub(crate) async fn submit_items(
    client: &Client,
    locale: &Locale,
    items: &[Save],
) -> Result<BatchId, RequestError> {
    let operation = match items {
        [only] => format!(
            "saving content {:?} in {locale} on {}",
            only.name, client.guid
        ),
        all => format!(
            "saving {} content items in {locale} on {}",
            all.len(),
            client.guid
        ),
    };
    let payload = list(items).map_err(|odd| unsendable(operation.clone(), &odd))?;
    let path = format!("{}/item/multi", encoded(locale.as_str()));
    submit(client, Call::post(operation, path, payload)).await
}

/// `POST {locale}/page`.
pub(crate) async fn submit_page(client: &Client, page: &PageSave) -> Result<BatchId, RequestError> {
    let name = &page.save.name;
    let operation = format!("saving page {name:?} on {}", client.guid);
    let refused = |odd: ShapeError| unsendable(operation.clone(), &odd);
    let path = page_path(page).map_err(refused)?;
    let body = page_body(page).map_err(refused)?;
    let payload = one(body, &page.save.numbers);
    submit(client, Call::post(operation, path, payload)).await
}

/// All parameters of a page save. `linkExistingComponents` keeps the content that the zones name; without it
/// the server would make new components.
fn page_path(page: &PageSave) -> Result<String, ShapeError> {
    let locale = page.save.locale.as_ref();
    let locale = locale.ok_or_else(|| ShapeError("a page needs a locale".to_owned()))?;
    let raw = |id: Option<TargetId>| id.map_or(NONE, Id::raw);
    let other = page.other_locale.as_ref();
    let mut path = format!(
        "{}/page?parentPageID={}&placeBeforePageItemID={}&pageIDInOtherLocale={}",
        encoded(locale.as_str()),
        raw(page.parent),
        raw(page.place_before),
        raw(other.map(|(id, _)| *id)),
    );
    if let Some((_, locale)) = other {
        path.push_str("&otherLocale=");
        path.push_str(&encoded(locale.as_str()));
    }
    path.push_str("&linkExistingComponents=true");
    Ok(path)
}

/// Where the page goes is said in the query and in the body. `path` is computed by the server, which
/// needs a text there all the same.
fn page_body(page: &PageSave) -> Result<Map<String, Value>, ShapeError> {
    let mut body = body_with_id(&page.save)?;
    let raw = |id: Option<TargetId>| Value::from(id.map_or(NONE, Id::raw));
    body.insert("parentPageID".to_owned(), raw(page.parent));
    body.insert("placeBeforePageItemID".to_owned(), raw(page.place_before));
    body.insert("channelID".to_owned(), Value::from(page.channel_id));
    if body.get("path").is_none_or(Value::is_null) {
        body.insert("path".to_owned(), Value::from(""));
    }
    Ok(body)
}

/// `POST {locale}/item/batch-workflow` and `…/page/batch-workflow`.
pub(crate) async fn submit_workflow(
    client: &Client,
    step: Workflow,
    kind: Kind,
    (locale, ids): (&Locale, &[TargetId]),
) -> Result<BatchId, RequestError> {
    let operation = format!(
        "{} {} {} in {locale} on {}",
        step.doing(),
        ids.len(),
        kind.plural(),
        client.guid
    );
    let path = workflow_path(step, kind, locale, ids)
        .map_err(|odd| unsendable(operation.clone(), &odd))?;
    submit(client, Call::post(operation, path, Payload::Empty)).await
}

fn workflow_path(
    step: Workflow,
    kind: Kind,
    locale: &Locale,
    ids: &[TargetId],
) -> Result<String, ShapeError> {
    let (what, member) = match kind {
        Kind::Content => ("item", "contentIDs"),
        Kind::Page => ("page", "pageIDs"),
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => return Err(ShapeError(format!("a {kind} is not published"))),
    };
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let locale = encoded(locale.as_str());
    Ok(format!(
        "{locale}/{what}/batch-workflow?{member}={}&operation={}",
        ids.join(","),
        step.operation()
    ))
}

async fn submit(client: &Client, call: Call) -> Result<BatchId, RequestError> {
    client
        .send(call)
        .await?
        .understand(|answer| batch_id(&answer))
}

/// The answer is a bare integer; a text or a list of one is taken as well.
pub(super) fn batch_id(answer: &Value) -> Result<BatchId, ShapeError> {
    let number = match answer {
        Value::Array(ids) if ids.len() == 1 => shape::as_int(&ids[0]),
        other => shape::as_int(other),
    };
    let number = number.filter(|number| *number > 0);
    number
        .map(BatchId)
        .ok_or_else(|| ShapeError("no batch id".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(id: Option<i64>) -> PageSave {
        PageSave {
            save: Save {
                kind: Kind::Page,
                name: "/news".into(),
                id: id.map(TargetId::new),
                locale: Some(Locale::new("fr-ca")),
                body: json!({"pageID": 22, "name": "news", "parentPageID": 9, "path": null}).into(),
                numbers: crate::domain::Exact::default(),
            },
            parent: Some(TargetId::new(7)),
            place_before: None,
            channel_id: 3,
            other_locale: Some((TargetId::new(40), Locale::new("en-us"))),
        }
    }

    #[test]
    fn a_page_says_where_it_goes_twice() {
        let page = page(None);
        assert_eq!(
            page_path(&page).unwrap(),
            "fr-ca/page?parentPageID=7&placeBeforePageItemID=-1&pageIDInOtherLocale=40&otherLocale=en-us&linkExistingComponents=true"
        );
        assert_eq!(
            Value::Object(page_body(&page).unwrap()),
            json!({"pageID": -1, "name": "news", "parentPageID": 7, "path": "", "placeBeforePageItemID": -1, "channelID": 3})
        );
    }

    #[test]
    fn a_page_that_exists_keeps_its_id_and_needs_no_other_locale() {
        let mut page = page(Some(41));
        page.other_locale = None;
        page.parent = None;
        page.place_before = Some(TargetId::new(8));
        assert_eq!(
            page_path(&page).unwrap(),
            "fr-ca/page?parentPageID=-1&placeBeforePageItemID=8&pageIDInOtherLocale=-1&linkExistingComponents=true"
        );
        assert_eq!(page_body(&page).unwrap()["pageID"], json!(41));
    }

    #[test]
    fn publishing_names_each_id_once_in_the_query() {
        let ids = [TargetId::new(4), TargetId::new(9)];
        let locale = Locale::new("en-us");
        assert_eq!(
            workflow_path(Workflow::Publish, Kind::Content, &locale, &ids).unwrap(),
            "en-us/item/batch-workflow?contentIDs=4,9&operation=Publish"
        );
        assert_eq!(
            workflow_path(Workflow::Publish, Kind::Page, &locale, &ids).unwrap(),
            "en-us/page/batch-workflow?pageIDs=4,9&operation=Publish"
        );
        assert!(workflow_path(Workflow::Publish, Kind::Asset, &locale, &ids).is_err());
    }

    #[test]
    fn a_batch_id_is_a_bare_integer() {
        assert_eq!(batch_id(&json!(48213)), Ok(BatchId(48213)));
        assert_eq!(batch_id(&json!("48213")), Ok(BatchId(48213)));
        assert_eq!(batch_id(&json!([48213])), Ok(BatchId(48213)));
        for nothing in [json!(null), json!(0), json!(-1), json!({}), json!([1, 2])] {
            assert!(batch_id(&nothing).is_err(), "{nothing}");
        }
    }
}
