//! `lockgate probe`: finds out what no description of a server says, in a throw-away container of a real instance.

use std::io::Write;

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::agree::{asked, has_terminal, is_on_this_machine};
use super::args::TargetOnlyArgs;
use super::session::{self, salt};
use super::webhooks::with_target;
use super::{run_lookup, stop, table};
use crate::config::{Config, OutputMode, Settings};
use crate::domain::{Guid, RunEnd, RunId, time};
use crate::engine::{Finding, KeptAnswer, PROBE_SOURCE, Probe, ProbeReport, kept_answers};
use crate::error::{Error, ExitStatus};
use crate::report;
use crate::store::{Change, Pair, RunFinish, RunRecord, Store};

/// Finds out how a target behaves, with throw-away things that are deleted at the end
///
/// Creates a model, a container with 21 items, a file in a folder of its own and a webhook that is not enabled, all with
/// names that begin with `lockgate_probe_`, reads for three seconds at a growing rate until a request is refused, and deletes everything, also after a
/// failure and an interruption. Takes about a minute. The answers are kept for the host of the target; later runs use them.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate probe --target 5e6f7a8b-u
  lockgate probe --target 5e6f7a8b-u --yes --json | jq '.answer'
      without a terminal, and for programs
  lockgate probe --show
      what is known, and what it changes
  lockgate probe --target 5e6f7a8b-u --clean
      after a probe that was killed

Webhooks of the target that fire for saves fire for those of the probe, too.")]
pub(super) struct ProbeArgs {
    /// Show the answers that are kept, for each host; sends nothing
    #[arg(long, conflicts_with_all = ["clean", "yes"], help_heading = "Policy")]
    show: bool,
    /// Delete what earlier probes left on the target, and ask nothing
    #[arg(long, help_heading = "Policy")]
    clean: bool,
    /// Do not ask
    #[arg(long, short, help_heading = "Policy")]
    yes: bool,
    #[command(flatten)]
    target: TargetOnlyArgs,
}

/// Probes each target, or shows what is known.
///
/// # Errors
/// [`Error::Usage`] without a terminal and `--yes`; other [`Error`]s when a target or the state cannot be used.
pub(super) async fn run(
    args: &ProbeArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    if args.show {
        return show(&args.target.config()?, out).await;
    }
    let mut status = ExitStatus::Agreed;
    for settings in args.target.each()? {
        session::warn(&settings);
        agree(args, &settings).await?;
        let store = Store::open(&settings.paths.state).await?;
        let ended = Box::pin(carry_out(args, &settings, &store, out)).await;
        store.close().await;
        status = status.or(ended?);
    }
    out.flush()?;
    Ok(status)
}

/// Asks before anything is sent to a target that is not on this machine.
async fn agree(args: &ProbeArgs, settings: &Settings) -> Result<(), Error> {
    if args.yes || is_on_this_machine(settings) {
        return Ok(());
    }
    let target = settings.target.label();
    let does = if args.clean {
        format!("Delete what earlier probes left on {target}?")
    } else {
        format!("Create throw-away things on {target}, and delete them again?")
    };
    if !has_terminal(settings) {
        return Err(Error::Usage {
            message: format!(
                "refusing to probe {target} without confirmation: no terminal is attached (use --yes)"
            ),
            hint: Some("`lockgate probe --help` says what is created and deleted".to_owned()),
        });
    }
    if asked(format!("{does} [y/N] ")).await {
        return Ok(());
    }
    report::tell("nothing was written");
    Err(Error::Interrupted)
}

/// Probes a target under a record of its own.
async fn carry_out(
    args: &ProbeArgs,
    settings: &Settings,
    store: &Store,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let run = time::run_id(time::now(), salt());
    let begun = Change::RunStarted(record(args, settings, &run));
    store.commit(vec![begun]).await?;
    let stopping = CancellationToken::new();
    let ended = probed(args, settings, (store, &run), &stopping).await;
    let ended = match ended {
        Ok((host, report)) => conclude(args, settings, (store, &host), &report, out).await,
        Err(error) => Err(error),
    };
    let status = match &ended {
        Ok(_) if stopping.is_cancelled() => ExitStatus::Interrupted,
        Ok(status) => *status,
        Err(error) => error.exit_code(),
    };
    let end = match &ended {
        Ok(_) if stopping.is_cancelled() => RunEnd::Interrupted,
        Ok(_) => RunEnd::Complete,
        Err(error) => error.end(),
    };
    let finish = RunFinish {
        run,
        exit: status.code(),
        end,
        counts: json!({}),
        finished_at: time::now().to_string(),
    };
    store.commit(vec![Change::RunFinished(finish)]).await?;
    ended.map(|_| status)
}

fn record(args: &ProbeArgs, settings: &Settings, run: &RunId) -> RunRecord {
    RunRecord {
        run: run.clone(),
        pair: Pair {
            source: Guid::new(PROBE_SOURCE),
            target: settings.target.guid.clone(),
        },
        command: "probe".to_owned(),
        options: json!({ "clean": args.clean, "target_url": settings.target.url }),
        started_at: time::now().to_string(),
        finished_at: None,
        exit: None,
        end: None,
        counts: None,
    }
}

