//! Where each question goes, and what its answer means.

use super::{content, media, pages, redirections, schema, sitemap};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;

use crate::domain::{Body, Entity, Id, ItemState, Key, Kind, Locale, same_name};
use crate::instance::{Cause, ReadRequest, ReadResponse, Record, RequestError, TooLarge};

use crate::agility::client::{Api, Call, Client, Payload};
use crate::agility::page::{List, Page};
use crate::agility::shape::{self, ShapeError};

/// Rows per page of galleries, assets and the sync feed. The vendor's CLI asks for as many assets.
const PAGE_ROWS: usize = 250;

/// What an encoded part of a path or query keeps: the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Encodes one segment of a path or one value of a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Asks one question with one request.
pub(crate) async fn answer<I: Id>(
    client: &Client,
    ask: &ReadRequest,
) -> Result<ReadResponse<I>, RequestError> {
    let operation = format!("reading {ask} of {}", client.guid);
    let (api, path) = match route(ask) {
        Ok(route) => route,
        Err(missing) => {
            return Err(RequestError::new(operation, Cause::Content(missing.0)));
        }
    };
    let mut call = Call::get(operation, api, path);
    if let ReadRequest::ContainerItems { .. } = ask {
        // Without a filter; the filter's members must not be null.
        call.method = Method::POST;
        call.payload = Payload::Json(b"{}".to_vec());
    }
    let reply = match client.send(call).await {
        Ok(reply) => reply,
        Err(error) if error.cause == Cause::NotFound && may_be_absent(ask) => {
            return Ok(ReadResponse::default());
        }
        Err(error) => return Err(error),
    };
    let page = reply.page(list_of(ask))?;
    if is_feed(ask) && feed_is_busy(&page.rest) {
        return Err(reply.failed(Cause::Busy));
    }
    let most = client.limits.pages;
    match announced(&page) {
        Some((rows, pages)) if pages > u64::from(most) => {
            Err(reply.failed(Cause::TooLarge(TooLarge::Pages { rows, pages: most })))
        }
        Some(_) | None => understand(ask, page).map_err(|odd| reply.malformed(&odd.0)),
    }
}

/// How many rows a page of a list announces, and how many pages of its own length they take. Questions are made for each
/// of them, so this is looked at before anything is computed from it.
fn announced(page: &Page<'_>) -> Option<(u64, u64)> {
    let rows = shape::int(&page.rest, "totalCount").and_then(|rows| u64::try_from(rows).ok())?;
    let here = page.len() as u64;
    (here > 0).then(|| (rows, rows.div_ceil(here)))
}

/// API, path and query of a question.
fn route(ask: &ReadRequest) -> Result<(Api, String), ShapeError> {
    let management = |path: String| Ok((Api::Management, path));
    let preview = |path: String| Ok((Api::Preview, path));
    let feed = |api: Api, locale: &Locale, (list, token): (&str, i64)| {
        let locale = encoded(locale.as_str());
        let path = format!("{locale}/sync/{list}?pageSize={PAGE_ROWS}&syncToken={token}");
        Ok((api, path))
    };
    match ask {
        ReadRequest::Locales => management("locales".to_owned()),
        ReadRequest::Models { components: false } => {
            management("model/list/false?includeModules=false".to_owned())
        }
        ReadRequest::Models { components: true } => {
            management("model/list-page-modules/true".to_owned())
        }
        ReadRequest::Model(id) => management(format!("model/{id}")),
        ReadRequest::Containers => management("container/list".to_owned()),
        ReadRequest::Container(id) => management(format!("container/{id}")),
        ReadRequest::Templates(locale) => management(format!(
            "{}/page/templates?includeModuleZones=true",
            encoded(locale.as_str())
        )),
        ReadRequest::Galleries { offset } => management(format!(
            "asset/galleries?pageSize={PAGE_ROWS}&rowIndex={offset}"
        )),
        ReadRequest::AssetContainer => management("asset/container".to_owned()),
        ReadRequest::Assets { offset } => management(format!(
            "asset/list?pageSize={PAGE_ROWS}&recordOffset={offset}"
        )),
        ReadRequest::Items { locale, token } => feed(Api::Preview, locale, ("items", *token)),
        ReadRequest::PublicItems { locale, token } => feed(Api::Live, locale, ("items", *token)),
        ReadRequest::Pages { locale, token } => feed(Api::Preview, locale, ("pages", *token)),
        ReadRequest::Sitemap(locale) => management(format!("{}/sitemap", encoded(locale.as_str()))),
        ReadRequest::Redirections => preview("urlredirection".to_owned()),
        ReadRequest::One { kind, id, locale } => route_one(*kind, *id, locale.as_ref()),
        ReadRequest::Named { kind, name, locale } => route_named(*kind, name, locale.as_ref()),
        ReadRequest::ContainerItems {
            locale,
            container,
            offset,
        } => management(format!(
            "{}/list/{}?take={PAGE_ROWS}&skip={offset}",
            encoded(locale.as_str()),
            encoded(container)
        )),
        ReadRequest::Live { kind, id, locale } => route_live(*kind, *id, locale),
        ReadRequest::ItemsById { locale, ids } => {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            let locale = encoded(locale.as_str());
            management(format!("{locale}/items?ids={}", ids.join(",")))
        }
    }
}

