//! Publishing and the other steps of the workflow, on content items and pages alike.

use super::World;
use super::batch::{Done, ItemKind, WorkflowStep};
use super::failure::Failure;
use super::feed::Mode;

impl World {
    /// Enters the step's state under a new version id; publishing also takes the live snapshot, and
    /// unpublishing drops it.
    pub(super) fn move_item(
        &mut self,
        kind: ItemKind,
        locale: usize,
        id: i64,
        step: WorkflowStep,
    ) -> Result<Done, Failure> {
        let number = self.next_version();
        let version = match kind {
            ItemKind::Content => self.content_version_mut(locale, id),
            ItemKind::Page => self.page_version_mut(locale, id),
        };
        let version = version.filter(|version| !version.is_deleted());
        let version = version
            .ok_or_else(|| Failure::Plain(format!("Item {id} does not exist in this locale.")))?;
        version.advance(number, step.state());
        let modes: &[Mode] = match step {
            WorkflowStep::Publish | WorkflowStep::Unpublish => &[Mode::Preview, Mode::Fetch],
            WorkflowStep::Approve | WorkflowStep::Decline | WorkflowStep::RequestApproval => {
                &[Mode::Preview]
            }
        };
        match kind {
            ItemKind::Content => self.content_changed(locale, id, modes),
            ItemKind::Page => self.page_changed(locale, id, modes),
        }
        Ok(Done {
            id,
            version: number,
            title: None,
        })
    }
}
