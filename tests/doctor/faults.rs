//! Servers that no real one plays on demand.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};

/// Answers every request with this body.
fn serve(kind: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

fn health(changes: Value) -> String {
    let now = jiff::Timestamp::now().as_second();
    let mut health = json!({"initialized": true, "sealed": false, "standby": false, "version": "2.7.2", "server_time_utc": now});
    for (name, value) in changes.as_object().unwrap() {
        health[name] = value.clone();
    }
    serve("application/json", health.to_string())
}

/// A sign-in page.
pub fn web_page() -> String {
    serve("text/html", "<html>Sign in</html>".to_owned())
}

/// A server whose clock is ten minutes behind.
pub fn other_time() -> String {
    health(json!({"server_time_utc": jiff::Timestamp::now().as_second() - 600}))
}

/// A sealed server.
pub fn sealed() -> String {
    health(json!({"sealed": true}))
}

/// A jwt configuration that trusts somebody else's key.
pub fn other_key() -> Value {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    json!({"jwt_validation_pubkeys": [key.public_key_pem()], "bound_issuer": crate::support::jwt::ISSUER})
}
