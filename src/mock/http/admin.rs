//! The paths by which tests and people look into a running server and set it back.

use serde_json::{Value, json};

use super::call::{Answer, Call, Reply, Verb, no_route};
use crate::mock::Fault;
use crate::mock::file::StateFile;
use crate::mock::server::Shared;
use crate::mock::world::failure::Refusal;

/// `_mock/…`: no token needed, nothing recorded.
pub(super) fn route(shared: &Shared, call: &Call, body: &[u8]) -> Answer {
    match (call.verb, call.tail(1).as_slice()) {
        (Verb::Get, ["health"]) => Ok(Reply::Json(
            json!({ "status": "ok", "instances": shared.instances().len() }),
        )),
        (Verb::Get, ["state"]) => to_json(&shared.dump()),
        (Verb::Put, ["state"]) => {
            let state: StateFile = serde_json::from_slice(body)
                .map_err(|error| Refusal::new(400, error.to_string()))?;
            let count = state.instances.len();
            shared
                .replace(state)
                .map_err(|error| Refusal::new(400, error.to_string()))?;
            Ok(Reply::Json(json!({ "instances": count })))
        }
        (Verb::Put, ["faults"]) => {
            let texts: Vec<String> = serde_json::from_slice(body)
                .map_err(|error| Refusal::new(400, error.to_string()))?;
            let faults: Result<Vec<Fault>, _> = texts.iter().map(|text| text.parse()).collect();
            shared.strike_with(&faults.map_err(|error| Refusal::new(400, error.to_string()))?);
            Ok(Reply::Json(json!({ "faults": texts.len() })))
        }
        (Verb::Post, ["reset"]) => {
            shared
                .reset()
                .map_err(|error| Refusal::new(500, error.to_string()))?;
            Ok(Reply::Json(Value::Null))
        }
        (Verb::Post, ["sign-ins", "revoke"]) => {
            shared.sign_in.revoke();
            Ok(Reply::Json(Value::Null))
        }
        (Verb::Get, ["blank-fields"]) => {
            let instances = shared.instances();
            let blank = instances
                .iter()
                .map(|instance| instance.world().blank_fields());
            Ok(Reply::Json(Value::Array(blank.flatten().collect())))
        }
        (Verb::Get, ["requests"]) => to_json(&shared.log.requests(|_| true)),
        _ => no_route(),
    }
}

fn to_json(value: &impl serde::Serialize) -> Answer {
    serde_json::to_value(value)
        .map(Reply::Json)
        .map_err(|error| Refusal::new(500, error.to_string()))
}
