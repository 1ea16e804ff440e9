//! An instance as a reader would have it, made without a server: rows of the generator, or of items that are linked in a way that
//! is hard to plan, become entities.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::iter;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use lockgate::domain::{
    AssetContainer, Body, BodyFile, Entity, EntityKey, Guid, Id, Inventory, ItemState, Key, Kind,
    Locale, Placement, SourceId, TargetId, Version,
};
use lockgate::mock::file::{BASE_PLACEHOLDER, InstanceFile, Row};
use lockgate::mock::generate::{Shape, generate};
use lockgate::plan::{Agreement, Agreements, Plan, Schema, target_hash};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Outcome;

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    key: EntityKey,
    name: Box<str>,
    /// Parent and position of a page.
    place: Option<(Option<i64>, u32)>,
    version: Option<i64>,
    body: Body,
}

/// What the items of an instance refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Site {
    /// A generated site in the proportions of a real one.
    Usual,
    /// Items with links to three others at random: one large component.
    Tangle,
    /// An item with links to all others, each of which has a link back.
    Hub,
}

impl Site {
    /// Its name on the command line and in the table.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("no site is skipped");
        value.get_name().to_owned()
    }

    fn instances(self, entities: usize) -> Outcome<Vec<InstanceFile>> {
        Ok(match self {
            Self::Usual => generate(&Shape::new(entities, 1)).instances,
            Self::Tangle => {
                let mut dice = ChaCha8Rng::seed_from_u64(1);
                let links = |_| (0..3).map(|_| dice.random_range(0..entities)).collect();
                vec![linked((0..entities).map(links).collect())?]
            }
            Self::Hub => {
                let hub = iter::once((1..entities).collect());
                vec![linked(hub.chain((1..entities).map(|_| vec![0])).collect())?]
            }
        })
    }
}

/// Items of one list, each with optional links to the items at these places.
fn linked(links: Vec<Vec<usize>>) -> Outcome<InstanceFile> {
    let items = links.into_iter().enumerate().map(|(at, links)| {
        let ids: Vec<String> = links.iter().map(|to| (FIRST_ITEM + to).to_string()).collect();
        json!({
            "contentID": FIRST_ITEM + at, "locale": "en-us",
            "properties": { "state": 2, "versionID": at + 1, "referenceName": "nodes", "definitionName": "Node", "itemOrder": at },
            "fields": {
                "title": format!("Node {at}"),
                "links": { "referencename": "nodes", "fulllist": false },
                "links_ValueField": ids.join(","), "links_TextField": "",
            },
        })
    });
    let items: Vec<Value> = items.collect();
    Ok(serde_json::from_value(json!({
        "guid": "1a2b3c4d-u",
        "locales": ["en-us"],
        "models": [{
            "id": 41, "referenceName": "Node", "displayName": "Node", "contentDefinitionTypeID": 1,
            "fields": [
                { "name": "Title", "type": "Text", "settings": { "Required": "True" } },
                { "name": "Links", "type": "Content", "settings": {
                    "ContentDefinition": "Node", "ContentView": "nodes", "SharedContent": "nodes",
                    "RenderAs": "searchlistbox", "LinkedContentNestedTypeID": "0",
                    "LinkeContentDropdownValueField": "Links_ValueField",
                    "LinkeContentDropdownTextField": "Links_TextField",
                } },
                { "name": "Links_ValueField", "type": "Text", "settings": {} },
                { "name": "Links_TextField", "type": "Text", "settings": {} },
            ],
        }],
        "containers": [{
            "contentViewID": 61, "referenceName": "nodes", "contentViewName": "nodes",
            "contentDefinitionID": 41, "contentDefinitionName": "Node",
        }],
        "content": items,
    }))?)
}

/// The id of the first item.
const FIRST_ITEM: usize = 1000;

/// Writes an instance of so many entities or linked items, one a line.
pub(crate) fn write(site: Site, entities: usize, file: &Path) -> Outcome<()> {
    let mut out = BufWriter::new(File::create(file)?);
    for instance in site.instances(entities)? {
        let mut write = |line: Line| -> Outcome<()> {
            serde_json::to_writer(&mut out, &line)?;
            Ok(out.write_all(b"\n")?)
        };
        lines(instance, &mut write)?;
    }
    Ok(out.flush()?)
}

fn lines(instance: InstanceFile, write: &mut dyn FnMut(Line) -> Outcome<()>) -> Outcome<()> {
    let container = instance.asset_container;
    let global = [
        (Kind::Model, instance.models, "id", "referenceName"),
        (
            Kind::Container,
            instance.containers,
            "contentViewID",
            "referenceName",
        ),
        (
            Kind::Template,
            instance.templates,
            "pageTemplateID",
            "pageTemplateName",
        ),
        (Kind::Gallery, instance.galleries, "mediaGroupingID", "name"),
        (Kind::Asset, instance.assets, "mediaID", "originKey"),
        (
            Kind::Redirection,
            instance.redirections,
            "urlRedirectionID",
            "originUrl",
        ),
    ];
    for (kind, rows, id, name) in global {
        for mut row in rows.into_iter().filter(|row| !is_folder(row)) {
            if kind == Kind::Asset {
                locate(&mut row, &container);
            }
            let key = Key::global(kind, number(&row, id)?);
            write(line(key, text(&row, name).into(), None, row))?;
        }
    }
    for mut row in instance.content {
        let locale = Locale::new(&text(&row, "locale"));
        row.remove("locale");
        let id = number(&row, "contentID")?;
        write(line(
            Key::localised(Kind::Content, id, &locale),
            "item".into(),
            None,
            row,
        ))?;
    }
    let mut positions: HashMap<(String, i64), u32> = HashMap::new();
    for mut row in instance.pages {
        let code = text(&row, "locale");
        row.remove("locale");
        let parent = number(&row, "parentPageID")?;
        let position = positions.entry((code.clone(), parent)).or_default();
        let place = Some((Some(parent).filter(|parent| *parent > 0), *position));
        *position += 1;
        let key = Key::localised(Kind::Page, number(&row, "pageID")?, &Locale::new(&code));
        write(line(key, text(&row, "path").into(), place, row))?;
    }
    Ok(())
}

