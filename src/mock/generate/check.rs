//! Finds references that lead nowhere, in generated instances and in fixtures.
//!
//! Written against the reference's tables and not against the generator, so that both can be wrong only
//! in the same way if both misread the same table.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::models::PRIVATE;
use super::text::camel;
use crate::mock::file::{BASE_PLACEHOLDER, InstanceFile, Row};

/// Built-in models and containers: every instance has them without their being listed.
const BUILT_IN: [&str; 11] = [
    "richtextarea",
    "formbuilder",
    "agilityformbuilder",
    "agilitycss",
    "agilityjavascript",
    "agilitycodetemplate",
    "agilitycssfiles",
    "agilityjavascriptfiles",
    "agilityglobalcodetemplates",
    "agilitymodulecodetemplates",
    "agilitypagecodetemplates",
];

/// Everything that a reference may lead to.
struct Known<'a> {
    models: BTreeMap<String, &'a Row>,
    model_ids: BTreeSet<i64>,
    containers: BTreeSet<String>,
    container_ids: BTreeSet<i64>,
    templates: BTreeMap<String, Vec<String>>,
    galleries: BTreeSet<i64>,
    asset_keys: BTreeSet<String>,
    asset_ids: BTreeSet<i64>,
    content: BTreeSet<i64>,
    content_in: BTreeSet<(i64, String)>,
    pages: BTreeSet<i64>,
    asset_container: String,
    missing: Vec<String>,
}

pub(super) fn text<'a>(row: &'a Row, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number(row: &Row, key: &str) -> i64 {
    row.get(key).and_then(Value::as_i64).unwrap_or(-1)
}

pub(super) fn list<'a>(row: &'a Row, key: &str) -> &'a [Value] {
    row.get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub(super) fn member<'a>(row: &'a Row, key: &str) -> Option<&'a Row> {
    row.get(key).and_then(Value::as_object)
}

fn lower(name: &str) -> String {
    name.to_lowercase()
}

/// Every dangling reference of an instance, as `where: what is missing`.
pub(super) fn dangling(instance: &InstanceFile) -> Vec<String> {
    let mut known = Known::of(instance);
    known.models_and_containers(instance);
    known.templates(instance);
    known.assets(instance);
    for item in &instance.content {
        known.item(item);
    }
    known.pages(instance);
    known.missing
}

impl<'a> Known<'a> {
    fn of(instance: &'a InstanceFile) -> Self {
        let ids = |rows: &[Row], key: &str| rows.iter().map(|r| number(r, key)).collect();
        let zones = |row: &Row| {
            list(row, "contentSectionDefinitions")
                .iter()
                .filter_map(Value::as_object)
                .map(|zone| text(zone, "pageItemTemplateReferenceName").to_owned())
                .collect()
        };
        let asset_container = if instance.asset_container.is_empty() {
            instance.guid.clone()
        } else {
            instance.asset_container.clone()
        };
        Self {
            models: instance
                .models
                .iter()
                .map(|m| (lower(text(m, "referenceName")), m))
                .collect(),
            model_ids: ids(&instance.models, "id"),
            containers: instance
                .containers
                .iter()
                .map(|c| lower(text(c, "referenceName")))
                .collect(),
            container_ids: ids(&instance.containers, "contentViewID"),
            templates: instance
                .templates
                .iter()
                .map(|t| (text(t, "pageTemplateName").to_owned(), zones(t)))
                .collect(),
            galleries: ids(&instance.galleries, "mediaGroupingID"),
            asset_keys: instance
                .assets
                .iter()
                .map(|a| text(a, "originKey").to_owned())
                .collect(),
            asset_ids: ids(&instance.assets, "mediaID"),
            content: ids(&instance.content, "contentID"),
            content_in: instance
                .content
                .iter()
                .map(|c| (number(c, "contentID"), text(c, "locale").to_owned()))
                .collect(),
            pages: ids(&instance.pages, "pageID"),
            asset_container,
            missing: Vec::new(),
        }
    }

