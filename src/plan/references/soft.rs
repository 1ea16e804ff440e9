//! Relations that an entity can do without.
//!
//! A reference may lead nowhere on the source already: its gallery was deleted, its field was removed from the model. What
//! follows depends on the server: where it would refuse the save, the entity fails before anything is sent, with the place
//! named; where it accepts it, the entity is sent without the relation, with a warning. The id itself is never sent: on the
//! target it may be that of another entity.
//!
//! | relation that leads nowhere | consequence | because |
//! |---|---|---|
//! | gallery of an asset | the asset goes without gallery | an upload needs none |
//! | page or file that a link page shows | the page goes without | a link page may lead nowhere |
//! | container of a template zone | the zone goes without | the vendor's CLI sends zones without it |
//! | any id in a field that the model does not have | left out | the server stores nothing of it |
//! | any id in JSON inside a text | left out: `null`, or a list without it | the server takes any text |
//! | modules in a zone that the template does not have | the zone is left out | such modules are shown nowhere, and the server refuses the zone |
//! | URL of no asset, below a container of the instance | leads to the same path below the target's | text is stored as it is |
//! | content or list in a field of the model | the item fails | the batch answers with a null reference |
//! | gallery in a field of the model | the item fails | as above |
//! | content in a zone, list of a dynamic page | the page fails | the server refuses the page |
//! | template of a page, container or model of an item, model of a container, zone or field | the entity fails | it cannot be without |

use serde_json::{Map, Value};

use super::pages::is_bare;
use super::{Occurrence, Referent};
use crate::domain::Kind;
use crate::plan::schema::name_key;
use crate::plan::{Encoding, Schema};

/// Whether an entity of `kind` can be saved without this relation.
pub(crate) fn is_soft(kind: Kind, relation: &Occurrence<'_>) -> bool {
    let is_id = matches!(
        relation.to,
        Referent::Content(_) | Referent::Page(_) | Referent::Gallery(_) | Referent::Asset(_)
    );
    let stored_as_text = relation.place.path.texts() > 0 || relation.place.unstored;
    match relation.encoding {
        Encoding::AssetGallery | Encoding::LinkedPage | Encoding::LinkedFile => true,
        Encoding::ZoneContainer => kind == Kind::Template,
        Encoding::ItemContainer
        | Encoding::ItemModel
        | Encoding::PageTemplate
        | Encoding::DynamicList
        | Encoding::ModelDefinition
        | Encoding::ContainerModel
        | Encoding::ZoneModel
        | Encoding::DefaultModule => false,
        Encoding::SingleLink
        | Encoding::NestedLink
        | Encoding::ScalarLink
        | Encoding::OrderedList
        | Encoding::PickedItems
        | Encoding::ValueField
        | Encoding::ValueFieldList
        | Encoding::SortField
        | Encoding::Gallery
        | Encoding::ZoneModule => is_id && stored_as_text,
        Encoding::ListName
        | Encoding::WholeList
        | Encoding::AttachmentUrl
        | Encoding::AttachmentList
        | Encoding::LinkUrl
        | Encoding::TextUrl
        | Encoding::EmbeddedUrl
        | Encoding::RedirectUrl => stored_as_text,
    }
}

/// The zones of a page that its template does not have, each with the number of modules in it.
pub(crate) fn hidden_zones(page: &Map<String, Value>, schema: &Schema) -> Vec<(String, usize)> {
    let name = page.get("templateName").and_then(Value::as_str);
    let Some(known) = name.and_then(|name| schema.zones(name)) else {
        return Vec::new();
    };
    let zones = page.get("zones").and_then(Value::as_object);
    let zones = zones.filter(|_| !is_bare(page.get("pageType")));
    zones
        .into_iter()
        .flatten()
        .filter(|(zone, _)| !known.contains(&name_key(zone)))
        .map(|(zone, modules)| (zone.clone(), modules.as_array().map_or(0, Vec::len)))
        .collect()
}
