//! The routes of a sign-in.

use url::form_urlencoded;

use super::call::{Answer, Call, Payload, Reply, Verb, no_route};
use crate::mock::sign_in::SignIn;
use crate::mock::world::failure::Refusal;

/// `oauth/…`, but for the keys. No token is needed.
pub(super) fn route(sign_in: &SignIn, call: &Call) -> Answer {
    match (call.verb, call.tail(1).as_slice()) {
        (Verb::Get, ["authorize"]) => {
            let (redirect, state) = (query(call, "redirect_uri")?, query(call, "state")?);
            sign_in.authorize(&redirect, &state).map(Reply::Redirect)
        }
        (Verb::Get, ["cliauth"]) => {
            let (code, state) = (query(call, "code")?, query(call, "state")?);
            sign_in.keep(&code, &state).map(Reply::Json)
        }
        (Verb::Post, ["clipoll"]) => Ok(Reply::Json(sign_in.fetch(&form(call, "cliCode")?))),
        (Verb::Post, ["token"]) => {
            let redirect = form(call, "redirect_uri").ok();
            let granted = sign_in.exchange(&form(call, "code")?, redirect.as_deref());
            granted.map(Reply::Json)
        }
        (Verb::Post, ["refresh"]) => {
            // It is taken from the query, a form or JSON.
            let token = query(call, "refresh_token").or_else(|_| form(call, "refresh_token"));
            sign_in
                .refresh(&token.or_else(|_| member(call))?)
                .map(Reply::Json)
        }
        _ => no_route(),
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::new(400, format!("{name} is required."))
}

fn query(call: &Call, name: &str) -> Result<String, Refusal> {
    let found = call.query_text(name).map(str::to_owned);
    found.ok_or_else(|| missing(name))
}

fn form(call: &Call, name: &str) -> Result<String, Refusal> {
    let Payload::Bytes(bytes) = &call.payload else {
        return Err(missing(name));
    };
    let mut pairs = form_urlencoded::parse(bytes);
    let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found
        .map(|(_, value)| value.into_owned())
        .ok_or_else(|| missing(name))
}

fn member(call: &Call) -> Result<String, Refusal> {
    const NAME: &str = "refresh_token";
    let row = call.row().map_err(|_| missing(NAME))?;
    let found = row.get(NAME).and_then(|value| value.as_str());
    found.map(str::to_owned).ok_or_else(|| missing(NAME))
}
