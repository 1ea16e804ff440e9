//! Templates (page models) and their zones: saved at once, zones as a complete list.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::failure::Refusal;
use super::ids::IdKind;
use super::model::summary;
use super::text::{NO_DATE, fold};
use super::{World, gone, row};
use crate::mock::file::Row;

const ZONES: &str = "contentSectionDefinitions";

/// Gives a template row the members that the server computes.
pub(super) fn complete(row: &mut Row) {
    row::fill(row, "digitalChannelTypeID", 1);
    row::fill(row, "digitalChannelTypeName", "Website");
    row::fill(row, "doesPageTemplateHavePages", false);
    row::fill(row, "agilityCode", false);
    row::set(row, "isDeleted", false);
    row::fill(row, ZONES, json!([]));
    let zones = row.get_mut(ZONES).and_then(Value::as_array_mut);
    for zone in zones.into_iter().flatten() {
        if let Some(zone) = zone.as_object_mut() {
            complete_zone(zone);
        }
    }
}

/// The members of a zone that the vendor's description does not let be null.
fn complete_zone(zone: &mut Row) {
    for date in ["releaseDate", "pullDate"] {
        row::fill(zone, date, NO_DATE);
    }
    for number in ["state", "pageItemTemplateType"] {
        row::fill(zone, number, 0);
    }
    for flag in [
        "doesPageTemplateHavePages",
        "enablePersonalization",
        "isShared",
        "isSharedTemplate",
    ] {
        row::fill(zone, flag, false);
    }
}

fn zone_name(zone: &Row) -> String {
    let display = || {
        row::text(zone, "pageItemTemplateName")
            .unwrap_or_default()
            .replace(' ', "")
    };
    row::filled(zone, "pageItemTemplateReferenceName").map_or_else(display, str::to_owned)
}

impl World {
    /// All templates; without `zones` the rows lack theirs.
    pub(crate) fn template_list(&self, zones: bool, search: Option<&str>) -> Vec<Value> {
        let wanted = search.map(fold).unwrap_or_default();
        let named = |row: &Row| fold(row::text(row, "pageTemplateName").unwrap_or_default());
        let rows = self
            .templates
            .iter()
            .map(|(_, row)| row)
            .filter(|row| named(row).contains(&wanted));
        rows.map(|row| {
            if zones {
                Value::Object(row.clone())
            } else {
                summary(row, ZONES)
            }
        })
        .collect()
    }

    pub(crate) fn template(&self, id: i64) -> Option<&Row> {
        self.templates.get(id)
    }

    pub(crate) fn template_named(&self, name: &str) -> Option<&Row> {
        self.templates
            .by_name(name)
            .and_then(|id| self.templates.get(id))
    }

    /// The zones of a template, without their default modules.
    pub(crate) fn zones(&self, id: i64) -> Option<Vec<Value>> {
        let zones = row::objects(self.templates.get(id)?, ZONES)
            .cloned()
            .map(|mut zone| {
                row::set(&mut zone, "defaultModules", json!([]));
                Value::Object(zone)
            });
        Some(zones.collect())
    }

    /// Creates or replaces a template.
    ///
    /// # Errors
    /// 404 for an unknown id, 400 for a missing name or a zone that names an unknown model or container, 500
    /// for a name in use.
    pub(crate) fn save_template(&mut self, mut posted: Row) -> Result<Value, Refusal> {
        self.receive("template", &mut posted);
        let id = row::id(&posted, "pageTemplateID");
        let name = row::filled(&posted, "pageTemplateName");
        let id = id.or_else(|| self.replaced(&self.templates, name));
        let old = id
            .map(|id| {
                self.templates
                    .get(id)
                    .cloned()
                    .ok_or_else(|| gone("Page model", id))
            })
            .transpose()?;
        let name = row::filled(&posted, "pageTemplateName");
        let name = name.ok_or_else(|| {
            Refusal::invalid(
                "pageTemplateName",
                "The pageTemplateName field is required.",
            )
        })?;
        if self.templates.rivals(name).any(|other| Some(other) != id) {
            return Err(Refusal::new(
                500,
                format!("A page model with the name {name} already exists."),
            ));
        }
        row::objects(&posted, ZONES).try_for_each(|zone| self.check_zone(zone))?;
        let id = id.unwrap_or_else(|| self.next_id(IdKind::Template));
        row::set(&mut posted, "pageTemplateID", id);
        self.settle_zones(id, old.as_ref(), &mut posted);
        complete(&mut posted);
        self.templates.put(id, posted.clone());
        Ok(Value::Object(posted))
    }

