//! AWS as an identity: finds the credentials of the machine that the job runs on, and signs the one request by which
//! AWS tells Vault who that is. reqsign finds and signs; it must not send anything but through our own client.

use std::collections::HashMap;
use std::fmt;

use ::http::request::Parts;
use ::http::{HeaderName, HeaderValue, Request};
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::hash::{base64_encode, hex_sha256};
use reqsign_core::{Context, SignRequest as _, StaticEnv};

use crate::http::{self, Client, Settings};
use crate::secret::Secret;
use crate::shutdown::Shutdown;

mod caller;
mod error;
mod profile;
mod send;
mod sources;

pub(crate) use caller::{Sts, is_region};
pub use error::Error;
pub(crate) use sources::{SOURCES, Source};

/// The request that asks AWS who signed it.
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
/// The region of the global endpoint, and Vault's default.
const REGION: &str = "us-east-1";

/// The credentials that sign, and how.
#[derive(Clone)]
pub struct Identity {
    /// The one place to look; `None`: all of them, in order.
    pub source: Option<&'static Source>,
    /// What Vault's iam_server_id_header_value wants to see signed.
    pub server_id: Option<String>,
    /// The region whose STS Vault asks.
    pub sts_region: Option<String>,
    /// Where STS exchanges a web identity, if not at AWS's own address.
    pub sts_endpoint: Option<reqwest::Url>,
    /// HOME, where profiles are.
    pub home: Option<String>,
    /// The AWS_* variables.
    pub variables: HashMap<String, Secret>,
    /// For AWS itself.
    pub internet: Settings,
    /// For the container and metadata endpoints: no proxy, and a short time-out.
    pub nearby: Settings,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.map(|source| source.name);
        f.debug_struct("Identity").field("source", &source).field("sts_region", &self.sts_region).finish()
    }
}

