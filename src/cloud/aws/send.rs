//! Gives reqsign files and our one HTTP client. It must not send plain http to hosts other than this machine and the
//! container and metadata endpoints.

use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;
use reqsign_core::{Error, FileRead, HttpSend, Result};
use reqwest::Url;
use zeroize::Zeroizing;

use super::Identity;
use crate::http::{self, Call, Client, Judgement, is_loopback};
use crate::input;
use crate::shutdown::Shutdown;

/// Plain http goes to these and to this machine only: the container and metadata endpoints (botocore `utils.py`).
const NEARBY: &[&str] =
    &["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "169.254.169.254", "[fd00:ec2::254]"];

/// Files, read as they are. A stop ends the wait for one that never ends.
pub(super) struct Files(pub(super) Shutdown);

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Files")
    }
}

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        // Credentials are looked for again when they are renewed, and then a token is alive.
        let read = input::waited_for(Path::new(path), &self.0).await;
        let read = read.map_err(|stopped| Error::unexpected(stopped.to_string()))?;
        read.map(|mut bytes| std::mem::take(&mut *bytes)).map_err(|cause| match cause.kind() {
            ErrorKind::InvalidData => {
                Error::unexpected(format!("{}: {cause}", input::shown(path))).with_source(cause)
            }
            _ => Error::from(cause),
        })
    }
}

/// Requests of the library.
pub(super) struct Web {
    internet: Client,
    nearby: Client,
    sts_endpoint: Option<Url>,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Web")
    }
}

impl Web {
    pub(super) async fn new(identity: &Identity, client: &Client) -> std::result::Result<Self, http::Error> {
        Ok(Self {
            internet: client.sibling(identity.internet.clone()).await?,
            nearby: client.sibling(identity.nearby.clone()).await?,
            sts_endpoint: identity.sts_endpoint.clone(),
        })
    }

    /// The client for an address, unless nothing may be sent there.
    fn client(&self, url: &Url) -> Result<&Client> {
        let is_nearby = is_loopback(url) || url.host_str().is_some_and(|host| NEARBY.contains(&host));
        match url.scheme() {
            _ if is_nearby => Ok(&self.nearby),
            "https" => Ok(&self.internet),
            _ => {
                let host = http::host(url);
                Err(Error::config_invalid(format!(
                    "plain http to {host} is neither this machine nor AWS's endpoint"
                )))
            }
        }
    }
}

impl HttpSend for Web {
    async fn http_send(&self, request: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let mut url = Url::parse(&parts.uri.to_string())
            .map_err(|error| Error::config_invalid(format!("no address: {error}")))?;
        if let Some(endpoint) = &self.sts_endpoint
            && url.host_str().is_some_and(|host| host.starts_with("sts."))
        {
            url = endpoint.clone();
        }
        let client = self.client(&url)?;
        let body = (!body.is_empty()).then(|| Zeroizing::new(body.to_vec()));
        let call = Call { body, ..Call::new(parts.method, url, parts.headers) };
        let answer = client.send(&call, |_, _| Judgement::Final).await;
        let answer = answer.map_err(|error| Error::unexpected(error.to_string()).with_source(error))?;
        let response = ::http::Response::builder().status(answer.status);
        Ok(response.body(Bytes::from(answer.body.to_vec()))?)
    }
}
