//! The command line of it.

use std::io::Write;

use clap::Args;

use super::super::args::{Collected, FileArgs, OutputArgs};
use super::super::run_lookup;
use super::{story, text};
use crate::config::OutputMode;
use crate::domain::{EntityKey, Id, Kind, Locale, SourceId};
use crate::error::{Error, ExitStatus};

/// Shows the history of one entity: what was decided, sent and answered, and what waits for it
///
/// Reads the state and the folders of past runs, and asks no instance. For every run that did something about the
/// entity it lists the outcome with its reason, each attempt with what the server answered, what blocked it or what it
/// held up; then what it needs and what needs it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate why model:41
  lockgate why content:912@en-us
  lockgate why content:912                 in every locale
  lockgate why page:7 --output json")]
pub(in crate::cli) struct WhyArgs {
    /// The entity by kind and id on the source, with @locale for one locale of content and pages
    #[arg(value_name = "KIND:ID")]
    entity: String,
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

/// Tells the story.
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
            writeln!(
                out,
                "{}",
                serde_json::to_string(story).map_err(std::io::Error::from)?
            )?;
        } else {
            out.write_all(text::text(story).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
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
