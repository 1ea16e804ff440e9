//! `lockgate mappings check`: the state against both instances.

use std::collections::HashMap;
use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use super::super::{planning, table};
use super::args::{PairArgs, is_json, whole};
use crate::domain::{Entity, Inventory, Kind, SourceId, TargetId, name_key};
use crate::engine::Decided;
use crate::error::{Error, ExitStatus};
use crate::report;
use crate::store::Mapping;

/// Compares the mappings of the state with both instances
///
/// Lists mappings with a counterpart that was deleted, is of another kind (component instead of content model, folder
/// instead of page, item of another model) or has another name. Mappings of entities that the source deleted are listed
/// and do not count: their counterparts stay on the target. Ends with 1 when a mapping is wrong.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate mappings check
  lockgate mappings check --json | jq 'select(.state != \"live\")'")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pair: PairArgs,
}

/// How a mapping stands to both instances.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    Live,
    SourceGone,
    TargetGone,
    KindDiffers(String),
    NameDiffers(String),
    /// In a locale that one of the instances does not have.
    Unknown,
}

impl Standing {
    const fn name(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::SourceGone => "source-gone",
            Self::TargetGone => "target-gone",
            Self::KindDiffers(_) => "kind-differs",
            Self::NameDiffers(_) => "name-differs",
            Self::Unknown => "unknown",
        }
    }

    fn detail(&self) -> &str {
        match self {
            Self::Live => "",
            Self::SourceGone => "deleted on the source; left on the target",
            Self::TargetGone => "deleted on the target; `lockgate plan` shows what happens to it",
            Self::KindDiffers(detail) | Self::NameDiffers(detail) => detail,
            Self::Unknown => "its locale was not read",
        }
    }

    const fn is_wrong(&self) -> bool {
        match self {
            Self::TargetGone | Self::KindDiffers(_) | Self::NameDiffers(_) => true,
            Self::Live | Self::SourceGone | Self::Unknown => false,
        }
    }
}

/// Compares and prints.
///
/// # Errors
/// [`Error`] when an instance or the state cannot be read; wrong mappings are in the status.
pub(super) async fn run(
    args: &CheckArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let config = args.pair.config()?;
    let decided = planning::outlook(&whole(&config)?).await?;
    let checker = Checker::new(&decided);
    let found: Vec<(&Mapping, Standing)> = decided
        .mappings
        .iter()
        .map(|mapping| (mapping, checker.standing(mapping)))
        .collect();
    if is_json(&config)? {
        for (mapping, standing) in &found {
            let row = json!({
                "entity": mapping.key,
                "counterpart": mapping.target,
                "state": standing.name(),
                "detail": standing.detail(),
            });
            table::json_line(&row, out)?;
        }
    } else {
        print(&found, out)?;
    }
    out.flush()?;
    let wrong = found.iter().filter(|(_, standing)| standing.is_wrong());
    let wrong = wrong.count();
    if !config.output()?.quiet {
        report::tell(&format!(
            "{} mappings, {} wrong",
            report::count_of(found.len()),
            report::count_of(wrong)
        ));
    }
    Ok(if wrong == 0 {
        ExitStatus::Agreed
    } else {
        ExitStatus::Failed
    })
}

fn print(found: &[(&Mapping, Standing)], out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let odd = found
        .iter()
        .filter(|(_, standing)| *standing != Standing::Live);
    let rows: Vec<[String; 4]> = odd
        .map(|(mapping, standing)| {
            [
                standing.name().to_owned(),
                mapping.key.to_string(),
                mapping.target.to_string(),
                standing.detail().to_owned(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let header = ["state", "entity", "target", "detail"];
        writeln!(out, "{}", table::table(header, rows))?;
    }
    Ok(())
}

struct Checker<'a> {
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
    /// The target's names of models, by the source's.
    models: HashMap<Box<str>, Box<str>>,
}

impl<'a> Checker<'a> {
    fn new(decided: &'a Decided) -> Self {
        let (source, target) = (&*decided.source, &*decided.target);
        let model = |mapping: &Mapping| {
            let here = source.get(&mapping.key)?;
            let there = target.get(&mapping.key.with_id(mapping.target))?;
            Some((name_key(&here.name), name_key(&there.name)))
        };
        let rows = decided.mappings.iter();
        let rows = rows.filter(|mapping| mapping.key.kind == Kind::Model);
        Self {
            source,
            target,
            models: rows.filter_map(model).collect(),
        }
    }

    fn standing(&self, mapping: &Mapping) -> Standing {
        let key = &mapping.key;
        let is_read = key.locale.as_ref().is_none_or(|locale| {
            self.source.locales.contains(locale) && self.target.locales.contains(locale)
        });
        if !is_read {
            return Standing::Unknown;
        }
        let here = self.source.get(key);
        let there = self.target.get(&key.with_id(mapping.target));
        match (here, there) {
            (None, _) => Standing::SourceGone,
            (Some(_), None) => Standing::TargetGone,
            (Some(here), Some(there)) => self.compare(here, there),
        }
    }

    fn compare(&self, here: &Entity<SourceId>, there: &Entity<TargetId>) -> Standing {
        let kinds = (
            self.kind_of(here.key.kind, &here.body.parse(), true),
            self.kind_of(there.key.kind, &there.body.parse(), false),
        );
        if let (Some(here), Some(there)) = kinds
            && here != there
        {
            return Standing::KindDiffers(format!(
                "{here:?} on the source, {there:?} on the target"
            ));
        }
        // An item is called by its title, which an editor may change.
        let is_named = here.key.kind != Kind::Content;
        if is_named && name_key(&here.name) != name_key(&there.name) {
            let (here, there) = (&here.name, &there.name);
            return Standing::NameDiffers(format!(
                "{here:?} on the source, {there:?} on the target"
            ));
        }
        Standing::Live
    }

    /// What an entity is within its kind, in the target's names.
    fn kind_of(&self, kind: Kind, body: &Value, is_source: bool) -> Option<Box<str>> {
        match kind {
            Kind::Model => body["contentDefinitionTypeID"].as_i64().map(|number| {
                let is_component = number == 2;
                let name = if is_component { "component" } else { "content" };
                name.into()
            }),
            Kind::Page => body["pageType"].as_str().map(Into::into),
            Kind::Content => {
                let name = name_key(body["properties"]["definitionName"].as_str()?);
                let there = self.models.get(&name).filter(|_| is_source);
                Some(there.cloned().unwrap_or(name))
            }
            Kind::Container | Kind::Template | Kind::Gallery | Kind::Asset | Kind::Redirection => {
                None
            }
        }
    }
}
