//! Turns settings into the options of the rooms that do the work.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use super::official;
use crate::agility::Connection;
use crate::config::{ColorChoice, HostInfo, Instance, Output, OutputMode, Paths, Settings};
use crate::domain::Kind;
use crate::engine::Matching;
use crate::plan::Selection;
use crate::store::Pair;
use crate::{engine, report};

/// The two instances.
pub(super) fn pair(settings: &Settings) -> Pair {
    Pair {
        source: settings.source.guid.clone(),
        target: settings.target.guid.clone(),
    }
}

/// The way to the source and the way to the target.
pub(super) fn connections(settings: &Settings) -> (Connection, Connection) {
    let connection = |instance: &Instance| Connection {
        guid: instance.guid.clone(),
        base_url: instance.url.clone(),
        token: instance.token.clone(),
        renewal: instance.renewal((settings.timeouts.connect, settings.timeouts.request)),
        connect_timeout: settings.timeouts.connect,
        request_timeout: settings.timeouts.request,
        asset_hosts: settings.asset_hosts.clone(),
        limits: settings.limits.answers,
    };
    (connection(&settings.source), connection(&settings.target))
}

/// What to migrate.
pub(super) fn selection(settings: &Settings) -> Selection {
    let sync = &settings.sync;
    let is_every_kind = sync.elements.len() == Kind::ALL.len();
    sync.maps.selection(Selection {
        elements: if is_every_kind {
            Vec::new()
        } else {
            sync.elements.iter().copied().collect()
        },
        channels: sync.channels.clone(),
        models: sync.models.clone(),
        models_with_deps: sync.models_with_deps.clone(),
        content: sync.content.clone(),
        items: sync.items.clone(),
        pages: sync.pages.clone(),
        paths: sync.paths.clone(),
        changed_since: sync.changed_since,
        changed_by: sync.changed_by.clone(),
        containers: sync.containers.clone(),
        keys: HashSet::new(),
    })
}

/// How it is carried out.
pub(super) fn engine_options(settings: &Settings) -> engine::Options {
    engine::Options {
        schedule: settings.schedule,
        fail_fast: settings.sync.fail_fast,
        publish: settings.sync.publish,
        prune: settings.sync.prune,
        pause_webhooks: settings.sync.pause_webhooks,
        verify: settings.sync.verify,
        concurrency: settings.pace.concurrency,
        reads: settings.pace.reads,
        writes: settings.pace.writes,
        per_second_max: settings.pace.per_second_max,
        batches_in_flight: settings.pace.batches,
        batch_items: settings.batch_size,
        assets_in_flight: settings.pace.assets,
        upload: settings.upload,
        attempts: settings.retry.attempts,
        first_delay: settings.retry.first_delay,
        delay_max: settings.retry.max_delay,
        retry_after_max: settings.pace.retry_after_max,
        busy_max: settings.timeouts.busy,
        waits_for_user: report_mode(&settings.output, can_draw(&settings.host_info))
            == report::Mode::Dashboard,
        batch_timeout: settings.timeouts.batch,
        settle: settings.timeouts.settle,
        drain_grace: settings.timeouts.drain,
        lease_ttl: settings.timeouts.lease,
        request_timeout: settings.timeouts.request,
        unknown_outcome: settings.sync.unknown_outcome,
        maps: Arc::clone(&settings.sync.maps),
        reading: settings.limits.reading,
        ..engine::Options::default()
    }
}

/// How entities without a mapping in the state are matched; reads the mappings of the official CLI.
pub(super) fn matching(settings: &Settings) -> Matching {
    let (hints, problems) = if settings.sync.official_mappings {
        official::evidence(&settings.source.guid, &settings.target.guid)
    } else {
        (Vec::new(), Vec::new())
    };
    Matching {
        hints,
        problems,
        adopt: settings.sync.adopt,
        create_unmatched: settings.sync.create_unmatched,
        is_restore: settings.source_folder.is_some()
            && settings.source.guid == settings.target.guid,
    }
}

