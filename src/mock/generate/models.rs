//! Models: the eleven of the kit, then more made up from a catalogue of fields.

use rand::RngExt;
use serde_json::{Map, Value, json};

use super::instance::{Dice, Ids, row};
use super::text::Moment;
use crate::mock::file::Row;

/// Positions of the kit's models in the list.
pub(super) const PERSON: usize = 0;
pub(super) const TOPIC: usize = 1;
pub(super) const ARTICLE: usize = 2;
pub(super) const FIGURE: usize = 3;
pub(super) const CARD: usize = 4;
pub(super) const CARD_LINK: usize = 5;
pub(super) const SETTINGS: usize = 6;
pub(super) const HERO: usize = 7;
pub(super) const LISTING: usize = 8;
pub(super) const CARD_GRID: usize = 9;
pub(super) const FOOTER: usize = 10;
/// How many models the kit has.
pub(super) const KIT: usize = 11;

/// The setting value that makes the server create a private container for each item.
pub(super) const PRIVATE: &str = "_newcontent_agility_";

/// What a model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Items of shared lists.
    List,
    /// One item, such as site settings.
    Single,
    /// Items of private lists only.
    Nested,
    /// Components on pages.
    Component,
}

/// A model and how its items are made.
pub(super) struct Model {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) role: Role,
    /// The lowest layer of its items; above 0 when a field must hold a link.
    pub(super) floor: u8,
    /// The container that links to this model name; empty when there is none.
    pub(super) container: String,
    pub(super) fields: Vec<Field>,
}

/// A field of a model.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// What a field holds.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// The item's title.
    Headline,
    LongText,
    Html,
    Integer,
    Boolean,
    Date,
    Choice,
    Image,
    Attachments,
    Gallery,
    Url,
    /// Text that is one asset URL.
    AssetUrl,
    /// JSON of a custom field.
    Custom,
    /// Filled by the link field that names it.
    Companion,
    Link(Link),
}

/// A field that refers to items of a model.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) model: usize,
    pub(super) form: Form,
}

/// The encodings of a link; the numbers are those of the reference table of read encodings.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// One item, no companion (R1).
    Single,
    /// One item with companions for its id and title (R1, R5, R7).
    Dropdown { value: String, text: String },
    /// The main field holds the container's name, only the companion holds the id.
    NameOnly { value: String },
    /// Picked items, no companion (R4).
    Picked,
    /// Picked items with companions (R4, R6, R7).
    SearchList { value: String, text: String },
    /// Every item of the shared list (R2).
    Whole,
    /// Every item of the shared list, in an order (R3, R8).
    Ordered { sort: String },
    /// Every item of a private list, with an order where a sort field is named (R2, or R3 and R8).
    Grid { sort: Option<String> },
    /// The one item of a private list (R1).
    NestedItem,
}

/// Makes `count` models.
pub(super) fn draft(count: usize, dice: &mut Dice) -> Vec<Model> {
    let mut ids = Ids::from(10);
    let mut models: Vec<Model> = kit()
        .into_iter()
        .map(|(name, role, container, fields)| Model {
            id: ids.next(dice),
            name: name.to_owned(),
            role,
            floor: floor(&fields),
            container: container.to_owned(),
            fields,
        })
        .collect();
    models.extend((0..count - KIT).map(|n| named(n, ids.next(dice))));
    let lists: Vec<usize> = (0..count)
        .filter(|&m| models[m].role == Role::List)
        .collect();
    for (n, model) in models[KIT..].iter_mut().enumerate() {
        model.fields = catalogue(n, model.role, &lists, dice);
        model.floor = floor(&model.fields);
    }
    models
}

fn floor(fields: &[Field]) -> u8 {
    let linked = |field: &Field| field.required && matches!(field.kind, Kind::Link(_));
    u8::from(fields.iter().any(linked))
}

/// A further model without its fields.
fn named(number: usize, id: i64) -> Model {
    const BASES: [&str; 20] = [
        "Event", "Venue", "Recipe", "Product", "Course", "Vacancy", "Office", "Story", "Album",
        "Report", "Partner", "Award", "Campaign", "Session", "Speaker", "Review", "Region",
        "Station", "Route", "Ticket",
    ];
    const AREAS: [&str; 8] = [
        "", "City", "River", "Garden", "Winter", "Harbour", "School", "Market",
    ];
    let base = format!("{}{}", AREAS[number / 20 % 8], BASES[number % 20]);
    let (role, name) = match number % 10 {
        2 | 5 | 8 => (Role::Component, format!("{base}Panel")),
        9 => (Role::Single, format!("{base}Defaults")),
        _ => (Role::List, base),
    };
    let container = match role {
        Role::Component | Role::Nested => String::new(),
        Role::Single => name.clone(),
        Role::List if number % 4 == 1 => format!("{name}s"),
        Role::List => format!("{}s", name.to_ascii_lowercase()),
    };
    Model {
        id,
        name,
        role,
        floor: 0,
        container,
        fields: Vec::new(),
    }
}

