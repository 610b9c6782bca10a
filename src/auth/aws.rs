//! AWS IAM: signs an sts:GetCallerIdentity request that Vault forwards to AWS, so that AWS tells Vault who this runner
//! is (Vault's builtin/credential/aws `path_login.go`). It must not look for AWS credentials: `cloud::aws` does.

use super::{Gathered, Insight, Login, Method, Need, Origin, PLAIN, Place};
use crate::vault::{self, Body};

/// `--auth aws`.
pub(super) static AWS: Method = Method {
    name: "aws",
    title: "AWS IAM",
    needs: &[Need {
        name: "iam_request",
        what: "AWS credentials",
        places: &[Place::AwsIdentity],
        missing: None,
    }],
    request: Some(request),
    refusals: &[
        (
            "does not belong to the role",
            "the role's bound_iam_principal_arn must name this principal (for an assumed role, the IAM role's ARN)",
        ),
        ("entry for role", "there is no role {role} at auth/{mount}: set VAULT_AUTH_ROLE or --auth-role"),
        (
            "IAM-Server-ID",
            "--aws-server-id or CI_CREDS_AWS_SERVER_ID must be iam_server_id_header_value of auth/{mount}",
        ),
        (
            "SignatureDoesNotMatch",
            "was the credential changed, or is the region another than Vault's sts_region? --aws-sts-region",
        ),
        ("Credential should be scoped to a valid region", "--aws-sts-region must be Vault's sts_region"),
        ("ExpiredToken", "the AWS credentials have expired: choose other ones with --aws-source"),
        ("InvalidClientTokenId", "AWS does not know these credentials: choose other ones with --aws-source"),
        ("Signature expired", "compare this runner's clock with AWS's"),
        ("could not load configuration", "auth/{mount} is not configured: write auth/{mount}/config/client"),
        (
            "making upstream request",
            "AWS did not accept the signature, or Vault can't reach its STS endpoint",
        ),
    ],
    absent: &["entry for role", "could not load configuration"],
    insight,
    ..PLAIN
};

fn request(login: &Login, gathered: &Gathered) -> Body {
    let mut body = super::with_role(login, gathered);
    body.0.retain(|(name, _)| name != "aws_source");
    body
}

/// After `eval "$(ci-creds aws)"` the job's AWS_* variables are the narrow ones, which may not log in.
fn insight(login: &Login, gathered: &Gathered, error: &vault::Error) -> Insight {
    let Some(Origin::Signed(identity)) = login.origin("iam_request") else { return Insight::default() };
    let Some(used) = gathered.get("aws_source").filter(|_| error.refusal().is_some()) else {
        return Insight::default();
    };
    let used = used.reveal();
    let notes = vec![format!("the AWS credentials came from {used}")];
    // The text for a principal that is not the runner's, or that no longer exists.
    let somebody_else = ["does not belong to the role", "ExpiredToken", "InvalidClientTokenId"]
        .iter()
        .any(|text| error.says(text));
    let hints = match identity.other_than_variables().filter(|_| somebody_else) {
        Some(other) if used.starts_with("AWS_ACCESS_KEY_ID") => vec![format!(
            "if an earlier `ci-creds aws` set {used}, log in with the runner's own: --aws-source {other} or \
             CI_CREDS_AWS_SOURCE={other}"
        )],
        _ => Vec::new(),
    };
    Insight { notes, hints, is_whole: false }
}
