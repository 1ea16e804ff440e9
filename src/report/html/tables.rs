//! Failures, differences and slow uploads.

use std::time::Duration;

use super::parts::{card, escape, search};
use super::timeline::tone;
use crate::domain::Outcome;
use crate::progress::{Cause, History, Progress, Trouble};
use crate::report::advice::{UNPUBLISHED, advice};
use crate::report::note::counted_entities;
use crate::report::text::{clean, clock, count, counted, took};

/// Causes that are described; the table has every failure.
const CAUSES: usize = 40;

/// What failed, grouped by cause, then one by one with a search.
pub(super) fn failures(progress: &Progress, history: &History) -> String {
    if history.troubles().is_empty() {
        return String::new();
    }
    let mut causes: Vec<_> = progress.causes().iter().collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    let mut body: String = causes
        .iter()
        .take(CAUSES)
        .map(|cause| describe(cause))
        .collect();
    if causes.len() > CAUSES {
        let more = causes.len() - CAUSES;
        append!(body, "<p class=\"soft\">and {more} more causes</p>\n");
    }
    body += "<h3>Failed, blocked and conflicting entities</h3>\n";
    body += &search("troubles", "by name, key, outcome or reason");
    body += "<div class=\"scroll\"><table id=\"troubles\"><thead><tr><th>outcome</th><th>entity</th><th>name</th>\
             <th>why</th><th class=\"number\">at</th></tr></thead><tbody>\n";
    for trouble in history.troubles() {
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
    let causes = progress.unpublished();
    if causes.is_empty() {
        return String::new();
    }
    let mut body = String::new();
    for cause in causes.iter().take(CAUSES) {
        append!(
            body,
            "<div class=\"cause\"><p><b>{}</b></p><ul>",
            counted_entities(cause.count)
        );
        for example in &cause.examples {
            append!(
                body,
                "<li><span class=\"key\">{}</span> {}: {}</li>",
                escape(&example.key.to_string()),
                escape(&clean(&example.name)),
                escape(&clean(&example.reason))
            );
        }
        append!(
            body,
            "</ul><p class=\"next small\">{}. <span class=\"soft\">{}</span></p></div>\n",
            escape(UNPUBLISHED.next),
            UNPUBLISHED.code
        );
    }
    card("Saved and not published", "", &body)
}

fn describe(cause: &Cause) -> String {
    let mut text = format!(
        "<div class=\"cause\"><p><b>{}</b>: {}</p><ul>",
        counted_entities(cause.count),
        escape(&clean(&cause.text))
    );
    for example in cause.examples.iter().take(3) {
        append!(
            text,
            "<li><span class=\"key\">{}</span> {}</li>",
            escape(&example.key.to_string()),
            escape(&clean(&example.name))
        );
    }
    let advice = advice(cause.failure);
    append!(
        text,
        "</ul><p class=\"next small\">{}. <span class=\"soft\">{}</span></p></div>\n",
        escape(advice.next),
        advice.code
    );
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
