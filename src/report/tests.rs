//! What reporters make of scripted runs.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::*;
use crate::domain::{Failure, FailureCause, Id as _, Kind, Outcome};
use crate::event::{Event, Gate, Lane, Phase, Side, Stamped};
use crate::progress::Progress;
use crate::progress::script::{Script, key};

/// A stream whose content can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const STYLE: Style = Style {
    detail: Detail::Normal,
    color: false,
    ascii: false,
    annotations: None,
    run_dir: None,
    watch: Watch::Run,
    tokens: Vec::new(),
    lookup: None,
    requests: Vec::new(),
};

const KEEP: Keep = Keep { runs: 9, days: 90 };

/// A run in which most things happen once.
fn eventful() -> Script {
    let uploads = [
        (Kind::Model, 3),
        (Kind::Asset, 4),
        (Kind::Content, 6),
        (Kind::Gallery, 1),
        (Kind::Page, 2),
    ];
    let [one, two, three] = Lane::ALL;
    let script = Script::start()
        .phase(Phase::Pull)
        .wait(400)
        .read(Side::Source, Kind::Model, 3, Some(3))
        .wait(1_100)
        .read(Side::Source, Kind::Content, 1_250, None)
        .read(Side::Target, Kind::Model, 1, Some(1))
        .wait(1_000)
        .phase(Phase::Plan)
        .wait(100)
        .plan(&uploads)
        .phase(Phase::Upload)
        .open(Gate::TemplatesComplete, None)
        .forecast(5_000)
        .unchanged(Kind::Redirection, 90)
        .lane(one)
        .create(Kind::Model, 1..4, 400)
        .open(Gate::ModelsComplete, Some(key(Kind::Model, 3)))
        .create(Kind::Asset, 11..14, 300)
        .forecast(6_000)
        .fail(Kind::Asset, 14, "the server refused \"logo.png\" (413)")
        .event(Event::GateFailed {
            gate: Gate::IndependentAssetsComplete,
            by: key(Kind::Asset, 14),
        })
        .event(Event::LaneFinished { lane: one })
        .lane(three)
        .create(Kind::Gallery, 31..32, 200);
    verified(interrupted(script.lane(two)))
}

/// Throttling, failures of content, a pause and a drain.
fn interrupted(script: Script) -> Script {
    script
        .leave(Kind::Content, 21)
        .leave(Kind::Content, 22)
        .batch(77, Kind::Content, 2, 1)
        .event(Event::Throttled { for_ms: 2_000 })
        .event(Event::RetryScheduled {
            operation: "save content".to_owned(),
            attempt: 2,
            delay_ms: 2_000,
            cause: "429 Too Many Requests".to_owned(),
        })
        .wait(2_500)
        .settle(Kind::Content, 21, Outcome::Created)
        .settle(Kind::Content, 22, Outcome::Conflict)
        .event(Event::BatchFinished {
            batch: crate::domain::BatchId(77),
            succeeded: 2,
            failed: 0,
        })
        .fail(Kind::Content, 23, "field \"Title\" of item 23 is required")
        .fail(Kind::Content, 24, "field \"Body\" of item 24 is required")
        .settle(Kind::Page, 41, blocked())
        .event(Event::Warned {
            message: "the locale \"fr-ca\" has no content".to_owned(),
        })
        .event(Event::Paused)
        .wait(3_000)
        .event(Event::Resumed)
        .leave(Kind::Content, 25)
        .event(Event::DrainStarted {
            reason: "interrupted".to_owned(),
            in_flight: 1,
        })
        .wait(1_500)
}

/// A verification that finds something, and the end.
fn verified(script: Script) -> Script {
    script
        .event(Event::PhaseStarted {
            phase: Phase::Verify,
        })
        .event(Event::VerifyProgressed {
            checked: 3,
            total: 9,
        })
        .wait(1_200)
        .event(Event::DifferenceFound {
            key: key(Kind::Content, 21),
            difference: "different-field".to_owned(),
            detail: "Title: expected \"a\", found \"b\"".to_owned(),
            left_alone: false,
        })
        .event(Event::VerifyFinished {
            checked: 9,
            differences: 1,
        })
        .finish(1)
}

fn blocked() -> Outcome {
    Outcome::Blocked {
        by: key(Kind::Content, 23),
    }
}