/// A signed request, as Vault's login takes it.
pub struct Signed {
    /// The fields of the login.
    pub fields: Vec<(&'static str, Secret)>,
    /// Which credentials signed it.
    pub used: String,
    /// What AWS may say back when it refuses the signature.
    pub session_token: Option<Secret>,
}

impl Identity {
    /// Finds the credentials and signs with them.
    pub async fn sign(&self, client: &Client) -> Result<Signed, Error> {
        let web = send::Web::new(self, client).await?;
        let found = self.find(&self.context(web, client.shutdown())).await;
        // The library tells a stop from no other failure, and a source that it ends may be passed over.
        client.shutdown().check().map_err(http::Error::from)?;
        let (credential, used) = found?;
        let region = self.sts_region.as_deref().unwrap_or(REGION);
        let url = Sts::address(self.sts_region.as_deref());
        let parts = signed(&url, region, self.server_id.as_deref(), &credential).await?;
        let headers: serde_json::Map<_, _> = parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), vec![value.to_str().ok()?].into())))
            .collect();
        let headers = serde_json::Value::Object(headers).to_string();
        let base64 = |text: &str| Secret::new(base64_encode(text.as_bytes()));
        Ok(Signed {
            fields: vec![
                ("iam_http_request_method", Secret::from("POST")),
                ("iam_request_url", base64(&url)),
                ("iam_request_body", base64(BODY)),
                ("iam_request_headers", base64(&headers)),
            ],
            used,
            session_token: credential.session_token.as_deref().map(Secret::from),
        })
    }

    /// A source that has credentials beside AWS_ACCESS_KEY_ID, by its name.
    pub fn other_than_variables(&self) -> Option<&'static str> {
        let variables = sources::Variables::of(self);
        let others = SOURCES.iter().filter(|source| source.name != "env");
        others.into_iter().find(|source| (source.configured)(&variables).is_some()).map(|source| source.name)
    }

    /// The variables that hold the credentials that sign, or say where they are: those of the source that was chosen,
    /// else of each one up to the first that is meant to be used.
    pub(crate) fn taken_from(&self) -> impl Iterator<Item = &'static str> {
        let variables = sources::Variables::of(self);
        let is_meant = |source: &Source| (source.configured)(&variables).is_some();
        let end = SOURCES.iter().position(is_meant).map_or(SOURCES.len(), |at| at + 1);
        let asked: Vec<_> = match self.source {
            Some(one) => vec![one],
            None => SOURCES.iter().take(end).collect(),
        };
        asked.into_iter().flat_map(|source| source.variables).copied()
    }

    /// Each source in its turn: the first that is there must work.
    async fn find(&self, context: &Context) -> Result<(Credential, String), Error> {
        let variables = sources::Variables::of(self);
        let sources = SOURCES.iter().filter(|source| self.source.is_none_or(|one| one.name == source.name));
        for source in sources {
            let configured = (source.configured)(&variables);
            if configured.is_none() && self.source.is_none() && !source.quiet {
                continue;
            }
            if let Some(name) = source.sent.iter().find(|name| variables.get(name).is_some_and(is_unsendable))
            {
                return Err(Error::Unsendable { what: self.name_of(name).to_owned() });
            }
            tracing::debug!("looking for AWS credentials: {}", source.name);
            let named = self.source.is_some();
            let found = (source.provider)(&variables).provide_credential_dyn(context).await;
            match found.map_err(|cause| Error::failed(source, named, &cause))? {
                Some(credential) => {
                    let what = unsendable(&credential);
                    if let Some(what) = what.map(|what| format!("{what} of {}", source.about)) {
                        return Err(Error::Unsendable { what });
                    }
                    return Ok((credential, configured.unwrap_or_else(|| source.about.to_owned())));
                }
                None if named || configured.is_some() => {
                    return Err(Error::Absent { source_name: source.name, needs: source.needs });
                }
                None => {}
            }
        }
        Err(Error::Nothing)
    }

    /// The variable of the job that the library gets under this name.
    fn name_of(&self, name: &'static str) -> &'static str {
        let other =
            sources::ALIASES.iter().find(|(one, _)| *one == name && !self.variables.contains_key(name));
        other.map_or(name, |(_, other)| *other)
    }

    fn context(&self, web: send::Web, shutdown: &Shutdown) -> Context {
        let variables = sources::Variables::of(self);
        let env = StaticEnv { home_dir: self.home.as_ref().map(Into::into), envs: variables.0 };
        Context::new().with_env(env).with_file_read(send::Files(shutdown.clone())).with_http_send(web)
    }
}

/// Whether no signed header can carry this: what is signed is text in ASCII, without control characters.
pub(crate) fn is_unsendable(text: &str) -> bool {
    !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// What of a credential no header can carry.
fn unsendable(credential: &Credential) -> Option<&'static str> {
    let token = credential.session_token.as_deref();
    let parts = [(Some(&*credential.access_key_id), "the access key ID"), (token, "the session token")];
    parts.into_iter().find(|(text, _)| text.is_some_and(is_unsendable)).map(|(_, what)| what)
}

/// `sts:GetCallerIdentity`, signed.
async fn signed(
    url: &str,
    region: &str,
    server_id: Option<&str>,
    credential: &Credential,
) -> Result<Parts, Error> {
    let unsigned = |_| Error::Unsigned { reason: "a header can't be made of it".to_owned() };
    let mut request = Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        // Without it reqsign signs UNSIGNED-PAYLOAD, which STS refuses.
        .header("x-amz-content-sha256", hex_sha256(BODY.as_bytes()))
        .body(())
        .map_err(unsigned)?;
    if let Some(server_id) = server_id {
        let value = HeaderValue::from_str(server_id)
            .map_err(|_| Error::Unsendable { what: "the AWS server id".to_owned() })?;
        request.headers_mut().insert(HeaderName::from_static("x-vault-aws-iam-server-id"), value);
    }
    let (mut parts, ()) = request.into_parts();
    let signer = RequestSigner::new("sts", region);
    let context = Context::new();
    let signing = signer.sign_request(&context, &mut parts, Some(credential), None);
    signing.await.map_err(|cause| Error::Unsigned { reason: cause.to_string() })?;
    Ok(parts)
}