/// Links stay as they are in the feeds: not expanded.
fn route_live(kind: Kind, id: i64, locale: &Locale) -> Result<(Api, String), ShapeError> {
    let locale = encoded(locale.as_str());
    let what = match kind {
        Kind::Content => "item",
        Kind::Page => "page",
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => return Err(ShapeError(format!("a {kind} is not published"))),
    };
    let query = "contentLinkDepth=0&expandAllContentLinks=false";
    Ok((Api::Live, format!("{locale}/{what}/{id}?{query}")))
}

fn route_one(kind: Kind, id: i64, locale: Option<&Locale>) -> Result<(Api, String), ShapeError> {
    let in_locale = || {
        locale
            .map(|locale| encoded(locale.as_str()))
            .ok_or_else(|| ShapeError(format!("a {kind} is read in a locale, and none was given")))
    };
    let path = match kind {
        Kind::Model => format!("model/{id}"),
        Kind::Container => format!("container/{id}"),
        Kind::Template => format!("{}/page/template/{id}", in_locale()?),
        Kind::Gallery => format!("asset/gallery/{id}"),
        Kind::Asset => format!("asset/{id}"),
        Kind::Content => format!("{}/item/{id}", in_locale()?),
        Kind::Page => format!("{}/page/{id}", in_locale()?),
        // The Management API lists no redirections, so this one is picked from all of them.
        Kind::Redirection => return Ok((Api::Preview, "urlredirection".to_owned())),
    };
    Ok((Api::Management, path))
}

/// Names and ids share the routes of models, containers and templates, so a name that looks like an id cannot
/// be asked for: the answer would be about something else.
fn route_named(
    kind: Kind,
    name: &str,
    locale: Option<&Locale>,
) -> Result<(Api, String), ShapeError> {
    let segment = encoded(name);
    let path = match kind {
        Kind::Gallery => {
            return Ok((
                Api::Management,
                format!("asset/gallery?galleryName={segment}"),
            ));
        }
        Kind::Model => format!("model/{segment}"),
        Kind::Container => format!("container/{segment}"),
        Kind::Template => match locale {
            Some(locale) => format!("{}/page/template/{segment}", encoded(locale.as_str())),
            None => return Err(ShapeError("a template is read in a locale".to_owned())),
        },
        Kind::Asset | Kind::Content | Kind::Page | Kind::Redirection => {
            return Err(ShapeError(format!("a {kind} is not found by a name")));
        }
    };
    if name.trim().parse::<i64>().is_ok() || name.trim().is_empty() {
        return Err(ShapeError(format!("{name:?} would be taken for an id")));
    }
    Ok((Api::Management, path))
}

