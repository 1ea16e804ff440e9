//! How far it is proven that two sides agree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is known of the last agreement of an entity with its counterpart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The counterpart was read back and found equal.
    #[default]
    Equal,
    /// The counterpart was written and not read back since.
    Sent,
    /// The counterpart was written, read back, and found different: it is owed.
    Owed,
}

/// Members of a normal form that the server gave to an entity whose save left them out, by JSON pointer.
pub type Filled = BTreeMap<String, Value>;
