//! `lockgate completions`: scripts for shells, and what the shells ask when they complete a word.
//!
//! The script calls the program itself, which offers more than a script could: the values of settings, error codes, and from
//! the runs of the working folder their names, their instances and the entities of the latest plan.

use std::ffi::OsString;
use std::io::Write;

use clap::{Arg, Args, Command};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use crate::config::{Config, Environment, Inputs, Paths, values_of};
use crate::error::{Error, ExitStatus, code};
use crate::report::{self, graph};

/// Prints a script that completes commands, flags and their values in a shell
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate completions bash > ~/.local/share/bash-completion/completions/lockgate
  lockgate completions zsh > ~/.zfunc/_lockgate
  lockgate completions fish > ~/.config/fish/completions/lockgate.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The variable by which the script says that it asks.
const ASKED: &str = "LOCKGATE_COMPLETE";

/// The program as the script calls it.
const NAME: &str = "lockgate";

/// Prints the script.
///
/// # Errors
/// [`Error::Output`] when standard output is closed.
pub(super) fn run(
    args: &CompletionsArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let mut script = Vec::new();
    let shell = args.shell.to_string();
    if let Some(completer) = Shells::builtins().completer(&shell) {
        completer.write_registration(ASKED, NAME, NAME, NAME, &mut script)?;
    }
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

/// Answers a shell that asks how a word continues. Returns the arguments when none did.
pub(super) fn unless_asked(arguments: Vec<OsString>) -> Option<Vec<OsString>> {
    let directory = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(command).var(ASKED).bin(NAME);
    // A shell that cannot be answered shows nothing; a message would stand in the middle of the line.
    let is_answered = asked.try_complete(arguments.clone(), directory.as_deref());
    (!is_answered.unwrap_or(true)).then_some(arguments)
}

/// The commands, whose arguments list their values.
fn command() -> Command {
    with_values(super::help::command())
}

fn with_values(command: Command) -> Command {
    let name = command.get_name().to_owned();
    command
        .mut_args(|arg| with_candidates(&name, arg))
        .mut_subcommands(with_values)
}

fn with_candidates(command: &str, arg: Arg) -> Arg {
    let id = arg.get_id().as_str().to_owned();
    let candidates = match (command, id.as_str()) {
        ("graph" | "generate", "output" | "preset") => return arg,
        (_, "source" | "target") => ArgValueCandidates::new(instances),
        ("explain", "code") => ArgValueCandidates::new(|| words(code::all())),
        ("runs" | "show" | "replay" | "attach" | "retry" | "undo", "run") => {
            ArgValueCandidates::new(runs)
        }
        ("why", "entity") | ("graph", "around") => ArgValueCandidates::new(entities),
        (_, "models" | "models_with_deps") => ArgValueCandidates::new(|| names("model")),
        (_, "containers") => ArgValueCandidates::new(|| names("container")),
        (_, key) => match values_of(key) {
            Some(values) => ArgValueCandidates::new(move || words(values.iter().copied())),
            None => return arg,
        },
    };
    arg.add(candidates)
}

fn words(values: impl Iterator<Item = &'static str>) -> Vec<CompletionCandidate> {
    values.map(CompletionCandidate::new).collect()
}

/// The configuration of the working folder.
fn config() -> Option<Config> {
    let config = Config::load(&Inputs {
        directory: std::env::current_dir().ok()?,
        environment: Environment::of_process(),
        file: None,
        preset: None,
        given: Vec::new(),
    });
    config.ok()
}

/// Where the runs of the working folder are.
fn paths() -> Option<Paths> {
    config()?.paths().ok()
}

fn recorded() -> Vec<report::Recorded> {
    let recorded = paths().and_then(|paths| report::recorded(&paths.runs, |_| true).ok());
    recorded.unwrap_or_default()
}

/// The runs, with what they were.
fn runs() -> Vec<CompletionCandidate> {
    let last = CompletionCandidate::new("last").help(Some("the latest run".into()));
    let runs = recorded().into_iter().map(|recorded| {
        let words = recorded.pair.map(|(source, target)| {
            let command = recorded.command.unwrap_or_default();
            format!("{command} {source} to {target}").trim().to_owned()
        });
        CompletionCandidate::new(recorded.run.0).help(words.map(Into::into))
    });
    std::iter::once(last).chain(runs).collect()
}

/// The names in `[targets]`, and the instances of the runs.
fn instances() -> Vec<CompletionCandidate> {
    let pairs = recorded().into_iter().filter_map(|recorded| recorded.pair);
    let mut guids: Vec<String> = pairs
        .flat_map(|(source, target)| [source.to_string(), target.to_string()])
        .collect();
    guids.sort_unstable();
    guids.dedup();
    let names = config().map(|config| config.target_names());
    let all = names.into_iter().flatten().chain(guids);
    all.map(CompletionCandidate::new).collect()
}

/// The entities of the latest run that left a plan.
fn listed() -> Vec<report::lookup::Listed> {
    let Some(paths) = paths() else {
        return Vec::new();
    };
    let plans = recorded().into_iter().filter_map(|recorded| {
        let folder = paths.runs.join(recorded.run.0);
        graph::listed(&folder).ok().flatten()
    });
    plans.into_iter().next().unwrap_or_default()
}

/// Entities by key, with their names.
fn entities() -> Vec<CompletionCandidate> {
    let listed = listed().into_iter().map(|listed| {
        let name = crate::domain::shown_name(&listed.name).into_owned();
        CompletionCandidate::new(listed.key.to_string()).help(Some(name.into()))
    });
    listed.collect()
}

/// Entities of a kind, by name.
fn names(kind: &str) -> Vec<CompletionCandidate> {
    let listed = listed().into_iter();
    let of_kind = listed.filter(|listed| listed.key.kind.name() == kind);
    of_kind
        .map(|listed| CompletionCandidate::new(listed.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        let last = words.len() - 1;
        let found = clap_complete::engine::complete(&mut command(), words, last, None);
        let found = found.unwrap().into_iter();
        found
            .map(|one| one.get_value().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_values_of_settings_and_error_codes_are_completed() {
        for (line, wanted) in [
            ("lockgate sync --preset g", "gentle"),
            ("lockgate sync --output j", "json"),
            ("lockgate verify --color n", "never"),
            ("lockgate apply --schedule ph", "phased"),
            ("lockgate sync --elements red", "redirections"),
            ("lockgate explain LG-200", "LG-2006"),
            ("lockgate runs replay la", "last"),
            ("lockgate sync --unknown-outcome res", "resend"),
        ] {
            let found = completed(line);
            assert!(found.contains(&wanted.to_owned()), "{line}: {found:?}");
        }
    }

    #[test]
    fn the_file_of_a_graph_is_not_its_form() {
        assert!(completed("lockgate graph --output j").contains(&"json".to_owned()));
        assert!(!completed("lockgate graph --out j").contains(&"json".to_owned()));
    }
}