/// Fields for a further model: a title, some text, and a few of everything else.
fn catalogue(number: usize, role: Role, lists: &[usize], dice: &mut Dice) -> Vec<Field> {
    let mut fields = vec![required("Title", Kind::Headline)];
    let plain = [
        ("Summary", Kind::LongText),
        ("Body Text", Kind::Html),
        ("Position", Kind::Integer),
        ("Visible", Kind::Boolean),
        ("StartsOn", Kind::Date),
        ("Colour", Kind::Choice),
        ("Picture", Kind::Image),
        ("Downloads", Kind::Attachments),
        ("Pictures", Kind::Gallery),
        ("More", Kind::Url),
        ("Leaflet", Kind::AssetUrl),
        ("Layout", Kind::Custom),
    ];
    for (position, (name, kind)) in plain.into_iter().enumerate() {
        if position < 2 || dice.random_ratio(2, 5) {
            fields.push(optional(name, kind));
        }
    }
    for n in 0..dice.random_range(1..=4) {
        let model = lists[dice.random_range(0..lists.len())];
        let name = format!("Linked{n}");
        fields.extend(link(&name, model, form(number + n, &name, role)));
    }
    if role == Role::List && dice.random_ratio(1, 4) {
        let owner = dropdown("OwnerID", "OwnerName");
        fields.extend(must(link("Owner", PERSON, owner)));
    }
    fields
}

/// The form of a link of a further model; companions are named in five ways, only one of which names the main field.
fn form(number: usize, field: &str, role: Role) -> Form {
    let (value, text) = match number % 5 {
        0 => (format!("{field}ID"), format!("{field}Name")),
        1 => (format!("{field}_ValueField"), format!("{field}_TextField")),
        2 => (format!("Chosen{number}"), format!("ChosenText{number}")),
        3 => (format!("{field}Keys"), format!("{field}Labels")),
        _ => (format!("Ref{number}"), format!("RefLabel{number}")),
    };
    let top = matches!(role, Role::Component | Role::Single);
    match number % 7 {
        0 => Form::Single,
        1 | 2 => Form::Dropdown { value, text },
        3 => Form::NameOnly { value },
        4 => Form::SearchList { value, text },
        5 if top => Form::Ordered {
            sort: format!("{field}Order"),
        },
        6 if top => Form::Whole,
        _ => Form::Picked,
    }
}

fn optional(name: &str, kind: Kind) -> Field {
    Field {
        name: name.to_owned(),
        kind,
        required: false,
    }
}

fn required(name: &str, kind: Kind) -> Field {
    Field {
        required: true,
        ..optional(name, kind)
    }
}

fn dropdown(value: &str, text: &str) -> Form {
    Form::Dropdown {
        value: value.to_owned(),
        text: text.to_owned(),
    }
}

fn search_list(value: &str, text: &str) -> Form {
    Form::SearchList {
        value: value.to_owned(),
        text: text.to_owned(),
    }
}

/// A link field and its companions.
fn link(name: &str, model: usize, form: Form) -> Vec<Field> {
    let companions: Vec<String> = match &form {
        Form::Dropdown { value, text } | Form::SearchList { value, text } => {
            vec![value.clone(), text.clone()]
        }
        Form::NameOnly { value } => vec![value.clone()],
        Form::Ordered { sort } | Form::Grid { sort: Some(sort) } => vec![sort.clone()],
        Form::Single
        | Form::Picked
        | Form::Whole
        | Form::Grid { sort: None }
        | Form::NestedItem => Vec::new(),
    };
    let mut fields = vec![optional(name, Kind::Link(Link { model, form }))];
    fields.extend(
        companions
            .iter()
            .map(|name| optional(name, Kind::Companion)),
    );
    fields
}

/// The same link, required.
fn must(mut link: Vec<Field>) -> Vec<Field> {
    link[0].required = true;
    link
}

type KitModel = (&'static str, Role, &'static str, Vec<Field>);