/// Whether 404 answers the question. Elsewhere it means that something is wrong.
fn may_be_absent(ask: &ReadRequest) -> bool {
    match ask {
        ReadRequest::One { kind, .. } => *kind != Kind::Redirection,
        ReadRequest::Named { .. }
        | ReadRequest::Live { .. }
        | ReadRequest::ContainerItems { .. }
        | ReadRequest::ItemsById { .. } => true,
        ReadRequest::Locales
        | ReadRequest::Models { .. }
        | ReadRequest::Model(_)
        | ReadRequest::Containers
        | ReadRequest::Container(_)
        | ReadRequest::Templates(_)
        | ReadRequest::Galleries { .. }
        | ReadRequest::AssetContainer
        | ReadRequest::Assets { .. }
        | ReadRequest::Items { .. }
        | ReadRequest::PublicItems { .. }
        | ReadRequest::Pages { .. }
        | ReadRequest::Sitemap(_)
        | ReadRequest::Redirections => false,
    }
}

const fn is_feed(ask: &ReadRequest) -> bool {
    matches!(
        ask,
        ReadRequest::Items { .. } | ReadRequest::PublicItems { .. } | ReadRequest::Pages { .. }
    )
}

/// A feed that is being rebuilt says so, or answers nothing at all.
fn feed_is_busy(value: &Value) -> bool {
    value.is_null() || shape::flag(value, "busy")
}

/// Where the rows are in the answer to a question.
const fn list_of(ask: &ReadRequest) -> List {
    match ask {
        ReadRequest::Locales
        | ReadRequest::Models { .. }
        | ReadRequest::Containers
        | ReadRequest::Templates(_)
        | ReadRequest::Sitemap(_)
        | ReadRequest::ItemsById { .. } => List::Whole,
        ReadRequest::Galleries { .. } => List::Member("assetMediaGroupings"),
        ReadRequest::Assets { .. } => List::Member("assetMedias"),
        ReadRequest::Items { .. }
        | ReadRequest::PublicItems { .. }
        | ReadRequest::Pages { .. }
        | ReadRequest::Redirections
        | ReadRequest::ContainerItems { .. }
        | ReadRequest::One {
            kind: Kind::Redirection,
            ..
        } => List::Member("items"),
        ReadRequest::Model(_)
        | ReadRequest::Container(_)
        | ReadRequest::AssetContainer
        | ReadRequest::One { .. }
        | ReadRequest::Live { .. }
        | ReadRequest::Named { .. } => List::None,
    }
}

/// Reads the JSON that answers a question.
fn understand<I: Id>(ask: &ReadRequest, page: Page<'_>) -> Result<ReadResponse<I>, ShapeError> {
    match ask {
        ReadRequest::Locales => locales(&page),
        ReadRequest::Models { components } => schema::models(*components, &page),
        ReadRequest::Model(_) => schema::model(page.rest).map(one),
        ReadRequest::Containers => schema::containers(&page),
        ReadRequest::Container(_) => schema::container(page.rest).map(one),
        ReadRequest::Templates(_) => schema::templates(&page),
        ReadRequest::Galleries { offset } => media::galleries(*offset, &page),
        ReadRequest::AssetContainer => media::asset_container(&page.rest).map(one),
        ReadRequest::Assets { offset } => media::assets(*offset, &page),
        ReadRequest::Items { locale, token } => {
            let next = |locale, token| ReadRequest::Items { locale, token };
            content::feed((locale, *token), &page, next)
        }
        ReadRequest::PublicItems { locale, token } => {
            let next = |locale, token| ReadRequest::PublicItems { locale, token };
            content::feed((locale, *token), &page, next)
        }
        ReadRequest::Pages { locale, token } => pages::feed(locale, *token, &page),
        ReadRequest::Sitemap(locale) => sitemap::channels(locale, &page),
        ReadRequest::Redirections => redirections::list(&page),
        ReadRequest::One { kind, id, locale } => understand_one(*kind, *id, locale.as_ref(), page),
        ReadRequest::Live { kind, id, locale } => understand_one(*kind, *id, Some(locale), page),
        ReadRequest::Named { kind, name, .. } => understand_named(*kind, name, page),
        ReadRequest::ContainerItems {
            locale,
            container,
            offset,
        } => content::list(locale, container, *offset, &page),
        // Where none of them is there, the answer may be empty.
        ReadRequest::ItemsById { .. } if page.is_null() => Ok(ReadResponse::default()),
        ReadRequest::ItemsById { locale, .. } => {
            Ok(alive(page.each(|row| content::item(locale, row))?))
        }
    }
}

