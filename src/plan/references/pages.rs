//! Pages: templates, zones, lists and destinations.

use serde_json::{Map, Value};

use super::Referent;
use super::soft::hidden_zones;
use super::walk::{Place, Walker};
use crate::domain::Kind;
use crate::plan::Encoding;

/// Members of a link page that hold a page id, in lower case; those of two words stand in the page itself.
const PAGE_MEMBERS: [&str; 3] = ["linktopageid", "linktopageitemid", "redirectpageid"];
/// As [`PAGE_MEMBERS`], for media ids.
const FILE_MEMBERS: [&str; 4] = [
    "linktofileid",
    "linktomediaid",
    "redirectfileid",
    "redirectmediaid",
];

/// Whether a member of a page, in lower case, holds the id of what a link page leads to.
pub(crate) fn is_link_member(name: &str) -> bool {
    PAGE_MEMBERS.contains(&name) || FILE_MEMBERS.contains(&name)
}

/// Whether pages of this type have neither template nor zones.
pub(crate) fn is_bare(page_type: Option<&Value>) -> bool {
    let page_type = page_type.and_then(Value::as_str).unwrap_or_default();
    ["folder", "link"]
        .iter()
        .any(|bare| bare.eq_ignore_ascii_case(page_type))
}

impl Walker<'_> {
    pub(super) fn page(&mut self, body: &mut Map<String, Value>) {
        let root = Place::ROOT;
        let hidden = hidden_zones(body, self.context.schema);
        if !is_bare(body.get("pageType"))
            && let Some(name) = body.get_mut("templateName")
        {
            self.name_slot(
                name,
                root.member("templateName"),
                Kind::Template,
                Encoding::PageTemplate,
            );
        }
        if let Some(Value::Object(zones)) = body.get_mut("zones") {
            self.zones(zones, root.member("zones"), &hidden);
        }
        if let Some(Value::Object(dynamic)) = body.get_mut("dynamic")
            && let Some(list) = dynamic.get_mut("referenceName")
        {
            let place = root.member("dynamic");
            self.name_slot(
                list,
                place.member("referenceName"),
                Kind::Container,
                Encoding::DynamicList,
            );
        }
        self.destination(body);
        self.seo_and_scripts(body);
    }

    fn zones(
        &mut self,
        zones: &mut Map<String, Value>,
        place: Place<'_>,
        hidden: &[(String, usize)],
    ) {
        for (name, modules) in zones.iter_mut() {
            let place = Place {
                unstored: hidden.iter().any(|(zone, _)| zone == name),
                ..place.member(name)
            };
            let modules = modules.as_array_mut().into_iter().flatten().enumerate();
            for (at, module) in modules {
                if let Value::Object(module) = module {
                    self.module(module, &place.item(at));
                }
            }
        }
    }

    fn module(&mut self, module: &mut Map<String, Value>, place: &Place<'_>) {
        if let Some(name) = module.get_mut("module") {
            self.soft_name(name, Kind::Model);
        }
        if let Some(Value::Object(item)) = module.get_mut("item") {
            let place = place.member("item");
            for (key, value) in item
                .iter_mut()
                .filter(|(key, _)| key.eq_ignore_ascii_case("contentid"))
            {
                self.id_slot(
                    value,
                    place.member(key),
                    Referent::Content,
                    Encoding::ZoneModule,
                );
            }
        }
    }

    /// Where a link page leads.
    fn destination(&mut self, body: &mut Map<String, Value>) {
        for (key, value) in body.iter_mut() {
            let place = Place::ROOT.member(key);
            let lower = key.to_ascii_lowercase();
            if lower == "redirecturl" {
                self.text(value, place, Some(Encoding::RedirectUrl));
            } else if PAGE_MEMBERS.contains(&&*lower) {
                self.id_slot(value, place, Referent::Page, Encoding::LinkedPage);
            } else if FILE_MEMBERS.contains(&&*lower) {
                self.id_slot(value, place, Referent::Asset, Encoding::LinkedFile);
            } else if lower == "redirect" {
                self.redirect(value, &place);
            }
        }
    }

    fn redirect(&mut self, redirect: &mut Value, place: &Place<'_>) {
        for (key, value) in redirect.as_object_mut().into_iter().flatten() {
            let place = place.member(key);
            match key.to_ascii_lowercase().as_str() {
                "url" => self.text(value, place, Some(Encoding::RedirectUrl)),
                "pageid" => self.id_slot(value, place, Referent::Page, Encoding::LinkedPage),
                "fileid" | "mediaid" => {
                    self.id_slot(value, place, Referent::Asset, Encoding::LinkedFile);
                }
                _ => {}
            }
        }
    }
}
