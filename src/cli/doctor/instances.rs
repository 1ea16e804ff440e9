//! Checks that ask an instance.

use jiff::SignedDuration;

use crate::agility::{self, Account, region_name};
use crate::config::{Instance, Settings};
use crate::domain::{Channel, Guid, Locale, SourceId};
use crate::error::{Error, ExitStatus};
use crate::instance::{ReadRequest, Record, RequestError, Source, Webhooks as _};
use crate::report;

use super::finding::Finding;

/// Checks that need an instance.
pub(super) const CHECKS: [&str; 8] = [
    "source",
    "target",
    "locales",
    "channels",
    "webhooks",
    "source published",
    "target published",
    "clock",
];

/// A response that takes longer makes every run long.
const SLOW: std::time::Duration = std::time::Duration::from_secs(1);
/// A clock that is off by more confuses dates and leases.
const CLOCK: SignedDuration = SignedDuration::from_secs(30);
/// Webhooks that are named.
const NAMED: usize = 5;

fn failed(check: &'static str, side: &str, error: RequestError) -> Finding {
    let error = Error::Unreachable {
        side: side.to_owned(),
        source: Box::new(error),
    };
    Finding::of_error(check, &error)
}

/// Access, rights, connection and clock of one side.
pub(super) async fn access(
    check: &'static str,
    instance: &agility::Instance,
    given: &Instance,
) -> Vec<Finding> {
    let side = format!("{check} {}", given.guid);
    let (key, account) = tokio::join!(instance.authorise(), instance.account());
    if let Err(error) = key {
        return vec![failed(check, &side, error)];
    }
    let account = match account {
        Ok(account) => account,
        Err(error) => return vec![failed(check, &side, error)],
    };
    let way = way(instance, given, &account);
    let mut findings = vec![rights(check, &given.guid, &account, &way)];
    if account.took > SLOW {
        findings.push(Finding::warning(
            check,
            format!(
                "{side} took {} ms for one response",
                account.took.as_millis()
            ),
            "a run takes as much longer; look at the network and at proxies",
        ));
    }
    findings.extend(account.clock_ahead.and_then(|ahead| clock(&side, ahead)));
    findings
}

/// `mgmt.aglty.io:443 (USA), 48 ms`.
fn way(instance: &agility::Instance, given: &Instance, account: &Account) -> String {
    let region = match (&given.url, region_name(given.guid.as_str())) {
        (Some(_), _) => "by its URL",
        (None, Some(region)) => region,
        (None, None) => "USA, because the GUID names no region",
    };
    let took = account.took.as_millis();
    format!("{} ({region}), {took} ms", instance.host())
}

fn rights(check: &'static str, guid: &Guid, account: &Account, way: &str) -> Finding {
    let user = &account.user;
    match &account.access {
        Some(access) if access.is_asleep => Finding::warning(
            check,
            format!(
                "{guid} {:?} is dormant or being restored; {way}",
                access.name
            ),
            "wake it in the vendor's portal, or wait until it is restored",
        ),
        Some(access) => {
            let role = if access.is_owner { "owner" } else { "user" };
            Finding::ok(
                check,
                format!("{guid} {:?}, {user} ({role}), {way}", access.name),
            )
        }
        None => Finding::warning(
            check,
            format!("{guid}, {user}; the user's list of instances does not have it; {way}"),
            "if writes are refused, take the token of a user of this instance",
        ),
    }
}

fn clock(side: &str, ahead: SignedDuration) -> Option<Finding> {
    if ahead.abs() <= CLOCK {
        return None;
    }
    let (seconds, than) = (
        ahead.abs().as_secs(),
        if ahead.is_positive() {
            "ahead of"
        } else {
            "behind"
        },
    );
    Some(Finding::warning(
        "clock",
        format!("the clock of {side} is {seconds} s {than} the one of this machine"),
        "set the clock of this machine; dates of edits and the lock of the state go by it",
    ))
}

/// What one question finds.
async fn records(
    instance: &impl Source,
    ask: &ReadRequest,
) -> Result<Vec<Record<SourceId>>, RequestError> {
    Ok(instance.read::<SourceId>(ask).await?.found)
}

async fn locales_of(instance: &impl Source) -> Result<Vec<Locale>, RequestError> {
    let found = records(instance, &ReadRequest::Locales).await?.into_iter();
    let locale = |record| match record {
        Record::Locale(locale) => Some(locale),
        _ => None,
    };
    Ok(found.filter_map(locale).collect())
}

fn list(locales: &[Locale]) -> String {
    let codes: Vec<&str> = locales.iter().map(Locale::as_str).collect();
    codes.join(", ")
}

/// Whether the target has the locales that are migrated, and the channels of the pages.
pub(super) async fn locales_and_channels(
    source: &impl Source,
    target: &agility::Instance,
    settings: &Settings,
) -> Vec<Finding> {
    let (here, there) = match tokio::join!(locales_of(source), locales_of(target)) {
        (Ok(here), Ok(there)) => (here, there),
        (Err(error), _) => return of_both("source", error),
        (_, Err(error)) => return of_both("target", error),
    };
    let mut findings = vec![locales(&here, &there, settings)];
    let maps = &settings.sync.maps;
    let pairs = here.iter().map(|locale| (locale, maps.locale(locale)));
    let shared = pairs.into_iter().find(|(_, mapped)| there.contains(mapped));
    // Without a shared locale, that of the locales says all.
    if let Some((locale, mapped)) = shared {
        findings.push(channels(source, target, ((locale, &mapped), settings)).await);
    }
    findings
}

