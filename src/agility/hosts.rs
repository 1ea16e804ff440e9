//! Where the two APIs of an instance are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::domain::Guid;

use super::ConnectionError;

/// The base addresses of one instance, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    /// Of the Management API and of `/oauth`.
    pub(crate) management: String,
    /// Of the Content Fetch API.
    pub(crate) fetch: String,
    /// Whether they are on this machine, where no proxy may stand between.
    pub(crate) loopback: bool,
}

impl Hosts {
    /// Derives the addresses from the GUID, or takes `base_url` for both.
    pub(crate) fn of(guid: &Guid, base_url: Option<&str>) -> Result<Self, ConnectionError> {
        check_guid(guid)?;
        let Some(given) = base_url else {
            let region = region(guid.as_str());
            return Ok(Self {
                management: format!("https://mgmt{region}.aglty.io"),
                fetch: format!("https://api{region}.aglty.io"),
                loopback: false,
            });
        };
        let url = base(given)?;
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            management: text.clone(),
            fetch: text,
            loopback: place(&url) == Place::Loopback,
        })
    }
}

/// A region of the vendor.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// What a GUID of it ends in, after a dash.
    pub suffix: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What its host names have in them.
    host: &'static str,
}

/// All regions ("Hosts", vendor's SDK).
pub const REGIONS: [Region; 6] = [
    Region::new("u", "USA", ""),
    Region::new("us2", "USA 2", "-usa2"),
    Region::new("c", "Canada", "-ca"),
    Region::new("e", "Europe", "-eu"),
    Region::new("a", "Australia", "-aus"),
    Region::new("d", "vendor's development", "-dev"),
];

impl Region {
    const fn new(suffix: &'static str, name: &'static str, host: &'static str) -> Self {
        Self { suffix, name, host }
    }

    /// The region of a GUID; `None` where its ending is not known.
    fn of(guid: &str) -> Option<Self> {
        let (_, suffix) = guid.rsplit_once('-')?;
        let is_it = |region: &Self| region.suffix.eq_ignore_ascii_case(suffix);
        REGIONS.into_iter().find(is_it)
    }
}

/// Whether the hosts of an instance follow from its GUID: it ends in a known suffix, or is an old one without any. Such a
/// one is a UUID, whose last part is no region, or has no dash at all.
pub fn is_of_known_region(guid: &str) -> bool {
    matches!(guid.split('-').count(), 1 | 5) || Region::of(guid).is_some()
}

/// The name of the region that a GUID ends in; `None` where it names none.
pub fn region_name(guid: &str) -> Option<&'static str> {
    Region::of(guid).map(|region| region.name)
}

/// The part of the host name that names the region: a GUID that ends in no known suffix is in the USA. The dash counts, or
/// old GUIDs that end in a hexadecimal `a` would go to Australia.
fn region(guid: &str) -> &'static str {
    Region::of(guid).map_or("", |region| region.host)
}

fn check_guid(guid: &Guid) -> Result<(), ConnectionError> {
    let text = guid.as_str();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || !text.chars().all(allowed) {
        return Err(ConnectionError::Guid(text.to_owned()));
    }
    Ok(())
}

fn base(given: &str) -> Result<Url, ConnectionError> {
    let refuse = |reason: &str| ConnectionError::BaseUrl {
        url: given.to_owned(),
        reason: reason.to_owned(),
    };
    let url = Url::parse(given.trim()).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(refuse("it has to begin with http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must not have a query or a fragment"));
    }
    Ok(url)
}

/// Where a URL leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To this machine: `localhost` or a loopback address. Addresses that stand for any one, and IPv4 addresses written
    /// as IPv6, are not.
    Loopback,
    /// To a host of the vendor.
    Vendor,
    /// Elsewhere.
    Other,
}

/// The domain of the vendor's APIs.
pub(super) const VENDOR: &str = "aglty.io";

/// Where a URL leads.
pub fn place(url: &Url) -> Place {
    match url.host() {
        Some(Host::Ipv4(address)) if address.is_loopback() => Place::Loopback,
        Some(Host::Ipv6(address)) if address.is_loopback() => Place::Loopback,
        Some(Host::Domain(name)) if name.eq_ignore_ascii_case("localhost") => Place::Loopback,
        Some(Host::Domain(name)) if is_below(name, VENDOR) => Place::Vendor,
        Some(_) | None => Place::Other,
    }
}

/// Whether a host name is a domain or stands below it.
pub(super) fn is_below(name: &str, domain: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let rest = name.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere.
    Public,
    /// This machine: loopback, and the addresses that stand for any of its own.
    Machine,
    /// A network of its owner (RFC 1918, RFC 4193), shared with a carrier (RFC 6598, RFC 6890), or for measurements (RFC 2544).
    Private,
    /// One segment of a network, where clouds keep the credentials of a machine.
    Link,
    /// Many receivers, or none yet: multicast and reserved addresses.
    Reserved,
}

