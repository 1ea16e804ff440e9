//! Commands with their flags. Flags that many commands take stand once.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::cell;

/// Headings of the help under which flags mean the same in every command.
const COMMON: [&str; 5] = [
    "Instances",
    "Selection (dependencies are included automatically)",
    "Engine",
    "Output",
    "Configuration",
];

/// The page.
pub(super) fn page(mut root: Command) -> String {
    root.build();
    let mut page = String::from(
        "# Command line\n\n\
         `--help` behind a command shows the same in a terminal, `lockgate man` writes manual pages. Flags may\n\
         stand before or after the command. Behind a meaning stand the default and the variables of the environment that set the\n\
         same; the [configuration](configuration.md) has the key of each.\n\n\
         ## Commands\n\n| command | what it does |\n|---|---|\n",
    );
    let all = commands(&root);
    for command in &all {
        let name = name(command);
        let anchor = name.replace(' ', "-");
        let about = cell(&about(command));
        writeln!(page, "| [`{name}`](#{anchor}) | {about} |").unwrap();
    }
    page.push_str(
        "\n## Common flags\n\nEach command lists below which of these groups it takes.\n",
    );
    let sync = root.find_subcommand("sync").unwrap();
    for heading in COMMON {
        write!(page, "\n### {}\n", short(heading)).unwrap();
        page.push_str(&table(
            arguments(sync).filter(|arg| arg.get_help_heading() == Some(heading)),
        ));
    }
    for command in &all {
        page.push_str(&section(command, sync));
    }
    page
}

/// All commands that do something, each before its subcommands.
fn commands(root: &Command) -> Vec<Command> {
    let mut all = Vec::new();
    for command in root.get_subcommands() {
        all.push(command.clone());
        all.extend(commands(command));
    }
    all
}

/// The name with those above it, without that of the program.
fn name(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_default();
    name.trim_start_matches("lockgate ").to_owned()
}

fn about(command: &Command) -> String {
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    about.trim_end_matches('.').to_owned()
}

/// A heading without what stands in parentheses.
fn short(heading: &str) -> &str {
    heading.split(" (").next().unwrap_or(heading)
}

fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_shown =
        |arg: &&Arg| !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "version";
    command.get_arguments().filter(is_shown)
}

fn section(command: &Command, sync: &Command) -> String {
    let mut section = format!("\n## {}\n\n{}.", name(command), about(command));
    let long = command
        .get_long_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    if let Some((_, rest)) = long.split_once("\n\n") {
        write!(section, "\n\n{rest}").unwrap();
    }
    let usage = command.clone().render_usage().to_string();
    let usage: Vec<&str> = usage
        .lines()
        .map(|line| line.trim_start_matches("Usage:").trim())
        .collect();
    write!(section, "\n\n```text\n{}\n```\n", usage.join("\n")).unwrap();
    let is_common = |arg: &&Arg| {
        let own = arg.get_help().map(ToString::to_string);
        let mut others = arguments(sync);
        let heading = arg.get_help_heading();
        heading.is_some_and(|heading| COMMON.contains(&heading))
            && others.any(|other| {
                other.get_long() == arg.get_long()
                    && other.get_help().map(ToString::to_string) == own
            })
    };
    section.push_str(&table(arguments(command).filter(|arg| !is_common(arg))));
    let groups = COMMON.iter().filter(|heading| {
        let mut common = arguments(command).filter(is_common);
        common.any(|arg| arg.get_help_heading() == Some(heading))
    });
    let groups: Vec<String> = groups
        .map(|heading| short(heading))
        .map(|name| format!("[{name}](#{})", name.to_lowercase()))
        .collect();
    if !groups.is_empty() {
        writeln!(section, "\nCommon flags: {}.", groups.join(", ")).unwrap();
    }
    if let Some(examples) = command.get_after_help() {
        let examples = examples.to_string();
        writeln!(section, "\n```text\n{}\n```", examples.trim_end()).unwrap();
    }
    section
}

/// A table of arguments, or nothing.
fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows: String = arguments.map(row).collect();
    if rows.is_empty() {
        return rows;
    }
    format!("\n| flag | meaning |\n|---|---|\n{rows}")
}

fn row(arg: &Arg) -> String {
    let short = arg
        .get_short()
        .map(|letter| format!("`-{letter}`, "))
        .unwrap_or_default();
    let help = arg
        .get_long_help()
        .or(arg.get_help())
        .map(ToString::to_string);
    let mut meaning = help.unwrap_or_default();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set() && takes_a_value(arg))
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !values.is_empty() {
        write!(meaning, ": {}", values.join(", ")).unwrap();
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    if !defaults.is_empty() && takes_a_value(arg) {
        write!(meaning, " [default: {}]", defaults.join(",")).unwrap();
    }
    if let Some(variable) = arg.get_env() {
        write!(meaning, " [env: {}]", variable.to_string_lossy()).unwrap();
    }
    format!(
        "| {short}`{}` | {} |\n",
        cell(&arg.to_string()),
        cell(&meaning.replace('<', "&lt;"))
    )
}

fn takes_a_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}
