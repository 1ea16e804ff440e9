//! `lockgate graph`: the dependencies between entities.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::planning::{self, PlanningArgs};
use crate::config::Settings;
use crate::domain::{EntityKey, redact, shown_lines};
use crate::engine::Decided;
use crate::error::{Error, ExitStatus};
use crate::report::graph::{self, DRAWABLE, View};

/// Shows the dependency graph of a plan, without writing anything to the target
///
/// Large instances are folded until they can be read: by containers, then by content levels. Cycles of references are
/// marked, and so are the references that a sync leaves out at first to open them.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate graph --source 1a2b3c4d-u --target 5e6f7a8b-u -o graph.html
      a page with the whole graph
  lockgate graph --source 1a2b3c4d-u --target 5e6f7a8b-u --around content:912@en-us --depth 2 --format mermaid
      what one item needs and who needs it
  lockgate graph --source 1a2b3c4d-u --target 5e6f7a8b-u --fold none | dot -Tpdf > graph.pdf")]
pub(super) struct GraphArgs {
    /// Output format [default: inferred from the file extension, else dot]
    #[arg(long, visible_alias = "output", value_name = "FORM")]
    format: Option<Format>,
    /// JSON, like --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// File to write instead of standard output
    #[arg(long = "out", short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show only what is near this entity, such as model:41 or content:912@en-us
    #[arg(long, value_name = "KEY")]
    around: Option<EntityKey>,
    /// How many steps away from that entity, in both directions
    #[arg(long, value_name = "N", default_value_t = 2, requires = "around")]
    depth: u32,
    /// Node granularity
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "auto",
        conflicts_with = "around"
    )]
    fold: Fold,
    #[command(flatten)]
    planning: PlanningArgs,
}

/// A form of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
    /// machine-readable nodes and edges
    Json,
    /// single HTML page with search
    Html,
    /// SVG only
    Svg,
}

/// Node granularity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fold {
    /// finest readable level
    Auto,
    /// one entity
    None,
    /// a container with its items, otherwise a kind
    Containers,
    /// the content of a level, otherwise a kind
    Levels,
}

impl GraphArgs {
    /// All layers, these flags on top.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let config = self.planning.file.load(self.planning.collect())?;
        Ok(config.settings()?)
    }

    fn form(&self) -> Format {
        let ending = self.output.as_deref().and_then(Path::extension);
        let ending = ending.and_then(|ending| ending.to_str()).unwrap_or("");
        let json = self.json.then_some(Format::Json);
        self.format.or(json).unwrap_or(match ending {
            "html" | "htm" => Format::Html,
            "svg" => Format::Svg,
            "json" => Format::Json,
            "mmd" | "mermaid" | "md" => Format::Mermaid,
            _ => Format::Dot,
        })
    }
}

/// Plans and writes the graph.
///
/// # Errors
/// [`Error`] when no plan could be made, the entity is not on the source, the picture would be too large, or the file
/// cannot be written.
pub(super) async fn run(
    args: &GraphArgs,
    settings: &Settings,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let outlook = planning::outlook(settings).await?;
    let view = view(args, &outlook)?;
    let text = render(&view, args.form())?;
    if let Some(path) = &args.output {
        std::fs::write(path, shown_lines(&redact(&text)).as_bytes()).map_err(|source| {
            Error::File {
                path: path.clone(),
                source,
            }
        })?;
    } else {
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
    Ok(ExitStatus::Agreed)
}

fn view(args: &GraphArgs, outlook: &Decided) -> Result<View, Error> {
    let Some(center) = &args.around else {
        let fold = match args.fold {
            Fold::Auto => graph::Fold::Auto,
            Fold::None => graph::Fold::Entities,
            Fold::Containers => graph::Fold::Containers,
            Fold::Levels => graph::Fold::Levels,
        };
        return Ok(graph::whole(&outlook.plan, &outlook.source, fold));
    };
    let place = outlook
        .source
        .position(center)
        .ok_or_else(|| Error::Usage {
            message: format!("the source has no {center}"),
            hint: Some("`lockgate plan` lists what there is, with keys".to_owned()),
        })?;
    Ok(graph::around(
        &outlook.plan,
        &outlook.source,
        place,
        args.depth,
    ))
}

fn render(view: &View, format: Format) -> Result<String, Error> {
    let is_picture = matches!(format, Format::Html | Format::Svg);
    if is_picture && view.nodes.len() > DRAWABLE {
        return Err(Error::Usage {
            message: format!(
                "a diagram with {} nodes would be unreadable",
                view.nodes.len()
            ),
            hint: Some(
                "leave out --fold, or show what is near one entity with --around KEY".to_owned(),
            ),
        });
    }
    Ok(match format {
        Format::Dot => graph::dot(view),
        Format::Mermaid => graph::mermaid(view),
        Format::Json => {
            let json = serde_json::to_string_pretty(view);
            json.map_err(|error| Error::Internal(format!("cannot serialize the graph: {error}")))?
                + "\n"
        }
        Format::Html => graph::page(view),
        Format::Svg => graph::svg_file(view),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        graph: GraphArgs,
    }

    /// It wrote a file called `json`.
    #[test]
    fn the_output_is_a_form_and_no_file() {
        for args in [["--output", "json"], ["--format", "json"]] {
            let line = ["graph"].into_iter().chain(args);
            let graph = Line::try_parse_from(line).unwrap().graph;
            assert_eq!((graph.form(), &graph.output), (Format::Json, &None));
        }
        // The help showed the default and the variable of the setting of the same name.
        let help = crate::cli::help::command();
        let mut graph = help.find_subcommand("graph").unwrap().clone();
        let help = graph.render_long_help().to_string();
        assert!(!help.contains("LOCKGATE_OUTPUT"), "{help}");
        let graph = Line::try_parse_from(["graph", "--json"]).unwrap().graph;
        assert_eq!(graph.form(), Format::Json);
        let graph = Line::try_parse_from(["graph", "-o", "g.svg"])
            .unwrap()
            .graph;
        assert_eq!(graph.form(), Format::Svg);
    }
}
