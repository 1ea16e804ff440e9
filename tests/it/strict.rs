//! Whole runs against a server that is strict wherever a client can go wrong that knows the usual mock only.

use std::time::Duration;

use lockgate::mock::{self, Rules};

use crate::binary::{Workspace, end_of};
use crate::support::{TARGET, fixture, instances, serve_with};

#[tokio::test]
async fn a_strict_server_is_migrated_to_and_the_second_run_has_nothing_to_do() {
    for name in ["starter-site", "galleries-and-assets", "dynamic-pages"] {
        let options = mock::Options {
            state: instances(&fixture(name)),
            rules: Rules::default().strict(),
            idle: Some(Duration::from_millis(200)),
            ..mock::Options::default()
        };
        let (server, workspace) = (serve_with(options).await, Workspace::new());
        // The look at both instances knows no plain addresses.
        let first = end_of(workspace.sync(&server, &["--json"])).await;
        assert_eq!(first.code, Some(0), "{name}: {}", first.stderr);
        let writes = server.writes(TARGET).len();
        assert!(writes > 5, "{name}");
        let second = end_of(workspace.sync(&server, &["--json"])).await;
        assert_eq!(second.code, Some(0), "{name}: {}", second.stderr);
        assert_eq!(server.writes(TARGET).len(), writes, "{name}");
    }
}
