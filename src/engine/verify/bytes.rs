//! Compares the bytes of assets.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::difference::{Difference, DifferenceKind, Scope};
use crate::domain::{Id, Kind};
use crate::engine::context::RunContext;
use crate::engine::files::bytes_hash;
use crate::engine::pace::Class;
use crate::instance::{Effect, Source, Target};
use crate::plan::Node;

/// Compares the bytes of assets: after a run those that it sent, on request all.
pub(super) async fn compare_bytes<S, T>(
    context: Arc<RunContext<S, T>>,
    nodes: Vec<Node>,
    scope: Scope,
) -> Vec<Difference>
where
    S: Source,
    T: Target,
{
    if !context.options.verify_bytes {
        return Vec::new();
    }
    let mut open: Vec<Node> = nodes
        .into_iter()
        .filter(|node| {
            let key = &context.entity(*node).key;
            key.kind == Kind::Asset
                && (scope == Scope::Everything || context.sent_bytes.contains_key(&key.id))
                && context.ids.resolve(key).is_some()
        })
        .collect();
    let mut running = JoinSet::new();
    let mut differences = Vec::new();
    loop {
        while running.len() < context.options.downloads_in_flight()
            && let Some(node) = open.pop()
        {
            let context = Arc::clone(&context);
            running.spawn(async move {
                let detail = differing_bytes(&context, node).await;
                (node, detail)
            });
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        let (node, detail) =
            joined.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
        let entity = context.entity(node);
        differences.extend(detail.map(|detail| Difference {
            key: entity.key.clone(),
            name: entity.name.to_string(),
            difference: DifferenceKind::DifferentBytes,
            detail,
            left_alone: context.leaves(node, DifferenceKind::DifferentBytes),
        }));
    }
    differences.sort_by(|left, right| left.key.cmp(&right.key));
    differences
}

async fn differing_bytes<S, T>(context: &RunContext<S, T>, node: Node) -> Option<String>
where
    S: Source,
    T: Target,
{
    let entity = context.entity(node);
    let sent = context.sent_bytes.get(&entity.key.id).map(|hash| *hash);
    let expected = if let Some(hash) = sent {
        Ok(hash)
    } else {
        let body = entity.body.parse();
        let url = body["originUrl"].as_str().unwrap_or_default().to_owned();
        context
            .to_source()
            .send_as(Class::Download, Effect::Read, || {
                bytes_hash(&context.source, &url)
            })
            .await
    };
    let urls = crate::plan::Counterparts::asset_urls(&context.ids, entity.key.id.raw())?;
    let found = context
        .to_target()
        .send_as(Class::Download, Effect::Read, || {
            bytes_hash(&context.target, &urls.origin)
        })
        .await;
    match (expected, found) {
        (Ok(expected), Ok(found)) if expected == found => None,
        (Ok(_), Ok(_)) => Some("the bytes on the target are not those of the source".to_owned()),
        (Err(error), _) => Some(format!("the source's bytes could not be read: {error}")),
        (_, Err(error)) => Some(format!("the target's bytes could not be read: {error}")),
    }
}
