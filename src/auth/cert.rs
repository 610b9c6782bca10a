//! TLS certificate: logs in with the client certificate of the connection to Vault (Vault's builtin/credential/cert
//! `path_login.go`). It must not read the certificate: `http::tls` does.

use super::{Method, Need, PLAIN, Place};
use crate::options::{self, Opt};
use crate::vault::Body;

/// Where the certificate and its key are.
pub(super) static FILES: &[&Opt] = &[&options::CLIENT_CERT, &options::CLIENT_KEY];

/// `--auth cert`.
pub(super) static CERT: Method = Method {
    name: "cert",
    title: "TLS certificate",
    needs: &[Need {
        name: "client_cert",
        what: "a client certificate",
        places: &[Place::Connection(&[&options::CLIENT_CERT, &options::CLIENT_CERT_BYTES])],
        missing: Some(
            "set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY, or --client-cert and --client-key, or \
             VAULT_CLIENT_CERT_BYTES and VAULT_CLIENT_KEY_BYTES",
        ),
    }],
    // This method calls the role `name`. Without it, Vault tries every role.
    request: Some(|login, _| {
        let name = login.role.iter().map(|role| ("name".to_owned(), role.as_str().into()));
        Body(name.collect())
    }),
    refusals: &[
        (
            "invalid certificate",
            "a role at auth/{mount} must trust the CA of this certificate; where VAULT_AUTH_ROLE names one, that role",
        ),
        (
            "no chain matching all constraints",
            "no role at auth/{mount} trusts the CA of this certificate and allows its names too",
        ),
        ("failed to match all constraints", "the role {role} does not allow the names in this certificate"),
        (
            "no client certificate found",
            "the certificate did not reach Vault: use https://, and nothing that ends TLS before Vault",
        ),
        (
            "client certificate must be supplied",
            "the certificate did not reach Vault: does a proxy or load balancer end TLS before it?",
        ),
        (
            "tls connection required",
            "the certificate did not reach Vault: use https://, and nothing that ends TLS before Vault",
        ),
    ],
    ..PLAIN
};
