//! Servers that no real one plays on demand, and what stands before a real one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use rcgen::{KeyPair, PKCS_RSA_SHA256};
use rustls::ServerConfig;
use serde_json::{Value, json};

use crate::support::fake::Seen;
use crate::support::forward::forward;
use crate::support::{Fake, Reply};

fn says(reply: Reply) -> String {
    Fake::new(move |_| reply.clone()).addr
}

fn health(changes: Value) -> String {
    says(Reply::Json(200, healthy(&changes)))
}

fn healthy(changes: &Value) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let mut health = json!({"initialized": true, "sealed": false, "standby": false, "version": "2.7.2", "server_time_utc": now});
    for (name, value) in changes.as_object().unwrap() {
        health[name] = value.clone();
    }
    health
}

/// A sign-in page.
pub fn web_page() -> String {
    says(Reply::Full(200, "Content-Type: text/html\r\n".to_owned(), b"<html>Sign in</html>".to_vec()))
}

/// In front of a real server: the clock is ten minutes behind.
pub fn other_time(upstream: String) -> String {
    let past = healthy(&json!({"server_time_utc": jiff::Timestamp::now().as_second() - 600}));
    let answer = move |seen: &Seen| match &*seen.line {
        line if line.starts_with("GET /v1/sys/health") => Reply::Json(200, past.clone()),
        _ => forward(seen, &upstream),
    };
    Fake::new(answer).addr
}

/// A server that has never been initialised.
pub fn empty() -> String {
    health(json!({"initialized": false, "sealed": true}))
}

/// TLS in front of a real server.
pub fn tls_front(config: ServerConfig, upstream: String) -> Fake {
    Fake::tls(config, move |seen| forward(seen, &upstream))
}

/// A proxy that leads every CONNECT to this port, whatever name was asked for.
pub fn proxy_to(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let _ = (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            pump(client.try_clone().unwrap(), server.try_clone().unwrap());
            pump(server, client);
        }
    });
    address
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// A GitLab that publishes these keys; returns its address.
pub fn issuer(keys: Value) -> String {
    let fake = Fake::new(move |seen| match seen.target() {
        "/.well-known/openid-configuration" => {
            let address = format!("http://{}", seen.header("host").unwrap());
            let keys = format!("{address}/oauth/discovery/keys");
            Reply::Json(200, json!({"issuer": address, "jwks_uri": keys}))
        }
        _ => Reply::Json(200, keys.clone()),
    });
    fake.addr
}

/// A jwt configuration for this issuer that trusts somebody else's key.
pub fn other_key(issuer: &str) -> Value {
    json!({"jwt_validation_pubkeys": [stranger().public_key_pem()], "bound_issuer": issuer})
}

fn stranger() -> KeyPair {
    KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()
}
