//! Which hosts files are downloaded from.
//!
//! An editor can write any address into an asset, and what is downloaded is uploaded to the target. So a file is fetched
//! only from hosts that have to do with the instance, and what their names resolve to is checked by the resolver that the
//! connection uses, because a name may resolve to something else a moment later.
//!
//! ```text
//!   URL ─▶ scheme, host ─▶ address of a literal ─▶ request ─▶ resolver: addresses of the name ─▶ connection
//!    ▲                                                │
//!    └────────────────── redirect ────────────────────┘
//! ```
//!
//! Names of proxies pass the resolver unchecked: the user configured them, and a proxy resolves the rest by itself.

use std::collections::HashSet;
use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::sync::OnceCell;
use url::{Host, Url};

use super::classify;
use super::hosts::{Hosts, Reach, VENDOR, is_below, reach};
use crate::instance::Misplaced;

/// The domains under which the vendor delivers files ("Assets", the vendor's API).
const VENDORS: [&str; 2] = [VENDOR, "agilitycms.com"];

/// The hosts of one instance. Clones are one.
#[derive(Clone, Debug)]
pub(super) struct FileHosts(Arc<Rule>);

#[derive(Debug)]
struct Rule {
    /// The base addresses of the APIs.
    own: Vec<Url>,
    /// Hosts that the user named: `HOST` or `HOST:PORT`.
    named: Vec<String>,
    /// Names of allowed hosts; their addresses are checked.
    checked: Mutex<HashSet<String>>,
    /// Where the instance itself is.
    reaches: OnceCell<Vec<Reach>>,
}

/// A name that leads to an internal address only.
#[derive(Debug, thiserror::Error)]
#[error("{0} is an internal address")]
struct Internal(IpAddr);

impl FileHosts {
    /// `named` are hosts that the user allows, as `HOST` or `HOST:PORT`.
    pub(super) fn new(hosts: &Hosts, named: Vec<String>) -> Self {
        let bases = [&hosts.management, &hosts.fetch];
        let own = bases.into_iter().filter_map(|base| Url::parse(base).ok());
        Self(Arc::new(Rule {
            own: own.collect(),
            named,
            checked: Mutex::default(),
            reaches: OnceCell::new(),
        }))
    }

    /// Whether a host is known without asking the server for its asset container.
    pub(super) fn knows(&self, url: &Url) -> bool {
        let rule = &self.0;
        let name = url.host_str().unwrap_or_default();
        let is_vendors = VENDORS.iter().any(|domain| is_below(name, domain));
        let authority = url.port().map(|port| format!("{name}:{port}"));
        let is_named = |allowed: &String| {
            allowed.eq_ignore_ascii_case(name)
                || authority
                    .as_ref()
                    .is_some_and(|authority| allowed.eq_ignore_ascii_case(authority))
        };
        is_vendors && url.port().is_none()
            || rule.own.iter().any(|own| is_same_host(own, url))
            || rule.named.iter().any(is_named)
    }

    /// Checks the address of a file on an allowed host, and has the addresses of its name checked from now on.
    ///
    /// # Errors
    /// [`Misplaced::Internal`]
    pub(super) async fn admit(&self, url: &Url) -> Result<(), Misplaced> {
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(name)) => {
                let mut checked = self.0.checked.lock().expect("no holder panics");
                checked.insert(name.to_owned());
                None
            }
            None => None,
        };
        match literal {
            Some(address) if !self.0.reaches(address).await => Err(internal(url, address)),
            Some(_) | None => Ok(()),
        }
    }

    /// The refusal that a failed request was due to, if it was due to one.
    pub(super) fn refusal(error: &reqwest::Error, url: &Url) -> Option<Misplaced> {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(Internal(address)) = inner.downcast_ref() {
                return Some(internal(url, *address));
            }
            source = inner.source();
        }
        None
    }
}

/// Whether two URLs name the same host, with the same port where one is named.
pub(super) fn is_same_host(known: &Url, url: &Url) -> bool {
    known.host().is_some() && known.host() == url.host() && known.port() == url.port()
}

/// The host of a URL, for messages.
pub(super) fn shown_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    classify::name(&host).unwrap_or_default()
}

fn internal(url: &Url, address: IpAddr) -> Misplaced {
    Misplaced::Internal {
        host: shown_host(url),
        address,
    }
}

impl Rule {
    /// Whether a file may be at an address: internal ones only where the instance itself is.
    async fn reaches(&self, address: IpAddr) -> bool {
        let place = reach(address);
        if place == Reach::Public {
            return true;
        }
        let own = self.reaches.get_or_init(|| self.own_reaches()).await;
        own.contains(&place)
    }

    async fn own_reaches(&self) -> Vec<Reach> {
        let mut reaches = Vec::new();
        for url in &self.own {
            match url.host() {
                Some(Host::Ipv4(address)) => reaches.push(reach(address.into())),
                Some(Host::Ipv6(address)) => reaches.push(reach(address.into())),
                Some(Host::Domain(name)) => {
                    let found = lookup_host((name, 0)).await;
                    reaches.extend(found.into_iter().flatten().map(|one| reach(one.ip())));
                }
                None => {}
            }
        }
        reaches
    }

    /// The addresses of a name to which a connection may be made.
    async fn resolve(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found: Vec<SocketAddr> = lookup_host((name, 0)).await?.collect();
        let is_checked = |name: &str| {
            let checked = self.checked.lock().expect("no holder panics");
            checked.contains(name)
        };
        if !is_checked(name) {
            return Ok(found);
        }
        let mut allowed = Vec::new();
        for address in &found {
            if self.reaches(address.ip()).await {
                allowed.push(*address);
            }
        }
        match (allowed.is_empty(), found.first()) {
            (true, Some(first)) => Err(Box::new(Internal(first.ip()))),
            _ => Ok(allowed),
        }
    }
}

impl Resolve for FileHosts {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = rule.resolve(name.as_str()).await?;
            Ok::<Addrs, _>(Box::new(addresses.into_iter()))
        })
    }
}