/// Sends a whole run to a reporter.
fn tell(reporter: &mut dyn Reporter, events: &[Stamped]) -> Progress {
    let mut progress = Progress::new();
    for event in events {
        progress.apply(event);
        reporter.event(event, &progress).unwrap();
    }
    reporter.finish(&progress).unwrap();
    progress
}

fn lines(style: Style) -> String {
    let out = Shared::default();
    let mut plain = Plain::new(Box::new(out.clone()), style);
    tell(&mut plain, eventful().events());
    out.text()
}

#[test]
fn plain_lines() {
    insta::assert_snapshot!(lines(STYLE));
}

/// A cause was a heading in which names and numbers were masked, and which no entity had: one that is real says more.
#[test]
fn a_cause_is_shown_by_a_real_failure_in_full() {
    let words = "the server answered \"Field 'Title' of item 7 exceeds 255 characters\" after 30 s: \
                 shorten the text of \"Press release #41\", which has 612 characters, and save it again";
    let mut script = Script::uploading(&[(Kind::Content, 25)])
        .lane(Lane::BatchedContent)
        .fail(Kind::Content, 7, words);
    for id in 8..32 {
        script = script.fail(Kind::Content, id, &format!("field \"x{id}\" is bad"));
    }
    let script = script.finish(1);
    let base = tempfile::tempdir().unwrap();
    let mut folder = RunFolder::new(base.path().to_owned(), KEEP);
    let progress = tell(&mut folder, script.events());
    let written = base.path().join("20260731-101500-0a1b");
    let read = |name: &str| std::fs::read_to_string(written.join(name)).unwrap();
    let html = read("report.html")
        .replace("&quot;", "\"")
        .replace("&#39;", "'");
    for shown in [closing::result(&progress, &STYLE), read("report.md"), html] {
        let causes = shown.split("Failures by cause").nth(1).unwrap();
        assert!(causes.contains(words), "{causes}");
        assert!(causes.contains("and 24 more"), "{causes}");
        assert!(causes.contains("lockgate retry"), "{causes}");
        assert!(!causes.contains("of item #"), "{causes}");
    }
}

#[test]
fn quiet_lines() {
    let detail = Detail::Quiet;
    insta::assert_snapshot!(lines(Style { detail, ..STYLE }));
}

#[test]
fn verbose_ascii_lines() {
    let (detail, ascii) = (Detail::Verbose, true);
    let lines = lines(Style {
        detail,
        ascii,
        ..STYLE
    });
    assert!(lines.is_ascii());
    insta::assert_snapshot!(lines);
}

#[test]
fn colours_mark_lines_and_failures_are_annotated() {
    let plain = lines(Style {
        color: true,
        annotations: Some(Annotations::GitHub),
        ..STYLE
    });
    assert!(plain.contains("\x1b[31mfailed asset:14 \"asset 14\""));
    assert_eq!(plain.matches("::error title=").count(), 3);
    assert!(!lines(STYLE).contains('\x1b'));
}

#[test]
fn a_beat_comes_at_most_once_a_second_and_only_with_news() {
    let out = Shared::default();
    let mut plain = Plain::new(Box::new(out.clone()), STYLE);
    let script = Script::uploading(&[(Kind::Model, 900)])
        .lane(Lane::IndependentEntities)
        .create(Kind::Model, 0..100, 50);
    let mut progress = Progress::new();
    for event in script.events() {
        progress.apply(event);
        plain.event(event, &progress).unwrap();
    }
    let beats = |text: &str| text.matches("independent-entities: ").count();
    let told = beats(&out.text());
    assert!((5..=6).contains(&told), "{}", out.text());
    for tick in 0..300 {
        plain.tick(&progress, script.now_ms() + tick * 100).unwrap();
    }
    assert!(beats(&out.text()) <= told + 1, "{}", out.text());
}

#[test]
fn draining_tells_once_a_second_what_it_waits_for() {
    let out = Shared::default();
    let mut plain = Plain::new(Box::new(out.clone()), STYLE);
    let script = Script::uploading(&[(Kind::Content, 9)])
        .leave(Kind::Content, 1)
        .batch(7, Kind::Content, 1, 0)
        .event(Event::DrainStarted {
            reason: "interrupted".to_owned(),
            in_flight: 1,
        });
    let mut progress = Progress::new();
    for event in script.events() {
        progress.apply(event);
        plain.event(event, &progress).unwrap();
    }
    for tick in 1..=30 {
        plain.tick(&progress, script.now_ms() + tick * 100).unwrap();
    }
    let text = out.text();
    assert_eq!(
        text.matches("draining: waits for 1 in flight").count(),
        4,
        "{text}"
    );
    assert!(text.contains("content:1@en-us"), "{text}");
}

