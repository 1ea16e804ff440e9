//! The certificates that this machine trusts, read once for all connections of a process.
//!
//! They are some hundred and fifty, in one file or many. Each HTTP client would read and parse them anew, and a run has four.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore};

static TRUSTING: LazyLock<Option<ClientConfig>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    // One that cannot be read or parsed is left out: others may do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?;
    Some(config.with_root_certificates(roots).with_no_client_auth())
});

/// Lets an HTTP client trust what this machine trusts.
pub(super) fn trusting(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    match &*TRUSTING {
        Some(config) => builder.tls_backend_preconfigured(config.clone()),
        None => builder,
    }
}