    fn need(&mut self, there: bool, place: &str, what: &str) {
        if !there {
            self.missing.push(format!("{place}: {what}"));
        }
    }

    fn need_container(&mut self, name: &str, place: &str) {
        let there = self.containers.contains(&lower(name)) || BUILT_IN.contains(&&*lower(name));
        self.need(there, place, &format!("container {name}"));
    }

    fn need_model_id(&mut self, id: i64, place: &str) {
        let there = id <= 1 || self.model_ids.contains(&id);
        self.need(there, place, &format!("model {id}"));
    }

    fn models_and_containers(&mut self, instance: &InstanceFile) {
        for model in &instance.models {
            let place = format!("model {}", text(model, "referenceName"));
            for settings in list(model, "fields")
                .iter()
                .filter_map(|f| f.get("settings")?.as_object())
            {
                let name = text(settings, "ContentDefinition");
                if !name.is_empty() {
                    let there =
                        self.models.contains_key(&lower(name)) || BUILT_IN.contains(&&*lower(name));
                    self.need(there, &place, &format!("model {name}"));
                }
                let view = text(settings, "ContentView");
                if !view.is_empty() && view != PRIVATE {
                    self.need_container(view, &place);
                }
            }
        }
        for container in &instance.containers {
            let place = format!("container {}", text(container, "referenceName"));
            self.need_model_id(number(container, "contentDefinitionID"), &place);
        }
    }

    fn templates(&mut self, instance: &InstanceFile) {
        for template in &instance.templates {
            let place = format!("template {}", text(template, "pageTemplateName"));
            for zone in list(template, "contentSectionDefinitions")
                .iter()
                .filter_map(Value::as_object)
            {
                self.need_model_id(number(zone, "contentDefinitionID"), &place);
                let id = number(zone, "itemContainerID");
                let there = id <= 0 || self.container_ids.contains(&id);
                self.need(there, &place, &format!("container {id}"));
                for module in list(zone, "defaultModules")
                    .iter()
                    .filter_map(Value::as_object)
                {
                    self.need_model_id(number(module, "contentDefinitionID"), &place);
                }
            }
        }
    }

    fn assets(&mut self, instance: &InstanceFile) {
        for asset in &instance.assets {
            let id = number(asset, "mediaGroupingID");
            let there = id <= 0 || self.galleries.contains(&id);
            let place = format!("asset {}", text(asset, "originKey"));
            self.need(there, &place, &format!("gallery {id}"));
        }
    }

    fn item(&mut self, item: &Row) {
        let place = format!(
            "content {}@{}",
            number(item, "contentID"),
            text(item, "locale")
        );
        let empty = Row::new();
        let properties = member(item, "properties").unwrap_or(&empty);
        self.need_container(text(properties, "referenceName"), &place);
        let model = lower(text(properties, "definitionName"));
        let fields = member(item, "fields").unwrap_or(&empty);
        for value in fields.values() {
            self.value(value, &place);
        }
        match self.models.get(&model).copied() {
            Some(model) => self.companions(model, fields, &place),
            None => self.need(
                BUILT_IN.contains(&&*model),
                &place,
                &format!("model {model}"),
            ),
        }
    }

    /// Ids in fields that only the model distinguishes from plain text.
    fn companions(&mut self, model: &Row, fields: &Row, place: &str) {
        for settings in list(model, "fields")
            .iter()
            .filter_map(|f| f.get("settings")?.as_object())
        {
            for key in ["LinkeContentDropdownValueField", "SortIDFieldName"] {
                self.ids(text(fields, &camel(text(settings, key))), place);
            }
        }
    }

    fn ids(&mut self, ids: &str, place: &str) {
        for id in ids
            .split(',')
            .filter_map(|id| id.trim().parse::<i64>().ok())
        {
            let there = id <= 0 || self.content.contains(&id);
            self.need(there, place, &format!("content {id}"));
        }
    }

