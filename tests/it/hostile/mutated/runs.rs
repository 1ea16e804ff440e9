//! Whole runs, in which one answer of the target is changed. The write behind it has taken effect as it was asked for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lockgate::mock::file::StateFile;
use lockgate::store::Store;
use rand::RngExt;

use super::mutate::{draws, mutate};
use super::seeds;
use crate::hostile::Proxy;
use crate::independent;
use crate::support::{SOURCE, Setup, TARGET, fixture, instances, serve};

/// Answers of the target in a run of the fixture that are candidates for a change.
const ANSWERS: usize = 60;

/// Runs that are played at once: they mostly wait.
const AT_ONCE: usize = 6;

/// Lists of the target that are longer than those of the source, which all of it came from.
fn more_than_once(state: &StateFile) -> Vec<String> {
    let find = |guid: &str| state.instances.iter().find(|one| one.guid == guid).unwrap();
    let lists = independent::lists(find(SOURCE))
        .into_iter()
        .zip(independent::lists(find(TARGET)));
    lists
        .filter(|((_, _, here), (_, _, there))| there.len() > here.len())
        .map(|((kind, _, here), (_, _, there))| format!("{} of {} {kind}", there.len(), here.len()))
        .collect()
}

/// A run that calls both instances in sync is compared with what they hold, by `Setup::sync`. The next run, in which no
/// answer is changed, completes what is missing and creates nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_a_changed_answer_claims_no_more_than_there_is() {
    let whole: Vec<bool> = stream::iter(seeds(120))
        .map(play)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let count = whole.iter().filter(|is_whole| **is_whole).count();
    println!("{count} of {} runs were whole", whole.len());
}

/// Plays one seed, and tells whether its run was whole.
async fn play(seed: u64) -> bool {
    let server = serve(instances(&fixture("two-locales"))).await;
    let answers = AtomicUsize::new(0);
    let mut draw = draws(seed);
    let at = draw.random_range(0..ANSWERS);
    let draw = Arc::new(Mutex::new(draw));
    let changed = Arc::new(OnceLock::new());
    let what = Arc::clone(&changed);
    let proxy = Proxy::start(&server.base_url(), move |asked, answer| {
        if asked.is_for(TARGET) && answers.fetch_add(1, Ordering::Relaxed) == at {
            answer.body = mutate(&answer.body, &mut draw.lock().unwrap());
            let body = String::from_utf8_lossy(&answer.body);
            what.get_or_init(|| format!("{} {}: {body:.600}", asked.method, asked.uri));
        }
    })
    .await;
    let mut setup = Setup::impatient(Store::open_in_memory().await.unwrap());
    setup.options.batch_timeout = Duration::from_secs(2);
    setup.request_timeout = Duration::from_secs(5);
    setup.options.attempts = 2;
    let run = tokio::time::timeout(Duration::from_mins(2), setup.sync(proxy.url()));
    let Ok(ran) = run.await else {
        unreachable!("MUTATION={seed} ends: {changed:?}");
    };
    let end = format!("{:?}", ran.report.as_ref().map(|report| &report.end));
    assert!(
        !end.contains("Panic"),
        "MUTATION={seed}: {changed:?}: {end}"
    );
    let next = setup.sync(&server.base_url()).await;
    let twice = more_than_once(&independent::dump(&server.base_url()).await);
    assert!(twice.is_empty(), "MUTATION={seed}: {changed:?}: {twice:?}");
    let is_whole = next.report.as_ref().is_ok_and(|report| {
        report.failed == 0 && report.differences.as_ref().is_some_and(Vec::is_empty)
    });
    let outcomes = next.outcomes();
    assert!(
        is_whole,
        "MUTATION={seed}: {changed:?}: the next run: {outcomes:?}"
    );
    server.stop().await;
    ran.report.as_ref().is_ok_and(|report| report.failed == 0)
}