fn understand_one<I: Id>(
    kind: Kind,
    id: i64,
    locale: Option<&Locale>,
    page: Page<'_>,
) -> Result<ReadResponse<I>, ShapeError> {
    if kind == Kind::Redirection {
        let wanted = I::new(id);
        let mut answer: ReadResponse<I> = redirections::list(&page)?;
        answer
            .found
            .retain(|found| matches!(found, Record::Entity(entity) if entity.key.id == wanted));
        return Ok(answer);
    }
    if page.is_null() {
        return Ok(ReadResponse::default());
    }
    let value = page.rest;
    let no_locale = || ShapeError("no locale was given".to_owned());
    let found = match kind {
        Kind::Model => schema::model(value),
        Kind::Container => schema::container(value),
        Kind::Template => schema::template(value),
        Kind::Gallery => media::gallery(value),
        Kind::Asset => media::asset(value),
        Kind::Content => content::item(locale.ok_or_else(no_locale)?, value),
        Kind::Page => pages::page(locale.ok_or_else(no_locale)?, value),
        Kind::Redirection => redirections::row(value),
    }?;
    Ok(alive(vec![found]))
}

/// An entity asked for by name is accepted only if that is its name.
fn understand_named<I: Id>(
    kind: Kind,
    name: &str,
    page: Page<'_>,
) -> Result<ReadResponse<I>, ShapeError> {
    let mut answer: ReadResponse<I> = understand_one(kind, 0, None, page)?;
    answer
        .found
        .retain(|found| matches!(found, Record::Entity(entity) if same_name(&entity.name, name)));
    Ok(answer)
}

fn one<I>(found: Record<I>) -> ReadResponse<I> {
    ReadResponse {
        found: vec![found],
        follow_ups: Vec::new(),
    }
}

/// Leaves out what is deleted: asked for by id, it does not exist.
fn alive<I>(mut found: Vec<Record<I>>) -> ReadResponse<I> {
    found.retain(|found| match found {
        Record::Entity(entity) => entity.state != ItemState::Deleted,
        Record::Passed { .. } => false,
        Record::Locale(_)
        | Record::Channel(_)
        | Record::AssetContainer(_)
        | Record::Node(_)
        | Record::Summary(_)
        | Record::Expected { .. } => true,
    });
    ReadResponse {
        found,
        follow_ups: Vec::new(),
    }
}

/// `GET locales`: rows with `localeCode`. Rows that say `enabled: false` are left out, and `enabled` says nothing else than
/// true or false: with a locale all of its content is left out. One at least is enabled, because content and pages are in a
/// locale.
fn locales<I>(page: &Page<'_>) -> Result<ReadResponse<I>, ShapeError> {
    let rows = page.each(|row| {
        let code = match &row {
            Value::String(code) => code,
            row => shape::own_text(row, "localeCode")?,
        };
        let is_enabled = shape::checked_flag(&row, "enabled")?.unwrap_or(true);
        Ok(is_enabled.then(|| Record::Locale(Locale::new(code))))
    })?;
    let count = rows.len();
    let found: Vec<_> = rows.into_iter().flatten().collect();
    if found.is_empty() {
        return Err(ShapeError(format!(
            "expected at least one enabled locale, found none in {count} rows"
        )));
    }
    Ok(ReadResponse {
        found,
        follow_ups: Vec::new(),
    })
}

/// An entity without version and state, by the members that hold its id and its name. It has both.
pub(super) fn plain<I: Id>(
    kind: Kind,
    (id, name): (&str, &str),
    body: &Value,
) -> Result<Record<I>, ShapeError> {
    let id = shape::own_id(body, id)?;
    let name = shape::own_text(body, name);
    let name = name.map_err(|odd| ShapeError(format!("{} ({kind} {id})", odd.0)))?;
    Ok(Record::Entity(Entity {
        key: Key::global(kind, id),
        name: name.into(),
        version: None,
        state: ItemState::None,
        placement: None,
        body: Body::of_answer(body),
    }))
}

pub(super) fn passed<I>(kind: Kind, id: i64, name: Option<&str>) -> Record<I> {
    Record::Passed {
        kind,
        id,
        name: name.unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests;