/// How it is shown. `verbose` and `quiet` never come together.
pub(super) fn report_options(settings: &Settings) -> report::Options {
    report::Options {
        run_dir: Some(settings.paths.runs.clone()),
        junit: settings.output.junit.clone(),
        step_summary: settings.host_info.step_summary.clone(),
        patience: settings.timeouts.reader,
        ..presentation(&settings.output, &settings.paths, &settings.host_info)
    }
}

/// How long a reader may take nothing where there are no settings.
const READER: Duration = Duration::from_secs(30);

/// How something is shown of which no files are kept.
pub(super) fn presentation(
    output: &Output,
    paths: &Paths,
    host_info: &HostInfo,
) -> report::Options {
    report::Options {
        mode: report_mode(output, can_draw(host_info)),
        detail: match (output.quiet, output.verbose) {
            (true, _) => report::Detail::Quiet,
            (false, true) => report::Detail::Verbose,
            (false, false) => report::Detail::Normal,
        },
        color: match output.color {
            ColorChoice::Auto => std::io::stderr().is_terminal() && !host_info.dumb,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        },
        ascii: !host_info.unicode,
        annotations: host_info.pipeline,
        run_dir: None,
        junit: None,
        step_summary: None,
        keep: report::Keep {
            runs: paths.keep_runs,
            days: paths.keep_days,
        },
        patience: READER,
        watch: report::Watch::Run,
        tokens: Vec::new(),
        lookup: None,
        requests: Vec::new(),
        label: None,
    }
}

fn can_draw(host_info: &HostInfo) -> bool {
    std::io::stdout().is_terminal() && !host_info.dumb
}

fn report_mode(output: &Output, can_draw: bool) -> report::Mode {
    match output.mode {
        OutputMode::Tui => report::Mode::Dashboard,
        OutputMode::Auto if can_draw && !output.quiet => report::Mode::Dashboard,
        OutputMode::Auto | OutputMode::Plain => report::Mode::Plain,
        OutputMode::Json => report::Mode::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, Inputs};

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let required = [
            ("LOCKGATE_SOURCE", "1a2b3c4d-u"),
            ("LOCKGATE_TARGET", "5e6f7a8b-u"),
            ("LOCKGATE_TOKEN", "t"),
        ];
        let environment: Environment = required.iter().chain(variables).copied().collect();
        let inputs = Inputs {
            directory: "no-such-directory".into(),
            environment,
            file: None,
            preset: None,
            given: Vec::new(),
        };
        Config::load(&inputs).unwrap().settings().unwrap()
    }

    #[test]
    fn everything_selected_is_no_selection() {
        assert!(selection(&settings(&[])).is_everything());
        let some = selection(&settings(&[("LOCKGATE_ELEMENTS", "containers")]));
        assert_eq!(some.elements, [Kind::Model, Kind::Container]);
    }

    #[test]
    fn the_documented_defaults_are_those_of_the_engine() {
        let ours = engine_options(&settings(&[]));
        assert_eq!(
            format!("{ours:?}"),
            format!("{:?}", engine::Options::default())
        );
    }

    #[test]
    fn without_a_terminal_it_is_plain_by_itself() {
        let mode = |variables: &[(&str, &str)], is_terminal| {
            report_mode(&settings(variables).output, is_terminal)
        };
        assert_eq!(mode(&[], true), report::Mode::Dashboard);
        assert_eq!(mode(&[], false), report::Mode::Plain);
        assert_eq!(mode(&[("LOCKGATE_QUIET", "1")], true), report::Mode::Plain);
        assert_eq!(
            mode(&[("LOCKGATE_OUTPUT", "json")], true),
            report::Mode::Json
        );
        assert_eq!(
            mode(&[("LOCKGATE_OUTPUT", "tui")], false),
            report::Mode::Dashboard
        );
    }
}
