//! Failures, differences and slow uploads.

use std::time::Duration;

use super::parts::{card, escape, search};
use super::timeline::tone;
use crate::domain::Outcome;
use crate::progress::{History, Progress, Trouble};
use crate::report::advice::{self, CauseSummary};
use crate::report::text::{clean, clock, count, counted, took};

/// What failed, grouped by cause, then one by one with a search.
pub(super) fn failures(progress: &Progress, history: &History) -> String {
    if history.troubles().is_empty() {
        return String::new();
    }
    let causes = advice::failures(progress);
    let mut body = String::new();
    if !causes.is_empty() {
        append!(body, "<h3>Failures by cause</h3>\n{}", describe(&causes));
    }
    body += "<h3>Failed, blocked and conflicting entities</h3>\n";
    body += &search("troubles", "by name, key, outcome or reason");
    body += "<div class=\"scroll\"><table id=\"troubles\"><thead><tr><th>outcome</th><th>entity</th><th>name</th>\
             <th>why</th><th class=\"number\">at</th></tr></thead><tbody>\n";
    // What failed comes before what it blocked: on paper there is room for the first of them only.
    let is_blocked = |trouble: &&Trouble| matches!(trouble.outcome, Outcome::Blocked { .. });
    let (blocked, others): (Vec<&Trouble>, Vec<_>) =
        history.troubles().iter().partition(is_blocked);
    for trouble in others.into_iter().chain(blocked) {
        body += &trouble_row(trouble);
    }
    body += "</tbody></table></div>\n";
    if history.troubles_left_out() > 0 {
        append!(
            body,
            "<p class=\"soft small\">{} more are in events.ndjson.</p>\n",
            count(history.troubles_left_out())
        );
    }
    card("Failures and conflicts", "", &body)
}

/// What was saved and not published, grouped by cause, with the server's words.
pub(super) fn unpublished(progress: &Progress) -> String {
    let causes = advice::unpublished(progress);
    if causes.is_empty() {
        return String::new();
    }
    let body = describe(&causes);
    card("Saved and not published", "", &body)
}

fn describe(causes: &[CauseSummary<'_>]) -> String {
    let mut text = String::new();
    for told in causes {
        let example = &told.cause.examples[0];
        append!(
            text,
            "<div class=\"cause\"><p><b>{}</b>: {}</p><ul><li><span class=\"key\">{}</span> {}: {}</li>",
            told.count(),
            told.title,
            escape(&example.key.to_string()),
            escape(&clean(&example.name)),
            escape(&clean(&example.reason))
        );
        if let Some(more) = told.more() {
            append!(text, "<li>{more}</li>");
        }
        append!(
            text,
            "</ul><p class=\"next small\">{}. <span class=\"soft\">{}</span></p></div>\n",
            escape(&told.next),
            told.code
        );
    }
    text
}

fn trouble_row(trouble: &Trouble) -> String {
    let name = trouble.outcome.name();
    let why = match &trouble.outcome {
        Outcome::Failed { reason } | Outcome::Kept { reason } => clean(reason),
        Outcome::Blocked { by } => format!("needs {by}, which failed"),
        Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::LeftAlone
        | Outcome::Conflict
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored => clean(&trouble.because),
    };
    let key = trouble.key.to_string();
    format!(
        "<tr><td><span class=\"tag {name}\">{name}</span></td><td class=\"key\">{}</td><td class=\"text\">{}</td>\
         <td class=\"said\">{}</td><td class=\"number\">{}</td></tr>\n",
        escape(&key),
        escape(&clean(&trouble.name)),
        escape(&why),
        clock(Duration::from_millis(trouble.at_ms))
    )
}

/// The comparison of the target with the source.
pub(super) fn verification(progress: &Progress) -> String {
    let Some(found) = progress.verification() else {
        let body = "<p>Verification was skipped.</p>\n";
        return card("Verification", "", body);
    };
    let (checked, total) = (count(found.checked), count(found.total));
    let (class, sign) = match (found.finished, found.differences) {
        (true, 0) => ("agreed", "✓ in sync"),
        (true, _) => ("failed", "✕ differences"),
        (false, _) => ("conflict", "! unfinished"),
    };
    let mut body = format!(
        "<p><span class=\"tag {class}\">{sign}</span> {checked} of {total} entities read back from the target and \
         compared with the source, {}.</p>\n",
        counted(found.differences, "difference")
    );
    if !progress.differences().is_empty() {
        body += &search("differences", "differences");
        body += "<div class=\"scroll\"><table id=\"differences\"><thead><tr><th>difference</th><th>entity</th>\
                 <th>detail</th></tr></thead><tbody>\n";
        for difference in progress.differences() {
            append!(
                body,
                "<tr><td><span class=\"tag failed\">{}</span></td><td class=\"key\">{}</td><td class=\"said\">{}</td></tr>\n",
                escape(&clean(&difference.difference)),
                escape(&difference.key.to_string()),
                escape(&clean(&difference.detail))
            );
        }
        body += "</tbody></table></div>\n";
    }
    card("Verification", "", &body)
}

/// The uploads that took longest.
pub(super) fn slowest(history: &History) -> String {
    let Some(longest) = history.slowest().first().map(|slow| slow.took_ms) else {
        return String::new();
    };
    let mut body = search("slowest", "the slowest uploads");
    body += "<div class=\"scroll\" style=\"max-height:380px\"><table id=\"slowest\"><thead><tr><th class=\"number\">took</th><th></th>\
             <th>entity</th><th>name</th><th>outcome</th><th class=\"number\">started</th></tr></thead><tbody>\n";
    for slow in history.slowest() {
        let width = super::parts::percent(slow.took_ms, longest);
        append!(
            body,
            "<tr><td class=\"number\">{}</td><td style=\"width:16%\"><div class=\"meter {}\" title=\"lane {}\"><i style=\"width:{width}\"></i></div></td>\
             <td class=\"key\">{}</td><td class=\"text\">{}</td><td>{}</td><td class=\"number\">{}</td></tr>\n",
            took(Duration::from_millis(slow.took_ms)),
            tone(slow.lane),
            slow.lane as usize + 1,
            escape(&slow.key.to_string()),
            escape(&clean(&slow.name)),
            slow.outcome,
            clock(Duration::from_millis(slow.from_ms))
        );
    }
    body += "</tbody></table></div>\n";
    card(
        "Slowest uploads",
        "From first request to recorded result. Items in one batch share its duration.",
        &body,
    )
}
