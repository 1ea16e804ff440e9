//! `lockgate sync --dry-run`: the same run against a copy of the target.
//!
//! The target is read for real and becomes the state of a mock server inside this process. Then the very code
//! of a run works against that server: what it does is what a run would do, as far as the mock has the rules of
//! the real one. Nothing is written to the real target, and mappings stay in memory.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::serve::ServeError;
use crate::agility::{Connection, Instance};
use crate::cli::ends::{Ends, authorise};
use crate::cli::overview::AT_ONCE;
use crate::cli::planning::remembered;
use crate::cli::session::{self, Rehearsal, Work};
use crate::cli::{targets, wiring};
use crate::config::{OutputMode, Settings};
use crate::domain::{
    Entity, EntityKey, Inventory, Kind, Locale, Outcome, Secret, TargetId, name_key, shown,
    shown_name,
};
use crate::engine::{EVENTS_IN_FLIGHT, RunError, RunReport, Sink, WebhooksError};
use crate::error::{Error, ExitStatus};
use crate::event::{Event, Side, Stamped, millis};
use crate::instance::{Webhook, Webhooks as _};
use crate::mock::file::{ChannelFile, ContainerUrls, InstanceFile, Row, SCHEMA, StateFile};
use crate::mock::{self, Server};
use crate::plan::Action;
use crate::progress::Progress;
use crate::report::Reporter;

/// What an estimate assumes of a real instance, which documents neither: the time of a request, and of an item in a
/// batch.
const REQUEST: Duration = Duration::from_millis(150);
const BATCH_ITEM: Duration = Duration::from_millis(50);

/// Rehearses a run and lists what it would do.
///
/// # Errors
/// [`Error`] when the rehearsal could not begin or not continue; entities that would fail are in the status.
pub(in crate::cli) async fn run(
    each: &[Settings],
    work: &Work,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let Some(first) = each.first() else {
        return Ok(ExitStatus::Agreed);
    };
    let ends = each.iter().zip(Ends::of_each(each)?);
    let store = remembered(first).await?;
    let staged = join_all(ends.map(|(settings, ends)| Stage::of(settings, ends))).await;
    let (mut copies, mut pairs) = (Vec::new(), Vec::new());
    for (settings, staged) in each.iter().zip(staged) {
        let (stage, ends) = match staged {
            Ok((stage, ends)) => (Some(stage), Ok(ends)),
            Err(error) => (None, Err(error)),
        };
        copies.push(stage);
        pairs.push((settings.clone(), ends));
    }
    let ended = targets::carry_out(pairs, store, work).await;
    let mut failures = Vec::new();
    for copy in copies {
        failures.push(match copy {
            Some(stage) => stage.over().await,
            None => Failures::default(),
        });
    }
    let ended = ended?;
    if first.output.mode != OutputMode::Json && !first.output.quiet {
        for ((settings, ended), failures) in each.iter().zip(&ended).zip(&failures) {
            let Ok((_, report)) = &ended.outcome else {
                continue;
            };
            let lead = if each.len() > 1 {
                format!("{}\t", settings.target.label())
            } else {
                String::new()
            };
            list(&lead, report, failures, out)?;
        }
    }
    targets::conclude(each, ended, out)
}

/// The copy of one target.
struct Stage {
    server: Server,
    failures: Failures,
}

impl Stage {
    async fn of(settings: &Settings, ends: Result<Ends, Error>) -> Result<(Self, Ends), Error> {
        let ends = ends?;
        let (copy, rules) = copy_of_target(settings, &ends).await?;
        let server = Server::start(mock::Options {
            state: StateFile {
                schema: SCHEMA,
                instances: vec![copy],
            },
            rules,
            ..mock::Options::default()
        })
        .await
        .map_err(ServeError::from)?;
        let (_, target) = wiring::connections(settings);
        let target = Instance::new(Connection {
            base_url: Some(server.base_url()),
            // The copy takes any token, and gets none of a real host.
            token: Secret::new(&format!("rehearsal-{:032x}", rand::random::<u128>())),
            renewal: None,
            ..target
        })?;
        let failures = Failures::default();
        let rehearsal = Ends {
            source: ends.source,
            target,
            rehearsal: Some(Rehearsal {
                estimate: estimate(settings, &server),
                witness: Box::new(failures.clone()),
            }),
        };
        Ok((Self { server, failures }, rehearsal))
    }

    async fn over(self) -> Failures {
        self.server.stop().await;
        self.failures
    }
}