/// The magazine's models, in the order of the constants above.
fn kit() -> [KitModel; KIT] {
    [
        ("Person", Role::List, "people", person()),
        ("Topic", Role::List, "topics", topic()),
        ("Article", Role::List, "articles", article()),
        ("Figure", Role::List, "figures", figure()),
        ("Card", Role::Nested, "", card()),
        ("CardLink", Role::Nested, "", card_link()),
        ("SiteSettings", Role::Single, "SiteSettings", settings()),
        ("Hero", Role::Component, "", hero()),
        ("ArticleListing", Role::Component, "", listing()),
        ("CardGrid", Role::Component, "", card_grid()),
        ("Footer", Role::Component, "", footer()),
    ]
}

/// Refers to articles, which refer to people: a cycle of two models, and of items where both are set.
fn person() -> Vec<Field> {
    let mut fields = vec![
        required("Name", Kind::Headline),
        optional("Biography", Kind::Html),
        optional("Portrait", Kind::Image),
        optional("Profile", Kind::Url),
    ];
    fields.extend(link(
        "Manager",
        PERSON,
        dropdown("ManagerID", "ManagerName"),
    ));
    fields.extend(link("LatestArticle", ARTICLE, Form::Single));
    fields
}

fn topic() -> Vec<Field> {
    let mut fields = vec![
        required("Label", Kind::Headline),
        optional("Description", Kind::LongText),
        optional("Colour", Kind::Choice),
    ];
    let form = search_list("NeighbourKeys", "NeighbourLabels");
    fields.extend(link("Neighbours", TOPIC, form));
    fields
}

fn article() -> Vec<Field> {
    let mut fields = vec![
        required("Headline", Kind::Headline),
        optional("Summary", Kind::LongText),
        optional("Body", Kind::Html),
        optional("Featured", Kind::Boolean),
        optional("PublishDate", Kind::Date),
        optional("Minutes", Kind::Integer),
        optional("Hero Image", Kind::Image),
        optional("Files", Kind::Attachments),
        optional("Photos", Kind::Gallery),
        optional("More", Kind::Url),
        optional("Brochure", Kind::AssetUrl),
        optional("Layout", Kind::Custom),
    ];
    let writer = dropdown("WriterID", "WriterName");
    fields.extend(must(link("Writer", PERSON, writer)));
    let tags = search_list("Tags_ValueField", "Tags_TextField");
    fields.extend(link("Tags", TOPIC, tags));
    let value = "FigureKey".to_owned();
    fields.extend(link("LinkedFigure", FIGURE, Form::NameOnly { value }));
    fields.extend(link("SeeAlso", ARTICLE, Form::Picked));
    fields.extend(link("FollowUp", ARTICLE, Form::Single));
    let sort = Some("Cards_SortIdField".to_owned());
    fields.extend(link("Cards", CARD, Form::Grid { sort }));
    fields.extend(link("Teaser", CARD, Form::NestedItem));
    fields
}

fn figure() -> Vec<Field> {
    vec![
        required("Caption", Kind::Headline),
        optional("Drawing", Kind::Image),
        optional("Source", Kind::AssetUrl),
    ]
}

fn card() -> Vec<Field> {
    let mut fields = vec![
        required("Title", Kind::Headline),
        optional("Text", Kind::LongText),
        optional("Picture", Kind::Image),
    ];
    fields.extend(link("Links", CARD_LINK, Form::Grid { sort: None }));
    fields
}

fn card_link() -> Vec<Field> {
    vec![
        required("Title", Kind::Headline),
        optional("Goal", Kind::Url),
    ]
}

fn settings() -> Vec<Field> {
    let mut fields = vec![required("SiteName", Kind::Headline)];
    let sort = "TopicOrder".to_owned();
    fields.extend(link("FeaturedTopics", TOPIC, Form::Ordered { sort }));
    fields
}

fn hero() -> Vec<Field> {
    let mut fields = vec![
        required("Title", Kind::Headline),
        optional("Lead", Kind::LongText),
        optional("Picture", Kind::Image),
        optional("Action", Kind::Url),
    ];
    fields.extend(link("Story", ARTICLE, dropdown("StoryKey", "StoryTitle")));
    fields
}

fn listing() -> Vec<Field> {
    let mut fields = vec![required("Title", Kind::Headline)];
    fields.extend(link("Articles", ARTICLE, Form::Whole));
    fields
}

fn card_grid() -> Vec<Field> {
    let mut fields = vec![required("Title", Kind::Headline)];
    fields.extend(link("Cards", CARD, Form::Grid { sort: None }));
    fields
}

fn footer() -> Vec<Field> {
    vec![
        required("Title", Kind::Headline),
        optional("Text", Kind::Html),
        optional("Contact", Kind::Url),
    ]
}

