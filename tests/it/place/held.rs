//! Siblings of a page that a run does not write: they find their places beside it, once.

use super::*;

/// Why the page stays where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    /// Both sides edited it.
    InConflict,
    /// The target's is read-only.
    ReadOnly,
    /// The selection of the run leaves it out.
    LeftOut,
}

/// Four pages in a new order, of which one is not written: the first run puts the others in order beside it, the second
/// one has nothing to do, and one that may write it puts it at its place.
async fn settles(held: Held, order: &str, page: &str) -> Result<(), String> {
    let mut site = Site::synced(roots(&["a", "b", "c", "d"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, order, ENGLISH);
        retitle(source, page, "edited here");
        if held == Held::InConflict {
            retitle(target, page, "edited there");
        }
    })
    .await;
    match held {
        Held::InConflict => {}
        Held::ReadOnly => site.setup.read_only = vec![format!("page:{page}")],
        Held::LeftOut => {
            let state = site.server.state();
            let others = ["a", "b", "c", "d"]
                .into_iter()
                .filter(|name| *name != page);
            let others = others.map(|name| id(&state.instances[0], name));
            site.setup.selection.pages = others.collect();
            // What is left out differs, and that is no fault.
            site.setup.looks = false;
        }
    }
    site.run().await;
    let first = site.order();
    let before = site.writes();
    site.run().await;
    let again = site.writes() - before;
    match held {
        Held::InConflict => site.overwrite().await,
        Held::ReadOnly | Held::LeftOut => {
            site.setup.read_only.clear();
            site.setup.selection.pages.clear();
            site.setup.looks = true;
            site.run().await
        }
    };
    let last = site.order();
    site.is_quiet().await;
    site.server.stop().await;
    let others = |order: &str| order.replace(page, "");
    if others(&first) == others(order) && again == 0 && last == order {
        return Ok(());
    }
    Err(format!(
        "{order} without {page}: {first}, {again} writes again, {last} when written"
    ))
}

/// Some siblings were put at the place where they stood by every run.
#[tokio::test]
async fn siblings_of_a_page_in_conflict_are_moved_once() {
    let mut wrong = Vec::new();
    for (order, page) in [
        ("acdb", "b"),
        ("bcda", "a"),
        ("bdca", "a"),
        ("cbda", "a"),
        ("cdba", "a"),
        ("dbca", "a"),
    ] {
        wrong.extend(settles(Held::InConflict, order, page).await.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The place of one that was read-only counted as agreed, and was the target's for ever.
#[tokio::test]
async fn a_place_that_was_read_only_is_not_agreed_upon() {
    let mut wrong = Vec::new();
    for (order, page) in [("acdb", "b"), ("cdba", "a"), ("dabc", "d"), ("badc", "a")] {
        wrong.extend(settles(Held::ReadOnly, order, page).await.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn siblings_of_a_page_that_the_selection_leaves_out_are_moved_once() {
    let mut wrong = Vec::new();
    for (order, page) in [("acdb", "b"), ("cdba", "a"), ("dabc", "d"), ("badc", "a")] {
        wrong.extend(settles(Held::LeftOut, order, page).await.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing can be put behind the last page of a row but with a save of that one.
#[tokio::test]
async fn what_belongs_behind_a_last_page_in_conflict_waits_for_it() {
    let mut site = Site::synced(roots(&["a", "b", "c", "d"], ENGLISH)).await;
    site.edit(|source, target| {
        reorder(source, "bcda", ENGLISH);
        retitle(source, "d", "edited here");
        retitle(target, "d", "edited there");
    })
    .await;
    let before = site.writes();
    for _ in 0..2 {
        let ran = site.run().await;
        let report = ran.report.as_ref().unwrap();
        assert_eq!((report.failed, report.conflicts), (0, 1));
        assert_eq!((site.order().as_str(), site.writes()), ("abcd", before));
    }
    site.overwrite().await;
    assert_eq!(site.order(), "bcda");
    site.is_quiet().await;
}
