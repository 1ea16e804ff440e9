//! Models and containers that every instance has and that are never created.

use crate::domain::{Inventory, Kind, Passed, SourceId, TargetId, same_name};
use crate::plan::schema::RICH_TEXT_MODEL;

/// Built-in models and containers of the source with their namesakes on the target.
pub fn built_ins<'a>(
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
) -> Vec<(Kind, i64, Passed)> {
    let mut pairs = vec![(
        Kind::Model,
        RICH_TEXT_MODEL,
        Passed {
            kind: Kind::Model,
            id: RICH_TEXT_MODEL,
            name: "RichTextArea".into(),
        },
    )];
    for row in source
        .passed
        .iter()
        .filter(|row| matches!(row.kind, Kind::Model | Kind::Container))
    {
        let same = |other: &&Passed| other.kind == row.kind && same_name(&other.name, &row.name);
        if let Some(there) = target.passed.iter().find(same) {
            pairs.push((row.kind, row.id, there.clone()));
        }
    }
    pairs
}
