//! What one line, or the state file as a whole, must not do to the other lines: hold up their revocation.

use std::fs;

use serde_json::json;

use super::trust::State;
use crate::support::{Cmd, Options, Server, Space};

#[test]
fn a_ca_file_that_is_gone_holds_up_its_own_line_alone() {
    let server = Server::start(&Options { tls: true, ..Options::default() });
    let space = Space::on(&server);
    let login = space.approle("ci", json!({"token_ttl": "5m"}));
    let state = State::new();
    let (gone, good) = (state.dir.path().join("gone.pem"), server.ca_cert());
    fs::copy(&good, &gone).unwrap();
    for ca in [&gone, &good] {
        let cmd = Cmd::new(["login", "--addr", &server.addr, "--ca-cert"]).args([ca]).args(state.option());
        cmd.approle(&login).run().expect(0);
    }
    fs::remove_file(&gone).unwrap();
    let run = state.revoke().run().expect(3);
    assert!(run.stderr.contains(&format!("{} (the state file) can't be read", gone.display())), "{run}");
    assert_eq!((state.lines().len(), space.login_tokens().len()), (1, 1));
    // The CA of another address is none for this one.
    let elsewhere = state.revoke().env("VAULT_ADDR", "https://127.0.0.1:1").env("VAULT_CACERT", &good);
    elsewhere.run().expect(3);
    let status = Cmd::new(["status", "--state-file"]).args([&state.path]).vault(&server).run().expect(0);
    assert!(status.stdout.contains("Vault knows it"), "{status}");
    state.revoke().vault(&server).run().expect(0);
    assert!(space.login_tokens().is_empty() && !state.path.exists());
}
