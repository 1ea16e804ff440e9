//! Which part of the server a path is about, and which callers may ask for it.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::call::{Answer, Call, Reply, Verb, no_route};
use super::{fetch, json as reply, management, oauth, stale, types};
use crate::mock::instance::Instance;
use crate::mock::server::Shared;
use crate::mock::world::AssetUrls;
use crate::mock::world::failure::Refusal;
use crate::mock::world::feed::Mode;

/// A part of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `api/v1/instance/{guid}/…`
    Management,
    /// `api/v1/users/me`
    User,
    /// `api/v1/types`, which asks for no token.
    Types,
    /// `oauth/GetPreviewKey` and `oauth/GetFetchKey`
    Key(Mode),
    /// `oauth/…` besides, which asks for no token.
    SignIn,
    /// `{guid}/preview/…` and `{guid}/fetch/…`
    Fetch(Mode),
    /// `origin/{container}/{key…}` and `cdn/{container}/{key…}`
    Download,
    /// `{container}/{key…}`, where files have plain addresses.
    PlainDownload,
    /// No route.
    Nothing,
}

/// Where the path goes on after the GUID of a management path.
const AFTER_GUID: usize = 4;

impl Target {
    pub(super) fn of(call: &Call) -> Self {
        match call.tail(0).as_slice() {
            ["api", "v1", "instance", _, _, ..] => Self::Management,
            ["api", "v1", "users", "me"] => Self::User,
            ["api", "v1", "types"] => Self::Types,
            ["oauth", "getpreviewkey"] => Self::Key(Mode::Preview),
            ["oauth", "getfetchkey"] => Self::Key(Mode::Fetch),
            ["oauth", _] => Self::SignIn,
            ["origin" | "cdn", _, _, ..] => Self::Download,
            [_, "preview", _, ..] => Self::Fetch(Mode::Preview),
            [_, "fetch", _, ..] => Self::Fetch(Mode::Fetch),
            [_, _, ..] => Self::PlainDownload,
            _ => Self::Nothing,
        }
    }

    /// The GUID that the request names.
    pub(super) fn guid(self, call: &Call) -> Option<String> {
        let named = match self {
            Self::Management => Some(call.raw(3)),
            Self::Fetch(_) => Some(call.raw(0)),
            Self::Key(_) => call.query_text("guid"),
            Self::User
            | Self::Types
            | Self::SignIn
            | Self::Download
            | Self::PlainDownload
            | Self::Nothing => None,
        };
        named.map(str::to_owned)
    }

    pub(super) fn writes(self, call: &Call) -> bool {
        match self {
            Self::Management => management::writes(call, AFTER_GUID),
            Self::User
            | Self::Types
            | Self::SignIn
            | Self::Key(_)
            | Self::Fetch(_)
            | Self::Download
            | Self::PlainDownload
            | Self::Nothing => false,
        }
    }

