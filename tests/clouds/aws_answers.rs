//! What the AWS engine answers, in each version of Vault and OpenBao that is around; the real engine in the tests
//! is one of them (hashicorp/vault: builtin/logical/aws, openbao/openbao-plugins: secrets/aws).

use serde_json::{Value, json};

use crate::support::{Fake, Reply, script, secret};

/// A credential type, what an engine adds to the pair for it, the answer's lease, and whether it is a session.
type Shape = (&'static str, fn(&str) -> Value, Value, bool);

#[test]
fn every_version_of_every_credential_type() {
    let (sts, user) = (json!([3600, false]), json!([2_764_800, true]));
    let shapes: [Shape; 8] = [
        (
            "assumed_role, Vault to 1.15",
            |token| json!({"security_token": token, "arn": "a", "ttl": 3599}),
            sts.clone(),
            true,
        ),
        (
            "assumed_role",
            |token| json!({"security_token": token, "session_token": token, "arn": "a", "ttl": 3599}),
            sts.clone(),
            true,
        ),
        (
            "federation_token",
            |token| json!({"security_token": token, "session_token": token, "ttl": 3599}),
            sts.clone(),
            true,
        ),
        (
            "session_token, from Vault 1.16 on",
            |token| json!({"session_token": token, "ttl": 3599}),
            sts.clone(),
            true,
        ),
        (
            "session_token, security_token is null",
            |token| json!({"session_token": token, "security_token": null}),
            sts,
            true,
        ),
        ("iam_user, Vault to 1.15", |_| json!({"security_token": null}), user.clone(), false),
        ("iam_user", |_| json!({"session_token": null}), user, false),
        ("static-creds", |_| json!({}), json!([0, false]), false),
    ];
    for (name, extra, lease, is_session) in shapes {
        let (secret_key, token) = (secret(), secret());
        let mut data = json!({"access_key": "AKIA1", "secret_key": secret_key});
        data.as_object_mut().unwrap().extend(extra(&token).as_object().unwrap().clone());
        let lease_id = if lease[0] == 0 { "" } else { "aws/sts/web/1" };
        let answer =
            json!({"data": data, "lease_id": lease_id, "lease_duration": lease[0], "renewable": lease[1]});
        let fake = Fake::new(move |seen| match seen.line.as_str() {
            "GET /v1/aws/sts/web" => Reply::Json(200, answer.clone()),
            _ => Reply::Vault,
        });
        let job = "eval $(ci-creds aws web); echo \"$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY ${AWS_SESSION_TOKEN-unset} ${AWS_SECURITY_TOKEN-unset}\"";
        let stale = [("AWS_SESSION_TOKEN", "stale"), ("AWS_SECURITY_TOKEN", "stale")];
        let run = script("dash", job).env("VAULT_ADDR", &fake.addr).env("VAULT_TOKEN", secret()).envs(stale);
        let run = run.run().expect(0);
        let session = if is_session { token.as_str() } else { "unset" };
        assert_eq!(run.stdout, format!("AKIA1 {secret_key} {session} unset\n"), "{name}: {run}");
    }
}
