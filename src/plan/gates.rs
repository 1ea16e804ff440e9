//! Limits of the user on a plan; nothing is written when it exceeds one.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::action::{Action, Plan};
use super::notice::Concern;
use super::policy::{Pattern, PatternError};
use super::prune::Prune;
use crate::domain::{Entity, Guid, Inventory, Kind, SourceId, TargetId};

/// How much may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// So many entities.
    Count(usize),
    /// Such a share of those that the target has, in per cent.
    Share(f64),
}

impl Limit {
    /// Reads `50` or `10%`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().strip_suffix('%') {
            Some(share) => {
                let share: f64 = share.trim().parse().ok()?;
                (0.0..=100.0).contains(&share).then_some(Self::Share(share))
            }
            None => text.trim().parse().ok().map(Self::Count),
        }
    }

    /// Whether `changed` of `all` is more than that.
    fn is_exceeded(self, changed: usize, all: usize) -> bool {
        match self {
            Self::Count(most) => changed > most,
            #[expect(
                clippy::cast_precision_loss,
                reason = "a share of far fewer than 2^52 entities"
            )]
            Self::Share(most) => changed as f64 * 100.0 > most * all as f64,
        }
    }
}

/// A bound on how much of something may be overwritten or deleted.
#[derive(Clone, Debug)]
pub struct MaxChange {
    /// Of what; `None` of everything.
    pub of: Option<Pattern>,
    /// How much.
    pub limit: Limit,
    text: String,
}

impl MaxChange {
    /// Reads `LIMIT` or `PATTERN=LIMIT`.
    ///
    /// # Errors
    /// [`PatternError`]; `None` where the limit is none.
    pub fn parse(text: &str) -> Result<Option<Self>, PatternError> {
        let (of, limit) = match text.rsplit_once('=') {
            Some((of, limit)) => (Some(Pattern::parse(of.trim())?), limit),
            None => (None, text),
        };
        Ok(Limit::parse(limit).map(|limit| Self {
            of,
            limit,
            text: text.to_owned(),
        }))
    }
}

/// Something that no plan may take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// A field of a model.
    Field,
    /// A zone of a template.
    Zone,
    /// The list of a dynamic page.
    List,
    /// A setting of a container.
    ContainerSetting,
    /// A setting of a gallery.
    GallerySetting,
}

impl Denied {
    /// Every one with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("model.field-removed", Self::Field),
        ("template.zone-removed", Self::Zone),
        ("page.list-removed", Self::List),
        ("container.setting-removed", Self::ContainerSetting),
        ("gallery.setting-removed", Self::GallerySetting),
    ];

    const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Model => Some(Self::Field),
            Kind::Template => Some(Self::Zone),
            Kind::Page => Some(Self::List),
            Kind::Container => Some(Self::ContainerSetting),
            Kind::Gallery => Some(Self::GallerySetting),
            Kind::Asset | Kind::Content | Kind::Redirection => None,
        }
    }

    fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, one)| *one == self)
            .map_or("", |(name, _)| name)
    }
}

/// A time in which nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    from: Timestamp,
    to: Timestamp,
    text: String,
}

impl Freeze {
    /// Reads `FROM/TO`, each a date or a moment as RFC 3339 writes it. A date is a day in UTC, and the last one belongs to it.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('/')?;
        let (from, to) = (moment(from, false)?, moment(to, true)?);
        (from < to).then(|| Self {
            from,
            to,
            text: text.to_owned(),
        })
    }
}

pub(super) fn moment(text: &str, is_end: bool) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let date: Date = text.parse().ok()?;
    let date = if is_end { date.tomorrow().ok()? } else { date };
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// What a plan does to the target besides what it does to the entities of the source.
#[derive(Clone, Copy, Debug)]
pub struct Besides<'a> {
    /// Whether it publishes something.
    pub publishes: bool,
    /// What it deletes.
    pub prune: &'a Prune,
    /// The instance written to, as it is before.
    pub target: &'a Inventory<TargetId>,
}

/// The bounds that a plan keeps to.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    /// How much may be overwritten.
    pub max_change: Vec<MaxChange>,
    /// How much may be deleted.
    pub max_delete: Vec<MaxChange>,
    /// What may not be taken away.
    pub deny: Vec<Denied>,
    /// When nothing is written.
    pub freeze: Vec<Freeze>,
    /// The instances that may be written to; empty: all.
    pub targets: Vec<Guid>,
}

impl Gates {
    /// The bounds that a plan breaks, each in one sentence that names its setting. A plan that writes nothing breaks none.
    pub fn broken(
        &self,
        plan: &Plan,
        besides: Besides<'_>,
        source: &Inventory<SourceId>,
        now: Timestamp,
    ) -> Vec<String> {
        let is_work = plan.entities.iter().any(|planned| planned.action.is_work());
        let deletes = besides.prune.deletes().next().is_some();
        if !besides.publishes && !deletes && !is_work {
            return Vec::new();
        }
        let target = &besides.target.guid;
        let mut broken = Vec::new();
        if !self.targets.is_empty() && !self.targets.contains(target) {
            broken.push(format!("gates.targets does not name {target}"));
        }
        let frozen = self
            .freeze
            .iter()
            .find(|one| one.from <= now && now < one.to);
        broken.extend(frozen.map(|one| {
            format!(
                "gates.freeze = {:?}: nothing is written in this time",
                one.text
            )
        }));
        broken.extend(
            self.max_change
                .iter()
                .filter_map(|one| exceeded(one, plan, source)),
        );
        broken.extend(
            self.max_delete
                .iter()
                .filter_map(|one| deletes_too_much(one, besides)),
        );
        for denied in &self.deny {
            broken.extend(taken(*denied, plan, source));
        }
        broken
    }
}

