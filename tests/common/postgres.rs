//! A `PostgreSQL` server for tests: the one that `LOCKGATE_TEST_POSTGRES` names, or one that `tests/postgres.sh` starts for the test
//! binary. Each test has a schema of its own. Where there is no server the test says so and proves nothing; in a pipeline (`CI`)
//! that is a failure.

use std::io::Write as _;
use std::process::Child;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The server, and what keeps it running: it ends with its standard input, and so with the process of the tests.
struct Server {
    url: String,
    _runs: Option<Child>,
}

fn named() -> Option<String> {
    std::env::var_os("LOCKGATE_TEST_POSTGRES")?
        .into_string()
        .ok()
}

static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| {
    if let Some(url) = named() {
        return Some(Server { url, _runs: None });
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres.sh");
    let (url, child) = super::script::start(script)?;
    (!url.is_empty()).then_some(Server {
        url,
        _runs: Some(child),
    })
});

static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// The URL of a state that does not exist yet; `None` where there is no server.
pub(crate) fn fresh() -> Option<String> {
    let Some(server) = &*SERVER else {
        let is_pipeline = std::env::var_os("CI").is_some();
        assert!(
            !is_pipeline,
            "PostgreSQL is needed here, and is not installed"
        );
        let mut screen = std::io::stderr();
        writeln!(screen, "skipped: there is no PostgreSQL here").unwrap();
        return None;
    };
    let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    let sign = if server.url.contains('?') { '&' } else { '?' };
    let process = std::process::id();
    Some(format!(
        "{}{sign}schema=test_{process}_{number}",
        server.url
    ))
}
