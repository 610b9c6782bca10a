//! Exoscale: the engine of exoscale/vault-plugin-secrets-exoscale (`path_apikey.go`, `secret_apikey.go`). This file
//! holds data only.

use super::{Effect, Field, PLAIN, Provider, ProviderOption, Route, Sketch, option, sketch};
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
    key_prefix: "vault-",
    sketch: Sketch {
        engine: "vault-plugin-secrets-exoscale",
        role: r#"{"iam-role": "<iam_role>", "ttl": 900, "max_ttl": 1800, "renewable": true}"#,
        notes: &[
            "<iam_role> is the IAM role at Exoscale: what the keys may do. The older keys have no role: they take \
             operations=<list-zones,…> in its place, and resources.",
            "{mount}/config/root has the engine's own key: root_api_key, root_api_secret, zone. Write it from a file, and \
             look at no answer, which has the key in it: {cli} write {mount}/config/root @root.json >/dev/null",
        ],
        ..sketch::NONE
    },
    ..PLAIN
};
