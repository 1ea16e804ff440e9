//! The accounts of a run: what its events say has to add up, whatever became of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use lockgate::domain::{EntityKey, Kind, Outcome};
use lockgate::engine::RunReport;
use lockgate::event::{Event, Gate, Stamped};
use lockgate::progress::Progress;

/// A run that is over.
pub(crate) struct Ran {
    pub(crate) report: RunReport,
    pub(crate) events: Vec<Stamped>,
}

/// How every entity ended, in the order of the events.
pub(crate) fn outcomes(ran: &Ran) -> Vec<(EntityKey, Outcome)> {
    let settled = |stamped: &Stamped| match &stamped.event {
        Event::EntitySettled { key, outcome, .. } => Some((key.clone(), outcome.clone())),
        _ => None,
    };
    ran.events.iter().filter_map(settled).collect()
}

/// Every entity of the source has one outcome, and nothing else has any.
pub(crate) fn one_outcome_each(ran: &Ran) -> Vec<String> {
    let mut counts: BTreeMap<EntityKey, u32> = BTreeMap::new();
    for (key, _) in outcomes(ran) {
        *counts.entry(key).or_default() += 1;
    }
    let mut problems = Vec::new();
    for entity in ran.report.source.entities() {
        match counts.remove(&entity.key) {
            Some(1) => {}
            count => problems.push(format!(
                "{} has {} outcomes",
                entity.key,
                count.unwrap_or(0)
            )),
        }
    }
    problems.extend(
        counts
            .into_keys()
            .map(|key| format!("{key} is no entity of the source")),
    );
    let announced = ran.events.iter().find_map(|stamped| match &stamped.event {
        Event::PlanMade { entities, .. } => {
            Some(entities.iter().map(|(_, count)| count).sum::<u32>())
        }
        _ => None,
    });
    if announced != u32::try_from(ran.report.source.entities().len()).ok() {
        problems.push(format!("the plan announced {announced:?} entities"));
    }
    problems
}

/// The gates that wait for an entity, as the lanes are documented.
fn gates_of(ran: &Ran, node: usize) -> Vec<Gate> {
    let entity = &ran.report.source.entities()[node];
    let planned = &ran.report.plan.entities[node];
    let in_gallery = || entity.body.parse()["mediaGroupingID"].as_i64() > Some(0);
    let own = match entity.key.kind {
        Kind::Model => vec![Gate::ModelsComplete],
        Kind::Container => vec![Gate::ContainersComplete],
        Kind::Template => vec![Gate::TemplatesComplete],
        Kind::Gallery => vec![Gate::GalleriesComplete],
        Kind::Asset if in_gallery() => vec![Gate::GalleryAssetsComplete],
        Kind::Asset => vec![Gate::IndependentAssetsComplete],
        // What the plan gave up has no level of its own.
        Kind::Content if planned.level < ran.report.plan.levels => {
            vec![
                Gate::ContentComplete,
                Gate::ContentLevelComplete(planned.level),
            ]
        }
        Kind::Content => vec![Gate::ContentComplete],
        Kind::Page => vec![Gate::PagesComplete],
        Kind::Redirection => vec![Gate::RedirectionsComplete],
    };
    own.into_iter().chain([Gate::AllEntitiesComplete]).collect()
}

const fn settled_gate(event: &Event) -> Option<(Gate, bool)> {
    match event {
        Event::GateOpened { gate, .. } => Some((*gate, true)),
        Event::GateFailed { gate, .. } => Some((*gate, false)),
        _ => None,
    }
}

/// Every gate settles once, not before its members, and open only if all of them are there.
pub(crate) fn gates_settle_last(ran: &Ran) -> Vec<String> {
    let mut problems = Vec::new();
    let mut settled: HashMap<Gate, (usize, bool)> = HashMap::new();
    let mut when: HashMap<&EntityKey, (usize, bool)> = HashMap::new();
    let mut planned = BTreeSet::new();
    for (at, stamped) in ran.events.iter().enumerate() {
        if let Event::PlanMade { gates, .. } = &stamped.event {
            planned.extend(gates.iter().map(|plan| plan.gate));
        }
        if let Event::EntitySettled { key, outcome, .. } = &stamped.event {
            when.insert(key, (at, outcome.has_counterpart()));
        }
        if let Some((gate, is_open)) = settled_gate(&stamped.event)
            && settled.insert(gate, (at, is_open)).is_some()
        {
            problems.push(format!("{gate} settled twice"));
        }
    }
    if planned != settled.keys().copied().collect() {
        problems.push(format!(
            "gates {planned:?} were planned and {settled:?} settled"
        ));
    }
    for (node, entity) in ran.report.source.entities().iter().enumerate() {
        let entity_settled = when
            .get(&entity.key)
            .copied()
            .unwrap_or((usize::MAX, false));
        let is_patched = ran.report.plan.entities[node].is_patched();
        for gate in gates_of(ran, node) {
            // An item counts for its level once it is there, patched or not.
            let early = is_patched && matches!(gate, Gate::ContentLevelComplete(_));
            let Some((at, is_open)) = settled.get(&gate).copied() else {
                problems.push(format!("{gate} of {} never settled", entity.key));
                continue;
            };
            if at < entity_settled.0 && !early && counts(ran, node) {
                problems.push(format!("{gate} settled before {}", entity.key));
            }
            if is_open && !entity_settled.1 && !early && counts(ran, node) {
                problems.push(format!("{gate} is open and {} is not there", entity.key));
            }
        }
    }
    problems
}

/// Whether gates wait for an entity: it is written, or should have been.
fn counts(ran: &Ran, node: usize) -> bool {
    use lockgate::plan::Action;
    let action = &ran.report.plan.entities[node].action;
    action.is_work() || matches!(action, Action::Fail { .. } | Action::Block { .. })
}

/// In the phased schedule nothing starts before the gates of its lane have settled.
pub(crate) fn gates_hold(ran: &Ran) -> Vec<String> {
    let content = [
        Gate::ModelsComplete,
        Gate::TemplatesComplete,
        Gate::ContainersComplete,
        Gate::IndependentAssetsComplete,
        Gate::GalleriesComplete,
        Gate::GalleryAssetsComplete,
    ];
    let pages = [Gate::ContentComplete, Gate::IndependentAssetsComplete];
    let mut settled = HashSet::new();
    let mut problems = Vec::new();
    for stamped in &ran.events {
        settled.extend(settled_gate(&stamped.event).map(|(gate, _)| gate));
        if let Event::EntityStarted { key, .. } = &stamped.event {
            let gates: &[Gate] = match key.kind {
                Kind::Content => &content,
                Kind::Page => &pages,
                _ => &[],
            };
            let early = gates.iter().filter(|gate| !settled.contains(*gate));
            problems.extend(early.map(|gate| format!("{key} started before {gate}")));
        }
    }
    problems
}

/// After every event: outcomes and waiting and in flight make what was planned; at the end all of it is settled.
pub(crate) fn counts_add_up(events: &[Stamped]) -> Vec<String> {
    let mut progress = Progress::new();
    let mut problems = Vec::new();
    for stamped in events {
        progress.apply(stamped);
        for (key, row) in progress.rows() {
            if row.settled.total() + row.waiting + row.in_flight != row.planned {
                problems.push(format!(
                    "{key:?} does not add up after {stamped:?}: {row:?}"
                ));
            }
        }
    }
    let uploads = progress.uploads();
    if uploads.unplanned > 0 || uploads.settled.total() != uploads.planned {
        problems.push(format!("at the end: {uploads:?}"));
    }
    problems
}
