//! A small source, and a target with other ids and names, for the tests of this module.

use serde_json::{Value, json};

use super::{
    Action, AssetIndex, Context, Counterparts, LeaveOut, Payload, Planned, Schema, Unresolved,
    payload, references,
};
use crate::domain::{
    AssetContainer, AssetUrls, Body, Entity, Filled, Guid, Id, Inventory, ItemState, Key, Kind,
    Locale, Passed, SourceId, TargetId, WorkClass,
};

pub(crate) const EDGE: &str = "https://cdn.example.test/demo";
pub(crate) const ORIGIN: &str = "https://origin.example.test/demo";
pub(crate) const TARGET_EDGE: &str = "https://cdn.example.test/copy";
pub(crate) const TARGET_ORIGIN: &str = "https://origin.example.test/copy";

/// Assets of the source: id and key.
pub(crate) const ASSETS: [(i64, &str); 6] = [
    (310, "img/tram.jpg"),
    (311, "docs/map.pdf"),
    (312, "img/two words.jpg"),
    (313, "img/tram(1).jpg"),
    (314, "img/R&D,2.png"),
    (315, "img/tram"),
];

/// The source as the walker needs to know it.
pub(crate) struct Source {
    pub(crate) schema: Schema,
    pub(crate) assets: AssetIndex,
}

