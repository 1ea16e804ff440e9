//! From a world back to a state file: what a load of it gives, built-in rows left out.

use serde_json::Value;

use super::load::replace_base;
use super::table::Table;
use super::{World, builtin, row};
use crate::mock::file::{BASE_PLACEHOLDER, InstanceFile, Row};

impl World {
    /// The instance as a state file has it. Deleted rows are left out, and so are published snapshots that
    /// differ from the latest save: a state file has one version per locale.
    pub(crate) fn dump(&self) -> InstanceFile {
        let codes = |enabled| {
            let locales = self.locales_in_order(enabled).into_iter();
            locales.map(|locale| locale.code.clone()).collect()
        };
        InstanceFile {
            guid: self.guid.clone(),
            name: self.name.clone(),
            locales: codes(true),
            disabled_locales: codes(false),
            channels: self.channels.clone(),
            asset_container: self.asset_container.clone(),
            container_urls: self.container_urls.clone(),
            habits: self.habits.clone(),
            first_id: self.first_id,
            webhooks: self.webhooks.rows().to_vec(),
            models: rows(&self.models, |row| !builtin::is_model(row)),
            containers: rows(&self.containers, |row| !builtin::is_container(row)),
            templates: rows(&self.templates, |_| true),
            galleries: rows(&self.galleries, |_| true),
            assets: self.dump_assets(),
            content: self.dump_content(),
            pages: self.dump_pages(),
            redirections: self
                .redirections
                .iter()
                .map(|row| self.portable(row.clone()))
                .collect(),
        }
    }

    fn portable(&self, row: Row) -> Row {
        let mut value = Value::Object(row);
        replace_base(&mut value, &self.base, BASE_PLACEHOLDER);
        row::row(value)
    }

    fn dump_assets(&self) -> Vec<Row> {
        let rows = self.assets.iter().map(|(row, blob)| {
            let mut row = self.portable(row.clone());
            if let Some(blob) = blob {
                row::set(&mut row, "content", blob.to_file());
            }
            row
        });
        rows.collect()
    }

    fn dump_content(&self) -> Vec<Row> {
        let alive = self
            .contents
            .iter()
            .filter(|(_, _, version)| !version.is_deleted());
        alive
            .map(|(_, locale, version)| self.localised((*version.latest).clone(), locale))
            .collect()
    }

    fn localised(&self, row: Row, locale: usize) -> Row {
        let mut row = self.portable(row);
        row::set(&mut row, "locale", self.locales[locale].code.as_str());
        row
    }

    /// Pages in tree order, because the order of a file is the order of siblings.
    fn dump_pages(&self) -> Vec<Row> {
        let mut out = Vec::new();
        for locale in 0..self.locales.len() {
            for id in self.pages.in_tree_order(locale, &self.channels) {
                if let Some(Value::Object(row)) = self.page_row(locale, id) {
                    out.push(self.localised(row, locale));
                }
            }
        }
        out
    }
}

fn rows(table: &Table, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
    table
        .iter()
        .map(|(_, row)| row)
        .filter(|row| wanted(row))
        .cloned()
        .collect()
}
