//! AWS: Vault's engine (builtin/logical/aws: `path_user.go`, `secret_access_keys.go`) and OpenBao's plugin. This
//! file holds data only; its steps are in the files beside it.

mod wait;

pub use wait::Unknown;

use super::{Absent, Effect, Field, PLAIN, Provider, ProviderOption, Route, Sketch, option, sketch, switch};
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
    read: Route::get("sts/{role}"),
    // builtin/logical/aws/path_roles.go
    role_fields: &[
        "ttl",
        "max_ttl",
        "credential_type",
        "role_arns",
        "policy_arns",
        "default_sts_ttl",
        "max_sts_ttl",
    ],
    refusals: &[
        ("not in allowed role arns", "--role-arn must be one of the role_arns of the Vault role"),
        ("unable to determine one", "the Vault role allows several AWS roles: choose one with --role-arn"),
        (
            "Throttling",
            "AWS limits how often it may be asked: retry the job, or issue fewer credentials at once",
        ),
        ("minimum field value of 900", "AWS gives no assumed role for less than 15m: raise --ttl"),
    ],
    fallbacks: &[Route::post("sts/{role}"), Route::get("creds/{role}"), Route::post("creds/{role}")],
    fields: &[
        Field::id("access_key", &["access_key"], &["AWS_ACCESS_KEY_ID"]),
        Field::secret("secret_key", &["secret_key"], &["AWS_SECRET_ACCESS_KEY"]),
        // Vault before 1.16 says security_token; null means a long-lived pair, whose tools must see no token.
        Field {
            absent: Absent::Unset,
            ..Field::secret("session_token", &["session_token", "security_token"], &["AWS_SESSION_TOKEN"])
        },
    ],
    // botocore takes AWS_SECURITY_TOKEN before AWS_SESSION_TOKEN; a profile wins over keys in several SDKs.
    unsets: &["AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"],
    options: &[
        ProviderOption { opt: &ROLE_ARN, effect: Effect::Asks("role_arn") },
        ProviderOption { opt: &ROLE_SESSION_NAME, effect: Effect::AsksForSession("role_session_name") },
        ProviderOption {
            // botocore reads AWS_DEFAULT_REGION only, the other SDKs AWS_REGION.
            opt: &REGION,
            effect: Effect::Sets(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
        },
        ProviderOption { opt: &WAIT, effect: Effect::Switches(&wait::STEP) },
    ],
    label: Some("arn"),
    key_prefix: "vault-",
    // AWS keeps an STS session alive whatever becomes of Vault's token or lease.
    outlives_token: Some("session_token"),
    ttl_parameter: Some("ttl"),
    expiry: &["ttl", "expiration"],
    // Makes the SDKs fail with a clear message when the time is up, instead of sending dead keys.
    expiry_variable: Some("AWS_CREDENTIAL_EXPIRATION"),
    sketch: Sketch {
        engine: "aws",
        // AWS gives no assumed role for less than 15 minutes.
        role: r#"{"credential_type": "assumed_role", "role_arns": ["<role_arn>"], "default_sts_ttl": 900, "max_sts_ttl": 3600}"#,
        notes: &[
            "At AWS, the trust policy of <role_arn> lets Vault's own user, and nobody else, assume it:",
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "<arn_of_vaults_user>"}}]}"#,
            "That user has this policy, and no other right:",
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "<role_arn>"}]}"#,
            "{mount}/config/root has that user's access_key, secret_key and region. Write it from a file: {cli} write {mount}/config/root @root.json",
        ],
        resource: "vault_aws_secret_backend_role",
        ..sketch::NONE
    },
    ..PLAIN
};
