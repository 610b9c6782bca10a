//! AWS: Vault's engine (builtin/logical/aws: `path_user.go`, `secret_access_keys.go`) and OpenBao's plugin.

use super::{Absent, Effect, Field, Provider, ProviderOption, Read, Step, option, switch};
use crate::options::Opt;

static ROLE_ARN: Opt =
    option("role-arn", "ARN", "ROLE_ARN", "The AWS role to assume, where the Vault role allows several");
static ROLE_SESSION_NAME: Opt =
    option("role-session-name", "NAME", "ROLE_SESSION_NAME", "The session's name in CloudTrail");
static REGION: Opt = option("region", "REGION", "REGION", "The region to export");
static WAIT: Opt =
    switch("wait", "WAIT", "Wait until AWS knows the new key of an IAM user: it takes some seconds");

/// `ci-creds aws`.
pub(super) static AWS: Provider = Provider {
    name: "aws",
    title: "AWS",
    about: "AWS credentials: an assumed role, a federated or session token, or an IAM user",
    mount: "aws",
    // sts/ and creds/, GET and POST are the same to the engine; policies allow one or the other.
    read: Read::get("sts/{role}"),
    role_config: "roles/{role}",
    fallbacks: &[Read::post("sts/{role}"), Read::get("creds/{role}"), Read::post("creds/{role}")],
    fields: &[
        Field {
            name: "access_key",
            from: &["access_key"],
            sets: &["AWS_ACCESS_KEY_ID"],
            absent: Absent::Error,
            sensitive: false,
        },
        Field {
            name: "secret_key",
            from: &["secret_key"],
            sets: &["AWS_SECRET_ACCESS_KEY"],
            absent: Absent::Error,
            sensitive: true,
        },
        // Vault before 1.16 says security_token; null means a long-lived pair, whose tools must see no token.
        Field {
            name: "session_token",
            from: &["session_token", "security_token"],
            sets: &["AWS_SESSION_TOKEN"],
            absent: Absent::Unset,
            sensitive: true,
        },
    ],
    // botocore takes AWS_SECURITY_TOKEN before AWS_SESSION_TOKEN; a profile wins over keys in several SDKs.
    unsets: &["AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"],
    options: &[
        ProviderOption { opt: &ROLE_ARN, effect: Effect::Asks("role_arn") },
        ProviderOption { opt: &ROLE_SESSION_NAME, effect: Effect::Asks("role_session_name") },
        ProviderOption {
            // botocore reads AWS_DEFAULT_REGION only, the other SDKs AWS_REGION.
            opt: &REGION,
            effect: Effect::Sets(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
        },
        ProviderOption { opt: &WAIT, effect: Effect::Switches(Step::Wait) },
    ],
    label: Some("arn"),
    key_names: "vault-",
    // AWS keeps an STS session alive whatever becomes of Vault's token or lease.
    outlives_token: Some("session_token"),
    ttl_parameter: Some("ttl"),
    expiry: &["ttl", "expiration"],
    // Makes the SDKs fail with a clear message when the time is up, instead of sending dead keys.
    expiry_variable: Some("AWS_CREDENTIAL_EXPIRATION"),
};
