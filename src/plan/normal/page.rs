//! Pages.

use serde_json::Value;

use super::value::{Object, any, identified, kept, named, put, reference, without_false};
use crate::plan::references::{as_id, is_bare, member};
use crate::plan::schema::name_key;

/// Everything that a visitor or editor sees. Absent flags mean false.
pub(super) fn page(body: &Object) -> Object {
    let mut out = kept(
        body,
        &[
            "name",
            "title",
            "menuText",
            "securePage",
            "requiresApproval",
            "excludeFromOutputCache",
            "releaseDate",
            "pullDate",
        ],
    );
    let page_type = body
        .get("pageType")
        .and_then(Value::as_str)
        .map(str::to_lowercase);
    put(
        &mut out,
        "pagetype",
        page_type.filter(|name| !name.is_empty()).map(Value::String),
    );
    for name in ["visible", "seo", "scripts"] {
        put(&mut out, name, body.get(name).and_then(without_false));
    }
    put(&mut out, "dynamic", body.get("dynamic").and_then(dynamic));
    put(&mut out, "redirecturl", redirect_url(body));
    if !is_bare(body.get("pageType")) {
        put(
            &mut out,
            "templatename",
            named("@template", body.get("templateName")),
        );
        put(
            &mut out,
            "zones",
            body.get("zones").and_then(Value::as_object).and_then(zones),
        );
    }
    for (key, value) in body {
        let mark = match key.to_ascii_lowercase().as_str() {
            "linktopageid" | "linktopageitemid" | "redirectpageid" => "@page",
            "linktofileid" | "linktomediaid" | "redirectfileid" | "redirectmediaid" => "@asset",
            _ => continue,
        };
        put(&mut out, &key.to_lowercase(), identified(mark, Some(value)));
    }
    out
}

/// The Fetch API shows the destination of a link page in `redirect`, with a window that was not chosen.
fn redirect_url(body: &Object) -> Option<Value> {
    let direct = body.get("redirectUrl").and_then(any);
    let url = direct.or_else(|| body.get("redirect")?.get("url").and_then(any))?;
    Some(reference("@url", url))
}

fn dynamic(dynamic: &Value) -> Option<Value> {
    let mut out = without_false(dynamic)?;
    if let Some(out) = out.as_object_mut() {
        out.remove("referencename");
        put(
            out,
            "referencename",
            named("@container", member(dynamic, "referenceName")),
        );
    }
    (!out.as_object().is_some_and(Object::is_empty)).then_some(out)
}

fn zones(zones: &Object) -> Option<Value> {
    let mut out = Object::new();
    for (name, modules) in zones {
        let modules: Vec<_> = modules
            .as_array()
            .into_iter()
            .flatten()
            .map(module)
            .collect();
        if !modules.is_empty() {
            out.insert(name_key(name).into(), Value::Array(modules));
        }
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// Titles of modules are left out: only the Management API shows them.
fn module(module: &Value) -> Value {
    let mut out = Object::new();
    put(&mut out, "module", named("@model", module.get("module")));
    let id = module
        .get("item")
        .and_then(|item| member(item, "contentid"))
        .and_then(as_id);
    put(
        &mut out,
        "item",
        id.map(|id| reference("@ids", id.to_string())),
    );
    Value::Object(out)
}