fn exceeded(bound: &MaxChange, plan: &Plan, source: &Inventory<SourceId>) -> Option<String> {
    let (mut changed, mut all) = (0, 0);
    for (planned, entity) in plan.entities.iter().zip(source.entities()) {
        if bound.of.as_ref().is_some_and(|of| !of.matches(entity)) {
            continue;
        }
        changed += usize::from(matches!(planned.action, Action::Update { .. }));
        all += usize::from(planned.action.counterpart().is_some());
    }
    bound.limit.is_exceeded(changed, all).then(|| {
        format!(
            "gates.max_change = {:?}: {changed} of {all} entities would be overwritten",
            bound.text
        )
    })
}

fn deletes_too_much(bound: &MaxChange, besides: Besides<'_>) -> Option<String> {
    let is_meant =
        |there: &&Entity<TargetId>| bound.of.as_ref().is_none_or(|of| of.matches(*there));
    let deleted = besides.prune.deletes();
    let deleted = deleted.filter_map(|trace| besides.target.get(&trace.there));
    let deleted = deleted.filter(is_meant).count();
    let all = besides.target.entities().iter().filter(is_meant).count();
    bound.limit.is_exceeded(deleted, all).then(|| {
        format!(
            "gates.max_delete = {:?}: {deleted} of {all} entities of the target would be deleted",
            bound.text
        )
    })
}

fn taken(denied: Denied, plan: &Plan, source: &Inventory<SourceId>) -> Option<String> {
    let mut taken = plan.notices.iter().filter(|notice| {
        let planned = &plan.entities[notice.node as usize];
        let kind = source.entities()[notice.node as usize].key.kind;
        notice.about == Concern::TakenAway
            && planned.action.is_work()
            && Denied::of(kind) == Some(denied)
    });
    let first = taken.next()?;
    let entity = &source.entities()[first.node as usize];
    let more = match taken.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let (key, name) = (&entity.key, &entity.name);
    Some(format!(
        "gates.deny = {:?}: {key} {name}: {}{more}",
        denied.name(),
        first.text
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Id as _;
    use crate::domain::TargetId;
    use crate::plan::notice::Notice;
    use crate::plan::testing::{entity, planned};
    use serde_json::json;

    const NOW: &str = "2026-12-24T12:00:00Z";

    /// Two models and two pages, of which one each is overwritten, and the first model loses a field.
    fn broken(gates: &Gates) -> Vec<String> {
        let kinds = [Kind::Model, Kind::Model, Kind::Page, Kind::Page];
        let entities = (1..)
            .zip(kinds)
            .map(|(id, kind)| entity(kind, id, &json!({})));
        let source = Inventory::empty(Guid::new("1a2b3c4d-u")).with_entities(entities.collect());
        let target = TargetId::new(9);
        let actions = [
            Action::Update { target },
            Action::Unchanged { target },
            Action::Update { target },
            Action::Unchanged { target },
        ];
        let plan = Plan {
            entities: actions
                .map(|action| crate::plan::Planned {
                    action,
                    ..planned()
                })
                .to_vec(),
            notices: vec![Notice {
                node: 0,
                about: Concern::TakenAway,
                text: "it takes away the field \"a\"".to_owned(),
            }],
            ..Plan::default()
        };
        let target = Inventory::empty(Guid::new("5e6f7a8b-u"));
        let besides = Besides {
            publishes: false,
            prune: &Prune::default(),
            target: &target,
        };
        gates.broken(&plan, besides, &source, NOW.parse().unwrap())
    }

    fn max_change(text: &str) -> Gates {
        Gates {
            max_change: vec![MaxChange::parse(text).unwrap().unwrap()],
            ..Gates::default()
        }
    }

    #[test]
    fn how_much_is_overwritten_is_bounded() {
        for (text, is_broken) in [
            ("2", false),
            ("1", true),
            ("50%", false),
            ("49.5%", true),
            ("model=1", false),
            ("model=0", true),
            ("page=50%", false),
            ("asset=0", false),
        ] {
            let found = broken(&max_change(text));
            assert_eq!(!found.is_empty(), is_broken, "{text}: {found:?}");
        }
        assert!(MaxChange::parse("model=much").unwrap().is_none());
        assert!(MaxChange::parse("101%").unwrap().is_none());
        assert!(MaxChange::parse("things=1").is_err());
    }

    #[test]
    fn what_is_denied_is_named() {
        let deny = |denied| Gates {
            deny: vec![denied],
            ..Gates::default()
        };
        let found = broken(&deny(Denied::Field));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("model.field-removed"), "{found:?}");
        assert!(found[0].contains("the field \"a\""), "{found:?}");
        assert!(broken(&deny(Denied::Zone)).is_empty());
    }

    #[test]
    fn nothing_is_written_in_a_freeze_and_to_other_targets() {
        let freeze = |text: &str| Gates {
            freeze: vec![Freeze::parse(text).unwrap()],
            ..Gates::default()
        };
        for (text, is_broken) in [
            ("2026-12-20/2026-12-24", true),
            ("2026-12-20/2026-12-23", false),
            ("2026-12-24T12:00:00Z/2026-12-25", true),
            ("2026-12-20/2026-12-24T12:00:00Z", false),
        ] {
            assert_eq!(!broken(&freeze(text)).is_empty(), is_broken, "{text}");
        }
        for text in ["2026-12-24", "2026-12-24/2026-12-20", "a/b"] {
            assert!(Freeze::parse(text).is_none(), "{text}");
        }
        let targets = |guid| Gates {
            targets: vec![Guid::new(guid)],
            ..Gates::default()
        };
        assert!(broken(&targets("5e6f7a8b-u")).is_empty());
        assert_eq!(broken(&targets("00000000-u")).len(), 1);
    }
}
