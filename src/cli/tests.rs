use clap::error::ErrorKind;

use super::*;
use crate::config::{Config, Environment, Inputs, KEYS};

fn parsed(line: &str) -> Result<Arguments, clap::Error> {
    let words = std::iter::once("lockgate").chain(line.split_whitespace());
    let matches = help::command().try_get_matches_from(words)?;
    Arguments::from_arg_matches(&matches)
}

/// The short help, as wide as the terminal that snapshots are read on.
fn help(command: &str) -> String {
    let mut root = help::command().term_width(110);
    root.build();
    let command = match command {
        "" => &mut root,
        name => root.find_subcommand_mut(name).unwrap(),
    };
    let help = command
        .clone()
        .term_width(110)
        .render_long_help()
        .to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    lines.join(
        "
",
    )
}

#[test]
fn the_command_tree_is_sound() {
    help::command().debug_assert();
}

#[test]
fn every_keyed_flag_exists_and_tells_its_variables() {
    let root = help::command();
    let sync = root.find_subcommand("sync").unwrap();
    for info in KEYS {
        let Some(flag) = info.flag else { continue };
        let arg = sync
            .get_arguments()
            .find(|arg| arg.get_long() == flag.strip_prefix("--"));
        let help = arg
            .unwrap_or_else(|| panic!("no {flag}"))
            .get_help()
            .unwrap()
            .to_string();
        for variable in std::iter::once(info.variable).chain(info.official) {
            assert!(help.contains(variable), "{flag}: {help}");
        }
    }
}

#[test]
fn every_command_explains_itself() {
    for command in help::command().get_subcommands() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "the help is that long")]
