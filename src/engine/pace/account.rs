//! The key by which a server counts requests: host and token.

use crate::domain::Secret;

/// Keeps the hashes apart from those of other uses.
const CONTEXT: &str = "lockgate 2026-11 fingerprint of the token of a quota";

/// A host and a token, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Host and port.
    pub(super) host: String,
    /// 128 bits of a hash of the token that is keyed by the host, in hexadecimal digits: the token does not follow from it, and the
    /// same token has another one at another host.
    pub(super) fingerprint: String,
}

impl Account {
    /// The account of a token at a host.
    pub fn of(host: &str, token: &Secret) -> Self {
        let key = blake3::derive_key(CONTEXT, host.as_bytes());
        let hash = blake3::keyed_hash(&key, token.expose().as_bytes());
        Self {
            host: host.to_owned(),
            fingerprint: hash.to_hex()[..32].to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_tokens_and_hosts_apart_and_shows_neither() {
        let of = |host, token| Account::of(host, &Secret::new(token));
        let one = of("mgmt.example", "n33dle-of-an-account");
        assert_eq!(one, of("mgmt.example", "n33dle-of-an-account"));
        let other = of("mgmt.example", "n33dle-of-another");
        let elsewhere = of("mgmt-eu.example", "n33dle-of-an-account");
        assert_ne!(one.fingerprint, other.fingerprint);
        assert_ne!(one.fingerprint, elsewhere.fingerprint);
        assert_eq!(one.fingerprint.len(), 32);
        assert!(!format!("{one:?}").contains("n33dle"));
    }
}
