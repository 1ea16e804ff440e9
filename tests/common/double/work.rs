//! What waits for the worker of an instance.

use std::fmt;

use lockgate::domain::{Id, Kind, Locale, TargetId};
use lockgate::instance::{BatchStatus, PageSave, Refusal, Save, Saved, Workflow};
use tokio::time::Instant;

use super::watch::name_of;
use super::world::World;

/// A save, or a step of the workflow.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Item(Save),
    Page(PageSave),
    Step(Workflow, Kind, Locale, TargetId),
}

#[derive(Debug)]
pub(super) struct Batch {
    pub(super) due: Instant,
    pub(super) work: Vec<Work>,
    pub(super) fails: bool,
    pub(super) end: Option<BatchStatus>,
}

/// What takes effect later.
pub(super) struct Postponed {
    pub(super) due: Instant,
    pub(super) act: Act,
}

pub(super) type Act = Box<dyn FnOnce(&mut World) + Send>;

impl fmt::Debug for Postponed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postponed")
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

impl Work {
    /// What is saved; nothing by a step of the workflow.
    pub(super) const fn save(&self) -> Option<&Save> {
        match self {
            Self::Item(save) => Some(save),
            Self::Page(page) => Some(&page.save),
            Self::Step(..) => None,
        }
    }

    /// Takes the last field of an item away, and its place among its siblings from a page.
    pub(super) fn spoil(&mut self) {
        if let Self::Page(page) = self {
            page.place_before = None;
        }
        let Self::Item(save) = self else { return };
        let mut body = (*save.body).clone();
        if let Some(fields) = body["fields"].as_object_mut()
            && fields.len() > 1
        {
            let last = fields.keys().next_back().cloned().unwrap_or_default();
            fields.remove(&last);
        }
        save.body = body.into();
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Item(save) => name_of(save),
            Self::Page(page) => match page.place_before {
                Some(before) => format!("{} before {before}", name_of(&page.save)),
                None => name_of(&page.save),
            },
            Self::Step(step, kind, locale, id) => {
                format!("{} {kind} {id} in {locale}", step.operation())
            }
        }
    }

    pub(super) fn check(&self, world: &mut World) {
        match self {
            Self::Item(save) => world.check(save),
            Self::Page(page) => world.check_page(page),
            Self::Step(_, _, _, id) => world.check_id(Some(*id)),
        }
    }

    pub(super) fn begin(&self, world: &mut World) {
        let Some(save) = self.save() else {
            world.watch.writes += 1;
            return;
        };
        world.watch.begin(&name_of(save));
        if let Self::Page(page) = self
            && world.takes_place(page)
        {
            world.watch.begin_page(page);
        }
    }

    pub(super) fn carry_out(&self, world: &mut World) -> Result<Saved, Refusal> {
        match self {
            Self::Item(save) => world.save(save),
            Self::Page(page) => world.save_page(page),
            Self::Step(step, kind, locale, id) => {
                world.publish(*step, &(*kind, id.raw(), Some(locale.clone())))
            }
        }
    }
}
