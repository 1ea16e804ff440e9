//! Pages go into the channel of the same name, or nowhere; and what is certain to fail or in conflict shows in the exit
//! code of a plan as in that of a run.

use lockgate::mock::file::{ChannelFile, StateFile};
use serde_json::Value;

use crate::binary::{Workspace, end_of, events_in};
use crate::support::{TARGET, fixture, instances, put_state, serve};

fn channel(id: i64, name: &str) -> ChannelFile {
    ChannelFile {
        id,
        name: name.to_owned(),
    }
}

/// The starter site and an empty target with other channels.
fn with_channels(channels: &[(i64, &str)]) -> StateFile {
    let mut state = instances(&fixture("starter-site"));
    state.instances[1].channels = channels
        .iter()
        .map(|(id, name)| channel(*id, name))
        .collect();
    state
}

fn pages(state: &StateFile) -> usize {
    state.instances[1].pages.len()
}

/// Everything that became of pages, without repetition.
fn ends_of_pages(events: &[Value]) -> Vec<(String, String)> {
    let is_page = |event: &&Value| {
        event["type"] == "entity-settled"
            && event["key"]
                .as_str()
                .is_some_and(|key| key.starts_with("page"))
    };
    let text = |event: &Value, member: &str| event[member].as_str().unwrap_or_default().to_owned();
    let mut ends: Vec<_> = events
        .iter()
        .filter(is_page)
        .map(|event| (text(event, "outcome"), text(event, "because")))
        .collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_channel_that_the_target_lacks_fail_and_are_put_nowhere() {
    for channels in [&[(4, "Main")][..], &[(4, "Main"), (5, "Shop")]] {
        let server = serve(with_channels(channels)).await;
        let workspace = Workspace::new();
        let planned = end_of(workspace.between("plan", &server.base_url(), &[])).await;
        assert_eq!(planned.code, Some(1), "{}", planned.stderr);
        let foretold = end_of(workspace.sync(&server, &["--dry-run", "--no-tui"])).await;
        assert_eq!(foretold.code, Some(1), "{}", foretold.stderr);
        let real = Workspace::new();
        let done = end_of(real.sync(&server, &["--no-tui"])).await;
        assert_eq!(done.code, Some(1), "{}", done.stderr);
        assert_eq!(pages(&server.state()), 0);
        let ends = ends_of_pages(&events_in(&real.run_folder()));
        let [(outcome, because)] = &ends[..] else {
            panic!("{ends:?}");
        };
        assert_eq!(outcome, "failed");
        for word in ["\"Website\"", "\"Main\"", "--channel-map Website="] {
            assert!(because.contains(word), "{word}: {because}");
        }
        assert!(
            planned.stdout.contains(because.as_str()),
            "{}",
            planned.stdout
        );
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_of_another_name_is_taken_when_the_user_says_so() {
    let server = serve(with_channels(&[(4, "Main"), (5, "Shop")])).await;
    let workspace = Workspace::new();
    for args in [
        &["--no-tui", "--channel-map", "website=SHOP"][..],
        &["--no-tui", "--channel-map", "website=SHOP", "--dry-run"],
    ] {
        let done = end_of(workspace.sync(&server, args)).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    let state = server.state();
    let placed = |id: i64| {
        let pages = state.instances[1].pages.iter();
        pages.filter(|page| page["channelID"] == id).count()
    };
    assert_eq!((placed(4), placed(5)), (0, state.instances[0].pages.len()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_found_whatever_the_case_of_its_name() {
    let server = serve(with_channels(&[(4, "Main"), (5, "webSITE")])).await;
    let done = end_of(Workspace::new().sync(&server, &["--no-tui"])).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let pages = &server.state().instances[1].pages;
    assert!(!pages.is_empty() && pages.iter().all(|page| page["channelID"] == 5));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_map_that_names_nothing_is_an_error() {
    let server = serve(with_channels(&[(4, "Main")])).await;
    for (map, words) in [
        ("Websit=Main", "the source has no channel called \"Websit\""),
        ("Website=Mian", "the target has no channel called \"Mian\""),
        ("Website", "SOURCE=TARGET"),
        ("Website=", "SOURCE=TARGET"),
        ("", "empty"),
    ] {
        let ended = end_of(Workspace::new().sync(&server, &["--channel-map", map])).await;
        assert_eq!(ended.code, Some(2), "{map}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{map}: {}", ended.stderr);
        assert!(ended.stderr.contains("help: "), "{map}: {}", ended.stderr);
    }
    assert!(server.writes(TARGET).is_empty());
    server.stop().await;
}

/// The label of the first item of an instance that has one.
fn first_label(state: &StateFile, instance: usize) -> String {
    let items = &state.instances[instance].content;
    let mut english = items.iter().filter(|item| item["locale"] == "en-us");
    let label = english.find_map(|item| item["fields"]["Label"].as_str());
    label.unwrap().to_owned()
}

/// Changes the label of an item of an instance, where it stands by its present one: both instances have their own order.
fn retitle(state: &mut StateFile, instance: usize, (old, new): (&str, &str)) {
    let items = &mut state.instances[instance].content;
    let mut english = items.iter_mut().filter(|item| item["locale"] == "en-us");
    let item = english.find(|item| item["fields"]["Label"] == old);
    item.unwrap()["fields"]["Label"] = new.into();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_ends_like_the_rehearsal_of_a_run() {
    let server = serve(instances(&fixture("starter-site"))).await;
    let workspace = Workspace::new();
    let url = server.base_url();
    let code = async |command: &str, args: &[&str]| {
        let ended = end_of(workspace.between(command, &url, args)).await;
        ended.code
    };
    assert_eq!(code("plan", &[]).await, Some(0), "only work to do");
    assert_eq!(code("sync", &["--no-tui"]).await, Some(0));
    let mut state = server.state();
    let label = first_label(&state, 0);
    retitle(&mut state, 0, (&label, "by the source"));
    retitle(&mut state, 1, (&label, "by the target"));
    put_state(&url, &state).await;
    for args in [&[][..], &["--output", "json"]] {
        assert_eq!(code("plan", args).await, Some(5), "{args:?}");
    }
    assert_eq!(code("sync", &["--dry-run", "--no-verify"]).await, Some(5));
    assert_eq!(code("plan", &["--overwrite"]).await, Some(0));
    server.stop().await;
}