#[test]
fn json_lines_fold_to_the_live_progress() {
    let out = Shared::default();
    let live = tell(
        &mut JsonLines::new(Box::new(out.clone()), None),
        eventful().events(),
    );
    let mut folded = Progress::new();
    let text = out.text();
    for line in text.lines() {
        folded.apply(&serde_json::from_str(line).unwrap());
    }
    assert_eq!(folded, live);
    assert_eq!(text.lines().count(), eventful().events().len());
}

#[test]
fn json_lines() {
    let out = Shared::default();
    tell(
        &mut JsonLines::new(Box::new(out.clone()), None),
        eventful().events(),
    );
    let mut seen = std::collections::BTreeSet::new();
    let text = out.text();
    let first_of_each = text.lines().filter(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        seen.insert(event["type"].as_str().unwrap().to_owned())
    });
    let first_of_each: Vec<_> = first_of_each.collect();
    insta::assert_snapshot!(first_of_each.join("\n"));
}

#[test]
fn the_run_folder_holds_events_summary_and_report() {
    let base = tempfile::tempdir().unwrap();
    let runs = base.path().join("state").join("runs");
    let live = tell(&mut RunFolder::new(runs.clone(), KEEP), eventful().events());
    let folder = runs.join("20260731-101500-0a1b");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();

    let mut again = Progress::new();
    for line in read("events.ndjson").lines() {
        again.apply(&serde_json::from_str(line).unwrap());
    }
    assert_eq!(again, live);
    insta::assert_snapshot!("summary", read("summary.json"));
    insta::assert_snapshot!("report", read("report.md"));
    let names = std::fs::read_dir(&folder).unwrap().count();
    assert!(read("report.html").contains("1a2b3c4d-u"));
    assert_eq!(names, 7);
}

/// Every event that concerns a lane stands in its log, in order, and nowhere else.
#[test]
fn each_lane_has_a_log_of_its_own() {
    let base = tempfile::tempdir().unwrap();
    let script = eventful().event(Event::EntityPatched {
        key: key(Kind::Content, 25),
    });
    tell(
        &mut RunFolder::new(base.path().to_owned(), KEEP),
        script.events(),
    );
    let folder = base.path().join("20260731-101500-0a1b");
    let types = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let event = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let told = |event: serde_json::Value| match event["key"].as_str() {
            Some(key) => format!("{} {key}", event["type"].as_str().unwrap()),
            None => event["type"].as_str().unwrap().to_owned(),
        };
        text.lines().map(|line| told(event(line))).collect()
    };
    let one = types("lane-1-independent-entities.ndjson");
    assert_eq!(
        one[..4],
        [
            "run-started",
            "gate-opened",
            "lane-started",
            "entity-started model:1"
        ]
    );
    assert_eq!(one.last().unwrap(), "lane-finished");
    let two = types("lane-2-batched-content.ndjson");
    let batch = ["batch-submitted", "batch-progressed", "batch-finished"];
    assert!(
        batch.iter().all(|name| two.iter().any(|told| told == name)),
        "{two:?}"
    );
    assert!(
        two.iter()
            .any(|told| told == "entity-patched content:25@en-us"),
        "{two:?}"
    );
    let three = types("lane-3-complex-entities.ndjson");
    assert_eq!(three[1..3], ["lane-started", "entity-started gallery:31"]);
    let settled = |lane: &[String]| {
        lane.iter()
            .filter(|told| told.starts_with("entity-settled"))
            .count()
    };
    let all = types("events.ndjson");
    // One entity needed no upload.
    assert_eq!(
        settled(&one) + settled(&two) + settled(&three) + 1,
        settled(&all)
    );
}