/// Does what was asked, and gives the host with what came of it. The first request to stop ends the questions, the second one
/// the deletions.
async fn probed(
    args: &ProbeArgs,
    settings: &Settings,
    (store, run): (&Store, &RunId),
    stopping: &CancellationToken,
) -> Result<(String, ProbeReport), Error> {
    let probing = with_target(settings, async |reader| {
        let host = reader.instance.host();
        let known = store.learned(&host).await?;
        reader.pacer.share(store).await;
        let probe = Probe {
            target: &reader,
            port: &reader.instance,
            store,
            owner: &session::owner(&settings.host_info, run),
            lease_ttl: settings.timeouts.lease,
            patience: settings.timeouts.batch,
            stop: stopping,
        };
        let report = if args.clean {
            probe.clean().await?
        } else {
            probe.run(&known).await?
        };
        Ok((host, report))
    });
    let stop = async {
        stop::asked().await;
        stopping.cancel();
        report::tell(
            "deleting what was made; interrupt again to leave it, and `lockgate probe --clean` deletes it later",
        );
        stop::asked().await;
    };
    // What is dropped was announced: the next probe deletes it.
    tokio::select! {
        probed = Box::pin(probing) => probed,
        () = stop => Err(Error::Interrupted),
    }
}

/// Keeps the answers, and shows what came of the probe.
async fn conclude(
    args: &ProbeArgs,
    settings: &Settings,
    (store, host): (&Store, &str),
    report: &ProbeReport,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let learned = report.rows.iter().map(|(key, value)| Change::HostLearned {
        host: host.to_owned(),
        key: key.clone(),
        value: *value,
    });
    let learned: Vec<Change> = learned.collect();
    if !learned.is_empty() {
        store.commit(learned).await?;
    }
    let label = settings.target.label();
    if settings.output.mode == OutputMode::Json {
        for finding in &report.findings {
            table::json_line(&as_json(settings, host, finding), out)?;
        }
    } else if !report.findings.is_empty() {
        writeln!(
            out,
            "{}",
            findings_table(&report.findings, settings.output.verbose)
        )?;
    }
    for name in &report.removed {
        report::tell(&format!("{label}: deleted what the probe {name} had left"));
    }
    for name in &report.young {
        report::tell(&format!(
            "{label}: {name} may belong to a probe that is under way; clean again in ten minutes if it does not"
        ));
    }
    if args.clean && report.removed.is_empty() && report.left.is_empty() && report.young.is_empty()
    {
        report::tell(&format!("{label}: no probe has left anything"));
    }
    for left in &report.left {
        report::tell(&format!(
            "{label}: could not delete {}: {}",
            left.what, left.why
        ));
    }
    if report.left.is_empty() {
        return Ok(ExitStatus::Agreed);
    }
    report::tell(&format!(
        "help: `lockgate probe --target {label} --clean` tries again, or delete these in the settings of the instance"
    ));
    Ok(ExitStatus::Failed)
}

fn as_json(settings: &Settings, host: &str, finding: &Finding) -> serde_json::Value {
    let (answer, changes) = finding.answer.as_ref().ok().cloned().unzip();
    json!({
        "target": settings.target.guid,
        "host": host,
        "name": finding.name,
        "question": finding.question,
        "sent": finding.sent,
        "seen": finding.seen,
        "answer": answer,
        "changes": changes,
        "notAnswered": finding.answer.as_ref().err(),
    })
}

/// A row for each question; with the details, what was sent and seen as well.
fn findings_table(findings: &[Finding], is_verbose: bool) -> String {
    let rows = findings.iter().map(|finding| {
        let (answer, changes) = match &finding.answer {
            Ok((answer, changes)) => (answer.clone(), changes.clone()),
            Err(why) => ("-".to_owned(), format!("not answered: {why}")),
        };
        let mut row = vec![finding.question.to_owned(), answer, changes];
        if is_verbose {
            row.extend([finding.sent.to_owned(), finding.seen.clone()]);
        }
        row
    });
    let mut header = vec!["question", "answer", "what it changes"];
    if is_verbose {
        header.extend(["sent", "seen"]);
    }
    table::of_rows(header, rows)
}

/// Shows the answers of each host that was probed.
async fn show(config: &Config, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    let store = run_lookup::look(config).await?;
    let hosts = store.hosts().await;
    store.close().await;
    let hosts = hosts?;
    let is_json = config.output()?.mode == OutputMode::Json;
    let known = hosts
        .iter()
        .filter_map(|(host, rows)| Some((host, kept_answers(rows)?)));
    let mut is_known = false;
    for (host, (at, answers)) in known {
        is_known = true;
        let at = time::of_millis(at.saturating_mul(1_000));
        if is_json {
            for kept in &answers {
                table::json_line(&kept_json(host, &at, kept), out)?;
            }
            continue;
        }
        let rows = answers.iter().map(|kept| {
            let (answer, changes) = kept
                .answer
                .clone()
                .unwrap_or_else(|| ("-".to_owned(), "not answered by the last probe".to_owned()));
            vec![kept.question.to_owned(), answer, changes]
        });
        let header = vec!["question", "answer", "what it changes"];
        writeln!(
            out,
            "{host}, probed at {at}\n{}\n",
            table::of_rows(header, rows)
        )?;
    }
    if !is_known {
        report::tell("no host was probed yet; `lockgate probe --target` does it");
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

fn kept_json(host: &str, at: &str, kept: &KeptAnswer) -> serde_json::Value {
    let (answer, changes) = kept.answer.clone().unzip();
    json!({
        "host": host,
        "at": at,
        "name": kept.name,
        "question": kept.question,
        "answer": answer,
        "changes": changes,
    })
}
