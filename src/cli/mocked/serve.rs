//! `lockgate mock serve`: the mock server as a command.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::domain::read_file;
use crate::mock::file::{InstanceFile, SCHEMA, StateFile};
use crate::mock::{
    AssetUrls, BatchWork, FailedUpdates, Fault, FileDigests, Links, Names, Options, Profile,
    RateChange, RateLimitKind, Refuses, Rules, Server, Stall, StartError,
};

/// Serves a mock Management API and Fetch API on a local port.
///
/// Point a run at it with `--source-url` or `--target-url`. Any token is accepted unless `--token` is given.
/// State, log, reset and faults are under `/_mock/state`, `/_mock/requests`, `/_mock/reset` and `/_mock/faults` (PUT a JSON
/// list of faults as `--fault` takes them; an empty one ends them). `/_mock/blank-fields` lists the selections that the vendor's
/// editor would show empty, because they name a list in another case than its own: no read shows that. It plays the sign-in of
/// `lockgate login` as well, without a question; POST to `/_mock/sign-ins/revoke` ends every login.
#[derive(Clone, Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch on the command line"
)]
pub struct ServeArgs {
    /// Address to listen on; use port 0 for any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// State file with the instances to play; may be given several times
    #[arg(long, value_name = "FILE")]
    pub state: Vec<PathBuf>,
    /// Empty instance to play, such as 5e6f7a8b-u:en-us,fr-ca; without locales it has en-us
    #[arg(long, value_name = "GUID[:LOCALES]")]
    pub instance: Vec<String>,
    /// Token to accept; may be given several times. Without it any token is accepted
    #[arg(
        long,
        value_name = "TOKEN",
        env = "LOCKGATE_MOCK_TOKEN",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub token: Vec<String>,
    /// Time that an access token of a sign-in (`lockgate login`) is valid; each refresh token is good for one use
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub token_lifetime: u64,
    /// Refuse every sign-in
    #[arg(long)]
    pub deny_sign_in: bool,
    /// Server of a known character: serial-item, parallel-instant, serial-batch-500, parallel-batch-2000, stalling,
    /// limited-bucket or limited-window; other flags change single values of it
    #[arg(long, value_name = "NAME")]
    pub profile: Option<Profile>,
    /// Batches that an instance works on at one time, or unlimited [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = workers)]
    pub batch_workers: Option<Workers>,
    /// Time that a batch takes before its first item [default: 0]
    #[arg(long, value_name = "MILLISECONDS")]
    pub batch_ms: Option<u64>,
    /// Time that a batch takes for each item [default: 0]
    #[arg(long, value_name = "MILLISECONDS")]
    pub item_ms: Option<u64>,
    /// Share of batches that take longer, and by how much, such as 0.02,5000
    #[arg(long, value_name = "SHARE,MILLISECONDS")]
    pub batch_stall: Option<Stall>,
    /// Time for which lists lack what was made
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub read_lag_ms: u64,
    /// Time after the last write until the Content Fetch API shows it; until then it shows the instance as it was
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pub fetch_lag_ms: u64,
    /// Time that each request waits before it is handled
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pub latency_ms: u64,
    /// Maximum random jitter added to the latency
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pub jitter_ms: u64,
    /// Requests per second and token; beyond it the answer is 429
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate_limit: Option<u32>,
    /// How requests are counted against the limit: sliding (the last second), fixed (each full second) or bucket:BURST
    /// [default: sliding]
    #[arg(long, value_name = "KIND")]
    pub rate_limit_kind: Option<RateLimitKind>,
    /// Send the limit with every answer: X-RateLimit-Limit, -Remaining and -Reset
    #[arg(long)]
    pub rate_limit_headers: bool,
    /// Another limit from some seconds after the start on, such as 20:5; may be given several times
    #[arg(long, value_name = "SECONDS:REQUESTS", value_parser = rate_change)]
    pub rate_limit_after: Vec<RateChange>,
    /// Leave out Retry-After when the rate is exceeded
    #[arg(long)]
    pub rate_limit_silent: bool,
    /// File to append each request to, as one line of JSON
    #[arg(long, value_name = "FILE")]
    pub request_log: Option<PathBuf>,
    /// Which names stand for one thing: usual, exact, folded (case and Unicode form) or loose (accents, too)
    #[arg(
        long,
        value_name = "RULE",
        default_value = "usual",
        hide_default_value = true
    )]
    pub names: Names,
    /// Take a create under a name that is in use for a save over what has it, instead of refusing it
    #[arg(long)]
    pub replace_taken: bool,
    /// What answers with files say of their bytes in Content-MD5: right, none or wrong
    #[arg(
        long,
        value_name = "KIND",
        default_value = "right",
        hide_default_value = true
    )]
    pub file_digests: FileDigests,
    /// In which form a selection of one item is kept: scalar (the id as text), object, or name (of the list, beside a value field)
    #[arg(
        long,
        value_name = "FORM",
        default_value = "scalar",
        hide_default_value = true
    )]
    pub links: Links,
    /// Give a file that is uploaded over another one another id
    #[arg(long)]
    pub new_media_ids: bool,
    /// Make the companion fields that a model asks for with CREATENEW, and name them in its settings
    #[arg(long)]
    pub make_companions: bool,
    /// Behave as far from a forgiving server as the vendor's may: all of --refuse, plain addresses of files, no id for a failed
    /// update, rows for folders, errors in exceptionMessage, nodes for dynamic pages without items, and connections that
    /// close after 5 s without a request
    #[arg(long)]
    pub strict: bool,
    /// References to what does not exist that are refused although no description says so: a comma list of galleries,
    /// default-modules, sort-ids and zones
    #[arg(long, value_name = "LIST")]
    pub refuse: Option<Refuses>,
    /// Addresses of files: split (origin and cdn differ in their first segment) or plain (HOST/CONTAINER/KEY for both) [default: split]
    #[arg(long, value_name = "FORM")]
    pub asset_urls: Option<AssetUrls>,
    /// itemID of an update that failed in a batch: id (of the item) or nothing (-1, with itemNull) [default: id]
    #[arg(long, value_name = "WHAT")]
    pub failed_updates: Option<FailedUpdates>,
    /// Make a row for each folder of an upload, which the list of assets has, too
    #[arg(long)]
    pub folder_rows: bool,
    /// Say what is wrong in exceptionMessage, where the vendor's CLI looks first
    #[arg(long)]
    pub exception_messages: bool,
    /// Show dynamic pages without items in the sitemaps of the Content Fetch API
    #[arg(long)]
    pub empty_dynamic_pages: bool,
    /// Time after which a connection without a request is closed [default: never]
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_ms: Option<u64>,
    /// Scripted fault, such as status=503,path=/item/multi,nth=2; may be given several times
    ///
    /// One action, and any of the conditions method=, path= (a part of it), text= (a part of the body), nth=, every=, from=, rate= (0 to 1)
    /// and count=.
    ///
    /// Answers: status=CODE without an effect (also retry-after= and, last, body=), status-after=CODE after it, html (a 502
    /// page), truncated-json, slow-body=MS, hang. Connections: reset=before the effect, reset=after it, reset=during the body
    /// of the answer, which cuts a download; refuse=MS closes
    /// the port for that long and cuts them all. Files: short-file; status=404,path=/origin simulates a missing file. Batches:
    /// fail-batch as a whole, fail-item=N refuses its nth item, stick-batch=before or after its effect, drop-result, reorder-results. Lists: stale-list lacks
    /// what was made in the last two seconds; busy is a feed that is being rebuilt. status=401,from=40 is a token that expires.
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<Fault>,
    /// Random seed for jitter and fault rates
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// File to write the state to when the server stops
    #[arg(long, value_name = "FILE")]
    pub save_state: Option<PathBuf>,
}