/// Reads the target for real.
async fn copy_of_target(
    settings: &Settings,
    ends: &Ends,
) -> Result<(InstanceFile, mock::Rules), Error> {
    // Nothing shows this reading: the run that comes next reads, and shows, the same once more.
    let (events, mut unheard) = mpsc::channel(EVENTS_IN_FLIGHT);
    let sink = Sink::new(events);
    let options = wiring::engine_options(settings);
    let (here, there) = (&settings.source.guid, &settings.target.guid);
    let (source, target) = (ends.source.clone(), ends.target.clone());
    let source = session::reader(&options, source, here, Side::Source, &sink);
    let target = session::reader(&options, target, there, Side::Target, &sink);
    let (source, target) = (Arc::new(source), Arc::new(target));
    let read = async {
        authorise(&source).await?;
        authorise(&target).await?;
        let pulled = async {
            let wanted = match settings.sync.locales.as_slice() {
                [] => source.locales().await?,
                some => some.to_vec(),
            };
            let there = target.locales().await?;
            // A locale that the target lacks ends the run that follows, with a better message.
            let maps = &settings.sync.maps;
            let both: Vec<Locale> = wanted
                .iter()
                .map(|locale| maps.locale(locale))
                .filter(|locale| there.contains(locale))
                .collect();
            Ok((target.pull::<TargetId>(&both).await?, there))
        };
        pulled
            .await
            .map_err(|error: crate::engine::PullError| Error::from(RunError::from(error)))
    };
    let drain = async { while unheard.recv().await.is_some() {} };
    let (inventory, locales) = tokio::select! {
        read = read => read?,
        () = drain => return Err(Error::Internal("the rehearsal lost its own events".to_owned())),
    };
    let mut state = state_of(&inventory, &locales);
    state.webhooks = webhooks(&ends.target, settings.sync.pause_webhooks).await?;
    Ok((state, rules(&inventory)))
}

/// The webhooks of the target, without their secrets and addresses. Where they cannot be read, the copy has none.
///
/// # Errors
/// [`WebhooksError::Unread`] where they have to be paused, as in a run.
async fn webhooks(target: &Instance, are_paused: bool) -> Result<Vec<Row>, Error> {
    let all = match target.webhooks().await {
        Err(error) if are_paused => return Err(RunError::from(WebhooksError::Unread(error)).into()),
        all => all.unwrap_or_default(),
    };
    let row = |webhook: Webhook| {
        let row = json!({
            "rowKey": webhook.id,
            "name": webhook.name,
            "enabled": webhook.is_enabled,
            "url": "https://copy.invalid/",
            "secretRolledUtc": webhook.rolled,
        });
        row.as_object().cloned().unwrap_or_default()
    };
    Ok(all.into_iter().map(row).collect())
}

/// How the copy compares names: as the strictest target would, so that nothing is promised that the real one refuses. One
/// that holds two names which differ in case only has shown that it distinguishes them.
fn rules(inventory: &Inventory<TargetId>) -> mock::Rules {
    let entities = inventory
        .entities()
        .iter()
        .filter(|entity| !matches!(entity.key.kind, Kind::Content | Kind::Page));
    let mut seen = HashSet::new();
    let has_twins = entities
        .map(|entity| (entity.key.kind, name_key(&entity.name)))
        .any(|name| !seen.insert(name));
    let names = if has_twins {
        mock::Names::Exact
    } else {
        mock::Names::Folded
    };
    mock::Rules {
        names,
        refuses: mock::Refuses::ALL,
        ..mock::Rules::default()
    }
}

/// An instance as the mock server keeps it.
fn state_of(inventory: &Inventory<TargetId>, locales: &[Locale]) -> InstanceFile {
    let rows = |kind| {
        inventory
            .of_kind(kind)
            .iter()
            .map(row)
            .collect::<Vec<Row>>()
    };
    let mut pages: Vec<&Entity<TargetId>> = inventory.of_kind(Kind::Page).iter().collect();
    pages.sort_by_key(|page| {
        page.placement
            .as_ref()
            .map_or(u32::MAX, |placement| placement.position)
    });
    let container = &inventory.asset_container;
    InstanceFile {
        guid: inventory.guid.to_string(),
        name: format!("Copy of {}", inventory.guid),
        locales: locales.iter().map(ToString::to_string).collect(),
        channels: inventory
            .channels
            .iter()
            .map(|channel| ChannelFile {
                id: channel.id,
                name: channel.name.to_string(),
            })
            .collect(),
        container_urls: Some(ContainerUrls {
            origin: container.origin_url.to_string(),
            edge: container.edge_url.to_string(),
        }),
        models: rows(Kind::Model),
        containers: rows(Kind::Container),
        templates: rows(Kind::Template),
        galleries: rows(Kind::Gallery),
        assets: rows(Kind::Asset),
        content: rows(Kind::Content),
        pages: pages.into_iter().map(row).collect(),
        redirections: rows(Kind::Redirection),
        ..InstanceFile::default()
    }
}

