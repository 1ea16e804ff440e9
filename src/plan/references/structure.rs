//! Models, containers, templates, assets and redirections.

use serde_json::{Map, Value};

use super::walk::{Answer, Place, Walker, set};
use super::{Referent, as_id};
use crate::domain::Kind;
use crate::plan::Encoding;
use crate::plan::schema::is_private_container;

impl Walker<'_> {
    /// A field whose model is emptied goes as a whole: without the setting the server would make another kind
    /// of field of it.
    pub(super) fn model(&mut self, body: &mut Map<String, Value>) {
        let Some(Value::Array(fields)) = body.get_mut("fields") else {
            return;
        };
        let place = Place::ROOT.member("fields");
        let mut at = 0;
        fields.retain_mut(|field| {
            let stays = self.model_field(field, place.item(at));
            at += 1;
            stays
        });
    }

    fn model_field(&mut self, field: &mut Value, place: Place<'_>) -> bool {
        let Some(Value::Object(settings)) = field.get_mut("settings") else {
            return true;
        };
        let place = place.member("settings");
        let mut stays = true;
        for (key, value) in settings.iter_mut() {
            if key.eq_ignore_ascii_case("ContentDefinition") {
                stays &= self.linked_model(value, place.member(key));
            } else if ["ContentView", "SharedContent"]
                .iter()
                .any(|name| key.eq_ignore_ascii_case(name))
                && value
                    .as_str()
                    .is_some_and(|name| !is_private_container(name))
            {
                self.soft_name(value, Kind::Container);
            }
        }
        stays
    }

    /// Returns whether the field stays.
    fn linked_model(&mut self, value: &mut Value, place: Place<'_>) -> bool {
        let Some(id) = as_id(value) else {
            return !self.name_slot(value, place, Kind::Model, Encoding::ModelDefinition);
        };
        if id == crate::plan::schema::RICH_TEXT_MODEL {
            return true;
        }
        match self.ask(Referent::Model(id), Encoding::ModelDefinition, place, false) {
            Answer::Id(new) => set(value, new.to_string()),
            Answer::Name(new) => set(value, &*new),
            Answer::Empty => return false,
            Answer::Keep => {}
        }
        true
    }

    pub(super) fn container(&mut self, body: &mut Map<String, Value>) {
        self.id_member(
            body,
            "contentDefinitionID",
            &Place::ROOT,
            Referent::Model,
            Encoding::ContainerModel,
        );
    }

    pub(super) fn template(&mut self, body: &mut Map<String, Value>) {
        let Some(Value::Array(zones)) = body.get_mut("contentSectionDefinitions") else {
            return;
        };
        let place = Place::ROOT.member("contentSectionDefinitions");
        for (at, zone) in zones.iter_mut().enumerate() {
            if let Value::Object(zone) = zone {
                self.zone(zone, &place.item(at));
            }
        }
    }

    fn zone(&mut self, zone: &mut Map<String, Value>, place: &Place<'_>) {
        self.id_member(
            zone,
            "contentDefinitionID",
            place,
            Referent::Model,
            Encoding::ZoneModel,
        );
        for name in ["contentViewID", "itemContainerID"] {
            self.id_member(
                zone,
                name,
                place,
                Referent::Container,
                Encoding::ZoneContainer,
            );
        }
        if let Some(name) = zone.get_mut("contentReferenceName") {
            self.soft_name(name, Kind::Container);
        }
        let Some(Value::Array(modules)) = zone.get_mut("defaultModules") else {
            return;
        };
        let place = place.member("defaultModules");
        for (at, module) in modules.iter_mut().enumerate() {
            if let Value::Object(module) = module {
                let place = place.item(at);
                self.id_member(
                    module,
                    "contentDefinitionID",
                    &place,
                    Referent::Model,
                    Encoding::DefaultModule,
                );
            }
        }
    }

    pub(super) fn asset(&mut self, body: &mut Map<String, Value>) {
        self.id_member(
            body,
            "mediaGroupingID",
            &Place::ROOT,
            Referent::Gallery,
            Encoding::AssetGallery,
        );
    }

    pub(super) fn redirection(&mut self, body: &mut Map<String, Value>) {
        if let Some(url) = body.get_mut("destinationUrl") {
            self.text(
                url,
                Place::ROOT.member("destinationUrl"),
                Some(Encoding::RedirectUrl),
            );
        }
        if let Some(content) = body.get_mut("content") {
            self.any(content, Place::ROOT.member("content"));
        }
    }
}