    /// References that show by their shape, at any depth and in JSON within strings.
    fn value(&mut self, value: &Value, place: &str) {
        match value {
            Value::Object(members) => self.object(members, place),
            Value::Array(values) => values.iter().for_each(|value| self.value(value, place)),
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(inner) if inner.is_object() || inner.is_array() => self.value(&inner, place),
                Ok(_) | Err(_) => self.urls(text, place),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&mut self, members: &Row, place: &str) {
        for (key, value) in members {
            match (lower(key).as_str(), value) {
                ("contentid", value) => self.ids(&value.to_string(), place),
                ("sortids", Value::String(ids)) => self.ids(ids, place),
                ("referencename", Value::String(name)) => self.need_container(name, place),
                ("galleryid", value) => {
                    let there = value
                        .as_i64()
                        .is_some_and(|id| self.galleries.contains(&id));
                    self.need(there, place, &format!("gallery {value}"));
                }
                (_, value) => self.value(value, place),
            }
        }
    }

    /// Asset URLs of this instance, wherever they stand in a text.
    fn urls(&mut self, text: &str, place: &str) {
        for host in ["cdn", "origin"] {
            let prefix = format!("{BASE_PLACEHOLDER}/{host}/{}/", self.asset_container);
            for found in text.split(prefix.as_str()).skip(1) {
                let end = found
                    .find(['"', '?', '#', ' ', '<', '\'', ','])
                    .unwrap_or(found.len());
                let key = percent_decode_str(&found[..end]).decode_utf8_lossy();
                // what ends a sentence or a CSS function may follow the URL
                let bare = key.trim_end_matches([')', '.']);
                let there = self.asset_keys.contains(&*key) || self.asset_keys.contains(bare);
                self.need(there, place, &format!("asset {key}"));
            }
        }
    }

    fn pages(&mut self, instance: &InstanceFile) {
        let rows: BTreeSet<_> = instance
            .pages
            .iter()
            .map(|p| (number(p, "pageID"), text(p, "locale").to_owned()))
            .collect();
        for page in &instance.pages {
            let locale = text(page, "locale");
            let place = format!("page {}@{locale}", number(page, "pageID"));
            let parent = number(page, "parentPageID");
            let there = parent <= 0 || rows.contains(&(parent, locale.to_owned()));
            self.need(there, &place, &format!("parent {parent}"));
            let target = number(page, "linkToPageID");
            let there = target <= 0 || self.pages.contains(&target);
            self.need(there, &place, &format!("page {target}"));
            let file = number(page, "linkToFileID");
            let there = file <= 0 || self.asset_ids.contains(&file);
            self.need(there, &place, &format!("asset {file}"));
            if let Some(dynamic) = member(page, "dynamic") {
                self.need_container(text(dynamic, "referenceName"), &place);
            }
            self.urls(text(page, "redirectUrl"), &place);
            self.zones(page, locale, &place);
        }
    }

    fn zones(&mut self, page: &Row, locale: &str, place: &str) {
        let template = text(page, "templateName");
        let zones = self.templates.get(template).cloned();
        self.need(
            template.is_empty() || zones.is_some(),
            place,
            &format!("template {template}"),
        );
        let zones = zones.unwrap_or_default();
        for (zone, modules) in member(page, "zones").into_iter().flatten() {
            self.need(zones.contains(zone), place, &format!("zone {zone}"));
            for module in modules.as_array().into_iter().flatten() {
                let module_name = lower(module["module"].as_str().unwrap_or_default());
                let there = self.models.contains_key(&module_name)
                    || BUILT_IN.contains(&module_name.as_str());
                self.need(there, place, &format!("model {module_name}"));
                let id = module["item"]["contentid"].as_i64().unwrap_or(-1);
                let there = self.content_in.contains(&(id, locale.to_owned()));
                self.need(there, place, &format!("content {id}@{locale}"));
            }
        }
    }
}