fn row(entity: &Entity<TargetId>) -> Row {
    let Value::Object(mut row) = entity.body.parse() else {
        return Map::new();
    };
    if let Some(locale) = &entity.key.locale {
        row.insert("locale".to_owned(), locale.as_str().into());
    }
    if let Some(placement) = &entity.placement {
        row.insert(
            "parentPageID".to_owned(),
            placement.parent.unwrap_or(-1).into(),
        );
        row.insert("channelID".to_owned(), placement.channel_id.into());
    }
    if entity.key.kind == Kind::Asset {
        // Its real bytes stay where they are: its URL leads there.
        let size = row.get("size").cloned().unwrap_or_else(|| 0.into());
        row.insert("content".to_owned(), serde_json::json!({ "filler": size }));
    }
    row
}

/// Reports at the end of the rehearsal what a run would cost.
fn estimate(settings: &Settings, server: &Server) -> session::Estimate {
    let requests = server.counter();
    let concurrency = settings.pace.concurrency.min(AT_ONCE);
    let rate = settings.pace.per_second_max;
    Box::new(move |report: &RunReport| {
        let counted = requests();
        let items = |kind| {
            let planned = report.plan.entities.iter().zip(report.source.entities());
            planned
                .filter(|(planned, entity)| entity.key.kind == kind && planned.action.is_work())
                .count()
        };
        let seconds =
            |duration: Duration, count: usize| duration * u32::try_from(count).unwrap_or(u32::MAX);
        let at_once = u32::try_from(concurrency.max(1)).unwrap_or(u32::MAX);
        let by_latency = seconds(REQUEST, counted.all) / at_once;
        let by_worker = seconds(BATCH_ITEM, items(Kind::Content) + items(Kind::Page));
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let by_rate = rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(counted.all as f64 / rate)
        });
        Event::Rehearsed {
            requests: counted.all as u64,
            writes: counted.writes as u64,
            estimated_ms: millis(by_latency.max(by_worker).max(by_rate)),
        }
    })
}

/// What was not migrated in the rehearsal, by entity: the outcome and why. The plan alone cannot know what the
/// server refuses.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<HashMap<EntityKey, (&'static str, String)>>>);

impl Failures {
    fn lock(&self) -> MutexGuard<'_, HashMap<EntityKey, (&'static str, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for Failures {
    fn name(&self) -> &'static str {
        "list of the rehearsal"
    }

    fn event(&mut self, event: &Stamped, _: &Progress) -> io::Result<()> {
        if let Event::EntitySettled {
            key,
            outcome: outcome @ (Outcome::Failed { .. } | Outcome::Blocked { .. }),
            because,
            ..
        } = &event.event
        {
            self.lock()
                .insert(key.clone(), (outcome.name(), because.clone()));
        }
        Ok(())
    }

    fn tick(&mut self, _: &Progress, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &Progress) -> io::Result<()> {
        Ok(())
    }
}

/// One line for everything that a run would do or leave undone: action, entity, name and reason, tabs between them.
fn list(
    lead: &str,
    report: &RunReport,
    failures: &Failures,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let failures = failures.lock();
    let differences = report.differences.as_deref().unwrap_or_default();
    let differing: HashMap<_, _> = differences
        .iter()
        .map(|found| (&found.key, found))
        .collect();
    let planned = report.plan.entities.iter();
    for (planned, entity) in planned.zip(report.source.entities()) {
        let is_silent = match planned.action {
            Action::Unchanged { .. } => !planned.left_alone,
            Action::OutOfScope => true,
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Adopt { .. }
            | Action::Conflict { .. }
            | Action::Fail { .. }
            | Action::Block { .. } => false,
        };
        let (action, because) = match failures.get(&entity.key) {
            Some((outcome, because)) => (*outcome, because.as_str()),
            None if is_silent => match differing.get(&entity.key) {
                Some(found) if found.left_alone => ("left-alone", found.detail.as_str()),
                Some(found) => ("differs", found.detail.as_str()),
                None => continue,
            },
            None => (planned.name(), &*planned.because),
        };
        let (name, because) = (one_cell(&entity.name), one_cell(because));
        let (name, because) = (shown_name(&name), shown(&because));
        writeln!(out, "{lead}{action}\t{}\t{name}\t{because}", entity.key)?;
    }
    out.flush()?;
    Ok(())
}

/// Text without the tabs and line ends that would tear a row apart.
fn one_cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Body, Id, ItemState, Key, Placement};

    #[test]
    fn a_page_keeps_its_place_in_the_copy() {
        let placement = Placement {
            channel: "Website".into(),
            channel_id: 3,
            parent: Some(7),
            position: 0,
        };
        let page = Entity {
            key: Key::localised(Kind::Page, 8, &Locale::new("en-us")),
            name: "/news".into(),
            version: None,
            state: ItemState::Staging,
            placement: Some(Box::new(placement)),
            body: Body::new(&serde_json::json!({ "pageID": 8, "name": "news" })),
        };
        let row = Value::Object(row(&page));
        assert_eq!(
            row,
            serde_json::json!({
                "pageID": 8, "name": "news", "locale": "en-us", "parentPageID": 7, "channelID": 3
            })
        );
        assert_eq!(page.key.id.raw(), 8);
    }
}
