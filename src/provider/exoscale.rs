//! Exoscale: the engine of exoscale/vault-plugin-secrets-exoscale (`path_apikey.go`, `secret_apikey.go`). It must be
//! data alone.

use super::{Effect, Field, PLAIN, Provider, ProviderOption, Route, option};
use crate::options::Opt;

static ZONE: Opt = option("zone", "ZONE", "ZONE", "The zone to export as EXOSCALE_ZONE");

/// `ci-creds exoscale`.
pub(super) static EXOSCALE: Provider = Provider {
    name: "exoscale",
    title: "Exoscale",
    about: "An Exoscale API key",
    mount: "exoscale",
    // The engine answers GET only; POST is 405.
    read: Route::get("apikey/{role}"),
    role_config: "role/{role}",
    // path_role.go
    role_fields: &["ttl", "max_ttl", "renewable", "iam-role-name", "iam-role-id", "operations", "resources"],
    fields: &[
        Field::id("api_key", &["api_key"], &["EXOSCALE_API_KEY"]),
        Field::secret("api_secret", &["api_secret"], &["EXOSCALE_API_SECRET"]),
    ],
    // Older names; the Terraform provider prefers them (pkg/provider/provider.go).
    unsets: &["EXOSCALE_KEY", "EXOSCALE_SECRET", "EXOSCALE_SECRET_KEY"],
    options: &[ProviderOption { opt: &ZONE, effect: Effect::Sets(&["EXOSCALE_ZONE"]) }],
    label: Some("name"),
    key_names: "vault-",
    ..PLAIN
};