    /// The bearer token or the API key, whichever this part asks for.
    pub(super) fn credential(self, headers: &HeaderMap) -> Option<String> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let credential = match self {
            Self::Management | Self::User | Self::Key(_) => {
                let (scheme, token) = header(AUTHORIZATION.as_str())?.split_once(' ')?;
                scheme
                    .eq_ignore_ascii_case("bearer")
                    .then_some(token.trim())
            }
            Self::Fetch(_) => header("apikey"),
            Self::Types | Self::SignIn | Self::Download | Self::PlainDownload | Self::Nothing => {
                None
            }
        };
        credential
            .filter(|credential| !credential.is_empty())
            .map(str::to_owned)
    }

    /// Whether the caller may ask; 401 for its credential, 403 for what it asks for.
    pub(super) fn admit(
        self,
        shared: &Shared,
        call: &Call,
        credential: Option<&str>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Types | Self::SignIn | Self::Download | Self::PlainDownload | Self::Nothing => {
                Ok(())
            }
            Self::User => bearer(shared, credential),
            Self::Management | Self::Key(_) => {
                bearer(shared, credential)?;
                let known = self
                    .guid(call)
                    .is_some_and(|guid| shared.instance(&guid).is_some());
                if known {
                    Ok(())
                } else {
                    Err(Refusal::new(
                        403,
                        "You do not have access to this instance.",
                    ))
                }
            }
            Self::Fetch(mode) => {
                let instance = shared.instance(call.raw(0));
                let fits = instance
                    .zip(credential)
                    .is_some_and(|(instance, key)| instance.key(mode) == key);
                if fits {
                    Ok(())
                } else {
                    Err(Refusal {
                        status: 401,
                        body: json!({}),
                    })
                }
            }
        }
    }

    /// Whose rate a request counts against: the token, and for the Fetch API the token that asked for the
    /// key. `None` where no rate is kept.
    pub(super) fn payer(
        self,
        shared: &Shared,
        call: &Call,
        credential: Option<&str>,
    ) -> Option<String> {
        match self {
            Self::Management | Self::User | Self::Key(_) => {
                Some(credential.unwrap_or_default().to_owned())
            }
            Self::Fetch(_) => Some(
                shared
                    .key_owner(&call.raw(0).to_lowercase())
                    .unwrap_or_else(|| call.raw(0).to_lowercase()),
            ),
            Self::Types | Self::SignIn | Self::Download | Self::PlainDownload | Self::Nothing => {
                None
            }
        }
    }

    pub(super) fn route(self, shared: &Shared, call: &Call, credential: Option<&str>) -> Answer {
        match self {
            Self::Management => {
                let instance = shared
                    .instance(call.raw(3))
                    .ok_or_else(|| Refusal::not_found("The instance"))?;
                let answer = management::route(&mut instance.world(), call, AFTER_GUID);
                if self.writes(call) {
                    instance.edited();
                }
                instance.wake();
                answer.map(|reply| with_progress(reply, call, &instance))
            }
            Self::User => Ok(reply(user(shared))),
            Self::Types => Ok(reply(types::all_types())),
            Self::SignIn => oauth::route(&shared.sign_in, call),
            Self::Key(mode) => {
                let guid = call.query_text("guid").unwrap_or_default();
                let instance = shared
                    .instance(guid)
                    .ok_or_else(|| Refusal::not_found("The instance"))?;
                shared.own_key(
                    guid.to_lowercase(),
                    credential.unwrap_or_default().to_owned(),
                );
                Ok(reply(instance.key(mode)))
            }
            Self::Fetch(mode) => {
                let instance = shared
                    .instance(call.raw(0))
                    .ok_or_else(|| Refusal::not_found("The instance"))?;
                instance.shown(|world| fetch::route(world, call, mode, 2))
            }
            Self::Download => download(shared, call, 1),
            Self::PlainDownload if shared.rules.asset_urls == AssetUrls::Plain => {
                download(shared, call, 0)
            }
            Self::PlainDownload | Self::Nothing => no_route(),
        }
    }
}

impl Target {
    /// `reply` without what this instance has only just made.
    pub(super) fn stale(self, shared: &Shared, call: &Call, reply: Reply, lag: Duration) -> Reply {
        let instance = self.guid(call).and_then(|guid| shared.instance(&guid));
        match (instance, reply) {
            (Some(instance), Reply::Json(mut value)) => {
                stale::leave_out(&mut value, &instance.world().fresh(lag));
                Reply::Json(value)
            }
            (_, reply) => reply,
        }
    }
}

/// A state of publishing that says whether the Content Fetch API is behind.
fn with_progress(reply: Reply, call: &Call, instance: &Instance) -> Reply {
    match reply {
        Reply::Json(mut status)
            if call.tail(AFTER_GUID).as_slice() == ["fetch-api-status"] && instance.is_behind() =>
        {
            status["inProgress"] = true.into();
            status["completionTime"] = Value::Null;
            Reply::Json(status)
        }
        reply => reply,
    }
}