fn line(key: EntityKey, name: Box<str>, place: Option<(Option<i64>, u32)>, row: Row) -> Line {
    let properties = row.get("properties");
    let version = properties.and_then(|properties| properties["versionID"].as_i64());
    Line {
        key,
        name,
        place,
        version,
        body: Body::new(&Value::Object(row)),
    }
}

/// What the server computes of an asset's row.
fn locate(row: &mut Row, container: &str) {
    let key = text(row, "originKey");
    let size = row
        .remove("content")
        .map_or(Value::Null, |content| content["filler"].clone());
    row.insert("size".to_owned(), size);
    for (member, host) in [("originUrl", "origin"), ("edgeUrl", "cdn")] {
        let url = format!("{BASE_PLACEHOLDER}/{host}/{container}/{key}");
        row.insert(member.to_owned(), url.into());
    }
}

/// Folders are listed among the assets and are no entities.
fn is_folder(row: &Row) -> bool {
    row.get("isFolder") == Some(&Value::Bool(true)) && row.contains_key("originKey")
}

fn text(row: &Row, member: &str) -> String {
    row.get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn number(row: &Row, member: &str) -> Outcome<i64> {
    let number = row.get(member).and_then(Value::as_i64);
    Ok(number.ok_or_else(|| format!("a generated row has no {member}"))?)
}

/// Reads what [`write`] wrote, as a reader would: bodies go into a file, and locales are shared.
pub(crate) fn read(file: &Path) -> Outcome<Inventory<SourceId>> {
    let mut instance = instance("1a2b3c4d-u");
    let bodies = Arc::new(BodyFile::new(tempfile::tempfile()?));
    let mut entities = Vec::new();
    let mut reader = BufReader::new(File::open(file)?);
    let mut text = String::new();
    while reader.read_line(&mut text)? > 0 {
        let mut line: Line = serde_json::from_str(&text)?;
        line.body.put_into(&bodies);
        let mut locales = instance.locales.iter();
        line.key.locale = line
            .key
            .locale
            .and_then(|own| locales.find(|one| **one == own).cloned());
        let placement = line.place.map(|(parent, position)| {
            let channel = "Website".into();
            Box::new(Placement {
                channel,
                channel_id: 1,
                parent,
                position,
            })
        });
        entities.push(Entity {
            key: line.key,
            name: line.name,
            version: line.version.map(Version),
            state: ItemState::Published,
            placement,
            body: line.body,
        });
        text.clear();
    }
    instance = instance.with_entities(entities);
    Ok(instance)
}

/// An empty instance with the locales and the addresses of a generated one.
fn instance<I: Id>(guid: &str) -> Inventory<I> {
    let container = Shape::new(0, 1).guid;
    let url = |host: &str| format!("{BASE_PLACEHOLDER}/{host}/files-{container}").into();
    let mut instance = Inventory::empty(Guid::new(guid));
    instance.locales = vec![Locale::new("en-us"), Locale::new("fr-ca")];
    instance.asset_container = AssetContainer {
        origin_url: url("origin"),
        edge_url: url("cdn"),
    };
    instance
}

/// The target and the agreements after everything has arrived under its own ids.
pub(crate) fn arrived(
    source: &Inventory<SourceId>,
    plan: &Plan,
) -> (Inventory<TargetId>, Agreements) {
    let there = source.entities().iter().map(|here| Entity {
        key: Key {
            kind: here.key.kind,
            id: TargetId::new(here.key.id.raw()),
            locale: here.key.locale.clone(),
        },
        name: here.name.clone(),
        version: here.version,
        state: here.state,
        placement: here.placement.clone(),
        body: here.body.clone(),
    });
    let target = instance::<TargetId>("5e6f7a8b-u").with_entities(there.collect());
    let schema = Schema::of(&target);
    let rows = source
        .entities()
        .iter()
        .zip(target.entities())
        .zip(&plan.entities);
    let agreements = rows.map(|((here, there), planned)| {
        let agreement = Agreement {
            target: there.key.id,
            source_hash: planned.source_hash,
            target_hash: Some(target_hash(there, &schema)),
            target_version: there.version,
            proof: lockgate::domain::Proof::Equal,
            filled: lockgate::domain::Filled::new(),
            fields: None,
            bytes_hash: None,
            bytes_date: None,
            place: None,
            number: None,
            evidence: None,
        };
        (here.key.clone(), agreement)
    });
    let agreements = agreements.collect();
    (target, agreements)
}
