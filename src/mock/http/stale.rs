//! Lists from a copy that lags: what was made only just now is missing.

use std::collections::HashSet;

use serde_json::Value;

use crate::mock::world::Fresh;

/// Takes the rows of `fresh` out of every list in `value`, and out of the count beside it.
pub(super) fn leave_out(value: &mut Value, fresh: &HashSet<Fresh>) {
    match value {
        Value::Array(rows) => {
            rows.retain(|row| !is_fresh(row, fresh));
            for row in rows {
                leave_out(row, fresh);
            }
        }
        Value::Object(members) => {
            let before = rows_in(members.get("items"));
            members
                .values_mut()
                .for_each(|member| leave_out(member, fresh));
            let missing = before - rows_in(members.get("items"));
            if let Some(total) = members.get_mut("totalCount")
                && let Some(count) = total.as_u64()
            {
                *total = Value::from(count.saturating_sub(missing));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn rows_in(list: Option<&Value>) -> u64 {
    list.and_then(Value::as_array)
        .map_or(0, |rows| rows.len() as u64)
}

/// Rows carry their id under the name that their kind uses.
fn is_fresh(row: &Value, fresh: &HashSet<Fresh>) -> bool {
    let named = |name: &str| row.get(name).and_then(Value::as_i64);
    Fresh::MEMBERS.iter().any(|(kind, member)| {
        named(member).is_some_and(|id| fresh.contains(&Fresh { kind: *kind, id }))
    })
}
