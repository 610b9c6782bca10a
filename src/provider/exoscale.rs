//! Exoscale: the engine of exoscale/vault-plugin-secrets-exoscale (`path_apikey.go`, `secret_apikey.go`).

use super::{Absent, Effect, Field, Provider, ProviderOption, Read, option};
use crate::options::Opt;

static ZONE: Opt = option("zone", "ZONE", "ZONE", "The zone to export as EXOSCALE_ZONE");

/// `ci-creds exoscale`.
pub(super) static EXOSCALE: Provider = Provider {
    name: "exoscale",
    title: "Exoscale",
    about: "An Exoscale API key",
    mount: "exoscale",
    // The engine answers GET only; POST is 405.
    read: Read::get("apikey/{role}"),
    role_config: "role/{role}",
    fallbacks: &[],
    fields: &[
        Field {
            name: "api_key",
            from: &["api_key"],
            sets: &["EXOSCALE_API_KEY"],
            absent: Absent::Error,
            sensitive: false,
        },
        Field {
            name: "api_secret",
            from: &["api_secret"],
            sets: &["EXOSCALE_API_SECRET"],
            absent: Absent::Error,
            sensitive: true,
        },
    ],
    // Older names; the Terraform provider prefers them (pkg/provider/provider.go).
    unsets: &["EXOSCALE_KEY", "EXOSCALE_SECRET", "EXOSCALE_SECRET_KEY"],
    options: &[ProviderOption { opt: &ZONE, effect: Effect::Sets(&["EXOSCALE_ZONE"]) }],
    label: Some("name"),
    key_names: "vault-",
    outlives_token: None,
    ttl_parameter: None,
    expiry: &[],
    expiry_variable: None,
};