/// The `Model` rows.
pub(super) fn rows(models: &[Model], dice: &mut Dice) -> Vec<Row> {
    models
        .iter()
        .map(|model| {
            let (kind, kind_name) = match model.role {
                Role::Single => (0, "Single Item"),
                Role::List | Role::Nested => (1, "List"),
                Role::Component => (2, "Component"),
            };
            let fields: Vec<Value> = model
                .fields
                .iter()
                .enumerate()
                .map(|(order, field)| field_row(models, model.id, order, field))
                .collect();
            row(json!({
                "id": model.id, "lastModifiedDate": Moment::draw(dice).iso(), "displayName": model.name,
                "referenceName": model.name, "lastModifiedBy": "Rosa Vega", "lastModifiedAuthorID": 12,
                "contentDefinitionTypeID": kind, "contentDefinitionTypeName": kind_name,
                "description": "", "allowTagging": false, "isPublished": true, "wasUnpublished": false,
                "fields": fields
            }))
        })
        .collect()
}

fn field_row(models: &[Model], model: i64, order: usize, field: &Field) -> Value {
    json!({
        "name": field.name, "label": field.name, "type": wire_type(&field.kind),
        "settings": settings_of(models, field), "labelHelpDescription": null, "itemOrder": order,
        "designerOnly": false, "isDataField": true, "editable": true,
        "hiddenField": matches!(field.kind, Kind::Companion),
        "fieldID": format!("f{model:x}{order:02x}"), "description": null
    })
}

fn wire_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Headline | Kind::AssetUrl | Kind::Companion => "Text",
        Kind::LongText => "LongText",
        Kind::Html => "Html",
        Kind::Integer => "Integer",
        Kind::Boolean => "Boolean",
        Kind::Date => "Date",
        Kind::Choice => "DropdownList",
        Kind::Image => "ImageAttachment",
        Kind::Attachments => "AttachmentList",
        Kind::Gallery => "PhotoGallery",
        Kind::Url => "Link",
        Kind::Custom => "Custom",
        Kind::Link(_) => "Content",
    }
}

fn settings_of(models: &[Model], field: &Field) -> Map<String, Value> {
    let mut settings = match &field.kind {
        Kind::Headline => row(json!({ "Length": "120" })),
        Kind::LongText => row(json!({ "Length": "2000" })),
        Kind::Choice => row(json!({ "Choices": "Red|red\nGreen|green\nBlue|blue" })),
        Kind::Link(link) => link_settings(models, link),
        Kind::Html
        | Kind::Integer
        | Kind::Boolean
        | Kind::Date
        | Kind::Image
        | Kind::Attachments
        | Kind::Gallery
        | Kind::Url
        | Kind::AssetUrl
        | Kind::Custom
        | Kind::Companion => Map::new(),
    };
    if field.required {
        settings.insert("Required".to_owned(), json!("True"));
    }
    settings
}

fn link_settings(models: &[Model], link: &Link) -> Map<String, Value> {
    let target = &models[link.model];
    let (render, list, view) = match &link.form {
        Form::Single | Form::Dropdown { .. } | Form::NameOnly { .. } => {
            ("dropdown", "0", target.container.as_str())
        }
        Form::Picked | Form::SearchList { .. } => ("searchlistbox", "0", target.container.as_str()),
        Form::Whole | Form::Ordered { .. } => ("grid", "1", target.container.as_str()),
        Form::Grid { .. } => ("grid", "1", PRIVATE),
        Form::NestedItem => ("", "0", PRIVATE),
    };
    let mut settings = row(json!({
        "ContentDefinition": target.name, "ContentView": view, "SharedContent": view,
        "RenderAs": render, "LinkedContentNestedTypeID": list
    }));
    let mut set = |key: &str, value: &str| settings.insert(key.to_owned(), json!(value));
    match &link.form {
        Form::Dropdown { value, text } | Form::SearchList { value, text } => {
            set("LinkeContentDropdownValueField", value);
            set("LinkeContentDropdownTextField", text);
        }
        Form::NameOnly { value } => {
            set("LinkeContentDropdownValueField", value);
        }
        Form::Ordered { sort } | Form::Grid { sort: Some(sort) } => {
            set("SortIDFieldName", sort);
        }
        Form::Single => {
            set("LinkeContentDropdownValueField", "CREATENEW");
        }
        Form::Picked | Form::Whole | Form::Grid { sort: None } | Form::NestedItem => {}
    }
    settings
}