fn bearer(shared: &Shared, credential: Option<&str>) -> Result<(), Refusal> {
    let accepted = credential.is_some_and(|token| {
        let is_given =
            || shared.tokens.is_empty() || shared.tokens.iter().any(|known| known == token);
        shared.sign_in.accepts(token).unwrap_or_else(is_given)
    });
    if accepted {
        Ok(())
    } else {
        Err(Refusal::new(401, "Unauthorized"))
    }
}

/// A file; `at` is the segment of the container.
fn download(shared: &Shared, call: &Call, at: usize) -> Answer {
    if call.verb != Verb::Get {
        return no_route();
    }
    let key = call.segments[at + 1..].join("/");
    let instance = shared
        .by_asset_container(call.raw(at))
        .ok_or_else(|| Refusal::not_found("The asset container"))?;
    let download = instance.world().download(&key);
    download
        .map(Reply::File)
        .ok_or_else(|| Refusal::not_found("The asset"))
}

/// The `ServerUser`, which may use every instance.
fn user(shared: &Shared) -> serde_json::Value {
    let listing = |index: usize, guid: &str, name: &str| {
        json!({
            "orgCode": "mock", "orgName": "Mock", "websiteName": name, "websiteNameStripped": name.replace(' ', ""),
            "displayName": name, "guid": guid, "websiteID": 500 + index, "isCurrent": index == 0, "managerUrl": null,
            "version": null, "isOwner": true, "isDormant": false, "isRestoring": false, "teamID": null
        })
    };
    let access = shared
        .instances()
        .into_iter()
        .enumerate()
        .map(|(index, instance)| {
            let name = instance.world().name().to_owned();
            listing(index, &instance.guid, &name)
        });
    json!({
        "userID": 12, "userName": "mock", "emailAddress": "mock@example.test", "firstName": "Mock", "lastName": "User",
        "isSuspended": false, "isProfileComplete": true, "currentWebsite": null, "userTypeID": 1, "timeZoneRegion": "UTC",
        "jobRole": null, "createdDate": "2020-01-01T00:00:00", "websiteAccess": access.collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::http::call::Payload;
    use bytes::Bytes;

    fn target(method: &str, path: &str) -> (Target, bool) {
        let call = Call::new(method, path, "", Payload::Bytes(Bytes::new()));
        let target = Target::of(&call);
        (target, target.writes(&call))
    }

    #[test]
    fn paths_are_told_apart_in_any_case() {
        assert_eq!(
            target("GET", "/API/v1/Instance/a-u/Model/List/false").0,
            Target::Management
        );
        assert_eq!(
            target("GET", "/OAuth/getPREVIEWkey").0,
            Target::Key(Mode::Preview)
        );
        assert_eq!(
            target("GET", "/a-u/Fetch/en-us/sync/items").0,
            Target::Fetch(Mode::Fetch)
        );
        assert_eq!(
            target("GET", "/origin/demo/a%20b/c.jpg").0,
            Target::Download
        );
        assert_eq!(target("GET", "/demo/a/c.jpg").0, Target::PlainDownload);
        assert_eq!(target("GET", "/demo").0, Target::Nothing);
    }

    #[test]
    fn writes_are_told_from_reads() {
        let base = "/api/v1/instance/a-u";
        for (method, path, writes) in [
            ("POST", "/en-us/item/multi", true),
            ("POST", "/asset/upload", true),
            ("DELETE", "/model/5", true),
            ("GET", "/en-us/item/5/publish", true),
            ("GET", "/en-us/page/5/request-approval", true),
            ("POST", "/en-us/list/articles", false),
            ("GET", "/en-us/item/5/history", false),
            ("GET", "/en-us/page/templates", false),
        ] {
            assert_eq!(target(method, &format!("{base}{path}")).1, writes, "{path}");
        }
    }
}
