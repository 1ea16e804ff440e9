//! A server, a gateway or a folder that means harm: what a run must not do, and must not reveal.

mod answers;
mod bounds;
mod downloads;
mod file_names;
mod foreign;
mod forms;
mod hosts;
mod mappings;
mod markup;
mod mutated;
mod numbers;
pub(crate) mod proxy;
mod rows;
mod secrets;
mod state_files;
mod terminal_names;

use proxy::Proxy;

use crate::binary::{Workspace, end_of};
use crate::support::{fixture, instances, serve};

/// The proxy itself changes nothing, so what the other tests find is due to what they change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_through_a_proxy_that_changes_nothing_is_whole() {
    let server = serve(instances(&fixture("two-locales"))).await;
    let proxy = Proxy::start(&server.base_url(), |_, _| ()).await;
    let workspace = Workspace::new();
    let ended = end_of(workspace.between("sync", proxy.url(), &[])).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    server.stop().await;
}