/// Why `mock serve` ended otherwise than by being stopped.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A state file cannot be read.
    #[error("cannot read the state file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A state file is not one.
    #[error("{} is not a state file", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address cannot be reported.
    #[error("cannot write to the output")]
    Output(#[source] io::Error),
    /// The state cannot be saved.
    #[error("cannot save the state to {}", path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Serves until `stop` completes. Writes the address to `out` in one line, `listening on http://…`, once
/// requests are taken.
///
/// # Errors
/// A state file, the address or the request log cannot be used, or the state cannot be saved at the end.
pub async fn serve(
    args: ServeArgs,
    out: &mut impl Write,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let save = args.save_state.clone();
    let server = Server::start(options(args)?).await?;
    writeln!(out, "listening on {}", server.base_url())
        .and_then(|()| out.flush())
        .map_err(ServeError::Output)?;
    stop.await;
    let state = save.as_ref().map(|_| server.state());
    server.stop().await;
    match (save, state) {
        (Some(path), Some(state)) => {
            write_state(&path, &state).map_err(|source| ServeError::Save { path, source })
        }
        _ => Ok(()),
    }
}

/// `20:5`: 5 requests per second from 20 seconds after the start on.
fn rate_change(text: &str) -> Result<RateChange, String> {
    let parts = text.split_once(':').and_then(|(seconds, limit)| {
        let after = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
        let per_second = limit.parse().ok().filter(|limit| *limit > 0)?;
        Some(RateChange { after, per_second })
    });
    parts.ok_or_else(|| "expected seconds and requests per second, such as 20:5".to_owned())
}

/// A number of workers; `None` is one for each batch.
type Workers = Option<u32>;

fn workers(text: &str) -> Result<Workers, String> {
    match text.parse() {
        _ if text == "unlimited" => Ok(None),
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err("expected a number above 0 or unlimited".to_owned()),
    }
}

/// The work of the profile with single values changed.
fn batches(args: &ServeArgs) -> BatchWork {
    let usual = args.profile.map_or_else(BatchWork::default, Profile::work);
    let time = |ms: Option<u64>, usual| ms.map_or(usual, Duration::from_millis);
    BatchWork {
        workers: args.batch_workers.unwrap_or(usual.workers),
        batch_time: time(args.batch_ms, usual.batch_time),
        item_time: time(args.item_ms, usual.item_time),
        stall: args.batch_stall.or(usual.stall),
    }
}

/// After how long a strict server closes a connection without requests.
const STRICT_IDLE: Duration = Duration::from_secs(5);

fn idle(args: &ServeArgs) -> Option<Duration> {
    let given = args.idle_ms.map(Duration::from_millis);
    given.or(args.strict.then_some(STRICT_IDLE))
}

/// Those of a strict server where that is asked for, with single ones changed.
fn rules(args: &ServeArgs) -> Rules {
    let usual = if args.strict {
        Rules::default().strict()
    } else {
        Rules::default()
    };
    Rules {
        names: args.names,
        replaces: args.replace_taken,
        digests: args.file_digests,
        links: args.links,
        new_media_ids: args.new_media_ids,
        makes_companions: args.make_companions,
        refuses: args.refuse.unwrap_or(usual.refuses),
        asset_urls: args.asset_urls.unwrap_or(usual.asset_urls),
        failed_updates: args.failed_updates.unwrap_or(usual.failed_updates),
        folder_rows: args.folder_rows || usual.folder_rows,
        exception_messages: args.exception_messages || usual.exception_messages,
        empty_dynamic_pages: args.empty_dynamic_pages || usual.empty_dynamic_pages,
    }
}

fn options(args: ServeArgs) -> Result<Options, ServeError> {
    let mut state = StateFile {
        schema: SCHEMA,
        instances: Vec::new(),
    };
    for path in &args.state {
        let file = read_state(path)?;
        state.schema = state.schema.max(file.schema);
        state.instances.extend(file.instances);
    }
    state
        .instances
        .extend(args.instance.iter().map(|text| empty_instance(text)));
    let limit = args.profile.and_then(Profile::limit);
    let batches = batches(&args);
    let (idle, rules) = (idle(&args), rules(&args));
    Ok(Options {
        listen: args.listen,
        state,
        tokens: args.token,
        token_lifetime: Duration::from_secs(args.token_lifetime),
        denies_sign_in: args.deny_sign_in,
        batches,
        read_lag: Duration::from_millis(args.read_lag_ms),
        fetch_lag: Duration::from_millis(args.fetch_lag_ms),
        latency: Duration::from_millis(args.latency_ms),
        jitter: Duration::from_millis(args.jitter_ms),
        rate_limit: args.rate_limit.or(limit.map(|(limit, _)| limit)),
        rate_limit_kind: args
            .rate_limit_kind
            .or(limit.map(|(_, kind)| kind))
            .unwrap_or_default(),
        rate_limit_headers: args.rate_limit_headers,
        rate_limit_changes: args.rate_limit_after,
        rate_limit_silent: args.rate_limit_silent,
        request_log: args.request_log,
        seed: args.seed,
        idle,
        rules,
        faults: args.fault,
    })
}

fn read_state(path: &Path) -> Result<StateFile, ServeError> {
    let bytes = read_file(path).map_err(|source| ServeError::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|source| ServeError::Parse {
        path: path.to_owned(),
        source,
    })
}

/// The file appears whole or not at all.
fn write_state(path: &Path, state: &StateFile) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(io::BufWriter::new(&mut file), state)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn empty_instance(text: &str) -> InstanceFile {
    let (guid, locales) = text.split_once(':').unwrap_or((text, "en-us"));
    let locales = locales
        .split(',')
        .map(|code| code.trim().to_owned())
        .filter(|code| !code.is_empty())
        .collect();
    InstanceFile {
        guid: guid.to_owned(),
        locales,
        ..InstanceFile::default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn args(line: &[&str]) -> Result<ServeArgs, clap::Error> {
        let command = ServeArgs::augment_args(Command::new("serve"));
        let matches = command.try_get_matches_from([&["serve"], line].concat())?;
        ServeArgs::from_arg_matches(&matches)
    }

    #[tokio::test]
    async fn it_tells_its_address_and_saves_its_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let line = [
            "--instance",
            "5e6f7a8b-u:en-us, fr-ca",
            "--save-state",
            path.to_str().unwrap(),
        ];
        let mut out = Vec::new();
        serve(args(&line).unwrap(), &mut out, async {})
            .await
            .unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(
            said.starts_with("listening on http://127.0.0.1:") && said.ends_with('\n'),
            "{said}"
        );
        let state = read_state(&path).unwrap();
        assert_eq!(state.instances[0].locales, ["en-us", "fr-ca"]);
        let again = args(&[
            "--state",
            path.to_str().unwrap(),
            "--instance",
            "5E6F7A8B-u",
        ])
        .unwrap();
        let twice = serve(again, &mut Vec::new(), async {}).await.unwrap_err();
        assert!(matches!(twice, ServeError::Start(_)), "{twice}");
    }

    #[test]
    fn bad_flags_are_refused_with_a_reason() {
        let error = |line: &[&str]| args(line).unwrap_err().to_string();
        assert!(error(&["--fault", "hang,colour=red"]).contains("unknown key `colour`"));
        assert!(error(&["--rate-limit-after", "20"]).contains("such as 20:5"));
        let changed = args(&["--rate-limit-after", "1.5:5"]).unwrap();
        assert_eq!(changed.rate_limit_after[0].after.as_millis(), 1500);
        assert!(error(&["--rate-limit", "0"]).contains("0 is not in 1.."));
        assert!(error(&["--batch-workers", "0"]).contains("or unlimited"));
    }

    #[test]
    fn a_profile_is_a_start_and_flags_change_single_values() {
        let line = ["--profile", "stalling", "--batch-ms", "7"];
        let work = batches(&args(&line).unwrap());
        let expected = BatchWork {
            batch_time: Duration::from_millis(7),
            ..Profile::Stalling.work()
        };
        assert_eq!(work, expected);
        let line = [
            "--profile",
            "limited-bucket",
            "--batch-workers",
            "unlimited",
            "--rate-limit",
            "9",
        ];
        let options = options(args(&line).unwrap()).unwrap();
        assert_eq!(
            (options.batches.workers, options.rate_limit),
            (None, Some(9))
        );
        assert_eq!(options.rate_limit_kind, RateLimitKind::Bucket { burst: 60 });
    }

    #[test]
    fn strict_turns_everything_on_and_flags_change_single_values() {
        let of = |line: &[&str]| options(args(line).unwrap()).unwrap();
        let usual = of(&[]);
        assert_eq!((usual.rules, usual.idle), (Rules::default(), None));
        let strict = of(&["--strict"]);
        assert_eq!(strict.rules, Rules::default().strict());
        assert_eq!(strict.idle, Some(STRICT_IDLE));
        let some = of(&[
            "--strict",
            "--refuse",
            "zones,galleries",
            "--asset-urls",
            "split",
            "--idle-ms",
            "9",
        ]);
        assert!(some.rules.refuses.zones && !some.rules.refuses.sort_ids);
        assert_eq!(some.rules.asset_urls, AssetUrls::Split);
        assert_eq!(some.idle, Some(Duration::from_millis(9)));
        let error = args(&["--refuse", "zones,pages"]).unwrap_err().to_string();
        assert!(error.contains("default-modules"), "{error}");
    }

    #[tokio::test]
    async fn a_broken_state_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let line = ["--state", path.to_str().unwrap()];
        let missing = serve(args(&line).unwrap(), &mut Vec::new(), async {})
            .await
            .unwrap_err();
        assert!(missing.to_string().contains("state.json"), "{missing}");
        fs::write(&path, "{").unwrap();
        let broken = serve(args(&line).unwrap(), &mut Vec::new(), async {})
            .await
            .unwrap_err();
        assert!(matches!(broken, ServeError::Parse { .. }), "{broken}");
    }
}
