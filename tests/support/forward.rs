//! Requests that a fake hands on to a real server: what it does not spoil is what that says.

use std::io::{Read as _, Result, Write as _};
use std::net::TcpStream;

use super::Reply;
use super::fake::Seen;

/// What the server at this host and port, with plain HTTP, answers to a request.
pub fn forward(request: &Seen, upstream: &str) -> Reply {
    let mut answer = Vec::new();
    let read = hand_on(request, upstream).and_then(|mut server| server.read_to_end(&mut answer));
    read.ok().and_then(|_| whole(&answer)).unwrap_or(Reply::Drop)
}

/// Sends a request to such a server; its answer is still to be read. In HTTP/1.0: the answer comes in one piece, and is
/// whole when the connection ends.
pub fn hand_on(request: &Seen, upstream: &str) -> Result<TcpStream> {
    let headers = request.headers.iter().filter(|(name, _)| name != "connection");
    let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(format!("{} HTTP/1.0\r\n{headers}\r\n{}", request.line, request.body).as_bytes())?;
    Ok(server)
}

/// As an answer of the fake's own: the client's connection goes on after it.
fn whole(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end + 2]);
    let (first, headers) = head.split_once("\r\n")?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let headers = headers.split_inclusive("\r\n");
    let headers = headers.filter(|line| !line.to_ascii_lowercase().starts_with("content-length:")).collect();
    Some(Reply::Full(status, headers, answer[end + 4..].to_vec()))
}
