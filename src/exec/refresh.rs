//! `--refresh`: a loopback endpoint that gives a command its AWS credentials, in the protocol of the ECS container
//! agent, which every AWS SDK speaks (botocore `utils.py`, aws-sdk-go-v2 `credentials/endpointcreds`). Unlike
//! `credential_process` it needs no AWS configuration file that would hide the job's own, no program to start, and
//! puts nothing that logs in into the command's environment: only an address, and a random token that is worth
//! something as long as the command runs.

use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use crate::credentials::{Credentials, Variable};
use crate::secret::Secret;

/// The longest request: an SDK's has a few hundred bytes.
const LONGEST: usize = 8 * 1024;
/// How long a client may take for its request, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the SDKs would use before the endpoint.
const UNSETS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// The endpoint.
pub(crate) struct Endpoint {
    listener: TcpListener,
    token: Secret,
    address: String,
}

impl Endpoint {
    /// Listens on a free port.
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = format!("http://{}/", listener.local_addr()?);
        Ok(Self { listener, token: Secret::new(crate::process::random()?), address })
    }

    /// Replaces the keys by the endpoint.
    pub(crate) fn replace(&self, credentials: &mut Credentials) {
        credentials.variables.retain(|variable| !UNSETS.contains(&variable.name.as_str()));
        credentials.unsets.extend(UNSETS.iter().map(|&name| name.to_owned()));
        let mut set = |name: &str, value: Secret, sensitive| {
            credentials.variables.push(Variable { name: name.to_owned(), value, sensitive });
        };
        set("AWS_CONTAINER_CREDENTIALS_FULL_URI", self.address.as_str().into(), false);
        set("AWS_CONTAINER_AUTHORIZATION_TOKEN", self.token.clone(), true);
        // SDKs prefer a file with keys to the endpoint. They did not prefer it to the keys in variables, which the
        // endpoint replaces.
        set("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into(), false);
    }

    /// Answers with what `source` gives, until it is dropped.
    pub(crate) async fn serve<E: std::fmt::Display>(
        &self,
        source: impl AsyncFn() -> Result<Credentials, E>,
    ) -> std::convert::Infallible {
        let mut clients = FuturesUnordered::new();
        loop {
            let accepted = std::pin::pin!(self.listener.accept());
            let accepted = if clients.is_empty() {
                Some(accepted.await)
            } else {
                match select(accepted, clients.next()).await {
                    Either::Left((accepted, _)) => Some(accepted),
                    Either::Right(_) => None,
                }
            };
            match accepted {
                Some(Ok((stream, _))) => clients.push(self.answer(stream, &source)),
                // Most likely too many open files, of which some will be closed.
                Some(Err(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                None => {}
            }
        }
    }

    /// Answers one request; a client that disconnects early is ignored.
    async fn answer<E: std::fmt::Display>(
        &self,
        mut stream: TcpStream,
        source: &impl AsyncFn() -> Result<Credentials, E>,
    ) {
        let head = tokio::time::timeout(PATIENCE, head(&mut stream)).await.ok().flatten();
        let (status, body) = match head.map(|head| self.judge(&head)) {
            None | Some(Admission::Malformed) => ("400 Bad Request", message("BadRequest", "not a request")),
            Some(Admission::Elsewhere) => ("404 Not Found", message("NotFound", "only GET / is answered")),
            Some(Admission::Stranger) => {
                ("403 Forbidden", message("Forbidden", "the authorization token is wrong"))
            }
            Some(Admission::Welcome) => match source().await.map(|fresh| json(&fresh)) {
                Ok(body) => ("200 OK", body),
                Err(error) => {
                    tracing::warn!("no fresh credentials: {error}");
                    ("503 Service Unavailable", message("Unavailable", "ci-creds got no fresh credentials"))
                }
            },
        };
        let mut answer = Zeroizing::new(Vec::with_capacity(body.len() + 256));
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        answer.extend_from_slice(head.as_bytes());
        answer.extend_from_slice(&body);
        let _ = tokio::time::timeout(PATIENCE, async {
            stream.write_all(&answer).await?;
            stream.shutdown().await
        })
        .await;
    }

    fn judge(&self, head: &[u8]) -> Admission {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
            return Admission::Malformed;
        }
        if request.method != Some("GET") || request.path != Some("/") {
            return Admission::Elsewhere;
        }
        let shown: Vec<_> = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("authorization"))
            .collect();
        match shown[..] {
            [header] if bool::from(header.value.ct_eq(self.token.reveal().as_bytes())) => Admission::Welcome,
            _ => Admission::Stranger,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Admission {
    Welcome,
    Stranger,
    Elsewhere,
    Malformed,
}

/// The request up to its blank line; a GET has no body.
async fn head(stream: &mut TcpStream) -> Option<Zeroizing<Vec<u8>>> {
    let mut head = Zeroizing::new(vec![0; LONGEST]);
    let mut filled = 0;
    while filled < LONGEST {
        match stream.read(&mut head[filled..]).await {
            Ok(count @ 1..) => filled += count,
            _ => return None,
        }
        if head[..filled].windows(4).any(|end| end == b"\r\n\r\n") {
            head.truncate(filled);
            return Some(head);
        }
    }
    None
}

/// What the SDKs read: all four are needed (botocore, `ContainerProvider`).
fn json(credentials: &Credentials) -> Zeroizing<Vec<u8>> {
    let value = |name: &str| {
        let variable = credentials.variables.iter().find(|variable| variable.name == name);
        variable.map_or("", |variable| variable.value.reveal())
    };
    let quoted = |name: &str| Zeroizing::new(serde_json::to_string(value(name)).unwrap_or_default());
    let expiration = credentials.life.map(|life| life.until.to_string()).unwrap_or_default();
    let text = format!(
        "{{\"AccessKeyId\":{},\"SecretAccessKey\":{},\"Token\":{},\"Expiration\":\"{expiration}\"}}",
        *quoted("AWS_ACCESS_KEY_ID"),
        *quoted("AWS_SECRET_ACCESS_KEY"),
        *quoted("AWS_SESSION_TOKEN"),
    );
    Zeroizing::new(text.into_bytes())
}

fn message(code: &str, text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(format!("{{\"code\":\"{code}\",\"message\":\"{text}\"}}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_holder_of_the_token_is_answered() {
        let endpoint = Endpoint::open().await.unwrap();
        let token = endpoint.token.reveal();
        let judge = |request: &str| endpoint.judge(request.as_bytes());
        let with =
            |token: &str| judge(&format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n\r\n"));
        assert_eq!(with(token), Admission::Welcome);
        for wrong in ["", "x", &token[1..], &format!("{token}0"), &format!("Bearer {token}")] {
            assert_eq!(with(wrong), Admission::Stranger, "{wrong}");
        }
        assert_eq!(judge("GET / HTTP/1.1\r\n\r\n"), Admission::Stranger);
        let twice = format!("GET / HTTP/1.1\r\nAuthorization: {token}\r\nAuthorization: x\r\n\r\n");
        assert_eq!(judge(&twice), Admission::Stranger);
        assert_eq!(
            judge(&format!("POST / HTTP/1.1\r\nAuthorization: {token}\r\n\r\n")),
            Admission::Elsewhere
        );
        assert_eq!(
            judge(&format!("GET /a HTTP/1.1\r\nAuthorization: {token}\r\n\r\n")),
            Admission::Elsewhere
        );
        assert_eq!(judge("nonsense\r\n\r\n"), Admission::Malformed);
    }
}
