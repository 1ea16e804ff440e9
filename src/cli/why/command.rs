//! The command line of it.

use std::io::Write;
use std::path::Path;

use clap::Args;

use super::super::args::{Collected, FileArgs, OutputArgs};
use super::super::{run_lookup, table};
use super::{story, text};
use crate::config::OutputMode;
use crate::domain::{EntityKey, Id, Kind, Locale, RunId, SourceId, TargetId};
use crate::error::{Error, ExitStatus};
use crate::report::graph;
use crate::store::{Pair, Store};

/// Shows the history of one entity: what was decided, sent and answered, and what waits for it
///
/// Reads the state and the folders of past runs, and asks no instance. For every run that did something about the
/// entity it lists the outcome with its reason, each attempt with what the server answered, what blocked it or what it
/// blocked; then what it needs and what needs it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate why model:41
  lockgate why content:912@en-us
  lockgate why content:912                 in every locale
  lockgate why page:7 --output json
  lockgate why --included asset:31         why a selection took it along")]
pub(in crate::cli) struct WhyArgs {
    /// The entity by kind and id on the source, with @locale for one locale of content and pages
    #[arg(value_name = "KIND:ID")]
    entity: String,
    /// Show instead why the selection of the last run includes it: what it is needed by, up to what was asked for
    #[arg(long)]
    included: bool,
    /// Instance that it was read from [default: that of the latest run]
    #[arg(long, value_name = "GUID", help_heading = "Instances")]
    source: Option<String>,
    /// Instance that it was to be written to [default: that of the latest run]
    #[arg(long, value_name = "GUID", help_heading = "Instances")]
    target: Option<String>,
    /// Maximum number of runs to show, newest first
    #[arg(long, value_name = "N", default_value_t = 5)]
    limit: usize,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

/// Shows the history.
///
/// # Errors
/// [`Error::Usage`] when the entity is none, or no run has met it; [`Error::Store`] when the state cannot be read.
pub(in crate::cli) async fn run(
    args: &WhyArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let (kind, id, locale) = parse(&args.entity)?;
    let collected = Collected::default()
        .text("source.guid", args.source.as_ref())
        .text("target.guid", args.target.as_ref());
    let config = args.file.load(args.output.collect(collected))?;
    let store = run_lookup::look(&config).await?;
    let between = run_lookup::between(&config)?;
    if args.included {
        let latest = run_lookup::find(&store, "last", between).await;
        store.close().await;
        let folder = config.paths()?.runs.join(&latest?.run.0);
        let is_json = config.output()?.mode == OutputMode::Json;
        return included(&folder, (kind, id, locale), is_json, out);
    }
    let told = async {
        let latest = run_lookup::find(&store, "last", between).await?;
        let runs = config.paths()?.runs;
        story::tell(&store, &latest.pair, (kind, id, locale), args.limit, &runs).await
    };
    let told = told.await;
    store.close().await;
    let stories = told?;
    if stories.is_empty() {
        return Err(unknown(&args.entity));
    }
    for story in &stories {
        if config.output()?.mode == OutputMode::Json {
            table::json_line(story, out)?;
        } else {
            out.write_all(text::text(story).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

/// Why the plan of a run includes an entity.
fn included(
    folder: &Path,
    (kind, id, locale): (Kind, SourceId, Option<Locale>),
    is_json: bool,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let is_meant = |key: &EntityKey| {
        let is_of = locale.is_none() || key.locale == locale;
        key.kind == kind && key.id == id && is_of
    };
    let found = graph::included(folder, is_meant).map_err(|source| Error::File {
        path: folder.to_owned(),
        source,
    })?;
    let chains = found.unwrap_or_default();
    if chains.is_empty() {
        return Err(Error::Usage {
            message: format!("no plan with {kind}:{id} in {}", folder.display()),
            hint: Some(
                "ids are those of the source; the folder of an older run may be archived"
                    .to_owned(),
            ),
        });
    }
    for chain in &chains {
        if is_json {
            table::json_line(chain, out)?;
        } else {
            out.write_all(text::included(chain).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

/// The history of one entity in words, and its counterpart; `None` where nothing is known of it.
///
/// # Errors
/// [`Error::Store`] when the state cannot be read, [`Error::File`] when a plan is there and cannot.
pub(in crate::cli) async fn told(
    store: &Store,
    pair: &Pair,
    key: &EntityKey,
    limit: usize,
    runs: &Path,
) -> Result<Option<(String, Option<TargetId>)>, Error> {
    let of = (key.kind, key.id, key.locale.clone());
    let stories = story::tell(store, pair, of, limit, runs).await?;
    Ok(stories.first().map(|story| {
        let target = story.counterpart.as_ref().map(|there| there.target);
        (text::text(story), target)
    }))
}

/// What the folder of a run says about an entity, in words; `None` when nothing.
///
/// # Errors
/// [`Error::File`] when a file is there and cannot be read.
pub(in crate::cli) async fn of_folder(
    folder: &Path,
    run: &RunId,
    key: &EntityKey,
) -> Result<Option<String>, Error> {
    let (folder, run, key) = (folder.to_owned(), run.clone(), key.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let found = story::of_folder(&folder, &run, &key);
        found.map_err(|source| Error::File {
            path: folder,
            source,
        })
    });
    let story = reading
        .await
        .map_err(|broken| Error::Internal(broken.to_string()))??;
    Ok(story.as_ref().map(text::text))
}

/// Kind, id and locale. Content and pages may be named without a locale: all of them are meant then.
fn parse(text: &str) -> Result<(Kind, SourceId, Option<Locale>), Error> {
    if let Ok(key) = text.parse::<EntityKey>() {
        return Ok((key.kind, key.id, key.locale));
    }
    let parts = text.trim().split_once(':');
    let parts = parts.and_then(|(kind, id)| Some((kind.parse().ok()?, id.parse().ok()?)));
    match parts {
        Some((kind, id)) => Ok((kind, SourceId::new(id), None)),
        None => Err(Error::Usage {
            message: format!("{text:?} is not an entity key"),
            hint: Some(
                "write kind:id as reports do, such as model:41, content:912@en-us or page:7"
                    .to_owned(),
            ),
        }),
    }
}

fn unknown(entity: &str) -> Error {
    Error::Usage {
        message: format!("no history for {entity} between these instances"),
        hint: Some(
            "ids are those of the source; `lockgate runs last` lists what failed, and `lockgate plan` what would happen \
             to it now"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_named_as_reports_name_it() {
        let named = |text: &str| parse(text).unwrap();
        let locale = Locale::new("en-us");
        assert_eq!(named("model:4"), (Kind::Model, SourceId::new(4), None));
        assert_eq!(
            named("content:9@en-us"),
            (Kind::Content, SourceId::new(9), Some(locale))
        );
        assert_eq!(named("page:7"), (Kind::Page, SourceId::new(7), None));
        for wrong in ["", "content", "content:x", "thing:4", "model:4@en-us"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
