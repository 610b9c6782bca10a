//! Hands connections on, byte by byte, and lets a test look at what passes, or hold it up.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Where bytes are going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towards {
    Server,
    Client,
}

/// Hands each connection to the first of the ports of `choose` that is there; `passes` sees all bytes before they go on.
/// Returns its own port.
pub fn relay(
    choose: impl Fn() -> Vec<u16> + Send + Sync + 'static,
    passes: impl Fn(Towards, &[u8]) + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (choose, passes) = (Arc::new(choose), Arc::new(passes));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (choose, passes) = (Arc::clone(&choose), Arc::clone(&passes));
            thread::spawn(move || {
                let server =
                    choose().into_iter().find_map(|port| TcpStream::connect(("127.0.0.1", port)).ok());
                let Some(server) = server else { return };
                let (to_client, from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let of_client = Arc::clone(&passes);
                thread::spawn(move || pass(client, server, |bytes| of_client(Towards::Server, bytes)));
                pass(from_server, to_client, |bytes| passes(Towards::Client, bytes));
            });
        }
    });
    port
}

fn pass(mut from: TcpStream, mut to: TcpStream, passes: impl Fn(&[u8])) {
    let mut buffer = [0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        passes(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