#[cfg(unix)]
#[test]
fn the_run_folder_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let base = tempfile::tempdir().unwrap();
    let runs = base.path().join("runs");
    tell(&mut RunFolder::new(runs.clone(), KEEP), eventful().events());
    let folder = runs.join("20260731-101500-0a1b");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_run_goes_on_without_its_folder() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("runs");
    std::fs::write(&file, "not a folder").unwrap();
    let (events, receiver) = tokio::sync::mpsc::channel(256);
    let (commands, mut asked) = tokio::sync::mpsc::channel(4);
    for event in eventful().events() {
        events.send(event.clone()).await.unwrap();
    }
    let out = Shared::default();
    let plain = Plain::new(Box::new(out.clone()), STYLE);
    let reporters: Vec<Box<dyn Reporter>> =
        vec![Box::new(RunFolder::new(file, KEEP)), Box::new(plain)];
    let progress = run(receiver, reporters, commands).await;
    assert_eq!(progress.exit(), Some(1));
    assert_eq!(asked.recv().await, None);
    assert_eq!(out.text().matches("the run folder failed").count(), 1);
}

/// What a run leaves in `report.md`, and what it says at its end.
fn ends_of(script: &Script) -> [String; 2] {
    let base = tempfile::tempdir().unwrap();
    let mut folder = RunFolder::new(base.path().to_owned(), KEEP);
    let progress = tell(&mut folder, script.events());
    let report = base.path().join("20260731-101500-0a1b/report.md");
    let closing = closing::result(&progress, &STYLE) + &closing::line(&progress);
    [closing, std::fs::read_to_string(report).unwrap()]
}

fn updated(kind: Kind, id: i64) -> impl Fn(Script) -> Script {
    move |script| script.leave(kind, id).settle(kind, id, Outcome::Updated)
}

/// Two of five entities were in sync before a run that was interrupted at once, and it said 100 %.
#[test]
fn an_interrupted_run_says_what_is_left_and_how_to_go_on() {
    let script = Script::uploading(&[(Kind::Content, 3)])
        .unchanged(Kind::Content, 1)
        .unchanged(Kind::Content, 2)
        .leave(Kind::Content, 7)
        .finish(130);
    for text in ends_of(&script) {
        assert!(!text.contains("100.0 %"), "{text}");
        assert!(text.contains("40.0 %"), "{text}");
        assert!(text.contains("not processed"), "{text}");
        assert!(text.contains("3 entities are left"), "{text}");
        assert!(text.contains("run the same command again"), "{text}");
    }
}

/// What needs a user comes first, by name, with the command that follows.
#[test]
fn the_end_names_what_failed_then_what_is_in_conflict_then_what_was_updated() {
    let mut script = Script::uploading(&[(Kind::Content, 28)]).lane(Lane::BatchedContent);
    for id in 1..26 {
        script = updated(Kind::Content, id)(script);
    }
    for id in 26..28 {
        script = script.fail(Kind::Content, id, "it is locked");
    }
    let script = script
        .settle(Kind::Content, 28, Outcome::Conflict)
        .event(Event::PublishRefused {
            key: key(Kind::Content, 3),
            name: "Opening hours".to_owned(),
            target: crate::domain::TargetId::new(5_003),
            reason: "no workflow step".to_owned(),
        })
        .finish(1);
    let [closing, report] = ends_of(&script);
    for text in [&closing, &report] {
        let found = [
            "content:26@en-us",
            "content:27@en-us",
            "content:28@en-us",
            "Opening hours",
            "content:20@en-us",
            "and 5 more",
        ];
        let places = found.map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}")));
        assert!(places.is_sorted(), "{places:?} {text}");
        assert!(!text.contains("content:21@en-us"), "{text}");
    }
    assert!(closing.contains("\nnext: `lockgate retry`\n"), "{closing}");
    assert!(report.contains("`lockgate retry`"), "{report}");
    assert!(report.find("it is locked") < report.find("## Gates"));
}

/// GitHub takes 65,536 characters in a comment.
#[test]
fn the_report_fits_into_a_comment_whatever_the_server_says() {
    let long = "[*_ \u{1F600} ".repeat(400);
    let mut script = Script::uploading(&[(Kind::Content, 900)]).lane(Lane::BatchedContent);
    for id in 1..300 {
        script = script.fail(Kind::Content, id, &long);
        script = script.event(Event::Warned {
            message: long.clone(),
        });
        script = script.event(Event::DifferenceFound {
            key: key(Kind::Content, id),
            difference: "different-field".to_owned(),
            detail: long.clone(),
            left_alone: false,
        });
    }
    let [_, report] = ends_of(&script.finish(1));
    let length = report.chars().count();
    assert!(length < 60_000, "{length}");
    assert!(report.contains("## Gates"), "the short parts are there");
}