/// How far an address reaches. An IPv4 address inside an IPv6 one is taken for itself.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => match inner_v4(address) {
            Some(inner) => reach_v4(inner),
            None => reach_v6(address),
        },
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [0 | 127, ..] => Reach::Machine,
        [10, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [100, 64..=127, ..]
        | [192, 0, 0, _]
        | [198, 18 | 19, ..] => Reach::Private,
        [169, 254, ..] => Reach::Link,
        [224..=255, ..] => Reach::Reserved,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if address.is_loopback() || address.is_unspecified() {
        return Reach::Machine;
    }
    match address.segments()[0] {
        0xfc00..=0xfdff | 0xfec0..=0xfeff => Reach::Private,
        0xfe80..=0xfebf => Reach::Link,
        0xff00..=0xffff => Reach::Reserved,
        _ => Reach::Public,
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, translated (RFC 6052, RFC 8215) or tunnelled (RFC
/// 3056).
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reaches_as_far_as_what_it_leads_to() {
        for (reaches, addresses) in [
            (
                Reach::Machine,
                &[
                    "127.0.0.1",
                    "127.255.1.2",
                    "0.0.0.0",
                    "0.1.2.3",
                    "::",
                    "::1",
                    "::ffff:127.0.0.1",
                    "::127.0.0.1",
                    "64:ff9b::7f00:1",
                    "2002:7f00:1::",
                    "::ffff:0:127.0.0.1",
                ][..],
            ),
            (
                Reach::Private,
                &[
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "198.18.0.1",
                    "192.0.0.8",
                    "fd00::1",
                    "fec0::1",
                    "::ffff:10.0.0.1",
                    "64:ff9b:1::a00:1",
                ],
            ),
            (
                Reach::Link,
                &["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"],
            ),
            (
                Reach::Reserved,
                &["224.0.0.1", "240.0.0.1", "255.255.255.255", "ff02::1"],
            ),
            (
                Reach::Public,
                &[
                    "1.1.1.1",
                    "172.32.0.1",
                    "100.128.0.1",
                    "192.169.0.1",
                    "2606:4700::1111",
                    "::ffff:1.1.1.1",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(reach(address.parse().unwrap()), reaches, "{address}");
            }
        }
    }

    fn management(guid: &str) -> String {
        Hosts::of(&Guid::new(guid), None).unwrap().management
    }

    #[test]
    fn the_suffix_of_the_guid_tells_the_region() {
        assert_eq!(management("3fd91c07-u"), "https://mgmt.aglty.io");
        assert_eq!(management("3fd91c07-us2"), "https://mgmt-usa2.aglty.io");
        assert_eq!(management("3fd91c07-C"), "https://mgmt-ca.aglty.io");
        assert_eq!(management("3fd91c07-e"), "https://mgmt-eu.aglty.io");
        assert_eq!(management("3fd91c07-a"), "https://mgmt-aus.aglty.io");
        assert_eq!(management("3fd91c07-d"), "https://mgmt-dev.aglty.io");
        let hosts = Hosts::of(&Guid::new("3fd91c07-us2"), None).unwrap();
        assert_eq!(hosts.fetch, "https://api-usa2.aglty.io");
    }

    #[test]
    fn an_old_guid_is_not_sent_to_the_region_of_its_last_digit() {
        let old = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeea";
        assert_eq!(management(old), "https://mgmt.aglty.io");
    }

    #[test]
    fn a_given_url_stands_for_both() {
        let hosts = Hosts::of(&Guid::new("x-u"), Some("http://127.0.0.1:8400/")).unwrap();
        assert_eq!(hosts.management, "http://127.0.0.1:8400");
        assert_eq!(hosts.fetch, hosts.management);
        assert!(hosts.loopback);
        let proxy = Hosts::of(&Guid::new("x-u"), Some("https://proxy.test/agility/")).unwrap();
        assert_eq!(proxy.management, "https://proxy.test/agility");
        assert!(!proxy.loopback);
    }

    #[test]
    fn only_this_machine_and_the_vendor_are_known_places() {
        let of = |url: &str| place(&Url::parse(url).unwrap());
        for url in [
            "http://127.0.0.1:1",
            "http://127.9.9.9",
            "http://127.1",
            "http://[::1]:1",
            "http://LocalHost",
        ] {
            assert_eq!(of(url), Place::Loopback, "{url}");
        }
        for url in ["https://mgmt.aglty.io", "https://API-usa2.Aglty.IO/x"] {
            assert_eq!(of(url), Place::Vendor, "{url}");
        }
        for url in [
            "http://0.0.0.0",
            "http://0",
            "http://[::]",
            "http://[::ffff:127.0.0.1]",
            "http://128.0.0.1",
            "https://notaglty.io",
            "https://aglty.io.evil.test",
            "https://localhost.evil.test",
            "https://127.0.0.1.evil.test",
        ] {
            assert_eq!(of(url), Place::Other, "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["127.0.0.1:8400", "ftp://x.test", "http://x.test/?a=1", ""] {
            let refused = Hosts::of(&Guid::new("x-u"), Some(url));
            assert!(
                matches!(refused, Err(ConnectionError::BaseUrl { .. })),
                "{url}"
            );
        }
        for guid in ["", "a/b", "a b", "../x"] {
            assert!(
                matches!(
                    Hosts::of(&Guid::new(guid), None),
                    Err(ConnectionError::Guid(_))
                ),
                "{guid}"
            );
        }
    }
}