impl Source {
    pub(crate) fn new() -> Self {
        let mut inventory = Inventory::empty(Guid::new("1a2b3c4d-u"));
        inventory.asset_container = AssetContainer {
            origin_url: ORIGIN.into(),
            edge_url: EDGE.into(),
        };
        inventory.passed = vec![Passed {
            kind: Kind::Model,
            id: 1,
            name: "RichTextArea".into(),
        }];
        let assets = ASSETS
            .iter()
            .map(|&(id, key)| entity(Kind::Asset, id, &media(id, key)));
        let inventory = inventory.with_entities(
            assets
                .chain([entity(Kind::Model, 41, &article())])
                .collect(),
        );
        Self {
            schema: Schema::of(&inventory),
            assets: AssetIndex::of(&inventory),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context::of(&self.schema, &self.assets)
    }

    /// What `entity` refers to, as `content 640 at /fields/writer`.
    pub(crate) fn references(&self, entity: &Entity<SourceId>) -> Vec<String> {
        references(entity, &self.context())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    pub(crate) fn payload(&self, entity: &Entity<SourceId>) -> Result<Payload, Unresolved> {
        payload(
            entity,
            &self.context(),
            &Shifted::default(),
            &LeaveOut::default(),
            None,
        )
    }

    pub(crate) fn body(&self, entity: &Entity<SourceId>) -> Value {
        self.payload(entity).unwrap().body
    }
}

fn media(id: i64, key: &str) -> Value {
    let escaped = key.replace(' ', "%20");
    json!({
        "mediaID": id, "originKey": key, "fileName": key, "size": 10,
        "containerOriginUrl": ORIGIN, "containerEdgeUrl": EDGE,
        "originUrl": format!("{ORIGIN}/{escaped}"), "edgeUrl": format!("{EDGE}/{escaped}"),
    })
}

/// A model with every way to link.
pub(crate) fn article() -> Value {
    let field = |name: &str, kind: &str, settings: Value| json!({ "name": name, "type": kind, "settings": settings });
    json!({
        "id": 41, "referenceName": "Article", "contentDefinitionTypeID": 1,
        "fields": [
            field("Headline", "Text", json!({ "Required": "True", "Length": "120" })),
            field("Body", "HTML", json!({})),
            field("Writer", "Content", json!({
                "ContentDefinition": "Person", "ContentView": "people", "SharedContent": "people",
                "RenderAs": "dropdown", "LinkeContentDropdownValueField": "WriterID",
                "LinkeContentDropdownTextField": "WriterName", "Required": "true",
            })),
            field("WriterID", "Text", json!({})),
            field("WriterName", "Text", json!({})),
            field("Tags", "Content", json!({
                "ContentDefinition": "Tag", "SharedContent": "tags", "ContentView": "tags",
                "RenderAs": "searchlistbox", "LinkedContentDropdownValueField": "tags_valuefield",
                "LinkeContentDropdownTextField": "Tags_TextField", "SortIDFieldName": "CREATENEW",
            })),
            field("Tags_ValueField", "Text", json!({})),
            field("Tags_TextField", "Text", json!({})),
            field("Cards", "Content", json!({
                "ContentDefinition": "Card", "ContentView": "_newcontent_agility_", "RenderAs": "grid",
                "LinkedContentNestedTypeID": "1", "SortIDFieldName": "Card Order",
            })),
            field("Card Order", "Text", json!({})),
            field("Hero Item", "Content", json!({
                "ContentDefinition": "Hero", "LinkedContentNestedTypeID": "0",
                "ContentView": "_newcontent_agility_", "LinkeContentDropdownValueField": "Hero Item",
            })),
            field("Hero", "ImageAttachment", json!({})),
            field("Files", "AttachmentList", json!({})),
            field("Photos", "PhotoGallery", json!({})),
            field("More", "Link", json!({})),
            field("Extra", "Custom", json!({})),
            field("Number", "Integer", json!({})),
            field("Price", "Decimal", json!({})),
            field("Shown", "Boolean", json!({})),
            field("Day", "Date", json!({})),
        ],
    })
}

pub(crate) fn entity(kind: Kind, id: i64, body: &Value) -> Entity<SourceId> {
    let locale = kind.is_localised().then(|| Locale::new("en-us"));
    let name = ["referenceName", "pageTemplateName", "name"]
        .iter()
        .find_map(|name| body[*name].as_str());
    Entity {
        key: Key {
            kind,
            id: SourceId::new(id),
            locale,
        },
        name: name.unwrap_or("unnamed").into(),
        version: None,
        state: ItemState::Staging,
        placement: None,
        body: Body::new(body),
    }
}

/// An article with these fields.
pub(crate) fn item(fields: &Value) -> Entity<SourceId> {
    entity(
        Kind::Content,
        912,
        &json!({ "contentID": 912, "properties": properties(), "fields": fields }),
    )
}

pub(crate) fn properties() -> Value {
    json!({
        "state": 2, "modified": "2025-04-02T11:20:00.117", "versionID": 8804, "referenceName": "articles",
        "definitionName": "article", "itemOrder": 3, "releaseDate": null, "pullDate": null,
    })
}

/// What the target adds to every id.
pub(crate) const SHIFT: i64 = 1_000_000;

/// A target where every id is higher by [`SHIFT`] and every name carries a `t_`, apart from what is lost.
#[derive(Debug)]
pub(crate) struct Shifted {
    pub(crate) container: AssetContainer,
    pub(crate) lost: Vec<(Kind, i64)>,
    pub(crate) shift: i64,
    pub(crate) mark: &'static str,
}

impl Default for Shifted {
    fn default() -> Self {
        let container = AssetContainer {
            origin_url: TARGET_ORIGIN.into(),
            edge_url: TARGET_EDGE.into(),
        };
        Self {
            container,
            lost: Vec::new(),
            shift: SHIFT,
            mark: "t_",
        }
    }
}

impl Shifted {
    /// A target that calls everything as the source does.
    pub(crate) fn same() -> Self {
        let container = AssetContainer {
            origin_url: ORIGIN.into(),
            edge_url: EDGE.into(),
        };
        Self {
            container,
            lost: Vec::new(),
            shift: 0,
            mark: "",
        }
    }
}

impl Counterparts for Shifted {
    fn id(&self, kind: Kind, id: i64, locale: Option<&Locale>) -> Option<TargetId> {
        assert!(
            locale.is_some() || !kind.is_localised(),
            "{kind} needs a locale"
        );
        (!self.lost.contains(&(kind, id))).then(|| TargetId::new(id + self.shift))
    }

    fn name(&self, _kind: Kind, source_name: &str) -> Option<Box<str>> {
        Some(format!("{}{source_name}", self.mark).into())
    }

    fn asset_urls(&self, id: i64) -> Option<AssetUrls> {
        let (_, key) = ASSETS.iter().find(|(asset, _)| *asset == id)?;
        let key = key.replace(' ', "%20");
        (!self.lost.contains(&(Kind::Asset, id))).then(|| AssetUrls {
            origin: format!("{}/{key}", self.container.origin_url).into(),
            edge: format!("{}/{key}", self.container.edge_url).into(),
        })
    }

    fn asset_container(&self) -> &AssetContainer {
        &self.container
    }
}

/// Something new that needs nothing.
pub(crate) fn planned() -> Planned {
    Planned {
        action: Action::Create { joins: None },
        because: "not on the target".into(),
        class: WorkClass::Parallel,
        level: 0,
        remaining_ms: 0,
        source_hash: None,
        encodings: 0,
        target_hash: None,
        filled: Filled::new(),
        left_alone: false,
        temporary: None,
        keeps_number: None,
        again: Vec::new(),
        left_out: Vec::new(),
        row: None,
        place: None,
        included_by: None,
        evidence: None,
        found: None,
        merge: None,
        public: None,
    }
}