/// Five ways in which a run ends badly.
fn bad_ends() -> [(&'static str, Script); 5] {
    let cause = |failure, status| FailureCause { failure, status };
    let uploading = |kind, number| Script::uploading(&[(kind, number)]);
    let mut truncated = uploading(Kind::Asset, 30);
    for id in 1..31 {
        let reason = format!("invalid file content: {} of 80412 bytes arrived", id * 17);
        truncated = truncated.fail_of(Kind::Asset, id, &reason, cause(Failure::File, None));
    }
    let expired =
        "saving content: authentication failed (HTTP 401): the token is missing, wrong or expired";
    let expired = uploading(Kind::Content, 3)
        .fail_of(Kind::Content, 1, expired, cause(Failure::Access, Some(401)))
        .event(Event::EntitiesLeft {
            entities: 2,
            first: [2, 3]
                .map(|id| crate::event::Named {
                    key: key(Kind::Content, id),
                    name: format!("Place {id}"),
                })
                .to_vec(),
        });
    let refused = "the server refused it (HTTP 400): \"referenceName is taken\"; it is part of a reference cycle and was \
                   first saved without its references to model:2";
    let refused = uploading(Kind::Model, 2)
        .fail_of(Kind::Model, 1, refused, cause(Failure::Refused, Some(400)))
        .settle(
            Kind::Model,
            2,
            Outcome::Blocked {
                by: key(Kind::Model, 1),
            },
        );
    let conflict = uploading(Kind::Content, 1).settle(Kind::Content, 1, Outcome::Conflict);
    let interrupted = uploading(Kind::Page, 4)
        .create(Kind::Page, 1..2, 100)
        .event(Event::DrainStarted {
            reason: "interrupted".to_owned(),
            in_flight: 0,
        });
    [
        ("truncated_files", truncated.finish(1)),
        ("expired_token", expired.finish(3)),
        ("refused_in_a_cycle", refused.finish(1)),
        ("conflict", conflict.finish(5)),
        ("interrupted", interrupted.finish(130)),
    ]
}

/// The screen of a script at its end.
fn screen_of(script: &Script) -> String {
    let mut progress = Progress::new();
    let mut still = Still::new((120, 40)).unwrap();
    for stamped in script.events() {
        progress.apply(stamped);
        still.see(stamped, &progress);
    }
    still.draw(&progress, script.now_ms()).unwrap();
    still.to_string()
}

#[test]
fn bad_ends_say_on_the_screen_what_to_do() {
    for (name, script) in bad_ends() {
        insta::assert_snapshot!(format!("screen_{name}"), screen_of(&script));
    }
}

#[test]
fn bad_ends_say_what_to_do() {
    for (name, script) in bad_ends() {
        let [closing, report] = ends_of(&script);
        let report = report.split("## Lanes").next().unwrap();
        insta::assert_snapshot!(format!("end_{name}"), format!("{closing}\n\n{report}"));
    }
}

/// One run adds its report to what other steps have written, and the XML names every entity, whatever its name is.
#[test]
fn a_pipeline_gets_junit_xml_and_a_summary_of_the_step() {
    let base = tempfile::tempdir().unwrap();
    let (xml, summary) = (base.path().join("out.xml"), base.path().join("summary.md"));
    std::fs::write(&summary, "# Earlier\n").unwrap();
    let script = Script::uploading(&[(Kind::Model, 2), (Kind::Content, 2)])
        .create(Kind::Model, 1..3, 10)
        .fail(Kind::Content, 23, "<\u{7}\"title\" & 'more'> is required")
        .settle(Kind::Content, 24, blocked())
        .finish(1);
    tell(&mut junit::Junit::new(xml.clone()), script.events());
    tell(
        &mut step_summary::StepSummary::new(summary.clone()),
        script.events(),
    );
    insta::assert_snapshot!("junit", std::fs::read_to_string(xml).unwrap());
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(
        summary.starts_with("# Earlier\n# Migration of"),
        "{summary}"
    );
    assert!(summary.contains("is required"), "{summary}");
}