/// What an error about the locales means for both checks.
fn of_both(side: &str, error: RequestError) -> Vec<Finding> {
    let channels = failed("channels", "source or target", error.clone());
    vec![failed("locales", side, error), channels]
}

fn locales(here: &[Locale], there: &[Locale], settings: &Settings) -> Finding {
    let wanted = match settings.sync.locales.as_slice() {
        [] => here.to_vec(),
        some => some.to_vec(),
    };
    let maps = &settings.sync.maps;
    let missing = |wanted: &[Locale], of: &[Locale]| -> Vec<Locale> {
        let missing = wanted.iter().filter(|locale| !of.contains(locale));
        missing.cloned().collect()
    };
    let error = |side: &str, missing: &[Locale], next: &str| {
        let detail = format!("the {side} does not have {}", list(missing));
        Finding::error("locales", ExitStatus::Usage, detail, next)
    };
    let written: Vec<Locale> = wanted.iter().map(|locale| maps.locale(locale)).collect();
    let (unknown, absent) = (missing(&wanted, here), missing(&written, there));
    if !unknown.is_empty() {
        return error("source", &unknown, "correct sync.locales (--locale)");
    }
    if !absent.is_empty() {
        return error(
            "target",
            &absent,
            "add them to the target, map others to its own with --locale-map, or name the others with --locale",
        );
    }
    Finding::ok("locales", list(&wanted))
}

async fn channels_of(
    instance: &impl Source,
    locale: &Locale,
) -> Result<Vec<Channel>, RequestError> {
    let ask = ReadRequest::Sitemap(locale.clone());
    let found = records(instance, &ask).await?.into_iter();
    let channel = |record| match record {
        Record::Channel(channel) => Some(channel),
        _ => None,
    };
    Ok(found.filter_map(channel).collect())
}

async fn channels(
    source: &impl Source,
    target: &agility::Instance,
    ((here, there), settings): ((&Locale, &Locale), &Settings),
) -> Finding {
    let both = tokio::try_join!(channels_of(source, here), channels_of(target, there));
    let (here, there) = match both {
        Ok(channels) => channels,
        Err(error) => return failed("channels", "source or target", error),
    };
    let map = &settings.sync.maps.channels;
    let is_meant = |channel: &&Channel| {
        let named = &settings.sync.channels;
        named.is_empty() || named.iter().any(|name| channel.is_called(name))
    };
    let name_there = |channel: &Channel| {
        let mapped = map.iter().find(|(from, _)| channel.is_called(from));
        mapped.map_or_else(|| channel.name.to_string(), |(_, to)| to.clone())
    };
    let missing: Vec<String> = here
        .iter()
        .filter(is_meant)
        .map(name_there)
        .filter(|name| !there.iter().any(|channel| channel.is_called(name)))
        .collect();
    if missing.is_empty() {
        Finding::ok("channels", Channel::list(&here))
    } else {
        Finding::warning(
            "channels",
            format!(
                "the target does not have {}; pages of these channels fail",
                missing.join(", ")
            ),
            "add them to the target, or name its own with --channel-map SOURCE=TARGET",
        )
    }
}

/// Webhooks that every save and every publication on the target fires.
pub(super) async fn webhooks(target: &agility::Instance) -> Vec<Finding> {
    let found = match target.webhooks().await {
        Ok(found) => found,
        Err(error) => {
            // A run does without them.
            let detail = failed("webhooks", "target", error).detail;
            let next = "look at them on the target: each save and publication may fire them";
            return vec![Finding::warning("webhooks", detail, next)];
        }
    };
    let enabled: Vec<&str> = found
        .iter()
        .filter(|webhook| webhook.is_enabled)
        .map(|webhook| &*webhook.name)
        .collect();
    vec![if enabled.is_empty() {
        let detail = match found.len() {
            0 => "none on the target".to_owned(),
            all => format!("{} on the target, none enabled", report::count_of(all)),
        };
        Finding::ok("webhooks", detail)
    } else {
        let mut names = enabled[..enabled.len().min(NAMED)].join(", ");
        if enabled.len() > NAMED {
            names.push_str(", …");
        }
        Finding::warning(
            "webhooks",
            format!(
                "{} enabled on the target: {names}",
                report::count_of(enabled.len())
            ),
            "a migration fires them once for each save or publication; --pause-webhooks switches them off for the run",
        )
    }]
}

/// How far publishing is on one side.
pub(super) async fn published(check: &'static str, instance: &agility::Instance) -> Vec<Finding> {
    let state = match instance.published_state(agility::Shown::Published).await {
        Ok(state) => state,
        Err(error) => {
            let detail = failed(check, "instance", error).detail;
            let next = "it counts only for runs that publish";
            return vec![Finding::warning(check, detail, next)];
        }
    };
    let completed = state
        .completed
        .unwrap_or_else(|| "an unknown time".to_owned());
    vec![match (state.error, state.is_in_progress) {
        (Some(error), _) => Finding::warning(
            check,
            format!("publishing failed: {error:?}"),
            "publish something on the instance again, and look whether it becomes visible",
        ),
        (None, true) => Finding::warning(
            check,
            format!("content is being published; complete last at {completed}"),
            "wait until it is complete, if the run is to publish",
        ),
        (None, false) => Finding::ok(check, format!("complete, last at {completed}")),
    }]
}
