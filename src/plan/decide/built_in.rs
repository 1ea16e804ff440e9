//! Models and containers that every instance has and nobody creates.

use crate::domain::{Inventory, Kind, Passed, SourceId, TargetId};

/// The id of the model `RichTextArea`, the same on every instance (the vendor's CLI relies on it).
pub const RICH_TEXT_AREA: i64 = 1;

/// Models that every instance has and nobody creates, in lower case (from the vendor's CLI).
pub const BUILT_IN_MODELS: [&str; 6] = [
    "richtextarea",
    "formbuilder",
    "agilityformbuilder",
    "agilitycss",
    "agilityjavascript",
    "agilitycodetemplate",
];

/// Whether every instance has the model of this name.
pub fn is_built_in_model(name: &str) -> bool {
    BUILT_IN_MODELS
        .iter()
        .any(|built_in| built_in.eq_ignore_ascii_case(name))
}

/// Built-in models and containers of the source with their namesakes on the target.
pub fn built_ins<'a>(
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
) -> Vec<(Kind, i64, Passed)> {
    let mut pairs = vec![(
        Kind::Model,
        RICH_TEXT_AREA,
        Passed {
            kind: Kind::Model,
            id: RICH_TEXT_AREA,
            name: "RichTextArea".into(),
        },
    )];
    for row in source
        .passed
        .iter()
        .filter(|row| matches!(row.kind, Kind::Model | Kind::Container))
    {
        let same =
            |other: &&Passed| other.kind == row.kind && other.name.eq_ignore_ascii_case(&row.name);
        if let Some(there) = target.passed.iter().find(same) {
            pairs.push((row.kind, row.id, there.clone()));
        }
    }
    pairs
}