    fn check_zone(&self, zone: &Row) -> Result<(), Refusal> {
        let unknown = |what: &str, id: i64| {
            Err(Refusal::new(
                400,
                format!("Zone {}: {what} {id} does not exist.", zone_name(zone)),
            ))
        };
        let modules = row::objects(zone, "defaultModules")
            .filter(|_| self.rules.refuses.default_modules)
            .filter_map(|module| row::id(module, "contentDefinitionID"));
        for model in row::id(zone, "contentDefinitionID")
            .into_iter()
            .chain(modules)
        {
            if !self.models.contains(model) {
                return unknown("content definition", model);
            }
        }
        for key in ["itemContainerID", "contentViewID"] {
            if let Some(id) = row::id(zone, key).filter(|id| !self.containers.contains(*id)) {
                return unknown("content view", id);
            }
        }
        Ok(())
    }

    /// Zones that are not sent stay; sent ones replace all, found again by reference name.
    fn settle_zones(&mut self, id: i64, old: Option<&Row>, posted: &mut Row) {
        if row::get(posted, ZONES).is_none() {
            let kept = old
                .and_then(|old| old.get(ZONES))
                .cloned()
                .unwrap_or_else(|| json!([]));
            row::set(posted, ZONES, kept);
            return;
        }
        let old_zones: HashMap<String, &Row> = old
            .into_iter()
            .flat_map(|old| row::objects(old, ZONES))
            .map(|zone| (fold(&zone_name(zone)), zone))
            .collect();
        for zone in posted
            .get_mut(ZONES)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let Some(zone) = zone.as_object_mut() else {
                continue;
            };
            let name = zone_name(zone);
            let before = old_zones.get(&fold(&name)).copied();
            self.settle_zone(id, before, zone, &name);
        }
    }

    fn settle_zone(&mut self, template: i64, before: Option<&Row>, zone: &mut Row, name: &str) {
        let number = before.and_then(|before| row::id(before, "pageItemTemplateID"));
        let number = number.unwrap_or_else(|| self.next_id(IdKind::Zone));
        row::set(zone, "pageItemTemplateID", number);
        row::set(zone, "pageTemplateID", template);
        row::set(zone, "pageItemTemplateReferenceName", name);
        row::fill(zone, "pageItemTemplateName", name);
        let kept = before
            .and_then(|before| before.get("defaultModules"))
            .cloned()
            .unwrap_or_else(|| json!([]));
        row::fill(zone, "defaultModules", kept);
        for module in zone
            .get_mut("defaultModules")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let Some(module) = module.as_object_mut() else {
                continue;
            };
            row::set(module, "pageItemTemplateID", number);
            if row::id(module, "pageItemTemplateDefaultModuleID").is_none() {
                let id = self.next_id(IdKind::DefaultModule);
                row::set(module, "pageItemTemplateDefaultModuleID", id);
            }
        }
    }

    /// Deletes a template.
    ///
    /// # Errors
    /// 404 for an unknown id.
    pub(crate) fn delete_template(&mut self, id: i64) -> Result<String, Refusal> {
        let row = self
            .templates
            .remove(id)
            .ok_or_else(|| gone("Page model", id))?;
        Ok(format!(
            "Page model {} was deleted.",
            row::text(&row, "pageTemplateName").unwrap_or_default()
        ))
    }
}
