//! A loopback proxy that counts: how many connections a run opened, and which requests it sent on them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::Server;

/// A proxy in front of a server with plain HTTP. Its thread lives as long as the test process.
pub struct Proxy {
    /// What a client takes for VAULT_ADDR.
    pub addr: String,
    seen: Arc<Mutex<Vec<Connection>>>,
    looks: AtomicUsize,
}

/// One connection to the proxy.
struct Connection {
    /// The client's port.
    from: u16,
    sent: Vec<u8>,
}

impl Proxy {
    /// Listens on a port of its own.
    pub fn new(server: &Server) -> Self {
        let upstream = server.addr.strip_prefix("http://").expect("requests can be read without TLS only");
        let (upstream, listener) = (upstream.to_owned(), TcpListener::bind("127.0.0.1:0").unwrap());
        let addr = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&upstream).unwrap());
                serve(client, server, &record);
            }
        });
        Self { addr, seen, looks: AtomicUsize::new(0) }
    }

    /// How many connections were opened so far. A client may be gone before all of its connections were accepted; they
    /// are in the queue before one of our own.
    pub fn connections(&self) -> usize {
        let own = TcpStream::connect(self.addr.trim_start_matches("http://")).unwrap();
        let (from, looks) =
            (own.local_addr().unwrap().port(), self.looks.fetch_add(1, Ordering::Relaxed) + 1);
        let place = || self.seen.lock().unwrap().iter().position(|one| one.from == from);
        loop {
            match place() {
                Some(before) => return before + 1 - looks,
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// The requests so far as `METHOD /path?query`, in the order of the connections.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().flat_map(|one| request_lines(&one.sent)).collect()
    }
}

fn serve(client: TcpStream, server: TcpStream, record: &Arc<Mutex<Vec<Connection>>>) {
    let connection = {
        let mut all = record.lock().unwrap();
        all.push(Connection { from: client.peer_addr().map_or(0, |addr| addr.port()), sent: Vec::new() });
        all.len() - 1
    };
    let (to_client, from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let record = Arc::clone(record);
    // Recorded before it is passed on: who has the answer can rely on the request being counted.
    thread::spawn(move || {
        copy(client, server, |bytes| record.lock().unwrap()[connection].sent.extend_from_slice(bytes));
    });
    thread::spawn(move || copy(from_server, to_client, |_| {}));
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        see(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// The request lines in what a client sent on one connection.
pub fn request_lines(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(end) = find(bytes, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes = &bytes[end + 4..];
        let line = head.lines().next().unwrap_or_default();
        lines.push(line.rsplit_once(' ').map_or(line, |(request, _version)| request).to_owned());
        let length = header(&head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        let chunked = header(&head, "transfer-encoding").is_some_and(|value| value.contains("chunked"));
        bytes = if chunked { after_chunks(bytes) } else { bytes.get(length..).unwrap_or_default() };
    }
    lines
}

fn after_chunks(mut bytes: &[u8]) -> &[u8] {
    while let Some(end) = find(bytes, b"\r\n") {
        let size = String::from_utf8_lossy(&bytes[..end]);
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        // The size line, the chunk and the line end after it; the last chunk is empty.
        bytes = bytes.get(end + 2 + size + 2..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    bytes
}

fn header(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines
        .into_iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_lowercase())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
