//! Assets that have to be compared by their bytes.
//!
//! Lists state the size of a file and the date of its last change, and servers are known to keep the date of a file that was
//! replaced. So the bytes are compared where a decision depends on them: before an asset of the same name is adopted, before
//! an asset is overwritten, and where its date changed.

use serde_json::Value;

use super::compare::hash_of;
use super::matching::assets_on_both_sides;
use crate::domain::{ContentHash, Entity, Inventory, Kind, SourceId, TargetId};
use crate::plan::Schema;
use crate::plan::action::{Agreement, Agreements};

/// What has to be found out about the bytes of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByteQuestion {
    /// Whether both sides have the same. If not, `is_news` means that the target's were replaced since the last agreement.
    Same {
        /// See above.
        is_news: bool,
    },
    /// Whether the target still has these.
    Still(ContentHash),
}

/// An asset whose bytes have to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetLook {
    /// The asset.
    pub source: SourceId,
    /// Where the source has it.
    pub source_url: String,
    /// Where the target has it.
    pub target_url: String,
    /// What has to be found out.
    pub question: ByteQuestion,
}

/// Lists the assets whose bytes have to be looked at.
pub fn assets_to_look_at(
    source: &Inventory<SourceId>,
    target: &Inventory<TargetId>,
    agreements: &Agreements,
) -> Vec<AssetLook> {
    let namesakes = assets_on_both_sides(source, target, agreements);
    let schema = Schema::default();
    let look = |asset: &Entity<SourceId>| {
        let agreement = agreements.get(&asset.key);
        let based = agreement.filter(|agreement| agreement.source_hash.is_some());
        // A file that the target does not have under that id may be there under another.
        let based = based.and_then(|agreement| {
            let there = target.get(&asset.key.with_id(agreement.target))?;
            Some((agreement, there))
        });
        let there = match based {
            Some((_, there)) => there,
            None => *namesakes.get(&asset.key.id)?,
        };
        let (here, there) = (asset.body.parse(), there.body.parse());
        let question = match based {
            Some((agreement, _)) => {
                let is_changed = agreement.source_hash != Some(hash_of(asset, &here, &schema));
                since(agreement, &there, is_changed)
            }
            None => (size(&here) == size(&there)).then_some(ByteQuestion::Same { is_news: false }),
        };
        Some(AssetLook {
            source: asset.key.id,
            source_url: url(&here)?,
            target_url: url(&there)?,
            question: question?,
        })
    };
    source
        .of_kind(Kind::Asset)
        .iter()
        .filter_map(look)
        .collect()
}

/// What has to be asked of an asset that agreed once, if anything. `is_changed`: the source's changed.
fn since(agreement: &Agreement, there: &Value, is_changed: bool) -> Option<ByteQuestion> {
    let date = agreement.bytes_date.as_deref();
    let is_moved = date.is_some() && date != there["dateModified"].as_str();
    match agreement.bytes_hash {
        Some(hash) if is_changed || is_moved => Some(ByteQuestion::Still(hash)),
        None if is_moved => Some(ByteQuestion::Same { is_news: true }),
        Some(_) | None => None,
    }
}

fn size(media: &Value) -> Option<i64> {
    media["size"].as_i64()
}

fn url(media: &Value) -> Option<String> {
    let url = media["originUrl"].as_str().filter(|url| !url.is_empty());
    url.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Filled, Id, Proof};

    #[test]
    fn bytes_are_looked_at_before_they_are_written_over_and_where_the_date_moved() {
        let hash = ContentHash::of(&json!(1));
        let agreement = |bytes_hash, date: Option<&str>| Agreement {
            target: TargetId::new(7),
            source_hash: None,
            target_hash: None,
            target_version: None,
            proof: Proof::Equal,
            filled: Filled::new(),
            fields: None,
            bytes_hash,
            bytes_date: date.map(str::to_owned),
            place: None,
            number: None,
            evidence: None,
        };
        let there = json!({ "dateModified": "b" });
        let ask = |bytes, date, changed| since(&agreement(bytes, date), &there, changed);
        let still = Some(ByteQuestion::Still(hash));
        assert_eq!(ask(Some(hash), Some("b"), false), None);
        assert_eq!(ask(Some(hash), Some("a"), false), still);
        assert_eq!(
            ask(Some(hash), Some("b"), true),
            still,
            "a date may not move with its file"
        );
        assert_eq!(ask(Some(hash), None, false), None);
        assert_eq!(
            ask(None, Some("a"), false),
            Some(ByteQuestion::Same { is_news: true })
        );
        assert_eq!(ask(None, None, true), None);
    }
}
