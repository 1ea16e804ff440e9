//! The page trees of the Management API.

use serde_json::Value;

use crate::domain::{Channel, Locale, PageNode, Placement};
use crate::instance::{ReadResponse, Record};

use super::super::page::Page;
use super::super::shape::{self, ShapeError};

/// `GET {locale}/sitemap`: one row per channel, with its pages nested in display order. This tree is
/// complete, while the Fetch API's leaves out dynamic pages without items.
pub(super) fn channels<I>(locale: &Locale, page: &Page<'_>) -> Result<ReadResponse<I>, ShapeError> {
    let mut answer = ReadResponse::default();
    let found = page.each(|row| {
        let channel = Channel {
            id: shape::own_id(&row, "digitalChannelID")?,
            name: shape::text(&row, "name").unwrap_or_default().into(),
        };
        let mut found = Vec::new();
        let mut tree = Tree {
            locale,
            channel: &channel,
            found: &mut found,
        };
        tree.level(shape::member(&row, "pages"), None)?;
        found.push(Record::Channel(channel));
        Ok(found)
    })?;
    answer.found.extend(found.into_iter().flatten());
    Ok(answer)
}

struct Tree<'a, I> {
    locale: &'a Locale,
    channel: &'a Channel,
    found: &'a mut Vec<Record<I>>,
}

impl<I> Tree<'_, I> {
    /// Reports the siblings of one level and everything below them. Nodes that stand for the items of a
    /// dynamic page are no pages.
    fn level(&mut self, siblings: Option<&Value>, parent: Option<i64>) -> Result<(), ShapeError> {
        let siblings = match siblings {
            None => return Ok(()),
            Some(Value::Array(siblings)) => siblings,
            Some(_) => {
                return Err(ShapeError(
                    "the pages of a sitemap are not a list".to_owned(),
                ));
            }
        };
        let pages = siblings
            .iter()
            .filter(|node| shape::text(node, "pageType") != Some("dynamic_node"));
        for (position, node) in (0..).zip(pages) {
            let page = shape::id(node, "pageID")?;
            let told = shape::int(node, "parentPageID").filter(|parent| *parent > 0);
            self.found.push(Record::Node(PageNode {
                page,
                locale: self.locale.clone(),
                placement: Placement {
                    channel: self.channel.name.clone(),
                    channel_id: self.channel.id,
                    parent: parent.or(told),
                    position,
                },
                page_type: shape::text(node, "pageType").unwrap_or_default().into(),
            }));
            self.level(shape::member(node, "childPages"), Some(page))?;
        }
        Ok(())
    }
}
