//! A small HTTP server for answers and faults that a real server does not give on demand: one request for each
//! connection, and a function that answers it, or hangs up.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a client sent.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// With the query, as sent.
    pub target: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What goes back: all bytes of it.
#[derive(Debug, Clone)]
pub struct Response(pub Vec<u8>);

impl Response {
    /// An answer with this status line (`200 OK`) and JSON.
    pub fn json(status: &str, body: &serde_json::Value) -> Self {
        Self::new(status, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    }

    /// An answer with further header lines.
    pub fn new(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        Self([head.as_bytes(), body].concat())
    }
}

/// Serves until the test process ends; returns host and port. `None` from the function hangs up.
pub fn serve(answer: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> String {
    listen(move |stream| respond(stream, &answer))
}

/// The same over TLS; returns host and port, and the certificate to trust, in PEM form.
pub fn serve_tls(answer: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> (String, String) {
    let (config, pem) = own_certificate();
    (serve_tls_as(config, answer), pem)
}

fn own_certificate() -> (ServerConfig, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (config, cert.pem())
}

/// The same with a certificate of the test's choice; returns host and port.
pub fn serve_tls_as(
    config: ServerConfig,
    answer: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
) -> String {
    let config = Arc::new(config);
    listen(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        respond(&mut stream, &answer);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    })
}

fn listen(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = Arc::clone(&handle);
            thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
                handle(stream);
            });
        }
    });
    addr
}

fn respond(mut stream: impl Read + Write, answer: &impl Fn(&Request) -> Option<Response>) {
    let Some(request) = read(&mut stream) else { return };
    if let Some(Response(bytes)) = answer(&request) {
        let _ = stream.write_all(&bytes);
        let _ = stream.flush();
    }
}

fn read(stream: &mut impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body })
}

/// Passes a request on to a server with plain HTTP, and brings its answer back.
pub fn forward(request: &Request, upstream: &str) -> Option<Response> {
    let mut stream = TcpStream::connect(upstream).ok()?;
    let mut head = format!("{} {} HTTP/1.0\r\n", request.method, request.target);
    for (name, value) in request.headers.iter().filter(|(name, _)| *name != "connection") {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    stream.write_all(&request.body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(Response(answer)).filter(|Response(bytes)| !bytes.is_empty())
}
