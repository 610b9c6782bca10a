//! Whether a key of the issuer made a token's signature. Vault has the last word: a key set that can't be reached from
//! here must not fail the check.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use reqwest::{Method, Url};
use serde_json::{Map, Value};

use super::Step;
use crate::ci;
use crate::claims::Claims;
use crate::error::Code;
use crate::http::{Ca, Call, Client, Judgement, Settings, Tls, is_loopback};
use crate::policy::MachinePolicy;
use crate::secret::Secret;
use crate::shutdown::Shutdown;
use crate::text::Text;

/// The time-out of a key set.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where keys come from.
pub(super) enum Keys {
    /// The issuer says where: `ISS/.well-known/openid-configuration`.
    Discovery(String),
    /// The keys are at this address.
    Jwks(String),
    /// The keys themselves, as PEM.
    Pem(Vec<String>),
}

impl Keys {
    /// The keys that the mount trusts. If it names none, those that the token's issuer publishes.
    pub(super) fn of(config: &Map<String, Value>, claims: &Claims) -> Option<Self> {
        let text = |name| config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let pems = config.get("jwt_validation_pubkeys").and_then(Value::as_array).into_iter().flatten();
        let pems: Vec<String> = pems.filter_map(|pem| Some(pem.as_str()?.to_owned())).collect();
        if !pems.is_empty() {
            return Some(Self::Pem(pems));
        }
        if let Some(url) = text("jwks_url") {
            return Some(Self::Jwks(url.to_owned()));
        }
        let issuer = text("oidc_discovery_url").or_else(|| claims.get("iss")?.as_str());
        issuer.map(|issuer| Self::Discovery(issuer.to_owned()))
    }
}

/// Checks the signature, and nothing else.
pub(super) async fn check(token: &Secret, keys: &Keys, like: &Settings, shutdown: &Shutdown) -> Step {
    let Ok(header) = jsonwebtoken::decode_header(token.reveal()) else {
        return Step::fail("signature", Code::Environment, "the token's header can't be read")
            .hint(format!("give the token as {} made it", ci::current().name));
    };
    let (all, place) = match keys {
        Keys::Pem(pems) => {
            let keys = pems.iter().filter_map(|pem| key_of(pem)).collect::<Vec<_>>();
            (keys, "jwt_validation_pubkeys of the mount".to_owned())
        }
        Keys::Jwks(url) => match key_set(url, header.kid.as_deref(), like, shutdown).await {
            Ok(keys) => (keys, url.clone()),
            Err(why) => return Step::skip("signature", format!("not checked: {why}")),
        },
        Keys::Discovery(issuer) => match discover(issuer, header.kid.as_deref(), like, shutdown).await {
            Ok((keys, url)) => (keys, url),
            Err(why) => return Step::skip("signature", format!("not checked: {why}")),
        },
    };
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
    let made = |key: &DecodingKey| {
        jsonwebtoken::decode::<Map<String, Value>>(token.reveal(), key, &validation).is_ok()
    };
    if all.iter().any(made) {
        return Step::ok("signature", format!("made by a key of {place}"));
    }
    Step::fail("signature", Code::Refused, format!("not made by any key of {place}")).hint(format!(
        "the mount must trust the {} that made the token: oidc_discovery_url, jwks_url or keys",
        ci::current().name
    ))
}

async fn discover(
    issuer: &str,
    kid: Option<&str>,
    like: &Settings,
    shutdown: &Shutdown,
) -> Result<(Vec<DecodingKey>, String), String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let found: Value = get(&url, like, shutdown).await?;
    let keys = found.get("jwks_uri").and_then(Value::as_str).ok_or(format!("{url} names no jwks_uri"))?;
    Ok((key_set(keys, kid, like, shutdown).await?, keys.to_owned()))
}

async fn key_set(
    url: &str,
    kid: Option<&str>,
    like: &Settings,
    shutdown: &Shutdown,
) -> Result<Vec<DecodingKey>, String> {
    let set: JwkSet = get(url, like, shutdown).await?;
    let fits = |id: &Option<String>| kid.is_none() || id.is_none() || id.as_deref() == kid;
    let keys = set.keys.iter().filter(|key| fits(&key.common.key_id));
    Ok(keys.filter_map(|key| DecodingKey::from_jwk(key).ok()).collect())
}

async fn get<T: serde::de::DeserializeOwned>(
    url: &str,
    like: &Settings,
    shutdown: &Shutdown,
) -> Result<T, String> {
    let shown: String = Text::new(url).chars().take(200).collect();
    let url = Url::parse(url).map_err(|_| format!("{shown} is not an address"))?;
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(format!("{shown} is not https"));
    }
    // The issuer's certificate is not Vault's. The administrator's policy lists Vault's addresses only, and must not stop
    // this request.
    let ca = match &like.tls.ca {
        system @ Ca::System { .. } => system.clone(),
        _ => Ca::System { file: None, dir: None },
    };
    let settings = Settings {
        tls: Tls { ca, client: None, server_name: None, skip_verify: false },
        needs_tls: true,
        unix_socket: None,
        timeout: PATIENCE,
        max_retries: Some(0),
        policy: MachinePolicy::default(),
        ..like.clone()
    };
    let client = Client::late(settings, shutdown.clone()).await.map_err(|error| error.to_string())?;
    let headers = reqwest::header::HeaderMap::new();
    let call = Call::new(Method::GET, url, headers);
    let answer = client.send(&call, |_, _| Judgement::Final).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&answer.body)
        .map_err(|_| format!("{shown} answers no keys (status {})", answer.status))
}

/// The key in a PEM of Vault's configuration: RSA or EC.
fn key_of(pem: &str) -> Option<DecodingKey> {
    use rustls::pki_types::pem::PemObject as _;
    use x509_parser::prelude::FromDer as _;
    use x509_parser::public_key::PublicKey;
    use x509_parser::x509::SubjectPublicKeyInfo;

    let der = rustls::pki_types::SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, info) = SubjectPublicKeyInfo::from_der(der.as_ref()).ok()?;
    match info.parsed().ok()? {
        PublicKey::RSA(key) => {
            Some(DecodingKey::from_rsa_raw_components(trimmed(key.modulus), trimmed(key.exponent)))
        }
        PublicKey::EC(point) => Some(DecodingKey::from_ec_der(point.data())),
        _ => None,
    }
}

/// DER keeps a zero in front of a number whose first bit is set.
fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(&[0]).unwrap_or(bytes)
}
