//! ID tokens as GitLab issues them, signed with a key of the harness that a jwt mount is told to trust.

use std::sync::LazyLock;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _};
use serde_json::{Value, json};

use super::{Fake, Reply, Space, secret};

/// The instance that issues the tokens.
pub const ISSUER: &str = "https://gitlab.example.com";
/// The audience that the jobs ask for.
pub const AUDIENCE: &str = "https://vault.example.com";

/// A jwt auth mount.
pub struct Jwt<'a> {
    pub(super) space: &'a Space<'a>,
    /// Where it is mounted, without `auth/`.
    pub mount: String,
}

impl Jwt<'_> {
    /// A role bound to AUDIENCE; `params` are added to it or replace its defaults.
    pub fn role(&self, name: &str, params: Value) {
        let defaults =
            json!({"role_type": "jwt", "user_claim": "project_path", "bound_audiences": [AUDIENCE]});
        self.space.write(&format!("auth/{}/role/{name}", self.mount), merge(defaults, params));
    }
}

/// A signed ID token with [`claims`]; `changes` replace claims, and null removes one.
pub fn mint(changes: Value) -> String {
    sign(&merge(claims(), changes))
}

/// A signed token with these very claims.
pub fn sign(claims: &Value) -> String {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("harness".to_owned());
    encode(&header, claims, &ENCODING).unwrap()
}

/// The claims of a push to a protected branch of group/project, as GitLab writes them: numbers are mostly strings.
pub fn claims() -> Value {
    let now = jiff::Timestamp::now().as_second();
    json!({
        "namespace_id": "72", "namespace_path": "group", "project_id": "22", "project_path": "group/project",
        "user_id": "1", "user_login": "alice", "user_email": format!("{}@example.com", secret()),
        "user_access_level": "maintainer",
        "user_identities": [{"provider": "saml", "extern_uid": secret()}],
        "pipeline_id": "1212", "pipeline_source": "push", "job_id": "4242",
        "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
        "environment": "production", "environment_protected": "true", "deployment_tier": "production",
        "environment_action": "start",
        "runner_id": 1, "runner_environment": "self-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "private",
        "ci_config_ref_uri": "gitlab.example.com/group/project//.gitlab-ci.yml@refs/heads/main",
        "ci_config_sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "jti": format!("{}", super::unique()), "iss": ISSUER, "aud": AUDIENCE,
        "sub": "project_path:group/project:ref_type:branch:ref:main",
        "iat": now, "nbf": now - 5, "exp": now + 3600,
    })
}

/// The configuration of a jwt mount that trusts this key.
pub fn trust() -> Value {
    json!({"jwt_validation_pubkeys": [KEY.public_key_pem()], "bound_issuer": ISSUER})
}

/// The key as GitLab publishes it.
pub fn jwks() -> Value {
    use base64::Engine as _;
    let der = KEY.der_bytes();
    // PKCS#1 at this key size: a sequence of the modulus, after 9 bytes of headers, and the exponent 65537.
    let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&der[9..9 + 256]);
    json!({"keys": [{"kty": "RSA", "kid": "harness", "use": "sig", "alg": "RS256", "n": modulus, "e": "AQAB"}]})
}

/// A GitLab that publishes the key: its configuration, and the keys at any other path.
pub fn issuer() -> Fake {
    Fake::new(|seen| {
        let own = format!("http://{}", seen.header("host").unwrap());
        match seen.target() {
            "/.well-known/openid-configuration" => Reply::Json(
                200,
                json!({
                    "issuer": own, "jwks_uri": format!("{own}/keys"), "response_types_supported": ["code"],
                    "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
                }),
            ),
            _ => Reply::Json(200, jwks()),
        }
    })
}

fn merge(mut base: Value, changes: Value) -> Value {
    let fields = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        fields.insert(name.clone(), value.clone());
    }
    fields.retain(|_, value| !value.is_null());
    base
}

/// RS256, as GitLab's own.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap());

/// jsonwebtoken takes the bare RSA key (PKCS#1), which is what PKCS#8 wraps into 26 bytes at this key size.
static ENCODING: LazyLock<EncodingKey> =
    LazyLock::new(|| EncodingKey::from_rsa_der(&KEY.serialize_der()[26..]));
