//! Kubernetes: logs in with the service account token of the job's pod, which the kubelet renews in its file
//! (vault-plugin-auth-kubernetes `path_login.go`). It must not read that file: `session` does.

use super::{Method, Need, PLAIN, Place};
use crate::options;

/// `--auth kubernetes`.
pub(super) static KUBERNETES: Method = Method {
    name: "kubernetes",
    title: "Kubernetes",
    needs: &[Need {
        name: "jwt",
        what: "a service account token",
        places: &[
            Place::File(&options::ID_TOKEN_FILE),
            Place::Path("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        ],
        missing: None,
    }],
    needs_role: true,
    refusals: &[
        (
            "invalid role name",
            "there is no role {role} at auth/{mount}: check VAULT_AUTH_ROLE and VAULT_AUTH_PATH",
        ),
        (
            "could not load backend configuration",
            "auth/{mount} is not configured: it needs kubernetes_host, and a way to review tokens",
        ),
        (
            "namespace not authorized",
            "run the pod in a namespace that the role allows; or the role's bound_service_account_namespaces must contain \
             the namespace of this pod",
        ),
        (
            "service account name not authorized",
            "give the pod a service account that the role allows; or the role's bound_service_account_names must contain \
             the service account of this pod",
        ),
        (
            "invalid audience",
            "the role's audience must be one of the token's: name a projected token with --id-token-file",
        ),
        (
            "permission denied",
            "Kubernetes did not vouch for the token (is it this cluster's, and current? May auth/{mount} create \
             tokenreviews?), or no Kubernetes method is mounted at auth/{mount}: --auth-path or VAULT_AUTH_PATH",
        ),
    ],
    absent: &["invalid role name", "could not load backend configuration"],
    ..PLAIN
};
