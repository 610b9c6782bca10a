//! A server of bytes: for answers and faults that a real server does not give on demand, and for what has no real part
//! here (GitLab, a cluster's API, AWS's endpoints). It speaks HTTP/1.1 by hand, over TCP, TLS or a unix socket, sees
//! every request, and does with it what the test says.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::secret;

/// One request, as it came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `GET /v1/exoscale/apikey/ci?a=b`, or `CONNECT host:443`.
    pub line: String,
    /// In lower case, as they came.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The name asked for in the TLS handshake.
    pub sni: Option<String>,
    /// Whether the client showed a certificate.
    pub client_certificate: bool,
    /// How many requests came before this one.
    pub number: usize,
}

impl Seen {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `GET` and the like.
    pub fn method(&self) -> &str {
        self.line.split_once(' ').map_or("", |(method, _)| method)
    }

    /// The path, with the query, as sent.
    pub fn target(&self) -> &str {
        self.line.split_once(' ').map_or("", |(_, target)| target)
    }

    /// The body, or null where it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub fn is_login(&self) -> bool {
        self.line.ends_with("/login")
    }

    pub fn is_revocation(&self) -> bool {
        self.line.ends_with("/revoke-self") || self.line.ends_with("/leases/revoke")
    }
}

/// What is done with a request.
#[derive(Clone)]
pub enum Reply {
    /// An answer with this status and body.
    Json(u16, Value),
    /// An answer with this status, header lines and body.
    Full(u16, String, Vec<u8>),
    /// These bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// The end of the connection, without an answer.
    Drop,
    /// These bytes, one after this time each.
    Drip(Vec<u8>, Duration),
    /// What Vault would answer, after this time.
    Late(Duration),
    /// What Vault would answer.
    Vault,
}

impl Reply {
    /// An answer with this status and body, which does not say what it is.
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Full(status, String::new(), body.into())
    }

    /// The bytes of a whole answer.
    pub fn bytes(self) -> Vec<u8> {
        let (status, headers, body) = match self {
            Self::Json(204, _) => (204, String::new(), Vec::new()),
            Self::Json(status, body) => {
                (status, "Content-Type: application/json\r\n".to_owned(), body.to_string().into_bytes())
            }
            Self::Full(status, headers, body) => (status, headers, body),
            _ => unreachable!("only whole answers come here"),
        };
        let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        [head.into_bytes(), body].concat()
    }
}

/// 307 to an address.
pub fn redirect(to: &str) -> Reply {
    Reply::Full(307, format!("Location: {to}\r\n"), Vec::new())
}

type Script = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// A running fake; its threads live as long as the test process.
#[derive(Clone)]
pub struct Fake {
    /// What a client takes for VAULT_ADDR.
    pub addr: String,
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    /// Over plain http, on this machine.
    pub fn new(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", None, script)
    }

    /// Over TLS.
    pub fn tls(config: ServerConfig, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", Some(Arc::new(config)), script)
    }

    /// On an address of the test's choice.
    pub fn on(
        bind: &str,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(bind).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let fake = Self { addr: format!("{scheme}://{address}"), port: address.port(), seen: Arc::default() };
        let (seen, script): (_, Script) = (Arc::clone(&fake.seen), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, script, tls) = (Arc::clone(&seen), Arc::clone(&script), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, &Seen::default(), &seen, &script),
                    Some(config) => serve_tls(stream, config, &seen, &script),
                });
            }
        });
        fake
    }

    /// On a unix socket.
    pub fn unix(path: &Path, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let fake = Self { addr: format!("unix://{}", path.display()), port: 0, seen: Arc::default() };
        let (seen, script): (_, Script) = (Arc::clone(&fake.seen), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                thread::spawn(move || serve(stream, &Seen::default(), &seen, &script));
            }
        });
        fake
    }

    /// Answers as Vault does.
    pub fn vault() -> Self {
        Self::new(|_| Reply::Vault)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests so far, as `METHOD /path`.
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

fn serve_tls(stream: TcpStream, config: Arc<ServerConfig>, seen: &Mutex<Vec<Seen>>, script: &Script) {
    let mut connection = ServerConnection::new(config).unwrap();
    let mut tcp = stream;
    if connection.complete_io(&mut tcp).is_err() {
        // The alert must reach the client before the connection is reset.
        let _ = tcp.shutdown(Shutdown::Write);
        let _ = tcp.read(&mut [0; 1024]);
        return;
    }
    let handshake = Seen {
        sni: connection.server_name().map(str::to_owned),
        client_certificate: connection.peer_certificates().is_some(),
        ..Seen::default()
    };
    let mut stream = StreamOwned::new(connection, tcp);
    serve(&mut stream, &handshake, seen, script);
    // An answer that ends with its connection is cut off without it.
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn serve(stream: impl Read + Write, handshake: &Seen, all: &Mutex<Vec<Seen>>, script: &Script) {
    let mut stream = BufReader::new(stream);
    while let Some(mut request) = read_request(&mut stream, handshake) {
        {
            let mut all = all.lock().unwrap();
            request.number = all.len();
            all.push(request.clone());
        }
        let out = stream.get_mut();
        let written = match script(&request) {
            Reply::Vault => answer(out, vault(&request)),
            Reply::Late(pause) => {
                thread::sleep(pause);
                answer(out, vault(&request))
            }
            Reply::Drop => return,
            Reply::Bytes(bytes) => {
                let _ = out.write_all(&bytes).and_then(|()| out.flush());
                return;
            }
            Reply::Drip(bytes, pause) => bytes.iter().try_for_each(|byte| {
                thread::sleep(pause);
                out.write_all(&[*byte]).and_then(|()| out.flush())
            }),
            reply => answer(out, reply),
        };
        if written.is_err() {
            return;
        }
    }
}

fn answer(out: &mut impl Write, reply: Reply) -> std::io::Result<()> {
    out.write_all(&reply.bytes()).and_then(|()| out.flush())
}

fn read_request(stream: &mut BufReader<impl Read>, handshake: &Seen) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut seen = handshake.clone();
    seen.line = line.trim_end().rsplit_once(' ')?.0.to_owned();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        seen.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = seen.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Some(seen)
}

/// What Vault answers when all is well.
pub fn vault(request: &Seen) -> Reply {
    if request.is_revocation() {
        return Reply::Json(204, Value::Null);
    }
    Reply::Json(200, if request.line.ends_with("/login") { login() } else { key() })
}

/// The answer of a login.
pub fn login() -> Value {
    json!({"auth": {
        "client_token": secret(), "accessor": "an-accessor", "token_type": "service", "lease_duration": 3600,
        "renewable": true, "num_uses": 0,
    }})
}

/// The answer of the Exoscale engine.
pub fn key() -> Value {
    json!({"lease_id": "exoscale/apikey/ci/a-lease", "renewable": true, "lease_duration": 600, "data": {
        "api_key": "EXO0123456789abcdef01234567", "api_secret": secret(), "name": "vault-ci-token-1795247686107364045",
    }})
}
