//! Where an entity is edited in a browser.

use super::{Guid, Id, Key, Kind};

/// The address of the page of the vendor's application in which an item or page of an instance is edited, as the official CLI
/// links to it: `https://app.agilitycms.com/instance/{guid}/{locale}/content/listitem-{id}`. `None` of kinds whose page has an
/// address that does not follow from their id.
pub fn editor_url<I: Id>(guid: &Guid, key: &Key<I>) -> Option<String> {
    let (locale, id) = (key.locale.as_ref()?, key.id.raw());
    let page = match key.kind {
        Kind::Content => format!("content/listitem-{id}"),
        Kind::Page => format!("pages/page-{id}"),
        Kind::Model
        | Kind::Container
        | Kind::Template
        | Kind::Gallery
        | Kind::Asset
        | Kind::Redirection => return None,
    };
    Some(format!(
        "https://app.agilitycms.com/instance/{guid}/{locale}/{page}"
    ))
}
