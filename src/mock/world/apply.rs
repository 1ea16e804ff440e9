//! What one item of a batch does.

use super::World;
use super::batch::{Done, ItemKind, Work};
use super::failure::Failure;

impl World {
    pub(super) fn apply(&mut self, work: Work) -> Result<Done, Failure> {
        match work {
            Work::SaveContent { locale, row } => self.save_content(locale, &row),
            Work::DeleteContent { locale, id } => self.delete_content(locale, id),
            Work::SavePage {
                locale,
                row,
                placement,
            } => self.save_page(locale, row, &placement),
            Work::DeletePage { locale, id } => self.delete_page(locale, id),
            Work::Move {
                kind,
                locale,
                id,
                step,
            } => self.move_item(kind, locale, id, step),
            Work::Copy {
                kind,
                from,
                locale,
                id,
            } => match kind {
                ItemKind::Content => self.copy_content(from, locale, id),
                ItemKind::Page => self.copy_page(from, locale, id),
            },
        }
    }
}
