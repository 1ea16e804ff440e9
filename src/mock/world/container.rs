//! Containers: saved at once; their reference name is what everything else refers to them by.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::failure::Refusal;
use super::ids::IdKind;
use super::model::{is_component, summary};
use super::text::{is_since, now, now_us};
use super::{Window, World, gone, row};
use crate::mock::file::Row;

/// Which containers a paged list has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContainerFilter {
    /// Whether those of component models are among them.
    pub(crate) components: bool,
    /// `ContentViewType`: 0 all, 1 shared, 2 linked (taken for neither of the others), 3 of dynamic pages.
    pub(crate) kind: i64,
    pub(crate) since: Option<Timestamp>,
}

impl World {
    /// Gives a container row the members that the server computes.
    pub(super) fn complete_container(&self, row: &mut Row) {
        let model = row::id(row, "contentDefinitionID").and_then(|model| self.models.get(model));
        if let Some(model) = model {
            row::set(
                row,
                "contentDefinitionName",
                row::text(model, "referenceName").unwrap_or_default(),
            );
            row::set(
                row,
                "contentDefinitionType",
                model.get("contentDefinitionTypeID").cloned(),
            );
        }
        let list = model.is_none_or(|model| !is_component(model));
        row::fill(row, "contentDefinitionTypeID", i64::from(list));
        let name = row::text(row, "referenceName")
            .unwrap_or_default()
            .to_owned();
        row::fill(row, "contentViewName", name);
        row::fill(row, "lastModifiedOn", now());
        row::fill(row, "lastModifiedDate", now_us());
        row::fill(row, "lastModifiedBy", "Mock User");
        for (flag, value) in [
            ("isShared", false),
            ("isDynamicPageList", false),
            ("isListItem", false),
            ("isPublished", true),
        ] {
            row::fill(row, flag, value);
        }
        row::set(row, "isDeleted", false);
        for right in [
            "Delete",
            "Edit",
            "Design",
            "Manage",
            "Contribute",
            "Publish",
        ] {
            row::set(row, &format!("currentUserCan{right}"), true);
        }
        row::fill(row, "columns", json!([]));
    }

    /// Summaries, without `columns`.
    pub(crate) fn container_list(&self, since: Option<Timestamp>) -> Vec<Value> {
        let rows = self.containers.iter().map(|(_, row)| row);
        rows.filter(|row| is_since(row, "lastModifiedOn", since))
            .map(|row| summary(row, "columns"))
            .collect()
    }

    /// Part of [`World::container_list`], with the number of all that fit.
    pub(crate) fn container_page(
        &self,
        window: Window,
        wanted: ContainerFilter,
    ) -> (Vec<Value>, usize) {
        let fits = |row: &Row| {
            let model =
                row::id(row, "contentDefinitionID").and_then(|model| self.models.get(model));
            (wanted.components || model.is_none_or(|model| !is_component(model)))
                && is_since(row, "lastModifiedOn", wanted.since)
                && match wanted.kind {
                    1 => row::flag(row, "isShared"),
                    2 => !row::flag(row, "isShared") && !row::flag(row, "isDynamicPageList"),
                    3 => row::flag(row, "isDynamicPageList"),
                    _ => true,
                }
        };
        let rows: Vec<&Row> = self
            .containers
            .iter()
            .map(|(_, row)| row)
            .filter(|row| fits(row))
            .collect();
        let page = rows.iter().skip(window.skip).take(window.take);
        (
            page.map(|row| summary(row, "columns")).collect(),
            rows.len(),
        )
    }

    pub(crate) fn containers_of_model(&self, model: i64) -> Vec<Value> {
        let rows = self
            .containers
            .iter()
            .filter(|(_, row)| row::id(row, "contentDefinitionID") == Some(model));
        rows.map(|(_, row)| summary(row, "columns")).collect()
    }

    pub(crate) fn container_row(&self, id: i64) -> Option<&Row> {
        self.containers.get(id)
    }

    pub(crate) fn container_named(&self, name: &str) -> Option<&Row> {
        self.containers
            .by_name(name)
            .and_then(|id| self.containers.get(id))
    }

    /// Creates or replaces a container. Without `force`, a name in use gets a suffix.
    ///
    /// # Errors
    /// 404 for an unknown id, 400 for a missing name or an unknown model, 500 for a name in use.
    pub(crate) fn save_container(
        &mut self,
        mut posted: Row,
        force: bool,
    ) -> Result<Value, Refusal> {
        let id = row::id(&posted, "contentViewID");
        self.receive("container", &mut posted);
        let name = row::filled(&posted, "referenceName");
        let id = id.or_else(|| self.replaced(&self.containers, name));
        if let Some(unknown) = id.filter(|id| !self.containers.contains(*id)) {
            return Err(gone("Container", unknown));
        }
        let name = row::filled(&posted, "referenceName").map(str::to_owned);
        let name = name.ok_or_else(|| {
            Refusal::invalid("referenceName", "The referenceName field is required.")
        })?;
        let model = row::int(&posted, "contentDefinitionID").unwrap_or(0);
        if !self.models.contains(model) {
            return Err(Refusal::new(
                400,
                format!("Content definition {model} does not exist."),
            ));
        }
        let name = self.free_name(id, name, force)?;
        let id = id.unwrap_or_else(|| self.next_id(IdKind::Container));
        row::set(&mut posted, "referenceName", name);
        row::set(&mut posted, "contentViewID", id);
        row::set(&mut posted, "lastModifiedOn", now());
        row::set(&mut posted, "lastModifiedDate", now_us());
        self.complete_container(&mut posted);
        self.containers.put(id, posted.clone());
        Ok(Value::Object(posted))
    }

    fn free_name(&self, id: Option<i64>, name: String, force: bool) -> Result<String, Refusal> {
        let taken = |name: &str| self.containers.rivals(name).any(|other| Some(other) != id);
        if !taken(&name) {
            return Ok(name);
        }
        if force {
            return Err(Refusal::new(
                500,
                format!("A container with the reference name {name} already exists."),
            ));
        }
        let mut number = 1;
        while taken(&format!("{name}_{number}")) {
            number += 1;
        }
        Ok(format!("{name}_{number}"))
    }

    /// Deletes a container with what is in it.
    ///
    /// # Errors
    /// 404 for an unknown id.
    pub(crate) fn delete_container(&mut self, id: i64) -> Result<String, Refusal> {
        if !self.containers.contains(id) {
            return Err(gone("Container", id));
        }
        self.empty_container(id);
        let row = self.containers.remove(id).unwrap_or_default();
        Ok(format!(
            "Container {} was deleted.",
            row::text(&row, "referenceName").unwrap_or_default()
        ))
    }
}
