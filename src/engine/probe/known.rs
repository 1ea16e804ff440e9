//! How runs use the answers of a probe.

use super::answers::{
    Answer as _, Batches, Finding, Limit, TimeOfMany, TimeOfOne, WebhookSecret, answer, link_forms,
};
use crate::engine::pace::Learned;
use crate::engine::probed::Probed;

/// What is known of a target from what the state keeps of its host.
pub fn probed(rows: &[(String, f64)]) -> Probed {
    let time_of_one = answer::<TimeOfOne>(rows).map(|time| time.0.0);
    let time_of_many = answer::<TimeOfMany>(rows).map(|time| time.0.0);
    let secret = answer::<WebhookSecret>(rows);
    Probed {
        links: link_forms(rows),
        batch_times: (time_of_one, time_of_many),
        serial_batches: answer::<Batches>(rows) == Some(Batches::Serial),
        loses_secrets: secret.is_some_and(|secret| secret != WebhookSecret::Kept),
    }
}

/// The rate of a host as the next run starts with it. Without a refusal, a limit that is known stays, and so does a higher rate.
pub(super) fn rate_rows(findings: &[Finding], known: &[(String, f64)]) -> Vec<(String, f64)> {
    let found = findings.iter().find(|one| one.name == Limit::NAME);
    let known = Learned::from_rows(known);
    let learned = match found.and_then(|one| Limit::of_code(one.code)) {
        Some(Limit::PerSecond(rate)) => Learned {
            per_second: Some(rate),
            ..Learned::default()
        },
        Some(Limit::Beyond(rate)) if known.reached.is_none_or(|reached| reached < rate) => {
            Learned {
                reached: Some(rate),
                ..Learned::default()
            }
        }
        Some(Limit::Beyond(_)) | None => Learned::default(),
    };
    learned.to_rows()
}

#[cfg(test)]
mod tests {
    use super::super::answers::Observed;
    use std::time::Duration;

    use super::*;
    use crate::plan::LinkForm;

    fn rows(rows: &[(&str, f64)]) -> Vec<(String, f64)> {
        let owned = rows
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value));
        owned.collect()
    }

    #[test]
    fn a_host_that_was_never_probed_changes_nothing() {
        assert_eq!(probed(&rows(&[("per_second", 9.0)])), Probed::default());
        let known = probed(&rows(&[
            ("probe.link.alone", 10.0),
            ("probe.link.with_value", 12.0),
            ("probe.batches", 1.0),
            ("probe.batch_ms.20", 480.0),
            ("probe.webhook.secret", 2.0),
        ]));
        assert_eq!(known.links.alone, LinkForm::Object);
        assert_eq!(known.links.with_value, LinkForm::ListName);
        assert_eq!(known.batch_times, (None, Some(Duration::from_millis(480))));
        assert!(known.serial_batches && known.loses_secrets);
    }

    #[test]
    fn a_limit_is_what_the_next_run_starts_with_and_a_rate_does_not_fall() {
        let found = |answer| {
            let seen = String::new();
            [Finding::of(Observed {
                seen,
                answer: Ok(answer),
            })]
        };
        let of = |answer, known: &[(&str, f64)]| rate_rows(&found(answer), &rows(known));
        assert_eq!(
            of(Limit::PerSecond(60.0), &[]),
            rows(&[("per_second", 60.0)])
        );
        assert_eq!(
            of(Limit::Beyond(80.0), &[]),
            rows(&[("reached_per_second", 80.0)])
        );
        assert_eq!(
            of(Limit::Beyond(80.0), &[("reached_per_second", 200.0)]),
            []
        );
        assert_eq!(rate_rows(&[], &[]), []);
    }
}