fn help_teaches() {
    insta::assert_snapshot!(help(""), @r"
    Moves a whole CMS instance into another one.

    Every entity arrives once, with every reference pointing at the counterpart of what it pointed at. A run may
    be interrupted at any moment and started again: nothing is lost, and nothing arrives twice.

    Usage: lockgate <COMMAND>

    Commands:
      sync         Migrates the source into the target and verifies what arrived
      promote      Migrates along a chain of instances, one hop after the other
      retry        Retries the entities that failed or were blocked in the last run
      plan         Shows what a sync would change, and why
      apply        Carries out a plan that `lockgate plan --out` wrote, and nothing else
      verify       Compares the target with the source, entity by entity, and writes nothing
      pull         Reads an instance into a folder: a backup, a state to review in Git, or a source for other
                   commands
      push         Migrates a folder that `lockgate pull` wrote into the target and verifies what arrived
      undo         Reverts a run: deletes what it created and restores what it overwrote
      graph        Shows the dependency graph of a plan, without writing anything to the target
      demo         Shows a migration between two mock instances on this machine; nothing outside this machine is
                   changed
      mock         Runs a local mock of the CMS APIs for dry runs and tests
      init         Asks for the instances and writes lockgate.toml
      login        Signs in with a browser, in place of a personal access token
      logout       Removes logins from this machine
      doctor       Checks the configuration, both instances, the state and this machine, and writes nothing
      config       Shows every setting with its value and where the value comes from
      mappings     Lists, imports, exports, checks and rebuilds the mappings of a pair of instances
      webhooks     Lists the webhooks of a target, and switches on those that a run has left switched off
      state        Copies, checks or exports the state: mappings, runs and their outcomes, and what undo needs
      probe        Finds out how a target behaves, with throw-away things that are deleted at the end
      runs         Lists, shows, replays or attaches to runs
      why          Shows the history of one entity: what was decided, sent and answered, and what waits for it
      explain      Explains an error code: what happened, why, and what to do
      completions  Prints a script that completes commands, flags and their values in a shell
      man          Prints the manual page, or writes one for every command into a directory

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    First steps:
      lockgate demo                a migration between two mock instances, nothing real
      export LOCKGATE_TOKEN=…      a personal access token for both instances; or lockgate login
      lockgate init                writes lockgate.toml with the two instances
      lockgate doctor              checks access, locales, state and this machine
      lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u --dry-run
      lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u

    Exit codes:
      0  nothing failed, nothing owed       4  state locked or damaged
      1  some entities failed or differ     5  conflicts skipped
      2  usage or configuration             6  changes, with plan --detailed-exitcode
      3  an instance unreachable,           70 a bug
         incomplete, or access refused      130 interrupted
    ");
    insta::assert_snapshot!(help("sync"), @r"
    Migrates the source into the target and verifies what arrived

    Reads both instances completely, decides for every entity of the source what has to happen, uploads it, reads
    the target back and compares. Run again, it sends only what has changed since. Nothing on the target is
    deleted without --prune. On a terminal it shows a summary of the plan and asks before it writes.

    Usage: lockgate sync [OPTIONS]

    Options:
      -h, --help
              Print help (see a summary with '-h')

    Instances:
          --source <GUID|NAME|DIR>
              Instance to read from: a GUID, a name in [targets], or a folder that `lockgate pull` wrote (DIR or
              folder:DIR) [env: LOCKGATE_SOURCE, AGILITY_GUID]

          --source-url <URL>
              Base URL of the source's APIs, for mock servers and proxies [env: LOCKGATE_SOURCE_URL]

          --source-token <TOKEN>
              Access token for the source alone [env: LOCKGATE_SOURCE_TOKEN]

          --target <GUID|NAME>
              Instance to write to: a GUID, or a name in [targets]; sync, plan and verify take several [env:
              LOCKGATE_TARGET, AGILITY_TARGET_GUID]

          --target-url <URL>
              Base URL of the target's APIs, for mock servers and proxies [env: LOCKGATE_TARGET_URL]

          --target-token <TOKEN>
              Access token for the target alone [env: LOCKGATE_TARGET_TOKEN]

          --token <TOKEN>
              Access token for all instances; prefer the environment variable [env: LOCKGATE_TOKEN, AGILITY_TOKEN]

          --allow-host <HOST>
              Host that may receive the token although only lockgate.toml or an earlier run names it [env:
              LOCKGATE_ALLOW_HOSTS]

          --allow-http
              Send the token unencrypted where a base URL begins with http:// [env: LOCKGATE_ALLOW_HTTP]

    Selection (dependencies are included automatically):
          --locale <LOCALE>
              Locales [default: all of the source] [env: LOCKGATE_LOCALE, AGILITY_LOCALES]

          --channel <NAME>
              Digital channels, by name [default: all of the source] [env: LOCKGATE_CHANNEL, AGILITY_WEBSITE]

          --channel-map <SOURCE=TARGET>
              Channels that have another name on the target [env: LOCKGATE_CHANNEL_MAP]

          --locale-map <SOURCE=TARGET>
              Locales that have another name on the target [env: LOCKGATE_LOCALE_MAP]

          --elements <KIND>
              Kinds: models, galleries, assets, containers, content, templates, pages, sitemaps, urlredirections
              [env: LOCKGATE_ELEMENTS, AGILITY_ELEMENTS]

          --models <NAME>
              Only these models and the models that they refer to; a name or a glob (Post*), here and below [env:
              LOCKGATE_MODELS, AGILITY_MODELS]

          --models-with-deps <NAME>
              These models with everything around them: containers, content, templates, pages, assets [env:
              LOCKGATE_MODELS_WITH_DEPS]

          --content <ID|NAME>
              Only these content items: ids of the source, containers (articles), or containers and titles
              (articles/Old*) [env: LOCKGATE_CONTENT]

          --pages <ID|PATH>
              Only these pages: ids of the source or paths; /news/** is a page with all below it [env:
              LOCKGATE_PAGES]

          --containers <NAME>
              Only the content of these containers, by reference name [env: LOCKGATE_CONTAINERS]

          --changed-since <DATE>
              Of all that only what was changed since this day (2026-12-19) or moment, as the source says; what it
              needs comes along [env: LOCKGATE_CHANGED_SINCE]

          --changed-by <USER>
              Of all that only what these users changed last, by name (Rosa*) or number, as the source says; what
              it needs comes along [env: LOCKGATE_CHANGED_BY]

    Policy:
          --overwrite
              Overwrite the target when both sides have changed; otherwise such conflicts are left alone and end
              with exit code 5 [env: LOCKGATE_OVERWRITE, AGILITY_OVERWRITE]

          --adopt <EVIDENCE>
              Evidence that makes a content item of the target the counterpart of one of the source where the
              state does not say so: key (equal content, else a unique URL name or title, else the place in a
              list) or equal [default: key] [env: LOCKGATE_ADOPT]

          --create-unmatched
              Create items that were not recognised, although the target holds content that matches nothing on the
              source and the state knows no content of this pair [env: LOCKGATE_CREATE_UNMATCHED]

          --no-official-mappings
              Ignore the mapping folder of the official CLI, agility-files/mappings in the working directory [env:
              LOCKGATE_OFFICIAL_MAPPINGS=false]

          --publish[=<WHAT>]
              Publish on the target what is published on the source: content, pages or both [default: off] [env:
              LOCKGATE_PUBLISH]

          --prune
              Delete on the target what the source no longer has: only what a run created or found equal, what the
              target has not changed since, and what no other entity refers to; the rest is left alone and named
              [env: LOCKGATE_PRUNE]

          --full-read
              Read both instances in full, and nothing on from an earlier reading

          --pause-webhooks
              Switch off the webhooks of the target before the first write, and on again at the end [env:
              LOCKGATE_PAUSE_WEBHOOKS]

          --unknown-outcome <POLICY>
              How to treat writes with an unknown outcome after an interrupted run: report (list them) or resend
              (they are known to be absent) [default: report] [env: LOCKGATE_UNKNOWN_OUTCOME]

          --fail-fast
              Stop at the first failure, after in-flight requests finish [env: LOCKGATE_FAIL_FAST]

          --no-verify
              Skip verification [env: LOCKGATE_VERIFY=false]

      -y, --yes
              Do not ask before writing, as with sync.ask = never

      -n, --dry-run
              Simulate against an in-memory copy of the target; nothing is written [env: LOCKGATE_DRY_RUN]

    Engine:
          --schedule <NAME>
              Scheduling: pipelined (start as soon as dependencies exist) or phased (start when a whole phase is
              complete) [default: pipelined] [env: LOCKGATE_SCHEDULE]

          --concurrency <N>
              Maximum number of concurrent requests [default: 64] [env: LOCKGATE_CONCURRENCY]

          --rate <N>
              Maximum requests per second [default: adaptive] [env: LOCKGATE_RATE]

          --batch-size <N>
              Maximum number of content items per batch, 1 to 250; a run begins with 50 [default: 250] [env:
              LOCKGATE_BATCH_SIZE]

          --asset-batch-files <N>
              Files per asset upload, 1 to 100 [default: 20] [env: LOCKGATE_ASSETS_BATCH_FILES]

          --asset-batch-bytes <N>
              Bytes of all files per asset upload; a larger file is uploaded alone [default: 8388608] [env:
              LOCKGATE_ASSETS_BATCH_BYTES]

          --timeout <SECONDS>
              Seconds until a request must be answered [default: 60] [env: LOCKGATE_TIMEOUT]

    Output:
          --output <MODE>
              auto, tui (dashboard), plain (lines) or json (one event per line) [default: auto] [env:
              LOCKGATE_OUTPUT]

          --json
              JSON, like --output json

          --no-tui
              Lines instead of the dashboard, like --output plain

          --color <WHEN>
              auto, always or never [default: auto] [env: LOCKGATE_COLOR]

      -q, --quiet
              Show failures and the result only [env: LOCKGATE_QUIET]

      -v, --verbose
              Show every entity [env: LOCKGATE_VERBOSE]

          --junit <FILE>
              File that gets the result as JUnit XML [env: LOCKGATE_JUNIT]

    Configuration:
          --config <FILE>
              Configuration file [default: lockgate.toml, if there is one] [env: LOCKGATE_CONFIG]

          --preset <NAME>
              Named set of defaults: ci or gentle [env: LOCKGATE_PRESET]

          --state <URL>
              State database with ID mappings and run history: a path, sqlite:PATH or a PostgreSQL URL [default:
              sqlite:.lockgate/state.db] [env: LOCKGATE_STATE]

          --blobs <URL>
              Where files of assets that runs replace are kept for undo: a path, or the URL of an S3 bucket [env:
              LOCKGATE_BLOBS]

          --run-dir <DIR>
              Directory for the reports of runs [default: .lockgate/runs] [env: LOCKGATE_RUN_DIR]

    Examples:
      lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u --dry-run
          shows every action with its reason; nothing real is written
      lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u
          migrates everything
      lockgate sync --target qa --target prod
          migrates into two targets of [targets] in lockgate.toml, side by side; the source is read once
      lockgate sync --source 1a2b3c4d-u --target 5e6f7a8b-u --models-with-deps Post --locale en-us
          migrates one model with its content, its pages and all they need, in one locale
      LOCKGATE_PRESET=ci lockgate sync --yes --output json
          for CI; instances come from lockgate.toml or the environment
    ");
    insta::assert_snapshot!(help("undo"), @r"
    Reverts a run: deletes what it created and restores what it overwrote

    What was changed on the target since is listed and left alone, and so is what it still needs. What existed
    before the run is never deleted. The plan is shown first; an undo that was interrupted goes on when it is
    started again. Webhooks of the target fire for what it writes, as for a run; --pause-webhooks switches them
    off meanwhile.

    Usage: lockgate undo [OPTIONS] <RUN>

    Arguments:
      <RUN>
              Run to undo, as `lockgate runs` names it; `last` is the most recent run that is not itself an undo

    Options:
      -h, --help
              Print help (see a summary with '-h')

    Policy:
      -n, --dry-run
              Show what would happen, and do nothing [env: LOCKGATE_DRY_RUN]

      -y, --yes
              Do not ask

          --changed-too
              Undo also what was changed on the target since the run

          --pause-webhooks
              Switch off the webhooks of the target before the first write, and on again at the end [env:
              LOCKGATE_PAUSE_WEBHOOKS]

          --no-verify
              Skip verification [env: LOCKGATE_VERIFY=false]

    Instances:
          --source <GUID|NAME|DIR>
              Instance to read from: a GUID, a name in [targets], or a folder that `lockgate pull` wrote (DIR or
              folder:DIR) [env: LOCKGATE_SOURCE, AGILITY_GUID]

          --source-url <URL>
              Base URL of the source's APIs, for mock servers and proxies [env: LOCKGATE_SOURCE_URL]

          --source-token <TOKEN>
              Access token for the source alone [env: LOCKGATE_SOURCE_TOKEN]

          --target <GUID|NAME>
              Instance to write to: a GUID, or a name in [targets]; sync, plan and verify take several [env:
              LOCKGATE_TARGET, AGILITY_TARGET_GUID]

          --target-url <URL>
              Base URL of the target's APIs, for mock servers and proxies [env: LOCKGATE_TARGET_URL]

          --target-token <TOKEN>
              Access token for the target alone [env: LOCKGATE_TARGET_TOKEN]

          --token <TOKEN>
              Access token for all instances; prefer the environment variable [env: LOCKGATE_TOKEN, AGILITY_TOKEN]

          --allow-host <HOST>
              Host that may receive the token although only lockgate.toml or an earlier run names it [env:
              LOCKGATE_ALLOW_HOSTS]

          --allow-http
              Send the token unencrypted where a base URL begins with http:// [env: LOCKGATE_ALLOW_HTTP]

    Engine:
          --schedule <NAME>
              Scheduling: pipelined (start as soon as dependencies exist) or phased (start when a whole phase is
              complete) [default: pipelined] [env: LOCKGATE_SCHEDULE]

          --concurrency <N>
              Maximum number of concurrent requests [default: 64] [env: LOCKGATE_CONCURRENCY]

          --rate <N>
              Maximum requests per second [default: adaptive] [env: LOCKGATE_RATE]

          --batch-size <N>
              Maximum number of content items per batch, 1 to 250; a run begins with 50 [default: 250] [env:
              LOCKGATE_BATCH_SIZE]

          --asset-batch-files <N>
              Files per asset upload, 1 to 100 [default: 20] [env: LOCKGATE_ASSETS_BATCH_FILES]

          --asset-batch-bytes <N>
              Bytes of all files per asset upload; a larger file is uploaded alone [default: 8388608] [env:
              LOCKGATE_ASSETS_BATCH_BYTES]

          --timeout <SECONDS>
              Seconds until a request must be answered [default: 60] [env: LOCKGATE_TIMEOUT]

    Output:
          --output <MODE>
              auto, tui (dashboard), plain (lines) or json (one event per line) [default: auto] [env:
              LOCKGATE_OUTPUT]

          --json
              JSON, like --output json

          --no-tui
              Lines instead of the dashboard, like --output plain

          --color <WHEN>
              auto, always or never [default: auto] [env: LOCKGATE_COLOR]

      -q, --quiet
              Show failures and the result only [env: LOCKGATE_QUIET]

      -v, --verbose
              Show every entity [env: LOCKGATE_VERBOSE]

          --junit <FILE>
              File that gets the result as JUnit XML [env: LOCKGATE_JUNIT]

    Configuration:
          --config <FILE>
              Configuration file [default: lockgate.toml, if there is one] [env: LOCKGATE_CONFIG]

          --preset <NAME>
              Named set of defaults: ci or gentle [env: LOCKGATE_PRESET]

          --state <URL>
              State database with ID mappings and run history: a path, sqlite:PATH or a PostgreSQL URL [default:
              sqlite:.lockgate/state.db] [env: LOCKGATE_STATE]

          --blobs <URL>
              Where files of assets that runs replace are kept for undo: a path, or the URL of an S3 bucket [env:
              LOCKGATE_BLOBS]

          --run-dir <DIR>
              Directory for the reports of runs [default: .lockgate/runs] [env: LOCKGATE_RUN_DIR]

    Examples:
      lockgate undo last --dry-run
          shows what would be deleted, restored and left alone
      lockgate undo 20260315-101500-3f2a
          the same, then asks, then does it
      lockgate undo last --yes --changed-too
          in a pipeline; what was changed since the run is undone as well

    The instances and their URLs default to those of the run; tokens are read as for `lockgate sync`.
    ");
    insta::assert_snapshot!(help("runs"), @r"
    Lists, shows, replays or attaches to runs

    Usage: lockgate runs [OPTIONS] [RUN]
           lockgate runs <COMMAND>

    Commands:
      show    Shows a run as it was shown at its end
      replay  Replays a past run in the dashboard or as log lines
      attach  Follows the run in progress, such as one in a pipeline or in another terminal

    Arguments:
      [RUN]
              Show this run with what failed in it; `last` is the latest one

    Options:
          --limit <N>
              How many runs to list

              [default: 20]

      -h, --help
              Print help

    Output:
          --output <MODE>
              auto, tui (dashboard), plain (lines) or json (one event per line) [default: auto] [env:
              LOCKGATE_OUTPUT]

          --json
              JSON, like --output json

          --no-tui
              Lines instead of the dashboard, like --output plain

          --color <WHEN>
              auto, always or never [default: auto] [env: LOCKGATE_COLOR]

      -q, --quiet
              Show failures and the result only [env: LOCKGATE_QUIET]

      -v, --verbose
              Show every entity [env: LOCKGATE_VERBOSE]

          --junit <FILE>
              File that gets the result as JUnit XML [env: LOCKGATE_JUNIT]

    Configuration:
          --config <FILE>
              Configuration file [default: lockgate.toml, if there is one] [env: LOCKGATE_CONFIG]

          --preset <NAME>
              Named set of defaults: ci or gentle [env: LOCKGATE_PRESET]

          --state <URL>
              State database with ID mappings and run history: a path, sqlite:PATH or a PostgreSQL URL [default:
              sqlite:.lockgate/state.db] [env: LOCKGATE_STATE]

          --blobs <URL>
              Where files of assets that runs replace are kept for undo: a path, or the URL of an S3 bucket [env:
              LOCKGATE_BLOBS]

          --run-dir <DIR>
              Directory for the reports of runs [default: .lockgate/runs] [env: LOCKGATE_RUN_DIR]

    Examples:
      lockgate runs
      lockgate runs last                   what the latest run said at its end
      lockgate runs show 20260315-101500-3f2a
      lockgate runs replay last --speed 10
      lockgate runs attach                 follows the run that goes on in another terminal
    ");
}

#[test]
fn every_command_that_prints_data_takes_json() {
    for line in [
        "sync",
        "retry",
        "plan",
        "apply release.plan",
        "pull --source 1a2b3c4d-u",
        "push",
        "verify",
        "undo last",
        "graph",
        "demo",
        "config",
        "runs",
        "runs last",
        "runs show",
        "runs replay",
        "runs attach",
        "why model:1",
        "explain",
        "explain 2006",
    ] {
        assert!(parsed(&format!("{line} --json")).is_ok(), "{line}");
    }
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    for line in ["sync --quiet --verbose", "sync --json --output plain"] {
        assert_eq!(
            parsed(line).unwrap_err().kind(),
            ErrorKind::ArgumentConflict,
            "{line}"
        );
    }
}

#[test]
fn the_version_names_the_build() {
    let version = parsed("--version").unwrap_err().to_string();
    let named = concat!("lockgate ", env!("CARGO_PKG_VERSION"), " (");
    assert!(version.starts_with(named), "{version}");
}

#[test]
fn publish_takes_its_value_with_an_equals_sign_only() {
    assert!(parsed("sync --publish").is_ok());
    assert!(parsed("sync --publish=pages").is_ok());
    assert_eq!(
        parsed("sync --publish pages").unwrap_err().kind(),
        ErrorKind::UnknownArgument
    );
}

#[test]
fn the_command_line_is_the_strongest_layer() {
    let Command::Sync(args) = parsed(
        "sync --rate 3 --locale en-us,fr-ca --locale de-de --no-verify --publish --no-tui -v",
    )
    .unwrap()
    .command
    else {
        panic!("sync is parsed as something else");
    };
    let inputs = Inputs {
        directory: "no-such-directory".into(),
        environment: Environment::default(),
        file: None,
        preset: None,
        given: args.collect().given(),
    };
    let rows = Config::load(&inputs).unwrap().rows();
    let shown = |key| {
        let row = rows.iter().find(|row| row.key == key).unwrap();
        format!(
            "{} ({})",
            row.value.as_deref().unwrap(),
            row.origin.as_deref().unwrap()
        )
    };
    assert_eq!(shown("pace.per_second_max"), "\"3\" (flag --rate)");
    assert_eq!(
        shown("sync.locales"),
        "[\"en-us\", \"fr-ca\", \"de-de\"] (flag --locale)"
    );
    assert_eq!(shown("sync.verify"), "false (flag --no-verify)");
    assert_eq!(shown("sync.publish"), "\"both\" (flag --publish)");
    assert_eq!(shown("output.mode"), "\"plain\" (flag --output)");
    assert_eq!(shown("output.verbose"), "true (flag --verbose)");
    assert_eq!(shown("batch.size"), "250 (default)");
}

#[test]
fn usage_errors_and_help_end_differently() {
    let status = |line: &str| {
        let words = std::iter::once("lockgate").chain(line.split_whitespace());
        parse(words.map(OsString::from)).map(|_| ()).unwrap_err()
    };
    assert_eq!(status("--version"), ExitStatus::Agreed);
    assert_eq!(status("sync --help"), ExitStatus::Agreed);
    assert_eq!(status("snyc"), ExitStatus::Usage);
    assert_eq!(status("sync --sauce 1a2b3c4d-u"), ExitStatus::Usage);
    assert_eq!(status(""), ExitStatus::Usage);
}
